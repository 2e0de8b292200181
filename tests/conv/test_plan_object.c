/* SPDX-License-Identifier: MIT */
/* Plans of convolutions as C users have them: random problems and options against the double reference, on
 * arrays exactly as large as promised; the same bits on any number of threads, for a smaller batch as for a
 * plan of its own, and with prepared weights; and what is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

#include "base/random.h"
#include "tests/conv/lying.h"

enum { CASES = 250, PASSES = 3, THREADS = 4 };
static const size_t thread_counts[THREADS] = {1, 2, 3, 7};
static const float START = 0.25F;
static uint64_t drawn;

static size_t between(size_t least, size_t most) {
    return least + stoa_philox(9, drawn++, 1).word[0] % (most - least + 1);
}

static bool one_in(size_t n) {
    return between(1, n) == 1;
}

/* One problem: its description, how its arrays lie, and its numbers dense. */
struct problem {
    stoa_conv2d described;
    stoa_conv2d_plan_options options;
    struct stoa_conv conv; /* of the batch that runs */
    float *x, *weight, *bias, *dy;
    size_t x_count, y_count, weight_count;
    char text[256];
};

static float *numbers(size_t count) {
    float *to = guarded_new(count * sizeof *to);
    for (size_t i = 0; i < count; i++) {
        to[i] = 2 * stoa_random_unit(stoa_philox(7, drawn, i).word[0]) - 1;
    }
    drawn++;
    return to;
}

/* Any convolution, among them linear layers. */
static stoa_conv2d draw_described(void) {
    size_t groups = one_in(4) ? between(2, 4) : 1;
    size_t kernel = between(1, 4);
    stoa_conv2d c = {.batch = between(1, 6),
                     .channels = groups * between(1, 20),
                     .filters = groups * between(1, 36),
                     .kernel_height = kernel,
                     .kernel_width = one_in(3) ? between(1, 4) : kernel,
                     .stride_height = between(0, 2),
                     .stride_width = between(0, 2),
                     .groups = groups};
    c.dilation_width = one_in(4) ? 2 : 0;
    c.pad_top = between(0, 2);
    c.pad_right = between(0, 2);
    c.height = between(1, 9) + kernel;
    c.width = between(1, 9) + (c.kernel_width - 1) * (c.dilation_width ? 2 : 1);
    if (one_in(4)) {
        c = (stoa_conv2d){.batch = between(1, 70),
                          .height = 1,
                          .width = 1,
                          .channels = between(1, 200),
                          .filters = between(1, 200),
                          .kernel_height = 1,
                          .kernel_width = 1};
    }
    return c;
}

static stoa_conv2d_plan_options draw_options(const stoa_conv2d *c) {
    stoa_conv2d_plan_options o = {.x_layout = one_in(3) ? STOA_NCHW : STOA_NHWC,
                                  .y_layout = one_in(3) ? STOA_NCHW : STOA_NHWC,
                                  .weight_layout = one_in(2) ? STOA_OIHW : STOA_HWIO};
    o.x_pixel = o.x_layout == STOA_NHWC && one_in(2) ? c->channels + between(0, 30) : 0;
    o.y_pixel = o.y_layout == STOA_NHWC && one_in(2) ? c->filters + between(0, 30) : 0;
    return o;
}

static size_t or_one(size_t value) {
    return value ? value : 1;
}

