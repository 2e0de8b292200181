/* SPDX-License-Identifier: MIT */
/* Stateless convolution: the caller's description checked, then the same algorithms that models run. */
#include <stoa/ops.h>

#include "base/float_state.h"
#include "base/scratch.h"
#include "base/size.h"
#include "blas/gemm.h"
#include "conv/conv.h"
#include "core/threads.h"
#include "ops/stateless.h"
#include "ops/window.h"

static size_t or_one(size_t value) {
    return value ? value : 1;
}

static stoa_status check_dimensions(stoa_context *context, const char *function, const stoa_conv2d *c) {
    stoa_status status = stoa_check_sizes(
        context, function,
        STOA_SIZES({"batch", c->batch}, {"height", c->height}, {"width", c->width}, {"channels", c->channels},
                   {"filters", c->filters}, {"kernel_height", c->kernel_height},
                   {"kernel_width", c->kernel_width}, {"stride_height", or_one(c->stride_height)},
                   {"stride_width", or_one(c->stride_width)}, {"dilation_height", or_one(c->dilation_height)},
                   {"dilation_width", or_one(c->dilation_width)}, {"groups", or_one(c->groups)}),
        STOA_MAX_DIMENSION);
    if (status != STOA_OK) {
        return status;
    }
    /* A padding may be 0. */
    return stoa_check_sizes(context, function,
                            STOA_SIZES({"pad_top", or_one(c->pad_top)}, {"pad_bottom", or_one(c->pad_bottom)},
                                       {"pad_left", or_one(c->pad_left)},
                                       {"pad_right", or_one(c->pad_right)}),
                            STOA_MAX_DIMENSION);
}

/* Arrays that can be addressed; the weights of one convolution and one sample of x and y also fit cblas's
 * integer. */
static stoa_status check_arrays(stoa_context *context, const char *function, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    const struct {
        const char *name;
        size_t factor[4], times;
    } arrays[] = {
        {"x", {w->height, w->width, w->channels, 1}, conv->batch},
        {"y", {w->out_height, w->out_width, conv->filters, 1}, conv->batch},
        {"weight", {w->kernel_height, w->kernel_width, w->channels / conv->groups, conv->filters}, 1},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        size_t size = 1;
        for (size_t j = 0; j < 4; j++) {
            if (!stoa_size_scale(&size, arrays[i].factor[j]) || size > STOA_MAX_DIMENSION) {
                return stoa_fail(context, STOA_ERR_SHAPE, "%s: %s has more than %zu elements%s", function,
                                 arrays[i].name, STOA_MAX_DIMENSION, i < 2 ? " a sample" : "");
            }
        }
        stoa_status status = stoa_check_array(context, function, arrays[i].name,
                                              STOA_SIZES({"elements", size}, {"batch", arrays[i].times}));
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

/* The caller's description as the algorithms take it. */
static stoa_status read_conv(stoa_context *context, const char *function, const stoa_conv2d *c,
                             struct stoa_conv *conv) {
    *conv = (struct stoa_conv){.groups = 1};
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS({"conv", c}));
    if (status == STOA_OK) {
        status = check_dimensions(context, function, c);
    }
    if (status != STOA_OK) {
        return status;
    }
    size_t groups = or_one(c->groups);
    if (c->channels % groups != 0 || c->filters % groups != 0) {
        return stoa_fail(context, STOA_ERR_SHAPE,
                         "%s: groups = %zu does not divide %zu channels and %zu filters", function, groups,
                         c->channels, c->filters);
    }
    *conv = (struct stoa_conv){
        .window = {.height = c->height,
                   .width = c->width,
                   .channels = c->channels,
                   .kernel_height = c->kernel_height,
                   .kernel_width = c->kernel_width,
                   .stride_height = or_one(c->stride_height),
                   .stride_width = or_one(c->stride_width),
                   .dilation_height = or_one(c->dilation_height),
                   .dilation_width = or_one(c->dilation_width),
                   .pad_top = c->pad_top,
                   .pad_left = c->pad_left},
        .batch = c->batch,
        .filters = c->filters,
        .groups = groups,
    };
    struct stoa_window *w = &conv->window;
    w->out_height = stoa_axis_output(c->height, c->pad_top + c->pad_bottom, c->kernel_height,
                                     w->stride_height, w->dilation_height);
    w->out_width = stoa_axis_output(c->width, c->pad_left + c->pad_right, c->kernel_width, w->stride_width,
                                    w->dilation_width);
    if (w->out_height == 0 || w->out_width == 0) {
        return stoa_fail(context, STOA_ERR_SHAPE,
                         "%s: kernel %zux%zu with dilation %zux%zu does not fit input %zux%zu with padding "
                         "%zu+%zux%zu+%zu",
                         function, c->kernel_height, c->kernel_width, w->dilation_height, w->dilation_width,
                         c->height, c->width, c->pad_top, c->pad_bottom, c->pad_left, c->pad_right);
    }
    return check_arrays(context, function, conv);
}

/* An algorithm, ready to run. */
struct call {
    struct stoa_conv conv;
    const struct stoa_conv_algorithm *algorithm;
};

static stoa_status choose(stoa_context *context, const char *function, const stoa_conv2d *c,
                          enum stoa_conv_pass pass, struct call *call, size_t *bytes) {
    STOA_FLOAT_STATE();
    *bytes = 0;
    stoa_status status = read_conv(context, function, c, &call->conv);
    if (status != STOA_OK) {
        return status;
    }
    call->algorithm = stoa_conv_choose(context, &call->conv, pass);
    if (!call->algorithm) {
        return stoa_conv_refuse(context, &call->conv, function);
    }
    if (!call->algorithm->workspace(context, &call->conv, pass, bytes)) {
        return stoa_fail(context, STOA_ERR_SHAPE, "%s: the size of the workspace overflows", function);
    }
    return STOA_OK;
}

/* All checks of a pass. */
static stoa_status prepare(stoa_context *context, const char *function, const stoa_conv2d *c,
                           enum stoa_conv_pass pass, const struct stoa_named_buffer *buffers,
                           const void *workspace, size_t workspace_bytes, struct call *call) {
    stoa_status status = stoa_check_buffers(context, function, buffers);
    size_t needed = 0;
    if (status == STOA_OK) {
        status = choose(context, function, c, pass, call, &needed);
    }
    return status == STOA_OK
               ? stoa_check_memory(context, function, "workspace", workspace, workspace_bytes, needed)
               : status;
}

stoa_status stoa_conv2d_output(stoa_context *context, const stoa_conv2d *conv, size_t *height,
                               size_t *width) {
    struct stoa_conv read;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(height), STOA_NAMED(width)));
    if (status == STOA_OK) {
        status = read_conv(context, __func__, conv, &read);
    }
    if (status == STOA_OK) {
        *height = read.window.out_height;
        *width = read.window.out_width;
    }
    return status;
}

