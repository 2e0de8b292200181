/* SPDX-License-Identifier: MIT */
/* silu: y = x * sigmoid(x) (Hendrycks and Gimpel 2016; "swish"). dx = dy * s * (1 + x * (1 - s)), s =
 * sigmoid(x). Any shape. */
#include "ops/map.h"

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->silu(p->x, p->y, p->count, 0);
}

static void map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->silu_backward(p->x, p->dy, p->dx, p->count, 0);
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_map_reference(run, stoa_reference_f64.silu, 0);
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_map_reference_from_x(run, stoa_reference_f64.silu_backward, 0);
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_silu = {
    .name = "silu",
    .least_inputs = 1,
    .most_inputs = 1,
    .needs = STOA_NEEDS_X,
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
