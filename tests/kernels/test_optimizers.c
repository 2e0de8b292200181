/* SPDX-License-Identifier: MIT */
/* Optimiser steps, clipping and averages. Constants are sums of few powers of two: the same numbers in float
 * and double. */
#include <math.h>

#include "tests/kernels/kernel_test.h"

static const float decays[] = {0, 0.0625F};
static const float keeps[] = {1, 0.9375F};

/* Values of both signs, and those a mean of squares can have. */
static struct array drawn(size_t n) {
    return output_copy(input_random(n, -1, 1));
}

static struct array drawn_squares(size_t n) {
    struct array a = output_copy(input_random(n, 0, 1));
    sprinkle(&a, 0, 5);
    return a;
}

void test_kernel_sgd(const struct subject *s) {
    static const float momentums[] = {0, 0.875F};
    for (size_t i = 0; i < 8 * test_size_count; i++) {
        float momentum = momentums[i % 2];
        float decay = decays[i / 2 % 2];
        float keep = keeps[i / 4 % 2];
        struct array p = drawn(test_sizes[i / 8]);
        struct array g = input_random(p.n, -1, 1);
        struct array v = drawn(p.n);
        bool unread = momentum == 0;
        s->kernels->sgd(p.f, g.f, unread ? NULL : v.f, p.n, 0.125F, momentum, decay, keep);
        stoa_reference_f64.sgd(p.d, g.d, unread ? NULL : v.d, p.n, 0.125, (double)momentum, (double)decay,
                               (double)keep);
        check_close("sgd p", s, p, 2e-7, 1e-7);
        check_close("sgd v", s, v, 2e-7, 1e-7);
        arrays_release();
    }
}

void test_kernel_nesterov(const struct subject *s) {
    for (size_t i = 0; i < 4 * test_size_count; i++) {
        float decay = decays[i % 2];
        float keep = keeps[i / 2 % 2];
        struct array p = drawn(test_sizes[i / 4]);
        struct array g = input_random(p.n, -1, 1);
        struct array v = drawn(p.n);
        s->kernels->nesterov(p.f, g.f, v.f, p.n, 0.125F, 0.875F, decay, keep);
        stoa_reference_f64.nesterov(p.d, g.d, v.d, p.n, 0.125, 0.875, (double)decay, (double)keep);
        check_close("nesterov p", s, p, 2e-7, 1e-7);
        check_close("nesterov v", s, v, 2e-7, 1e-7);
        arrays_release();
    }
}

void test_kernel_previous_gradient(const struct subject *s) {
    for (size_t i = 0; i < 4 * test_size_count; i++) {
        float decay = decays[i % 2];
        float keep = keeps[i / 2 % 2];
        struct array p = drawn(test_sizes[i / 4]);
        struct array g = input_random(p.n, -1, 1);
        struct array before = drawn(p.n);
        s->kernels->previous_gradient(p.f, g.f, before.f, p.n, 0.125F, 0.875F, decay, keep);
        stoa_reference_f64.previous_gradient(p.d, g.d, before.d, p.n, 0.125, 0.875, (double)decay,
                                             (double)keep);
        check_close("previous_gradient p", s, p, 2e-7, 1e-7);
        check_close("previous_gradient before", s, before, 2e-7, 1e-7);
        arrays_release();
    }
}

void test_kernel_adagrad(const struct subject *s) {
    static const float initials[] = {0, 0.25F};
    for (size_t i = 0; i < 8 * test_size_count; i++) {
        float initial = initials[i % 2];
        float decay = decays[i / 2 % 2];
        float keep = keeps[i / 4 % 2];
        struct array p = drawn(test_sizes[i / 8]);
        struct array g = input_random(p.n, -1, 1);
        struct array sum = drawn_squares(p.n);
        s->kernels->adagrad(p.f, g.f, sum.f, p.n, 0.125F, 0x1p-10F, initial, decay, keep);
        stoa_reference_f64.adagrad(p.d, g.d, sum.d, p.n, 0.125, 0x1p-10, (double)initial, (double)decay,
                                   (double)keep);
        check_close("adagrad p", s, p, 2e-7, 4e-7);
        check_close("adagrad sum", s, sum, 2e-7, 1e-7);
        arrays_release();
    }
}

/* Equal gradients for ever: rounding must not take the root of a variance below zero. */
static void check_constant_gradient(const struct subject *s) {
    float p[33] = {0};
    float g[33];
    float square[33] = {0};
    float mean[33] = {0};
    for (size_t i = 0; i < 33; i++) {
        g[i] = 0.1F * (float)(i + 1);
    }
    for (size_t step = 0; step < 200; step++) {
        s->kernels->rmsprop(p, g, square, mean, NULL, 33, 1e-6F, 0.5F, 1e-3F, 0, 0, 1);
    }
    for (size_t i = 0; i < 33; i++) {
        assert_true(p[i] > -1 && p[i] < 0);
    }
}