static void draw_problem(struct problem *p, size_t number) {
    drawn = (uint64_t)number << 20;
    stoa_conv2d c = draw_described();
    p->described = c;
    p->options = draw_options(&c);
    const stoa_conv2d_plan_options *o = &p->options;
    size_t batch = between(1, c.batch);
    p->conv = (struct stoa_conv){.window = {.height = c.height,
                                            .width = c.width,
                                            .channels = c.channels,
                                            .kernel_height = c.kernel_height,
                                            .kernel_width = c.kernel_width,
                                            .stride_height = or_one(c.stride_height),
                                            .stride_width = or_one(c.stride_width),
                                            .dilation_height = or_one(c.dilation_height),
                                            .dilation_width = or_one(c.dilation_width),
                                            .pad_top = c.pad_top,
                                            .pad_left = c.pad_left},
                                 .batch = batch,
                                 .filters = c.filters,
                                 .groups = or_one(c.groups),
                                 .x_pixel = o->x_pixel,
                                 .y_pixel = o->y_pixel,
                                 .x_planar = o->x_layout == STOA_NCHW,
                                 .y_planar = o->y_layout == STOA_NCHW,
                                 .oihw = o->weight_layout == STOA_OIHW};
    struct stoa_window *w = &p->conv.window;
    w->out_height = (c.height + c.pad_top - c.kernel_height) / w->stride_height + 1;
    w->out_width =
        (c.width + c.pad_right - (c.kernel_width - 1) * w->dilation_width - 1) / w->stride_width + 1;
    p->x_count = batch * c.height * c.width * c.channels;
    p->y_count = stoa_conv_pixels(&p->conv) * c.filters;
    p->weight_count = stoa_conv_weights(&p->conv);
    p->x = numbers(p->x_count);
    p->weight = numbers(p->weight_count);
    p->bias = numbers(c.filters);
    p->dy = numbers(p->y_count);
    (void)snprintf(
        p->text, sizeof p->text,
        "case %zu: n%zu of %zu, %zux%zux%zu to %zu, kernel %zux%zu, groups %zu, x %zu%s, y %zu%s%s", number,
        batch, c.batch, c.height, c.width, c.channels, c.filters, c.kernel_height, c.kernel_width,
        p->conv.groups, o->x_pixel, p->conv.x_planar ? " planar" : "", o->y_pixel,
        p->conv.y_planar ? " planar" : "", p->conv.oihw ? ", oihw" : "");
}

static double *doubles(const float *from, size_t count) {
    double *to = malloc(count * sizeof *to);
    assert_non_null(to);
    for (size_t i = 0; i < count; i++) {
        to[i] = from ? (double)from[i] : 0;
    }
    return to;
}

/* Numbers of the pass's result. */
static size_t result_count(const struct problem *p, int pass) {
    return pass == STOA_CONV_FORWARD         ? p->y_count
           : pass == STOA_CONV_BACKWARD_DATA ? p->x_count
                                             : p->weight_count;
}

static double *expected_of(const struct problem *p, int pass, const double *bias, double *dbias) {
    const struct stoa_conv *c = &p->conv;
    const struct stoa_window *w = &c->window;
    double *x = doubles(p->x, p->x_count);
    double *weight = doubles(p->weight, p->weight_count);
    double *dy = doubles(p->dy, p->y_count);
    double *result = doubles(NULL, result_count(p, pass));
    if (pass == STOA_CONV_FORWARD) {
        stoa_reference_f64.conv2d(w, c->batch, c->filters, c->groups, x, weight, bias, result);
    } else if (pass == STOA_CONV_BACKWARD_DATA) {
        stoa_reference_f64.conv2d_backward_data(w, c->batch, c->filters, c->groups, dy, weight, result);
    } else {
        stoa_reference_f64.conv2d_backward_weights(w, c->batch, c->filters, c->groups, x, dy, result);
        stoa_reference_f64.column_sums(dy, stoa_conv_pixels(c), c->filters, c->filters, dbias);
    }
    free(x);
    free(weight);
    free(dy);
    return result;
}

/* A run of a plan: dense results. */
struct outcome {
    float *result, *dbias;
};

