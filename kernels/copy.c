/* SPDX-License-Identifier: MIT */
/* Rows of one matrix into another, and images enlarged by whole factors. */
#include "kernels/isa.h"

void STOA_KERNEL(copy_rows)(const float *restrict x, size_t rows, size_t columns, size_t x_stride,
                            float *restrict y, size_t y_stride) {
    for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        size_t c = 0;
        for (; c + STOA_LANES <= columns; c += STOA_LANES) {
            stoa_vec v = STOA_LOAD(stoa_vec, x + c);
            STOA_KEEP(v); /* else compilers call memmove(), which takes longer than a short row */
            STOA_STORE(stoa_vec, y + c, v);
        }
        for (; c < columns; c++) {
            y[c] = x[c];
        }
    }
}

void STOA_KERNEL(upsample)(const float *restrict x, size_t height, size_t width, size_t channels,
                           size_t scale_height, size_t scale_width, float *restrict y) {
    size_t row = width * scale_width * channels;
    for (size_t h = 0; h < height; h++) {
        float *first = y;
        for (size_t w = 0; w < width; w++, x += channels) {
            for (size_t s = 0; s < scale_width; s++, y += channels) {
#pragma omp simd
                for (size_t c = 0; c < channels; c++) {
                    y[c] = x[c];
                }
            }
        }
        for (size_t s = 1; s < scale_height; s++, y += row) {
            memcpy(y, first, row * sizeof *y);
        }
    }
}

void STOA_KERNEL(upsample_backward)(const float *restrict dy, size_t height, size_t width, size_t channels,
                                    size_t scale_height, size_t scale_width, float *restrict dx) {
    size_t row = width * scale_width * channels;
    for (size_t h = 0; h < height; h++, dy += scale_height * row) {
        for (size_t w = 0; w < width; w++, dx += channels) {
            const float *corner = dy + w * scale_width * channels;
            for (size_t s = 0; s < scale_height * scale_width; s++) {
                const float *from = corner + s / scale_width * row + s % scale_width * channels;
                if (s == 0) {
                    memcpy(dx, from, channels * sizeof *dx);
                    continue;
                }
#pragma omp simd
                for (size_t c = 0; c < channels; c++) {
                    dx[c] += from[c];
                }
            }
        }
    }
}
