/* SPDX-License-Identifier: MIT */
/* What Winograd's convolution may be off by, whatever the data: even, sparse, heavy-tailed, of all sizes. Its
 * transforms mix the pixels of a tile, so that no bound by the terms of one output's own sum can hold; what
 * holds is one by the largest numbers near by. Also what it does that plain products do not: overflow
 * earlier, and spread NaN over a tile; policy exact does neither. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/ops.h>

#include "../base/cmocka_prelude.h"
#include "base/random.h"
#include "kernels/kernels.h"

/* Of sum over channels of (largest |x| nearer than NEAR pixels) * (largest |w| of the kernel), and of the
 * like for the gradients: include/stoa/context.h gives the largest. `shapes`: those that the algorithm
 * takes. */
static const struct one {
    const char *name;
    double bound;
    size_t shapes;
} algorithms[] = {{"winograd2", 1.5e-5, 2}, {"winograd4", 2e-5, 3}, {"winograd6", 3e-5, 3}};
/* Plain sums of some hundred terms: of the sum of the terms' own sizes. */
static const struct one exact = {NULL, 4e-6, 3};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms, NEAR = 8 };

static const stoa_conv2d shapes[] = {
    {.batch = 2,
     .height = 19,
     .width = 17,
     .channels = 16,
     .filters = 20,
     .kernel_height = 3,
     .kernel_width = 3,
     .pad_top = 1,
     .pad_bottom = 1,
     .pad_left = 1,
     .pad_right = 1},
    {.batch = 1,
     .height = 14,
     .width = 14,
     .channels = 96,
     .filters = 64,
     .kernel_height = 3,
     .kernel_width = 3},
    {.batch = 2,
     .height = 15,
     .width = 13,
     .channels = 12,
     .filters = 16,
     .kernel_height = 5,
     .kernel_width = 5,
     .pad_top = 2,
     .pad_bottom = 2,
     .pad_left = 2,
     .pad_right = 2},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Kinds of data: a number from two random ones in [0, 1). */
static float even(float u, float v) {
    (void)v;
    return 2 * u - 1;
}
static float sparse(float u, float v) {
    return v < 0.02F ? 2 * u - 1 : 0;
}
static float lonely(float u, float v) {
    return v < 0.0007F ? 2 * u - 1 : 0;
}
static float heavy(float u, float v) {
    return (v < 0.5F ? -1 : 1) / (u + 1e-5F);
}
static float all_sizes(float u, float v) {
    return (v < 0.5F ? -1 : 1) * powf(10, 20 * u - 10);
}
static float positive(float u, float v) {
    (void)v;
    return 1 + 1e-3F * u;
}
typedef float kind(float u, float v);
static kind *const kinds[] = {even, sparse, lonely, heavy, all_sizes, positive};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct numbers {
    float *f;
    double *d;
    size_t n;
};

static struct numbers make(size_t n, kind *of, uint64_t stream) {
    struct numbers a = {malloc(n * sizeof *a.f), malloc(n * sizeof *a.d), n};
    assert_true(a.f && a.d);
    for (size_t i = 0; i < n; i++) {
        struct stoa_random4 r = stoa_philox(5, i, stream);
        a.f[i] = of(stoa_random_unit(r.word[0]), stoa_random_unit(r.word[1]));
        a.d[i] = (double)a.f[i];
    }
    return a;
}

static void drop(struct numbers a) {
    free(a.f);
    free(a.d);
}

/* A convolution with its numbers; dy as large as y. */
struct problem {
    stoa_conv2d conv;
    struct stoa_window window;
    size_t out_height, out_width;
    struct numbers x, weight, dy;
};

static struct problem open_problem(stoa_context *context, const stoa_conv2d *conv, kind *of_x, kind *of_w) {
    struct problem p = {.conv = *conv};
    assert_int_equal(stoa_conv2d_output(context, conv, &p.out_height, &p.out_width), STOA_OK);
    p.window = (struct stoa_window){.height = conv->height,
                                    .width = conv->width,
                                    .channels = conv->channels,
                                    .kernel_height = conv->kernel_height,
                                    .kernel_width = conv->kernel_width,
                                    .stride_height = 1,
                                    .stride_width = 1,
                                    .dilation_height = 1,
                                    .dilation_width = 1,
                                    .pad_top = conv->pad_top,
                                    .pad_left = conv->pad_left,
                                    .out_height = p.out_height,
                                    .out_width = p.out_width};
    p.x = make(conv->batch * conv->height * conv->width * conv->channels, of_x, 1);
    p.weight = make(conv->kernel_height * conv->kernel_width * conv->channels * conv->filters, of_w, 2);
    p.dy = make(conv->batch * p.out_height * p.out_width * conv->filters, of_x, 3);
    return p;
}

static void close_problem(struct problem *p) {
    drop(p->x);
    drop(p->weight);
    drop(p->dy);
}

static float *run(stoa_context *context, const struct problem *p, stoa_conv2d_pass pass, size_t *count) {
    size_t bytes;
    assert_int_equal(stoa_conv2d_workspace(context, &p->conv, pass, &bytes), STOA_OK);
    void *workspace = bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
    *count = pass == STOA_CONV2D_FORWARD ? p->dy.n : pass == STOA_CONV2D_BACKWARD_DATA ? p->x.n : p->weight.n;
    float *out = malloc(*count * sizeof *out);
    assert_non_null(out);
    stoa_status status =
        pass == STOA_CONV2D_FORWARD
            ? stoa_conv2d_forward(context, &p->conv, p->x.f, p->weight.f, NULL, NULL, out, workspace, bytes)
        : pass == STOA_CONV2D_BACKWARD_DATA
            ? stoa_conv2d_backward_data(context, &p->conv, p->dy.f, p->weight.f, out, workspace, bytes)
            : stoa_conv2d_backward_weights(context, &p->conv, p->x.f, p->dy.f, out, NULL, workspace, bytes);
    assert_int_equal(status, STOA_OK);
    free(workspace);
    return out;
}

static double *right(const struct problem *p, stoa_conv2d_pass pass, size_t count) {
    double *out = calloc(count, sizeof *out);
    assert_non_null(out);
    const stoa_conv2d *c = &p->conv;
    if (pass == STOA_CONV2D_FORWARD) {
        stoa_reference_f64.conv2d(&p->window, c->batch, c->filters, 1, p->x.d, p->weight.d, NULL, out);
    } else if (pass == STOA_CONV2D_BACKWARD_DATA) {
        stoa_reference_f64.conv2d_backward_data(&p->window, c->batch, c->filters, 1, p->dy.d, p->weight.d,
                                                out);
    } else {
        stoa_reference_f64.conv2d_backward_weights(&p->window, c->batch, c->filters, 1, p->x.d, p->dy.d, out);
    }
    return out;
}

/* The largest |a| of each channel nearer than NEAR pixels to each pixel of a grid of `rows` x `columns`. */
static double *near_most(const double *a, size_t batch, size_t height, size_t width, size_t channels,
                         size_t rows, size_t columns) {
    double *most = calloc(batch * rows * columns * channels, sizeof *most);
    assert_non_null(most);
    for (size_t i = 0; i < batch * rows * columns; i++) {
        size_t row = i / columns % rows;
        size_t column = i % columns;
        size_t y_end = row + NEAR < height ? row + NEAR : height;
        size_t x_end = column + NEAR < width ? column + NEAR : width;
        for (size_t y = row < NEAR ? 0 : row - NEAR + 1; y < y_end; y++) {
            for (size_t x = column < NEAR ? 0 : column - NEAR + 1; x < x_end; x++) {
                const double *pixel = a + ((i / (rows * columns) * height + y) * width + x) * channels;
                for (size_t c = 0; c < channels; c++) {
                    double size = fabs(pixel[c]);
                    most[i * channels + c] = size > most[i * channels + c] ? size : most[i * channels + c];
                }
            }
        }
    }
    return most;
}

/* The largest |w| of the taps, for each channel and filter. */
static double *taps_most(const struct problem *p) {
    size_t pairs = p->conv.channels * p->conv.filters;
    double *most = calloc(pairs, sizeof *most);
    assert_non_null(most);
    for (size_t i = 0; i < p->weight.n; i++) {
        most[i % pairs] = fmax(most[i % pairs], fabs(p->weight.d[i]));
    }
    return most;
}

/* What errors are measured by. */
static double *measure(const struct problem *p, stoa_conv2d_pass pass, size_t count) {
    const stoa_conv2d *c = &p->conv;
    size_t pixels = c->batch * p->out_height * p->out_width;
    double *out = calloc(count, sizeof *out);
    double *w = taps_most(p);
    assert_non_null(out);
    if (pass == STOA_CONV2D_BACKWARD_DATA) {
        double *dy =
            near_most(p->dy.d, c->batch, p->out_height, p->out_width, c->filters, c->height, c->width);
        for (size_t i = 0; i < count; i++) {
            for (size_t f = 0; f < c->filters; f++) {
                out[i] += dy[i / c->channels * c->filters + f] * w[i % c->channels * c->filters + f];
            }
        }
        free(dy);
        free(w);
        return out;
    }
    double *x = near_most(p->x.d, c->batch, c->height, c->width, c->channels, p->out_height, p->out_width);
    if (pass == STOA_CONV2D_FORWARD) {
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < c->channels; k++) {
                out[i] += x[i / c->filters * c->channels + k] * w[k * c->filters + i % c->filters];
            }
        }
    } else {
        size_t pairs = c->channels * c->filters;
        double *dy = near_most(p->dy.d, c->batch, p->out_height, p->out_width, c->filters, p->out_height,
                               p->out_width);
        for (size_t i = 0; i < pairs; i++) {
            for (size_t j = 0; j < pixels; j++) {
                out[i] += x[j * c->channels + i / c->filters] * dy[j * c->filters + i % c->filters];
            }
        }
        for (size_t i = pairs; i < count; i++) {
            out[i] = out[i % pairs];
        }
        free(dy);
    }
    free(x);
    free(w);
    return out;
}

