/* SPDX-License-Identifier: MIT */
/* tanh: y = tanh(x). dx = dy * (1 - y^2). Any shape; in place. */
#include "ops/map.h"

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->tanh(p->x, p->y, p->count, 0);
}

static void map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->tanh_backward(p->y, p->dy, p->dx, p->count, 0);
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
    .map = map,
    .map_backward = map_backward,
    .forward = stoa_map_forward,
    .backward = stoa_map_backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
