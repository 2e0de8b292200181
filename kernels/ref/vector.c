/* SPDX-License-Identifier: MIT */
/* Reference products with one vector. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(row_times_matrix)(const real *x, const real *w, size_t k, size_t n, size_t stride,
                                      real *y) {
    for (size_t j = 0; j < n; j++) {
        real sum = 0;
        for (size_t i = 0; i < k; i++) {
            sum += x[i] * w[i * stride + j];
        }
        y[j] = sum;
    }
}

void STOA_REFERENCE(matrix_times_column)(const real *w, size_t rows, size_t n, size_t stride, const real *v,
                                         real *y) {
    for (size_t i = 0; i < rows; i++) {
        real sum = 0;
        for (size_t j = 0; j < n; j++) {
            sum += w[i * stride + j] * v[j];
        }
        y[i] = sum;
    }
}

void STOA_REFERENCE(outer)(const real *x, size_t rows, const real *v, size_t n, real *y, size_t stride) {
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < n; j++) {
            y[i * stride + j] = x[i] * v[j];
        }
    }
}
