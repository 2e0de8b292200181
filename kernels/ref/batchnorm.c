/* SPDX-License-Identifier: MIT */
/* Reference batch normalisation. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(bn_moments)(const real *x, size_t rows, size_t channels, double *mean, double *m2) {
    for (size_t c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t r = 0; r < rows; r++) {
            sum += (double)x[r * channels + c];
        }
        mean[c] = sum / (double)rows;
        m2[c] = 0;
        for (size_t r = 0; r < rows; r++) {
            double d = (double)x[r * channels + c] - mean[c];
            m2[c] += d * d;
        }
    }
}

void STOA_REFERENCE(normalize_columns)(const real *x, size_t rows, size_t channels, real unit,
                                       const real *mean, const real *scale, const real *shift, bool relu,
                                       real *y) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < channels; c++) {
            real v = (x[r * channels + c] * unit - mean[c]) * scale[c] + shift[c];
            y[r * channels + c] = relu && v < 0 ? 0 : v;
        }
    }
}

void STOA_REFERENCE(bn_backward_sums)(const real *x, const real *dy, size_t rows, size_t channels, real unit,
                                      const real *mean, const real *scale, const real *mask_scale,
                                      const real *mask_shift, real *sum_dy, real *sum_dy_xhat) {
    for (size_t c = 0; c < channels; c++) {
        sum_dy[c] = 0;
        sum_dy_xhat[c] = 0;
        for (size_t r = 0; r < rows; r++) {
            size_t i = r * channels + c;
            real d = x[i] * unit - mean[c];
            real g = !mask_scale || d * mask_scale[c] + mask_shift[c] > 0 ? dy[i] : 0;
            sum_dy[c] += g;
            sum_dy_xhat[c] += g * d * scale[c];
        }
    }
}

void STOA_REFERENCE(bn_backward)(const real *x, const real *dy, size_t rows, size_t channels, real unit,
                                 const real *mean, const real *a, const real *b, const real *d,
                                 const real *mask_scale, const real *mask_shift, real *dx) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < channels; c++) {
            size_t i = r * channels + c;
            real off = x[i] * unit - mean[c];
            real g = !mask_scale || off * mask_scale[c] + mask_shift[c] > 0 ? dy[i] : 0;
            dx[i] = a[c] * (g - b[c] - off * d[c]);
        }
    }
}
