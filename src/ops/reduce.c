/* SPDX-License-Identifier: MIT */
/* reduce: the mean, the sum or the largest of the numbers along some axes of an image or vector.
 *
 * x (N, H, W, C); y has size 1 along `axes`: (N, 1, 1, C) for the space of an image, (N, H, W, 1) for its
 * channels, (N, 1, 1, 1) for all; without keepdims (N, C) for its space and (N, 1) for all. dx is dy / count,
 * dy, or dy shared between those that are the largest. */
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

enum { BY_MEAN, BY_SUM, BY_MAX };
static const char *const ways[] = {"mean", "sum", "max", NULL};
enum { SPACE, CHANNELS, HEIGHT, WIDTH, ALL };
static const char *const axes[] = {"space", "channels", "height", "width", "all", NULL};

struct reduce_options {
    size_t by, axes;
    bool keepdims;
};

static const struct stoa_option options[] = {
    {"by", STOA_OPTION_CHOICE, offsetof(struct reduce_options, by), "mean", 0, 0, ways},
    {"axes", STOA_OPTION_CHOICE, offsetof(struct reduce_options, axes), "space", 0, 0, axes},
    {"keepdims", STOA_OPTION_BOOL, offsetof(struct reduce_options, keepdims), "true", 0, 0, NULL},
};

/* A sample as [outer][along][inner], of which `along` is reduced. */
struct reduce_block {
    size_t outer, along, inner;
};

static struct reduce_block block_of(const struct stoa_layer *layer) {
    const struct reduce_options *o = layer->options;
    const struct stoa_shape *x = &layer->input[0];
    const size_t height = x->rank == 3 ? x->dim[0] : 1;
    const size_t width = x->rank == 3 ? x->dim[1] : 1;
    const size_t channels = x->dim[x->rank - 1];
    switch (o->axes) {
    case SPACE:
        return (struct reduce_block){1, height * width, channels};
    case CHANNELS:
        return (struct reduce_block){height * width, channels, 1};
    case HEIGHT:
        return (struct reduce_block){1, height, width * channels};
    case WIDTH:
        return (struct reduce_block){height, width, channels};
    default:
        return (struct reduce_block){1, height * width * channels, 1};
    }
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct reduce_options *o = layer->options;
    const struct stoa_shape *x = &layer->input[0];
    bool whole = o->axes == ALL;
    bool keeps_vector = x->rank == 1 || (!o->keepdims && (whole || o->axes == SPACE));
    if (x->rank == 1 && o->axes != CHANNELS && !whole) {
        stoa_status status = stoa_expect_image(error, layer);
        if (status != STOA_OK) {
            return status;
        }
        keeps_vector = !o->keepdims && o->axes == SPACE;
    }
    size_t channels = whole || o->axes == CHANNELS ? 1 : x->dim[x->rank - 1];
    if (keeps_vector) {
        layer->output = (struct stoa_shape){.rank = 1, .dim = {channels}};
        return STOA_OK;
    }
    bool flat = whole || o->axes == SPACE;
    layer->output = (struct stoa_shape){.rank = 3,
                                        .dim = {flat || o->axes == HEIGHT ? 1 : x->dim[0],
                                                flat || o->axes == WIDTH ? 1 : x->dim[1], channels}};
    return STOA_OK;
}

/* The largest along rows of `inner` numbers; NaN is larger than all. */
static void largest(const float *x, size_t along, size_t inner, float *y) {
    memcpy(y, x, inner * sizeof *y);
    for (size_t j = 1; j < along; j++) {
        x += inner;
        for (size_t i = 0; i < inner; i++) {
            y[i] = y[i] > x[i] || y[i] != y[i] ? y[i] : x[i];
        }
    }
}

static void forward_blocks(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct reduce_options *o = run->layer->options;
    const struct stoa_kernels *k = run->context->kernels;
    struct reduce_block b = block_of(run->layer);
    for (size_t i = first; i < first + count; i++) {
        const float *x = run->x[0] + i * b.along * b.inner;
        float *y = run->y + i * b.inner;
        if (o->by == BY_MAX) {
            largest(x, b.along, b.inner, y);
        } else if (b.inner == 1) {
            k->sum(x, b.along, y);
        } else {
            k->column_sums(x, b.along, b.inner, b.inner, y);
        }
        if (o->by == BY_MEAN) {
            k->scale(y, b.inner, 1.0F / (float)b.along);
        }
    }
}

