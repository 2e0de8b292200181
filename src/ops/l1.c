/* SPDX-License-Identifier: MIT */
/* l1: absolute error. x and target (N, K), y (N): the mean, or sum, over k of |x - target|. dx = the sign of
 * x - target times dy / K, or dy; 0 where they are equal. */
#include "ops/row_loss.h"

static const struct stoa_option options[] = {
    STOA_REDUCTION_OPTION(stoa_reductions),
};

static void forward(const struct stoa_op_run *run) {
    stoa_row_loss_forward(run, run->context->kernels->absolute_error, stoa_row_loss_scale(run->layer));
}

static void backward(const struct stoa_op_run *run) {
    stoa_row_loss_backward(run, run->context->kernels->absolute_error_backward,
                           stoa_row_loss_scale(run->layer));
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_row_loss_reference(run, stoa_reference_f64.absolute_error, stoa_row_loss_scale(run->layer));
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_row_loss_reference_backward(run, stoa_reference_f64.absolute_error_backward,
                                     stoa_row_loss_scale(run->layer));
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"", {"2x3x4"}, 2},
    {"reduction=sum", {"10"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_l1 = {
    .name = "l1",
    .is_loss = true,
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_row_loss_options),
    .needs = STOA_NEEDS_X,
    .infer = stoa_row_loss_infer,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
