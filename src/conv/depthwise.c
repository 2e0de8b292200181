/* SPDX-License-Identifier: MIT */
/* Depthwise convolution has a direct kernel: one filter a channel makes a product of one column, which sgemm
 * cannot do well. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/threads.h"

enum { LARGE_IMAGE = 128 };

struct depthwise_cut {
    size_t rows;             /* output rows of a task of the forward pass */
    size_t channels, groups; /* the weight gradient: channels of a group, and groups */
    struct stoa_partials sums;
};
_Static_assert(sizeof(struct depthwise_cut) <= STOA_CONV_CUT_BYTES, "the cut fits in a plan");

/* A task has few output rows, so that the image rows they share stay in the core's cache: whole images where
 * they are low, parts of even size where they are tall. */
static size_t rows_per_task(const struct stoa_window *w, size_t most) {
    return w->out_height <= most ? most / w->out_height * w->out_height
                                 : stoa_ceil_div(w->out_height, stoa_ceil_div(w->out_height, most));
}

/* A weight gradient is cut into groups of channels, which need no sums of their own, and into blocks of
 * samples where tasks are missing. Wide groups are read in longer runs but leave more to the blocks, whose
 * sums pay where images are large. */
static void cut_weights(const stoa_context *context, const struct stoa_conv *conv,
                        struct depthwise_cut *cut) {
    const struct stoa_tuning *tuning = context->tuning;
    const struct stoa_window *w = &conv->window;
    const bool large = w->out_height * w->out_width >= LARGE_IMAGE;
    size_t channels = large ? tuning->depthwise_wide_channels : tuning->depthwise_channels;
    size_t groups = stoa_max(1, stoa_min(tuning->depthwise_tasks, w->channels / channels));
    cut->channels = stoa_round_up(stoa_ceil_div(w->channels, groups), STOA_ALIGN_FLOATS);
    cut->groups = stoa_ceil_div(w->channels, cut->channels);
    cut->sums = stoa_partials_of(context, conv);
    while (cut->sums.blocks > 1 && cut->sums.blocks / 2 * cut->groups >= tuning->depthwise_tasks) {
        cut->sums.blocks /= 2;
    }
}

static bool plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    const struct stoa_conv *conv = &plan->conv;
    const struct stoa_window *w = &conv->window;
    struct depthwise_cut *cut = (void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = NULL};
    if (conv->groups != w->channels || conv->filters != conv->groups || conv->groups <= 1) {
        return false;
    }
    cut->rows = rows_per_task(w, context->tuning->depthwise_rows);
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        cut_weights(context, conv, cut);
        (void)stoa_partials_carve(&cut->sums, &room);
    }
    plan->finishes = true;
    plan->bytes = room.bytes;
    /* Each tap, output pixel and channel is one multiply-add, and little can be kept in registers. */
    plan->cost = stoa_cost_tile(context, (double)stoa_conv_pixels(conv) * (double)stoa_conv_weights(conv));
    return !room.overflow;
}

/* What the tasks of a run share. */
struct depthwise_pass {
    const struct depthwise_cut *cut;
    const struct stoa_conv_run *run;
    const struct stoa_kernels *kernels;
    struct stoa_conv conv;
    struct stoa_partials sums;
};

static void forward_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct depthwise_pass *p = argument;
    const struct stoa_conv_run *run = p->run;
    const struct stoa_window *w = &p->conv.window;
    size_t row = task * p->cut->rows;
    size_t rows = stoa_min(p->cut->rows, stoa_conv_rows(&p->conv) - row);
    p->kernels->depthwise(w, run->x, run->weight, run->bias, row, rows,
                          run->y + row * w->out_width * w->channels);
    stoa_conv_finish(run, &p->conv, NULL, row * w->out_width, rows * w->out_width);
}

static void backward_data_image(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct depthwise_pass *p = argument;
    const struct stoa_window *w = &p->conv.window;
    p->kernels->depthwise_backward_data(w, p->run->dy + task * w->out_height * w->out_width * w->channels,
                                        p->run->weight,
                                        p->run->dx + task * w->height * w->width * w->channels);
    stoa_finish_pixels(&p->run->finish, p->run->dx, w->channels, w->channels, task * w->height * w->width,
                       w->height * w->width, 0, w->channels);
}

static void backward_weights_part(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct depthwise_pass *p = argument;
    const struct stoa_window *w = &p->conv.window;
    const size_t block = task / p->cut->groups;
    const size_t channel0 = task % p->cut->groups * p->cut->channels;
    const size_t channels = stoa_min(p->cut->channels, w->channels - channel0);
    size_t row;
    size_t end;
    stoa_partial_rows(&p->sums, &p->conv, block, &row, &end);
    const float *dy = p->run->dy + row * w->out_width * w->channels;
    float *weights = stoa_partial_weights(&p->sums, block);
    float *bias = stoa_partial_bias(&p->sums, block);
    for (size_t tap = 0; tap < w->kernel_height * w->kernel_width; tap++) {
        memset(weights + tap * w->channels + channel0, 0, channels * sizeof *weights);
    }
    p->kernels->depthwise_backward_weights(w, p->run->x, dy, row, end - row, channel0, channels, weights);
    if (bias) {
        p->kernels->column_sums(dy + channel0, (end - row) * w->out_width, channels, w->channels,
                                bias + channel0);
    }
}

static void run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct depthwise_cut *cut = (const void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = run->workspace};
    struct depthwise_pass p = {.cut = cut, .run = run, .kernels = run->context->kernels, .conv = plan->conv};
    p.conv.batch = run->batch;
    switch (plan->pass) {
    case STOA_CONV_FORWARD:
        stoa_parallel(run->context, stoa_ceil_div(stoa_conv_rows(&p.conv), cut->rows), forward_rows, &p);
        break;
    case STOA_CONV_BACKWARD_DATA:
        stoa_parallel(run->context, run->batch, backward_data_image, &p);
        break;
    case STOA_CONV_BACKWARD_WEIGHTS:
        p.sums = stoa_partials_begin(&cut->sums, stoa_conv_rows(&p.conv), run,
                                     stoa_partials_carve(&cut->sums, &room));
        stoa_parallel(run->context, p.sums.blocks * cut->groups, backward_weights_part, &p);
        stoa_partials_reduce(run->context, &p.sums);
        break;
    }
}

static void describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct depthwise_cut *cut = (const void *)plan->cut.bytes;
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        (void)snprintf(out, size, "depthwise, %zu groups of channels by %zu blocks of samples", cut->groups,
                       cut->sums.blocks);
    } else {
        (void)snprintf(out, size, "depthwise, direct");
    }
}

const struct stoa_conv_algorithm stoa_conv_depthwise = {
    STOA_CONV_NAME(depthwise),
    .plan = plan,
    .run = run,
    .describe = describe,
};
