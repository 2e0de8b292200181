/* SPDX-License-Identifier: MIT */
/* flatten: an image (N, H, W, C) becomes features (N, H * W * C); no number moves.
 *
 * In memory the features keep the order H, W, C; the layer behind remembers it and gives files PyTorch's C,
 * H, W. As the last layer it gives its features in the order H, W, C. */
#include <string.h>

#include "ops/op.h"

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    (void)error;
    const struct stoa_shape *input = &layer->input[0];
    if (input->rank == 1) {
        layer->output = *input;
        layer->output.is_pixel = false;
        return STOA_OK;
    }
    layer->output = (struct stoa_shape){.rank = 1, .dim = {stoa_shape_size(input)}};
    memcpy(layer->output.flattened, input->dim, sizeof layer->output.flattened);
    return STOA_OK;
}

static void forward(const struct stoa_op_run *run) {
    if (run->y != run->x[0]) {
        memcpy(run->y, run->x[0], stoa_batch_size(run, &run->layer->output) * sizeof(float));
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0] && run->dx[0] != run->dy) {
        memcpy(run->dx[0], run->dy, stoa_batch_size(run, &run->layer->output) * sizeof(float));
    }
}

static double flops(const struct stoa_layer *layer) {
    (void)layer;
    return 0;
}

static void reference_forward(const struct stoa_op_reference *run) {
    memcpy(run->y, run->x[0], run->batch * stoa_shape_size(&run->layer->output) * sizeof(double));
}

static void reference_backward(const struct stoa_op_reference *run) {
    memcpy(run->dx[0], run->dy, run->batch * stoa_shape_size(&run->layer->output) * sizeof(double));
}

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_flatten = {
    .name = "flatten",
    .least_inputs = 1,
    .most_inputs = 1,
    .is_view = true,
    .in_place = true,
    .gradient_in_place = true,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
