/* SPDX-License-Identifier: MIT */
/* Convolution by Winograd's minimal filtering: the algorithms winograd2, winograd4 and winograd6, with tiles
 * of 4x4, 6x6 and 8x8 points, which for 3x3 kernels are 2x2, 4x4 and 6x6 outputs, and fewer for the larger
 * kernels.
 *
 * See kernels/winograd.h for the transforms. Inputs and weights are transformed to one matrix for each point
 * of a tile; the matrices of a point are multiplied, [tiles][C] by [C][K], and the products transformed to
 * outputs. The gradient of the input is the same convolution of the output's gradient; that of the weights
 * has a file of its own.
 *
 * A number that is not finite reaches all outputs of the tiles that read it, not only those whose kernel
 * does.
 *
 * Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. */
#include <stdio.h>

#include "base/size.h"
#include "conv/cost.h"
#include "conv/winograd.h"

/* Weights of more than C K floats a point are transformed where they are needed: all points of 128 x 128 take
 * 4 MiB. */
enum { NARROW = 96 * 128 };

static struct stoa_winograd pass_of(const struct stoa_conv *conv, enum stoa_conv_pass pass, size_t points) {
    const struct stoa_window *w = &conv->window;
    struct stoa_window read = *w;
    struct stoa_winograd p = {.filters = conv->filters};
    if (pass == STOA_CONV_BACKWARD_DATA) {
        read.height = w->out_height;
        read.width = w->out_width;
        read.out_height = w->height;
        read.out_width = w->width;
        read.pad_top = w->kernel_height - 1 - w->pad_top;
        read.pad_left = w->kernel_width - 1 - w->pad_left;
        read.channels = conv->filters;
        p.filters = w->channels;
        p.to_data = true;
    }
    p.in = stoa_winograd_input_of(&read);
    p.grid = stoa_winograd_grid_of(points, p.in.taps, conv->batch, read.out_height, read.out_width);
    p.points = points * points;
    return p;
}

static bool is_narrow(const stoa_context *context, const struct stoa_winograd *p) {
    return p->in.channels * p->filters <= NARROW && stoa_winograd_narrow_applicable(context, p);
}

/* Products in the longest sum of one image, of those that tell how much the errors of the largest tiles even
 * out. */
static size_t terms_of(const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    const struct stoa_window *w = &conv->window;
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_min(w->out_height, stoa_ceil_div(w->height, w->stride_height)) *
               stoa_min(w->out_width, stoa_ceil_div(w->width, w->stride_width));
    }
    size_t read = pass == STOA_CONV_FORWARD ? w->channels : conv->filters;
    return read * w->kernel_height * w->kernel_width;
}

/* The largest tiles move the fewest numbers. A narrow layer gains by that only while a block of them stays in
 * L2 with all its points: else tiles of 4x4 are faster (measured by as much as a third). With more than three
 * taps they save more products than that costs. Their errors are ten times as large: too large where a sum
 * over few terms does not even them out, and where no sum has all taps. A batch may run smaller than it was
 * planned, so it does not count. */
static bool suits_large_tiles(const struct stoa_conv *conv, enum stoa_conv_pass pass,
                              const struct stoa_winograd_input *in) {
    enum { TILES = 24, INNER_BYTES = 5 << 18, LEAST_CHANNELS = 16, LEAST_TERMS = 48, TERMS_A_TAP = 12 };
    const struct stoa_window *w = &conv->window;
    if (w->height < w->kernel_height || w->width < w->kernel_width || w->out_height < in->taps ||
        w->out_width < in->taps || terms_of(conv, pass) < stoa_max(LEAST_TERMS, TERMS_A_TAP * in->taps)) {
        return false;
    }
    size_t points = (size_t)STOA_WINOGRAD_POINTS * STOA_WINOGRAD_POINTS;
    bool fits = (in->channels + conv->filters) * points * TILES * sizeof(float) <= INNER_BYTES ||
                in->channels * conv->filters > NARROW;
    return in->taps > STOA_WINOGRAD_LEAST_TAPS ||
           (in->channels >= LEAST_CHANNELS && conv->filters >= LEAST_CHANNELS &&
            (fits || pass == STOA_CONV_BACKWARD_WEIGHTS));
}

/* What a stride's step passes over has no adjoint here: implicit.c computes that gradient without any
 * waste. */
