/* SPDX-License-Identifier: MIT */
/* Kernels that move numbers: rows from one matrix into another, enlarged images. */
#include <math.h>

#include "tests/kernels/kernel_test.h"

void test_kernel_copy_rows(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        size_t x_stride = columns + (i % 3 == 0 ? 0 : random_size(1, 9));
        size_t y_stride = columns + (i % 4 == 0 ? 0 : random_size(1, 9));
        struct array x = input_random((rows - 1) * x_stride + columns, -1, 1);
        sprinkle(&x, NAN, 50);
        struct array y = output_copy(input_random((rows - 1) * y_stride + columns, 5, 6)); /* gaps stay */
        s->kernels->copy_rows(x.f, rows, columns, x_stride, y.f, y_stride);
        stoa_reference_f64.copy_rows(x.d, rows, columns, x_stride, y.d, y_stride);
        check_exact("copy_rows", s, y);
        arrays_release();
    }
}

/* Sizes of an image and its factors. */
static const size_t images[][5] = {
    {1, 1, 1, 1, 1}, {3, 4, 1, 2, 2},  {2, 3, 5, 2, 3},  {3, 2, 16, 2, 2}, {2, 2, 33, 3, 1},
    {5, 1, 7, 1, 4}, {4, 3, 64, 2, 2}, {1, 6, 17, 5, 1}, {2, 5, 3, 4, 4},
};
enum { IMAGES = sizeof images / sizeof *images };

void test_kernel_upsample(const struct subject *s) {
    for (size_t i = 0; i < IMAGES; i++) {
        const size_t *n = images[i];
        struct array x = input_random(n[0] * n[1] * n[2], -1, 1);
        sprinkle(&x, NAN, 20);
        struct array y = output_unset(x.n * n[3] * n[4]);
        s->kernels->upsample(x.f, n[0], n[1], n[2], n[3], n[4], y.f);
        stoa_reference_f64.upsample(x.d, n[0], n[1], n[2], n[3], n[4], y.d);
        check_exact("upsample", s, y);
        arrays_release();
    }
}

void test_kernel_upsample_backward(const struct subject *s) {
    for (size_t i = 0; i < IMAGES; i++) {
        const size_t *n = images[i];
        struct array dy = input_random(n[0] * n[1] * n[2] * n[3] * n[4], -1, 1);
        sprinkle(&dy, NAN, 100);
        struct array dx = output_unset(n[0] * n[1] * n[2]);
        s->kernels->upsample_backward(dy.f, n[0], n[1], n[2], n[3], n[4], dx.f);
        stoa_reference_f64.upsample_backward(dy.d, n[0], n[1], n[2], n[3], n[4], dx.d);
        check_close("upsample_backward", s, dx, 2e-6, 1e-6);
        arrays_release();
    }
}
