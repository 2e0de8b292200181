/* SPDX-License-Identifier: MIT */
/* resize: an image of another height and width: `size`, or floor(H * scale) x floor(W * scale) (ONNX's
 * Resize, PyTorch's interpolate and Upsample). x (N, H, W, C), y (N, OH, OW, C).
 *
 * Output i stands in x at
 *   half_pixel            (i + 0.5) / scale - 0.5
 *   pytorch_half_pixel    the same, 0 where the output has one pixel
 *   half_pixel_symmetric  the same, moved so that both ends lose as much where H * scale is not whole
 *   align_corners         i * (H - 1) / (OH - 1), 0 where the output has one pixel
 *   asymmetric            i / scale
 * where scale is OH / H if the size is given. mode=nearest takes the pixel that `rounding` says,
 * mode=linear mixes the two pixels around it in each direction (bilinear); beyond the ends the last pixel
 * counts. dx is the sum of dy in the same shares. PyTorch's interpolate has coordinates=asymmetric
 * rounding=floor for its mode nearest, rounding=round_prefer_ceil for nearest-exact, and half_pixel for
 * bilinear. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

enum { NEAREST, LINEAR };
static const char *const modes[] = {"nearest", "linear", NULL};
enum { HALF_PIXEL, PYTORCH_HALF_PIXEL, HALF_PIXEL_SYMMETRIC, ALIGN_CORNERS, ASYMMETRIC };
static const char *const coordinates[] = {"half_pixel",    "pytorch_half_pixel", "half_pixel_symmetric",
                                          "align_corners", "asymmetric",         NULL};
enum { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL };
static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};

struct resize_options {
    struct stoa_pair size;
    struct stoa_factors scale;
    size_t mode, coordinates, rounding;
};

static const struct stoa_option options[] = {
    {"size", STOA_OPTION_PAIR, offsetof(struct resize_options, size), "", 1, 1 << 20, NULL},
    {"scale", STOA_OPTION_FACTORS, offsetof(struct resize_options, scale), "", 1e-4, 65535, NULL},
    {"mode", STOA_OPTION_CHOICE, offsetof(struct resize_options, mode), "nearest", 0, 0, modes},
    {"coordinates", STOA_OPTION_CHOICE, offsetof(struct resize_options, coordinates), "half_pixel", 0, 0,
     coordinates},
    {"rounding", STOA_OPTION_CHOICE, offsetof(struct resize_options, rounding), "round_prefer_floor", 0, 0,
     roundings},
};

/* One axis. Its scale is `over` / `under`. */
struct axis {
    size_t in, out;
    double over, under;
};

static struct axis axis_of(size_t in, size_t size, float scale) {
    return size > 0 ? (struct axis){in, size, (double)size, (double)in}
                    : (struct axis){in, (size_t)floor((double)in * (double)scale), (double)scale, 1};
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct resize_options *o = layer->options;
    stoa_status status = stoa_expect_image(error, layer);
    if (status != STOA_OK) {
        return status;
    }
    if ((o->size.height > 0) == (o->scale.height > 0)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "found %s, expected size or scale",
                              o->size.height > 0 ? "size and scale" : "neither size nor scale");
    }
    const size_t *in = layer->input[0].dim;
    size_t height = axis_of(in[0], o->size.height, o->scale.height).out;
    size_t width = axis_of(in[1], o->size.width, o->scale.width).out;
    if (height == 0 || width == 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "scale %gx%g leaves nothing of input %zux%zu",
                              (double)o->scale.height, (double)o->scale.width, in[0], in[1]);
    }
    layer->output = (struct stoa_shape){.rank = 3, .dim = {height, width, in[2]}};
    return STOA_OK;
}

/* Where output `i` stands in the input. */
static double coordinate(const struct axis *a, size_t kind, size_t i) {
    const double half = ((double)i + 0.5) * a->under / a->over - 0.5;
    const double lost = (double)a->in - (double)a->out * a->under / a->over;
    switch (kind) {
    case PYTORCH_HALF_PIXEL:
        return a->out > 1 ? half : 0;
    case HALF_PIXEL_SYMMETRIC:
        return half + lost / 2;
    case ALIGN_CORNERS:
        return a->out > 1 ? (double)i * (double)(a->in - 1) / (double)(a->out - 1) : 0;
    case ASYMMETRIC:
        return (double)i * a->under / a->over;
    default:
        return half;
    }
}

static double rounded(double x, size_t rounding) {
    switch (rounding) {
    case ROUND_PREFER_CEIL:
        return floor(x + 0.5);
    case FLOOR:
        return floor(x);
    case CEIL:
        return ceil(x);
    default:
        return ceil(x - 0.5);
    }
}

