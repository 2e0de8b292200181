/* SPDX-License-Identifier: MIT */
/* Stateless linear: the caller's buffers checked, a layer on the stack, and then the operator that models
 * run. */
#include "base/float_state.h"
#include "base/size.h"
#include "blas/blas.h"
#include "ops/stateless.h"

static stoa_status check_linear(stoa_context *context, const char *function, size_t batch, size_t inputs,
                                size_t outputs) {
    stoa_status status = stoa_check_sizes(
        context, function, STOA_SIZES(STOA_NAMED(batch), STOA_NAMED(inputs), STOA_NAMED(outputs)),
        STOA_MAX_DIMENSION);
    if (status == STOA_OK) {
        status = stoa_check_array(context, function, "x", STOA_SIZES(STOA_NAMED(batch), STOA_NAMED(inputs)));
    }
    if (status == STOA_OK) {
        status = stoa_check_array(context, function, "y", STOA_SIZES(STOA_NAMED(batch), STOA_NAMED(outputs)));
    }
    if (status == STOA_OK) {
        status = stoa_check_array(context, function, "weight",
                                  STOA_SIZES(STOA_NAMED(inputs), STOA_NAMED(outputs)));
    }
    return status;
}

/* `x` has room for the shape of its input. */
static struct stoa_layer linear_layer(size_t inputs, size_t outputs, struct stoa_shape *x) {
    *x = (struct stoa_shape){.rank = 1, .dim = {inputs}};
    return (struct stoa_layer){
        .op = stoa_op_find("linear"),
        .inputs = 1,
        .input = x,
        .output = {.rank = 1, .dim = {outputs}},
        .tensors = 2,
        .tensor = {{.rank = 2, .shape = {outputs, inputs}}, {.rank = 1, .shape = {outputs}}}};
}

stoa_status stoa_linear_forward(stoa_context *context, size_t batch, size_t inputs, size_t outputs,
                                const float *x, const float *weight, const float *bias,
                                const stoa_epilogue *epilogue, float *y) {
    STOA_FLOAT_STATE();
    stoa_status status =
        stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(weight), STOA_NAMED(y)));
    if (status == STOA_OK) {
        status = check_linear(context, __func__, batch, inputs, outputs);
    }
    struct stoa_stateless_layer activation;
    struct stoa_epilogue_runs runs;
    if (status == STOA_OK) {
        status = stoa_read_epilogue(context, __func__, epilogue, &activation);
    }
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_shape input;
    struct stoa_layer layer = linear_layer(inputs, outputs, &input);
    struct stoa_op_run run = {.context = context,
                              .dx = stoa_no_gradients,
                              .layer = &layer,
                              .batch = batch,
                              .planned_batch = batch,
                              .x = &x,
                              .y = y,
                              .tensor = {stoa_only_read(weight), stoa_only_read(bias)}};
    run.epilogue =
        stoa_with_epilogue(context, &activation, epilogue ? epilogue->residual : NULL, y, &runs)->epilogue;
    stoa_blas_enter();
    layer.op->forward(&run);
    stoa_blas_leave();
    return STOA_OK;
}

/* Only what somebody asks for is read. */
static stoa_status check_linear_backward(stoa_context *context, const char *function, const float *x,
                                         const float *weight, const float *dy, const float *dx,
                                         const float *dweight) {
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(dy)));
    if (status == STOA_OK && dx) {
        status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(weight)));
    }
    if (status == STOA_OK && dweight) {
        status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(x)));
    }
    return status;
}

stoa_status stoa_linear_backward(stoa_context *context, size_t batch, size_t inputs, size_t outputs,
                                 const float *x, const float *weight, const float *dy, float *dx,
                                 float *dweight, float *dbias) {
    STOA_FLOAT_STATE();
    stoa_status status = check_linear_backward(context, __func__, x, weight, dy, dx, dweight);
    if (status == STOA_OK) {
        status = check_linear(context, __func__, batch, inputs, outputs);
    }
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_shape input;
    struct stoa_layer layer = linear_layer(inputs, outputs, &input);
    struct stoa_op_run run = {.context = context,
                              .layer = &layer,
                              .batch = batch,
                              .planned_batch = batch,
                              .training = true,
                              .wants_input_gradient = dx != NULL,
                              .x = &x,
                              .tensor = {stoa_only_read(weight)},
                              .dy = dy,
                              .dx = &dx,
                              .dtensor = {dweight, dbias}};
    stoa_blas_enter();
    layer.op->backward(&run);
    stoa_blas_leave();
    return STOA_OK;
}
