/* SPDX-License-Identifier: MIT */
/* softmax over the last axis: y = exp(x - max(x)) / sum of the same. dx = y * (dy - sum(y * dy)). In
 * place. */
#include "ops/op.h"

static size_t columns_of(const struct stoa_layer *layer) {
    return layer->output.dim[layer->output.rank - 1];
}

static size_t rows_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->output) / columns_of(layer);
}

static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t columns = columns_of(run->layer);
    run->context->kernels->softmax(run->x[0] + first * columns, count, columns, run->y + first * columns);
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch * rows_of(run->layer), stoa_row_grain(columns_of(run->layer) * 16),
                        forward_rows);
}

static void backward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t columns = columns_of(run->layer);
    size_t at = first * columns;
    run->context->kernels->softmax_backward(run->y + at, run->dy + at, count, columns, run->dx[0] + at);
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch * rows_of(run->layer), stoa_row_grain(columns_of(run->layer)),
                            backward_rows);
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_reference_f64.softmax(run->x[0], run->batch * rows_of(run->layer), columns_of(run->layer), run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t rows = run->batch * rows_of(run->layer);
    stoa_reference_f64.softmax(run->x[0], rows, columns_of(run->layer), run->y);
    stoa_reference_f64.softmax_backward(run->y, run->dy, rows, columns_of(run->layer), run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"", {"2x3x5"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_softmax = {
    .name = "softmax",
    .least_inputs = 1,
    .most_inputs = 1,
    .needs = STOA_NEEDS_Y,
    .in_place = true,
    .gradient_in_place = true,
    .infer = stoa_infer_same,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
