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
#include "tests/conv/problem.h"

enum { CASES = 250, SEED = 9, PASSES = 3, THREADS = 4 };
static const size_t thread_counts[THREADS] = {1, 2, 3, 7};

/* The problem as C users describe it. */
struct described {
    stoa_conv2d conv;
    stoa_conv2d_plan_options options;
};

/* Rows or columns of padding behind that give so many outputs. */
static size_t padding_behind(size_t size, size_t kernel, size_t stride, size_t dilation, size_t pad,
                             size_t out) {
    size_t reach = (out - 1) * stride + (kernel - 1) * dilation + 1;
    return reach > size + pad ? reach - size - pad : 0;
}

/* Where 1 or dense is the default it is often left out. */
static size_t or_default(size_t value, size_t is) {
    return value == is && problem_one_in(2) ? 0 : value;
}

static struct described describe(const struct problem *p) {
    const struct stoa_conv *c = &p->conv;
    const struct stoa_window *w = &c->window;
    return (struct described){
        .conv = {.batch = p->planned_batch,
                 .height = w->height,
                 .width = w->width,
                 .channels = w->channels,
                 .filters = c->filters,
                 .kernel_height = w->kernel_height,
                 .kernel_width = w->kernel_width,
                 .stride_height = or_default(w->stride_height, 1),
                 .stride_width = or_default(w->stride_width, 1),
                 .dilation_height = or_default(w->dilation_height, 1),
                 .dilation_width = or_default(w->dilation_width, 1),
                 .pad_top = w->pad_top,
                 .pad_bottom = padding_behind(w->height, w->kernel_height, w->stride_height,
                                              w->dilation_height, w->pad_top, w->out_height),
                 .pad_left = w->pad_left,
                 .pad_right = padding_behind(w->width, w->kernel_width, w->stride_width, w->dilation_width,
                                             w->pad_left, w->out_width),
                 .groups = or_default(c->groups, 1)},
        .options = {.x_layout = c->x_planar ? STOA_NCHW : STOA_NHWC,
                    .y_layout = c->y_planar ? STOA_NCHW : STOA_NHWC,
                    .x_pixel = c->x_planar || c->x_pixel ? c->x_pixel : or_default(w->channels, w->channels),
                    .y_pixel = c->y_planar || c->y_pixel ? c->y_pixel : or_default(c->filters, c->filters),
                    .weight_layout = c->oihw ? STOA_OIHW : STOA_HWIO}};
}

/* A run of a plan: dense results. */
struct outcome {
    float *result, *dbias;
};

static struct outcome run(const struct problem *p, const stoa_conv2d_plan *plan, stoa_conv2d_pass pass,
                          const struct expected *e, const void *prepared) {
    static const enum operand results[PASSES] = {Y, X, WEIGHT};
    float start = p->conv.adds && pass != STOA_CONV2D_FORWARD ? PROBLEM_START : NAN;
    float *x = spread(&p->conv, X, p->x, p->x_count);
    float *dy = spread(&p->conv, Y, p->dy, p->y_count);
    float *weight = spread(&p->conv, WEIGHT, p->weight, p->weight_count);
    float *result = blank(&p->conv, results[pass], e->first_count, start);
    float *dbias = blank(&p->conv, BIAS, e->second_count, start);
    size_t bytes = stoa_conv2d_plan_workspace_bytes(plan);
    void *workspace = guarded_new(bytes);
    /* Inputs of all passes are given; only the pass's own are touched. */
    stoa_conv2d_operands operands = {.x = x,
                                     .weight = prepared ? NULL : weight,
                                     .prepared = prepared,
                                     .prepared_bytes = stoa_conv2d_plan_prepared_bytes(plan),
                                     .bias = p->has_bias ? p->bias : NULL,
                                     .dy = dy,
                                     .y = pass == STOA_CONV2D_FORWARD ? result : NULL,
                                     .dx = pass == STOA_CONV2D_BACKWARD_DATA ? result : NULL,
                                     .dweight = pass == STOA_CONV2D_BACKWARD_WEIGHTS ? result : NULL,
                                     .dbias = e->second_count > 0 ? dbias : NULL,
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
    return (struct outcome){collect(&p->conv, results[pass], e->first_count, result, p->text),
                            collect(&p->conv, BIAS, e->second_count, dbias, p->text)};
}

static void release(struct outcome o) {
    guarded_free(o.result);
    guarded_free(o.dbias);
}

static void check_same(const struct problem *p, const char *what, const float *got, const float *want,
                       size_t count) {
    if (count > 0 && memcmp(got, want, count * sizeof *got) != 0) { /* of none there are no pointers */
        fail_msg("%s: other bits %s", p->text, what);
    }
}

static stoa_conv2d_plan *plan_of(const struct problem *p, const struct described *d, stoa_context *context,
                                 stoa_conv2d_pass pass) {
    stoa_conv2d_plan *plan = NULL;
    stoa_conv2d_plan_options options = d->options;
    options.pass = pass;
    options.activation = pass == STOA_CONV2D_FORWARD && p->relu ? "relu" : NULL;
    options.accumulate = pass != STOA_CONV2D_FORWARD && p->conv.adds;
    if (stoa_conv2d_plan_create(context, &d->conv, &options, &plan) != STOA_OK) {
        fail_msg("%s: %s", p->text, stoa_context_error(context));
    }
    assert_true(strlen(stoa_conv2d_plan_describe(plan)) > 0);
    return plan;
}

static size_t prepared_plans;

/* Weights that one context's plan has prepared, in all others. */
static void check_prepared(const struct problem *p, const struct described *d, stoa_context *const *contexts,
                           const struct expected *e, const float *right) {
    stoa_conv2d_plan *first = plan_of(p, d, contexts[0], STOA_CONV2D_FORWARD);
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
        stoa_conv2d_plan *plan = plan_of(p, d, contexts[t], STOA_CONV2D_FORWARD);
        assert_int_equal(stoa_conv2d_plan_prepared_bytes(plan), bytes);
        struct outcome o = run(p, plan, STOA_CONV2D_FORWARD, e, prepared);
        check_same(p, "with prepared weights", o.result, right, e->first_count);
        release(o);
        stoa_conv2d_plan_free(plan);
    }
    prepared_plans += bytes > 0;
    guarded_free(prepared);
    stoa_conv2d_plan_free(first);
}

