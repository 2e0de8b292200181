/* SPDX-License-Identifier: MIT */
/* Kernels of losses: cross entropies of class indices, and losses of targets of the same shape. */
#include <math.h>

#include "tests/kernels/kernel_test.h"

static int32_t *labels(size_t rows, size_t columns) {
    int32_t *label = input_block(rows * sizeof *label);
    for (size_t r = 0; r < rows; r++) {
        label[r] = (int32_t)random_size(0, columns - 1);
    }
    label[0] = (int32_t)columns - 1;
    return label;
}

/* A case of a cross entropy: every combination of weights and smoothing with every shape. */
struct target {
    size_t rows, columns;
    int32_t *label;
    struct array weight; /* f and d NULL: none */
    float smoothing;
};

static struct target make_target(size_t number) {
    struct target t = {.rows = 0};
    row_shape(number, &t.rows, &t.columns);
    t.label = labels(t.rows, t.columns);
    if (number % 3 == 1) {
        t.weight = input_random(t.columns, 0.25F, 4);
    }
    t.smoothing = number % 2 ? 0.125F : 0;
    return t;
}

void test_kernel_softmax_xent(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct target t = make_target(i);
        struct array x = input_logits(i / 2, t.rows * t.columns);
        struct array probability = output_unset(x.n);
        struct array loss = output_unset(t.rows);
        s->kernels->softmax_xent(x.f, t.label, t.rows, t.columns, t.weight.f, t.smoothing, probability.f,
                                 loss.f);
        stoa_reference_f64.softmax_xent(x.d, t.label, t.rows, t.columns, t.weight.d, (double)t.smoothing,
                                        probability.d, loss.d);
        check_close("softmax_xent probability", s, probability, 1e-37, 6e-6);
        check_close("softmax_xent loss", s, loss, 2e-6, t.smoothing > 0 ? 2e-6 : 4e-7);
        struct array alone = output_unset(t.rows);
        alone.d = loss.d;
        s->kernels->softmax_xent(x.f, t.label, t.rows, t.columns, t.weight.f, t.smoothing, NULL, alone.f);
        check_close("softmax_xent loss alone", s, alone, 2e-6, t.smoothing > 0 ? 2e-6 : 4e-7);
        arrays_release();
    }
}

void test_kernel_softmax_xent_backward(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct target t = make_target(i);
        struct array probability = input_random(t.rows * t.columns, 0, 1);
        sprinkle(&probability, NAN, 50);
        struct array dloss = input_random(t.rows, -1, 1);
        struct array dx = output_unset(probability.n);
        struct array in_place = output_copy(probability);
        s->kernels->softmax_xent_backward(probability.f, t.label, dloss.f, t.rows, t.columns, t.weight.f,
                                          t.smoothing, dx.f);
        stoa_reference_f64.softmax_xent_backward(probability.d, t.label, dloss.d, t.rows, t.columns,
                                                 t.weight.d, (double)t.smoothing, dx.d);
        check_close("softmax_xent_backward", s, dx, t.weight.f ? 2e-6 : 5e-7, 3e-7);
        s->kernels->softmax_xent_backward(in_place.f, t.label, dloss.f, t.rows, t.columns, t.weight.f,
                                          t.smoothing, in_place.f);
        in_place.d = dx.d;
        check_close("softmax_xent_backward in place", s, in_place, t.weight.f ? 2e-6 : 5e-7, 3e-7);
        arrays_release();
    }
}

void test_kernel_xent(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct target t = make_target(i);
        struct array p = input_random(t.rows * t.columns, -0.1F, 1);
        sprinkle(&p, NAN, 100);
        sprinkle(&p, 0, 20);
        struct array loss = output_unset(t.rows);
        s->kernels->xent(p.f, t.label, t.rows, t.columns, t.weight.f, t.smoothing, 0x1p-30F, loss.f);
        stoa_reference_f64.xent(p.d, t.label, t.rows, t.columns, t.weight.d, (double)t.smoothing, 0x1p-30,
                                loss.d);
        check_close("xent", s, loss, 1e-6, t.smoothing > 0 ? 2e-6 : 4e-7);
        arrays_release();
    }
}

