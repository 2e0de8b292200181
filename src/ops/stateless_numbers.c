/* SPDX-License-Identifier: MIT */
/* Stateless activations, sums and operators of rows: the caller's buffers checked, a layer on the stack, and
 * then the operator that models run. */
#include "base/float_state.h"
#include "base/size.h"
#include "ops/stateless.h"

/* One pass of an operator over samples of `columns` numbers. */
struct number_rows {
    struct stoa_layer layer;
    struct stoa_shape shape;
    struct stoa_op_run run;
};

static stoa_status open_rows(stoa_context *context, const char *function, size_t rows, size_t columns,
                             const struct stoa_named_buffer *buffers, struct number_rows *r) {
    stoa_status status = stoa_check_buffers(context, function, buffers);
    const struct stoa_named_size sizes[] = {STOA_NAMED(rows), STOA_NAMED(columns), {NULL, 0}};
    if (status == STOA_OK) {
        status = stoa_check_sizes(context, function, sizes, STOA_MAX_DIMENSION);
    }
    if (status == STOA_OK) {
        status = stoa_check_array(context, function, "x", sizes);
    }
    r->shape = (struct stoa_shape){.rank = 1, .dim = {columns}};
    r->layer = (struct stoa_layer){.inputs = 1, .input = &r->shape, .output = r->shape};
    r->run = (struct stoa_op_run){.context = context,
                                  .x = stoa_no_inputs,
                                  .dx = stoa_no_gradients,
                                  .layer = &r->layer,
                                  .batch = rows,
                                  .planned_batch = rows,
                                  .training = true};
    return status;
}

/* A number is a sample of its own. */
static stoa_status open_activation(stoa_context *context, const char *function, const char *activation,
                                   size_t count, const struct stoa_named_buffer *buffers,
                                   struct stoa_stateless_layer *layer, struct number_rows *r) {
    stoa_status status = stoa_check_buffers(context, function, STOA_BUFFERS(STOA_NAMED(activation)));
    if (status == STOA_OK) {
        status = stoa_check_buffers(context, function, buffers);
    }
    if (status == STOA_OK) {
        status =
            stoa_check_sizes(context, function, STOA_SIZES(STOA_NAMED(count)), PTRDIFF_MAX / sizeof(float));
    }
    if (status == STOA_OK) {
        status = stoa_stateless_activation(context, function, activation, layer);
    }
    r->run = (struct stoa_op_run){.context = context,
                                  .x = stoa_no_inputs,
                                  .dx = stoa_no_gradients,
                                  .layer = &layer->layer,
                                  .batch = count,
                                  .planned_batch = count};
    return status;
}

stoa_status stoa_activation_forward(stoa_context *context, const char *activation, size_t count,
                                    const float *x, float *y) {
    STOA_FLOAT_STATE();
    struct stoa_stateless_layer layer;
    struct number_rows r;
    stoa_status status = open_activation(context, __func__, activation, count,
                                         STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(y)), &layer, &r);
    if (status == STOA_OK) {
        r.run.x = &x;
        r.run.y = y;
        layer.layer.op->forward(&r.run);
    }
    return status;
}

stoa_status stoa_activation_backward(stoa_context *context, const char *activation, size_t count,
                                     const float *x, const float *y, const float *dy, float *dx) {
    STOA_FLOAT_STATE();
    struct stoa_stateless_layer layer;
    struct number_rows r;
    stoa_status status = open_activation(context, __func__, activation, count,
                                         STOA_BUFFERS(STOA_NAMED(dy), STOA_NAMED(dx)), &layer, &r);
    if (status == STOA_OK && (layer.layer.op->needs & STOA_NEEDS_X)) {
        status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(x)));
    }
    if (status == STOA_OK && (layer.layer.op->needs & STOA_NEEDS_Y)) {
        status = stoa_check_buffers(context, __func__, STOA_BUFFERS(STOA_NAMED(y)));
    }
    if (status == STOA_OK) {
        r.run.x = &x;
        r.run.y = stoa_only_read(y);
        r.run.dy = dy;
        r.run.dx = &dx;
        layer.layer.op->backward(&r.run);
    }
    return status;
}

stoa_status stoa_add(stoa_context *context, size_t count, const float *a, const float *b, float *y) {
    STOA_FLOAT_STATE();
    struct number_rows r;
    const float *const inputs[] = {a, b};
    struct stoa_shape shapes[] = {{.rank = 1, .dim = {1}}, {.rank = 1, .dim = {1}}};
    stoa_status status =
        open_rows(context, __func__, 1, 1, STOA_BUFFERS(STOA_NAMED(a), STOA_NAMED(b), STOA_NAMED(y)), &r);
    if (status == STOA_OK) {
        status =
            stoa_check_sizes(context, __func__, STOA_SIZES(STOA_NAMED(count)), PTRDIFF_MAX / sizeof(float));
    }
    if (status == STOA_OK) {
        r.layer.op = stoa_op_find("add");
        r.layer.inputs = 2;
        r.layer.input = shapes;
        r.run.batch = count;
        r.run.x = inputs;
        r.run.y = y;
        r.layer.op->forward(&r.run);
    }
    return status;
}

static stoa_status forward_rows(stoa_context *context, const char *function, const char *op, size_t rows,
                                size_t columns, const float *x, float *y) {
    STOA_FLOAT_STATE();
    struct number_rows r;
    stoa_status status =
        open_rows(context, function, rows, columns, STOA_BUFFERS(STOA_NAMED(x), STOA_NAMED(y)), &r);
    if (status == STOA_OK) {
        r.layer.op = stoa_op_find(op);
        r.run.x = &x;
        r.run.y = y;
        r.layer.op->forward(&r.run);
    }
    return status;
}

static stoa_status backward_rows(stoa_context *context, const char *function, const char *op, size_t rows,
                                 size_t columns, const float *y, const float *dy, float *dx) {
    STOA_FLOAT_STATE();
    struct number_rows r;
    stoa_status status = open_rows(context, function, rows, columns,
                                   STOA_BUFFERS(STOA_NAMED(y), STOA_NAMED(dy), STOA_NAMED(dx)), &r);
    if (status == STOA_OK) {
        r.layer.op = stoa_op_find(op);
        r.run.y = stoa_only_read(y);
        r.run.dy = dy;
        r.run.dx = &dx;
        r.layer.op->backward(&r.run);
    }
    return status;
}

stoa_status stoa_softmax_forward(stoa_context *context, size_t rows, size_t columns, const float *x,
                                 float *y) {
    return forward_rows(context, __func__, "softmax", rows, columns, x, y);
}

stoa_status stoa_softmax_backward(stoa_context *context, size_t rows, size_t columns, const float *y,
                                  const float *dy, float *dx) {
    return backward_rows(context, __func__, "softmax", rows, columns, y, dy, dx);
}

stoa_status stoa_log_softmax_forward(stoa_context *context, size_t rows, size_t columns, const float *x,
                                     float *y) {
    return forward_rows(context, __func__, "log_softmax", rows, columns, x, y);
}

stoa_status stoa_log_softmax_backward(stoa_context *context, size_t rows, size_t columns, const float *y,
                                      const float *dy, float *dx) {
    return backward_rows(context, __func__, "log_softmax", rows, columns, y, dy, dx);
}
