/* SPDX-License-Identifier: MIT */
/* 1x1 convolution: a product of all pixels' channels with the weight, without columns.
 *
 * A kernel as large as the image is one too: its only column is the image as it lies, a pixel of many
 * channels.
 *
 * With stride 1 the tensors themselves are the matrices. With a stride the pixels that count are gathered
 * into a chunk that stays in the caches. All threads multiply together (conv/gathered.c), cut over filters as
 * well as pixels; only small gradients are made in blocks of samples. Its own are these choices and the
 * weight in panels (struct stoa_gemm), prepared or turned. */
#include <stdio.h>

#include "conv/gathered.h"
#include "core/tuning.h"

/* With fewer blocks of samples than this a gradient is cut over its own rows and columns instead. */
enum { LEAST_BLOCKS = 8, TASK_ROWS = 512, TRANSPOSE_PIXELS = 1024 };

/* As a layer of one pixel, where the kernel covers all of an image; the layer itself otherwise. */
static struct stoa_conv flattened(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    struct stoa_conv flat = *conv;
    bool covers = w->kernel_height == w->height && w->kernel_width == w->width && w->dilation_height == 1 &&
                  w->dilation_width == 1 && w->out_height == 1 && w->out_width == 1 && w->pad_top == 0 &&
                  w->pad_left == 0 && conv->groups == 1 && stoa_conv_x_pixel(conv) == w->channels;
    if (covers) {
        flat.window.channels = stoa_conv_column(conv);
        flat.window.height = flat.window.width = 1;
        flat.window.kernel_height = flat.window.kernel_width = 1;
        flat.window.stride_height = flat.window.stride_width = 1;
    }
    return flat;
}

/* Products large enough for the engine's kernel, which is faster with b in panels. Without panels it is used
 * as well: the bits do not depend on who prepared the weight. */
static bool is_by_kernel(const stoa_context *context, size_t terms, size_t columns) {
    enum { LEAST_TERMS = 48, LEAST_COLUMNS = 33 };
    return !stoa_plain_products(context) && context->isa > STOA_ISA_BASE && terms >= LEAST_TERMS &&
           columns >= LEAST_COLUMNS;
}

/* Tiles of about `pixels`, of at most so many bytes of columns, as equal as they can be; false where not one
 * pixel fits. */
static bool cut_tiles(struct stoa_gathered *cut, size_t pixels, size_t bytes) {
    size_t rows = stoa_conv_rows(&cut->conv);
    size_t most = bytes / sizeof(float) / stoa_gathered_stride(cut, stoa_conv_group_channels(&cut->conv));
    if (!cut->in_place && most == 0) {
        return false;
    }
    stoa_gathered_tiles(cut, cut->in_place ? pixels : stoa_min(pixels, most), rows);
    cut->rows = stoa_ceil_div(rows, stoa_ceil_div(rows, cut->rows));
    return true;
}

/* The transposed weight, where so many pixels pay for it and the context allows that much beside the
 * columns. */
static void cut_data(const stoa_context *context, struct stoa_gathered *cut) {
    const struct stoa_conv *conv = &cut->conv;
    bool panels = is_by_kernel(context, stoa_conv_group_filters(conv), stoa_conv_group_channels(conv));
    size_t floats = panels ? stoa_gathered_panels(conv, true) : stoa_conv_transposed(conv);
    size_t chunk = cut->in_place ? 0 : context->tuning->conv_chunk_bytes;
    if (stoa_conv_pixels(conv) >= TRANSPOSE_PIXELS &&
        stoa_conv_shared_fits(context, floats * sizeof(float) + chunk)) {
        cut->turned = floats;
        cut->by_kernel = panels;
    }
}

/* A small gradient is summed in blocks. One over few pixels is faster from a transposed operand: pixels, or
 * dy with the gradient, whatever is less. */
