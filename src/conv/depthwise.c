/* SPDX-License-Identifier: MIT */
/* Depthwise convolution with a direct kernel: one filter a channel is a product of one column, which sgemm
 * cannot do well. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/threads.h"

/* The kernels work on seven rows at once. */
enum { ROWS_PER_TASK = 7 };

/* A weight gradient is cut into TASKS tasks or some more: into groups of channels, which need no sums of
 * their own, and what is missing into blocks of samples. Wide groups are read in longer runs, but leave more
 * to the blocks, whose sums pay where images are large. */
enum { TASKS = 16, GROUP_CHANNELS = 64, WIDE_GROUP_CHANNELS = 128, LARGE_IMAGE = 128 };

/* At most ROWS_PER_TASK rows a task, so that what its lines share stays in the core's cache: whole images
 * where they are low, parts of even size where they are tall. */
static size_t rows_per_task(const struct stoa_window *w) {
    if (w->out_height <= ROWS_PER_TASK) {
        return ROWS_PER_TASK / w->out_height * w->out_height;
    }
    return stoa_ceil_div(w->out_height, stoa_ceil_div(w->out_height, ROWS_PER_TASK));
}

/* Channels of a group: whole cache lines. */
static size_t group_channels(const struct stoa_window *w) {
    size_t channels = w->out_height * w->out_width < LARGE_IMAGE ? GROUP_CHANNELS : WIDE_GROUP_CHANNELS;
    size_t groups = stoa_min(TASKS, stoa_max(1, w->channels / channels));
    return stoa_round_up(stoa_ceil_div(w->channels, groups), STOA_ALIGN_FLOATS);
}

static size_t group_count(const struct stoa_window *w) {
    return stoa_ceil_div(w->channels, group_channels(w));
}

static struct stoa_partials partials_of(const stoa_context *context, const struct stoa_conv *conv) {
    struct stoa_partials sums = stoa_partials_of(context, conv);
    while (sums.blocks > 1 && sums.blocks / 2 * group_count(&conv->window) >= TASKS) {
        sums.blocks /= 2;
    }
    return sums;
}

static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    (void)context;
    (void)pass;
    return conv->groups == conv->window.channels && conv->filters == conv->groups && conv->groups > 1;
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes) {
    struct stoa_partials sums = partials_of(context, conv);
    *bytes = 0;
    return pass != STOA_CONV_BACKWARD_WEIGHTS || stoa_partials_bytes(&sums, bytes);
}

/* One multiply-add a tap, output pixel and channel, with little to keep in registers. */
static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    (void)pass;
    const struct stoa_window *w = &conv->window;
    double outputs = (double)conv->batch * (double)(w->out_height * w->out_width) * (double)w->channels;
    double inputs = (double)conv->batch * (double)(w->height * w->width) * (double)w->channels;
    return stoa_cost_tile(context, outputs * (double)(w->kernel_height * w->kernel_width)) +
           stoa_cost_stream(context, inputs + outputs);
}

struct pass {
    const stoa_context *context;
    const struct stoa_conv *conv;
    const float *x, *weight, *bias, *dy;
    float *y, *dx;
    bool relu;
    struct stoa_partials sums;
};

static void forward_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct stoa_window *w = &p->conv->window;
    size_t row = task * rows_per_task(w);
    size_t rows = stoa_min(rows_per_task(w), stoa_conv_rows(p->conv) - row);
    float *y = p->y + row * w->out_width * w->channels;
    p->context->kernels->depthwise(w, p->x, p->weight, p->bias, row, rows, y);
    if (p->relu) {
        p->context->kernels->relu(y, y, rows * w->out_width * w->channels);
    }
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    (void)scratch;
    struct pass p = {
        .context = context, .conv = conv, .x = x, .weight = weight, .bias = bias, .relu = relu, .y = y};
    stoa_parallel(context, stoa_ceil_div(stoa_conv_rows(conv), rows_per_task(&conv->window)), forward_rows,
                  &p);
}

static void backward_data_image(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct stoa_window *w = &p->conv->window;
    p->context->kernels->depthwise_backward_data(w, p->dy + task * w->out_height * w->out_width * w->channels,
                                                 p->weight,
                                                 p->dx + task * w->height * w->width * w->channels);
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, const float *dy,
                          const float *weight, float *dx, void *scratch) {
    (void)scratch;
    struct pass p = {.context = context, .conv = conv, .weight = weight, .dy = dy, .dx = dx};
    stoa_parallel(context, conv->batch, backward_data_image, &p);
}

static void backward_weights_part(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct stoa_conv *conv = p->conv;
    const struct stoa_window *w = &conv->window;
    const size_t block = task / group_count(w);
    const size_t channel0 = task % group_count(w) * group_channels(w);
    const size_t channels = stoa_min(group_channels(w), w->channels - channel0);
    size_t row;
    size_t end;
    stoa_partial_rows(&p->sums, conv, block, &row, &end);
    const float *dy = p->dy + row * w->out_width * w->channels;
    float *weights = stoa_partial_weights(&p->sums, block);
    float *bias = stoa_partial_bias(&p->sums, block);
    for (size_t tap = 0; tap < w->kernel_height * w->kernel_width; tap++) {
        memset(weights + tap * w->channels + channel0, 0, channels * sizeof *weights);
    }
    p->context->kernels->depthwise_backward_weights(w, p->x, dy, row, end - row, channel0, channels, weights);
    if (bias) {
        p->context->kernels->column_sums(dy + channel0, (end - row) * w->out_width, channels, w->channels,
                                         bias + channel0);
    }
}

static void backward_weights(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const float *dy, float *dweight, float *dbias, void *scratch) {
    struct pass p = {.context = context, .conv = conv, .x = x, .dy = dy, .sums = partials_of(context, conv)};
    p.sums.sums = scratch;
    p.sums.dweight = dweight;
    p.sums.dbias = dbias;
    stoa_parallel(context, p.sums.blocks * group_count(&conv->window), backward_weights_part, &p);
    stoa_partials_reduce(context, &p.sums);
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     char *out, size_t size) {
    (void)context;
    (void)conv;
    (void)pass;
    (void)snprintf(out, size, "depthwise, direct");
}

const struct stoa_conv_algorithm stoa_conv_depthwise = {
    .name = "depthwise",
    .applicable = applicable,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .describe = describe,
};