/* The pixels that an output takes along an axis, and the second one's share. */
struct taps {
    size_t first, second;
    float share;
};

static struct taps taps_of(const struct resize_options *o, const struct axis *a, size_t i) {
    const double last = (double)(a->in - 1);
    double x = coordinate(a, o->coordinates, i);
    if (o->mode == NEAREST) {
        size_t at = (size_t)fmin(fmax(rounded(x, o->rounding), 0), last);
        return (struct taps){at, at, 0};
    }
    x = fmin(fmax(x, 0), last);
    size_t first = (size_t)x;
    return (struct taps){first, stoa_min(first + 1, a->in - 1), (float)(x - (double)first)};
}

struct frame {
    const struct resize_options *options;
    struct axis rows, columns;
    size_t channels;
};

static struct frame frame_of(const struct stoa_layer *layer) {
    const struct resize_options *o = layer->options;
    const size_t *in = layer->input[0].dim;
    return (struct frame){.options = o,
                          .rows = axis_of(in[0], o->size.height, o->scale.height),
                          .columns = axis_of(in[1], o->size.width, o->scale.width),
                          .channels = in[2]};
}

/* Whether every pixel is repeated the same whole number of times. */
static bool repeats(const struct resize_options *o, const struct axis *a) {
    bool same = o->mode == NEAREST && a->out % a->in == 0;
    for (size_t i = 0; same && i < a->out; i++) {
        same = taps_of(o, a, i).first == i / (a->out / a->in);
    }
    return same;
}

struct resize_plan {
    bool repeats; /* in both directions, which a kernel does */
};

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    const struct frame f = frame_of(run->layer);
    struct resize_plan *plan = run->plan;
    size_t bytes = 0;
    plan->repeats = repeats(f.options, &f.rows) && repeats(f.options, &f.columns);
    if (!plan->repeats && !stoa_size_mul(f.columns.out, sizeof(struct taps), &bytes)) {
        return false;
    }
    memory->workspace[STOA_FORWARD] = bytes;
    memory->workspace[STOA_BACKWARD] = run->training && run->wants_input_gradient ? bytes : 0;
    return true;
}

static void repeat_lines(const struct stoa_op_run *run, size_t first, size_t count) {
    const size_t *in = run->layer->input[0].dim;
    const size_t *out = run->layer->output.dim;
    const size_t height = out[0] / in[0];
    const size_t width = out[1] / in[1];
    const size_t at = first * in[1] * in[2];
    run->context->kernels->upsample(run->x[0] + at, count, in[1], in[2], height, width,
                                    run->y + at * height * width);
}

static void sum_lines(const struct stoa_op_run *run, size_t first, size_t count) {
    const size_t *in = run->layer->input[0].dim;
    const size_t *out = run->layer->output.dim;
    const size_t height = out[0] / in[0];
    const size_t width = out[1] / in[1];
    const size_t at = first * in[1] * in[2];
    run->context->kernels->upsample_backward(run->dy + at * height * width, count, in[1], in[2], height,
                                             width, run->dx[0] + at);
}

static void fill_taps(const struct stoa_op_run *run) {
    const struct frame f = frame_of(run->layer);
    struct taps *taps = run->workspace;
    for (size_t i = 0; i < f.columns.out; i++) {
        taps[i] = taps_of(f.options, &f.columns, i);
    }
}

static void forward_lines(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct frame f = frame_of(run->layer);
    const struct taps *taps = run->workspace;
    const size_t channels = f.channels;
    const size_t line = f.columns.in * channels;
    float *y = run->y + first * f.columns.out * channels;
    for (size_t i = first; i < first + count; i++) {
        const struct taps v = taps_of(f.options, &f.rows, i % f.rows.out);
        const float *image = run->x[0] + i / f.rows.out * f.rows.in * line;
        const float *top = image + v.first * line;
        const float *bottom = image + v.second * line;
        for (size_t j = 0; j < f.columns.out; j++, y += channels) {
            const size_t left = taps[j].first * channels;
            const size_t right = taps[j].second * channels;
            const float share = taps[j].share;
            if (f.options->mode == NEAREST) {
                memcpy(y, top + left, channels * sizeof *y);
                continue;
            }
            for (size_t c = 0; c < channels; c++) {
                float above = top[left + c] * (1 - share) + top[right + c] * share;
                float below = bottom[left + c] * (1 - share) + bottom[right + c] * share;
                y[c] = above * (1 - v.share) + below * v.share;
            }
        }
    }
}

static void forward(const struct stoa_op_run *run) {
    const struct resize_plan *plan = run->plan;
    const size_t *in = run->layer->input[0].dim;
    const size_t *out = run->layer->output.dim;
    const size_t size = stoa_shape_size(&run->layer->output);
    if (plan->repeats) {
        stoa_parallel_range(run, run->batch * in[0], stoa_row_grain(size / in[0]), repeat_lines);
        return;
    }
    fill_taps(run);
    stoa_parallel_range(run, run->batch * out[0], stoa_row_grain(size / out[0]), forward_lines);
}

