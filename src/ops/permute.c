/* SPDX-License-Identifier: MIT */
/* permute: an image with its axes in another order, named in PyTorch's order C, H, W: with order=hwc y's
 * channels are x's rows, y's rows are x's columns and y's columns are x's channels, x.permute(0, 2, 3, 1).
 * dx is dy in the order that undoes it. */
#include <string.h>

#include "ops/op.h"

/* By order: for each of y's axes H, W, C in memory x's axis there. */
static const char *const orders[] = {"cwh", "hcw", "hwc", "wch", "whc", "chw", NULL};
static const size_t sources[][3] = {{1, 0, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}, {0, 1, 2}};

struct permute_options {
    size_t order;
};

static const struct stoa_option options[] = {
    {"order", STOA_OPTION_CHOICE, offsetof(struct permute_options, order), NULL, 0, 0, orders},
};

static const size_t *source_of(const struct stoa_layer *layer) {
    return sources[((const struct permute_options *)layer->options)->order];
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    stoa_status status = stoa_expect_image(error, layer);
    const size_t *from = source_of(layer);
    const size_t *in = layer->input[0].dim;
    layer->output = (struct stoa_shape){.rank = 3, .dim = {in[from[0]], in[from[1]], in[from[2]]}};
    return status;
}

/* A move of one sample: sizes of the result, and for each of its axes how far its neighbours lie apart where
 * they come from. */
struct move {
    size_t dim[3], stride[3];
};

static struct move forward_move(const struct stoa_layer *layer) {
    const size_t *in = layer->input[0].dim;
    const size_t *from = source_of(layer);
    const size_t stride[3] = {in[1] * in[2], in[2], 1};
    struct move m;
    for (size_t i = 0; i < 3; i++) {
        m.dim[i] = in[from[i]];
        m.stride[i] = stride[from[i]];
    }
    return m;
}

static struct move backward_move(const struct stoa_layer *layer) {
    const size_t *out = layer->output.dim;
    const size_t *from = source_of(layer);
    const size_t stride[3] = {out[1] * out[2], out[2], 1};
    struct move m;
    for (size_t i = 0; i < 3; i++) {
        m.dim[from[i]] = out[i];
        m.stride[from[i]] = stride[i];
    }
    return m;
}

/* Rows of pixels stay together, or planes are transposed: those of the axis that is contiguous there, and of
 * the one that is contiguous here. */
static void move_sample(const struct stoa_kernels *kernels, const struct move *m, const float *from,
                        float *to) {
    const size_t line = m->dim[1] * m->dim[2];
    for (size_t i = 0; m->stride[0] != 1 && i < m->dim[0]; i++) {
        const float *plane = from + i * m->stride[0];
        if (m->stride[2] == 1) {
            kernels->copy_rows(plane, m->dim[1], m->dim[2], m->stride[1], to + i * line, m->dim[2]);
        } else {
            kernels->transpose(plane, m->dim[2], m->dim[1], m->stride[2], to + i * line, m->dim[2]);
        }
    }
    for (size_t i = 0; m->stride[0] == 1 && i < m->dim[1]; i++) {
        kernels->transpose(from + i * m->stride[1], m->dim[2], m->dim[0], m->stride[2], to + i * m->dim[2],
                           line);
    }
}

static void forward_samples(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct move m = forward_move(run->layer);
    const size_t size = stoa_shape_size(&run->layer->output);
    for (size_t n = first; n < first + count; n++) {
        move_sample(run->context->kernels, &m, run->x[0] + n * size, run->y + n * size);
    }
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->output)),
                        forward_samples);
}

static void backward_samples(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct move m = backward_move(run->layer);
    const size_t size = stoa_shape_size(&run->layer->output);
    for (size_t n = first; n < first + count; n++) {
        move_sample(run->context->kernels, &m, run->dy + n * size, run->dx[0] + n * size);
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->output)),
                            backward_samples);
    }
}

/* Numbers move, nothing is computed. */
static void reference_move(const struct stoa_op_reference *run, struct move m, const double *from,
                           double *to) {
    const size_t size = stoa_shape_size(&run->layer->output);
    for (size_t i = 0; i < run->batch * size; i++) {
        const size_t at = i % size;
        to[i] = from[i / size * size + at / m.dim[2] / m.dim[1] * m.stride[0] +
                     at / m.dim[2] % m.dim[1] * m.stride[1] + at % m.dim[2] * m.stride[2]];
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    reference_move(run, forward_move(run->layer), run->x[0], run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    reference_move(run, backward_move(run->layer), run->dy, run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"order=chw", {"2x3x4"}, 2}, {"order=cwh", {"2x3x4"}, 3},  {"order=hcw", {"2x3x4"}, 2},
    {"order=hwc", {"5x3x4"}, 2}, {"order=wch", {"2x3x17"}, 2}, {"order=whc", {"1x3x4"}, 3},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_permute = {
    .name = "permute",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct permute_options),
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = stoa_no_flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
