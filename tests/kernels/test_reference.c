/* SPDX-License-Identifier: MIT */
/* The references among themselves: what holds whatever the kernels do. */
#include <math.h>
#include <string.h>

#include "kernels/polynomial.h"
#include "tests/kernels/kernel_test.h"

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* Fails on NaN. */
static void assert_near(const char *what, double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want)))) {
        fail_msg("%s: %.15g, not %.15g", what, got, want);
    }
}

/* Error of `got` in units in the last place of the float nearest to `want`. */
static double ulps(float got, double want) {
    float nearest = (float)want;
    return fabs((double)got - want) / (double)(nextafterf(fabsf(nearest), INFINITY) - fabsf(nearest));
}

static double normal(double x) {
    return erfc(-x / sqrt(2.0)) / 2;
}

/* The functions made of exp and log, on both sides of 0. */
static void check_functions(float x) {
    float density;
    const struct {
        const char *name;
        float got;
        double want, ulps;
    } results[] = {
        {"expm1", stoa_expm1_nonpositive(x < 0 ? x : -x), expm1(-fabs((double)x)), 3},
        {"log1p", stoa_log1p_unit(fminf(fabsf(x), 1)), log1p(fmin(fabs((double)x), 1)), 3},
        {"sigmoid", stoa_fast_sigmoid(x), 1 / (1 + exp(-(double)x)), 4},
        {"tanh", stoa_fast_tanh(x), tanh((double)x), 4},
        {"softplus", stoa_fast_softplus_rise(x), log1p(exp(-fabs((double)x))), 4},
        {"normal", stoa_normal(x, &density), normal((double)x), x < 0 ? 8 + 2 * (double)x * (double)x : 4},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        double error = ulps(results[i].got, results[i].want);
        if (fabs(results[i].want) > 1e-37 && !(error < results[i].ulps)) {
            fail_msg("%s(%.9g) is off by %g units in the last place", results[i].name, (double)x, error);
        }
    }
}

/* What the header promises, at every 1000th float or so. */
void test_polynomials(void **state) {
    (void)state;
    for (float x = 0; x > -87.3F; x = nextafterf(x * 1.00001F, -INFINITY) - 1e-9F) {
        double error = ulps(stoa_exp_nonpositive(x), exp((double)x));
        if (!(error < 2)) {
            fail_msg("exp(%.9g) is off by %g units in the last place", (double)x, error);
        }
    }
    for (float x = 0x1p-126F; x < 1e38F; x *= 1.0001F) {
        double error = fabs((double)stoa_log_positive(x) - log((double)x));
        if (!(error <= 2e-7 * fabs(log((double)x)) + 1e-12)) {
            fail_msg("log(%.9g) is off by %g", (double)x, error);
        }
    }
    for (float x = 1e-30F; x < 100; x *= 1.0003F) {
        check_functions(x);
        check_functions(-x);
    }
    assert_true(stoa_fast_tanh(0) == 0 && stoa_fast_tanh(INFINITY) == 1 && stoa_fast_tanh(-INFINITY) == -1);
    assert_true(stoa_fast_sigmoid(INFINITY) == 1 && stoa_fast_sigmoid(-INFINITY) == 0);
    float density;
    assert_true(isnan(stoa_fast_tanh(NAN)) && isnan(stoa_fast_sigmoid(NAN)) &&
                isnan(stoa_fast_softplus_rise(NAN)) && isnan(stoa_normal(NAN, &density)) && isnan(density));
    assert_true(stoa_exp_nonpositive(0) == 1);
    assert_true(stoa_exp_nonpositive(-88) == 0);
    assert_true(stoa_exp_nonpositive(-INFINITY) == 0);
    assert_true(isnan(stoa_exp_nonpositive(NAN)));
    assert_true(stoa_log_positive(1) == 0);
    assert_true(isnan(stoa_log_positive(NAN)));
}

