/* SPDX-License-Identifier: MIT */
/* 1x1 convolution: a product of all pixels' channels with the weight, without columns.
 *
 * A kernel as large as the image is one too: its only column is the image as it lies, a pixel of many
 * channels.
 *
 * With stride 1 the tensors themselves are the matrices. With a stride the pixels that count are gathered
 * into a chunk that stays in the caches, and all threads multiply it together, cut over filters as well as
 * pixels, so that not every thread reads all of a deep layer's weights:
 *   forward           y[pixels][K] = gathered[pixels][C] * weight[C][K]
 *   backward data     gathered = dy[pixels][K] * weight^T, scattered with the zeros between
 *   backward weights  dweight = gathered^T * dy, cut over its own rows and columns; a small one in blocks of
 *                     samples, gathered by each thread for itself and summed in a fixed tree
 * Prepared weights, and transposed ones, lie in panels (struct stoa_gemm). */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "blas/gemm.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "conv/pixels.h"
#include "core/product.h"
#include "core/threads.h"

/* Measured: chunks of 2 MiB were fastest, and 256 KiB where each thread gathers for itself. */
static const size_t CHUNK_BYTES = (size_t)2 << 20;
static const size_t TILE_BYTES = (size_t)256 << 10;
/* With fewer blocks of samples than this a gradient is cut over its own rows and columns instead, and so is
 * one whose sums of blocks would not stay in L2. */
enum {
    LEAST_BLOCKS = 8,
    MOST_BLOCK_WEIGHTS = 1 << 15,
    TASK_ROWS = 512,
    TASK_PIXELS = 64,
    TASK_FILTERS = 64,
    TRANSPOSE_PIXELS = 1024
};

/* As a layer of one pixel, where the kernel covers all of an image; the layer itself otherwise. */
static struct stoa_conv flattened(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    struct stoa_conv flat = *conv;
    bool covers = w->kernel_height == w->height && w->kernel_width == w->width && w->dilation_height == 1 &&
                  w->dilation_width == 1 && w->out_height == 1 && w->out_width == 1 && w->pad_top == 0 &&
                  w->pad_left == 0 && conv->groups == 1;
    if (covers) {
        flat.window.channels = stoa_conv_column(conv);
        flat.window.height = flat.window.width = 1;
        flat.window.kernel_height = flat.window.kernel_width = 1;
        flat.window.stride_height = flat.window.stride_width = 1;
    }
    return flat;
}

/* Of the weight of one group as b, or `turned` as its transpose. */
struct sizes {
    size_t terms, columns;
};

static struct sizes sizes_of(const struct stoa_conv *conv, bool turned) {
    size_t channels = stoa_conv_group_channels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    return turned ? (struct sizes){filters, channels} : (struct sizes){channels, filters};
}

/* Products large enough for the engine's kernel, which is faster with b in panels. Without panels it is used
 * as well: the bits do not depend on who prepared the weight. */
static bool is_by_kernel(const stoa_context *context, const struct stoa_conv *conv, bool turned) {
    enum { LEAST_TERMS = 48, LEAST_COLUMNS = 32 };
    struct sizes s = sizes_of(conv, turned);
    return !stoa_plain_products(context) && context->isa > STOA_ISA_BASE && s.terms >= LEAST_TERMS &&
           s.columns >= LEAST_COLUMNS;
}

/* Of a group. */
static size_t panel_floats(const struct stoa_conv *conv, bool turned) {
    struct sizes s = sizes_of(conv, turned);
    return stoa_panel_floats(s.terms, s.columns);
}

static void pack(const stoa_context *context, const struct stoa_conv *conv, bool turned, const float *weight,
                 float *panels) {
    struct sizes s = sizes_of(conv, turned);
    for (size_t g = 0; g < conv->groups; g++) {
        stoa_pack_panels(context,
                         &(struct stoa_gemm){.transpose_b = turned,
                                             .n = s.columns,
                                             .k = s.terms,
                                             .b = weight + g * stoa_conv_group_filters(conv),
                                             .ldb = conv->filters},
                         panels + g * panel_floats(conv, turned));
    }
}