/* dx += dy * factor of one pixel. */
static void give(const float *dy, float factor, size_t channels, float *dx) {
    for (size_t c = 0; c < channels && factor != 0; c++) {
        dx[c] += dy[c] * factor;
    }
}

static void backward_images(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct frame f = frame_of(run->layer);
    const struct taps *taps = run->workspace;
    const size_t channels = f.channels;
    const size_t line = f.columns.in * channels;
    const float *dy = run->dy + first * f.rows.out * f.columns.out * channels;
    for (size_t n = first; n < first + count; n++) {
        float *image = run->dx[0] + n * f.rows.in * line;
        memset(image, 0, f.rows.in * line * sizeof *image);
        for (size_t i = 0; i < f.rows.out; i++) {
            const struct taps v = taps_of(f.options, &f.rows, i);
            float *top = image + v.first * line;
            float *bottom = image + v.second * line;
            for (size_t j = 0; j < f.columns.out; j++, dy += channels) {
                const size_t left = taps[j].first * channels;
                const size_t right = taps[j].second * channels;
                const float share = taps[j].share;
                give(dy, (1 - v.share) * (1 - share), channels, top + left);
                give(dy, (1 - v.share) * share, channels, top + right);
                give(dy, v.share * (1 - share), channels, bottom + left);
                give(dy, v.share * share, channels, bottom + right);
            }
        }
    }
}

static void backward(const struct stoa_op_run *run) {
    const struct resize_plan *plan = run->plan;
    const size_t lines = run->layer->input[0].dim[0];
    const size_t size = stoa_shape_size(&run->layer->output);
    if (!run->dx[0]) {
        return;
    }
    if (plan->repeats) {
        stoa_parallel_range(run, run->batch * lines, stoa_row_grain(size / lines), sum_lines);
        return;
    }
    fill_taps(run);
    stoa_parallel_range(run, run->batch, stoa_row_grain(size), backward_images);
}

/* The four pixels of number `i` of all of y, as places in x, and their shares. */
static void reference_taps(const struct frame *f, size_t i, size_t at[4], double share[4]) {
    const size_t c = i % f->channels;
    const size_t row = i / f->channels / f->columns.out;
    const struct taps h = taps_of(f->options, &f->columns, i / f->channels % f->columns.out);
    const struct taps v = taps_of(f->options, &f->rows, row % f->rows.out);
    const size_t first = row / f->rows.out * f->rows.in;
    const double vertical[2] = {1 - (double)v.share, (double)v.share};
    const double horizontal[2] = {1 - (double)h.share, (double)h.share};
    for (size_t k = 0; k < 4; k++) {
        at[k] = ((first + (k / 2 ? v.second : v.first)) * f->columns.in + (k % 2 ? h.second : h.first)) *
                    f->channels +
                c;
        share[k] = vertical[k / 2] * horizontal[k % 2];
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    const struct frame f = frame_of(run->layer);
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        size_t at[4];
        double share[4];
        reference_taps(&f, i, at, share);
        run->y[i] = 0;
        for (size_t k = 0; k < 4; k++) {
            run->y[i] += share[k] > 0 ? share[k] * run->x[0][at[k]] : 0;
        }
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    const struct frame f = frame_of(run->layer);
    memset(run->dx[0], 0, run->batch * stoa_shape_size(&run->layer->input[0]) * sizeof(double));
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        size_t at[4];
        double share[4];
        reference_taps(&f, i, at, share);
        for (size_t k = 0; k < 4; k++) {
            run->dx[0][at[k]] += share[k] > 0 ? share[k] * run->dy[i] : 0;
        }
    }
}

static const struct stoa_op_example examples[] = {
    {"scale=2", {"3x4x5"}, 2},
    {"scale=3x1", {"2x3x17"}, 3},
    {"scale=1x4", {"3x2x1"}, 2},
    {"size=5x3", {"3x4x5"}, 2},
    {"size=4x9 coordinates=asymmetric rounding=floor", {"3x5x2"}, 2},
    {"scale=0.6x1.7 rounding=ceil coordinates=half_pixel_symmetric", {"5x4x3"}, 2},
    {"scale=2 mode=linear", {"3x4x5"}, 3},
    {"size=7x5 mode=linear coordinates=align_corners", {"3x6x17"}, 2},
    {"size=1x4 mode=linear coordinates=pytorch_half_pixel", {"4x2x3"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_resize = {
    .name = "resize",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct resize_options),
    .plan_bytes = sizeof(struct resize_plan),
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
