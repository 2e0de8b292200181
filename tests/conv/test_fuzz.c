/* SPDX-License-Identifier: MIT */
/* Random convolutions: every algorithm that can compute one, every pass, against the double reference.
 *
 * Each case draws a shape, a workspace limit, an instruction set, a policy and a tuning table: the CPU's, one that
 * ships, or any numbers within the ranges that a file's must keep. Outputs and workspaces are
 * exactly as large as promised, NaN before the pass, with canaries behind; the workspace is that of a planned
 * batch that may be larger than the one that runs. The results have the same bits on 1, 2, 3 and 7 threads,
 * and with prepared weights.
 *
 *     test_conv_fuzz [CASES [SEED]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ops/harness.h"
#include "base/random.h"
#include "base/size.h"
#include "blas/blas.h"
#include "conv/conv.h"
#include "tests/conv/lying.h"

enum { PASSES = 3, THREADS = 4, MOST_ALGORITHMS = 16 };
static const size_t thread_counts[THREADS] = {1, 2, 3, 7};
static const char *const pass_names[PASSES] = {"forward", "backward data", "backward weights"};
/* Products of one pass of one case. */
static const size_t MOST_PRODUCTS = 3000000;

/* What results that are added find. */
static const float START = 0.25F;

static size_t cases = 300;
static uint64_t seed = 1;
static uint64_t drawn;
/* Passes run by each algorithm, so that none goes untested in silence, and their largest errors. */
static size_t runs[MOST_ALGORITHMS][PASSES];
static size_t prepared_runs[MOST_ALGORITHMS];
static double errors[MOST_ALGORITHMS][PASSES]; /* in units of the largest sum(|a||b|) */
/* Those of Winograd's algorithms by taps a side, and whether the stride is more than 1. */
enum { MOST_TAPS = STOA_WINOGRAD_MOST_TAPS };
static size_t winograd_runs[MOST_TAPS + 1][2];

static uint32_t draw(void) {
    return stoa_philox(seed, drawn++, 5).word[0];
}

static size_t between(size_t least, size_t most) {
    return least + draw() % (most - least + 1);
}

static bool one_in(size_t n) {
    return draw() % n == 0;
}

#define PICK(array) (array)[draw() % (sizeof(array) / sizeof *(array))]

/* A convolution with its numbers as dense NHWC and HWIO; conv says how a run's operands lie. */
struct subject {
    struct stoa_conv conv;
    size_t planned_batch;
    stoa_context_options options;
    bool tuned; /* by `tuning`, else by the CPU's table */
    struct stoa_tuning tuning;
    bool relu, has_bias, adds;
    size_t x_count, weight_count, y_count;
    float *x, *weight, *bias, *dy;
    char text[360];
};

/* What a pass should give: values, and the largest sum(|a||b|). */
struct expected {
    double *first, *second; /* y; dx; dweight and dbias */
    size_t first_count, second_count;
    double first_size, second_size;
};

/* Input size, padding before and output size along one axis. Padding may be none, even, as pad=same does it,
 * as wide as leaves each output one number of the image, or anything that leaves an output; an image as large
 * as the kernel has one. */
static void draw_axis(size_t least, size_t most, size_t *size, size_t kernel, size_t stride, size_t dilation,
                      size_t *pad, size_t *out) {
    size_t reach = (kernel - 1) * dilation + 1;
    size_t after = 0;
    *size = between(least, most);
    *pad = 0;
    switch (draw() % 8) {
    case 0:
        *size = reach;
        break;
    case 1:
        *pad = after = reach - 1;
        break;
    case 2:
    case 3:
        break;
    case 4:
        *pad = after = reach / 2;
        break;
    case 5:
        *out = stoa_ceil_div(*size, stride);
        after = (*out - 1) * stride + reach > *size ? (*out - 1) * stride + reach - *size : 0;
        *pad = after / 2;
        after -= *pad;
        break;
    default:
        *pad = between(0, reach);
        after = between(0, reach);
    }
    *size = stoa_max(*size, reach > *pad + after ? reach - *pad - after : 1);
    *out = (*size + *pad + after - reach) / stride + 1;
}

