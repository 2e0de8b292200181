/* SPDX-License-Identifier: MIT */
/* depth_to_space: block * block channels become a square of pixels (ONNX's DepthToSpace; with mode=crd
 * PyTorch's pixel_shuffle, Shi et al. 2016). x (N, H, W, C * block * block), y (N, H * block, W * block,
 * C); the order is in depth_space.h. dx is dy the other way round. */
#include "ops/depth_space.h"

static const struct stoa_option options[] = {STOA_DEPTH_SPACE_OPTION_TABLE};

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const size_t block = ((const struct stoa_depth_space_options *)layer->options)->block;
    stoa_status status = stoa_expect_image(error, layer);
    if (status != STOA_OK) {
        return status;
    }
    const size_t *in = layer->input[0].dim;
    if (in[2] % (block * block) != 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "block %zu does not divide %zu channels into squares",
                              block, in[2]);
    }
    layer->output =
        (struct stoa_shape){.rank = 3, .dim = {in[0] * block, in[1] * block, in[2] / (block * block)}};
    return STOA_OK;
}

static void forward(const struct stoa_op_run *run) {
    stoa_depth_to_space(run, &run->layer->input[0], &run->layer->output, run->x[0], run->y);
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_space_to_depth(run, &run->layer->input[0], &run->layer->output, run->dy, run->dx[0]);
    }
}

/* Numbers move, nothing is computed. */
static void reference_forward(const struct stoa_op_reference *run) {
    stoa_depth_space_reference(run, &run->layer->input[0], &run->layer->output, true, run->x[0], run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_depth_space_reference(run, &run->layer->input[0], &run->layer->output, false, run->dy, run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"block=2", {"2x3x12"}, 2},
    {"block=3 mode=crd", {"3x2x18"}, 2},
    {"block=2 mode=crd", {"1x5x68"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_depth_to_space = {
    .name = "depth_to_space",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_depth_space_options),
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = stoa_no_flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
