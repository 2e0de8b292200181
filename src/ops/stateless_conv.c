/* SPDX-License-Identifier: MIT */
/* Stateless convolution: the caller's description checked, then the same algorithms that models run. */
#include <stoa/ops.h>

#include "base/float_state.h"
#include "base/scratch.h"
#include "base/size.h"
#include "blas/blas.h"
#include "core/layout.h"
#include "core/threads.h"
#include "ops/stateless_conv.h"
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

stoa_status stoa_check_conv_arrays(stoa_context *context, const char *function,
                                   const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    const struct {
        const char *name;
        size_t factor[4], times;
    } arrays[] = {
        {"x", {w->height, w->width, stoa_conv_x_pixel(conv), 1}, conv->batch},
        {"y", {w->out_height, w->out_width, stoa_conv_y_pixel(conv), 1}, conv->batch},
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

stoa_status stoa_read_conv(stoa_context *context, const char *function, const stoa_conv2d *c,
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
    return stoa_check_conv_arrays(context, function, conv);
}

static stoa_status plan_pass(stoa_context *context, const char *function, const stoa_conv2d *c,
                             enum stoa_conv_pass pass, struct stoa_conv_plan *plan) {
    STOA_FLOAT_STATE();
    struct stoa_conv conv;
    stoa_status status = stoa_read_conv(context, function, c, &conv);
    if (status == STOA_OK && !stoa_conv_plan(context, &conv, pass, function, plan)) {
        status = context->error.status;
    }
    return status;
}

/* All checks of a pass, and its plan. */
static stoa_status prepare(stoa_context *context, const char *function, const stoa_conv2d *c,
                           enum stoa_conv_pass pass, const struct stoa_named_buffer *buffers,
                           const void *workspace, size_t workspace_bytes, struct stoa_conv_plan *plan) {
    stoa_status status = stoa_check_buffers(context, function, buffers);
    if (status == STOA_OK) {
        status = plan_pass(context, function, c, pass, plan);
    }
    return status == STOA_OK
               ? stoa_check_memory(context, function, "workspace", workspace, workspace_bytes, plan->bytes)
               : status;
}

static void run_plan(const struct stoa_conv_plan *plan, struct stoa_conv_run *run) {
    run->batch = plan->conv.batch;
    stoa_blas_enter();
    stoa_conv_run(plan, run);
    stoa_blas_leave();
}

stoa_status stoa_conv2d_output(stoa_context *context, const stoa_conv2d *conv, size_t *height,
                               size_t *width) {
    struct stoa_conv read;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(height), STOA_NAMED(width)));
    if (status == STOA_OK) {
        status = stoa_read_conv(context, __func__, conv, &read);
    }
    if (status == STOA_OK) {
        *height = read.window.out_height;
        *width = read.window.out_width;
    }
    return status;
}

enum stoa_conv_pass stoa_conv_pass_of(stoa_conv2d_pass pass) {
    return pass == STOA_CONV2D_FORWARD         ? STOA_CONV_FORWARD
           : pass == STOA_CONV2D_BACKWARD_DATA ? STOA_CONV_BACKWARD_DATA
                                               : STOA_CONV_BACKWARD_WEIGHTS;
}

stoa_status stoa_conv2d_workspace(stoa_context *context, const stoa_conv2d *conv, stoa_conv2d_pass pass,
                                  size_t *bytes) {
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(bytes)));
    if (status != STOA_OK) {
        return status;
    }
    if ((unsigned)pass > STOA_CONV2D_BACKWARD_WEIGHTS) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: pass is %d, expected one of stoa_conv2d_pass",
                         __func__, (int)pass);
    }
    struct stoa_conv_plan plan;
    status = plan_pass(context, __func__, conv, stoa_conv_pass_of(pass), &plan);
    if (status == STOA_OK) {
        *bytes = plan.bytes;
    }
    return status;
}

/* Memory for the plan's prepared weights, where it has any. */
static stoa_status check_memory(stoa_context *context, const char *function,
                                const struct stoa_conv_plan *plan, const void *prepared,
                                size_t prepared_bytes) {
    return stoa_check_memory(context, function, "prepared buffer", prepared, prepared_bytes,
                             plan->prepared_bytes);
}

stoa_status stoa_check_prepared(stoa_context *context, const char *function,
                                const struct stoa_conv_plan *plan, const void *prepared,
                                size_t prepared_bytes) {
    stoa_status status = check_memory(context, function, plan, prepared, prepared_bytes);
    if (status == STOA_OK && plan->prepared_bytes > 0 && !stoa_conv_is_prepared(plan, prepared)) {
        return stoa_fail(
            context, STOA_ERR_ARGUMENT,
            "%s: found weights that another plan has prepared, expected those of the same sizes, "
            "options and settings of the context",
            function);
    }
    return status;
}

/* Both forward passes; with `keeps` the weights of an algorithm that prepares any are read from
 * run->prepared. */