stoa_status stoa_conv2d_workspace(stoa_context *context, const stoa_conv2d *conv, stoa_conv2d_pass pass,
                                  size_t *bytes) {
    static const enum stoa_conv_pass passes[] = {
        [STOA_CONV2D_FORWARD] = STOA_CONV_FORWARD,
        [STOA_CONV2D_BACKWARD_DATA] = STOA_CONV_BACKWARD_DATA,
        [STOA_CONV2D_BACKWARD_WEIGHTS] = STOA_CONV_BACKWARD_WEIGHTS,
    };
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(bytes)));
    if (status != STOA_OK) {
        return status;
    }
    if ((unsigned)pass >= sizeof passes / sizeof *passes) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: pass is %d, expected one of stoa_conv2d_pass",
                         __func__, (int)pass);
    }
    struct call call;
    size_t needed = 0;
    status = choose(context, __func__, conv, passes[pass], &call, &needed);
    if (status == STOA_OK) {
        *bytes = needed;
    }
    return status;
}

/* Both forward passes; with `keeps` the weights of an algorithm that prepares any are read from
 * `prepared`. */
struct forward_call {
    const char *function;
    const float *x, *weight, *bias;
    stoa_activation activation;
    float *y;
    void *workspace;
    size_t workspace_bytes;
    bool keeps;
    const void *prepared;
    size_t prepared_bytes;
};

static stoa_status check_prepared(stoa_context *context, const char *function, const struct call *call,
                                  const void *prepared, size_t prepared_bytes, size_t *needed) {
    *needed = stoa_conv_prepared_bytes(call->algorithm, context, &call->conv);
    return stoa_check_memory(context, function, "prepared buffer", prepared, prepared_bytes, *needed);
}