/* For Winograd's algorithms: 3 to 5 taps a side, of larger strides perhaps more than the kernel has. The
 * largest tiles want outputs, and channels where taps are 3. */
static void draw_winograd(struct stoa_conv *conv) {
    static const size_t taps[] = {3, 4, 4, 5, 5, 5};
    struct stoa_window *w = &conv->window;
    size_t stride = one_in(2) ? 1 : between(2, 4);
    size_t kernel = PICK(taps) * stride - draw() % ((stride + 1) / 2 + 1);
    w->kernel_height = w->kernel_width = stoa_max(kernel, STOA_WINOGRAD_LEAST_TAPS);
    w->stride_height = w->stride_width = stride;
    w->dilation_height = w->dilation_width = 1;
    if (one_in(2)) {
        w->channels = stoa_ceil_div(between(16, 40), stride * stride);
        conv->filters = between(16, 40);
    } else if (one_in(2)) {
        w->channels = between(1, 6);
        conv->filters = between(1, 20);
    }
    if (!one_in(3)) {
        conv->batch = 1;
    }
}

/* A kernel that covers the image. */
static void draw_cover(struct stoa_conv *conv) {
    struct stoa_window *w = &conv->window;
    w->kernel_height = w->height = between(1, 6);
    w->kernel_width = w->width = between(1, 6);
    w->dilation_height = w->dilation_width = w->out_height = w->out_width = 1;
    w->pad_top = w->pad_left = 0;
    conv->batch = between(1, 40);
}

/* Few channels, long lines and whole vectors of filters, as a first layer of large images has. */
static void draw_long(struct stoa_conv *conv) {
    struct stoa_window *w = &conv->window;
    conv->groups = 1;
    conv->batch = between(1, 2);
    conv->filters = between(1, 2) * STOA_PRODUCT_LANES;
    w->channels = between(1, 5);
    w->kernel_height = between(1, 4);
    w->kernel_width = between(1, 3);
}

/* So many channels, or filters for the way back, that each tap of the window is a product of its own; and
 * pixels of many numbers. */
static void draw_deep(struct stoa_conv *conv) {
    struct stoa_window *w = &conv->window;
    conv->groups = 1;
    w->channels = between(256, 270);
    conv->filters = between(1, 90);
    w->kernel_height = between(1, 4);
    w->kernel_width = between(1, 4);
    if (one_in(2)) {
        w->kernel_height = w->kernel_width = 1;
        w->channels = between(46, 90) * (one_in(2) ? 1 : between(2, 16));
        conv->groups = one_in(4) ? 2 : 1;
        w->channels *= conv->groups;
        conv->filters = conv->groups * between(30, 90);
    }
    if (one_in(2)) {
        size_t filters = conv->filters;
        conv->filters = w->channels;
        w->channels = filters;
    }
}

static struct stoa_conv draw_conv(void) {
    static const size_t kernels[] = {1, 1, 2, 3, 3, 3, 3, 4, 5};
    static const size_t channels[] = {1, 2, 3, 4, 5, 8, 12, 16, 17, 24, 32, 33, 48, 64, 96};
    static const size_t filters[] = {1, 2, 3, 6, 8, 9, 16, 20, 25, 32, 40, 64, 100};
    struct stoa_conv conv = {.batch = between(1, 9), .groups = 1};
    struct stoa_window *w = &conv.window;
    w->kernel_height = w->kernel_width = PICK(kernels);
    if (one_in(6)) {
        w->kernel_width = PICK(kernels);
    }
    w->stride_height = w->stride_width = one_in(3) ? between(2, 3) : 1;
    w->dilation_height = w->dilation_width = one_in(5) ? between(2, 3) : 1;
    if (one_in(8)) {
        w->stride_width = between(1, 4);
        w->dilation_height = between(1, 3);
    }
    w->channels = PICK(channels);
    conv.filters = PICK(filters);
    if (one_in(5)) {
        conv.groups = between(2, 6);
        w->channels = conv.groups * between(1, 9);
        conv.filters = conv.groups * (one_in(2) ? w->channels / conv.groups : between(1, 9));
    } else if (one_in(6)) {
        conv.groups = conv.filters = w->channels;
    } else if (!one_in(3)) {
        draw_winograd(&conv);
    }
    bool is_long = one_in(10);
    if (is_long) {
        draw_long(&conv);
    } else if (one_in(4)) {
        draw_deep(&conv);
    }
    size_t most = 12 + 6 * w->stride_height;
    size_t least = one_in(2) ? 1 : stoa_min(most, w->kernel_height + 4 * w->stride_height);
    draw_axis(least, most, &w->height, w->kernel_height, w->stride_height, w->dilation_height, &w->pad_top,
              &w->out_height);
    draw_axis(is_long ? 150 : least, is_long || one_in(6) ? 250 : most, &w->width, w->kernel_width,
              w->stride_width, w->dilation_width, &w->pad_left, &w->out_width);
    if (one_in(12)) {
        draw_cover(&conv);
    }
    return conv;
}

