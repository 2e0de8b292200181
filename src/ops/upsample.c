/* SPDX-License-Identifier: MIT */
/* upsample: every pixel of an image scale times in height and width (nearest neighbour). x (N, H, W, C), y
 * (N, H * scale, W * scale, C). dx is the sum of dy over a pixel's copies. */
#include "ops/op.h"

struct upsample_options {
    struct stoa_pair scale;
};

static const struct stoa_option options[] = {
    {"scale", STOA_OPTION_PAIR, offsetof(struct upsample_options, scale), "2", 1, 65535, NULL},
};

static struct stoa_pair scale_of(const struct stoa_layer *layer) {
    return ((const struct upsample_options *)layer->options)->scale;
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    stoa_status status = stoa_expect_image(error, layer);
    struct stoa_pair scale = scale_of(layer);
    const size_t *in = layer->input[0].dim;
    layer->output = (struct stoa_shape){.rank = 3, .dim = {in[0] * scale.height, in[1] * scale.width, in[2]}};
    return status;
}

/* Lines of x of all images: each becomes `scale` lines of y. */
static void forward_lines(const struct stoa_op_run *run, size_t first, size_t count) {
    struct stoa_pair scale = scale_of(run->layer);
    const size_t *in = run->layer->input[0].dim;
    size_t at = first * in[1] * in[2];
    run->context->kernels->upsample(run->x[0] + at, count, in[1], in[2], scale.height, scale.width,
                                    run->y + at * scale.height * scale.width);
}

static void backward_lines(const struct stoa_op_run *run, size_t first, size_t count) {
    struct stoa_pair scale = scale_of(run->layer);
    const size_t *in = run->layer->input[0].dim;
    size_t at = first * in[1] * in[2];
    run->context->kernels->upsample_backward(run->dy + at * scale.height * scale.width, count, in[1], in[2],
                                             scale.height, scale.width, run->dx[0] + at);
}

static void run_lines(const struct stoa_op_run *run, stoa_range_fn *body) {
    size_t lines = run->layer->input[0].dim[0];
    stoa_parallel_range(run, run->batch * lines, stoa_row_grain(stoa_shape_size(&run->layer->output) / lines),
                        body);
}

static void forward(const struct stoa_op_run *run) {
    run_lines(run, forward_lines);
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        run_lines(run, backward_lines);
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    struct stoa_pair scale = scale_of(run->layer);
    const size_t *in = run->layer->input[0].dim;
    stoa_reference_f64.upsample(run->x[0], run->batch * in[0], in[1], in[2], scale.height, scale.width,
                                run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    struct stoa_pair scale = scale_of(run->layer);
    const size_t *in = run->layer->input[0].dim;
    stoa_reference_f64.upsample_backward(run->dy, run->batch * in[0], in[1], in[2], scale.height, scale.width,
                                         run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5"}, 2},
    {"scale=3x1", {"2x3x17"}, 3},
    {"scale=1x4", {"3x2x1"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_upsample = {
    .name = "upsample",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct upsample_options),
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