/* A product by hand, and transposes against explicit transposes. */
void test_reference_gemm(void **state) {
    (void)state;
    const double a[] = {1, 2, 3, 4, 5, 6};
    const double b[] = {7, 8, 9, 10, 11, 12};
    const double want[] = {58, 64, 139, 154};
    const double a_turned[] = {1, 4, 2, 5, 3, 6};
    const double b_turned[] = {7, 9, 11, 8, 10, 12};
    for (int i = 0; i < 4; i++) {
        bool ta = i % 2;
        bool tb = i / 2;
        double c[4] = {NAN, NAN, NAN, NAN}; /* not read when beta is 0 */
        stoa_reference_f64.gemm(ta, tb, 2, 2, 3, 2, ta ? a_turned : a, ta ? 2 : 3, tb ? b_turned : b,
                                tb ? 3 : 2, 0, c, 2);
        for (int j = 0; j < 4; j++) {
            assert_near("gemm", c[j], 2 * want[j], 0);
        }
        stoa_reference_f64.gemm(ta, tb, 2, 2, 3, 1, ta ? a_turned : a, ta ? 2 : 3, tb ? b_turned : b,
                                tb ? 3 : 2, -0.5, c, 2);
        for (int j = 0; j < 4; j++) {
            assert_near("gemm with beta", c[j], 0, 0);
        }
    }
}

/* <im2col(x), c> = <x, col2im(c)>, in the references and for every instruction set. */
void test_reference_adjoint(void **state) {
    (void)state;
    for (size_t i = 0; i < WINDOW_CASES; i++) {
        struct window_case t = window_case(i);
        const struct stoa_window *w = &t.w;
        if (i % 2 == 1) {
            take_part(&t.w);
        }
        struct array x = input_random(t.batch * image_floats(w), -1, 1);
        size_t n = t.rows * w->out_width * w->kernel_height * w->kernel_width * t.channels;
        struct array c = input_random(n, -1, 1);
        struct array lines = output_unset(STOA_IM2COL_LINES);
        struct array columns = output_unset(n);
        struct array dx = output_unset(x.n);
        memset(dx.d, 0, x.n * sizeof *dx.d);
        stoa_reference_f64.im2col(w, x.d, t.channel0, t.channels, t.first_row, t.rows, NULL, columns.d);
        stoa_reference_f64.col2im(w, c.d, t.channel0, t.channels, t.first_row, t.rows, dx.d);
        assert_near("adjoint", dot(columns.d, c.d, n), dot(x.d, dx.d, x.n), 1e-11);
        for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
            const struct stoa_kernels *kernels = stoa_kernels_for((stoa_isa)isa);
            memset(dx.f, 0, x.n * sizeof *dx.f);
            kernels->im2col(w, x.f, t.channel0, t.channels, t.first_row, t.rows, lines.f, columns.f);
            kernels->col2im(w, c.f, t.channel0, t.channels, t.first_row, t.rows, dx.f);
            double left = 0;
            double right = 0;
            for (size_t j = 0; j < n; j++) {
                left += (double)columns.f[j] * (double)c.f[j];
            }
            for (size_t j = 0; j < x.n; j++) {
                right += (double)x.f[j] * (double)dx.f[j];
            }
            assert_near(stoa_isa_name((stoa_isa)isa), left, right, 2e-5);
        }
        arrays_release();
    }
}

/* Small convolutions, some in groups. */
struct conv_case {
    struct window_case window;
    size_t filters, groups;
    struct array x, weight, y, dy;
};

static struct conv_case conv_case(size_t number) {
    struct conv_case t;
    do {
        t.window = window_case(WINDOW_CASES + number);
    } while (t.window.batch * image_floats(&t.window.w) > 1500 || t.window.w.channels > 12);
    struct stoa_window *w = &t.window.w;
    t.groups = random_size(1, 3);
    w->channels = t.groups * random_size(1, 3);
    t.filters = t.groups * random_size(1, 3);
    t.x = input_random(t.window.batch * image_floats(w), -1, 1);
    t.weight = input_random(w->kernel_height * w->kernel_width * (w->channels / t.groups) * t.filters, -1, 1);
    t.dy = input_random(t.window.batch * w->out_height * w->out_width * t.filters, -1, 1);
    t.y = output_unset(t.dy.n);
    return t;
}

/* The loss <conv(x, weight), dy>, whose gradients the backward passes are. */
static double loss(const struct conv_case *t) {
    stoa_reference_f64.conv2d(&t->window.w, t->window.batch, t->filters, t->groups, t->x.d, t->weight.d, NULL,
                              t->y.d);
    return dot(t->y.d, t->dy.d, t->y.n);
}