/* sum(|x||w|) of every output, and the like. */
static double *own_terms(struct problem p, stoa_conv2d_pass pass, size_t count) {
    struct numbers *const all[] = {&p.x, &p.weight, &p.dy};
    for (size_t i = 0; i < 3; i++) {
        double *absolute = malloc(all[i]->n * sizeof *absolute);
        assert_non_null(absolute);
        for (size_t j = 0; j < all[i]->n; j++) {
            absolute[j] = fabs(all[i]->d[j]);
        }
        all[i]->d = absolute;
    }
    double *out = right(&p, pass, count);
    for (size_t i = 0; i < 3; i++) {
        free(all[i]->d);
    }
    return out;
}

/* Largest error, by the largest numbers near by or, with policy exact, by the output's own terms. */
static double largest_error(stoa_context *context, const struct problem *p, stoa_conv2d_pass pass) {
    size_t count;
    float *found = run(context, p, pass, &count);
    double *expected = right(p, pass, count);
    bool plain = stoa_context_policy(context) == STOA_POLICY_EXACT;
    double *by = plain ? own_terms(*p, pass, count) : measure(p, pass, count);
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)found[i] - expected[i]);
        if (isnan(error) || (error > 0 && by[i] == 0)) {
            largest = INFINITY;
        } else if (error > 0) {
            largest = fmax(largest, error / by[i]);
        }
    }
    free(found);
    free(expected);
    free(by);
    return largest;
}