static bool is_strided(const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    return w->out_height != w->height || w->out_width != w->width;
}

/* From pixel to pixel of the matrix that is multiplied. */
static size_t rows_stride(const struct stoa_conv *conv) {
    return is_strided(conv) ? stoa_pixels_stride(conv) : conv->window.channels;
}

/* Most pixels that are gathered at a time, by all threads together or by one. */
static size_t most_together(const stoa_context *context, const struct stoa_conv *conv) {
    size_t bytes = stoa_min(CHUNK_BYTES, context->workspace_limit * STOA_CONV_SHARED_LIMITS);
    return bytes / (stoa_pixels_stride(conv) * sizeof(float));
}

static size_t most_alone(const stoa_context *context, const struct stoa_conv *conv) {
    return stoa_min(TILE_BYTES, context->workspace_limit) / (stoa_pixels_stride(conv) * sizeof(float));
}

static bool applicable(const stoa_context *context, const struct stoa_conv *layer, enum stoa_conv_pass pass) {
    const struct stoa_conv flat = flattened(layer);
    const struct stoa_conv *conv = &flat;
    const struct stoa_window *w = &conv->window;
    (void)pass;
    return w->kernel_height == 1 && w->kernel_width == 1 && w->pad_top == 0 && w->pad_left == 0 &&
           (w->out_height - 1) * w->stride_height < w->height &&
           (w->out_width - 1) * w->stride_width < w->width &&
           (!is_strided(conv) || most_together(context, conv) > 0);
}

static bool sums_blocks(const stoa_context *context, const struct stoa_conv *conv,
                        const struct stoa_partials *sums) {
    return sums->blocks >= LEAST_BLOCKS && stoa_conv_weights(conv) < MOST_BLOCK_WEIGHTS &&
           (!is_strided(conv) || most_alone(context, conv) > 0);
}

/* The transposed weight, where so many pixels pay for it and the context allows that much beside the
 * chunk. */
static size_t transposed_floats(const stoa_context *context, const struct stoa_conv *conv) {
    size_t floats = stoa_conv_pixels(conv) < TRANSPOSE_PIXELS ? 0
                    : is_by_kernel(context, conv, true)       ? conv->groups * panel_floats(conv, true)
                                                              : stoa_conv_transposed(conv);
    size_t chunk = is_strided(conv) ? most_together(context, conv) * stoa_pixels_stride(conv) : 0;
    return stoa_conv_shared_fits(context, (floats + chunk) * sizeof(float)) ? floats : 0;
}

static size_t gathered_floats(const struct stoa_conv *conv, size_t most) {
    size_t pixels = is_strided(conv) ? stoa_min(most, stoa_conv_pixels(conv)) : 0;
    return pixels * stoa_pixels_stride(conv);
}

static bool workspace(const stoa_context *context, const struct stoa_conv *layer, enum stoa_conv_pass pass,
                      size_t *bytes) {
    const struct stoa_conv flat = flattened(layer);
    const struct stoa_conv *conv = &flat;
    /* Gathered pixels and transposed weights are small by the limits above. */
    size_t together = gathered_floats(conv, most_together(context, conv)) * sizeof(float);
    *bytes = together;
    if (pass == STOA_CONV_BACKWARD_DATA) {
        *bytes += transposed_floats(context, conv) * sizeof(float);
    }
    if (pass != STOA_CONV_BACKWARD_WEIGHTS) {
        return true;
    }
    struct stoa_partials sums = stoa_partials_of(context, conv);
    size_t tile = stoa_conv_thread_step(context, gathered_floats(conv, most_alone(context, conv)));
    size_t alone = tile * context->threads * sizeof(float);
    size_t blocks;
    if (!sums_blocks(context, conv, &sums)) {
        return true;
    }
    if (!stoa_partials_bytes(&sums, &blocks) || !stoa_size_add(alone, blocks, &alone)) {
        return false;
    }
    /* A smaller batch may have fewer blocks and be multiplied together. */
    *bytes = stoa_max(alone, together);
    return true;
}