static struct outcome run(const struct problem *p, const stoa_conv2d_plan *plan, stoa_conv2d_pass pass,
                          const void *prepared) {
    static const enum operand results[PASSES] = {Y, X, WEIGHT};
    float start = p->options.accumulate ? START : NAN;
    float *x = spread(&p->conv, X, p->x, p->x_count);
    float *dy = spread(&p->conv, Y, p->dy, p->y_count);
    float *weight = spread(&p->conv, WEIGHT, p->weight, p->weight_count);
    float *result = blank(&p->conv, results[pass], result_count(p, (int)pass), start);
    float *dbias = blank(&p->conv, BIAS, p->conv.filters, start);
    size_t bytes = stoa_conv2d_plan_workspace_bytes(plan);
    void *workspace = guarded_new(bytes);
    /* All operands are given; only the pass's own are touched. */
    stoa_conv2d_operands operands = {.x = x,
                                     .weight = prepared ? NULL : weight,
                                     .prepared = prepared,
                                     .prepared_bytes = stoa_conv2d_plan_prepared_bytes(plan),
                                     .bias = p->bias,
                                     .dy = dy,
                                     .y = pass == STOA_CONV2D_FORWARD ? result : NULL,
                                     .dx = pass == STOA_CONV2D_BACKWARD_DATA ? result : NULL,
                                     .dweight = pass == STOA_CONV2D_BACKWARD_WEIGHTS ? result : NULL,
                                     .dbias = dbias,
                                     .workspace = workspace,
                                     .workspace_bytes = bytes};
    stoa_status status = stoa_conv2d_plan_run(plan, p->conv.batch, &operands);
    if (status != STOA_OK) {
        fail_msg("%s: status %d", p->text, (int)status);
    }
    guarded_check(workspace, p->text);
    guarded_free(workspace);
    guarded_free(x);
    guarded_free(dy);
    guarded_free(weight);
    return (struct outcome){collect(&p->conv, results[pass], result_count(p, (int)pass), result, p->text),
                            collect(&p->conv, BIAS, p->conv.filters, dbias, p->text)};
}

static void release(struct outcome o) {
    guarded_free(o.result);
    guarded_free(o.dbias);
}

static void check_near(const struct problem *p, const char *what, const float *got, const double *want,
                       size_t count, double terms) {
    for (size_t i = 0; i < count; i++) {
        double value = want[i] + (p->options.accumulate ? (double)START : 0);
        if (!(fabs((double)got[i] - value) <= 5e-6 * (terms + 1))) {
            fail_msg("%s\n%s, number %zu of %zu: %g, expected %g", p->text, what, i, count, (double)got[i],
                     value);
        }
    }
}

static void check_same(const struct problem *p, const char *what, const float *got, const float *want,
                       size_t count) {
    if (memcmp(got, want, count * sizeof *got) != 0) {
        fail_msg("%s: other bits %s", p->text, what);
    }
}

static stoa_conv2d_plan *plan_of(const struct problem *p, stoa_context *context, stoa_conv2d_pass pass) {
    stoa_conv2d_plan *plan = NULL;
    stoa_conv2d_plan_options options = p->options;
    options.pass = pass;
    options.activation = pass == STOA_CONV2D_FORWARD ? STOA_ACTIVATION_RELU : STOA_ACTIVATION_NONE;
    if (stoa_conv2d_plan_create(context, &p->described, &options, &plan) != STOA_OK) {
        fail_msg("%s: %s", p->text, stoa_context_error(context));
    }
    assert_true(strlen(stoa_conv2d_plan_describe(plan)) > 0);
    return plan;
}

static size_t prepared_plans;

/* Weights that one context's plan has prepared, in all others. */
static void check_prepared(const struct problem *p, stoa_context *const *contexts, const float *right) {
    stoa_conv2d_plan *first = plan_of(p, contexts[0], STOA_CONV2D_FORWARD);
    size_t bytes = stoa_conv2d_plan_prepared_bytes(first);
    size_t room = stoa_conv2d_plan_workspace_bytes(first);
    void *prepared = guarded_new(bytes);
    void *workspace = guarded_new(room);
    float *weight = spread(&p->conv, WEIGHT, p->weight, p->weight_count);
    assert_int_equal(stoa_conv2d_plan_prepare(first, weight, prepared, bytes, workspace, room), STOA_OK);
    guarded_check(prepared, p->text);
    guarded_check(workspace, p->text);
    guarded_free(workspace);
    guarded_free(weight);
    for (size_t t = 0; bytes > 0 && t < THREADS; t++) {
        stoa_conv2d_plan *plan = plan_of(p, contexts[t], STOA_CONV2D_FORWARD);
        assert_int_equal(stoa_conv2d_plan_prepared_bytes(plan), bytes);
        struct outcome o = run(p, plan, STOA_CONV2D_FORWARD, prepared);
        check_same(p, "with prepared weights", o.result, right, p->y_count);
        release(o);
        stoa_conv2d_plan_free(plan);
    }
    prepared_plans += bytes > 0;
    guarded_free(prepared);
    stoa_conv2d_plan_free(first);
}