static stoa_context *open_context(stoa_policy policy, int isa, const char *algorithm) {
    stoa_context *context;
    const stoa_context_options options = {
        .threads = 2, .policy = policy, .limit_isa = true, .highest_isa = (stoa_isa)isa};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    if (algorithm) {
        assert_int_equal(stoa_context_set_conv(context, algorithm), STOA_OK);
    }
    return context;
}

/* The widest instruction set sees all pairs of kinds of data, the others some. */
static void check_isa(const struct one *algorithm, stoa_policy policy, int isa, double worst[3]) {
    stoa_context *context = open_context(policy, isa, algorithm->name);
    size_t step = isa == (int)stoa_isa_best() ? 1 : 7;
    for (size_t i = 0; i < algorithm->shapes * KINDS * KINDS; i += step) {
        size_t of_x = i / algorithm->shapes % KINDS;
        size_t of_w = i / algorithm->shapes / KINDS;
        struct problem p = open_problem(context, &shapes[i % algorithm->shapes], kinds[of_x], kinds[of_w]);
        for (int pass = 0; pass < 3; pass++) {
            double error = largest_error(context, &p, (stoa_conv2d_pass)pass);
            worst[pass] = fmax(worst[pass], error);
            if (!(error <= algorithm->bound)) {
                fail_msg("%s, %s, shape %zu, data %zu and %zu, pass %d: off by %.3g of what it may",
                         algorithm->name ? algorithm->name : "exact", stoa_isa_name((stoa_isa)isa),
                         i % algorithm->shapes, of_x, of_w, pass, error);
            }
        }
        close_problem(&p);
    }
    stoa_context_free(context);
}

