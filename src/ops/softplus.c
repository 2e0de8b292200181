/* SPDX-License-Identifier: MIT */
/* softplus: y = log(1 + exp(beta * x)) / beta. dx = dy * sigmoid(beta * x) = dy * (1 - exp(-beta * y)). Any
 * shape; in place. PyTorch goes over to y = x above a threshold, where the difference is below 2e-9; here the
 * formula holds everywhere. */
#include "ops/map.h"

struct softplus_options {
    float beta;
};

static const struct stoa_option options[] = {
    {"beta", STOA_OPTION_FLOAT, offsetof(struct softplus_options, beta), "1", 1e-6, 1e6, NULL},
};

static float beta_of(const struct stoa_layer *layer) {
    return ((const struct softplus_options *)layer->options)->beta;
}

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->softplus(p->x, p->y, p->count, beta_of(run->layer));
}

static void map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->softplus_backward(p->y, p->dy, p->dx, p->count, beta_of(run->layer));
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_map_reference(run, stoa_reference_f64.softplus, (double)beta_of(run->layer));
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_map_reference_from_y(run, stoa_reference_f64.softplus, stoa_reference_f64.softplus_backward,
                              (double)beta_of(run->layer));
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"beta=2.5", {"33"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_softplus = {
    .name = "softplus",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct softplus_options),
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