static void check_pass(struct problem *p, stoa_context *const *contexts, stoa_conv2d_pass pass) {
    double *bias = doubles(p->bias, p->conv.filters);
    double *dbias = doubles(NULL, p->conv.filters);
    double *want = expected_of(p, (int)pass, bias, dbias);
    size_t count = result_count(p, (int)pass);
    double terms = pass == STOA_CONV2D_BACKWARD_WEIGHTS ? (double)stoa_conv_pixels(&p->conv)
                                                        : (double)stoa_conv_column(&p->conv);
    terms = pass == STOA_CONV2D_BACKWARD_DATA ? terms * (double)p->conv.filters : terms;
    p->options.accumulate = pass != STOA_CONV2D_FORWARD && one_in(2);
    for (size_t i = 0; pass == STOA_CONV2D_FORWARD && i < count; i++) {
        want[i] = fmax(want[i], 0);
    }
    struct outcome one = {NULL, NULL};
    for (size_t t = 0; t < THREADS; t++) {
        stoa_conv2d_plan *plan = plan_of(p, contexts[t], pass);
        struct outcome o = run(p, plan, pass, NULL);
        struct outcome again = run(p, plan, pass, NULL);
        check_same(p, "in a second run", again.result, o.result, count);
        release(again);
        if (t == 0) {
            one = o;
            check_near(p, "result", o.result, want, count, terms);
            if (pass == STOA_CONV2D_BACKWARD_WEIGHTS) {
                check_near(p, "dbias", o.dbias, dbias, p->conv.filters, terms);
            }
        } else {
            check_same(p, "on more threads", o.result, one.result, count);
            check_same(p, "of the bias on more threads", o.dbias, one.dbias,
                       pass == STOA_CONV2D_BACKWARD_WEIGHTS ? p->conv.filters : 0);
            release(o);
        }
        stoa_conv2d_plan_free(plan);
    }
    if (pass == STOA_CONV2D_FORWARD) {
        check_prepared(p, contexts, one.result);
    }
    release(one);
    free(bias);
    free(dbias);
    free(want);
}

static void agrees_with_the_reference(void **state) {
    (void)state;
    stoa_context *contexts[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        assert_int_equal(
            stoa_context_create(&(stoa_context_options){.threads = thread_counts[t]}, &contexts[t]), STOA_OK);
    }
    for (size_t number = 0; number < CASES; number++) {
        struct problem p;
        draw_problem(&p, number);
        for (int pass = 0; pass < PASSES; pass++) {
            check_pass(&p, contexts, (stoa_conv2d_pass)pass);
        }
        guarded_free(p.x);
        guarded_free(p.weight);
        guarded_free(p.bias);
        guarded_free(p.dy);
    }
    assert_true(prepared_plans >= CASES / 4);
    for (size_t t = 0; t < THREADS; t++) {
        stoa_context_free(contexts[t]);
    }
}

static const stoa_conv2d square = {
    .batch = 3, .height = 6, .width = 6, .channels = 4, .filters = 20, .kernel_height = 3, .kernel_width = 3};

static void refuse_options(stoa_context *context, stoa_conv2d_plan_options options, stoa_status status,
                           const char *sentence) {
    stoa_conv2d_plan *plan = NULL;
    assert_int_equal(stoa_conv2d_plan_create(context, &square, &options, &plan), status);
    assert_null(plan);
    assert_string_equal(stoa_context_error(context), sentence);
}

