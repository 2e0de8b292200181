/* SPDX-License-Identifier: MIT */
/* The vendor's BLAS: its sgemm, and the guard of its threads. Only this folder knows cblas.h and OpenBLAS;
 * src/product decides which products come here. */
#ifndef STOA_BLAS_BLAS_H
#define STOA_BLAS_BLAS_H

#include <stdbool.h>
#include <stddef.h>

/* c[m][n] = alpha * op(a)[m][k] op(b)[k][n] + beta * c, row-major; lda, ldb, ldc are the row strides of the
 * arrays as stored. */
struct stoa_gemm {
    bool transpose_a, transpose_b;
    size_t m, n, k;
    float alpha;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb;
    float beta;
    float *c;
    size_t ldc;
    /* The BLAS reads none of the members below, which are for src/product. */
    /* The engine's kernel computes the product whatever its sizes, with sums in an order that depends on k
     * alone. b is not transposed, alpha is 1 and beta 0 or 1. Without a transposed a, b may lie in panels of
     * STOA_GEMM_PANEL columns, one behind the other: [k][columns], the rows of a last one rounded up to
     * STOA_ALIGN_FLOATS; ldb is not read. `packed_now` says that the same threads have made them, so that
     * each takes the columns that it packed. */
    bool by_kernel, panels, packed_now;
    /* The same b in panels of so many columns, as stoa_pack_panels() writes them, or NULL. They are read
     * instead where the product goes by such panels, to the same bits. */
    const float *packed;
    size_t packed_columns;
    /* How many rows of a follow and will be wanted next, or the left operand of the next product where that
     * has the same shape. They are fetched early. 0 and NULL: nothing is known. */
    size_t below;
    const float *next_a;
};

/* Rows [i, i + m), terms [l, l + k) and columns [j, j + n) of a product. Where l is not 0 the sums are added
 * to c. With panels the columns are those of whole panels, or of one where terms are cut. */
struct stoa_gemm stoa_gemm_part(const struct stoa_gemm *product, size_t i, size_t m, size_t l, size_t k,
                                size_t j, size_t n);

/* The only caller of cblas_sgemm, on one thread, so that who wraps it counts all. Sizes beyond cblas's
 * integer are split. */
void stoa_blas_sgemm(const struct stoa_gemm *product);

/* Whether a product of small integers times `unit` is right to the last bit, over NaN in c. The seed chooses
 * the integers and which operands are transposed. memory: 3 * side * side floats. */
bool stoa_blas_is_right(float *memory, size_t side, size_t seed, float unit);

/* BLAS threads are held at 1 from the first enter to the last leave, in all threads of the process together;
 * the last leave restores what the caller had. Both take a lock and nothing else on the way. */
void stoa_blas_enter(void);
void stoa_blas_leave(void);

/* The same for another thread that computes for such a caller, where the BLAS keeps a count for each thread.
 * A thread that the engine started need not leave. */
void stoa_blas_enter_thread(void);
void stoa_blas_leave_thread(void);

#endif
