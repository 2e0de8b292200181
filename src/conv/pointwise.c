/* SPDX-License-Identifier: MIT */
/* 1x1 convolution is a product of all pixels' channels with the weight, without columns. So is a kernel as
 * large as the image, whose only column is the image itself.
 *
 * With stride 1 the tensors are the matrices. With a larger stride the pixels that count are gathered into a
 * chunk that stays in the caches. All threads multiply together (conv/gathered.c), cut by filters as well as
 * pixels; only small gradients are made in blocks of samples. This file makes these choices, and has the
 * weight in panels (struct stoa_gemm), prepared or transposed. */
#include <stdio.h>

#include "conv/gathered.h"
#include "core/tuning.h"
#include "product/product.h"

/* A gradient with fewer blocks of samples than this is cut by its own rows and columns instead. */
enum { LEAST_BLOCKS = 8, TASK_ROWS = 512, TRANSPOSE_PIXELS = 1024 };

static bool has_one_tap(const struct stoa_window *w) {
    return w->kernel_height == 1 && w->kernel_width == 1;
}

/* Whether the column of every output pixel is the channels of one input pixel. */
static bool is_pointwise(const struct stoa_window *w) {
    return has_one_tap(w) && w->pad_top == 0 && w->pad_left == 0 &&
           (w->out_height - 1) * w->stride_height < w->height &&
           (w->out_width - 1) * w->stride_width < w->width;
}

/* Whether the kernel covers all of an image, without gaps. */
static bool covers_image(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    return w->kernel_height == w->height && w->kernel_width == w->width && w->dilation_height == 1 &&
           w->dilation_width == 1 && w->out_height == 1 && w->out_width == 1 && w->pad_top == 0 &&
           w->pad_left == 0 && conv->groups == 1 && stoa_conv_x_pixel(conv) == w->channels;
}

/* Cut into tiles of at most so many bytes of columns; false where not one pixel fits. */
static bool cut_tiles(struct stoa_gathered *cut, size_t bytes) {
    size_t row = stoa_gathered_stride(cut, stoa_conv_group_channels(&cut->conv));
    size_t pixels = cut->in_place ? stoa_conv_pixels(&cut->conv) : bytes / sizeof(float) / row;
    if (pixels > 0) {
        stoa_gathered_tiles(cut, pixels, stoa_conv_rows(&cut->conv));
    }
    return pixels > 0;
}

/* Cut the forward pass or backward data. The engine's kernel takes products that are large enough, and is
 * faster with b in panels. A forward pass takes it without panels too, because the bits do not depend on who
 * prepared the weight. A weight whose rows are the product's columns is transposed where enough pixels pay
 * for it and the context allows that much beside the columns. */
static void cut_product(const stoa_context *context, struct stoa_conv_plan *plan, struct stoa_gathered *cut) {
    enum { LEAST_TERMS = 48, LEAST_COLUMNS = 33 };
    const struct stoa_conv *conv = &cut->conv;
    bool forward = plan->pass == STOA_CONV_FORWARD;
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    size_t terms = forward ? column : filters;
    size_t columns = forward ? filters : column;
    size_t panels = conv->groups * stoa_panel_floats(terms, columns);
    cut->by_kernel = !stoa_plain_products(context) && context->isa > STOA_ISA_BASE && terms >= LEAST_TERMS &&
                     columns >= LEAST_COLUMNS;
    if (forward == conv->oihw) {
        size_t floats = cut->by_kernel ? panels : forward ? 0 : stoa_conv_weights(conv);
        size_t chunk = cut->in_place ? 0 : context->tuning->conv_chunk_bytes;
        bool turns = (forward || stoa_conv_pixels(conv) >= TRANSPOSE_PIXELS) &&
                     stoa_conv_shared_fits(context, floats * sizeof(float) + chunk);
        cut->turned = turns ? floats : 0;
        cut->by_kernel = cut->by_kernel && turns;
    }
    plan->prepared_bytes = forward && cut->by_kernel ? panels * sizeof(float) : 0;
}

/* A small gradient is summed in blocks. */
static void cut_weights(const stoa_context *context, struct stoa_gathered *cut) {
    const struct stoa_tuning *tuning = context->tuning;
    struct stoa_gathered blocks = *cut;
    blocks.together = false;
    blocks.sums = stoa_partials_of(context, &cut->conv);
    if (blocks.sums.blocks >= LEAST_BLOCKS && stoa_conv_weights(&cut->conv) <= tuning->conv_block_weights &&
        cut_tiles(&blocks, stoa_min(tuning->conv_block_bytes, context->workspace_limit))) {
        *cut = blocks;
    }
    cut->sums.filters = cut->conv.filters;
    cut->sums.adds = cut->conv.adds;
}

static bool plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    const struct stoa_window *w = &plan->conv.window;
    size_t limit = context->workspace_limit * STOA_CONV_SHARED_LIMITS;
    stoa_conv_take(plan, STOA_CONV_X_PIXEL | STOA_CONV_Y_PIXEL | STOA_CONV_ADDS |
                             (has_one_tap(w) ? STOA_CONV_OIHW : 0));
    struct stoa_gathered cut = {.conv = plan->conv,
                                .in_place = covers_image(&plan->conv),
                                .together = true,
                                .parts = 1,
                                .images = plan->conv.batch,
                                .sums = {.blocks = 1}};
    if (!cut.in_place && !is_pointwise(w)) {
        return false;
    }
    cut.in_place = cut.in_place || (w->out_height == w->height && w->out_width == w->width);
    if (!cut_tiles(&cut, stoa_min(context->tuning->conv_chunk_bytes, limit))) {
        return false;
    }
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        cut_weights(context, &cut);
    } else {
        cut_product(context, plan, &cut);
    }
    return stoa_gathered_plan(context, &cut, (double)stoa_conv_pixels(&cut.conv) / TASK_ROWS, plan);
}

static void describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct stoa_gathered *cut = (const void *)plan->cut.bytes;
    char how[48] = "";
    if (!cut->together) {
        (void)snprintf(how, sizeof how, ", %zu blocks", cut->sums.blocks);
    }
    (void)snprintf(out, size, "pointwise%s%s", cut->in_place ? "" : ", gathered", how);
}

const struct stoa_conv_algorithm stoa_conv_pointwise = {STOA_CONV_NAME(pointwise), .plan = plan,
                                                        .prepare = stoa_gathered_prepare,
                                                        .run = stoa_gathered_run, .describe = describe};
