/* SPDX-License-Identifier: MIT */
/* Kernels over the rows and columns of a matrix: bias, softmax, losses, sums, transpose. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "tests/kernels/kernel_test.h"

void test_kernel_bias_act(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        size_t stride = columns + (i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 13);
        struct array start = input_random(rows * stride, -1, 1);
        if (i % 2) {
            sprinkle(&start, NAN, 17);
        }
        struct array bias = input_random(columns, -1, 1);
        for (size_t j = 0; j < 2; j++) {
            struct array y = output_copy(start);
            s->kernels->bias_act(y.f, rows, columns, stride, bias.f, j == 1);
            stoa_reference_f64.bias_act(y.d, rows, columns, stride, bias.d, j == 1);
            check_close("bias_act", s, y, 2e-7, 1e-7);
        }
        arrays_release();
    }
}

void test_kernel_softmax(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        struct array x = input_logits(i, rows * columns);
        struct array y = output_unset(x.n);
        struct array in_place = output_copy(x);
        s->kernels->softmax(x.f, rows, columns, y.f);
        stoa_reference_f64.softmax(x.d, rows, columns, y.d);
        /* x - max is rounded: at a distance of 80 that is 80 * 2^-24. Below e^-87 the result is 0. */
        check_close("softmax", s, y, 1e-37, 6e-6);
        s->kernels->softmax(in_place.f, rows, columns, in_place.f);
        in_place.d = y.d;
        check_close("softmax in place", s, in_place, 1e-37, 6e-6);
        arrays_release();
    }
}

void test_kernel_softmax_backward(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        struct array y = input_random(rows * columns, 0, 1);
        struct array dy = input_random(rows * columns, -1, 1);
        if (i % 2) {
            sprinkle(&dy, NAN, 300);
        }
        struct array dx = output_unset(y.n);
        struct array in_place = output_copy(dy);
        s->kernels->softmax_backward(y.f, dy.f, rows, columns, dx.f);
        stoa_reference_f64.softmax_backward(y.d, dy.d, rows, columns, dx.d);
        check_close("softmax_backward", s, dx, 1e-5, 1e-6);
        s->kernels->softmax_backward(y.f, in_place.f, rows, columns, in_place.f);
        in_place.d = dx.d;
        check_close("softmax_backward in place", s, in_place, 1e-5, 1e-6);
        arrays_release();
    }
}

static void check_transpose(const struct subject *s, size_t rows, size_t columns, size_t x_stride,
                            size_t y_stride) {
    /* The last rows end with their last element. */
    struct array x = input_random((rows - 1) * x_stride + columns, -1, 1);
    sprinkle(&x, NAN, 50);
    struct array y =
        output_copy(input_random((columns - 1) * y_stride + rows, 5, 6)); /* gaps stay as they are */
    s->kernels->transpose(x.f, rows, columns, x_stride, y.f, y_stride);
    stoa_reference_f64.transpose(x.d, rows, columns, x_stride, y.d, y_stride);
    check_exact("transpose", s, y);
    arrays_release();
}

void test_kernel_transpose(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        check_transpose(s, rows, columns, columns + (i % 3 == 0 ? 0 : random_size(1, 9)),
                        rows + (i % 4 == 0 ? 0 : random_size(1, 9)));
    }
    /* Images of a few channels, without gaps. */
    for (size_t few = 1; few <= 9; few++) {
        for (size_t pixels = 5; pixels < 35; pixels += 1 + few % 3) {
            check_transpose(s, few, pixels, pixels + pixels % 4, few);
            check_transpose(s, pixels, few, few, pixels + pixels % 4);
        }
    }
}

void test_kernel_column_sums(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        size_t stride = columns + (i % 3 == 0 ? 0 : random_size(1, 9));
        struct array x = input_random((rows - 1) * stride + columns, -1, 1);
        if (i % 2) {
            sprinkle(&x, NAN, 500);
        }
        struct array sum = output_unset(columns);
        s->kernels->column_sums(x.f, rows, columns, stride, sum.f);
        stoa_reference_f64.column_sums(x.d, rows, columns, stride, sum.d);
        check_close("column_sums", s, sum, 1e-5, 1e-6);
        arrays_release();
    }
    /* A long column of like numbers: a single running sum would be off by 1e-4 and more. */
    struct array x = input_random(3 * 300000, 0.9F, 1.1F);
    struct array sum = output_unset(3);
    s->kernels->column_sums(x.f, 300000, 3, 3, sum.f);
    stoa_reference_f64.column_sums(x.d, 300000, 3, 3, sum.d);
    check_close("column_sums, long", s, sum, 0, 2e-6);
}

void test_kernel_sum(const struct subject *s) {
    for (size_t i = 0; i < test_size_count; i++) {
        struct array x = input_random(test_sizes[i], -1, 1);
        if (i % 2) {
            sprinkle(&x, NAN, 2000);
        }
        struct array sum = output_unset(1);
        s->kernels->sum(x.f, x.n, sum.f);
        stoa_reference_f64.sum(x.d, x.n, sum.d);
        check_close("sum", s, sum, 1e-5, 1e-6);
        arrays_release();
    }
    struct array x = input_random(1000003, 0.9F, 1.1F);
    struct array sum = output_unset(1);
    s->kernels->sum(x.f, x.n, sum.f);
    stoa_reference_f64.sum(x.d, x.n, sum.d);
    check_close("sum, long", s, sum, 0, 2e-6);
}

