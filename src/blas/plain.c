/* SPDX-License-Identifier: MIT */
/* The one call of cblas: a product as the BLAS itself computes it. */
#include <cblas.h>

#include "base/size.h"
#include "blas/blas.h"
#include "blas/vendor.h"

static void call(const struct stoa_gemm *p) {
    STOA_BLAS_SYMBOL(cblas_sgemm)
    (CblasRowMajor, p->transpose_a ? CblasTrans : CblasNoTrans, p->transpose_b ? CblasTrans : CblasNoTrans,
     (int)p->m, (int)p->n, (int)p->k, p->alpha, p->a, (int)p->lda, p->b, (int)p->ldb, p->beta, p->c,
     (int)p->ldc);
}

void stoa_blas_sgemm(const struct stoa_gemm *p) {
    if (p->m <= STOA_MAX_DIMENSION && p->n <= STOA_MAX_DIMENSION && p->k <= STOA_MAX_DIMENSION) {
        call(p);
        return;
    }
    struct stoa_gemm part = *p;
    for (size_t j = 0; j < p->n; j += part.n) {
        for (size_t l = 0; l < p->k; l += part.k) {
            for (size_t i = 0; i < p->m; i += part.m) {
                part.m = stoa_min(p->m - i, STOA_MAX_DIMENSION);
                part.n = stoa_min(p->n - j, STOA_MAX_DIMENSION);
                part.k = stoa_min(p->k - l, STOA_MAX_DIMENSION);
                part.a = p->a + (p->transpose_a ? l * p->lda + i : i * p->lda + l);
                part.b = p->b + (p->transpose_b ? j * p->ldb + l : l * p->ldb + j);
                part.c = p->c + i * p->ldc + j;
                part.beta = l == 0 ? p->beta : 1;
                call(&part);
            }
        }
    }
}
