/* SPDX-License-Identifier: MIT */
/* Convolution by Winograd's minimal filtering: the algorithms winograd2, winograd4 and winograd6, with tiles
 * of 4x4, 6x6 and 8x8 points. For 3x3 kernels these are 2x2, 4x4 and 6x6 outputs, and fewer for larger
 * kernels.
 *
 * kernels/winograd.h has the transforms. Inputs and weights are transformed to one matrix for each point of
 * a tile, the matrices of a point are multiplied, [tiles][C] by [C][K], and the products are transformed to
 * outputs. The gradient of the input is the same convolution of the output's gradient. This file decides
 * which layers have a plan and what it costs; winograd_forward.c and winograd_weights.c cut and run a pass,
 * with what they share in winograd_pass.c and the order of the tiles in winograd_grid.c.
 *
 * A number that is not finite reaches all outputs of the tiles that read it, not only those whose kernel
 * does.
 *
 * Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. */
#include <stdio.h>

#include "base/size.h"
#include "conv/cost.h"
#include "conv/winograd_pass.h"

/* Whether a convolution can be computed so, and the context lets sums be reordered. Taps beyond the kernel's
 * end cost products and accuracy: there may be half as many of them as of the others. */
static bool fits(const stoa_context *context, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    size_t kernel = w->kernel_height;
    size_t stride = w->stride_height;
    if (context->policy != STOA_POLICY_DEFAULT || conv->groups != 1 || w->dilation_height != 1 ||
        w->dilation_width != 1 || w->kernel_width != kernel || w->stride_width != stride ||
        w->pad_top >= kernel || w->pad_left >= kernel || kernel > STOA_WINOGRAD_MOST_TAPS * stride) {
        return false;
    }
    size_t taken = stoa_round_up(kernel, stride);
    return taken >= STOA_WINOGRAD_LEAST_TAPS * stride && 2 * taken * taken <= 3 * kernel * kernel;
}

static struct stoa_winograd pass_of(const struct stoa_conv_plan *plan) {
    const struct stoa_conv *conv = &plan->conv;
    const struct stoa_window *w = &conv->window;
    struct stoa_window read = *w;
    size_t points = plan->algorithm->tile + 2;
    struct stoa_winograd p = {.filters = conv->filters, .points = points * points, .transforms = 1};
    p.to_weights = plan->pass == STOA_CONV_BACKWARD_WEIGHTS;
    p.to_data = plan->pass == STOA_CONV_BACKWARD_DATA;
    p.kept = plan->pass == STOA_CONV_FORWARD && conv->kept;
    if (p.to_data) {
        read.height = w->out_height;
        read.width = w->out_width;
        read.out_height = w->height;
        read.out_width = w->width;
        read.pad_top = w->kernel_height - 1 - w->pad_top;
        read.pad_left = w->kernel_width - 1 - w->pad_left;
        read.channels = conv->filters;
        p.filters = w->channels;
    }
    p.in = stoa_winograd_input_of(&read, points);
    p.grid = stoa_winograd_grid_of(points, p.in.taps, conv->batch, read.out_height, read.out_width);
    return p;
}

/* The products in the longest sum of one image: they tell how much the errors of the largest tiles even
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

/* The largest tiles move the fewest numbers. A narrow layer gains by that only while a block of them stays
 * in L2 with all its points: otherwise tiles of 4x4 are faster (measured by as much as a third). With more
 * than three taps they save more products than that costs. Their errors are ten times as large, which is too
 * much where a sum of few terms does not even them out, and where no sum has all taps. The batch does not
 * count, because a run may have a smaller one. */
static bool suits_large_tiles(const stoa_context *context, const struct stoa_conv_plan *plan,
                              const struct stoa_winograd *p) {
    enum { TILES = 24, LEAST_CHANNELS = 16, LEAST_TERMS = 48, TERMS_A_TAP = 12 };
    const struct stoa_window *w = &plan->conv.window;
    size_t taps = p->in.taps;
    if (w->height < w->kernel_height || w->width < w->kernel_width || w->out_height < taps ||
        w->out_width < taps ||
        terms_of(&plan->conv, plan->pass) < stoa_max(LEAST_TERMS, TERMS_A_TAP * taps)) {
        return false;
    }
    bool inner = (p->in.channels + p->filters) * p->points * TILES * sizeof(float) <=
                     context->tuning->winograd_inner_bytes ||
                 p->in.channels * p->filters > context->tuning->winograd_narrow_floats;
    return taps > STOA_WINOGRAD_LEAST_TAPS || (stoa_min(p->in.channels, p->filters) >= LEAST_CHANNELS &&
                                               (inner || plan->pass == STOA_CONV_BACKWARD_WEIGHTS));
}

