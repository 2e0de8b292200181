/* mse: mean squared error. x and target (N, K), y (N): y = mean over k of (x - target)^2. dx = 2 / K * (x -
 * target) * dy. Floor 5. */
#include "ops/op.h"

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    (void)error;
    layer->output = (struct stoa_shape){.rank = 1, .dim = {1}};
    return STOA_OK;
}

static size_t columns_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->input[0]);
}

static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t columns = columns_of(run->layer);
    run->context->kernels->squared_error(run->x[0] + first * columns, run->targets.values + first * columns,
                                         count, columns, run->y + first);
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(columns_of(run->layer)), forward_rows);
}

static void backward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t columns = columns_of(run->layer);
    size_t at = first * columns;
    run->context->kernels->squared_error_backward(run->x[0] + at, run->targets.values + at, run->dy + first,
                                                  count, columns, run->dx[0] + at);
}

static void backward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(columns_of(run->layer)), backward_rows);
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_reference_f64.squared_error(run->x[0], run->values, run->batch, columns_of(run->layer), run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_reference_f64.squared_error_backward(run->x[0], run->values, run->dy, run->batch,
                                              columns_of(run->layer), run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"", {"2x3x4"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_mse = {
    .name = "mse",
    .is_loss = true,
    .least_inputs = 1,
    .most_inputs = 1,
    .needs = STOA_NEEDS_X,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