static stoa_status run_forward(stoa_context *context, const stoa_conv2d *conv, const struct forward_call *f) {
    STOA_FLOAT_STATE();
    struct call call;
    size_t needed = 0;
    stoa_status status = prepare(context, f->function, conv, STOA_CONV_FORWARD,
                                 STOA_BUFFERS({"x", f->x}, {"weight", f->weight}, {"y", f->y}), f->workspace,
                                 f->workspace_bytes, &call);
    if (status == STOA_OK && f->keeps) {
        status = check_prepared(context, f->function, &call, f->prepared, f->prepared_bytes, &needed);
    }
    if (status == STOA_OK) {
        status = stoa_check_activation(context, f->function, f->activation);
    }
    if (status == STOA_OK) {
        stoa_blas_enter();
        stoa_conv_forward(call.algorithm, context, &call.conv, f->x, f->weight,
                          needed > 0 ? f->prepared : NULL, f->bias, f->activation == STOA_ACTIVATION_RELU,
                          f->y, f->workspace);
        stoa_blas_leave();
    }
    return status;
}

stoa_status stoa_conv2d_forward(stoa_context *context, const stoa_conv2d *conv, const float *x,
                                const float *weight, const float *bias, stoa_activation activation, float *y,
                                void *workspace, size_t workspace_bytes) {
    return run_forward(context, conv,
                       &(struct forward_call){.function = __func__,
                                              .x = x,
                                              .weight = weight,
                                              .bias = bias,
                                              .activation = activation,
                                              .y = y,
                                              .workspace = workspace,
                                              .workspace_bytes = workspace_bytes});
}

stoa_status stoa_conv2d_forward_prepared(stoa_context *context, const stoa_conv2d *conv, const float *x,
                                         const float *weight, const void *prepared, size_t prepared_bytes,
                                         const float *bias, stoa_activation activation, float *y,
                                         void *workspace, size_t workspace_bytes) {
    return run_forward(context, conv,
                       &(struct forward_call){.function = __func__,
                                              .x = x,
                                              .weight = weight,
                                              .bias = bias,
                                              .activation = activation,
                                              .y = y,
                                              .workspace = workspace,
                                              .workspace_bytes = workspace_bytes,
                                              .keeps = true,
                                              .prepared = prepared,
                                              .prepared_bytes = prepared_bytes});
}

stoa_status stoa_conv2d_prepared_bytes(stoa_context *context, const stoa_conv2d *conv, size_t *bytes) {
    struct call call;
    size_t workspace;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(bytes)));
    if (status == STOA_OK) {
        status = choose(context, __func__, conv, STOA_CONV_FORWARD, &call, &workspace);
    }
    if (status == STOA_OK) {
        *bytes = stoa_conv_prepared_bytes(call.algorithm, context, &call.conv);
    }
    return status;
}

stoa_status stoa_conv2d_prepare(stoa_context *context, const stoa_conv2d *conv, const float *weight,
                                void *prepared, size_t prepared_bytes) {
    STOA_FLOAT_STATE();
    struct call call;
    size_t needed;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(weight)));
    if (status == STOA_OK) {
        status = choose(context, __func__, conv, STOA_CONV_FORWARD, &call, &needed);
    }
    if (status == STOA_OK) {
        status = check_prepared(context, __func__, &call, prepared, prepared_bytes, &needed);
    }
    if (status == STOA_OK && needed > 0) {
        call.algorithm->prepare(context, &call.conv, weight, prepared);
    }
    return status;
}

stoa_status stoa_conv2d_backward_data(stoa_context *context, const stoa_conv2d *conv, const float *dy,
                                      const float *weight, float *dx, void *workspace,
                                      size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct call call;
    stoa_status status = prepare(context, __func__, conv, STOA_CONV_BACKWARD_DATA,
                                 STOA_BUFFERS(STOA_NAMED(dy), STOA_NAMED(weight), STOA_NAMED(dx)), workspace,
                                 workspace_bytes, &call);
    if (status == STOA_OK) {
        stoa_blas_enter();
        call.algorithm->backward_data(context, &call.conv, dy, weight, dx, workspace);
        stoa_blas_leave();
    }
    return status;
}

