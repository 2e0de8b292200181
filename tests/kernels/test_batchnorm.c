/* SPDX-License-Identifier: MIT */
/* Batch normalisation: moments of columns, normalised columns and the gradient; moments of rows, which are
 * held to the same. */
#include <math.h>

#include "tests/kernels/kernel_test.h"

/* Values lie within `spread` of `offset`. Far from zero squares minus the square of the mean would lose all
 * digits; squares of the large ones are beyond floats, and so are sums of the largest. */
static const struct range {
    float offset, spread;
} ranges[] = {
    {0, 1},     {1000, 1},  {-30, 1},       {1e4F, 1},   {1e6F, 1},      {1e7F, 2},    {1e4F, 0},
    {1e7F, 0},  {0, 0},     {-1.1F, 0},     {0, 1e20F},  {3e19F, 1e19F}, {0, 1.5e38F}, {2e38F, 1e38F},
    {3e38F, 0}, {1, 1e20F}, {1e30F, 1e27F}, {0, 1e-10F}, {5, 1e-3F},
};
enum { RANGES = sizeof ranges / sizeof *ranges };

static struct array values_in(const struct range *range, size_t n) {
    return input_random(n, range->offset - range->spread, range->offset + range->spread);
}

typedef void moments(const float *x, size_t rows, size_t columns, double *mean, double *m2);
typedef void moments_f64(const double *x, size_t rows, size_t columns, double *mean, double *m2);

/* `count` moments, of `each` values. Memory ends where the arrays do, for the sanitizers. */
static void check_moments(const struct subject *s, const char *what, moments *fast, moments_f64 *reference,
                          size_t rows, size_t columns, bool of_rows, size_t number) {
    const struct range *range = &ranges[number % RANGES];
    size_t count = of_rows ? rows : columns;
    struct array x = values_in(range, rows * columns);
    if (number % 5 == 0) {
        sprinkle(&x, NAN, 1000);
    }
    double *found[2] = {input_block(count * sizeof(double)), input_block(count * sizeof(double))};
    double *right[2] = {input_block(count * sizeof(double)), input_block(count * sizeof(double))};
    fast(x.f, rows, columns, found[0], found[1]);
    reference(x.d, rows, columns, right[0], right[1]);
    double spread = (double)range->spread;
    check_doubles(what, s, found[0], right[0], count, 3e-7 * spread, 0);
    check_doubles(what, s, found[1], right[1], count, 1e-6 * spread * spread, 4e-6);
    arrays_release();
}

void test_kernel_bn_moments(const struct subject *s) {
    for (size_t i = 0; i < row_shapes * RANGES; i += 7) {
        size_t rows;
        size_t columns;
        row_shape(i % row_shapes, &rows, &columns);
        check_moments(s, "bn_moments", s->kernels->bn_moments, stoa_reference_f64.bn_moments, rows, columns,
                      false, i);
    }
}

void test_kernel_row_moments(const struct subject *s) {
    for (size_t i = 0; i < row_shapes * RANGES; i += 7) {
        size_t rows;
        size_t columns;
        row_shape(i % row_shapes, &rows, &columns);
        check_moments(s, "row_moments", s->kernels->row_moments, stoa_reference_f64.row_moments, rows,
                      columns, true, i);
    }
    /* Longer than a chunk. */
    for (size_t i = 0; i < RANGES; i++) {
        const size_t columns[] = {1024, 1025, 5003};
        check_moments(s, "long row_moments", s->kernels->row_moments, stoa_reference_f64.row_moments, 2,
                      columns[i % 3], true, i);
    }
    /* Squares below the normal numbers, which flushing to zero would lose. */
    float small[64];
    double mean;
    double m2;
    for (size_t i = 0; i < 64; i++) {
        small[i] = i % 2 ? 1e-30F : -1e-30F;
    }
    s->kernels->row_moments(small, 1, 64, &mean, &m2);
    assert_true(fabs(mean) <= 1e-36 && fabs(m2 - 64e-60) <= 1e-65);
}

/* The arrays of a batch normalisation, and what numbers are scaled by. */
struct norm {
    size_t rows, columns;
    float unit;
    struct array x, dy, mean, scale, shift;
};

static struct norm make_norm(size_t number) {
    static const float units[] = {1, 1, 0x1p-64F};
    struct norm n = {.unit = units[number % 3]};
    float size = 1 / n.unit;
    row_shape(number, &n.rows, &n.columns);
    n.x = input_random(n.rows * n.columns, -size, size);
    n.dy = input_random(n.x.n, -1, 1);
    sprinkle(number % 2 ? &n.x : &n.dy, NAN, 300);
    n.mean = input_random(n.columns, -1, 1);
    n.scale = input_random(n.columns, 0.5F, 2);
    n.shift = input_random(n.columns, -2, 2);
    return n;
}

/* Beside a large mean nothing but the difference may count: numbers 2^20 apart from zero come back to the
 * bit. */
