/* SPDX-License-Identifier: MIT */
/* Kernels that look at whole rows: log softmax, layer normalisation; and slopes a column. Moments of rows are
 * tested with those of columns, in test_batchnorm.c. */
#include <math.h>

#include "tests/kernels/kernel_test.h"

void test_kernel_log_softmax(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        float range = i % 3 == 0 ? 3 : i % 3 == 1 ? 60 : 500;
        struct array x = input_random(rows * columns, -range, range);
        if (i % 2) {
            sprinkle(&x, NAN, 100);
        }
        struct array y = output_unset(x.n);
        struct array in_place = output_copy(x);
        s->kernels->log_softmax(x.f, rows, columns, y.f);
        stoa_reference_f64.log_softmax(x.d, rows, columns, y.d);
        check_close("log_softmax", s, y, 1e-6, 3e-7);
        s->kernels->log_softmax(in_place.f, rows, columns, in_place.f);
        in_place.d = y.d;
        check_close("log_softmax in place", s, in_place, 1e-6, 3e-7);
        arrays_release();
    }
}

void test_kernel_log_softmax_backward(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        struct array y = input_random(rows * columns, -90, 0);
        sprinkle(&y, 0, 9);
        struct array dy = input_random(rows * columns, -1, 1);
        sprinkle(&dy, NAN, 300);
        struct array dx = output_unset(y.n);
        struct array in_place = output_copy(dy);
        s->kernels->log_softmax_backward(y.f, dy.f, rows, columns, dx.f);
        stoa_reference_f64.log_softmax_backward(y.d, dy.d, rows, columns, dx.d);
        check_close("log_softmax_backward", s, dx, 2e-5, 1e-6);
        s->kernels->log_softmax_backward(y.f, in_place.f, rows, columns, in_place.f);
        in_place.d = dx.d;
        check_close("log_softmax_backward in place", s, in_place, 2e-5, 1e-6);
        arrays_release();
    }
}

/* The arrays of a layer normalisation. */
struct norm {
    size_t rows, columns;
    struct array x, dy, mean, inv_std, weight, bias;
};

static struct norm make_norm(size_t number) {
    struct norm n = {.rows = 0};
    row_shape(number, &n.rows, &n.columns);
    n.x = input_random(n.rows * n.columns, -1, 1);
    n.dy = input_random(n.x.n, -1, 1);
    sprinkle(number % 2 ? &n.x : &n.dy, NAN, 400);
    n.mean = input_random(n.rows, -1, 1);
    n.inv_std = input_random(n.rows, 0.5F, 2);
    n.weight = input_random(n.columns, -1, 1);
    n.bias = input_random(n.columns, -1, 1);
    return n;
}

/* Means and scales are doubles: `size` times as large, and the scales as much smaller. */
static void check_normalized(const struct subject *s, const struct norm *n, bool plain, double size) {
    struct array y = output_unset(n->x.n);
    struct array in_place = output_copy(n->x);
    const float *weight = plain ? NULL : n->weight.f;
    const float *bias = plain ? NULL : n->bias.f;
    double *scale = input_block(n->rows * sizeof *scale);
    for (size_t r = 0; r < n->rows; r++) {
        scale[r] = n->inv_std.d[r] / size;
    }
    s->kernels->normalize_rows(n->x.f, n->rows, n->columns, n->mean.d, scale, weight, bias, y.f);
    stoa_reference_f64.normalize_rows(n->x.d, n->rows, n->columns, n->mean.d, scale,
                                      plain ? NULL : n->weight.d, plain ? NULL : n->bias.d, y.d);
    check_close("normalize_rows", s, y, 1e-6, 4e-7);
    s->kernels->normalize_rows(in_place.f, n->rows, n->columns, n->mean.d, scale, weight, bias, in_place.f);
    in_place.d = y.d;
    check_close("normalize_rows in place", s, in_place, 1e-6, 4e-7);
}

