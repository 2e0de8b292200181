/* SPDX-License-Identifier: MIT */
/* add: y = x0 + x1, shapes equal: the residual connection (He et al. 2015). Both gradients are dy. In
 * place. */
#include <string.h>

#include "ops/op.h"

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    if (!stoa_shape_equal(&layer->input[0], &layer->input[1])) {
        char left[STOA_SHAPE_TEXT];
        char right[STOA_SHAPE_TEXT];
        return stoa_error_set(
            error, STOA_ERR_SHAPE, "found inputs of shapes %s and %s, expected equal shapes",
            stoa_shape_text(&layer->input[0], left), stoa_shape_text(&layer->input[1], right));
    }
    const size_t *left = layer->input[0].flattened;
    const size_t *right = layer->input[1].flattened;
    if (memcmp(left, right, sizeof layer->input[0].flattened) != 0) {
        return stoa_error_set(
            error, STOA_ERR_SHAPE,
            "found a flattened image and plain features: their orders differ between memory and files; "
            "put a linear layer between");
    }
    layer->output = layer->input[0];
    return STOA_OK;
}

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    const float *other = run->x[1 - run->flow] + p->first;
    run->context->kernels->add(p->x, other, p->y, p->count);
}

static void backward(const struct stoa_op_run *run) {
    for (size_t i = 0; i < 2; i++) {
        if (run->dx[i] && run->dx[i] != run->dy) {
            memcpy(run->dx[i], run->dy, stoa_batch_size(run, &run->layer->output) * sizeof(float));
        }
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_reference_f64.add(run->x[0], run->x[1], run->y, run->batch * stoa_shape_size(&run->layer->output));
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t bytes = run->batch * stoa_shape_size(&run->layer->output) * sizeof(double);
    memcpy(run->dx[0], run->dy, bytes);
    memcpy(run->dx[1], run->dy, bytes);
}

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5", "3x4x5"}, 2},
    {"", {"9", "9"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_add = {
    .name = "add",
    .least_inputs = 2,
    .most_inputs = 2,
    .in_place = true,
    .gradient_in_place = true,
    .infer = infer,
    .map = map,
    .forward = stoa_map_forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