static size_t products_of(const struct stoa_conv *conv) {
    return stoa_conv_pixels(conv) * stoa_conv_weights(conv);
}

static float *new_numbers(size_t count, bool sparse) {
    float *numbers = guarded_new(count * sizeof *numbers);
    uint64_t key = draw();
    for (size_t i = 0; i < count; i++) {
        struct stoa_random4 four = stoa_philox(key, i, 6);
        numbers[i] = sparse && four.word[1] % 4 == 0 ? 0 : 2 * stoa_random_unit(four.word[0]) - 1;
    }
    return numbers;
}

/* How the operands lie: most often as they are, else in a slice of larger pixels, planar or as PyTorch has
 * them. */
static void draw_layout(struct stoa_conv *conv) {
    if (one_in(2)) {
        return;
    }
    conv->x_planar = one_in(3);
    conv->y_planar = one_in(3);
    conv->oihw = one_in(2);
    conv->x_pixel = !conv->x_planar && one_in(2) ? conv->window.channels + between(1, 40) : 0;
    conv->y_pixel = !conv->y_planar && one_in(2) ? conv->filters + between(1, 40) : 0;
}

/* Every key anywhere in its range, small numbers as often as large ones. */
static void draw_table(struct stoa_tuning *tuning) {
    for (size_t i = 0; i < stoa_tuning_key_count(); i++) {
        const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
        double share = (double)stoa_random_unit(draw());
        double value = exp(share * log((key->most + 1) / (key->least + 1))) * (key->least + 1) - 1;
        stoa_tuning_put(tuning, key, fmin(fmax(value, key->least), key->most));
    }
    stoa_tuning_finish(tuning);
}

static void draw_tuning(struct subject *s) {
    size_t shipped = 0;
    while (stoa_tuning_name(shipped)) {
        shipped++;
    }
    s->tuning = *stoa_tuning_find(stoa_tuning_name(draw() % shipped));
    s->tuned = one_in(2);
    if (s->tuned && one_in(2)) {
        (void)snprintf(s->tuning.name, sizeof s->tuning.name, "drawn");
        draw_table(&s->tuning);
    }
}

