/* SPDX-License-Identifier: MIT */
/* Reference convolution of planes. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(planes)(const real *x, const size_t *term, size_t terms, const real *weight,
                            size_t filters, const real *start, size_t n, real *y, size_t y_stride) {
    for (size_t f = 0; f < filters; f++) {
        for (size_t j = 0; j < n; j++) {
            real sum = start ? start[f] : 0;
            for (size_t l = 0; l < terms; l++) {
                sum += weight[l * filters + f] * x[term[l] + j];
            }
            y[f * y_stride + j] = sum;
        }
    }
}

void STOA_REFERENCE(planes_gradient)(const real *x, const size_t *term, size_t terms, const real *dy,
                                     size_t dy_stride, size_t filters, size_t n, real *sums) {
    for (size_t l = 0; l < terms; l++) {
        for (size_t f = 0; f < filters; f++) {
            for (size_t j = 0; j < n; j++) {
                sums[(l * filters + f) * STOA_PRODUCT_LANES + j % STOA_PRODUCT_LANES] +=
                    x[term[l] + j] * dy[f * dy_stride + j];
            }
        }
    }
}