static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                       size_t points) {
    if (!stoa_winograd_fits(context, conv)) {
        return false;
    }
    struct stoa_winograd_input in = stoa_winograd_input_of(&conv->window);
    if (points <= in.taps || (points == STOA_WINOGRAD_POINTS && !suits_large_tiles(conv, pass, &in)) ||
        (pass == STOA_CONV_BACKWARD_DATA && in.stride > 1)) {
        return false;
    }
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_winograd_weights_applicable(context, conv, points);
    }
    struct stoa_winograd p = pass_of(conv, pass, points);
    return is_narrow(context, &p) || stoa_winograd_wide_applicable(context, &p);
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t points, size_t *bytes) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_winograd_weights_workspace(context, conv, points, bytes);
    }
    struct stoa_winograd p = pass_of(conv, pass, points);
    return is_narrow(context, &p) ? stoa_winograd_narrow_workspace(context, &p, bytes)
                                  : stoa_winograd_wide_workspace(context, &p, bytes);
}

static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                   size_t points) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_winograd_weights_cost(context, conv, points);
    }
    struct stoa_winograd p = pass_of(conv, pass, points);
    const struct stoa_window *w = &p.in.window;
    double rows = stoa_winograd_rows(&p.grid);
    double weights = (double)p.in.channels * (double)p.filters;
    double transforms = is_narrow(context, &p) ? 1 : (double)stoa_winograd_wide_transforms(context, &p);
    double tensors = (double)conv->batch * ((double)(w->height * w->width) * (double)w->channels +
                                            (double)(w->out_height * w->out_width) * (double)p.filters);
    double moved =
        rows * (stoa_winograd_vectors(context, p.in.channels) + stoa_winograd_vectors(context, p.filters)) +
        transforms * (double)p.points * weights;
    return stoa_cost_product(context, 2 * rows * weights, p.filters, p.in.channels) +
           stoa_cost_tile(context, 1.5 * moved) + stoa_cost_stream(context, tensors);
}

static void run(const stoa_context *context, const struct stoa_winograd *p, void *scratch) {
    if (is_narrow(context, p)) {
        stoa_winograd_narrow_run(context, p, scratch);
    } else {
        stoa_winograd_wide_run(context, p, scratch);
    }
}

/* With one of weight and prepared. */
static void forward(const stoa_context *context, const struct stoa_conv *conv, size_t points, const float *x,
                    const float *weight, const void *prepared, const float *bias, bool relu, float *y,
                    void *scratch) {
    struct stoa_winograd p = pass_of(conv, STOA_CONV_FORWARD, points);
    p.x = x;
    p.weight = weight;
    p.prepared = prepared;
    p.bias = bias;
    p.relu = relu;
    p.y = y;
    run(context, &p, scratch);
}

/* Narrow layers keep transformed weights. Of wide ones these come from an outer cache no faster than a core
 * transforms the weights themselves (measured: 0.5 to 1.15 times the speed at 1 to 64 images), so those are
 * only put side by side. */
static size_t prepared_bytes(const stoa_context *context, const struct stoa_conv *conv, size_t points) {
    struct stoa_winograd p = pass_of(conv, STOA_CONV_FORWARD, points);
    return is_narrow(context, &p) ? stoa_winograd_narrow_prepared_bytes(context, &p)
                                  : stoa_winograd_wide_prepared_bytes(&p);
}

static void prepare(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                    const float *weight, void *prepared) {
    struct stoa_winograd p = pass_of(conv, STOA_CONV_FORWARD, points);
    p.weight = weight;
    if (is_narrow(context, &p)) {
        stoa_winograd_narrow_prepare(context, &p, prepared);
    } else {
        stoa_winograd_wide_prepare(context, &p, prepared);
    }
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                          const float *dy, const float *weight, float *dx, void *scratch) {
    struct stoa_winograd p = pass_of(conv, STOA_CONV_BACKWARD_DATA, points);
    p.x = dy;
    p.weight = weight;
    p.y = dx;
    run(context, &p, scratch);
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     size_t points, char *out, size_t size) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_winograd_weights_describe(context, conv, points, out, size);
        return;
    }
    struct stoa_winograd p = pass_of(conv, pass, points);
    int used = snprintf(out, size, "winograd%zu, %zu tiles of %zux%zu", points - 2, p.grid.end, p.grid.tile,
                        p.grid.tile);
    if (used < 0 || (size_t)used >= size) {
        return;
    }
    if (is_narrow(context, &p)) {
        (void)snprintf(out + used, size - (size_t)used, " in %zu blocks",
                       stoa_winograd_narrow_blocks(context, &p));
    } else {
        (void)snprintf(out + used, size - (size_t)used, ", weights transformed %zu times",
                       stoa_winograd_wide_transforms(context, &p));
    }
}