void test_kernel_rmsprop(const struct subject *s) {
    check_constant_gradient(s);
    for (size_t i = 0; i < 16 * test_size_count; i++) {
        float momentum = i % 2 ? 0.875F : 0;
        bool centred = i / 2 % 2;
        float decay = decays[i / 4 % 2];
        float keep = keeps[i / 8 % 2];
        struct array p = drawn(test_sizes[i / 16]);
        struct array g = input_random(p.n, -1, 1);
        struct array mean = output_copy(input_random(p.n, -0.5F, 0.5F));
        struct array square = output_copy(input_random(p.n, 0.5F, 1)); /* above the mean's square */
        struct array v = drawn(p.n);
        s->kernels->rmsprop(p.f, g.f, square.f, centred ? mean.f : NULL, momentum == 0 ? NULL : v.f, p.n,
                            0.125F, 0.75F, 0x1p-6F, momentum, decay, keep);
        stoa_reference_f64.rmsprop(p.d, g.d, square.d, centred ? mean.d : NULL, momentum == 0 ? NULL : v.d,
                                   p.n, 0.125, 0.75, 0x1p-6, (double)momentum, (double)decay, (double)keep);
        check_close("rmsprop square", s, square, 2e-7, 1e-7);
        check_close("rmsprop mean", s, mean, 2e-7, 1e-7);
        /* A small variance is the difference of larger numbers. */
        check_close("rmsprop v", s, v, 4e-6, 4e-6);
        check_close("rmsprop p", s, p, 1e-6, 4e-7);
        arrays_release();
    }
}

void test_kernel_adam(const struct subject *s) {
    const float beta1 = 0.875F;
    const float beta2 = 0.9990234375F;
    for (size_t i = 0; i < 4 * test_size_count; i++) {
        float decay = decays[i % 2];
        float keep = keeps[i / 2 % 2];
        struct array p = drawn(test_sizes[i / 4]);
        struct array g = input_random(p.n, -1, 1);
        struct array m = drawn(p.n);
        struct array v = drawn_squares(p.n);
        s->kernels->adam(p.f, g.f, m.f, v.f, p.n, 0.0078125F, beta1, beta2, 0x1p-20F, 1.5F, decay, keep);
        stoa_reference_f64.adam(p.d, g.d, m.d, v.d, p.n, 0.0078125, (double)beta1, (double)beta2, 0x1p-20,
                                1.5, (double)decay, (double)keep);
        check_close("adam p", s, p, 2e-7, 4e-7);
        check_close("adam m", s, m, 2e-7, 1e-7);
        check_close("adam v", s, v, 2e-7, 1e-7);
        arrays_release();
    }
}

void test_kernel_clip(const struct subject *s) {
    for (size_t i = 0; i < test_size_count; i++) {
        struct array x = input_random(test_sizes[i], -2, 2);
        sprinkle(&x, NAN, 9);
        sprinkle(&x, INFINITY, 19);
        sprinkle(&x, -INFINITY, 23);
        struct array y = output_copy(x);
        s->kernels->clip(y.f, y.n, 0.5F);
        stoa_reference_f64.clip(y.d, y.n, 0.5);
        check_exact("clip", s, y);
        arrays_release();
    }
}

void test_kernel_scale(const struct subject *s) {
    for (size_t i = 0; i < test_size_count; i++) {
        struct array y = drawn(test_sizes[i]);
        s->kernels->scale(y.f, y.n, 0.3125F);
        stoa_reference_f64.scale(y.d, y.n, 0.3125);
        check_close("scale", s, y, 0, 1e-7);
        arrays_release();
    }
}

void test_kernel_average(const struct subject *s) {
    static const float keeps_of_average[] = {0, 0.75F, 0.9990234375F, 1};
    for (size_t i = 0; i < 4 * test_size_count; i++) {
        float keep = keeps_of_average[i % 4];
        struct array mean = drawn(test_sizes[i / 4]);
        struct array x = input_random(mean.n, -1, 1);
        s->kernels->average(mean.f, x.f, x.n, keep);
        stoa_reference_f64.average(mean.d, x.d, x.n, (double)keep);
        check_close("average", s, mean, 1e-7, 1e-7);
        arrays_release();
    }
}

void test_kernel_sum_squares(const struct subject *s) {
    /* Squares beyond and below what a float holds. */
    static const float scales[] = {1, 1e30F, 1e-30F};
    for (size_t i = 0; i < 3 * test_size_count; i++) {
        float scale = scales[i % 3];
        struct array x = input_random(test_sizes[i / 3], -scale, scale);
        double got = 1e300;
        double want = -1;
        s->kernels->sum_squares(x.f, x.n, &got);
        stoa_reference_f64.sum_squares(x.d, x.n, &want);
        if (!(fabs(got - want) <= 1e-13 * want)) {
            fail_msg("sum_squares (%s): %.17g, not %.17g", s->name, got, want);
        }
        arrays_release();
    }
}
