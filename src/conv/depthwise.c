/* Depthwise convolution with a direct kernel: one filter a channel is a product of one column, which sgemm
 * cannot do well. Floor 4. */
#include <stdio.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/threads.h"

enum { ROWS_PER_TASK = 8 };

static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    (void)context;
    (void)pass;
    return conv->groups == conv->window.channels && conv->filters == conv->groups && conv->groups > 1;
}

static size_t weight_size(const struct stoa_conv *conv) {
    return conv->window.kernel_height * conv->window.kernel_width * conv->filters;
}

static size_t partial_floats(const struct stoa_conv *conv) {
    return stoa_round_up(weight_size(conv), STOA_ALIGN_FLOATS) +
           stoa_round_up(conv->filters, STOA_ALIGN_FLOATS);
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes) {
    (void)context;
    *bytes = 0;
    return pass != STOA_CONV_BACKWARD_WEIGHTS ||
           stoa_size_mul(stoa_reduction_blocks(weight_size(conv), conv->batch),
                         partial_floats(conv) * sizeof(float), bytes);
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
    float *y, *dx, *partial;
    bool relu, wants_bias;
    size_t blocks;
};

static void forward_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct stoa_window *w = &p->conv->window;
    size_t row = task * ROWS_PER_TASK;
    size_t rows = stoa_min(ROWS_PER_TASK, p->conv->batch * w->out_height - row);
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
    stoa_parallel(context, stoa_ceil_div(conv->batch * conv->window.out_height, ROWS_PER_TASK), forward_rows,
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

static void backward_weights_block(void *argument, size_t block, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct stoa_conv *conv = p->conv;
    const struct stoa_window *w = &conv->window;
    size_t row = block * conv->batch / p->blocks * w->out_height;
    size_t end = (block + 1) * conv->batch / p->blocks * w->out_height;
    const float *dy = p->dy + row * w->out_width * w->channels;
    float *partial = p->partial + block * partial_floats(conv);
    for (size_t i = 0; i < weight_size(conv); i++) {
        partial[i] = 0;
    }
    p->context->kernels->depthwise_backward_weights(w, p->x, dy, row, end - row, partial);
    if (p->wants_bias) {
        p->context->kernels->column_sums(dy, (end - row) * w->out_width, w->channels, w->channels,
                                         partial + stoa_round_up(weight_size(conv), STOA_ALIGN_FLOATS));
    }
}

static void backward_weights(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const float *dy, float *dweight, float *dbias, void *scratch) {
    struct pass p = {.context = context,
                     .conv = conv,
                     .x = x,
                     .dy = dy,
                     .partial = scratch,
                     .wants_bias = dbias != NULL,
                     .blocks = stoa_reduction_blocks(weight_size(conv), conv->batch)};
    size_t stride = partial_floats(conv);
    stoa_parallel(context, p.blocks, backward_weights_block, &p);
    stoa_reduce_blocks(context, p.partial, stride, p.blocks, weight_size(conv), dweight);
    if (dbias) {
        stoa_reduce_blocks(context, p.partial + stoa_round_up(weight_size(conv), STOA_ALIGN_FLOATS), stride,
                           p.blocks, conv->filters, dbias);
    }
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
