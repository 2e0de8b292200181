/* SPDX-License-Identifier: MIT */
/* relu: y = max(0, x), NaN stays NaN. dx = dy where y > 0, else 0. Any shape; in place. */
#include "ops/op.h"

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->relu(p->x, p->y, p->count);
}

static void map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->relu_backward(p->y, p->dy, p->dx, p->count);
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_reference_f64.relu(run->x[0], run->y, run->batch * stoa_shape_size(&run->layer->output));
}

static void reference_backward(const struct stoa_op_reference *run) {
    /* x > 0 exactly where y > 0. */
    stoa_reference_f64.relu_backward(run->x[0], run->dy, run->dx[0],
                                     run->batch * stoa_shape_size(&run->layer->output));
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_relu = {
    .name = "relu",
    .least_inputs = 1,
    .most_inputs = 1,
    .needs = STOA_NEEDS_Y,
    .in_place = true,
    .gradient_in_place = true,
    .infer = stoa_infer_same,
    .map = map,
    .map_backward = map_backward,
    .is_relu = true,
    .forward = stoa_map_forward,
    .backward = stoa_map_backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
