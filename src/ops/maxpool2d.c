/* SPDX-License-Identifier: MIT */
/* maxpool2d: the largest value of each window; the gradient goes to the first largest one.
 *
 * x (N, H, W, C), y (N, OH, OW, C). Padding never wins. Saved: which tap of the window won, one uint16 an
 * output. */
#include <stdlib.h>

#include "base/size.h"
#include "ops/pool.h"

static const struct stoa_option options[] = {STOA_POOL_OPTION_TABLE};

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct stoa_pool_options *o = layer->options;
    size_t taps = o->window.kernel.height * o->window.kernel.width;
    if (taps > UINT16_MAX) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "window %zux%zu has more than %d taps",
                              o->window.kernel.height, o->window.kernel.width, UINT16_MAX);
    }
    return stoa_pool_infer(error, layer);
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t outputs;
    return !run->training ||
           (stoa_size_mul(run->planned_batch, stoa_shape_size(&run->layer->output), &outputs) &&
            stoa_size_mul(outputs, sizeof(uint16_t), &memory->saved));
}

/* Without training nobody reads the indices. */
static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    struct stoa_window w = stoa_pool_window(run->layer);
    size_t at = first * w.out_width * w.channels;
    uint16_t *index = run->training ? (uint16_t *)run->saved + at : NULL;
    run->context->kernels->maxpool(&w, run->x[0], first, count, run->y + at, index);
    stoa_run_epilogue(run, run->y + at, at, count * w.out_width * w.channels);
}

static void forward(const struct stoa_op_run *run) {
    struct stoa_window w = stoa_pool_window(run->layer);
    stoa_parallel_range(run, run->batch * w.out_height, stoa_row_grain(w.out_width * w.channels * 4),
                        forward_rows);
}

static void backward_images(const struct stoa_op_run *run, size_t first, size_t count) {
    struct stoa_window w = stoa_pool_window(run->layer);
    size_t in = stoa_shape_size(&run->layer->input[0]);
    size_t out = stoa_shape_size(&run->layer->output);
    const uint16_t *index = run->saved;
    for (size_t n = first; n < first + count; n++) {
        run->context->kernels->maxpool_backward(&w, run->dy + n * out, index + n * out, run->dx[0] + n * in);
        stoa_run_epilogue(run, run->dx[0] + n * in, n * in, in);
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->input[0])),
                            backward_images);
    }
}

static uint16_t *reference_indices(const struct stoa_op_reference *run, double *y) {
    struct stoa_window w = stoa_pool_window(run->layer);
    size_t rows = run->batch * w.out_height;
    uint16_t *index = malloc(rows * w.out_width * w.channels * sizeof *index);
    if (index) {
        stoa_reference_f64.maxpool(&w, run->x[0], 0, rows, y, index);
    }
    return index;
}

static void reference_forward(const struct stoa_op_reference *run) {
    free(reference_indices(run, run->y));
}

static void reference_backward(const struct stoa_op_reference *run) {
    struct stoa_window w = stoa_pool_window(run->layer);
    size_t in = stoa_shape_size(&run->layer->input[0]);
    size_t out = stoa_shape_size(&run->layer->output);
    uint16_t *index = reference_indices(run, run->y);
    for (size_t n = 0; index && n < run->batch; n++) {
        stoa_reference_f64.maxpool_backward(&w, run->dy + n * out, index + n * out, run->dx[0] + n * in);
    }
    free(index);
}

static const struct stoa_op_example examples[] = {
    {"size=2", {"6x8x5"}, 3},
    {"size=3x2 stride=2x1 pad=1", {"7x5x17"}, 2},
    {"size=3 stride=2 pad=same", {"6x7x4"}, 2},
    {"size=2 pad=same_lower", {"5x4x3"}, 2},
    {"size=3 stride=2 ceil_mode=true", {"6x4x17"}, 2},
    {"size=3 stride=2x3 pad=1 ceil_mode=true", {"4x6x5"}, 2},
    {"size=2x3 dilation=3x2 stride=1 pad=0,2,1,0", {"5x7x4"}, 2},
    {"size=1x2", {"1x9x6"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_maxpool2d = {
    .name = "maxpool2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_pool_options),
    .finishes = 1 << STOA_FORWARD | 1 << STOA_BACKWARD,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