static stoa_status run_forward(stoa_context *context, const char *function, const stoa_conv2d *conv,
                               const stoa_epilogue *epilogue, size_t workspace_bytes, bool keeps,
                               size_t prepared_bytes, struct stoa_conv_run *run) {
    STOA_FLOAT_STATE();
    struct stoa_conv_plan plan;
    struct stoa_stateless_layer activation;
    struct stoa_epilogue_runs runs;
    stoa_status status = prepare(context, function, conv, STOA_CONV_FORWARD,
                                 STOA_BUFFERS({"x", run->x}, {"weight", run->weight}, {"y", run->y}),
                                 run->workspace, workspace_bytes, &plan);
    if (status == STOA_OK && keeps) {
        status = stoa_check_prepared(context, function, &plan, run->prepared, prepared_bytes);
    }
    if (status == STOA_OK) {
        status = stoa_read_epilogue(context, function, epilogue, &activation);
    }
    if (status == STOA_OK) {
        run->context = context;
        run->prepared = plan.prepared_bytes > 0 ? run->prepared : NULL;
        const float *residual = epilogue ? epilogue->residual : NULL;
        run->finish =
            stoa_finish_of(stoa_with_epilogue(context, &activation, residual, run->y, &runs), &run->relu);
        run_plan(&plan, run);
    }
    return status;
}

stoa_status stoa_conv2d_forward(stoa_context *context, const stoa_conv2d *conv, const float *x,
                                const float *weight, const float *bias, const stoa_epilogue *epilogue,
                                float *y, void *workspace, size_t workspace_bytes) {
    struct stoa_conv_run run = {.x = x, .weight = weight, .bias = bias, .y = y, .workspace = workspace};
    return run_forward(context, __func__, conv, epilogue, workspace_bytes, false, 0, &run);
}

stoa_status stoa_conv2d_forward_prepared(stoa_context *context, const stoa_conv2d *conv, const float *x,
                                         const float *weight, const void *prepared, size_t prepared_bytes,
                                         const float *bias, const stoa_epilogue *epilogue, float *y,
                                         void *workspace, size_t workspace_bytes) {
    struct stoa_conv_run run = {
        .x = x, .weight = weight, .prepared = prepared, .bias = bias, .y = y, .workspace = workspace};
    return run_forward(context, __func__, conv, epilogue, workspace_bytes, true, prepared_bytes, &run);
}

stoa_status stoa_conv2d_prepared_bytes(stoa_context *context, const stoa_conv2d *conv, size_t *bytes) {
    struct stoa_conv_plan plan;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(bytes)));
    if (status == STOA_OK) {
        status = plan_pass(context, __func__, conv, STOA_CONV_FORWARD, &plan);
    }
    if (status == STOA_OK) {
        *bytes = plan.prepared_bytes;
    }
    return status;
}

stoa_status stoa_conv2d_prepare(stoa_context *context, const stoa_conv2d *conv, const float *weight,
                                void *prepared, size_t prepared_bytes) {
    STOA_FLOAT_STATE();
    struct stoa_conv_plan plan;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(weight)));
    if (status == STOA_OK) {
        status = plan_pass(context, __func__, conv, STOA_CONV_FORWARD, &plan);
    }
    if (status == STOA_OK) {
        status = check_memory(context, __func__, &plan, prepared, prepared_bytes);
    }
    if (status == STOA_OK && plan.prepared_bytes > 0) {
        stoa_conv_prepare(context, &plan, weight, prepared, NULL);
    }
    return status;
}

stoa_status stoa_conv2d_backward_data(stoa_context *context, const stoa_conv2d *conv, const float *dy,
                                      const float *weight, float *dx, void *workspace,
                                      size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct stoa_conv_plan plan;
    stoa_status status = prepare(context, __func__, conv, STOA_CONV_BACKWARD_DATA,
                                 STOA_BUFFERS(STOA_NAMED(dy), STOA_NAMED(weight), STOA_NAMED(dx)), workspace,
                                 workspace_bytes, &plan);
    if (status == STOA_OK) {
        run_plan(&plan,
                 &(struct stoa_conv_run){
                     .context = context, .dy = dy, .weight = weight, .dx = dx, .workspace = workspace});
    }
    return status;
}

stoa_status stoa_conv2d_backward_weights(stoa_context *context, const stoa_conv2d *conv, const float *x,
                                         const float *dy, float *dweight, float *dbias, void *workspace,
                                         size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct stoa_conv_plan plan;
    stoa_status status = prepare(context, __func__, conv, STOA_CONV_BACKWARD_WEIGHTS,
                                 STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(dy), STOA_NAMED(dweight)), workspace,
                                 workspace_bytes, &plan);
    if (status == STOA_OK) {
        run_plan(&plan, &(struct stoa_conv_run){.context = context,
                                                .x = x,
                                                .dy = dy,
                                                .dweight = dweight,
                                                .dbias = dbias,
                                                .workspace = workspace});
    }
    return status;
}

stoa_status stoa_conv2d_pack_weights(stoa_context *context, const stoa_conv2d *conv, const float *oihw,
                                     float *hwio) {
    struct stoa_conv read;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(oihw), STOA_NAMED(hwio)));
    if (status == STOA_OK) {
        status = stoa_read_conv(context, __func__, conv, &read);
    }
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_foreign layout = {.images = 1,
                                  .rows = stoa_conv_column(&read),
                                  .columns = read.filters,
                                  .planar = true,
                                  .taps = read.window.kernel_height * read.window.kernel_width};
    stoa_layout_read(context, &layout, oihw, hwio);
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
    stoa_status status = stoa_read_conv(context, function, c, conv);
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
