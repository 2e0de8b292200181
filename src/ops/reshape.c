/* SPDX-License-Identifier: MIT */
/* reshape: the numbers of a sample as an image of `size` with `channels` (what is left over, when not given),
 * in PyTorch's order C, H, W: y is x.view(N, C, H, W). Turns features into an image, as flatten turns an
 * image into features.
 *
 * In memory images are H, W, C, so numbers move unless both sides have the same pixels and channels. dx is
 * the same the other way round. */
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

struct reshape_options {
    struct stoa_pair size;
    size_t channels; /* 0: what is left over */
};

static const struct stoa_option options[] = {
    {"size", STOA_OPTION_PAIR, offsetof(struct reshape_options, size), NULL, 1, 1 << 20, NULL},
    {"channels", STOA_OPTION_SIZE, offsetof(struct reshape_options, channels), "", 1, 1 << 30, NULL},
};

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct reshape_options *o = layer->options;
    size_t have = stoa_shape_size(&layer->input[0]);
    size_t pixels = o->size.height * o->size.width;
    size_t channels = o->channels ? o->channels : stoa_max(1, have / pixels);
    size_t want;
    if (!stoa_size_mul(pixels, channels, &want) || want != have) {
        char text[STOA_SHAPE_TEXT];
        return stoa_error_set(
            error, STOA_ERR_SHAPE, "input %s has %zu numbers, an image %zux%zux%zu does not",
            stoa_shape_text(&layer->input[0], text), have, o->size.height, o->size.width, channels);
    }
    layer->output = (struct stoa_shape){.rank = 3, .dim = {o->size.height, o->size.width, channels}};
    return STOA_OK;
}

/* Memory as a matrix [pixels][channels] whose transpose is PyTorch's order. A plain vector is in that order
 * already. */
struct matrix {
    size_t pixels, channels;
};

static struct matrix matrix_of(const struct stoa_shape *shape) {
    const size_t *image = shape->rank == 3 ? shape->dim : shape->flattened;
    return image[0] == 0 ? (struct matrix){shape->dim[0], 1} : (struct matrix){image[0] * image[1], image[2]};
}

/* Its transpose lies in memory as it does. */
static bool is_plain(struct matrix m) {
    return m.pixels == 1 || m.channels == 1;
}

static bool is_same(struct matrix a, struct matrix b) {
    return (a.pixels == b.pixels && a.channels == b.channels) || (is_plain(a) && is_plain(b));
}

/* Two transposes meet in the workspace. */
static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    struct matrix from = matrix_of(&run->layer->input[0]);
    struct matrix to = matrix_of(&run->layer->output);
    size_t bytes = 0;
    size_t count;
    if (!is_same(from, to) && !is_plain(from) && !is_plain(to) &&
        (!stoa_size_mul(run->planned_batch, stoa_shape_size(&run->layer->output), &count) ||
         !stoa_float_bytes(count, &bytes))) {
        return false;
    }
    memory->workspace[STOA_FORWARD] = bytes;
    memory->workspace[STOA_BACKWARD] = run->training ? bytes : 0;
    return true;
}

/* One sample; `middle` has room for it. */
static void move(const struct stoa_op_run *run, struct matrix from, const float *in, struct matrix to,
                 float *out, float *middle) {
    size_t size = from.pixels * from.channels;
    const struct stoa_kernels *k = run->context->kernels;
    if (is_same(from, to)) {
        memcpy(out, in, size * sizeof *out);
    } else if (is_plain(to)) {
        k->transpose(in, from.pixels, from.channels, from.channels, out, from.pixels);
    } else if (is_plain(from)) {
        k->transpose(in, to.channels, to.pixels, to.pixels, out, to.channels);
    } else {
        k->transpose(in, from.pixels, from.channels, from.channels, middle, from.pixels);
        k->transpose(middle, to.channels, to.pixels, to.pixels, out, to.channels);
    }
}

static void forward_samples(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t size = stoa_shape_size(&run->layer->output);
    for (size_t n = first; n < first + count; n++) {
        move(run, matrix_of(&run->layer->input[0]), run->x[0] + n * size, matrix_of(&run->layer->output),
             run->y + n * size, run->workspace ? (float *)run->workspace + n * size : NULL);
    }
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->output)),
                        forward_samples);
}

static void backward_samples(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t size = stoa_shape_size(&run->layer->output);
    for (size_t n = first; n < first + count; n++) {
        move(run, matrix_of(&run->layer->output), run->dy + n * size, matrix_of(&run->layer->input[0]),
             run->dx[0] + n * size, run->workspace ? (float *)run->workspace + n * size : NULL);
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->output)),
                            backward_samples);
    }
}

/* Numbers move, nothing is computed. */
/* Where the next number in PyTorch's order lies in memory: the next pixel, or the next channel's first. */
static size_t next(struct matrix m, size_t at) {
    size_t size = m.pixels * m.channels;
    return at + m.channels < size ? at + m.channels : at + m.channels - size + 1;
}

static void reference_move(size_t batch, size_t size, struct matrix from, const double *in, struct matrix to,
                           double *out) {
    for (size_t n = 0; n < batch; n++, in += size, out += size) {
        size_t read = 0;
        size_t written = 0;
        for (size_t i = 0; i < size; i++) {
            out[written] = in[read];
            read = next(from, read);
            written = next(to, written);
        }
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    reference_move(run->batch, stoa_shape_size(&run->layer->output), matrix_of(&run->layer->input[0]),
                   run->x[0], matrix_of(&run->layer->output), run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    reference_move(run->batch, stoa_shape_size(&run->layer->output), matrix_of(&run->layer->output), run->dy,
                   matrix_of(&run->layer->input[0]), run->dx[0]);
}

static const struct stoa_op_example examples[] = {
    {"size=2x3", {"30"}, 2},    {"size=3x2 channels=5", {"2x3x5"}, 2},
    {"size=5x3", {"2x3x5"}, 3}, {"size=6x5 channels=1", {"2x3x5"}, 3},
    {"size=1", {"4x2x1"}, 2},   {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_reshape = {
    .name = "reshape",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct reshape_options),
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .flops = stoa_no_flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