stoa_status stoa_conv2d_backward_weights(stoa_context *context, const stoa_conv2d *conv, const float *x,
                                         const float *dy, float *dweight, float *dbias, void *workspace,
                                         size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct call call;
    stoa_status status = prepare(context, __func__, conv, STOA_CONV_BACKWARD_WEIGHTS,
                                 STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(dy), STOA_NAMED(dweight)), workspace,
                                 workspace_bytes, &call);
    if (status == STOA_OK) {
        stoa_blas_enter();
        call.algorithm->backward_weights(context, &call.conv, x, dy, dweight, dbias, workspace);
        stoa_blas_leave();
    }
    return status;
}

stoa_status stoa_conv2d_pack_weights(stoa_context *context, const stoa_conv2d *conv, const float *oihw,
                                     float *hwio) {
    struct stoa_conv read;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(oihw), STOA_NAMED(hwio)));
    if (status == STOA_OK) {
        status = read_conv(context, __func__, conv, &read);
    }
    if (status != STOA_OK) {
        return status;
    }
    size_t taps = read.window.kernel_height * read.window.kernel_width;
    size_t channels = read.window.channels / read.groups;
    /* For each channel the matrix (filters, taps) becomes (taps, filters). */
    for (size_t c = 0; c < channels; c++) {
        context->kernels->transpose(oihw + c * taps, read.filters, taps, channels * taps,
                                    hwio + c * read.filters, channels * read.filters);
    }
    return STOA_OK;
}

/* im2col and col2im of one group, a task an image. */
struct columns {
    const stoa_context *context;
    const struct stoa_conv *conv;
    size_t group;
    const float *x, *from;
    float *to, *dx;
};

static size_t group_channels(const struct columns *c) {
    return c->conv->window.channels / c->conv->groups;
}

/* Floats in one image's columns. */
static size_t image_columns(const struct columns *c) {
    const struct stoa_window *w = &c->conv->window;
    return w->out_height * w->out_width * w->kernel_height * w->kernel_width * group_channels(c);
}

static void columns_of_image(void *argument, size_t image, size_t thread) {
    (void)thread;
    const struct columns *c = argument;
    const struct stoa_window *w = &c->conv->window;
    size_t channels = group_channels(c);
    c->context->kernels->im2col(w, c->x, c->group * channels, channels, image * w->out_height, w->out_height,
                                stoa_scratch(), c->to + image * image_columns(c));
}

static void image_of_columns(void *argument, size_t image, size_t thread) {
    (void)thread;
    const struct columns *c = argument;
    const struct stoa_window *w = &c->conv->window;
    size_t channels = group_channels(c);
    c->context->kernels->col2im(w, c->from + image * image_columns(c), c->group * channels, channels,
                                image * w->out_height, w->out_height, c->dx);
}

static stoa_status check_columns(stoa_context *context, const char *function, const stoa_conv2d *c,
                                 size_t group, struct stoa_conv *conv) {
    stoa_status status = read_conv(context, function, c, conv);
    if (status != STOA_OK) {
        return status;
    }
    if (group >= conv->groups) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: group is %zu, expected 0 to %zu", function, group,
                         conv->groups - 1);
    }
    const struct stoa_window *w = &conv->window;
    return stoa_check_array(context, function, "columns",
                            STOA_SIZES({"batch", conv->batch}, {"output height", w->out_height},
                                       {"output width", w->out_width}, {"kernel_height", w->kernel_height},
                                       {"kernel_width", w->kernel_width},
                                       {"channels", w->channels / conv->groups}));
}

stoa_status stoa_im2col(stoa_context *context, const stoa_conv2d *conv, size_t group, const float *x,
                        float *columns) {
    struct stoa_conv read;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(columns)));
    if (status == STOA_OK) {
        status = check_columns(context, __func__, conv, group, &read);
    }
    if (status == STOA_OK) {
        struct columns c = {.context = context, .conv = &read, .group = group, .x = x, .to = columns};
        stoa_parallel(context, read.batch, columns_of_image, &c);
    }
    return status;
}

stoa_status stoa_col2im(stoa_context *context, const stoa_conv2d *conv, size_t group, const float *columns,
                        float *dx) {
    STOA_FLOAT_STATE();
    struct stoa_conv read;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(columns), STOA_NAMED(dx)));
    if (status == STOA_OK) {
        status = check_columns(context, __func__, conv, group, &read);
    }
    if (status == STOA_OK) {
        struct columns c = {.context = context, .conv = &read, .group = group, .from = columns, .dx = dx};
        stoa_parallel(context, read.batch, image_of_columns, &c);
    }
    return status;
}
