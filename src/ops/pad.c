/* SPDX-License-Identifier: MIT */
/* pad: an image with a border, or, where a number is negative, without its own. x (N, H, W, C), y (N, H +
 * top + bottom, W + left + right, C + front + back); `size` counts on all four sides of the pixels, the
 * others beside it, `front` and `back` are channels. The border is a constant, or taken from the image
 * (numpy's and ONNX's modes): edge repeats the last pixel, reflect mirrors at it, wrap goes on at the other
 * side. What is cut off is cut before. dx is the sum of dy over the places a pixel went to. */
#include <stdint.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

enum { CONSTANT, REFLECT, EDGE, WRAP };
static const char *const modes[] = {"constant", "reflect", "edge", "wrap", NULL};

struct pad_options {
    struct stoa_pair size;
    int64_t top, bottom, left, right, front, back;
    size_t mode;
    float value;
};

#define SIDE(side)                                                                                           \
    { #side, STOA_OPTION_INT, offsetof(struct pad_options, side), "0", -65535, 65535, NULL }
static const struct stoa_option options[] = {
    {"size", STOA_OPTION_PAIR, offsetof(struct pad_options, size), "0", 0, 65535, NULL},
    SIDE(top),
    SIDE(bottom),
    SIDE(left),
    SIDE(right),
    SIDE(front),
    SIDE(back),
    {"mode", STOA_OPTION_CHOICE, offsetof(struct pad_options, mode), "constant", 0, 0, modes},
    {"value", STOA_OPTION_FLOAT, offsetof(struct pad_options, value), "0", -1e30, 1e30, NULL},
};
#undef SIDE

/* One axis: of x's `size` numbers `count` from `first` on are kept, and stand in y behind `before` others. */
struct axis {
    size_t size, first, count, before, out;
};

/* `count` is 0 where nothing is left. */
static struct axis axis_of(size_t size, int64_t before, int64_t after) {
    size_t cut_before = before < 0 ? (size_t)-before : 0;
    size_t cut_after = after < 0 ? (size_t)-after : 0;
    size_t cut = cut_before + cut_after;
    struct axis a = {.size = size,
                     .first = cut_before,
                     .count = size > cut ? size - cut : 0,
                     .before = before > 0 ? (size_t)before : 0};
    a.out = a.before + a.count + (after > 0 ? (size_t)after : 0);
    return a;
}

struct frame {
    struct axis rows, pixels, channels;
    size_t mode;
    float value;
};

static struct frame frame_of(const struct stoa_layer *layer) {
    const struct pad_options *o = layer->options;
    const size_t *in = layer->input[0].dim;
    const int64_t height = (int64_t)o->size.height;
    const int64_t width = (int64_t)o->size.width;
    return (struct frame){.rows = axis_of(in[0], height + o->top, height + o->bottom),
                          .pixels = axis_of(in[1], width + o->left, width + o->right),
                          .channels = axis_of(in[2], o->front, o->back),
                          .mode = o->mode,
                          .value = o->value};
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    stoa_status status = stoa_expect_image(error, layer);
    if (status != STOA_OK) {
        return status;
    }
    const struct frame f = frame_of(layer);
    if (f.rows.count == 0 || f.pixels.count == 0 || f.channels.count == 0) {
        char text[STOA_SHAPE_TEXT];
        return stoa_error_set(error, STOA_ERR_SHAPE, "nothing is left of input %s, whose border is cut off",
                              stoa_shape_text(&layer->input[0], text));
    }
    layer->output = (struct stoa_shape){.rank = 3, .dim = {f.rows.out, f.pixels.out, f.channels.out}};
    return STOA_OK;
}

/* The number of x that stands at y's `at`; OUTSIDE for the constant. */
#define OUTSIDE SIZE_MAX
static size_t source(const struct axis *a, size_t mode, size_t at) {
    if (at >= a->before && at < a->before + a->count) {
        return a->first + at - a->before;
    }
    const int64_t count = (int64_t)a->count;
    const int64_t offset = (int64_t)at - (int64_t)a->before;
    const int64_t period = count <= 1 ? 1 : mode == WRAP ? count : 2 * (count - 1);
    const int64_t turned = (offset % period + period) % period;
    switch (mode) {
    case EDGE:
        return a->first + (offset < 0 ? 0 : a->count - 1);
    case REFLECT:
        return a->first + (size_t)(turned < count ? turned : period - turned);
    case WRAP:
        return a->first + (size_t)turned;
    default:
        return OUTSIDE;
    }
}

static void fill(float *y, size_t n, float value) {
    for (size_t i = 0; i < n; i++) {
        y[i] = value;
    }
}

/* Pixel `at` of a line of y from the line of x. */
static void put_pixel(const struct frame *f, const float *x, size_t at, float *y) {
    size_t from = source(&f->pixels, f->mode, at);
    for (size_t c = 0; c < f->channels.out; c++) {
        size_t channel = from == OUTSIDE ? OUTSIDE : source(&f->channels, f->mode, c);
        y[at * f->channels.out + c] = channel == OUTSIDE ? f->value : x[from * f->channels.size + channel];
    }
}

/* The pixels of y, from *first to *end, that are x's in one run. */
static void inside(const struct frame *f, size_t *first, size_t *end) {
    bool whole = f->channels.out == f->channels.size && f->channels.count == f->channels.size;
    *first = whole ? f->pixels.before : 0;
    *end = whole ? f->pixels.before + f->pixels.count : 0;
}

static void forward_lines(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct frame f = frame_of(run->layer);
    const size_t line = f.pixels.size * f.channels.size;
    const size_t out_line = f.pixels.out * f.channels.out;
    size_t begin;
    size_t end;
    inside(&f, &begin, &end);
    for (size_t i = first; i < first + count; i++) {
        float *y = run->y + i * out_line;
        size_t row = source(&f.rows, f.mode, i % f.rows.out);
        if (row == OUTSIDE) {
            fill(y, out_line, f.value);
            continue;
        }
        const float *x = run->x[0] + (i / f.rows.out * f.rows.size + row) * line;
        for (size_t at = 0; at < begin; at++) {
            put_pixel(&f, x, at, y);
        }
        memcpy(y + begin * f.channels.out, x + (begin < end ? f.pixels.first * f.channels.size : 0),
               (end - begin) * f.channels.out * sizeof *y);
        for (size_t at = end; at < f.pixels.out; at++) {
            put_pixel(&f, x, at, y);
        }
    }
}

static void forward(const struct stoa_op_run *run) {
    const size_t *out = run->layer->output.dim;
    stoa_parallel_range(run, run->batch * out[0], stoa_row_grain(out[1] * out[2]), forward_lines);
}

static void take_pixel(const struct frame *f, const float *dy, size_t at, float *dx) {
    size_t from = source(&f->pixels, f->mode, at);
    for (size_t c = 0; from != OUTSIDE && c < f->channels.out; c++) {
        size_t channel = source(&f->channels, f->mode, c);
        if (channel != OUTSIDE) {
            dx[from * f->channels.size + channel] += dy[at * f->channels.out + c];
        }
    }
}

static void backward_images(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct frame f = frame_of(run->layer);
    const size_t line = f.pixels.size * f.channels.size;
    const size_t out_line = f.pixels.out * f.channels.out;
    size_t begin;
    size_t end;
    inside(&f, &begin, &end);
    for (size_t n = first; n < first + count; n++) {
        float *image = run->dx[0] + n * f.rows.size * line;
        memset(image, 0, f.rows.size * line * sizeof *image);
        for (size_t i = 0; i < f.rows.out; i++) {
            size_t row = source(&f.rows, f.mode, i);
            if (row == OUTSIDE) {
                continue;
            }
            const float *dy = run->dy + (n * f.rows.out + i) * out_line;
            float *dx = image + row * line;
            for (size_t at = 0; at < begin; at++) {
                take_pixel(&f, dy, at, dx);
            }
            if (begin < end) {
                run->context->kernels->accumulate(dy + begin * f.channels.out,
                                                  dx + f.pixels.first * f.channels.size,
                                                  (end - begin) * f.channels.out);
            }
            for (size_t at = end; at < f.pixels.out; at++) {
                take_pixel(&f, dy, at, dx);
            }
        }
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->output)),
                            backward_images);
    }
}

