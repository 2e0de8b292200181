/* SPDX-License-Identifier: MIT */
/* Bytes to numbers, and numbers to a common scale. */
#include "kernels/isa.h"

void STOA_KERNEL(bytes_to_real)(const uint8_t *restrict x, size_t n, float scale, float shift,
                                float *restrict y) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] = (float)x[i] * scale + shift;
    }
}

STOA_INLINE void normalize_rows(float *restrict y, size_t rows, size_t columns, const float *restrict mean,
                                const float *restrict deviation) {
    for (size_t r = 0; r < rows; r++) {
        float *row = y + r * columns;
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            row[c] = (row[c] - mean[c]) / deviation[c];
        }
    }
}

/* Few channels would leave most lanes idle: they are repeated until a row is whole vectors. */
void STOA_KERNEL(normalize)(float *y, size_t rows, size_t channels, const float *mean,
                            const float *deviation) {
    enum { FEW = 16 };
    if (channels == 1) {
        float middle = mean[0], unit = deviation[0];
#pragma omp simd
        for (size_t i = 0; i < rows; i++) {
            y[i] = (y[i] - middle) / unit;
        }
        return;
    }
    if (channels <= FEW && rows >= STOA_LANES) {
        float means[FEW * STOA_LANES], deviations[FEW * STOA_LANES];
        for (size_t i = 0; i < STOA_LANES; i++) {
            memcpy(means + i * channels, mean, channels * sizeof *means);
            memcpy(deviations + i * channels, deviation, channels * sizeof *deviations);
        }
        normalize_rows(y, rows / STOA_LANES, channels * STOA_LANES, means, deviations);
        y += rows / STOA_LANES * STOA_LANES * channels;
        rows %= STOA_LANES;
    }
    normalize_rows(y, rows, channels, mean, deviation);
}
