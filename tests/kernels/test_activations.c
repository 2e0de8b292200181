/* SPDX-License-Identifier: MIT */
/* Activations and their gradients, each against the double reference in units in the last place. */
#include <math.h>

#include "tests/kernels/kernel_test.h"

typedef void map_f32(const float *x, float *y, size_t n, float parameter);
typedef void map_f64(const double *x, double *y, size_t n, double parameter);
typedef void backward_f32(const float *z, const float *dy, float *dx, size_t n, float parameter);
typedef void backward_f64(const double *z, const double *dy, double *dx, size_t n, double parameter);

/* How near a result must come to the reference. */
struct bound {
    double absolute; /* where results are subnormal, or small beside what they are a difference of */
    double ulps;
};

static const double ULP = 0x1p-23; /* of the smallest number of a binade: half of it at the other end */

static void check(const char *what, const struct subject *s, struct array a, struct bound bound) {
    check_close(what, s, a, bound.absolute, bound.ulps * ULP);
}

/* Numbers in [-range, range], many of them close to 0, and numbers that are none. */
static struct array arguments(size_t n, float range) {
    struct array x = input_random(n, -range, range);
    for (size_t i = 0; i < n; i += 3) {
        x.f[i] *= exp2f(-(float)(random_bits() % 24));
        x.d[i] = (double)x.f[i];
    }
    sprinkle(&x, NAN, 31);
    sprinkle(&x, 0, 17);
    sprinkle(&x, -0.0F, 19);
    sprinkle(&x, 1e30F, 41);
    sprinkle(&x, -1e30F, 43);
    sprinkle(&x, 3e38F, 47);
    sprinkle(&x, -3e38F, 53);
    return x;
}

static void check_forward(const char *what, const struct subject *s, map_f32 *fast, map_f64 *reference,
                          float parameter, struct bound bound) {
    static const float ranges[] = {1, 8, 120};
    for (size_t i = 0; i < 3 * test_size_count; i++) {
        struct array x = arguments(test_sizes[i / 3], ranges[i % 3]);
        struct array y = output_unset(x.n);
        struct array in_place = output_copy(x);
        fast(x.f, y.f, x.n, parameter);
        reference(x.d, y.d, x.n, (double)parameter);
        check(what, s, y, bound);
        fast(in_place.f, in_place.f, x.n, parameter);
        in_place.d = y.d;
        check(what, s, in_place, bound);
        arrays_release();
    }
}

/* `low` and `high` bound z where it is an activation's output. */
static void check_backward(const char *what, const struct subject *s, backward_f32 *fast,
                           backward_f64 *reference, float parameter, float low, float high,
                           struct bound bound) {
    for (size_t i = 0; i < test_size_count; i++) {
        struct array z = input_random(test_sizes[i], low, high);
        sprinkle(&z, NAN, 31);
        sprinkle(&z, 0, 17);
        struct array dy = input_random(z.n, -2, 2);
        sprinkle(&dy, NAN, 31);
        struct array dx = output_unset(z.n);
        struct array in_place = output_copy(dy);
        fast(z.f, dy.f, dx.f, z.n, parameter);
        reference(z.d, dy.d, dx.d, z.n, (double)parameter);
        check(what, s, dx, bound);
        fast(z.f, in_place.f, in_place.f, z.n, parameter);
        in_place.d = dx.d;
        check(what, s, in_place, bound);
        arrays_release();
    }
}

/* A test of each slot: the parameter, the least and most of z, and the bounds forward and backward. */
#define TEST(slot, parameter, low, high, forward_absolute, forward_ulps, backward_absolute, backward_ulps)   \
    void test_kernel_##slot(const struct subject *s) {                                                       \
        check_forward(#slot, s, s->kernels->slot, stoa_reference_f64.slot, parameter,                        \
                      (struct bound){forward_absolute, forward_ulps});                                       \
    }                                                                                                        \
    void test_kernel_##slot##_backward(const struct subject *s) {                                            \
        check_backward(#slot "_backward", s, s->kernels->slot##_backward,                                    \
                       stoa_reference_f64.slot##_backward, parameter, low, high,                             \
                       (struct bound){backward_absolute, backward_ulps});                                    \
    }

/* Differences like 1 - y have the error of y, whatever their size. */
TEST(sigmoid, 0, 0, 1, 1e-37, 4, 0, 3)
TEST(tanh, 0, -1, 1, 1e-37, 4, 0, 3)
TEST(leaky_relu, 0.375F, -2, 2, 0, 1, 0, 1)
TEST(elu, 1.5F, -1.5F, 4, 1e-37, 4, 0, 2)

/* With a power of two; the product with another beta has a rounding error of its own, which the exponential
 * of a large number multiplies. The largest takes beta * x, and beta * y, beyond floats. */
static const struct softplus_case {
    float beta;
    double ulps;
} softplus_cases[] = {{2, 5}, {1, 5}, {0x1p-10F, 5}, {2.5F, 60}, {1e6F, 60}, {3e9F, 60}};
enum { SOFTPLUS_CASES = sizeof softplus_cases / sizeof *softplus_cases };

void test_kernel_softplus(const struct subject *s) {
    for (size_t i = 0; i < SOFTPLUS_CASES; i++) {
        const struct softplus_case *c = &softplus_cases[i];
        check_forward("softplus", s, s->kernels->softplus, stoa_reference_f64.softplus, c->beta,
                      (struct bound){1e-37, c->ulps});
    }
}

void test_kernel_softplus_backward(const struct subject *s) {
    for (size_t i = 0; i < SOFTPLUS_CASES; i++) {
        const struct softplus_case *c = &softplus_cases[i];
        check_backward("softplus_backward", s, s->kernels->softplus_backward,
                       stoa_reference_f64.softplus_backward, c->beta, 0, i % 2 ? 3e38F : 9,
                       (struct bound){1e-37, c->ulps});
    }
}

TEST(silu, 0, -30, 30, 1e-35, 4, 3e-7, 4)
TEST(hardswish, 0, -5, 5, 3e-7, 4, 1e-6, 3)
/* exp(-x^2 / 2) has the error of its rounded argument. */
TEST(gelu, 0, -20, 20, 1e-6, 8, 1e-6, 8)
TEST(gelu_tanh, 0, -20, 20, 1e-6, 8, 1e-6, 8)