static void check_algorithm(const struct one *algorithm, stoa_policy policy) {
    double worst[3] = {0};
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        check_isa(algorithm, policy, isa, worst);
    }
    print_message("%s: %.2g forward, %.2g backward data, %.2g backward weights\n",
                  algorithm->name ? algorithm->name : "exact", worst[0], worst[1], worst[2]);
}

static void errors_are_bounded_for_all_data(void **state) {
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        check_algorithm(&algorithms[i], STOA_POLICY_DEFAULT);
    }
    check_algorithm(&exact, STOA_POLICY_EXACT);
}

/* One pixel that is no number, and pixels near the end of the range: policy exact makes of them what plain
 * sums make. */
static void exact_touches_what_reads_it(void **state) {
    (void)state;
    for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
        stoa_context *context = open_context(STOA_POLICY_EXACT, isa, NULL);
        struct problem p = open_problem(context, &shapes[0], even, even);
        const size_t row = 9;
        const size_t column = 7;
        size_t count;
        p.x.f[(row * p.conv.width + column) * p.conv.channels] = NAN;
        float *y = run(context, &p, STOA_CONV2D_FORWARD, &count);
        for (size_t i = 0; i < count; i++) {
            size_t at_row = i / p.conv.filters / p.out_width;
            size_t at_column = i / p.conv.filters % p.out_width;
            bool reads =
                at_row + 1 >= row && at_row <= row + 1 && at_column + 1 >= column && at_column <= column + 1;
            assert_int_equal(isnan(y[i]) != 0, reads);
        }
        free(y);
        close_problem(&p);
        /* Where all terms are 0, so is their sum. */
        p = open_problem(context, &shapes[0], lonely, even);
        y = run(context, &p, STOA_CONV2D_FORWARD, &count);
        double *expected = right(&p, STOA_CONV2D_FORWARD, count);
        size_t zeros = 0;
        for (size_t i = 0; i < count; i++) {
            zeros += expected[i] == 0;
            assert_true(expected[i] != 0 || y[i] == 0);
        }
        assert_true(zeros > 0 && zeros < count);
        free(expected);
        free(y);
        for (size_t i = 0; i < p.x.n; i++) {
            p.x.f[i] = i % 2 ? 2e38F : -2e38F;
        }
        for (size_t i = 0; i < p.weight.n; i++) {
            p.weight.f[i] = 1e-4F;
        }
        y = run(context, &p, STOA_CONV2D_FORWARD, &count);
        for (size_t i = 0; i < count; i++) {
            assert_true(isfinite(y[i]));
        }
        free(y);
        close_problem(&p);
        stoa_context_free(context);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_bounded_for_all_data),
        cmocka_unit_test(exact_touches_what_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
