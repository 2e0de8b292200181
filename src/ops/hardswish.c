/* SPDX-License-Identifier: MIT */
/* hardswish: y = x * min(max(x + 3, 0), 6) / 6 (Howard et al. 2019). dx = 0 below -3, dy above 3, dy * (x / 3
 * + 1 / 2) between. Any shape. */
#include "ops/map.h"

static void forward(const struct stoa_op_run *run) {
    stoa_map_forward(run, run->context->kernels->hardswish, 0);
}

static void backward(const struct stoa_op_run *run) {
    stoa_map_backward(run, run->context->kernels->hardswish_backward, run->x[0], 0);
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_map_reference(run, stoa_reference_f64.hardswish, 0);
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_map_reference_from_x(run, stoa_reference_f64.hardswish_backward, 0);
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_hardswish = {
    .name = "hardswish",
    .least_inputs = 1,
    .most_inputs = 1,
    .needs = STOA_NEEDS_X,
    .in_place = true,
    .gradient_in_place = true,
    .infer = stoa_infer_same,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
