/* SPDX-License-Identifier: MIT */
/* space_to_depth: a square of block * block pixels becomes channels (ONNX's SpaceToDepth; with mode=crd
 * PyTorch's pixel_unshuffle). x (N, H * block, W * block, C), y (N, H, W, C * block * block); the order is
 * in depth_space.h. dx is dy the other way round. */
#include "ops/depth_space.h"

static const struct stoa_option options[] = {STOA_DEPTH_SPACE_OPTION_TABLE};

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const size_t block = ((const struct stoa_depth_space_options *)layer->options)->block;
    stoa_status status = stoa_expect_image(error, layer);
    if (status != STOA_OK) {
        return status;
    }
    const size_t *in = layer->input[0].dim;
    if (in[0] % block != 0 || in[1] % block != 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "block %zu does not divide input %zux%zu", block, in[0],
                              in[1]);
    }
    layer->output =
        (struct stoa_shape){.rank = 3, .dim = {in[0] / block, in[1] / block, in[2] * block * block}};
    return STOA_OK;
}

static void forward(const struct stoa_op_run *run) {
    stoa_space_to_depth(run, &run->layer->output, &run->layer->input[0], run->x[0], run->y);
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_depth_to_space(run, &run->layer->output, &run->layer->input[0], run->dy, run->dx[0]);
    }
}

/* Numbers move, nothing is computed. */
static void reference_forward(const struct stoa_op_reference *run) {
    stoa_depth_space_reference(run, &run->layer->output, &run->layer->input[0], false, run->x[0], run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    stoa_depth_space_reference(run, &run->layer->output, &run->layer->input[0], true, run->dy, run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"block=2", {"4x6x3"}, 2},
    {"block=3 mode=crd", {"3x6x2"}, 2},
    {"block=1", {"2x3x4"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_space_to_depth = {
    .name = "space_to_depth",
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
