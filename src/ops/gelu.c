/* SPDX-License-Identifier: MIT */
/* gelu: y = x * P(x), P the distribution function of the normal distribution: 0.5 * (1 + erf(x / sqrt 2)), or
 * with approximate=tanh 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016). dx =
 * dy * (P(x) + x * P'(x)). Any shape. */
#include "ops/map.h"

struct gelu_options {
    size_t approximate;
};

enum { NONE, TANH };
static const char *const approximations[] = {"none", "tanh", NULL};

static const struct stoa_option options[] = {
    {"approximate", STOA_OPTION_CHOICE, offsetof(struct gelu_options, approximate), "none", 0, 0,
     approximations},
};

static bool is_tanh(const struct stoa_layer *layer) {
    return ((const struct gelu_options *)layer->options)->approximate == TANH;
}

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    const struct stoa_kernels *k = run->context->kernels;
    (is_tanh(run->layer) ? k->gelu_tanh : k->gelu)(p->x, p->y, p->count, 0);
}

static void map_backward(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    const struct stoa_kernels *k = run->context->kernels;
    (is_tanh(run->layer) ? k->gelu_tanh_backward : k->gelu_backward)(p->x, p->dy, p->dx, p->count, 0);
}

static void reference_forward(const struct stoa_op_reference *run) {
    const struct stoa_reference_f64 *k = &stoa_reference_f64;
    stoa_map_reference(run, is_tanh(run->layer) ? k->gelu_tanh : k->gelu, 0);
}

static void reference_backward(const struct stoa_op_reference *run) {
    const struct stoa_reference_f64 *k = &stoa_reference_f64;
    stoa_map_reference_from_x(run, is_tanh(run->layer) ? k->gelu_tanh_backward : k->gelu_backward, 0);
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"approximate=tanh", {"33"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_gelu = {
    .name = "gelu",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct gelu_options),
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
