/* SPDX-License-Identifier: MIT */
/* log_softmax over an axis, the channels (the last) where none is named: y = x - max(x) - log(sum(exp(x -
 * max(x)))). dx = dy - exp(y) * sum(dy). In place. */
#include "ops/axis.h"

static void forward(const struct stoa_op_run *run) {
    stoa_axis_forward(run, true);
}

static void backward(const struct stoa_op_run *run) {
    stoa_axis_backward(run, true);
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_axis_reference_forward(run, true);
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_axis_reference_backward(run, true);
}

static const struct stoa_op_example examples[] = {
    {"", {"10"}, 7},
    {"", {"2x3x5"}, 2},
    {"axis=height", {"5x3x2"}, 2},
    {"axis=width", {"3x7x17"}, 2},
    {"axis=sample", {"2x3x5"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_log_softmax = {
    .name = "log_softmax",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = stoa_axis_options,
    .option_count = STOA_AXIS_OPTIONS,
    .options_bytes = sizeof(struct stoa_axis_options),
    .needs = STOA_NEEDS_Y,
    .in_place = true,
    .gradient_in_place = true,
    .infer = stoa_axis_infer,
    .memory = stoa_axis_memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
