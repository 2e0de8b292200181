/* SPDX-License-Identifier: MIT */
/* tanh: y = tanh(x). dx = dy * (1 - y^2). Any shape; in place. */
#include "ops/map.h"

static void forward(const struct stoa_op_run *run) {
    stoa_map_forward(run, run->context->kernels->tanh, 0);
}

static void backward(const struct stoa_op_run *run) {
    stoa_map_backward(run, run->context->kernels->tanh_backward, run->y, 0);
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_map_reference(run, stoa_reference_f64.tanh, 0);
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_map_reference_from_y(run, stoa_reference_f64.tanh, stoa_reference_f64.tanh_backward, 0);
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_tanh = {
    .name = "tanh",
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
