/* SPDX-License-Identifier: MIT */
/* bce_with_logits: binary cross entropy of each of K logits. x logits and target in [0, 1] (N, K), y (N): the
 * mean, or sum, over k of -pos_weight * t * log(s) - (1 - t) * log(1 - s), s = sigmoid(x), computed without a
 * logarithm of a small number. dx = (s * (1 + (pos_weight - 1) * t) - pos_weight * t) times dy / K, or dy. */
#include "ops/row_loss.h"

static const struct stoa_option options[] = {
    STOA_REDUCTION_OPTION(stoa_reductions),
    {"pos_weight", STOA_OPTION_FLOAT, offsetof(struct stoa_row_loss_options, parameter), "1", 0, 1e6, NULL},
};

static void forward(const struct stoa_op_run *run) {
    stoa_row_loss_forward(run, run->context->kernels->bce, stoa_row_loss_scale(run->layer));
}

static void backward(const struct stoa_op_run *run) {
    stoa_row_loss_backward(run, run->context->kernels->bce_backward, stoa_row_loss_scale(run->layer));
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_row_loss_reference(run, stoa_reference_f64.bce, stoa_row_loss_scale(run->layer));
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_row_loss_reference_backward(run, stoa_reference_f64.bce_backward, stoa_row_loss_scale(run->layer));
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"pos_weight=2.5", {"2x3x4"}, 2},
    {"reduction=sum", {"10"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_bce_with_logits = {
    .name = "bce_with_logits",
    .is_loss = true,
    .takes_logits = true,
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