static void draw_subject(struct subject *s, size_t number) {
    static const size_t limits[] = {0, 0, 16 << 10, 20000, 64 << 10, 200 << 10};
    do {
        s->conv = draw_conv();
    } while (products_of(&s->conv) > MOST_PRODUCTS);
    const struct stoa_conv *conv = &s->conv;
    const struct stoa_window *w = &conv->window;
    s->planned_batch = conv->batch + (one_in(3) ? between(1, 20) : 0);
    s->options = (stoa_context_options){.workspace_limit = PICK(limits),
                                        .policy = one_in(4) ? STOA_POLICY_EXACT : STOA_POLICY_DEFAULT,
                                        .limit_isa = one_in(3),
                                        .highest_isa = (stoa_isa)(draw() % STOA_ISA_COUNT)};
    s->relu = one_in(2);
    s->has_bias = !one_in(3);
    s->adds = one_in(4);
    draw_layout(&s->conv);
    s->x_count = conv->batch * w->height * w->width * w->channels;
    s->weight_count = stoa_conv_weights(conv);
    s->y_count = stoa_conv_pixels(conv) * conv->filters;
    s->x = new_numbers(s->x_count, true);
    s->weight = new_numbers(s->weight_count, false);
    s->bias = new_numbers(conv->filters, false);
    s->dy = new_numbers(s->y_count, false);
    draw_tuning(s);
    (void)snprintf(
        s->text, sizeof s->text,
        "seed %llu, case %zu: n%zu (planned %zu) c%zu h%zu w%zu k%zu r%zux%zu s%zux%zu pad %zu,%zu "
        "d%zux%zu g%zu out %zux%zu, limit %zu, isa %d%s, policy %d%s, x %zu%s, y %zu%s%s, tuning %s",
        (unsigned long long)seed, number, conv->batch, s->planned_batch, w->channels, w->height, w->width,
        conv->filters, w->kernel_height, w->kernel_width, w->stride_height, w->stride_width, w->pad_top,
        w->pad_left, w->dilation_height, w->dilation_width, conv->groups, w->out_height, w->out_width,
        s->options.workspace_limit, (int)s->options.highest_isa, s->options.limit_isa ? "" : " (free)",
        (int)s->options.policy, s->adds ? ", adds" : "", conv->x_pixel, conv->x_planar ? " planar" : "",
        conv->y_pixel, conv->y_planar ? " planar" : "", conv->oihw ? ", oihw" : "",
        s->tuned ? s->tuning.name : "of the CPU");
}

static void free_subject(struct subject *s) {
    guarded_free(s->x);
    guarded_free(s->weight);
    guarded_free(s->bias);
    guarded_free(s->dy);
}

/* The float numbers, or their sizes, in double. */
static double *doubles(const float *from, size_t count, bool sizes) {
    double *to = malloc(stoa_max(1, count) * sizeof *to);
    assert_non_null(to);
    for (size_t i = 0; i < count; i++) {
        to[i] = sizes ? fabs((double)from[i]) : (double)from[i];
    }
    return to;
}

static double *zeros(size_t count) {
    double *to = calloc(stoa_max(1, count), sizeof *to);
    assert_non_null(to);
    return to;
}

static double largest(const double *values, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, values[i]);
    }
    return most;
}

/* One pass of the reference, on the numbers or on their sizes. */
static void reference(const struct subject *s, int pass, bool sizes, double *first, double *second) {
    const struct stoa_conv *conv = &s->conv;
    const struct stoa_window *w = &conv->window;
    double *x = doubles(s->x, s->x_count, sizes);
    double *weight = doubles(s->weight, s->weight_count, sizes);
    double *bias = doubles(s->bias, conv->filters, sizes);
    double *dy = doubles(s->dy, s->y_count, sizes);
    if (pass == STOA_CONV_FORWARD) {
        stoa_reference_f64.conv2d(w, conv->batch, conv->filters, conv->groups, x, weight,
                                  s->has_bias ? bias : NULL, first);
        for (size_t i = 0; i < s->y_count && s->relu; i++) {
            first[i] = fmax(first[i], 0);
        }
    } else if (pass == STOA_CONV_BACKWARD_DATA) {
        stoa_reference_f64.conv2d_backward_data(w, conv->batch, conv->filters, conv->groups, dy, weight,
                                                first);
    } else {
        stoa_reference_f64.conv2d_backward_weights(w, conv->batch, conv->filters, conv->groups, x, dy, first);
        stoa_reference_f64.column_sums(dy, stoa_conv_pixels(conv), conv->filters, conv->filters, second);
    }
    free(x);
    free(weight);
    free(bias);
    free(dy);
}