/* What the threads of a pass share. Pixels are those of the output, counted over the batch. */
struct pass {
    const stoa_context *context;
    const struct stoa_conv *conv;
    const float *x, *bias, *dy;
    float *y, *dx;
    bool relu;
    float *gathered;      /* of the chunk, or for each thread */
    size_t first, pixels; /* the chunk */
    size_t tile;          /* pixels a thread gathers for itself */
    struct stoa_partials sums;
};

/* Tasks over the chunk's pixels. */
static void gather_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    size_t at = task * TASK_PIXELS;
    stoa_pixels_gather(p->conv, p->x, p->first + at, p->first + stoa_min(at + TASK_PIXELS, p->pixels),
                       p->gathered + at * stoa_pixels_stride(p->conv));
}

static void scatter_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    size_t at = task * TASK_PIXELS;
    stoa_pixels_scatter(p->conv, p->gathered + at * stoa_pixels_stride(p->conv), p->first + at,
                        p->first + stoa_min(at + TASK_PIXELS, p->pixels), p->dx);
}

static void finish_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    size_t at = task * TASK_PIXELS;
    stoa_conv_finish(p->context, p->conv, p->bias, p->relu, p->first + at,
                     stoa_min(TASK_PIXELS, p->pixels - at), p->y);
}

static void over_pixels(struct pass *p, stoa_task_fn *work) {
    stoa_parallel(p->context, stoa_ceil_div(p->pixels, TASK_PIXELS), work, p);
}

/* The chunk behind the one before (or the first): equal ones, as few as the memory allows. False at the
 * end. */
static bool next_chunk(struct pass *p, size_t most) {
    size_t all = stoa_conv_pixels(p->conv);
    p->first += p->pixels;
    if (p->pixels == 0) {
        p->pixels = is_strided(p->conv) ? stoa_ceil_div(all, stoa_ceil_div(all, most)) : all;
    }
    p->pixels = stoa_min(p->pixels, all - p->first);
    return p->pixels > 0;
}

/* b: the weight, or its panels. */
static void run_forward(const stoa_context *context, const struct stoa_conv *layer, const float *x,
                        const float *b, bool panels, const float *bias, bool relu, float *y, void *scratch) {
    const struct stoa_conv flat = flattened(layer);
    const struct stoa_conv *conv = &flat;
    struct pass p = {
        .context = context, .conv = conv, .x = x, .bias = bias, .relu = relu, .y = y, .gathered = scratch};
    size_t channels = stoa_conv_group_channels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    size_t group = panels ? panel_floats(conv, false) : filters;
    bool by_kernel = is_by_kernel(context, conv, false);
    while (next_chunk(&p, most_together(context, conv))) {
        const float *rows = x;
        if (is_strided(conv)) {
            over_pixels(&p, gather_task);
            rows = p.gathered;
        }
        for (size_t g = 0; g < conv->groups; g++) {
            stoa_product(context, &(struct stoa_gemm){.m = p.pixels,
                                                      .n = filters,
                                                      .k = channels,
                                                      .alpha = 1,
                                                      .a = rows + g * channels,
                                                      .lda = rows_stride(conv),
                                                      .b = b + g * group,
                                                      .ldb = conv->filters,
                                                      .by_kernel = by_kernel,
                                                      .panels = panels,
                                                      .c = y + p.first * conv->filters + g * filters,
                                                      .ldc = conv->filters});
        }
        if (bias || relu) {
            over_pixels(&p, finish_task);
        }
    }
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    run_forward(context, conv, x, weight, false, bias, relu, y, scratch);
}

static size_t prepared_bytes(const stoa_context *context, const struct stoa_conv *layer) {
    const struct stoa_conv conv = flattened(layer);
    return is_by_kernel(context, &conv, false) ? conv.groups * panel_floats(&conv, false) * sizeof(float) : 0;
}

static void prepare(const stoa_context *context, const struct stoa_conv *layer, const float *weight,
                    void *prepared) {
    const struct stoa_conv conv = flattened(layer);
    pack(context, &conv, false, weight, prepared);
}

