/* SPDX-License-Identifier: MIT */
/* The vendor's BLAS: its sgemm as it is, and the guard of its threads. This folder is the only place that
 * knows cblas.h and OpenBLAS; src/product decides which products come here. */
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
    /* What follows is for src/product; the BLAS reads none of it. */
    /* By the engine's kernel whatever the sizes: sums in an order that depends on k alone. b is not
     * transposed, alpha 1 and beta 0 or 1. Without a transposed a, b may then lie in panels of
     * STOA_GEMM_PANEL columns, one behind the other: [k][columns], the rows of a last one rounded up to
     * STOA_ALIGN_FLOATS. ldb is not read. */
    bool by_kernel, panels;
    /* Rows of a that follow and will be wanted next, or the left operand of the next product where that is of
     * the same shape (0, NULL: nothing is known). They are fetched early. */
    size_t below;
    const float *next_a;
};

/* The one way to cblas_sgemm, on one thread; who wraps it counts all of them. Sizes beyond cblas's integer
 * are split. */
void stoa_blas_sgemm(const struct stoa_gemm *product);

/* Whether this BLAS overwrites NaN in c when beta is 0, tried once. */
bool stoa_blas_overwrites(void);

/* BLAS threads are held at 1 from the first enter to the last leave, in all threads of the process together;
 * the last leave restores what the caller had. Both take a lock and nothing else on the way. */
void stoa_blas_enter(void);
void stoa_blas_leave(void);

/* The same in another thread that computes for the caller of those, where the BLAS keeps a count a thread; a
 * thread that the engine started need not leave. */
void stoa_blas_enter_thread(void);
void stoa_blas_leave_thread(void);

#endif