static void check_pass(const struct problem *p, const struct described *d, stoa_context *const *contexts,
                       stoa_conv2d_pass pass) {
    struct expected e = problem_expect(p, (enum stoa_conv_pass)pass);
    struct outcome one = {NULL, NULL};
    for (size_t t = 0; t < THREADS; t++) {
        stoa_conv2d_plan *plan = plan_of(p, d, contexts[t], pass);
        const char *name = stoa_conv2d_plan_describe(plan);
        struct outcome o = run(p, plan, pass, &e, NULL);
        struct outcome again = run(p, plan, pass, &e, NULL);
        check_same(p, "in a second run", again.result, o.result, e.first_count);
        release(again);
        if (t == 0) {
            one = o;
            (void)problem_check(p, name, o.result, e.first, e.first_count, e.first_size, problem_bound(name));
            (void)problem_check(p, name, o.dbias, e.second, e.second_count, e.second_size, problem_bound(""));
        } else {
            check_same(p, "on more threads", o.result, one.result, e.first_count);
            check_same(p, "of the bias on more threads", o.dbias, one.dbias, e.second_count);
            release(o);
        }
        stoa_conv2d_plan_free(plan);
    }
    if (pass == STOA_CONV2D_FORWARD) {
        check_prepared(p, d, contexts, &e, one.result);
    }
    release(one);
    expected_free(&e);
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
        problem_draw(&p, SEED, number);
        struct described d = describe(&p);
        for (int pass = 0; pass < PASSES; pass++) {
            check_pass(&p, &d, contexts, (stoa_conv2d_pass)pass);
        }
        problem_free(&p);
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
        {{.activation = "tanhh"},
         STOA_ERR_ARGUMENT,
         NAME
         "activation 'tanhh': unknown operator 'tanhh', did you mean 'tanh'? Expected one such as 'relu'"},
        {{.activation = "relu slope=1"},
         STOA_ERR_ARGUMENT,
         NAME "activation 'relu slope=1': unknown option 'slope', expected no options"},
        {{.activation = "prelu"},
         STOA_ERR_ARGUMENT,
         NAME "activation 'prelu' is no function of one number without parameters"},
        {{.x_pixel = 3}, STOA_ERR_SHAPE, NAME "x_pixel is 3, expected 0 or 4 to 1073741824"},
        {{.y_pixel = 19}, STOA_ERR_SHAPE, NAME "y_pixel is 19, expected 0 or 20 to 1073741824"},
        {{.y_pixel = (size_t)1 << 27}, STOA_ERR_SHAPE, NAME "y has more than 1073741824 elements a sample"},
        {{.x_pixel = 8, .x_layout = STOA_NCHW},
         STOA_ERR_ARGUMENT,
         NAME "x_pixel is 8 with STOA_NCHW, expected 0: only NHWC has slices"},
        {{.accumulate = true},
         STOA_ERR_ARGUMENT,
         NAME "found accumulate for a forward pass, expected a backward one"},
        {{.pass = STOA_CONV2D_BACKWARD_DATA, .activation = "relu"},
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

static float *numbers(size_t count) {
    float *to = guarded_new(count * sizeof *to);
    for (size_t i = 0; i < count; i++) {
        to[i] = 2 * stoa_random_unit(stoa_philox(7, count, i).word[0]) - 1;
    }
    return to;
}

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