static void refuses_options(void **state) {
    (void)state;
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(NULL, &context), STOA_OK);
#define NAME "stoa_conv2d_plan_create: "
    const struct {
        stoa_conv2d_plan_options options;
        stoa_status status;
        const char *sentence;
    } bad[] = {
        {{.pass = (stoa_conv2d_pass)3},
         STOA_ERR_ARGUMENT,
         NAME "pass is 3, expected one of stoa_conv2d_pass"},
        {{.x_layout = (stoa_image_layout)2},
         STOA_ERR_ARGUMENT,
         NAME "x_layout is 2, expected one of stoa_image_layout"},
        {{.y_layout = (stoa_image_layout)2},
         STOA_ERR_ARGUMENT,
         NAME "y_layout is 2, expected one of stoa_image_layout"},
        {{.weight_layout = (stoa_weight_layout)5},
         STOA_ERR_ARGUMENT,
         NAME "weight_layout is 5, expected one of stoa_weight_layout"},
        {{.activation = (stoa_activation)2},
         STOA_ERR_ARGUMENT,
         NAME "activation is 2, expected one of stoa_activation"},
        {{.x_pixel = 3}, STOA_ERR_SHAPE, NAME "x_pixel is 3, expected 0 or 4 to 1073741824"},
        {{.y_pixel = 19}, STOA_ERR_SHAPE, NAME "y_pixel is 19, expected 0 or 20 to 1073741824"},
        {{.y_pixel = (size_t)1 << 27}, STOA_ERR_SHAPE, NAME "y has more than 1073741824 elements a sample"},
        {{.x_pixel = 8, .x_layout = STOA_NCHW},
         STOA_ERR_ARGUMENT,
         NAME "x_pixel is 8 with STOA_NCHW, expected 0: only NHWC has slices"},
        {{.accumulate = true},
         STOA_ERR_ARGUMENT,
         NAME "found accumulate for a forward pass, expected a backward one"},
        {{.pass = STOA_CONV2D_BACKWARD_DATA, .activation = STOA_ACTIVATION_RELU},
         STOA_ERR_ARGUMENT,
         NAME "found an activation for a backward pass, expected a forward one"},
    };
#undef NAME
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuse_options(context, bad[i].options, bad[i].status, bad[i].sentence);
    }
    stoa_conv2d_plan *plan = NULL;
    assert_int_equal(stoa_conv2d_plan_create(context, NULL, NULL, &plan), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), "stoa_conv2d_plan_create: conv is NULL");
    assert_int_equal(stoa_conv2d_plan_create(context, &square, NULL, NULL), STOA_ERR_ARGUMENT);
    assert_null(plan);
    stoa_conv2d_plan_free(NULL);
    stoa_context_free(context);
}

/* A plan with its memory and its operands, all of them good. */
struct good {
    stoa_context *context;
    stoa_conv2d_plan *plan;
    stoa_conv2d_operands operands;
    float *y, *weight;
    void *prepared;
};

enum { X_FLOATS = 3 * 6 * 6 * 4, Y_FLOATS = 3 * 4 * 4 * 20, WEIGHTS = 3 * 3 * 4 * 20 };

static void open_good(struct good *g) {
    memset(g, 0, sizeof *g);
    assert_int_equal(stoa_context_create(&(stoa_context_options){.threads = 2}, &g->context), STOA_OK);
    stoa_conv2d_plan_options options = {.weight_layout = STOA_OIHW};
    assert_int_equal(stoa_conv2d_plan_create(g->context, &square, &options, &g->plan), STOA_OK);
    g->y = guarded_new(Y_FLOATS * sizeof(float));
    g->weight = numbers(WEIGHTS);
    g->operands = (stoa_conv2d_operands){.x = numbers(X_FLOATS),
                                         .y = g->y,
                                         .prepared_bytes = stoa_conv2d_plan_prepared_bytes(g->plan),
                                         .workspace_bytes = stoa_conv2d_plan_workspace_bytes(g->plan)};
    g->prepared = guarded_new(g->operands.prepared_bytes);
    g->operands.workspace = guarded_new(g->operands.workspace_bytes);
    g->operands.prepared = g->prepared;
    assert_true(g->operands.prepared_bytes > 64 && g->operands.workspace_bytes > 64);
    assert_int_equal(stoa_conv2d_plan_prepare(g->plan, g->weight, g->prepared, g->operands.prepared_bytes,
                                              g->operands.workspace, g->operands.workspace_bytes),
                     STOA_OK);
}

static void close_good(struct good *g) {
    guarded_free(g->y);
    guarded_free(g->weight);
    guarded_free(g->prepared);
    guarded_free(g->operands.workspace);
    float *x;
    memcpy(&x, &g->operands.x, sizeof x);
    guarded_free(x);
    stoa_conv2d_plan_free(g->plan);
    stoa_context_free(g->context);
}

static void refuse_run(const struct good *g, size_t batch, const stoa_conv2d_operands *operands,
                       const char *sentence) {
    assert_int_equal(stoa_conv2d_plan_run(g->plan, batch, operands), STOA_ERR_ARGUMENT);
    if (!strstr(stoa_context_error(g->context), sentence)) {
        fail_msg("found '%s', expected '%s'", stoa_context_error(g->context), sentence);
    }
    assert_true(isnan(g->y[0]) && isnan(g->y[Y_FLOATS - 1]));
}

