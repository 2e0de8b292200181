/* SPDX-License-Identifier: MIT */
/* global_maxpool: the largest value of each channel; the gradient goes to the first largest one. x (N, H,
 * W, C), y (N, C). Saved: which pixel won, one uint32 an output. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    stoa_status status = stoa_expect_image(error, layer);
    layer->output = (struct stoa_shape){.rank = 1, .dim = {layer->input[0].dim[2]}};
    return status;
}

static size_t pixels_of(const struct stoa_layer *layer) {
    return layer->input[0].dim[0] * layer->input[0].dim[1];
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t outputs;
    return !run->training || (stoa_size_mul(run->planned_batch, run->layer->output.dim[0], &outputs) &&
                              stoa_size_mul(outputs, sizeof(uint32_t), &memory->saved));
}

/* Take the larger ones of a pixel. As in maxpool2d !(x <= y) also holds for a NaN, of which the first
 * counts. */
static void take_pixel(const float *x, uint32_t pixel, size_t channels, float *y, uint32_t *index) {
    for (size_t c = 0; c < channels; c++) {
        bool better = !(x[c] <= y[c]) && y[c] == y[c];
        y[c] = better ? x[c] : y[c];
        if (index) {
            index[c] = better ? pixel : index[c];
        }
    }
}

static void forward_images(const struct stoa_op_run *run, size_t first, size_t count) {
    const size_t pixels = pixels_of(run->layer);
    const size_t channels = run->layer->output.dim[0];
    for (size_t n = first; n < first + count; n++) {
        const float *x = run->x[0] + n * pixels * channels;
        float *y = run->y + n * channels;
        uint32_t *index = run->training ? (uint32_t *)run->saved + n * channels : NULL;
        memcpy(y, x, channels * sizeof *y);
        if (index) {
            memset(index, 0, channels * sizeof *index);
        }
        for (size_t p = 1; p < pixels; p++) {
            take_pixel(x + p * channels, (uint32_t)p, channels, y, index);
        }
    }
    stoa_run_epilogue(run, run->y + first * channels, first * channels, count * channels);
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->input[0])),
                        forward_images);
}

static void backward_images(const struct stoa_op_run *run, size_t first, size_t count) {
    const size_t channels = run->layer->output.dim[0];
    const size_t image = pixels_of(run->layer) * channels;
    const uint32_t *index = run->saved;
    for (size_t n = first; n < first + count; n++) {
        float *dx = run->dx[0] + n * image;
        memset(dx, 0, image * sizeof *dx);
        for (size_t c = 0; c < channels; c++) {
            dx[index[n * channels + c] * channels + c] = run->dy[n * channels + c];
        }
        stoa_run_epilogue(run, dx, n * image, image);
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->input[0])),
                            backward_images);
    }
}

/* Where in x the largest of output `i` of the batch stands. */
static size_t reference_winner(const struct stoa_op_reference *run, size_t i) {
    const size_t channels = run->layer->output.dim[0];
    const size_t pixels = pixels_of(run->layer);
    size_t at = i / channels * pixels * channels + i % channels;
    size_t best = at;
    for (size_t p = 1; p < pixels; p++) {
        at += channels;
        if (run->x[0][at] > run->x[0][best] || (isnan(run->x[0][at]) && !isnan(run->x[0][best]))) {
            best = at;
        }
    }
    return best;
}

static void reference_forward(const struct stoa_op_reference *run) {
    for (size_t i = 0; i < run->batch * run->layer->output.dim[0]; i++) {
        run->y[i] = run->x[0][reference_winner(run, i)];
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    memset(run->dx[0], 0, run->batch * stoa_shape_size(&run->layer->input[0]) * sizeof(double));
    for (size_t i = 0; i < run->batch * run->layer->output.dim[0]; i++) {
        run->dx[0][reference_winner(run, i)] = run->dy[i];
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"4x5x7"}, 3},
    {"", {"1x1x20"}, 1},
    {"", {"3x2x33"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_global_maxpool = {
    .name = "global_maxpool",
    .least_inputs = 1,
    .most_inputs = 1,
    .finishes = 1 << STOA_FORWARD | 1 << STOA_BACKWARD,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