/* Central differences; the loss is linear in each, so that they are exact but for rounding. */
static double difference(const struct conv_case *t, double *variable) {
    double before = *variable;
    *variable = before + 0.5;
    double above = loss(t);
    *variable = before - 0.5;
    double below = loss(t);
    *variable = before;
    return above - below;
}

void test_reference_conv_finite_differences(void **state) {
    (void)state;
    for (size_t i = 0; i < 60; i++) {
        struct conv_case t = conv_case(i);
        const struct stoa_window *w = &t.window.w;
        struct array dx = output_unset(t.x.n);
        struct array dweight = output_unset(t.weight.n);
        stoa_reference_f64.conv2d_backward_data(w, t.window.batch, t.filters, t.groups, t.dy.d, t.weight.d,
                                                dx.d);
        stoa_reference_f64.conv2d_backward_weights(w, t.window.batch, t.filters, t.groups, t.x.d, t.dy.d,
                                                   dweight.d);
        for (size_t j = 0; j < 20; j++) {
            size_t at_x = random_size(0, dx.n - 1);
            size_t at_weight = random_size(0, dweight.n - 1);
            assert_near("conv2d_backward_data", dx.d[at_x], difference(&t, &t.x.d[at_x]), 1e-10);
            assert_near("conv2d_backward_weights", dweight.d[at_weight],
                        difference(&t, &t.weight.d[at_weight]), 1e-10);
        }
        arrays_release();
    }
}

/* Columns of a part of an output row are a part of the row's columns. */
void test_reference_part_of_a_row(void **state) {
    (void)state;
    for (size_t i = 0; i < WINDOW_CASES; i++) {
        struct window_case t = window_case(i);
        struct stoa_window part = t.w;
        take_part(&part);
        size_t patch = part.kernel_height * part.kernel_width * t.channels;
        struct array x = input_random(t.batch * image_floats(&t.w), -1, 1);
        struct array all = output_unset(t.w.out_width * patch);
        struct array some = output_unset(part.out_width * patch);
        stoa_reference_f64.im2col(&t.w, x.d, t.channel0, t.channels, t.first_row, 1, NULL, all.d);
        stoa_reference_f64.im2col(&part, x.d, t.channel0, t.channels, t.first_row, 1, NULL, some.d);
        assert_memory_equal(some.d, all.d + part.out_left * patch, some.n * sizeof *some.d);
        arrays_release();
    }
}

/* conv2d written twice: directly, and as columns times weights for each group, plus bias; in both types. */
void test_reference_conv_is_im2col_gemm(void **state) {
    (void)state;
    const struct subject s = {NULL, "reference", 1};
    for (size_t i = 0; i < 60; i++) {
        struct conv_case t = conv_case(i);
        const struct stoa_window *w = &t.window.w;
        size_t pixels = t.window.batch * w->out_height * w->out_width;
        size_t group_channels = w->channels / t.groups;
        size_t group_filters = t.filters / t.groups;
        size_t taps = w->kernel_height * w->kernel_width * group_channels;
        struct array bias = input_random(t.filters, -1, 1);
        struct array direct = output_unset(t.y.n);
        stoa_reference_f64.conv2d(w, t.window.batch, t.filters, t.groups, t.x.d, t.weight.d, bias.d,
                                  direct.d);
        stoa_reference_f32.conv2d(w, t.window.batch, t.filters, t.groups, t.x.f, t.weight.f, bias.f,
                                  direct.f);
        check_close("conv2d in float", &s, direct, 1e-5, 1e-5);
        struct array columns = output_unset(pixels * taps);
        for (size_t g = 0; g < t.groups; g++) {
            stoa_reference_f64.im2col(w, t.x.d, g * group_channels, group_channels, 0,
                                      t.window.batch * w->out_height, NULL, columns.d);
            stoa_reference_f64.gemm(false, false, pixels, group_filters, taps, 1, columns.d, taps,
                                    t.weight.d + g * group_filters, t.filters, 0, t.y.d + g * group_filters,
                                    t.filters);
        }
        stoa_reference_f64.bias_act(t.y.d, pixels, t.filters, t.filters, bias.d, false);
        for (size_t j = 0; j < t.y.n; j++) {
            assert_near("conv2d as a product", t.y.d[j], direct.d[j], 1e-12);
        }
        arrays_release();
    }
}
