/* SPDX-License-Identifier: MIT */
/* global_avgpool: the mean of each channel. x (N, H, W, C), y (N, C). */
#include "ops/op.h"

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    stoa_status status = stoa_expect_image(error, layer);
    layer->output = (struct stoa_shape){.rank = 1, .dim = {layer->input[0].dim[2]}};
    return status;
}

static size_t pixels_of(const struct stoa_layer *layer) {
    return layer->input[0].dim[0] * layer->input[0].dim[1];
}

static void forward_images(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t pixels = pixels_of(run->layer);
    size_t channels = run->layer->output.dim[0];
    for (size_t n = first; n < first + count; n++) {
        run->context->kernels->global_avgpool(run->x[0] + n * pixels * channels, pixels, channels,
                                              run->y + n * channels);
    }
    stoa_run_epilogue(run, run->y + first * channels, first * channels, count * channels);
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->input[0])),
                        forward_images);
}

static void backward_images(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t pixels = pixels_of(run->layer);
    size_t channels = run->layer->output.dim[0];
    for (size_t n = first; n < first + count; n++) {
        run->context->kernels->global_avgpool_backward(run->dy + n * channels, pixels, channels,
                                                       run->dx[0] + n * pixels * channels);
        stoa_run_epilogue(run, run->dx[0] + n * pixels * channels, n * pixels * channels, pixels * channels);
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->input[0])),
                            backward_images);
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    size_t pixels = pixels_of(run->layer);
    size_t channels = run->layer->output.dim[0];
    for (size_t n = 0; n < run->batch; n++) {
        stoa_reference_f64.global_avgpool(run->x[0] + n * pixels * channels, pixels, channels,
                                          run->y + n * channels);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t pixels = pixels_of(run->layer);
    size_t channels = run->layer->output.dim[0];
    for (size_t n = 0; n < run->batch; n++) {
        stoa_reference_f64.global_avgpool_backward(run->dy + n * channels, pixels, channels,
                                                   run->dx[0] + n * pixels * channels);
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"4x5x7"}, 3},
    {"", {"1x1x20"}, 1},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_global_avgpool = {
    .name = "global_avgpool",
    .least_inputs = 1,
    .most_inputs = 1,
    .finishes = 1 << STOA_FORWARD | 1 << STOA_BACKWARD,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