void test_kernel_xent_backward(const struct subject *s) {
    for (size_t i = 0; i < row_shapes; i++) {
        struct target t = make_target(i);
        struct array p = input_random(t.rows * t.columns, -0.1F, 1);
        sprinkle(&p, 0, 20);
        struct array dloss = input_random(t.rows, -1, 1);
        struct array dx = output_unset(p.n);
        s->kernels->xent_backward(p.f, t.label, dloss.f, t.rows, t.columns, t.weight.f, t.smoothing, 0x1p-30F,
                                  dx.f);
        stoa_reference_f64.xent_backward(p.d, t.label, dloss.d, t.rows, t.columns, t.weight.d,
                                         (double)t.smoothing, 0x1p-30, dx.d);
        check_close("xent_backward", s, dx, 0, 6e-7);
        arrays_release();
    }
}

typedef void loss_f32(const float *x, const float *t, size_t rows, size_t columns, float parameter,
                      float scale, float *loss);
typedef void loss_f64(const double *x, const double *t, size_t rows, size_t columns, double parameter,
                      double scale, double *loss);
typedef void loss_backward_f32(const float *x, const float *t, const float *dloss, size_t rows,
                               size_t columns, float parameter, float scale, float *dx);
typedef void loss_backward_f64(const double *x, const double *t, const double *dloss, size_t rows,
                               size_t columns, double parameter, double scale, double *dx);

/* A scale that is a power of two, the same in float and double. */
static const float scale = 0.25F;

static void check_loss(const char *what, const struct subject *s, loss_f32 *fast, loss_f64 *reference,
                       float parameter) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        struct array x = input_random(rows * columns, i % 2 ? -1 : -90, i % 2 ? 1 : 90);
        struct array t = input_random(rows * columns, 0, 1);
        sprinkle(&x, NAN, 1000);
        struct array loss = output_unset(rows);
        fast(x.f, t.f, rows, columns, parameter, scale, loss.f);
        reference(x.d, t.d, rows, columns, (double)parameter, (double)scale, loss.d);
        check_close(what, s, loss, 3e-7, 3e-6);
        arrays_release();
    }
}

static void check_loss_backward(const char *what, const struct subject *s, loss_backward_f32 *fast,
                                loss_backward_f64 *reference, float parameter) {
    for (size_t i = 0; i < row_shapes; i++) {
        size_t rows;
        size_t columns;
        row_shape(i, &rows, &columns);
        struct array x = input_random(rows * columns, i % 2 ? -1 : -90, i % 2 ? 1 : 90);
        struct array t = input_random(rows * columns, 0, 1);
        sprinkle(&x, NAN, 50);
        sprinkle(&x, 0.5F, 20);
        sprinkle(&t, 0.5F, 3);
        struct array dloss = input_random(rows, -1, 1);
        struct array dx = output_unset(x.n);
        fast(x.f, t.f, dloss.f, rows, columns, parameter, scale, dx.f);
        reference(x.d, t.d, dloss.d, rows, columns, (double)parameter, (double)scale, dx.d);
        check_close(what, s, dx, 3e-7, 5e-7);
        arrays_release();
    }
}

#define TEST(slot, parameter)                                                                                \
    void test_kernel_##slot(const struct subject *s) {                                                       \
        check_loss(#slot, s, s->kernels->slot, stoa_reference_f64.slot, parameter);                          \
    }                                                                                                        \
    void test_kernel_##slot##_backward(const struct subject *s) {                                            \
        check_loss_backward(#slot "_backward", s, s->kernels->slot##_backward,                               \
                            stoa_reference_f64.slot##_backward, parameter);                                  \
    }

TEST(squared_error, 0)
TEST(absolute_error, 0)
TEST(huber, 0.375F)
TEST(bce, 1.5F)