static struct expected expect(const struct subject *s, int pass) {
    struct expected e = {.first_count = pass == STOA_CONV_FORWARD         ? s->y_count
                                        : pass == STOA_CONV_BACKWARD_DATA ? s->x_count
                                                                          : s->weight_count};
    e.second_count = pass == STOA_CONV_BACKWARD_WEIGHTS && s->has_bias ? s->conv.filters : 0;
    e.first = zeros(e.first_count);
    e.second = zeros(s->conv.filters);
    double *first = zeros(e.first_count);
    double *second = zeros(s->conv.filters);
    reference(s, pass, true, first, second);
    e.first_size = largest(first, e.first_count);
    e.second_size = largest(second, e.second_count);
    reference(s, pass, false, e.first, e.second);
    for (size_t i = 0; s->adds && pass != STOA_CONV_FORWARD && i < e.first_count; i++) {
        e.first[i] += (double)START;
        e.first_size = fmax(e.first_size, (double)START);
    }
    for (size_t i = 0; s->adds && i < e.second_count; i++) {
        e.second[i] += (double)START;
        e.second_size = fmax(e.second_size, (double)START);
    }
    free(first);
    free(second);
    return e;
}

/* Returns the largest error. */
static double check_values(const struct subject *s, const char *what, const float *got, const double *want,
                           size_t count, double allowed) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)got[i] - want[i]);
        most = fmax(most, error);
        if (!(error <= allowed)) {
            fail_msg("%s\n%s: number %zu of %zu is %g, expected %g within %g", s->text, what, i, count,
                     (double)got[i], want[i], allowed);
        }
    }
    return most;
}

/* The algorithm's outputs. */
struct outputs {
    float *first, *second;
};

/* Plan for the planned batch, which may be larger than the one that runs. */
static bool make_plan(const struct subject *s, const struct stoa_conv_algorithm *algorithm, int pass,
                      const stoa_context *context, struct stoa_conv_plan *plan) {
    struct stoa_conv planned = s->conv;
    planned.batch = s->planned_batch;
    planned.adds = s->adds;
    if (!stoa_conv_plan_with(context, algorithm, &planned, (enum stoa_conv_pass)pass, plan)) {
        return false;
    }
    if (plan->own_bytes >
        context->workspace_limit / 4 * (5 * context->threads + 4 * STOA_CONV_SHARED_LIMITS)) {
        fail_msg("%s\n%s, %s: %zu bytes on %zu threads", s->text, algorithm->name, pass_names[pass],
                 plan->own_bytes, context->threads);
    }
    return true;
}

/* Run a plan into outputs of its own, exactly in its workspace. */
static struct outputs run_plan(const struct subject *s, const struct stoa_conv_plan *plan,
                               const stoa_context *context, const struct expected *e, const void *prepared) {
    static const enum operand results[PASSES] = {Y, X, WEIGHT};
    enum operand result = results[plan->pass];
    float *x = spread(&s->conv, X, s->x, s->x_count);
    float *dy = spread(&s->conv, Y, s->dy, s->y_count);
    float *weight = spread(&s->conv, WEIGHT, s->weight, s->weight_count);
    float *first = blank(&s->conv, result, e->first_count, s->adds ? START : NAN);
    float *second = blank(&s->conv, BIAS, e->second_count, s->adds ? START : NAN);
    void *workspace = guarded_new(plan->bytes);
    struct stoa_conv_run run = {.context = context, .batch = s->conv.batch, .workspace = workspace};
    if (plan->pass == STOA_CONV_FORWARD) {
        run.x = x;
        run.weight = prepared ? NULL : weight;
        run.prepared = prepared;
        run.bias = s->has_bias ? s->bias : NULL;
        run.relu = s->relu;
        run.y = first;
    } else if (plan->pass == STOA_CONV_BACKWARD_DATA) {
        run.dy = dy;
        run.weight = weight;
        run.dx = first;
    } else {
        run.x = x;
        run.dy = dy;
        run.dweight = first;
        run.dbias = e->second_count > 0 ? second : NULL;
    }
    stoa_blas_enter();
    stoa_conv_run(plan, &run);
    stoa_blas_leave();
    guarded_check(workspace, s->text);
    guarded_free(workspace);
    guarded_free(x);
    guarded_free(dy);
    guarded_free(weight);
    return (struct outputs){collect(&s->conv, result, e->first_count, first, s->text),
                            collect(&s->conv, BIAS, e->second_count, second, s->text)};
}

