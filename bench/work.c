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
    for (size_t i = 0; i < count; i++) {
        struct stoa_random4 four = stoa_philox(key, i / 4, 0);
        numbers[i] = stoa_random_unit(four.word[i % 4]) - 0.5F;
    }
}

static float *make_numbers(stoa_context *context, size_t count, uint64_t key) {
    float *numbers = stoa_allocate(context, count * sizeof(float), "bench");
    if (numbers) {
        bench_draw(numbers, count, key);
    }
    return numbers;
}

static bool plan_pass(struct bench_work *work, enum stoa_conv_pass pass) {
    const struct stoa_conv *conv = &work->layer->conv;
    size_t *bytes = &work->scratch_bytes[pass];
    if (work->layer->linear) {
        (void)snprintf(work->algorithm[pass], sizeof work->algorithm[pass], "linear");
        return true;
    }
    const struct stoa_conv_algorithm *algorithm = work->chosen[pass];
    if (!algorithm) {
        return false;
    }
    algorithm->describe(work->context, conv, pass, work->algorithm[pass], sizeof work->algorithm[pass]);
    return algorithm->workspace(work->context, conv, pass, bytes);
}

/* Ask for the scratch that a pass wants, and for it. */
static bool make_scratch(struct bench_work *work, enum stoa_conv_pass pass) {
    bool planned = plan_pass(work, pass);
    work->scratch[pass] = planned ? stoa_allocate(work->context, work->scratch_bytes[pass], "bench") : NULL;
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
        work->chosen[pass] =
            layer->linear ? NULL : stoa_conv_choose(context, conv, (enum stoa_conv_pass)pass);
        work->out[pass] = stoa_allocate(context, work->out_count[pass] * sizeof(float), "bench");
        there = work->out[pass] && make_scratch(work, (enum stoa_conv_pass)pass);
    }
    if (!there) {
        (void)cli_fail(CLI_FAILED, "%s: not enough memory", layer->name);
    }
    return there;
}

bool bench_work_prepare(struct bench_work *work) {
    const struct stoa_conv *conv = &work->layer->conv;
    const struct stoa_conv_algorithm *algorithm = work->chosen[STOA_CONV_FORWARD];
    work->prepared_bytes = algorithm ? stoa_conv_prepared_bytes(algorithm, work->context, conv) : 0;
    if (work->prepared_bytes == 0) {
        return true;
    }
    work->prepared = stoa_allocate(work->context, work->prepared_bytes, "bench");
    if (!work->prepared) {
        (void)cli_fail(CLI_FAILED, "%s: not enough memory for its prepared weights", work->layer->name);
        return false;
    }
    algorithm->prepare(work->context, conv, work->weight, work->prepared);
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
    stoa_release(work->context, work->prepared, work->prepared_bytes);
    for (int pass = 0; pass < BENCH_PASSES; pass++) {
        release(work->context, work->out[pass], work->out_count[pass]);
        stoa_release(work->context, work->scratch[pass], work->scratch_bytes[pass]);
    }
}

bool bench_work_make_other(const struct bench_work *work, enum stoa_conv_pass pass,
                           const struct stoa_conv_algorithm *algorithm, struct bench_work *other) {
    *other = *work;
    other->chosen[pass] = algorithm;
    if (!make_scratch(other, pass)) {
        (void)cli_fail(CLI_FAILED, "%s: not enough memory for %s", work->layer->name, algorithm->name);
        return false;
    }
    return true;
}

void bench_work_free_other(struct bench_work *other, enum stoa_conv_pass pass) {
    stoa_release(other->context, other->scratch[pass], other->scratch_bytes[pass]);
}

static void run_linear(const struct bench_work *work, enum stoa_conv_pass pass) {
    const struct stoa_conv *conv = &work->layer->conv;
    size_t in = conv->window.channels, out = conv->filters;
    stoa_status status = STOA_OK;
    switch (pass) {
    case STOA_CONV_FORWARD:
        status = stoa_linear_forward(work->context, conv->batch, in, out, work->x, work->weight, NULL,
                                     STOA_ACTIVATION_NONE, work->out[pass]);
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
    const struct stoa_conv *conv = &work->layer->conv;
    if (work->layer->linear) {
        run_linear(work, pass);
        return;
    }
    const struct stoa_conv_algorithm *algorithm = work->chosen[pass];
    switch (pass) {
    case STOA_CONV_FORWARD:
        stoa_conv_forward(algorithm, work->context, conv, work->x, work->weight, work->prepared, NULL, false,
                          work->out[pass], work->scratch[pass]);
        break;
    case STOA_CONV_BACKWARD_DATA:
        algorithm->backward_data(work->context, conv, work->dy, work->weight, work->out[pass],
                                 work->scratch[pass]);
        break;
    case STOA_CONV_BACKWARD_WEIGHTS:
        algorithm->backward_weights(work->context, conv, work->x, work->dy, work->out[pass], NULL,
                                    work->scratch[pass]);
        break;
    }
}
