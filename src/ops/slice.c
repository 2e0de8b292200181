/* SPDX-License-Identifier: MIT */
/* slice: the numbers from `start` to before `end` along an axis, every `step`-th: ONNX's Slice of one axis,
 * and PyTorch's x[..., start:end:step]. Negative places count from the end, places beyond it are the end.
 * With a negative step it goes backwards: start=-1 end=-2147483648 step=-1 turns an axis around. dx is dy
 * at the places it came from, and 0 elsewhere. */
#include <stdint.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

enum { CHANNELS, HEIGHT, WIDTH };
static const char *const axes[] = {"channels", "height", "width", NULL};

struct slice_options {
    size_t axis;
    int64_t start, end, step;
};

#define LEAST (-2147483648.0)
#define MOST 2147483647.0
static const struct stoa_option options[] = {
    {"axis", STOA_OPTION_CHOICE, offsetof(struct slice_options, axis), "channels", 0, 0, axes},
    {"start", STOA_OPTION_INT, offsetof(struct slice_options, start), "0", LEAST, MOST, NULL},
    {"end", STOA_OPTION_INT, offsetof(struct slice_options, end), "2147483647", LEAST, MOST, NULL},
    {"step", STOA_OPTION_INT, offsetof(struct slice_options, step), "1", LEAST, MOST, NULL},
};

/* The axis as a number into dim[]. */
static size_t axis_of(const struct stoa_layer *layer) {
    size_t axis = ((const struct slice_options *)layer->options)->axis;
    return axis == CHANNELS ? layer->input[0].rank - 1 : axis == HEIGHT ? 0 : 1;
}

/* A place between 0 and `size`, from the end where it is negative. */
static int64_t place(int64_t at, int64_t size, int64_t lowest, int64_t highest) {
    at += at < 0 ? size : 0;
    return at < lowest ? lowest : at > highest ? highest : at;
}

/* Of an axis of `size` numbers `count` are taken, from `first` on, `step` apart. */
struct cut {
    size_t outer, size, inner; /* x as [outer][size][inner] */
    size_t first, count;
    int64_t step;
};

static struct cut cut_of(const struct stoa_layer *layer) {
    const struct slice_options *o = layer->options;
    const struct stoa_shape *x = &layer->input[0];
    size_t axis = axis_of(layer);
    const int64_t size = (int64_t)x->dim[axis];
    const int64_t back = o->step < 0; /* going backwards, -1 is before the beginning */
    const int64_t start = place(o->start, size, 0, size - back);
    const int64_t end = place(o->end, size, -back, size - back);
    const int64_t length = back ? start - end : end - start;
    const int64_t stride = back ? -o->step : o->step;
    struct cut cut = {.outer = 1, .size = x->dim[axis], .inner = 1, .first = (size_t)start, .step = o->step};
    cut.count = length > 0 && stride > 0 ? (size_t)((length - 1) / stride + 1) : 0;
    for (size_t i = 0; i < x->rank; i++) {
        cut.outer *= i < axis ? x->dim[i] : 1;
        cut.inner *= i > axis ? x->dim[i] : 1;
    }
    return cut;
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct slice_options *o = layer->options;
    const struct stoa_shape *x = &layer->input[0];
    if (x->rank == 1 && o->axis != CHANNELS) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "found a vector, expected an image for axis=%s",
                              axes[o->axis]);
    }
    if (x->flattened[2] > 1 && x->flattened[0] * x->flattened[1] > 1) {
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "found a flattened image: its order differs between memory and files; slice "
                              "before the flatten");
    }
    if (o->step == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "found step 0, expected another");
    }
    size_t count = cut_of(layer).count;
    if (count == 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "start %lld, end %lld and step %lld leave nothing of %zu in %s",
                              (long long)o->start, (long long)o->end, (long long)o->step,
                              x->dim[axis_of(layer)], axes[o->axis]);
    }
    layer->output = (struct stoa_shape){.rank = x->rank};
    memcpy(layer->output.dim, x->dim, sizeof x->dim);
    layer->output.dim[axis_of(layer)] = count;
    return STOA_OK;
}

/* Where the taken number `i` of a row stands in that row of x. */
static size_t taken(const struct cut *cut, size_t i) {
    return (size_t)((int64_t)cut->first + (int64_t)i * cut->step) * cut->inner;
}

static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct cut cut = cut_of(run->layer);
    const size_t row = cut.size * cut.inner;
    const size_t out = cut.count * cut.inner;
    const float *x = run->x[0] + first * row;
    float *y = run->y + first * out;
    if (cut.step == 1) {
        run->context->kernels->copy_rows(x + taken(&cut, 0), count, out, row, y, out);
        return;
    }
    for (size_t r = 0; r < count; r++, x += row) {
        for (size_t i = 0; i < cut.count; i++, y += cut.inner) {
            memcpy(y, x + taken(&cut, i), cut.inner * sizeof *y);
        }
    }
}

static void forward(const struct stoa_op_run *run) {
    const struct cut cut = cut_of(run->layer);
    stoa_parallel_range(run, run->batch * cut.outer, stoa_row_grain(cut.count * cut.inner), forward_rows);
}

static void backward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct cut cut = cut_of(run->layer);
    const size_t row = cut.size * cut.inner;
    const float *dy = run->dy + first * cut.count * cut.inner;
    float *dx = run->dx[0] + first * row;
    memset(dx, 0, count * row * sizeof *dx);
    if (cut.step == 1) {
        const size_t out = cut.count * cut.inner;
        run->context->kernels->copy_rows(dy, count, out, out, dx + taken(&cut, 0), row);
        return;
    }
    for (size_t r = 0; r < count; r++, dx += row) {
        for (size_t i = 0; i < cut.count; i++, dy += cut.inner) {
            memcpy(dx + taken(&cut, i), dy, cut.inner * sizeof *dx);
        }
    }
}

static void backward(const struct stoa_op_run *run) {
    const struct cut cut = cut_of(run->layer);
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch * cut.outer, stoa_row_grain(cut.size * cut.inner), backward_rows);
    }
}

/* Numbers move, nothing is computed. */
/* Where number `i` of all of y stands in x. */
static size_t reference_source(const struct cut *cut, size_t i) {
    const size_t inner = stoa_max(1, cut->inner); /* infer has seen that none is 0 */
    const size_t count = stoa_max(1, cut->count);
    return i / inner / count * cut->size * inner + taken(cut, i / inner % count) + i % inner;
}

static void reference_forward(const struct stoa_op_reference *run) {
    const struct cut cut = cut_of(run->layer);
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        run->y[i] = run->x[0][reference_source(&cut, i)];
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    const struct cut cut = cut_of(run->layer);
    memset(run->dx[0], 0, run->batch * stoa_shape_size(&run->layer->input[0]) * sizeof(double));
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        run->dx[0][reference_source(&cut, i)] = run->dy[i];
    }
}

static const struct stoa_op_example examples[] = {
    {"start=1 end=4", {"3x4x5"}, 2},
    {"axis=height start=-2", {"4x3x5"}, 3},
    {"axis=width start=1 step=2", {"2x7x3"}, 2},
    {"start=-1 end=-2147483648 step=-2", {"2x3x6"}, 2},
    {"axis=height start=2 end=0 step=-1", {"4x3x2"}, 2},
    {"start=3 end=-1", {"9"}, 5},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_slice = {
    .name = "slice",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct slice_options),
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = stoa_no_flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
