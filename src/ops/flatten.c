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
    .forward = stoa_view_forward,
    .backward = stoa_view_backward,
    .flops = stoa_no_flops,
    .reference_forward = stoa_view_reference_forward,
    .reference_backward = stoa_view_reference_backward,
    .examples = examples,
};