/* Prepared weights of a plan. */
static void *prepare(const struct subject *s, const struct stoa_conv_plan *plan,
                     const stoa_context *context) {
    float *weight = spread(&s->conv, WEIGHT, s->weight, s->weight_count);
    void *workspace = guarded_new(plan->bytes);
    void *prepared = guarded_new(plan->prepared_bytes);
    assert_false(stoa_conv_is_prepared(plan, prepared));
    stoa_conv_prepare(context, plan, weight, prepared, workspace);
    guarded_check(workspace, s->text);
    guarded_check(prepared, s->text);
    guarded_free(workspace);
    guarded_free(weight);
    return prepared;
}

static struct outputs run_pass(const struct subject *s, const struct stoa_conv_algorithm *algorithm, int pass,
                               const stoa_context *context, const struct expected *e) {
    struct stoa_conv_plan plan;
    assert_true(make_plan(s, algorithm, pass, context, &plan));
    return run_plan(s, &plan, context, e, NULL);
}

/* A forward pass with weights that were prepared for the planned batch, on one thread or on its own, and not
 * the weights themselves. Others' prepared weights are told apart. */
static void check_prepared(const struct subject *s, const struct stoa_conv_algorithm *algorithm,
                           stoa_context *const *contexts, const struct expected *e, const float *right) {
    struct stoa_conv_plan one;
    assert_true(make_plan(s, algorithm, STOA_CONV_FORWARD, contexts[0], &one));
    if (one.prepared_bytes == 0) {
        return;
    }
    void *prepared = prepare(s, &one, contexts[0]);
    for (size_t t = 0; t < THREADS; t++) {
        struct stoa_conv_plan plan;
        assert_true(make_plan(s, algorithm, STOA_CONV_FORWARD, contexts[t], &plan));
        assert_int_equal(plan.prepared_bytes, one.prepared_bytes);
        assert_true(stoa_conv_is_prepared(&plan, prepared));
        void *again = prepare(s, &plan, contexts[t]);
        struct outputs out = run_plan(s, &plan, contexts[t], e, t % 2 ? again : prepared);
        if (memcmp(out.first, right, e->first_count * sizeof(float)) != 0) {
            fail_msg("%s\n%s: other bits with prepared weights on %zu threads", s->text, algorithm->name,
                     thread_counts[t]);
        }
        guarded_free(again);
        guarded_free(out.first);
        guarded_free(out.second);
    }
    guarded_free(prepared);
    for (size_t i = 0; stoa_conv_algorithms[i]; i++) {
        prepared_runs[i] += stoa_conv_algorithms[i] == algorithm && one.prepares;
    }
}

static bool is_winograd(const struct stoa_conv_algorithm *algorithm) {
    return strncmp(algorithm->name, "winograd", 8) == 0;
}

static void count_run(const struct subject *s, size_t algorithm, int pass, double error) {
    const struct stoa_window *w = &s->conv.window;
    runs[algorithm][pass]++;
    errors[algorithm][pass] = fmax(errors[algorithm][pass], error);
    if (is_winograd(stoa_conv_algorithms[algorithm])) {
        size_t taps = stoa_ceil_div(w->kernel_height, w->stride_height);
        assert_true(taps <= MOST_TAPS);
        winograd_runs[taps][w->stride_height > 1]++;
    }
}

/* Returns the largest error, in units of the largest sum(|a||b|). */
static double check_algorithm(const struct subject *s, const struct stoa_conv_algorithm *algorithm, int pass,
                              stoa_context *const *contexts, const struct expected *e) {
    double bound = is_winograd(algorithm) ? 5e-6 : 1e-6;
    struct outputs one = run_pass(s, algorithm, pass, contexts[0], e);
    char what[64];
    (void)snprintf(what, sizeof what, "%s, %s", algorithm->name, pass_names[pass]);
    double error = check_values(s, what, one.first, e->first, e->first_count, bound * e->first_size);
    (void)check_values(s, what, one.second, e->second, e->second_count, bound * e->second_size);
    if (pass == STOA_CONV_FORWARD) {
        check_prepared(s, algorithm, contexts, e, one.first);
    }
    for (size_t t = 1; t < THREADS; t++) {
        struct outputs many = run_pass(s, algorithm, pass, contexts[t], e);
        if (memcmp(many.first, one.first, e->first_count * sizeof(float)) != 0 ||
            (e->second_count && memcmp(many.second, one.second, e->second_count * sizeof(float)) != 0)) {
            fail_msg("%s\n%s: other bits on %zu threads", s->text, what, thread_counts[t]);
        }
        guarded_free(many.first);
        guarded_free(many.second);
    }
    guarded_free(one.first);
    guarded_free(one.second);
    return e->first_size > 0 ? error / e->first_size : 0;
}