static void refuses_operands(void **state) {
    (void)state;
    struct good g;
    open_good(&g);
    refuse_run(&g, 0, &g.operands, "stoa_conv2d_plan_run: batch is 0, expected 1 to 3");
    assert_int_equal(stoa_conv2d_plan_run(g.plan, 4, &g.operands), STOA_ERR_SHAPE);
    refuse_run(&g, 3, NULL, "stoa_conv2d_plan_run: operands is NULL");
    stoa_conv2d_operands bad = g.operands;
    bad.x = NULL;
    refuse_run(&g, 3, &bad, "stoa_conv2d_plan_run: x is NULL");
    bad = g.operands;
    bad.y = NULL;
    refuse_run(&g, 3, &bad, "y is NULL");
    bad = g.operands;
    bad.prepared = NULL;
    refuse_run(&g, 3, &bad, "weight is NULL");
    bad = g.operands;
    bad.prepared_bytes--;
    refuse_run(&g, 3, &bad, "found a prepared buffer of");
    bad = g.operands;
    bad.workspace_bytes--;
    refuse_run(&g, 3, &bad, "found a workspace of");
    bad = g.operands;
    bad.workspace = (char *)bad.workspace + 32;
    refuse_run(&g, 3, &bad, "the workspace is not aligned to 64 bytes");
    const stoa_conv2d_operands *o = &g.operands;
    assert_int_equal(stoa_conv2d_plan_prepare(g.plan, NULL, g.prepared, o->prepared_bytes, o->workspace,
                                              o->workspace_bytes),
                     STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(g.context), "stoa_conv2d_plan_prepare: weight is NULL");
    assert_int_equal(
        stoa_conv2d_plan_prepare(g.plan, g.weight, g.prepared, 64, o->workspace, o->workspace_bytes),
        STOA_ERR_ARGUMENT);
    assert_int_equal(stoa_conv2d_plan_prepare(g.plan, g.weight, g.prepared, o->prepared_bytes, NULL, 0),
                     STOA_ERR_ARGUMENT);
    assert_int_equal(stoa_conv2d_plan_run(g.plan, 3, &g.operands), STOA_OK);
    close_good(&g);
}

/* Weights that were prepared for a plan of other sizes, options or settings. */
static void refuses_prepared_weights_of_others(void **state) {
    (void)state;
    struct good g;
    open_good(&g);
    stoa_conv2d wider = square;
    wider.width++;
    stoa_conv2d less = square;
    less.batch--;
    const struct {
        stoa_conv2d conv;
        stoa_conv2d_plan_options options;
    } others[] = {{wider, {.weight_layout = STOA_OIHW}},
                  {less, {.weight_layout = STOA_OIHW}},
                  {square, {.weight_layout = STOA_OIHW, .x_layout = STOA_NCHW}},
                  {square, {.weight_layout = STOA_OIHW, .y_pixel = 21}}};
    const size_t bytes = (size_t)1 << 20;
    void *room = guarded_new(bytes);
    void *prepared = guarded_new(bytes);
    stoa_conv2d_operands operands = g.operands;
    operands.prepared = prepared;
    operands.prepared_bytes = bytes;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        stoa_conv2d_plan *plan = NULL;
        assert_int_equal(stoa_conv2d_plan_create(g.context, &others[i].conv, &others[i].options, &plan),
                         STOA_OK);
        assert_true(stoa_conv2d_plan_prepared_bytes(plan) > 0);
        assert_int_equal(stoa_conv2d_plan_prepare(plan, g.weight, prepared, bytes, room, bytes), STOA_OK);
        refuse_run(&g, 3, &operands,
                   "stoa_conv2d_plan_run: found weights that another plan has prepared, expected those of "
                   "the same sizes, options and settings of the context");
        stoa_conv2d_plan_free(plan);
    }
    guarded_free(prepared);
    guarded_free(room);
    close_good(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_reference),
        cmocka_unit_test(refuses_options),
        cmocka_unit_test(refuses_operands),
        cmocka_unit_test(refuses_prepared_weights_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