/* The algorithms differ in their points: two a side more than the outputs of a tile for 3x3 kernels. */
#define ALGORITHM(TILE)                                                                                      \
    static bool applicable_##TILE(const stoa_context *context, const struct stoa_conv *conv,                 \
                                  enum stoa_conv_pass pass) {                                                \
        return applicable(context, conv, pass, TILE + 2);                                                    \
    }                                                                                                        \
    static bool workspace_##TILE(const stoa_context *context, const struct stoa_conv *conv,                  \
                                 enum stoa_conv_pass pass, size_t *bytes) {                                  \
        return workspace(context, conv, pass, TILE + 2, bytes);                                              \
    }                                                                                                        \
    static double cost_##TILE(const stoa_context *context, const struct stoa_conv *conv,                     \
                              enum stoa_conv_pass pass) {                                                    \
        return cost(context, conv, pass, TILE + 2);                                                          \
    }                                                                                                        \
    static void forward_##TILE(const stoa_context *context, const struct stoa_conv *conv, const float *x,    \
                               const float *weight, const float *bias, bool relu, float *y, void *scratch) { \
        forward(context, conv, TILE + 2, x, weight, NULL, bias, relu, y, scratch);                           \
    }                                                                                                        \
    static size_t prepared_bytes_##TILE(const stoa_context *context, const struct stoa_conv *conv) {         \
        return prepared_bytes(context, conv, TILE + 2);                                                      \
    }                                                                                                        \
    static void prepare_##TILE(const stoa_context *context, const struct stoa_conv *conv,                    \
                               const float *weight, void *prepared) {                                        \
        prepare(context, conv, TILE + 2, weight, prepared);                                                  \
    }                                                                                                        \
    static void forward_prepared_##TILE(const stoa_context *context, const struct stoa_conv *conv,           \
                                        const float *x, const void *prepared, const float *bias, bool relu,  \
                                        float *y, void *scratch) {                                           \
        forward(context, conv, TILE + 2, x, NULL, prepared, bias, relu, y, scratch);                         \
    }                                                                                                        \
    static void backward_data_##TILE(const stoa_context *context, const struct stoa_conv *conv,              \
                                     const float *dy, const float *weight, float *dx, void *scratch) {       \
        backward_data(context, conv, TILE + 2, dy, weight, dx, scratch);                                     \
    }                                                                                                        \
    static void backward_weights_##TILE(const stoa_context *context, const struct stoa_conv *conv,           \
                                        const float *x, const float *dy, float *dweight, float *dbias,       \
                                        void *scratch) {                                                     \
        stoa_winograd_weights_run(context, conv, TILE + 2, x, dy, dweight, dbias, scratch);                  \
    }                                                                                                        \
    static void describe_##TILE(const stoa_context *context, const struct stoa_conv *conv,                   \
                                enum stoa_conv_pass pass, char *out, size_t size) {                          \
        describe(context, conv, pass, TILE + 2, out, size);                                                  \
    }                                                                                                        \
    const struct stoa_conv_algorithm stoa_conv_winograd##TILE = {                                            \
        .name = "winograd" #TILE,                                                                            \
        .applicable = applicable_##TILE,                                                                     \
        .workspace = workspace_##TILE,                                                                       \
        .cost = cost_##TILE,                                                                                 \
        .forward = forward_##TILE,                                                                           \
        .prepared_bytes = prepared_bytes_##TILE,                                                             \
        .prepare = prepare_##TILE,                                                                           \
        .forward_prepared = forward_prepared_##TILE,                                                         \
        .backward_data = backward_data_##TILE,                                                               \
        .backward_weights = backward_weights_##TILE,                                                         \
        .describe = describe_##TILE,                                                                         \
    };

ALGORITHM(2)
ALGORITHM(4)
ALGORITHM(6)
