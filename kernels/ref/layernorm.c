/* SPDX-License-Identifier: MIT */
/* Reference layer normalisation. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(row_moments)(const real *x, size_t rows, size_t columns, double *mean, double *m2) {
    for (size_t r = 0; r < rows; r++, x += columns) {
        double sum = 0;
        for (size_t c = 0; c < columns; c++) {
            sum += (double)x[c];
        }
        mean[r] = sum / (double)columns;
        m2[r] = 0;
        for (size_t c = 0; c < columns; c++) {
            m2[r] += ((double)x[c] - mean[r]) * ((double)x[c] - mean[r]);
        }
    }
}

void STOA_REFERENCE(normalize_rows)(const real *x, size_t rows, size_t columns, const double *mean,
                                    const double *scale, const real *weight, const real *bias, real *y) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            real xhat = (real)(((double)x[r * columns + c] - mean[r]) * scale[r]);
            y[r * columns + c] = weight ? xhat * weight[c] + bias[c] : xhat;
        }
    }
}

void STOA_REFERENCE(layernorm_backward)(const real *x, const real *dy, size_t rows, size_t columns,
                                        const double *mean, const double *inv_std, const real *weight,
                                        real *dx) {
    for (size_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
        real sum = 0;
        real sum_xhat = 0;
        for (size_t c = 0; c < columns; c++) {
            real g = weight ? dy[c] * weight[c] : dy[c];
            sum += g;
            sum_xhat += g * (real)(((double)x[c] - mean[r]) * inv_std[r]);
        }
        for (size_t c = 0; c < columns; c++) {
            real g = weight ? dy[c] * weight[c] : dy[c];
            real xhat = (real)(((double)x[c] - mean[r]) * inv_std[r]);
            dx[c] = (real)inv_std[r] * (g - sum / (real)columns - xhat * sum_xhat / (real)columns);
        }
    }
}

void STOA_REFERENCE(layernorm_backward_weights)(const real *x, const real *dy, size_t rows, size_t columns,
                                                const double *mean, const double *inv_std, real *dweight,
                                                real *dbias) {
    for (size_t c = 0; c < columns; c++) {
        dweight[c] = 0;
        dbias[c] = 0;
        for (size_t r = 0; r < rows; r++) {
            real xhat = (real)(((double)x[r * columns + c] - mean[r]) * inv_std[r]);
            dweight[c] += dy[r * columns + c] * xhat;
            dbias[c] += dy[r * columns + c];
        }
    }
}
