/* SPDX-License-Identifier: MIT */
/* huber: squared error near the target, absolute error far from it (Huber 1964). x and target (N, K), y (N):
 * the mean, or sum, over k of d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2), d = x - target. dx
 * = d within [-delta, delta], times dy / K, or dy. */
#include "ops/row_loss.h"

static const struct stoa_option options[] = {
    STOA_REDUCTION_OPTION(stoa_reductions),
    {"delta", STOA_OPTION_FLOAT, offsetof(struct stoa_row_loss_options, parameter), "1", 1e-6, 1e6, NULL},
};

static void forward(const struct stoa_op_run *run) {
    stoa_row_loss_forward(run, run->context->kernels->huber, stoa_row_loss_scale(run->layer));
}

static void backward(const struct stoa_op_run *run) {
    stoa_row_loss_backward(run, run->context->kernels->huber_backward, stoa_row_loss_scale(run->layer));
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_row_loss_reference(run, stoa_reference_f64.huber, stoa_row_loss_scale(run->layer));
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_row_loss_reference_backward(run, stoa_reference_f64.huber_backward, stoa_row_loss_scale(run->layer));
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"delta=0.25", {"2x3x4"}, 2},
    {"reduction=sum delta=0.5", {"10"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_huber = {
    .name = "huber",
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
