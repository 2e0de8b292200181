/* SPDX-License-Identifier: MIT */
/* Bias and optional rectifier over the rows of a matrix, in place.
 *
 * Rows without gaps and few columns (feature maps of a first layer) would leave most lanes idle, so the bias
 * is first repeated over a group of rows and the matrix read as a narrower number of longer rows. */
#include "kernels/isa.h"

enum { WIDE = 64 };

STOA_INLINE void bias_rows(float *restrict y, size_t rows, size_t columns, size_t stride,
                           const float *restrict bias, bool relu) {
    for (size_t r = 0; r < rows; r++) {
        float *restrict row = y + r * stride;
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            float v = row[c] + bias[c];
            row[c] = relu && v < 0 ? 0 : v;
        }
    }
}

static void bias_only(float *restrict y, size_t rows, size_t columns, size_t stride,
                      const float *restrict bias) {
    bias_rows(y, rows, columns, stride, bias, false);
}

static void bias_relu(float *restrict y, size_t rows, size_t columns, size_t stride,
                      const float *restrict bias) {
    bias_rows(y, rows, columns, stride, bias, true);
}

void STOA_KERNEL(bias_act)(float *y, size_t rows, size_t columns, size_t stride, const float *bias,
                           bool relu) {
    void (*run)(float *restrict, size_t, size_t, size_t, const float *restrict) =
        relu ? bias_relu : bias_only;
    if (columns == 0) {
        return;
    }
    /* With fewer rows than copies, the copies would cost more than the rows. */
    if (stride == columns && columns < WIDE && columns % STOA_LANES != 0 && rows >= STOA_LANES) {
        /* This is a multiple of the lanes when that many copies fit: lanes is a power of two and divides
         * copies. */
        float repeated[WIDE * STOA_LANES];
        size_t copies = STOA_LANES;
        while ((copies + STOA_LANES) * columns <= WIDE && copies + STOA_LANES <= rows) {
            copies += STOA_LANES;
        }
        for (size_t i = 0; i < copies; i++) {
            memcpy(repeated + i * columns, bias, columns * sizeof(float));
        }
        size_t groups = rows / copies;
        run(y, groups, copies * columns, copies * columns, repeated);
        y += groups * copies * columns;
        rows -= groups * copies;
    }
    run(y, rows, columns, stride, bias);
}
