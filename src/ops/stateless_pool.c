/* SPDX-License-Identifier: MIT */
/* Stateless pooling: the caller's buffers checked, a layer on the stack, and then the operator that models
 * run. */
#include "base/float_state.h"
#include "base/size.h"
#include "ops/pool.h"
#include "ops/stateless.h"

/* A pooling layer; `options` and `input` are what the layer points to. */
struct pooling {
    struct stoa_pool_options options;
    struct stoa_layer layer;
    struct stoa_shape input;
};

static size_t or_one(size_t value) {
    return stoa_max(1, value);
}

static stoa_status read_pool(stoa_context *context, const char *function, const char *op,
                             const stoa_pool2d *pool, struct pooling *p) {
    *p = (struct pooling){.layer = {.inputs = 1}};
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(pool)));
    if (status != STOA_OK) {
        return status;
    }
    size_t stride_height = pool->stride_height ? pool->stride_height : pool->window_height;
    size_t stride_width = pool->stride_width ? pool->stride_width : pool->window_width;
    size_t dilation_height = or_one(pool->dilation_height);
    size_t dilation_width = or_one(pool->dilation_width);
    status =
        stoa_check_sizes(context, function,
                         STOA_SIZES({"batch", pool->batch}, {"height", pool->height}, {"width", pool->width},
                                    {"channels", pool->channels}, {"window_height", pool->window_height},
                                    {"window_width", pool->window_width}, {"stride_height", stride_height},
                                    {"stride_width", stride_width}, {"dilation_height", dilation_height},
                                    {"dilation_width", dilation_width}),
                         STOA_MAX_DIMENSION);
    if (status == STOA_OK) { /* a padding may be 0 */
        status = stoa_check_sizes(
            context, function,
            STOA_SIZES({"pad_top", or_one(pool->pad_top)}, {"pad_bottom", or_one(pool->pad_bottom)},
                       {"pad_left", or_one(pool->pad_left)}, {"pad_right", or_one(pool->pad_right)}),
            STOA_MAX_DIMENSION);
    }
    if (status != STOA_OK) {
        return status;
    }
    p->options = (struct stoa_pool_options){
        .window = {.kernel = {pool->window_height, pool->window_width},
                   .stride = {stride_height, stride_width},
                   .dilation = {dilation_height, dilation_width},
                   .pad = {.top = pool->pad_top,
                           .left = pool->pad_left,
                           .bottom = pool->pad_bottom,
                           .right = pool->pad_right},
                   .ceil_mode = pool->ceil_mode},
        .include_pad = !pool->exclude_pad,
    };
    p->input = (struct stoa_shape){.rank = 3, .dim = {pool->height, pool->width, pool->channels}};
    p->layer =
        (struct stoa_layer){.op = stoa_op_find(op), .options = &p->options, .inputs = 1, .input = &p->input};
    status = p->layer.op->infer(&context->error, &p->layer);
    if (status != STOA_OK) {
        return stoa_error_prefix(&context->error, "%s: ", function);
    }
    const size_t *out = p->layer.output.dim;
    status = stoa_check_array(context, function, "x",
                              STOA_SIZES({"batch", pool->batch}, {"height", pool->height},
                                         {"width", pool->width}, {"channels", pool->channels}));
    return status != STOA_OK ? status
                             : stoa_check_array(context, function, "y",
                                                STOA_SIZES({"batch", pool->batch}, {"height", out[0]},
                                                           {"width", out[1]}, {"channels", out[2]}));
}

static struct stoa_op_run pool_run(stoa_context *context, const stoa_pool2d *pool, const struct pooling *p) {
    return (struct stoa_op_run){.context = context,
                                .x = stoa_no_inputs,
                                .dx = stoa_no_gradients,
                                .layer = &p->layer,
                                .batch = pool->batch,
                                .planned_batch = pool->batch,
                                .training = true,
                                .wants_input_gradient = true};
}

stoa_status stoa_pool2d_output(stoa_context *context, const stoa_pool2d *pool, size_t *height,
                               size_t *width) {
    struct pooling p;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(height), STOA_NAMED(width)));
    if (status == STOA_OK) {
        status = read_pool(context, __func__, "avgpool2d", pool, &p);
    }
    if (status == STOA_OK) {
        *height = p.layer.output.dim[0];
        *width = p.layer.output.dim[1];
    }
    return status;
}

static stoa_status pool_forward(stoa_context *context, const char *function, const char *op,
                                const stoa_pool2d *pool, const float *x, float *y, uint16_t *index) {
    STOA_FLOAT_STATE();
    struct pooling p;
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(y)));
    if (status == STOA_OK) {
        status = read_pool(context, function, op, pool, &p);
    }
    if (status == STOA_OK) {
        struct stoa_op_run run = pool_run(context, pool, &p);
        run.x = &x;
        run.y = y;
        run.saved = index;
        p.layer.op->forward(&run);
    }
    return status;
}

static stoa_status pool_backward(stoa_context *context, const char *function, const char *op,
                                 const stoa_pool2d *pool, const float *dy, const uint16_t *index, float *dx) {
    STOA_FLOAT_STATE();
    struct pooling p;
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(dy), STOA_NAMED(dx)));
    if (status == STOA_OK) {
        status = read_pool(context, function, op, pool, &p);
    }
    if (status == STOA_OK) {
        struct stoa_op_run run = pool_run(context, pool, &p);
        run.dy = dy;
        run.dx = &dx;
        memcpy(&run.saved, &index, sizeof index); /* without its const: backward only reads it */
        p.layer.op->backward(&run);
    }
    return status;
}

stoa_status stoa_maxpool2d_forward(stoa_context *context, const stoa_pool2d *pool, const float *x, float *y,
                                   uint16_t *index) {
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(index)));
    return status == STOA_OK ? pool_forward(context, __func__, "maxpool2d", pool, x, y, index) : status;
}

stoa_status stoa_maxpool2d_backward(stoa_context *context, const stoa_pool2d *pool, const float *dy,
                                    const uint16_t *index, float *dx) {
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(index)));
    return status == STOA_OK ? pool_backward(context, __func__, "maxpool2d", pool, dy, index, dx) : status;
}

stoa_status stoa_avgpool2d_forward(stoa_context *context, const stoa_pool2d *pool, const float *x, float *y) {
    return pool_forward(context, __func__, "avgpool2d", pool, x, y, NULL);
}

stoa_status stoa_avgpool2d_backward(stoa_context *context, const stoa_pool2d *pool, const float *dy,
                                    float *dx) {
    return pool_backward(context, __func__, "avgpool2d", pool, dy, NULL, dx);
}
