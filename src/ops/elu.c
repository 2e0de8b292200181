/* SPDX-License-Identifier: MIT */
/* elu: y = x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2016). dx = dy where y > 0, else dy * (y
 * + alpha). Any shape; in place. */
#include "ops/map.h"

struct elu_options {
    float alpha;
};

static const struct stoa_option options[] = {
    {"alpha", STOA_OPTION_FLOAT, offsetof(struct elu_options, alpha), "1", 0, 1e6, NULL},
};

static float alpha_of(const struct stoa_layer *layer) {
    return ((const struct elu_options *)layer->options)->alpha;
}

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->elu(p->x, p->y, p->count, alpha_of(run->layer));
}

static void map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    run->context->kernels->elu_backward(p->y, p->dy, p->dx, p->count, alpha_of(run->layer));
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_map_reference(run, stoa_reference_f64.elu, (double)alpha_of(run->layer));
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_map_reference_from_y(run, stoa_reference_f64.elu, stoa_reference_f64.elu_backward,
                              (double)alpha_of(run->layer));
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"alpha=0.5", {"33"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_elu = {
    .name = "elu",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct elu_options),
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
