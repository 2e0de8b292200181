/* SPDX-License-Identifier: MIT */
/* Stateless losses: the caller's buffers checked, a layer on the stack, and then the operator that models
 * run. */
#include "base/float_state.h"
#include "base/size.h"
#include "ops/stateless.h"

static stoa_status check_targets(stoa_context *context, const char *function, const struct stoa_layer *layer,
                                 size_t rows, size_t columns, const int32_t *labels, const float *values) {
    if (!layer->op->takes_labels) {
        return stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(values)));
    }
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(labels)));
    for (size_t r = 0; status == STOA_OK && r < rows; r++) {
        if (labels[r] < 0 || (size_t)labels[r] >= columns) {
            status = stoa_fail(context, STOA_ERR_ARGUMENT, "%s: label %zu is %d, expected 0 to %zu", function,
                               r, (int)labels[r], columns - 1);
        }
    }
    return status;
}

static stoa_status read_loss(stoa_context *context, const char *function, const char *loss, size_t rows,
                             size_t columns, struct stoa_stateless_layer *layer) {
    const struct stoa_shape shape = {.rank = 1, .dim = {columns}};
    const struct stoa_named_size sizes[] = {STOA_NAMED(rows), STOA_NAMED(columns), {NULL, 0}};
    stoa_status status = stoa_check_sizes(context, function, sizes, STOA_MAX_DIMENSION);
    if (status == STOA_OK) {
        status = stoa_check_array(context, function, "x", sizes);
    }
    if (status == STOA_OK) {
        status = stoa_stateless_layer(context, function, "loss", loss, &shape, layer);
    }
    if (status == STOA_OK && !layer->layer.op->is_loss) {
        (void)stoa_unknown_loss(&context->error, layer->layer.op->name);
        return stoa_error_prefix(&context->error, "%s: ", function);
    }
    return status;
}

stoa_status stoa_loss(stoa_context *context, const char *loss, size_t rows, size_t columns, const float *x,
                      const int32_t *labels, const float *values, float *losses, const float *dlosses,
                      float *dx) {
    STOA_FLOAT_STATE();
    struct stoa_stateless_layer layer;
    stoa_status status = stoa_check_buffers(
        context, __func__, STOA_BUFFERS(STOA_NAMED(loss), STOA_NAMED(x), STOA_NAMED(losses)));
    if (status == STOA_OK && dx) {
        status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(dlosses)));
    }
    if (status == STOA_OK) {
        status = read_loss(context, __func__, loss, rows, columns, &layer);
    }
    if (status == STOA_OK) {
        status = check_targets(context, __func__, &layer.layer, rows, columns, labels, values);
    }
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_op_run run = {.context = context,
                              .dx = stoa_no_gradients,
                              .layer = &layer.layer,
                              .batch = rows,
                              .planned_batch = rows,
                              .x = &x,
                              .y = losses,
                              .targets = {labels, values}};
    const struct stoa_op *op = layer.layer.op;
    run.dy = dlosses;
    run.dx = op->gives_gradient ? &dx : stoa_no_gradients;
    op->forward(&run);
    if (dx && !op->gives_gradient) {
        run.dx = &dx;
        op->backward(&run);
    }
    return STOA_OK;
}