/* The three ways in which products are read: by rows, transposed, and at random places. Floats of the left
 * operand. */
static size_t product_gather(size_t way, size_t m, size_t terms, size_t *row, size_t *term,
                             struct stoa_gather *g) {
    size_t apart = (way % 3 == 0 ? terms : m) + way % 5;
    *g = (struct stoa_gather){.run = m, .step = way % 3 == 0 ? apart : 1, .term = term};
    if (way % 3 == 2) {
        *g = (struct stoa_gather){.row = row, .run = random_size(1, m), .step = way % 7, .term = term};
    }
    for (size_t i = 0; i < m; i++) {
        row[i] = random_size(0, 500);
    }
    for (size_t l = 0; l < terms; l++) {
        term[l] = way % 3 == 0 ? l : way % 3 == 1 ? l * apart : random_size(0, 500);
    }
    return way % 3 == 0   ? (m - 1) * apart + terms
           : way % 3 == 1 ? (stoa_max(terms, 1) - 1) * apart + m
                          : 1001 + (g->run - 1) * g->step;
}

/* Windows over images: lines of neighbouring pixels, in runs of one up to several blocks; and terms that are
 * nearly such. */
static void multiplies_lines(const struct subject *s) {
    enum { LINE = 500, MOST_TERMS = 200 };
    for (size_t i = 0; i < 180; i++) {
        const size_t run = 1 + i % 45;
        const size_t taps = i % 4 == 0 ? 5 : i % 4 == 1 ? 4 : 3;
        const size_t lines = i % 3 == 0 ? 3 : random_size(1, 5);
        const size_t n = i % 5 == 2 ? 33 : i % 5 == 3 ? 48 : 16;
        const size_t ldc = n + i % 2;
        const size_t m = 3 * run - (i % 4 == 2 ? run * 3 / 4 : 0); /* the last run may be shorter */
        const size_t row[] = {0, LINE, 2 * LINE};
        size_t term[MOST_TERMS];
        const struct stoa_gather g = {
            .row = row, .run = run, .step = i % 3 == 0 ? 1 : random_size(1, 8), .term = term};
        const size_t k = lines * taps * g.step;
        for (size_t l = 0; l < k; l++) {
            term[l] = l / (taps * g.step) * LINE + l % (taps * g.step);
        }
        term[k - 1] += i % 7 == 0;
        struct array x = input_random(7 * LINE, -1, 1);
        struct array b = input_random(k * n, -1, 1);
        struct array start = input_random(n, -1, 1);
        struct array c = output_unset(m * ldc);
        s->kernels->product(&g, m, n, k, x.f, b.f, n, i % 2 ? start.f : NULL, c.f, ldc);
        stoa_reference_f64.product(&g, m, n, k, x.d, b.d, n, i % 2 ? start.d : NULL, c.d, ldc);
        for (size_t j = n; ldc > n && j < c.n; j += ldc) {
            assert_true(isnan(c.f[j]));
            c.f[j] = 0;
            c.d[j] = 0;
        }
        check_close("product, lines", s, c, 4e-7 * (double)k, 1e-6);
        arrays_release();
    }
}

void test_kernel_product(const struct subject *s) {
    static const size_t term_counts[] = {0, 1, 2, 3, 9, 25, 64, 150};
    size_t row[385];
    size_t result[385];
    size_t term[150];
    multiplies_lines(s);
    for (size_t i = 0; i < row_shapes; i++) {
        size_t m;
        size_t n;
        row_shape(i, &m, &n);
        size_t k = term_counts[i % 8];
        struct stoa_gather g;
        struct array a = input_random(product_gather(i, m, k, row, term, &g), -1, 1);
        g.next[i % 4 / 2] = (struct stoa_fetch){
            .start = a.f, .stride = a.n / stoa_max(k, 1), .lines = i % 2 * 3, .more = i % 3};
        size_t read = stoa_max(n, STOA_PRODUCT_LANES);
        size_t ldb = read + i % 5;
        struct array b = input_random(k > 0 ? (k - 1) * ldb + read : 0, -1, 1);
        struct array start = input_random(read, -1, 1);
        size_t ldc = n + i % 4 / 2 * (i % 5);
        size_t gap = i % 4 * 3; /* between the results of runs */
        for (size_t run = 0; run * g.run < m; run++) {
            result[run] = run * (g.run * ldc + gap);
        }
        g.result = i % 2 ? result : NULL;
        bool adds = i % 3 == 0;
        size_t floats = m * (ldc + gap);
        struct array c = adds ? output_copy(input_random(floats, -1, 1)) : output_unset(floats);
        s->kernels->product(&g, m, n, k, a.f, b.f, ldb, adds ? c.f : i % 3 == 1 ? start.f : NULL, c.f, ldc);
        stoa_reference_f64.product(&g, m, n, k, a.d, b.d, ldb,
                                   adds         ? c.d
                                   : i % 3 == 1 ? start.d
                                                : NULL,
                                   c.d, ldc);
        for (size_t j = 0; j < floats && !adds; j++) { /* between the rows nothing is written */
            if (c.d[j] > 1e299) {
                assert_true(isnan(c.f[j]));
                c.f[j] = 0;
                c.d[j] = 0;
            }
        }
        check_close("product", s, c, 4e-7 * (double)k, 1e-6);
        arrays_release();
    }
}
