/* SPDX-License-Identifier: MIT */
/* A layer with its numbers, ready to run: convolutions through the floor of algorithms as a model does,
 * linear layers through the public calls. Neither bias nor ReLU: other engines are timed without them too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/ops.h>

#include "base/random.h"
#include "base/size.h"
#include "bench/layer.h"

void bench_draw(float *numbers, size_t count, uint64_t key) {
    for (size_t i = 0; i < count; i += 4) {
        struct stoa_random4 four = stoa_philox(key, i / 4, 0);
        for (size_t j = i; j < stoa_min(i + 4, count); j++) {
            numbers[j] = stoa_random_unit(four.word[j - i]) - 0.5F;
        }
    }
}

static float *make_numbers(stoa_context *context, size_t count, uint64_t key) {
    float *numbers = stoa_allocate(context, count * sizeof(float), "bench");
    if (numbers) {
        bench_draw(numbers, count, key);
    }
    return numbers;
}

static void describe(struct bench_work *work, enum stoa_conv_pass pass) {
    char *text = work->algorithm[pass];
    if (work->layer->linear) {
        (void)snprintf(text, sizeof work->algorithm[pass], "linear");
    } else {
        stoa_conv_describe(&work->plan[pass], text, sizeof work->algorithm[pass]);
    }
}

/* The scratch that a planned pass wants. */
static bool make_scratch(struct bench_work *work, enum stoa_conv_pass pass) {
    describe(work, pass);
    work->scratch[pass] = stoa_allocate(work->context, work->plan[pass].bytes, "bench");
    return work->scratch[pass] != NULL;
}

bool bench_work_make(stoa_context *context, const struct bench_layer *layer, struct bench_work *work) {
    const struct stoa_conv *conv = &layer->conv;
    *work = (struct bench_work){
        .layer = layer,
        .context = context,
        .x = make_numbers(context, bench_layer_input(conv), 1),
        .weight = make_numbers(context, bench_layer_weights(conv), 2),
        .dy = make_numbers(context, bench_layer_output(conv), 3),
        .out_count = {bench_layer_output(conv), bench_layer_input(conv), bench_layer_weights(conv)}};
    bool there = work->x && work->weight && work->dy;
    for (int pass = 0; there && pass < BENCH_PASSES; pass++) {
        work->out[pass] = stoa_allocate(context, work->out_count[pass] * sizeof(float), "bench");
        there = work->out[pass] &&
                (layer->linear ||
                 stoa_conv_plan(context, conv, (enum stoa_conv_pass)pass, layer->name, &work->plan[pass])) &&
                make_scratch(work, (enum stoa_conv_pass)pass);
    }
    if (!there) {
        (void)cli_fail(CLI_FAILED, "%s: not enough memory", layer->name);
    }
    return there;
}

bool bench_work_prepare(struct bench_work *work) {
    const struct stoa_conv_plan *plan = &work->plan[STOA_CONV_FORWARD];
    if (plan->prepared_bytes == 0) {
        return true;
    }
    work->prepared = stoa_allocate(work->context, plan->prepared_bytes, "bench");
    if (!work->prepared) {
        (void)cli_fail(CLI_FAILED, "%s: not enough memory for its prepared weights", work->layer->name);
        return false;
    }
    stoa_conv_prepare(work->context, plan, work->weight, work->prepared, NULL);
    char *text = work->algorithm[STOA_CONV_FORWARD];
    size_t length = strlen(text);
    (void)snprintf(text + length, sizeof work->algorithm[0] - length, ", weights ready");
    return true;
}

static void release(stoa_context *context, const float *numbers, size_t count) {
    stoa_release(context, (void *)(uintptr_t)numbers, count * sizeof(float));
}

void bench_work_free(struct bench_work *work) {
    const struct stoa_conv *conv = &work->layer->conv;
    release(work->context, work->x, bench_layer_input(conv));
    release(work->context, work->weight, bench_layer_weights(conv));
    release(work->context, work->dy, bench_layer_output(conv));
    stoa_release(work->context, work->prepared, work->plan[STOA_CONV_FORWARD].prepared_bytes);
    for (int pass = 0; pass < BENCH_PASSES; pass++) {
        release(work->context, work->out[pass], work->out_count[pass]);
        stoa_release(work->context, work->scratch[pass], work->plan[pass].bytes);
    }
}

bool bench_work_make_other(const struct bench_work *work, const struct stoa_conv_plan *plan,
                           struct bench_work *other) {
    *other = *work;
    other->plan[plan->pass] = *plan;
    if (!make_scratch(other, plan->pass)) {
        (void)cli_fail(CLI_FAILED, "%s: not enough memory for %s", work->layer->name, plan->algorithm->name);
        return false;
    }
    return true;
}

void bench_work_free_other(struct bench_work *other, enum stoa_conv_pass pass) {
    stoa_release(other->context, other->scratch[pass], other->plan[pass].bytes);
}

static void run_linear(const struct bench_work *work, enum stoa_conv_pass pass) {
    const struct stoa_conv *conv = &work->layer->conv;
    size_t in = conv->window.channels, out = conv->filters;
    stoa_status status = STOA_OK;
    switch (pass) {
    case STOA_CONV_FORWARD:
        status = stoa_linear_forward(work->context, conv->batch, in, out, work->x, work->weight, NULL, NULL,
                                     work->out[pass]);
        break;
    case STOA_CONV_BACKWARD_DATA:
        status = stoa_linear_backward(work->context, conv->batch, in, out, work->x, work->weight, work->dy,
                                      work->out[pass], NULL, NULL);
        break;
    case STOA_CONV_BACKWARD_WEIGHTS:
        status = stoa_linear_backward(work->context, conv->batch, in, out, work->x, work->weight, work->dy,
                                      NULL, work->out[pass], NULL);
        break;
    }
    if (status != STOA_OK) {
        /* The outputs keep their NaN, and the row is found wrong. */
        (void)cli_fail_library(work->context, status);
    }
}

void bench_work_run(const struct bench_work *work, enum stoa_conv_pass pass) {
    if (work->layer->linear) {
        run_linear(work, pass);
        return;
    }
    struct stoa_conv_run run = {.context = work->context,
                                .batch = work->layer->conv.batch,
                                .x = pass == STOA_CONV_BACKWARD_DATA ? NULL : work->x,
                                .weight = pass == STOA_CONV_BACKWARD_WEIGHTS ? NULL : work->weight,
                                .dy = pass == STOA_CONV_FORWARD ? NULL : work->dy,
                                .prepared = pass == STOA_CONV_FORWARD ? work->prepared : NULL,
                                .workspace = work->scratch[pass]};
    *(pass == STOA_CONV_FORWARD         ? &run.y
      : pass == STOA_CONV_BACKWARD_DATA ? &run.dx
                                        : &run.dweight) = work->out[pass];
    stoa_conv_run(&work->plan[pass], &run);
}
