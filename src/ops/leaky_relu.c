/* SPDX-License-Identifier: MIT */
/* leaky_relu: y = x where x >= 0, else slope * x (Maas et al. 2013). dx = dy where y > 0, else slope * dy.
 * Any shape; in place: with a slope from 0 the sign of y is that of x. */
#include "ops/map.h"

struct leaky_relu_options {
    float slope;
};

static const struct stoa_option options[] = {
    {"slope", STOA_OPTION_FLOAT, offsetof(struct leaky_relu_options, slope), "0.01", 0, 1e6, NULL},
};

static float slope_of(const struct stoa_layer *layer) {
    return ((const struct leaky_relu_options *)layer->options)->slope;
}

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->leaky_relu(p->x, p->y, p->count, slope_of(run->layer));
}

static void map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->leaky_relu_backward(p->y, p->dy, p->dx, p->count, slope_of(run->layer));
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_map_reference(run, stoa_reference_f64.leaky_relu, (double)slope_of(run->layer));
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_map_reference_from_y(run, stoa_reference_f64.leaky_relu, stoa_reference_f64.leaky_relu_backward,
                              (double)slope_of(run->layer));
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"slope=0.25", {"33"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_leaky_relu = {
    .name = "leaky_relu",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct leaky_relu_options),
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
