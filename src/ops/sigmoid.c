/* SPDX-License-Identifier: MIT */
/* sigmoid: y = 1 / (1 + exp(-x)). dx = dy * y * (1 - y). Any shape; in place. */
#include "ops/map.h"

static void forward(const struct stoa_op_run *run) {
    stoa_map_forward(run, run->context->kernels->sigmoid, 0);
}

static void backward(const struct stoa_op_run *run) {
    stoa_map_backward(run, run->context->kernels->sigmoid_backward, run->y, 0);
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_map_reference(run, stoa_reference_f64.sigmoid, 0);
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_map_reference_from_y(run, stoa_reference_f64.sigmoid, stoa_reference_f64.sigmoid_backward, 0);
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_sigmoid = {
    .name = "sigmoid",
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