/* The numbers that a transform of `channels` works on with its padding; less than a vector is copied to and
 * fro. */
static double vectors(const stoa_context *context, size_t channels) {
    size_t width = stoa_cost_lanes(context);
    return channels < width ? 4 * (double)width : (double)stoa_round_up(channels, width);
}

static double cost(const stoa_context *context, const struct stoa_winograd *p) {
    double rows = stoa_winograd_rows(&p->grid);
    double weights = (double)p->in.channels * (double)p->filters;
    double moved = rows * (vectors(context, p->in.channels) + vectors(context, p->filters)) +
                   (p->kept ? 0 : (double)p->transforms * (double)p->points * weights);
    size_t columns = p->to_weights ? p->range_filters : p->filters;
    size_t terms = p->to_weights ? context->tuning->winograd_range : p->in.channels;
    return stoa_cost_product(context, 2 * rows * weights, columns, terms) +
           stoa_cost_tile(context, 1.5 * moved);
}

/* A stride's step passes over pixels that have no adjoint here; implicit.c computes that gradient without
 * waste. */
static bool plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct stoa_winograd *p = (void *)plan->cut.bytes;
    size_t stride = plan->conv.window.stride_height;
    size_t points = plan->algorithm->tile + 2;
    if (!fits(context, &plan->conv) || stoa_ceil_div(plan->conv.window.kernel_height, stride) >= points ||
        (plan->pass == STOA_CONV_BACKWARD_DATA && stride > 1)) {
        return false;
    }
    *p = pass_of(plan);
    /* A single output takes as many products as it has terms. */
    if (p->in.window.out_height * p->in.window.out_width == 1) {
        return false;
    }
    if (points == STOA_WINOGRAD_POINTS && !suits_large_tiles(context, plan, p)) {
        return false;
    }
    bool planned =
        p->to_weights ? stoa_winograd_weights_plan(context, plan) : stoa_winograd_forward_plan(context, plan);
    plan->cost = planned ? cost(context, p) : 0;
    return planned;
}

static void run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_winograd_weights_run(plan, run);
    } else {
        stoa_winograd_forward_run(plan, run);
    }
}

static void describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct stoa_winograd *p = (const void *)plan->cut.bytes;
    const struct stoa_winograd_grid *grid = &p->grid;
    const char *name = plan->algorithm->name;
    if (p->to_weights && p->narrow) {
        (void)snprintf(out, size, "%s, %zu blocks of samples, %zu tiles at once", name, p->partials,
                       stoa_winograd_block_tiles(p));
    } else if (p->to_weights) {
        (void)snprintf(out, size, "%s, %zu chunks of %zu tiles, ranges of %zux%zu", name, grid->blocks,
                       stoa_winograd_block_tiles(p), p->range_channels, p->range_filters);
    } else if (p->narrow) {
        (void)snprintf(out, size, "%s, %zu tiles of %zux%zu in %zu blocks", name, grid->end, grid->tile,
                       grid->tile, grid->blocks);
    } else {
        (void)snprintf(out, size, "%s, %zu tiles of %zux%zu, weights transformed %zu times", name, grid->end,
                       grid->tile, grid->tile, p->transforms);
    }
}

/* The three differ in their points: two a side more than the outputs of a tile for 3x3 kernels. */
#define WINOGRAD_ALGORITHM(outputs)                                                                          \
    const struct stoa_conv_algorithm stoa_conv_winograd##outputs = {                                         \
        STOA_CONV_NAME(winograd##outputs),        .tile = (outputs), .plan = plan,                           \
        .prepare = stoa_winograd_forward_prepare, .run = run,        .describe = describe,                   \
    };
WINOGRAD_ALGORITHM(2)
WINOGRAD_ALGORITHM(4)
WINOGRAD_ALGORITHM(6)
#undef WINOGRAD_ALGORITHM
