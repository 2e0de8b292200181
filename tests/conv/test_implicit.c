/* SPDX-License-Identifier: MIT */
/* The implicit algorithm decides everything in its plan: each way to cut a pass is one of these cases, a run
 * of a smaller batch gives the first images of a larger one to the last bit, and a run under another tuning
 * table gives the same bits as one under the plan's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ops/harness.h"
#include "base/random.h"
#include "blas/blas.h"
#include "conv/implicit_pass.h"
#include "core/tuning.h"
#include "strided.h"

enum { BATCH = 5, THREADS = 2 };

enum kind { COPY, IN_PLACE, GROUP, TAPS, INSIDE, FAR };
static const char *const kind_names[] = {"copy", "in place", "group", "by taps", "inside", "far"};

struct shape {
    enum kind forward, data;
    size_t phases; /* of backward data */
    size_t kernel, stride, channels, height, width, filters, pad;
};

static const struct shape shapes[] = {
    {COPY, COPY, 1, 3, 1, 16, 9, 9, 32, 1},     {IN_PLACE, COPY, 1, 5, 1, 16, 14, 14, 16, 0},
    {GROUP, COPY, 1, 5, 1, 32, 12, 12, 1, 0},   {TAPS, TAPS, 4, 3, 2, 256, 7, 7, 256, 1},
    {INSIDE, COPY, 4, 3, 2, 3, 20, 224, 32, 1}, {COPY, COPY, 9, 4, 3, 5, 11, 13, 20, 2},
    {FAR, TAPS, 1, 3, 1, 256, 4, 4, 512, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static enum kind kind_of(const struct stoa_implicit_cut *cut) {
    return cut->far && !cut->packs ? FAR
           : cut->by_taps          ? TAPS
           : cut->inside           ? INSIDE
           : cut->view.group > 1   ? GROUP
           : cut->view.pads        ? COPY
                                   : IN_PLACE;
}

/* Two tables that differ in all that the implicit algorithm plans by. */
struct state {
    stoa_context *context;
    const struct stoa_tuning *own;
    struct stoa_tuning planned, other;
};

static int set_up(void **state) {
    static struct state s;
    stoa_context_options options = {.threads = THREADS};
    assert_int_equal(stoa_context_create(&options, &s.context), STOA_OK);
    s.own = s.context->tuning;
    s.planned = s.other = *s.own;
    s.planned.implicit_tile_pixels = 512;
    s.planned.implicit_tile_bytes = 1 << 19;
    s.planned.implicit_terms = 512;
    s.planned.implicit_tap_channels = 256;
    s.planned.implicit_long_pixels = 2400;
    s.planned.implicit_edge_floats = 500;
    s.planned.implicit_far_floats = 1 << 20;
    s.other.implicit_tile_pixels = 37;
    s.other.implicit_tile_bytes = 8192;
    s.other.implicit_terms = 100;
    s.other.implicit_tap_channels = 8;
    s.other.implicit_long_pixels = 50;
    s.other.implicit_edge_floats = 0;
    s.other.implicit_far_floats = 1;
    s.context->tuning = &s.planned;
    *state = &s;
    return 0;
}

static int tear_down(void **state) {
    struct state *s = *state;
    s->context->tuning = s->own;
    stoa_context_free(s->context);
    return 0;
}

static float *numbers(size_t count, uint64_t key) {
    float *made = guarded_new(count * sizeof *made);
    for (size_t i = 0; i < count; i++) {
        made[i] = 2 * stoa_random_unit(stoa_philox(key, i, 6).word[0]) - 1;
    }
    return made;
}

/* One pass on its own numbers; the result. */
static float *run_pass(const stoa_context *context, const struct stoa_conv_plan *plan, size_t batch) {
    const struct stoa_conv *conv = &plan->conv;
    const struct stoa_window *w = &conv->window;
    size_t x_count = BATCH * w->height * w->width * w->channels;
    size_t y_count = stoa_conv_pixels(conv) * conv->filters;
    size_t weights = stoa_conv_weights(conv);
    float *x = numbers(x_count, 1);
    float *weight = numbers(weights, 2);
    float *dy = numbers(y_count, 3);
    size_t counts[STOA_CONV_PASSES] = {y_count / BATCH * batch, x_count / BATCH * batch, weights};
    float *result = guarded_new(counts[plan->pass] * sizeof *result);
    struct stoa_conv_run run = {.context = context,
                                .batch = batch,
                                .x = x,
                                .weight = weight,
                                .dy = dy,
                                .workspace = guarded_new(plan->bytes)};
    run.y = plan->pass == STOA_CONV_FORWARD ? result : NULL;
    run.dx = plan->pass == STOA_CONV_BACKWARD_DATA ? result : NULL;
    run.dweight = plan->pass == STOA_CONV_BACKWARD_WEIGHTS ? result : NULL;
    stoa_blas_enter();
    stoa_conv_run(plan, &run);
    stoa_blas_leave();
    guarded_check(run.workspace, "the workspace");
    guarded_check(result, "the result");
    guarded_free(run.workspace);
    guarded_free(x);
    guarded_free(weight);
    guarded_free(dy);
    return result;
}

/* Floats of one image of a pass's result. */
static size_t image_of(const struct stoa_conv_plan *plan) {
    const struct stoa_window *w = &plan->conv.window;
    return plan->pass == STOA_CONV_FORWARD ? w->out_height * w->out_width * plan->conv.filters
                                           : w->height * w->width * w->channels;
}

static struct stoa_conv_plan plan_of(struct state *s, const struct shape *shape, enum stoa_conv_pass pass) {
    struct stoa_conv conv = strided(shape->kernel, shape->stride, BATCH, shape->channels, shape->height,
                                    shape->width, shape->filters, shape->pad, 0);
    struct stoa_conv_plan plan;
    assert_true(stoa_conv_plan_with(s->context, &stoa_conv_implicit, &conv, pass, &plan));
    return plan;
}

static void cuts_each_way(void **state) {
    for (size_t i = 0; i < SHAPES; i++) {
        struct stoa_conv_plan forward = plan_of(*state, &shapes[i], STOA_CONV_FORWARD);
        struct stoa_conv_plan data = plan_of(*state, &shapes[i], STOA_CONV_BACKWARD_DATA);
        const struct stoa_implicit_cut *cut = (const void *)data.cut.bytes;
        size_t phases = cut->view.down.axes * cut->view.across.axes;
        enum kind found = kind_of((const void *)forward.cut.bytes);
        if (found != shapes[i].forward || kind_of(cut) != shapes[i].data || phases != shapes[i].phases) {
            fail_msg("shape %zu: %s, %s in %zu phases, expected %s, %s in %zu", i, kind_names[found],
                     kind_names[kind_of(cut)], phases, kind_names[shapes[i].forward],
                     kind_names[shapes[i].data], shapes[i].phases);
        }
        assert_true((forward.prepared_bytes > 0) ==
                    ((const struct stoa_implicit_cut *)(const void *)forward.cut.bytes)->far);
        assert_true(data.prepared_bytes == 0);
    }
}

static void runs_a_part_of_the_planned_batch(void **state) {
    struct state *s = *state;
    for (size_t i = 0; i < SHAPES; i++) {
        for (int pass = STOA_CONV_FORWARD; pass <= STOA_CONV_BACKWARD_DATA; pass++) {
            struct stoa_conv_plan plan = plan_of(s, &shapes[i], (enum stoa_conv_pass)pass);
            float *all = run_pass(s->context, &plan, BATCH);
            for (size_t batch = 1; batch < BATCH; batch++) {
                float *some = run_pass(s->context, &plan, batch);
                if (memcmp(all, some, batch * image_of(&plan) * sizeof *all) != 0) {
                    fail_msg("shape %zu, pass %d: %zu of %d images have other bits", i, pass, batch, BATCH);
                }
                guarded_free(some);
            }
            guarded_free(all);
        }
    }
}

static void decides_nothing_in_a_run(void **state) {
    struct state *s = *state;
    for (size_t i = 0; i < SHAPES; i++) {
        for (int pass = 0; pass < STOA_CONV_PASSES; pass++) {
            struct stoa_conv_plan plan = plan_of(s, &shapes[i], (enum stoa_conv_pass)pass);
            float *right = run_pass(s->context, &plan, BATCH);
            s->context->tuning = &s->other;
            float *again = run_pass(s->context, &plan, BATCH);
            struct stoa_conv_plan other = plan_of(s, &shapes[i], (enum stoa_conv_pass)pass);
            s->context->tuning = &s->planned;
            size_t count =
                pass == STOA_CONV_BACKWARD_WEIGHTS ? stoa_conv_weights(&plan.conv) : BATCH * image_of(&plan);
            if (memcmp(right, again, count * sizeof *right) != 0) {
                fail_msg("shape %zu, pass %d: other bits under another tuning table", i, pass);
            }
            assert_memory_not_equal(plan.cut.bytes, other.cut.bytes, sizeof plan.cut.bytes);
            guarded_free(right);
            guarded_free(again);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_each_way),
                                       cmocka_unit_test(runs_a_part_of_the_planned_batch),
                                       cmocka_unit_test(decides_nothing_in_a_run)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