static void forward_prepared(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const void *prepared, const float *bias, bool relu, float *y, void *scratch) {
    run_forward(context, conv, x, prepared, true, bias, relu, y, scratch);
}

static void backward_data(const stoa_context *context, const struct stoa_conv *layer, const float *dy,
                          const float *weight, float *dx, void *scratch) {
    const struct stoa_conv flat = flattened(layer);
    const struct stoa_conv *conv = &flat;
    float *transposed = scratch;
    bool turned = transposed_floats(context, conv) > 0;
    bool panels = turned && is_by_kernel(context, conv, true);
    size_t stride = turned ? stoa_conv_stride(stoa_conv_column(conv)) : conv->filters;
    struct pass p = {.context = context,
                     .conv = conv,
                     .dx = dx,
                     .gathered = transposed + transposed_floats(context, conv)};
    size_t channels = stoa_conv_group_channels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    size_t group = panels ? panel_floats(conv, true) : filters * (turned ? stride : 1);
    if (panels) {
        pack(context, conv, true, weight, transposed);
    } else if (turned) {
        stoa_conv_transpose(context, conv, weight, transposed);
    }
    float *rows = is_strided(conv) ? p.gathered : dx;
    while (next_chunk(&p, most_together(context, conv))) {
        for (size_t g = 0; g < conv->groups; g++) {
            struct stoa_gemm product = {.transpose_b = !turned,
                                        .by_kernel = panels,
                                        .panels = panels,
                                        .m = p.pixels,
                                        .n = channels,
                                        .k = filters,
                                        .alpha = 1,
                                        .a = dy + p.first * conv->filters + g * filters,
                                        .lda = conv->filters,
                                        .b = (turned ? transposed : weight) + g * group,
                                        .ldb = stride,
                                        .c = rows + g * channels,
                                        .ldc = rows_stride(conv)};
            if (panels && p.first == 0) { /* a later chunk finds them where the first one left them */
                stoa_product_packed(context, &product);
            } else {
                stoa_product(context, &product);
            }
        }
        if (is_strided(conv)) {
            over_pixels(&p, scatter_task);
        }
    }
}

/* The product that adds pixels [0, count) of one group: rows of x against rows of dy. */
static struct stoa_gemm gradient(const struct pass *p, size_t group, const float *rows, size_t first,
                                 size_t count, bool adds, float *dweight) {
    const struct stoa_conv *conv = p->conv;
    size_t channels = stoa_conv_group_channels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    return (struct stoa_gemm){.transpose_a = true,
                              .m = channels,
                              .n = filters,
                              .k = count,
                              .alpha = 1,
                              .a = rows + group * channels,
                              .lda = rows_stride(conv),
                              .b = p->dy + first * conv->filters + group * filters,
                              .ldb = conv->filters,
                              .beta = adds ? 1 : 0,
                              .c = dweight + group * filters,
                              .ldc = conv->filters,
                              .whole = stoa_plain_products(p->context),
                              .kernels = p->context->kernels};
}

static void block_task(void *argument, size_t block, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_conv *conv = p->conv;
    size_t begin;
    size_t end;
    stoa_partial_rows(&p->sums, conv, block, &begin, &end);
    begin *= conv->window.out_width;
    end *= conv->window.out_width;
    float *tile = p->gathered + thread * stoa_conv_thread_step(p->context, gathered_floats(conv, p->tile));
    for (size_t first = begin; first < end; first += p->tile) {
        size_t count = stoa_min(p->tile, end - first);
        const float *rows = p->x + first * conv->window.channels;
        if (is_strided(conv)) {
            stoa_pixels_gather(conv, p->x, first, first + count, tile);
            rows = tile;
        }
        for (size_t g = 0; g < conv->groups; g++) {
            struct stoa_gemm product =
                gradient(p, g, rows, first, count, first > begin, stoa_partial_weights(&p->sums, block));
            stoa_gemm_run(&product);
        }
    }
    float *bias = stoa_partial_bias(&p->sums, block);
    if (bias) {
        p->context->kernels->column_sums(p->dy + begin * conv->filters, end - begin, conv->filters,
                                         conv->filters, bias);
    }
}

