/* SPDX-License-Identifier: MIT */
/* Reference copies of rows and enlarged images. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(copy_rows)(const real *x, size_t rows, size_t columns, size_t x_stride, real *y,
                               size_t y_stride) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            y[r * y_stride + c] = x[r * x_stride + c];
        }
    }
}

void STOA_REFERENCE(upsample)(const real *x, size_t height, size_t width, size_t channels,
                              size_t scale_height, size_t scale_width, real *y) {
    size_t out_width = width * scale_width;
    for (size_t i = 0; i < height * scale_height * out_width * channels; i++) {
        size_t h = i / channels / out_width / scale_height;
        size_t w = i / channels % out_width / scale_width;
        y[i] = x[(h * width + w) * channels + i % channels];
    }
}

void STOA_REFERENCE(upsample_backward)(const real *dy, size_t height, size_t width, size_t channels,
                                       size_t scale_height, size_t scale_width, real *dx) {
    size_t out_width = width * scale_width;
    for (size_t i = 0; i < height * width * channels; i++) {
        dx[i] = 0;
    }
    for (size_t i = 0; i < height * scale_height * out_width * channels; i++) {
        size_t h = i / channels / out_width / scale_height;
        size_t w = i / channels % out_width / scale_width;
        dx[(h * width + w) * channels + i % channels] += dy[i];
    }
}