static void check_far(const struct subject *s, size_t rows, size_t columns) {
    struct array x = input_integers(rows * columns, -8, 8);
    struct array mean = input_integers(columns, 1 << 23, 1 << 23);
    struct array scale = input_integers(columns, 3, 3);
    struct array shift = input_integers(columns, 5, 5);
    struct array y = output_unset(x.n);
    for (size_t i = 0; i < x.n; i++) {
        y.d[i] = x.d[i] * 3 + 5;
        x.f[i] += 0x1p23F;
    }
    s->kernels->normalize_columns(x.f, rows, columns, 1, mean.f, scale.f, shift.f, false, y.f);
    check_exact("normalize_columns far from zero", s, y);
    arrays_release();
}

static void check_normalize(const struct subject *s, size_t shape, bool relu) {
    struct norm n = make_norm(shape);
    struct array y = output_unset(n.x.n);
    struct array in_place = output_copy(n.x);
    s->kernels->normalize_columns(n.x.f, n.rows, n.columns, n.unit, n.mean.f, n.scale.f, n.shift.f, relu,
                                  y.f);
    stoa_reference_f64.normalize_columns(n.x.d, n.rows, n.columns, (double)n.unit, n.mean.d, n.scale.d,
                                         n.shift.d, relu, y.d);
    check_close("normalize_columns", s, y, 6e-7, 1e-7);
    s->kernels->normalize_columns(in_place.f, n.rows, n.columns, n.unit, n.mean.f, n.scale.f, n.shift.f, relu,
                                  in_place.f);
    in_place.d = y.d;
    check_close("normalize_columns in place", s, in_place, 6e-7, 1e-7);
    arrays_release();
}

void test_kernel_normalize_columns(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        check_normalize(s, i, false);
        check_normalize(s, i, true);
        struct norm n = make_norm(i);
        check_far(s, n.rows, n.columns);
    }
}

/* What is left of dy behind a ReLU, by the kernels of the two passes apart; and both masks. */
struct mask {
    struct array dy;
    const float *scale, *shift;
};

static struct mask make_mask(const struct subject *s, const struct norm *n, bool masks) {
    struct mask m = {.dy = n->dy};
    if (masks) {
        struct array y = output_unset(n->x.n);
        m.dy = output_copy(n->dy);
        m.scale = n->scale.f;
        m.shift = n->shift.f;
        s->kernels->normalize_columns(n->x.f, n->rows, n->columns, n->unit, n->mean.f, m.scale, m.shift, true,
                                      y.f);
        s->kernels->relu_backward(y.f, n->dy.f, m.dy.f, n->x.n);
        for (size_t i = 0; i < n->x.n; i++) {
            m.dy.d[i] = y.f[i] > 0 ? n->dy.d[i] : 0;
        }
    }
    return m;
}

static void check_backward_sums(const struct subject *s, size_t shape, bool masks) {
    struct norm n = make_norm(shape);
    struct mask m = make_mask(s, &n, masks);
    struct array sum_dy = output_unset(n.columns);
    struct array sum_dy_xhat = output_unset(n.columns);
    s->kernels->bn_backward_sums(n.x.f, n.dy.f, n.rows, n.columns, n.unit, n.mean.f, n.scale.f, m.scale,
                                 m.shift, sum_dy.f, sum_dy_xhat.f);
    stoa_reference_f64.bn_backward_sums(n.x.d, m.dy.d, n.rows, n.columns, (double)n.unit, n.mean.d, n.scale.d,
                                        NULL, NULL, sum_dy.d, sum_dy_xhat.d);
    check_close("bn_backward_sums dy", s, sum_dy, 1e-5, 1e-6);
    check_close("bn_backward_sums dy xhat", s, sum_dy_xhat, 2e-5, 1e-6);
    arrays_release();
}

void test_kernel_bn_backward_sums(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        check_backward_sums(s, i, false);
        check_backward_sums(s, i, true);
    }
}

static void check_backward(const struct subject *s, size_t shape, bool masks) {
    struct norm n = make_norm(shape);
    struct mask m = make_mask(s, &n, masks);
    struct array b = input_random(n.columns, -1, 1);
    struct array d = input_random(n.columns, -1, 1);
    struct array dx = output_unset(n.x.n);
    struct array in_place = output_copy(n.dy);
    s->kernels->bn_backward(n.x.f, n.dy.f, n.rows, n.columns, n.unit, n.mean.f, n.scale.f, b.f, d.f, m.scale,
                            m.shift, dx.f);
    stoa_reference_f64.bn_backward(n.x.d, m.dy.d, n.rows, n.columns, (double)n.unit, n.mean.d, n.scale.d, b.d,
                                   d.d, NULL, NULL, dx.d);
    check_close("bn_backward", s, dx, 2e-6, 1e-6);
    s->kernels->bn_backward(n.x.f, in_place.f, n.rows, n.columns, n.unit, n.mean.f, n.scale.f, b.f, d.f,
                            m.scale, m.shift, in_place.f);
    in_place.d = dx.d;
    check_close("bn_backward in place", s, in_place, 2e-6, 1e-6);
    arrays_release();
}

void test_kernel_bn_backward(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        check_backward(s, i, false);
        check_backward(s, i, true);
    }
}
