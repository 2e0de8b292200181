/* SPDX-License-Identifier: MIT */
/* Convolution as tiled im2col and sgemm.
 *
 * The columns of a few output rows, possibly of several images, or of a part of a long row, fill a tile that
 * stays in a core's L2, and the thread that wrote them multiplies them at once (conv/gathered.c). This file
 * decides how tiles are cut: also by channels where weights, or too few blocks of samples, ask for it.
 *
 * Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing",
 * 2006. */
#include <stdio.h>

#include "conv/gathered.h"
#include "core/tuning.h"

/* At least 8 tiles keep several threads busy. */
enum { LEAST_TILES = 8, LEAST_CHANNELS = 32 };

/* The pixels of a tile whose columns have so many floats. A small image of a deep layer is not cut where it
 * nearly fits, because every tile reads all of the layer's weights. */
static size_t tile_pixels(const stoa_context *context, const struct stoa_conv *conv, size_t column) {
    size_t limit = context->workspace_limit / STOA_ALIGN_BYTES * STOA_ALIGN_FLOATS;
    size_t image = conv->window.out_height * conv->window.out_width;
    size_t tile = context->tuning->conv_tile_bytes / sizeof(float);
    size_t most = stoa_min(tile, limit);
    if (image <= stoa_min(2 * tile, limit) / stoa_conv_column(conv)) {
        most = stoa_max(most, image * stoa_conv_column(conv));
    }
    return stoa_max(most, stoa_conv_column(conv)) / column;
}

static void cut_tiles(const stoa_context *context, struct stoa_gathered *cut, size_t rows) {
    const struct stoa_conv *conv = &cut->conv;
    size_t channels = stoa_ceil_div(stoa_conv_group_channels(conv), cut->parts);
    stoa_gathered_tiles(cut, tile_pixels(context, conv, stoa_gathered_stride(cut, channels)), rows);
}

/* Cut by channels, so that the weights of a task stay in L2 beside the columns of many pixels, and between
 * images. Where all tasks read all of the weight, it is transposed once if the context allows that much. */
static void cut_data(const stoa_context *context, struct stoa_gathered *cut) {
    const struct stoa_conv *conv = &cut->conv;
    size_t bytes = stoa_conv_column(conv) * stoa_conv_group_filters(conv) * sizeof(float);
    size_t turned = stoa_conv_weights(conv);
    while (bytes / cut->parts > context->tuning->conv_weight_bytes &&
           stoa_conv_group_channels(conv) / (2 * cut->parts) >= LEAST_CHANNELS) {
        cut->parts *= 2;
    }
    size_t tasks = stoa_ceil_div(conv->batch * cut->parts, LEAST_TILES);
    cut_tiles(context, cut, stoa_conv_rows(conv));
    cut->images = stoa_max(1, stoa_min(cut->rows / conv->window.out_height, tasks));
    cut_tiles(context, cut, cut->images * conv->window.out_height);
    cut->turned = cut->parts == 1 && stoa_conv_shared_fits(context, turned * sizeof(float)) ? turned : 0;
}

/* Where few blocks of samples can run at the same time, a group's channels are cut too. */
static void cut_weights(const stoa_context *context, struct stoa_gathered *cut, size_t rows) {
    cut->sums = stoa_partials_of(context, &cut->conv);
    cut->sums.adds = cut->conv.adds;
    size_t wanted = stoa_ceil_div(LEAST_TILES, cut->sums.blocks);
    cut->parts = stoa_max(1, stoa_min(wanted, stoa_conv_group_channels(&cut->conv) / LEAST_CHANNELS));
    cut_tiles(context, cut, rows);
}

/* A thread works on the columns of one pixel at least. */
static bool plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    stoa_conv_take(plan, STOA_CONV_X_PIXEL | STOA_CONV_Y_PIXEL | STOA_CONV_ADDS);
    struct stoa_gathered cut = {.conv = plan->conv, .parts = 1, .images = 1, .sums = {.blocks = 1}};
    size_t rows = stoa_conv_rows(&cut.conv);
    size_t most = stoa_ceil_div(rows, LEAST_TILES);
    if (stoa_conv_column(&cut.conv) > context->workspace_limit / STOA_ALIGN_BYTES * STOA_ALIGN_FLOATS) {
        return false;
    }
    cut_tiles(context, &cut, most);
    size_t tiles = stoa_gathered_count(&cut, rows);
    if (plan->pass == STOA_CONV_BACKWARD_DATA) {
        cut_data(context, &cut);
    } else if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        cut_weights(context, &cut, most);
    }
    return stoa_gathered_plan(context, &cut, (double)tiles, plan);
}

static void describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct stoa_gathered *cut = (const void *)plan->cut.bytes;
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        (void)snprintf(out, size, "im2col, %zu blocks, %zu of channels", cut->sums.blocks, cut->parts);
    } else if (plan->pass == STOA_CONV_BACKWARD_DATA) {
        (void)snprintf(out, size, "im2col, %zu images a task, %zu of channels", cut->images, cut->parts);
    } else {
        (void)snprintf(out, size, "im2col, %zu tiles of %zu %s",
                       stoa_gathered_count(cut, stoa_conv_rows(&cut->conv)),
                       cut->across > 1 ? cut->columns : cut->rows, cut->across > 1 ? "pixels" : "rows");
    }
}

const struct stoa_conv_algorithm stoa_conv_im2col = {STOA_CONV_NAME(im2col), .plan = plan,
                                                     .run = stoa_gathered_run, .describe = describe};
