/* SPDX-License-Identifier: MIT */
/* Products of a matrix and one vector, around the widths of vectors and blocks. */
#include "tests/kernels/kernel_test.h"

static const size_t lengths[] = {0, 1, 2, 15, 16, 17, 100, 127, 128, 129, 300};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* Sums of up to 300 terms of size 1. */
static const double ABSOLUTE = 2e-5;

/* As many terms of one sign as a large network's first dense layer has: a single chain of them is off by 3e-6
 * of the sum. */
static void check_long_sums(const char *name, const struct subject *s, bool by_rows) {
    enum { TERMS = 25088 };
    static const size_t counts[] = {3, 16, 21, 130};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t n = counts[i];
        struct array x = input_random(TERMS, 0, 1);
        struct array w = input_random(TERMS * n, 0, 1);
        struct array y = output_unset(n);
        if (by_rows) {
            s->kernels->row_times_matrix(x.f, w.f, TERMS, n, n, y.f);
            stoa_reference_f64.row_times_matrix(x.d, w.d, TERMS, n, n, y.d);
        } else {
            s->kernels->matrix_times_column(w.f, n, TERMS, TERMS, x.f, y.f);
            stoa_reference_f64.matrix_times_column(w.d, n, TERMS, TERMS, x.d, y.d);
        }
        check_close(name, s, y, 0, 6e-7);
        arrays_release();
    }
}

void test_kernel_row_times_matrix(const struct subject *s) {
    for (size_t i = 0; i < 2 * LENGTHS * LENGTHS; i++) {
        size_t k = lengths[i / 2 % LENGTHS];
        size_t n = lengths[i / 2 / LENGTHS];
        size_t stride = n + i % 2 * 3; /* a slice of a wider matrix */
        struct array x = input_random(k, -1, 1);
        struct array w = input_random(k > 0 ? (k - 1) * stride + n : 0, -1, 1);
        struct array y = output_unset(n);
        s->kernels->row_times_matrix(x.f, w.f, k, n, stride, y.f);
        stoa_reference_f64.row_times_matrix(x.d, w.d, k, n, stride, y.d);
        check_close("row_times_matrix", s, y, ABSOLUTE * s->slack, 0);
        arrays_release();
    }
    check_long_sums("row_times_matrix", s, true);
}

void test_kernel_matrix_times_column(const struct subject *s) {
    for (size_t i = 0; i < 2 * LENGTHS * LENGTHS; i++) {
        size_t rows = lengths[i / 2 % LENGTHS];
        size_t n = lengths[i / 2 / LENGTHS];
        size_t stride = n + i % 2 * 3;
        struct array w = input_random(rows > 0 ? (rows - 1) * stride + n : 0, -1, 1);
        struct array v = input_random(n, -1, 1);
        struct array y = output_unset(rows);
        s->kernels->matrix_times_column(w.f, rows, n, stride, v.f, y.f);
        stoa_reference_f64.matrix_times_column(w.d, rows, n, stride, v.d, y.d);
        check_close("matrix_times_column", s, y, ABSOLUTE * s->slack, 0);
        arrays_release();
    }
    check_long_sums("matrix_times_column", s, false);
}

/* What lies between rows stays, NaN on either side. */
void test_kernel_outer(const struct subject *s) {
    for (size_t i = 0; i < 2 * LENGTHS * LENGTHS; i++) {
        size_t rows = lengths[i / 2 % LENGTHS];
        size_t n = lengths[i / 2 / LENGTHS];
        size_t stride = n + i % 2 * 3;
        struct array x = input_random(rows, -1, 1);
        struct array v = input_random(n, -1, 1);
        struct array y = output_unset(rows > 0 ? (rows - 1) * stride + n : 0);
        s->kernels->outer(x.f, rows, v.f, n, y.f, stride);
        for (size_t r = 0; r + 1 < rows; r++) {
            for (size_t c = r * stride + n; c < (r + 1) * stride; c++) {
                assert_true(y.f[c] != y.f[c]);
                y.f[c] = 0;
                y.d[c] = 0;
            }
        }
        stoa_reference_f64.outer(x.d, rows, v.d, n, y.d, stride);
        check_close("outer", s, y, 0, 1e-7);
        arrays_release();
    }
}
