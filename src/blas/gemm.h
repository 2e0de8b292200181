/* SPDX-License-Identifier: MIT */
/* The one door to sgemm. This folder is the only place that knows cblas.h and OpenBLAS. */
#ifndef STOA_BLAS_GEMM_H
#define STOA_BLAS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

struct stoa_kernels; /* kernels/kernels.h */

/* Columns of a panel of b, see below. */
enum { STOA_GEMM_PANEL = 64 };

/* c[m][n] = alpha * op(a)[m][k] op(b)[k][n] + beta * c, row-major; lda, ldb, ldc are the row strides of the
 * arrays as stored. One thread. c is not read when beta is 0, so it may hold NaN. Sizes beyond cblas's
 * integer are split. */
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
    bool whole; /* not in blocks that this BLAS multiplies faster: the sums in the BLAS's own order */
    /* By the engine's kernel whatever the sizes: sums in an order that depends on k alone. Without
     * transposes, alpha 1 and beta 0 or 1. Then b may lie in panels of STOA_GEMM_PANEL columns, one behind
     * the other: [k][columns], the rows of a last one rounded up to STOA_ALIGN_FLOATS. ldb is not read. */
    bool by_kernel, panels;
    /* Rows of a that follow and will be wanted next, or the left operand of the next product where that is of
     * the same shape (0, NULL: nothing is known). They are fetched early. A next product also decides who
     * multiplies this one: the engine's kernel where it can, since the BLAS fetches nothing ahead. */
    size_t below;
    const float *next_a;
    const struct stoa_kernels
        *kernels; /* the engine's loops for products where the BLAS is weak; NULL: not to be used */
};

/* Copies of b lie in the thread's scratch (base/scratch.h), so this is called from inside a parallel loop. */
void stoa_gemm_run(const struct stoa_gemm *product);

/* The same in one call of the BLAS, whatever it makes of it; sizes must fit its integer. For the
 * door's own pieces, and to measure the BLAS itself. */
void stoa_blas_sgemm(const struct stoa_gemm *product);

/* Whether this BLAS overwrites NaN in c when beta is 0, tried once; where it does not, stoa_gemm_run() fills
 * c with zeros first. */
bool stoa_blas_overwrites(void);

/* BLAS threads are held at 1 from the first enter to the last leave, in all threads of the process together;
 * the last leave restores what the caller had. Both take a lock and nothing else on the way. */
void stoa_blas_enter(void);
void stoa_blas_leave(void);

/* Called once by a thread that the engine started, before its first product: its own thread count, where the
 * BLAS keeps one a thread, becomes 1. */
void stoa_blas_own_thread(void);

#endif