static void run_blocks(const struct stoa_op_run *run, stoa_range_fn *body) {
    struct reduce_block b = block_of(run->layer);
    stoa_parallel_range(run, run->batch * b.outer, stoa_row_grain(b.along * b.inner), body);
}

static void forward(const struct stoa_op_run *run) {
    run_blocks(run, forward_blocks);
}

/* How many of a column are the largest. */
static float equals(const float *x, float y, struct reduce_block b) {
    float count = 0;
    for (size_t j = 0; j < b.along; j++) {
        count += x[j * b.inner] == y ? 1.0F : 0.0F;
    }
    return count;
}

static void share_column(const float *x, float y, float dy, struct reduce_block b, float *dx) {
    float share = dy / equals(x, y, b);
    for (size_t j = 0; j < b.along; j++) {
        dx[j * b.inner] = x[j * b.inner] == y ? share : 0;
    }
}

static void backward_blocks(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct reduce_options *o = run->layer->options;
    struct reduce_block b = block_of(run->layer);
    const float scale = o->by == BY_MEAN ? 1.0F / (float)b.along : 1.0F;
    for (size_t n = first; n < first + count; n++) {
        const float *dy = run->dy + n * b.inner;
        float *dx = run->dx[0] + n * b.along * b.inner;
        for (size_t i = 0; o->by == BY_MAX && i < b.inner; i++) {
            share_column(run->x[0] + n * b.along * b.inner + i, run->y[n * b.inner + i], dy[i], b, dx + i);
        }
        for (size_t j = 0; o->by != BY_MAX && j < b.along; j++, dx += b.inner) {
            for (size_t i = 0; i < b.inner; i++) {
                dx[i] = scale * dy[i];
            }
        }
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        run_blocks(run, backward_blocks);
    }
}

static double flops(const struct stoa_layer *layer) {
    return (double)stoa_shape_size(&layer->input[0]);
}

static double reference_column(const double *x, struct reduce_block b, size_t by) {
    double y = by == BY_MAX ? x[0] : 0;
    for (size_t j = 0; j < b.along; j++) {
        double v = x[j * b.inner];
        y = by == BY_MAX ? (y > v ? y : v) : y + v;
    }
    return by == BY_MEAN ? y / (double)b.along : y;
}

static void reference_forward(const struct stoa_op_reference *run) {
    const struct reduce_options *o = run->layer->options;
    struct reduce_block b = block_of(run->layer);
    for (size_t i = 0; i < run->batch * b.outer * b.inner; i++) {
        const double *x = run->x[0] + i / b.inner * b.along * b.inner + i % b.inner;
        run->y[i] = reference_column(x, b, o->by);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    const struct reduce_options *o = run->layer->options;
    struct reduce_block b = block_of(run->layer);
    for (size_t i = 0; run->dx[0] && i < run->batch * b.outer * b.inner; i++) {
        size_t at = i / b.inner * b.along * b.inner + i % b.inner;
        const double *x = run->x[0] + at;
        double y = reference_column(x, b, o->by);
        double equal = 0;
        for (size_t j = 0; j < b.along; j++) {
            equal += x[j * b.inner] == y;
        }
        for (size_t j = 0; j < b.along; j++) {
            double slope = o->by == BY_MAX    ? (x[j * b.inner] == y ? 1 / equal : 0)
                           : o->by == BY_MEAN ? 1 / (double)b.along
                                              : 1;
            run->dx[0][at + j * b.inner] = run->dy[i] * slope;
        }
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5"}, 2},
    {"by=sum axes=channels", {"3x4x17"}, 2},
    {"by=max", {"3x4x5"}, 3},
    {"by=max axes=channels", {"2x3x9"}, 2},
    {"by=sum axes=height", {"5x2x3"}, 2},
    {"axes=width", {"3x4x2"}, 2},
    {"axes=all keepdims=false", {"3x4x5"}, 2},
    {"axes=space keepdims=false by=sum", {"3x4x20"}, 2},
    {"by=max axes=all", {"9"}, 4},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_reduce = {
    .name = "reduce",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct reduce_options),
    .needs = STOA_NEEDS_X | STOA_NEEDS_Y,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