static void cut_weights(const stoa_context *context, struct stoa_gathered *cut) {
    enum { LEAST_TURNED = 512, LEAST_PIXELS = 256, LEAST_SIDE = 32, LEAST_TURNED_SIDE = 128 };
    const struct stoa_conv *conv = &cut->conv;
    const struct stoa_tuning *tuning = context->tuning;
    size_t pixels = stoa_conv_pixels(conv);
    size_t side = stoa_min(stoa_conv_group_channels(conv), stoa_conv_group_filters(conv));
    bool plain = stoa_plain_products(context) || context->isa == STOA_ISA_BASE || pixels < LEAST_PIXELS;
    struct stoa_partials sums = stoa_partials_of(context, conv);
    cut->by_kernel = !plain && side >= LEAST_SIDE;
    struct stoa_gathered other = *cut;
    if (sums.blocks >= LEAST_BLOCKS && stoa_conv_weights(conv) <= tuning->conv_block_weights) {
        if (cut_tiles(&other, pixels, stoa_min(tuning->conv_block_bytes, context->workspace_limit))) {
            other.together = false;
            other.sums = sums;
            *cut = other;
        }
    } else if (!plain && conv->groups == 1 && side >= LEAST_TURNED_SIDE &&
               pixels <= tuning->conv_turned_pixels) {
        double channels = (double)conv->window.channels;
        double filters = (double)conv->filters;
        other.swapped = (channels - filters) * (double)pixels > channels * filters;
        size_t row = other.swapped ? conv->filters : conv->window.channels;
        (void)cut_tiles(&other, stoa_max(LEAST_TURNED, tuning->conv_turned_bytes / sizeof(float) / row),
                        tuning->conv_chunk_bytes);
        other.turned = row * stoa_conv_stride(other.rows * other.columns);
        size_t floats = other.turned + (other.swapped ? stoa_conv_weights(conv) : 0);
        if (stoa_conv_shared_fits(context, floats * sizeof(float) + tuning->conv_chunk_bytes)) {
            *cut = other;
        }
    }
    cut->sums.filters = conv->filters;
    cut->sums.adds = conv->adds;
}

static bool plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    stoa_conv_take(plan, STOA_CONV_X_PIXEL | STOA_CONV_Y_PIXEL | STOA_CONV_ADDS);
    struct stoa_gathered cut = {
        .conv = flattened(&plan->conv), .together = true, .parts = 1, .images = 1, .sums = {.blocks = 1}};
    const struct stoa_conv *conv = &cut.conv;
    const struct stoa_window *w = &conv->window;
    size_t shared =
        stoa_min(context->tuning->conv_chunk_bytes, context->workspace_limit * STOA_CONV_SHARED_LIMITS);
    cut.in_place = w->out_height == w->height && w->out_width == w->width;
    if (w->kernel_height != 1 || w->kernel_width != 1 || w->pad_top != 0 || w->pad_left != 0 ||
        (w->out_height - 1) * w->stride_height >= w->height ||
        (w->out_width - 1) * w->stride_width >= w->width ||
        !cut_tiles(&cut, stoa_conv_pixels(conv), shared)) {
        return false;
    }
    if (plan->pass == STOA_CONV_FORWARD) {
        cut.by_kernel = is_by_kernel(context, stoa_conv_group_channels(conv), stoa_conv_group_filters(conv));
        plan->prepared_bytes = cut.by_kernel ? stoa_gathered_panels(conv, false) * sizeof(float) : 0;
    } else if (plan->pass == STOA_CONV_BACKWARD_DATA) {
        cut_data(context, &cut);
    } else {
        cut_weights(context, &cut);
    }
    plan->cost = stoa_gathered_cost(context, &cut, plan->pass, (double)stoa_conv_pixels(conv) / TASK_ROWS);
    return stoa_gathered_plan(context, &cut, plan);
}

static void prepare(const stoa_context *context, const struct stoa_conv_plan *plan, const float *weight,
                    float *prepared) {
    stoa_gathered_pack(context, &stoa_gathered_of(plan)->conv, false, weight, prepared);
}

static void describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct stoa_gathered *cut = stoa_gathered_of(plan);
    char how[48] = "";
    if (!cut->together) {
        (void)snprintf(how, sizeof how, ", %zu blocks", cut->sums.blocks);
    } else if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS && cut->turned > 0) {
        (void)snprintf(how, sizeof how, ", transposed %s", cut->swapped ? "gradient" : "pixels");
    }
    (void)snprintf(out, size, "pointwise%s%s", cut->in_place ? "" : ", gathered", how);
}

const struct stoa_conv_algorithm stoa_conv_pointwise = {STOA_CONV_NAME(pointwise), .plan = plan,
                                                        .prepare = prepare, .run = stoa_gathered_run,
                                                        .describe = describe};