static void check_subject(const struct subject *s, stoa_context *const *contexts) {
    struct stoa_conv planned = s->conv;
    planned.batch = s->planned_batch;
    for (int pass = 0; pass < PASSES; pass++) {
        struct expected e = expect(s, pass);
        struct stoa_conv_plan plan;
        size_t able = 0;
        for (size_t i = 0; stoa_conv_algorithms[i]; i++) {
            assert_true(i < MOST_ALGORITHMS);
            if (make_plan(s, stoa_conv_algorithms[i], pass, contexts[0], &plan)) {
                count_run(s, i, pass, check_algorithm(s, stoa_conv_algorithms[i], pass, contexts, &e));
                able++;
            }
        }
        bool planned_any = stoa_conv_plan(contexts[0], &planned, (enum stoa_conv_pass)pass, "fuzz", &plan);
        if (planned_any != (able > 0)) {
            fail_msg("%s\n%s: %zu algorithms can, planned is %s", s->text, pass_names[pass], able,
                     planned_any ? plan.algorithm->name : "none");
        }
        free(e.first);
        free(e.second);
    }
}

static void agrees_with_the_reference(void **state) {
    (void)state;
    for (size_t number = 0; number < cases; number++) {
        /* Case `number` is the same whatever was drawn before it. */
        drawn = (uint64_t)number << 20;
        struct subject s;
        stoa_context *contexts[THREADS];
        draw_subject(&s, number);
        for (size_t t = 0; t < THREADS; t++) {
            s.options.threads = thread_counts[t];
            assert_int_equal(stoa_context_create(&s.options, &contexts[t]), STOA_OK);
            contexts[t]->tuning = s.tuned ? &s.tuning : contexts[t]->tuning;
        }
        check_subject(&s, contexts);
        for (size_t t = 0; t < THREADS; t++) {
            stoa_context_free(contexts[t]);
        }
        free_subject(&s);
    }
}

static void left_no_algorithm_out(void **state) {
    (void)state;
    for (size_t i = 0; stoa_conv_algorithms[i]; i++) {
        (void)printf("%-10s %5zu %5zu %5zu, prepared %5zu; largest errors %.1e %.1e %.1e\n",
                     stoa_conv_algorithms[i]->name, runs[i][0], runs[i][1], runs[i][2], prepared_runs[i],
                     errors[i][0], errors[i][1], errors[i][2]);
        /* Without wide vectors pixels are multiplied by weights as they lie. */
        bool as_they_lie =
            strcmp(stoa_conv_algorithms[i]->name, "pointwise") == 0 && stoa_isa_best() == STOA_ISA_BASE;
        bool prepares = stoa_conv_algorithms[i]->prepare && !as_they_lie;
        assert_true(prepares ? prepared_runs[i] >= cases / 30 : prepared_runs[i] == 0);
        assert_true(runs[i][0] + runs[i][1] + runs[i][2] >= cases / 30);
    }
    for (size_t taps = STOA_WINOGRAD_LEAST_TAPS; taps <= MOST_TAPS; taps++) {
        (void)printf("winograd, %zu taps: %5zu, strides %5zu\n", taps, winograd_runs[taps][0],
                     winograd_runs[taps][1]);
        assert_true(winograd_runs[taps][0] >= cases / 60 && winograd_runs[taps][1] >= cases / 60);
    }
}

int main(int count, char **arguments) {
    if (count > 1) {
        cases = strtoul(arguments[1], NULL, 10);
    }
    if (count > 2) {
        seed = strtoul(arguments[2], NULL, 10);
    }
    (void)printf("%zu cases, seed %llu\n", cases, (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_reference),
        cmocka_unit_test(left_no_algorithm_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
