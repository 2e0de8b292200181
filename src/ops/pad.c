/* SPDX-License-Identifier: MIT */
/* pad: an image with a border of a constant. x (N, H, W, C), y (N, H + top + bottom, W + left + right, C);
 * `size` counts on all four sides, the others beside it. dx is the inside of dy. */
#include <string.h>

#include "ops/op.h"

struct pad_options {
    struct stoa_pair size;
    size_t top, bottom, left, right;
    float value;
};

static const struct stoa_option options[] = {
    {"size", STOA_OPTION_PAIR, offsetof(struct pad_options, size), "0", 0, 65535, NULL},
    {"top", STOA_OPTION_SIZE, offsetof(struct pad_options, top), "0", 0, 65535, NULL},
    {"bottom", STOA_OPTION_SIZE, offsetof(struct pad_options, bottom), "0", 0, 65535, NULL},
    {"left", STOA_OPTION_SIZE, offsetof(struct pad_options, left), "0", 0, 65535, NULL},
    {"right", STOA_OPTION_SIZE, offsetof(struct pad_options, right), "0", 0, 65535, NULL},
    {"value", STOA_OPTION_FLOAT, offsetof(struct pad_options, value), "0", -1e30, 1e30, NULL},
};

/* Rows and numbers of an image and of its border. */
struct frame {
    size_t height, row;         /* lines of x, and numbers of one */
    size_t top, left;           /* lines above, and numbers before each line */
    size_t out_height, out_row; /* of y */
    float value;
};

static struct frame frame_of(const struct stoa_layer *layer) {
    const struct pad_options *o = layer->options;
    const size_t *in = layer->input[0].dim;
    const size_t *out = layer->output.dim;
    return (struct frame){.height = in[0],
                          .row = in[1] * in[2],
                          .top = o->size.height + o->top,
                          .left = (o->size.width + o->left) * in[2],
                          .out_height = out[0],
                          .out_row = out[1] * out[2],
                          .value = o->value};
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct pad_options *o = layer->options;
    stoa_status status = stoa_expect_image(error, layer);
    const size_t *in = layer->input[0].dim;
    layer->output = (struct stoa_shape){.rank = 3,
                                        .dim = {in[0] + 2 * o->size.height + o->top + o->bottom,
                                                in[1] + 2 * o->size.width + o->left + o->right, in[2]}};
    return status;
}

static void fill(float *y, size_t n, float value) {
    for (size_t i = 0; i < n; i++) {
        y[i] = value;
    }
}

static void forward_lines(const struct stoa_op_run *run, size_t first, size_t count) {
    struct frame f = frame_of(run->layer);
    for (size_t line = first; line < first + count; line++) {
        float *y = run->y + line * f.out_row;
        size_t at = line % f.out_height;
        if (at < f.top || at >= f.top + f.height) {
            fill(y, f.out_row, f.value);
            continue;
        }
        fill(y, f.left, f.value);
        memcpy(y + f.left, run->x[0] + (line / f.out_height * f.height + at - f.top) * f.row,
               f.row * sizeof *y);
        fill(y + f.left + f.row, f.out_row - f.left - f.row, f.value);
    }
}

static void forward(const struct stoa_op_run *run) {
    struct frame f = frame_of(run->layer);
    stoa_parallel_range(run, run->batch * f.out_height, stoa_row_grain(f.out_row), forward_lines);
}

static void backward_lines(const struct stoa_op_run *run, size_t first, size_t count) {
    struct frame f = frame_of(run->layer);
    for (size_t line = first; line < first + count; line++) {
        size_t from = line / f.height * f.out_height + f.top + line % f.height;
        memcpy(run->dx[0] + line * f.row, run->dy + from * f.out_row + f.left, f.row * sizeof(float));
    }
}

static void backward(const struct stoa_op_run *run) {
    struct frame f = frame_of(run->layer);
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch * f.height, stoa_row_grain(f.row), backward_lines);
    }
}

/* Numbers move, nothing is computed. */
static double flops(const struct stoa_layer *layer) {
    (void)layer;
    return 0;
}

static void reference_forward(const struct stoa_op_reference *run) {
    struct frame f = frame_of(run->layer);
    size_t image = f.out_height * f.out_row;
    for (size_t n = 0; n < run->batch; n++) {
        for (size_t i = 0; i < image; i++) {
            run->y[n * image + i] = (double)f.value;
        }
        stoa_reference_f64.copy_rows(run->x[0] + n * f.height * f.row, f.height, f.row, f.row,
                                     run->y + n * image + f.top * f.out_row + f.left, f.out_row);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    struct frame f = frame_of(run->layer);
    for (size_t n = 0; n < run->batch; n++) {
        stoa_reference_f64.copy_rows(run->dy + n * f.out_height * f.out_row + f.top * f.out_row + f.left,
                                     f.height, f.row, f.out_row, run->dx[0] + n * f.height * f.row, f.row);
    }
}

static const struct stoa_op_example examples[] = {
    {"size=2x1 value=0.5", {"3x4x5"}, 2},
    {"top=1 right=3", {"2x3x4"}, 3},
    {"size=1 bottom=2 left=1", {"1x1x7"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_pad = {
    .name = "pad",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct pad_options),
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
