/* SPDX-License-Identifier: MIT */
/* smooth_l1: the Huber loss over its threshold, whose slope is 1 far from the target (Girshick 2015). x and
 * target (N, K), y (N): the mean, or sum, over k of d^2 / (2 * beta) where |d| <= beta, else |d| - beta / 2,
 * d = x - target. */
#include "ops/row_loss.h"

static const struct stoa_option options[] = {
    STOA_REDUCTION_OPTION(stoa_reductions),
    {"beta", STOA_OPTION_FLOAT, offsetof(struct stoa_row_loss_options, parameter), "1", 1e-6, 1e6, NULL},
};

static double scale_of(const struct stoa_layer *layer) {
    return stoa_row_loss_scale(layer) / (double)stoa_row_loss_parameter(layer);
}

static void forward(const struct stoa_op_run *run) {
    stoa_row_loss_forward(run, run->context->kernels->huber, scale_of(run->layer));
}

static void backward(const struct stoa_op_run *run) {
    stoa_row_loss_backward(run, run->context->kernels->huber_backward, scale_of(run->layer));
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_row_loss_reference(run, stoa_reference_f64.huber, scale_of(run->layer));
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_row_loss_reference_backward(run, stoa_reference_f64.huber_backward, scale_of(run->layer));
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"beta=0.25", {"2x3x4"}, 2},
    {"reduction=sum beta=0.5", {"10"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_smooth_l1 = {
    .name = "smooth_l1",
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
