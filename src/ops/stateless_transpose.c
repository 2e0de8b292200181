/* SPDX-License-Identifier: MIT */
/* Stateless transposed convolution: the caller's description as the operator's line, a layer on the stack,
 * and then the operator that models run. */
#include <stdio.h>

#include "base/float_state.h"
#include "base/size.h"
#include "blas/blas.h"
#include "ops/conv_layer.h"
#include "ops/stateless.h"

/* A layer, what it plans, its run, and what the run wants. */
struct transposed {
    struct stoa_stateless_layer layer;
    struct stoa_conv_plan plan[STOA_CONV_PASSES];
    struct stoa_op_run run;
    struct stoa_op_memory memory;
};

static size_t or_one(size_t value) {
    return stoa_max(1, value);
}

static stoa_status check_sizes(stoa_context *context, const char *function, const stoa_conv_transpose2d *c) {
    stoa_status status = stoa_check_sizes(context, function,
                                          STOA_SIZES({"batch", c->batch}, {"height", c->height},
                                                     {"width", c->width}, {"channels", c->channels}),
                                          STOA_MAX_DIMENSION);
    return status == STOA_OK ? stoa_check_array(context, function, "x",
                                                STOA_SIZES({"batch", c->batch}, {"height", c->height},
                                                           {"width", c->width}, {"channels", c->channels}))
                             : status;
}

static stoa_status read_layer(stoa_context *context, const char *function, const stoa_conv_transpose2d *c,
                              struct stoa_stateless_layer *layer) {
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS({"conv", c}));
    if (status == STOA_OK) {
        status = check_sizes(context, function, c);
    }
    if (status != STOA_OK) {
        return status;
    }
    char line[400];
    const struct stoa_shape image = {.rank = 3, .dim = {c->height, c->width, c->channels}};
    (void)snprintf(
        line, sizeof line,
        "conv_transpose2d filters=%zu kernel=%zux%zu stride=%zux%zu pad=%zu,%zu,%zu,%zu output_pad=%zux%zu "
        "dilation=%zux%zu groups=%zu",
        c->filters, c->kernel_height, c->kernel_width, or_one(c->stride_height), or_one(c->stride_width),
        c->pad_top, c->pad_left, c->pad_bottom, c->pad_right, c->output_pad_height, c->output_pad_width,
        or_one(c->dilation_height), or_one(c->dilation_width), or_one(c->groups));
    status = stoa_stateless_layer(context, function, "layer", line, &image, layer);
    const size_t *out = layer->layer.output.dim;
    return status == STOA_OK ? stoa_check_array(context, function, "y",
                                                STOA_SIZES({"batch", c->batch}, {"output height", out[0]},
                                                           {"output width", out[1]}, {"filters", out[2]}))
                             : status;
}

/* The layer with the plans of what is asked for. */
static stoa_status open_layer(stoa_context *context, const char *function, const stoa_conv_transpose2d *c,
                              bool weights, bool data, struct transposed *t) {
    STOA_FLOAT_STATE(); /* which algorithm is the cheapest is computed, in queries too */
    stoa_status status = read_layer(context, function, c, &t->layer);
    if (status != STOA_OK) {
        return status;
    }
    t->run = (struct stoa_op_run){.context = context,
                                  .x = stoa_no_inputs,
                                  .dx = stoa_no_gradients,
                                  .layer = &t->layer.layer,
                                  .batch = c->batch,
                                  .planned_batch = c->batch,
                                  .training = weights || data,
                                  .wants_input_gradient = data,
                                  .frozen = !weights,
                                  .plan = t->plan};
    t->memory = (struct stoa_op_memory){0};
    context->error.status = STOA_OK;
    if (!t->layer.layer.op->memory(&t->run, &t->memory)) {
        return context->error.status != STOA_OK /* the operator has said why */
                   ? context->error.status
                   : stoa_fail(context, STOA_ERR_SHAPE, "%s: the size of the workspace overflows", function);
    }
    return STOA_OK;
}

stoa_status stoa_conv_transpose2d_output(stoa_context *context, const stoa_conv_transpose2d *conv,
                                         size_t *height, size_t *width) {
    struct stoa_stateless_layer layer;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(height), STOA_NAMED(width)));
    if (status == STOA_OK) {
        status = read_layer(context, __func__, conv, &layer);
    }
    if (status == STOA_OK) {
        *height = layer.layer.output.dim[0];
        *width = layer.layer.output.dim[1];
    }
    return status;
}

stoa_status stoa_conv_transpose2d_workspace(stoa_context *context, const stoa_conv_transpose2d *conv,
                                            bool backward, size_t *bytes) {
    struct transposed t;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(bytes)));
    if (status == STOA_OK) {
        status = open_layer(context, __func__, conv, backward, backward, &t);
    }
    if (status == STOA_OK) {
        *bytes = t.memory.workspace[backward ? STOA_BACKWARD : STOA_FORWARD];
    }
    return status;
}

stoa_status stoa_conv_transpose2d_forward(stoa_context *context, const stoa_conv_transpose2d *conv,
                                          const float *x, const float *weight, const float *bias,
                                          const stoa_epilogue *epilogue, float *y, void *workspace,
                                          size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct transposed t;
    struct stoa_stateless_layer activation;
    struct stoa_epilogue_runs runs;
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(weight), STOA_NAMED(y)));
    if (status == STOA_OK) {
        status = open_layer(context, __func__, conv, false, false, &t);
    }
    if (status == STOA_OK) {
        status = stoa_read_epilogue(context, __func__, epilogue, &activation);
    }
    if (status == STOA_OK) {
        status = stoa_check_memory(context, __func__, "workspace", workspace, workspace_bytes,
                                   t.memory.workspace[STOA_FORWARD]);
    }
    if (status == STOA_OK) {
        const float *residual = epilogue ? epilogue->residual : NULL;
        t.run.x = &x;
        t.run.tensor[0] = stoa_only_read(weight);
        t.run.tensor[1] = stoa_only_read(bias);
        t.run.y = y;
        t.run.workspace = workspace;
        t.run.epilogue = stoa_with_epilogue(context, &activation, residual, y, &runs)->epilogue;
        stoa_blas_enter();
        t.layer.layer.op->forward(&t.run);
        stoa_blas_leave();
    }
    return status;
}

stoa_status stoa_conv_transpose2d_backward(stoa_context *context, const stoa_conv_transpose2d *conv,
                                           const float *x, const float *weight, const float *dy, float *dx,
                                           float *dweight, float *dbias, void *workspace,
                                           size_t workspace_bytes) {
    STOA_FLOAT_STATE();
    struct transposed t;
    stoa_status status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(dy)));
    if (status == STOA_OK && dx) {
        status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(weight)));
    }
    if (status == STOA_OK && (dweight || dbias)) {
        status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(dweight)));
    }
    if (status == STOA_OK) {
        status = open_layer(context, __func__, conv, dweight != NULL, dx != NULL, &t);
    }
    if (status == STOA_OK) {
        status = stoa_check_memory(context, __func__, "workspace", workspace, workspace_bytes,
                                   t.memory.workspace[STOA_BACKWARD]);
    }
    if (status == STOA_OK) {
        t.run.x = &x;
        t.run.tensor[0] = stoa_only_read(weight);
        t.run.dy = dy;
        t.run.dx = &dx;
        t.run.dtensor[0] = dweight;
        t.run.dtensor[1] = dbias;
        t.run.workspace = workspace;
        stoa_blas_enter();
        t.layer.layer.op->backward(&t.run);
        stoa_blas_leave();
    }
    return status;
}
