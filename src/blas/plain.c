/* SPDX-License-Identifier: MIT */
/* The one call of cblas: a product as the BLAS itself computes it, whole or in parts, and a check of it. */
#include <cblas.h>
#include <math.h>

#include "base/size.h"
#include "blas/blas.h"
#include "blas/vendor.h"

struct stoa_gemm stoa_gemm_part(const struct stoa_gemm *p, size_t i, size_t m, size_t l, size_t k, size_t j,
                                size_t n) {
    struct stoa_gemm part = *p;
    part.m = m;
    part.n = n;
    part.k = k;
    part.a += p->transpose_a ? l * p->lda + i : i * p->lda + l;
    part.ldb = p->panels ? stoa_round_up(n, STOA_ALIGN_FLOATS) : p->ldb;
    part.b += p->panels ? j * p->k + l * part.ldb : p->transpose_b ? j * p->ldb + l : l * p->ldb + j;
    part.packed = p->packed && k == p->k ? p->packed + j * k : NULL;
    part.beta = l == 0 ? p->beta : 1;
    part.c += i * p->ldc + j;
    return part;
}

static void call(const struct stoa_gemm *p) {
    STOA_BLAS_SYMBOL(cblas_sgemm)
    (CblasRowMajor, p->transpose_a ? CblasTrans : CblasNoTrans, p->transpose_b ? CblasTrans : CblasNoTrans,
     (int)p->m, (int)p->n, (int)p->k, p->alpha, p->a, (int)p->lda, p->b, (int)p->ldb, p->beta, p->c,
     (int)p->ldc);
}

void stoa_blas_sgemm(const struct stoa_gemm *p) {
    const size_t most = STOA_MAX_DIMENSION;
    if (p->m <= most && p->n <= most && p->k <= most) {
        call(p);
        return;
    }
    for (size_t j = 0; j < p->n; j += most) {
        for (size_t l = 0; l < p->k; l += most) {
            for (size_t i = 0; i < p->m; i += most) {
                struct stoa_gemm part = stoa_gemm_part(p, i, stoa_min(p->m - i, most), l,
                                                       stoa_min(p->k - l, most), j, stoa_min(p->n - j, most));
                call(&part);
            }
        }
    }
}

/* Integers from -6 to 6 in a and from -3 to 3 in b: every order of their sums is exact. */
bool stoa_blas_is_right(float *memory, size_t side, size_t seed, float unit) {
    float *a = memory;
    float *b = a + side * side;
    float *c = b + side * side;
    for (size_t i = 0; i < side * side; i++) {
        a[i] = ((float)((i + seed) % 13) - 6.0F) * unit;
        b[i] = (float)((i + 3 * seed) % 7) - 3.0F;
        c[i] = NAN;
    }
    struct stoa_gemm p = {.m = side, .n = side, .k = side, .alpha = 1, .lda = side, .ldb = side, .ldc = side};
    p.transpose_a = seed & 2;
    p.transpose_b = seed & 4;
    p.a = a;
    p.b = b;
    p.c = c;
    stoa_blas_sgemm(&p);
    for (size_t row = 0; row < side; row++) {
        for (size_t column = 0; column < side; column++) {
            double sum = 0;
            for (size_t l = 0; l < side; l++) {
                sum += (double)a[p.transpose_a ? l * side + row : row * side + l] *
                       (double)b[p.transpose_b ? column * side + l : l * side + column];
            }
            if (!((double)c[row * side + column] == sum)) { /* NaN fails */
                return false;
            }
        }
    }
    return true;
}
