/* SPDX-License-Identifier: MIT */
/* Reference operations on one element at a time, and dropout. */
#include "base/random.h"
#include "kernels/ref/ref.h"

void STOA_REFERENCE(bias_act)(real *y, size_t rows, size_t columns, size_t stride, const real *bias,
                              bool relu) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            real v = y[r * stride + c] + bias[c];
            y[r * stride + c] = relu && v < 0 ? 0 : v;
        }
    }
}

void STOA_REFERENCE(relu)(const real *x, real *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] < 0 ? 0 : x[i];
    }
}

void STOA_REFERENCE(relu_backward)(const real *y, const real *dy, real *dx, size_t n) {
    for (size_t i = 0; i < n; i++) {
        dx[i] = y[i] > 0 ? dy[i] : 0;
    }
}

void STOA_REFERENCE(add)(const real *a, const real *b, real *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
    }
}

void STOA_REFERENCE(accumulate)(const real *x, real *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

void STOA_REFERENCE(dropout)(const real *x, real *y, size_t first, size_t n, uint64_t key, uint64_t stream,
                             uint32_t threshold, real scale) {
    for (size_t i = 0; i < n; i++) {
        struct stoa_random4 random = stoa_philox(key, (first + i) / 4, stream);
        y[i] = random.word[(first + i) % 4] >= threshold ? x[i] * scale : 0;
    }
}

void STOA_REFERENCE(bytes_to_real)(const uint8_t *x, size_t n, real scale, real shift, real *y) {
    for (size_t i = 0; i < n; i++) {
        y[i] = (real)x[i] * scale + shift;
    }
}

void STOA_REFERENCE(normalize)(real *y, size_t rows, size_t channels, const real *mean,
                               const real *deviation) {
    for (size_t i = 0; i < rows * channels; i++) {
        y[i] = (y[i] - mean[i % channels]) / deviation[i % channels];
    }
}

void STOA_REFERENCE(find_nonfinite)(const real *x, size_t n, size_t *index) {
    *index = 0;
    while (*index < n && x[*index] - x[*index] == 0) { /* NaN and infinities give NaN */
        ++*index;
    }
}
