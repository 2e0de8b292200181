/* SPDX-License-Identifier: MIT */
/* The one call of cblas: a product as the BLAS itself computes it. */
#include <cblas.h>

#include "blas/gemm.h"

void stoa_blas_sgemm(const struct stoa_gemm *p) {
    cblas_sgemm(CblasRowMajor, p->transpose_a ? CblasTrans : CblasNoTrans,
                p->transpose_b ? CblasTrans : CblasNoTrans, (int)p->m, (int)p->n, (int)p->k, p->alpha, p->a,
                (int)p->lda, p->b, (int)p->ldb, p->beta, p->c, (int)p->ldc);
}