/* Numbers move, nothing is computed. */
/* Where in x number `i` of all of y comes from, or OUTSIDE. */
static size_t reference_source(const struct frame *f, size_t i) {
    const size_t channels = stoa_max(1, f->channels.out); /* infer has seen that none is 0 */
    const size_t pixels = stoa_max(1, f->pixels.out);
    const size_t rows = stoa_max(1, f->rows.out);
    size_t channel = source(&f->channels, f->mode, i % channels);
    size_t pixel = source(&f->pixels, f->mode, i / channels % pixels);
    size_t row = source(&f->rows, f->mode, i / channels / pixels % rows);
    size_t image = i / channels / pixels / rows;
    return channel == OUTSIDE || pixel == OUTSIDE || row == OUTSIDE
               ? OUTSIDE
               : ((image * f->rows.size + row) * f->pixels.size + pixel) * f->channels.size + channel;
}

static void reference_forward(const struct stoa_op_reference *run) {
    const struct frame f = frame_of(run->layer);
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        size_t from = reference_source(&f, i);
        run->y[i] = from == OUTSIDE ? (double)f.value : run->x[0][from];
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    const struct frame f = frame_of(run->layer);
    memset(run->dx[0], 0, run->batch * stoa_shape_size(&run->layer->input[0]) * sizeof(double));
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        size_t from = reference_source(&f, i);
        if (from != OUTSIDE) {
            run->dx[0][from] += run->dy[i];
        }
    }
}

static const struct stoa_op_example examples[] = {
    {"size=2x1 value=0.5", {"3x4x5"}, 2},
    {"top=1 right=3", {"2x3x4"}, 3},
    {"size=1 bottom=2 left=1", {"1x1x7"}, 2},
    {"top=-1 left=-2 right=1 value=2", {"3x4x5"}, 2},
    {"size=2x3 mode=reflect", {"3x4x5"}, 2},
    {"size=1 left=4 mode=reflect", {"1x2x3"}, 2},
    {"top=2 right=3 mode=edge", {"3x2x4"}, 2},
    {"size=4 bottom=-5 left=-6 mode=wrap", {"3x4x2"}, 2},
    {"front=2 back=1 size=1 value=0.25", {"2x3x4"}, 2},
    {"front=-1 back=2 top=1 mode=edge", {"2x2x3"}, 2},
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
    .flops = stoa_no_flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
