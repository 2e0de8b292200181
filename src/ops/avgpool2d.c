/* SPDX-License-Identifier: MIT */
/* avgpool2d: the mean of each window. x (N, H, W, C), y (N, OH, OW, C). The padding counts as zeros in the
 * mean, as in PyTorch, unless include_pad=false; what ceil_mode lets hang over the padding never counts. */
#include "ops/pool.h"

static const struct stoa_option options[] = {
    STOA_POOL_OPTION_TABLE,
    {"include_pad", STOA_OPTION_BOOL, offsetof(struct stoa_pool_options, include_pad), "true", 0, 0, NULL},
};

static bool include_pad(const struct stoa_layer *layer) {
    return ((const struct stoa_pool_options *)layer->options)->include_pad;
}

static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    struct stoa_window w = stoa_pool_window(run->layer);
    size_t at = first * w.out_width * w.channels;
    run->context->kernels->avgpool(&w, include_pad(run->layer), run->x[0], first, count, run->y + at);
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
    for (size_t n = first; n < first + count; n++) {
        run->context->kernels->avgpool_backward(&w, include_pad(run->layer), run->dy + n * out,
                                                run->dx[0] + n * in);
        stoa_run_epilogue(run, run->dx[0] + n * in, n * in, in);
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->input[0])),
                            backward_images);
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    struct stoa_window w = stoa_pool_window(run->layer);
    stoa_reference_f64.avgpool(&w, include_pad(run->layer), run->x[0], 0, run->batch * w.out_height, run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    struct stoa_window w = stoa_pool_window(run->layer);
    size_t in = stoa_shape_size(&run->layer->input[0]);
    size_t out = stoa_shape_size(&run->layer->output);
    for (size_t n = 0; n < run->batch; n++) {
        stoa_reference_f64.avgpool_backward(&w, include_pad(run->layer), run->dy + n * out,
                                            run->dx[0] + n * in);
    }
}

static const struct stoa_op_example examples[] = {
    {"size=2", {"6x8x5"}, 3},
    {"size=3x2 stride=2x1 pad=1", {"7x5x17"}, 2},
    {"size=3 stride=2 pad=same include_pad=false", {"6x7x4"}, 2},
    {"size=3 stride=2 ceil_mode=true", {"6x4x17"}, 2},
    {"size=3x4 stride=2x3 pad=1,0,1,2 ceil_mode=true", {"4x6x5"}, 2},
    {"size=3 stride=2 pad=0,0,1,1 ceil_mode=true include_pad=false", {"6x6x3"}, 2},
    {"size=3x2 dilation=2x3 stride=1 pad=2,1,1,1", {"5x6x4"}, 2},
    {"size=1x4 stride=1x2 pad=0x1", {"1x9x6"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_avgpool2d = {
    .name = "avgpool2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_pool_options),
    .finishes = 1 << STOA_FORWARD | 1 << STOA_BACKWARD,
    .infer = stoa_pool_infer,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