void test_kernel_normalize_rows(const struct subject *s) {
    static const float sizes[] = {1, 1e20F, 1e38F, 1};
    static const float offsets[] = {0, 0, 0, 1e7F};
    for (size_t i = 0; i < row_shapes; i++) {
        struct norm n = make_norm(i);
        float size = sizes[i % 4];
        for (size_t j = 0; j < n.x.n; j++) {
            n.x.f[j] = n.x.f[j] * size + offsets[i % 4];
            n.x.d[j] = (double)n.x.f[j];
        }
        for (size_t r = 0; r < n.rows; r++) {
            n.mean.d[r] = n.mean.d[r] * (double)size + (double)offsets[i % 4];
        }
        check_normalized(s, &n, i % 3 == 0, (double)size);
        arrays_release();
    }
}

void test_kernel_layernorm_backward(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct norm n = make_norm(i);
        bool plain = i % 3 == 0;
        struct array dx = output_unset(n.x.n);
        struct array in_place = output_copy(n.dy);
        const float *weight = plain ? NULL : n.weight.f;
        s->kernels->layernorm_backward(n.x.f, n.dy.f, n.rows, n.columns, n.mean.d, n.inv_std.d, weight, dx.f);
        stoa_reference_f64.layernorm_backward(n.x.d, n.dy.d, n.rows, n.columns, n.mean.d, n.inv_std.d,
                                              plain ? NULL : n.weight.d, dx.d);
        check_close("layernorm_backward", s, dx, 1e-5, 1e-6);
        s->kernels->layernorm_backward(n.x.f, in_place.f, n.rows, n.columns, n.mean.d, n.inv_std.d, weight,
                                       in_place.f);
        in_place.d = dx.d;
        check_close("layernorm_backward in place", s, in_place, 1e-5, 1e-6);
        arrays_release();
    }
}

void test_kernel_layernorm_backward_weights(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct norm n = make_norm(i);
        struct array dweight = output_unset(n.columns);
        struct array dbias = output_unset(n.columns);
        s->kernels->layernorm_backward_weights(n.x.f, n.dy.f, n.rows, n.columns, n.mean.d, n.inv_std.d,
                                               dweight.f, dbias.f);
        stoa_reference_f64.layernorm_backward_weights(n.x.d, n.dy.d, n.rows, n.columns, n.mean.d, n.inv_std.d,
                                                      dweight.d, dbias.d);
        check_close("layernorm_backward_weights dweight", s, dweight, 2e-5, 1e-6);
        check_close("layernorm_backward_weights dbias", s, dbias, 1e-5, 1e-6);
        arrays_release();
    }
}

void test_kernel_prelu(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct norm n = make_norm(i);
        struct array y = output_unset(n.x.n);
        struct array in_place = output_copy(n.x);
        s->kernels->prelu(n.x.f, n.rows, n.columns, n.weight.f, y.f);
        stoa_reference_f64.prelu(n.x.d, n.rows, n.columns, n.weight.d, y.d);
        check_close("prelu", s, y, 0, 1e-7);
        s->kernels->prelu(in_place.f, n.rows, n.columns, n.weight.f, in_place.f);
        in_place.d = y.d;
        check_close("prelu in place", s, in_place, 0, 1e-7);
        arrays_release();
    }
}

void test_kernel_prelu_backward(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct norm n = make_norm(i);
        sprinkle(&n.x, 0, 7);
        struct array dx = output_unset(n.x.n);
        struct array in_place = output_copy(n.dy);
        s->kernels->prelu_backward(n.x.f, n.dy.f, n.rows, n.columns, n.weight.f, dx.f);
        stoa_reference_f64.prelu_backward(n.x.d, n.dy.d, n.rows, n.columns, n.weight.d, dx.d);
        check_close("prelu_backward", s, dx, 0, 1e-7);
        s->kernels->prelu_backward(n.x.f, in_place.f, n.rows, n.columns, n.weight.f, in_place.f);
        in_place.d = dx.d;
        check_close("prelu_backward in place", s, in_place, 0, 1e-7);
        arrays_release();
    }
}

void test_kernel_prelu_backward_slope(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct norm n = make_norm(i);
        struct array dslope = output_unset(n.columns);
        s->kernels->prelu_backward_slope(n.x.f, n.dy.f, n.rows, n.columns, dslope.f);
        stoa_reference_f64.prelu_backward_slope(n.x.d, n.dy.d, n.rows, n.columns, dslope.d);
        check_close("prelu_backward_slope", s, dslope, 1e-5, 1e-6);
        arrays_release();
    }
}