static void bias_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    size_t filters = p->conv->filters;
    size_t first = task * TASK_FILTERS;
    p->context->kernels->column_sums(p->dy + first, stoa_conv_pixels(p->conv),
                                     stoa_min(TASK_FILTERS, filters - first), filters, p->sums.dbias + first);
}

/* All threads at one product, cut over the gradient. */
static void weights_together(struct pass *p) {
    const struct stoa_conv *conv = p->conv;
    while (next_chunk(p, most_together(p->context, conv))) {
        const float *rows = p->x;
        if (is_strided(conv)) {
            over_pixels(p, gather_task);
            rows = p->gathered;
        }
        for (size_t g = 0; g < conv->groups; g++) {
            struct stoa_gemm product =
                gradient(p, g, rows, p->first, p->pixels, p->first > 0, p->sums.dweight);
            stoa_product(p->context, &product);
        }
    }
    if (p->sums.dbias) {
        stoa_parallel(p->context, stoa_ceil_div(conv->filters, TASK_FILTERS), bias_task, p);
    }
}

static void backward_weights(const stoa_context *context, const struct stoa_conv *layer, const float *x,
                             const float *dy, float *dweight, float *dbias, void *scratch) {
    const struct stoa_conv flat = flattened(layer);
    const struct stoa_conv *conv = &flat;
    struct pass p = {.context = context,
                     .conv = conv,
                     .x = x,
                     .dy = dy,
                     .gathered = scratch,
                     .sums = stoa_partials_of(context, conv)};
    p.sums.dweight = dweight;
    p.sums.dbias = dbias;
    if (!sums_blocks(context, conv, &p.sums)) {
        weights_together(&p);
        return;
    }
    p.sums.sums = scratch;
    p.gathered = p.sums.sums + p.sums.blocks * p.sums.stride;
    p.tile = is_strided(conv) ? most_alone(context, conv) : stoa_conv_pixels(conv);
    stoa_parallel(context, p.sums.blocks, block_task, &p);
    stoa_partials_reduce(context, &p.sums);
}

static double cost(const stoa_context *context, const struct stoa_conv *layer, enum stoa_conv_pass pass) {
    const struct stoa_conv flat = flattened(layer);
    const struct stoa_conv *conv = &flat;
    const struct stoa_window *w = &conv->window;
    double pixels = (double)stoa_conv_pixels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    size_t channels = stoa_conv_group_channels(conv);
    bool to_data = pass == STOA_CONV_BACKWARD_DATA;
    double flops = 2 * pixels * (double)channels * (double)conv->filters;
    double tensors = (double)conv->batch * (double)(w->height * w->width) * (double)w->channels +
                     pixels * (double)conv->filters;
    double gathered = is_strided(conv) ? pixels * (double)w->channels : 0;
    return stoa_cost_product(context, flops, to_data ? channels : filters, to_data ? filters : channels) +
           stoa_cost_tile(context, 2 * gathered) + stoa_cost_stream(context, tensors) +
           stoa_cost_weights((double)stoa_conv_weights(conv), pixels / TASK_ROWS);
}

static void describe(const stoa_context *context, const struct stoa_conv *layer, enum stoa_conv_pass pass,
                     char *out, size_t size) {
    const struct stoa_conv flat = flattened(layer);
    const struct stoa_conv *conv = &flat;
    struct stoa_partials sums = stoa_partials_of(context, conv);
    char blocks[48] = "";
    if (pass == STOA_CONV_BACKWARD_WEIGHTS && sums_blocks(context, conv, &sums)) {
        (void)snprintf(blocks, sizeof blocks, ", %zu blocks", sums.blocks);
    }
    (void)snprintf(out, size, "pointwise%s%s", is_strided(conv) ? ", gathered" : "", blocks);
}

const struct stoa_conv_algorithm stoa_conv_pointwise = {
    .name = "pointwise",
    .applicable = applicable,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .forward_prepared = forward_prepared,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .describe = describe,
};
