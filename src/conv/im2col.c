/* SPDX-License-Identifier: MIT */
/* Convolution as tiled im2col and sgemm.
 *
 * The columns of a few output rows, possibly of several images, or of a part of a long row, fill a tile that
 * stays in a core's L2; the thread that wrote them multiplies them at once:
 *   forward           y[pixels][K] = columns[pixels][KH KW C] * weight[KH KW C][K]
 *   backward data     dcolumns = dy[pixels][K] * weight^T, added into dx by col2im
 *   backward weights  dweight = columns^T * dy, in blocks of samples that are summed in a fixed tree, and cut
 *   over
 *                     channels where the weight is large
 *
 * Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing",
 * 2006. */
#include <stdio.h>
#include <string.h>

#include "base/scratch.h"
#include "base/size.h"
#include "blas/gemm.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/threads.h"

/* Columns of 512 KiB were fastest on cores with 1 MiB of L2; at least 8 tiles keep several threads busy. */
static const size_t TILE_BYTES = (size_t)512 << 10;
enum { LEAST_TILES = 8, LEAST_CHANNELS = 32 };

/* Backward data reads weights of up to so many bytes again for every tile; larger ones are cut over
 * channels. */
static const size_t WEIGHT_BYTES = (size_t)1 << 20;

/* How the output is cut: `rows` whole rows a tile, or one row in `across` parts of up to `columns` pixels. */
struct cut {
    size_t rows, columns, across;
};

/* One tile: whole rows, or columns [left, left + columns) of one row. */
struct tile {
    size_t row, rows, left, columns;
};

static size_t limit_floats(const stoa_context *context) {
    return context->workspace_limit / STOA_ALIGN_BYTES * STOA_ALIGN_FLOATS;
}

/* One pixel's columns are the least that a thread works on. */
static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    (void)pass;
    return stoa_conv_column(conv) <= limit_floats(context);
}

/* Most floats of a tile, whatever it is cut from. A small image of a deep layer is not cut where it nearly
 * fits: every tile reads all of the layer's weights. */
static size_t most_floats(const stoa_context *context, const struct stoa_conv *conv) {
    size_t limit = limit_floats(context);
    size_t image = conv->window.out_height * conv->window.out_width;
    size_t most = stoa_min(TILE_BYTES / sizeof(float), limit);
    if (image <= stoa_min(2 * TILE_BYTES / sizeof(float), limit) / stoa_conv_column(conv)) {
        most = stoa_max(most, image * stoa_conv_column(conv));
    }
    return stoa_max(most, stoa_round_up(stoa_conv_column(conv), STOA_ALIGN_FLOATS));
}

static size_t most_rows(const struct stoa_conv *conv) {
    return stoa_ceil_div(stoa_conv_rows(conv), LEAST_TILES);
}

/* Room for a thread's tile: grows with the batch and holds the tiles of every smaller one. */
static size_t tile_floats(const stoa_context *context, const struct stoa_conv *conv) {
    size_t all = most_rows(conv);
    bool counts = stoa_size_scale(&all, conv->window.out_width) &&
                  stoa_size_scale(&all, stoa_conv_column(conv)) && all <= (size_t)-1 - STOA_ALIGN_FLOATS;
    size_t most = most_floats(context, conv);
    return counts ? stoa_min(most, stoa_round_up(all, STOA_ALIGN_FLOATS)) : most;
}

/* From the shape and the workspace limit only; `column` floats a pixel, at most `rows` a tile. */
static struct cut cut_of(const stoa_context *context, const struct stoa_conv *conv, size_t column,
                         size_t rows) {
    size_t width = conv->window.out_width;
    size_t fit = tile_floats(context, conv) / column;
    if (fit < width) {
        size_t columns = stoa_ceil_div(width, stoa_ceil_div(width, fit));
        return (struct cut){1, columns, stoa_ceil_div(width, columns)};
    }
    return (struct cut){stoa_min(fit / width, rows), width, 1};
}

/* Tile `number` of rows [row, end). */
static struct tile tile_at(const struct cut *cut, const struct stoa_conv *conv, size_t row, size_t end,
                           size_t number) {
    row += number / cut->across * cut->rows;
    size_t left = number % cut->across * cut->columns;
    return (struct tile){row, stoa_min(cut->rows, end - row), left,
                         stoa_min(cut->columns, conv->window.out_width - left)};
}

static size_t tile_count(const struct cut *cut, size_t rows) {
    return stoa_ceil_div(rows, cut->rows) * cut->across;
}

/* The tile's first output pixel. */
static size_t pixel_of(const struct stoa_conv *conv, const struct tile *tile) {
    return tile->row * conv->window.out_width + tile->left;
}

/* The window that gives the tile's columns only. */
static struct stoa_window window_of(const struct stoa_conv *conv, const struct tile *tile) {
    struct stoa_window window = conv->window;
    window.out_left = tile->left;
    window.out_width = tile->columns;
    return window;
}

/* Where few blocks of samples can run side by side, a group's channels are cut too, so that the columns of
 * every task are its own: into how many parts. */
static size_t channel_parts(const struct stoa_conv *conv, size_t blocks) {
    size_t wanted = stoa_ceil_div(LEAST_TILES, blocks);
    return stoa_max(1, stoa_min(wanted, stoa_conv_group_channels(conv) / LEAST_CHANNELS));
}

/* The longest column of a part. */
static size_t part_column(const struct stoa_conv *conv, size_t parts) {
    return conv->window.kernel_height * conv->window.kernel_width *
           stoa_ceil_div(stoa_conv_group_channels(conv), parts);
}

/* How backward data is cut: over channels, so that the weights of a task stay in L2 and its columns are many
 * pixels, and at images, as neighbouring rows of an image add into the same pixels. */
struct data_cut {
    size_t parts, images;
    struct cut tiles; /* of the images of a task */
};

static struct data_cut data_cut_of(const stoa_context *context, const struct stoa_conv *conv) {
    struct data_cut cut = {.parts = 1};
    size_t bytes = stoa_conv_column(conv) * stoa_conv_group_filters(conv) * sizeof(float);
    size_t channels = stoa_conv_group_channels(conv);
    while (bytes / cut.parts > WEIGHT_BYTES && channels / (2 * cut.parts) >= LEAST_CHANNELS) {
        cut.parts *= 2;
    }
    size_t rows = conv->window.out_height;
    cut.tiles = cut_of(context, conv, part_column(conv, cut.parts), conv->batch * rows);
    cut.images =
        stoa_max(1, stoa_min(cut.tiles.rows / rows, stoa_ceil_div(conv->batch * cut.parts, LEAST_TILES)));
    rows *= cut.images;
    cut.tiles.rows = stoa_ceil_div(rows, stoa_ceil_div(rows, cut.tiles.rows)); /* tiles of equal height */
    return cut;
}

/* The transposed weight, where all tasks read all of it and the context allows that much: turned once. */
static size_t transposed_floats(const stoa_context *context, const struct stoa_conv *conv) {
    size_t floats = stoa_conv_transposed(conv);
    return data_cut_of(context, conv).parts == 1 && stoa_conv_shared_fits(context, floats * sizeof(float))
               ? floats
               : 0;
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes) {
    struct stoa_partials sums = stoa_partials_of(context, conv);
    size_t shared = 0;
    if (pass == STOA_CONV_BACKWARD_DATA) {
        shared = transposed_floats(context, conv) * sizeof(float);
    } else if (pass == STOA_CONV_BACKWARD_WEIGHTS && !stoa_partials_bytes(&sums, &shared)) {
        return false;
    }
    return stoa_size_mul(stoa_conv_thread_step(context, tile_floats(context, conv)) * sizeof(float),
                         context->threads, bytes) &&
           stoa_size_add(*bytes, shared, bytes);
}

/* The columns written and read again, and the sums of blocks, beside the products. */
static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    const struct stoa_window *w = &conv->window;
    size_t column = stoa_conv_column(conv);
    size_t filters = stoa_conv_group_filters(conv);
    double pixels = (double)stoa_conv_pixels(conv);
    double flops = 2 * pixels * (double)column * (double)conv->filters;
    double columns = pixels * (double)column * (double)conv->groups;
    double tensors = (double)conv->batch * (double)(w->height * w->width) * (double)w->channels +
                     pixels * (double)conv->filters;
    bool to_data = pass == STOA_CONV_BACKWARD_DATA;
    struct cut cut = cut_of(context, conv, column, most_rows(conv));
    size_t blocks = pass == STOA_CONV_BACKWARD_WEIGHTS ? stoa_partials_of(context, conv).blocks : 1;
    double sums = blocks > 1 ? 3 * (double)blocks * (double)stoa_conv_weights(conv) : 0;
    return stoa_cost_product(context, flops, to_data ? column : filters, to_data ? filters : column) +
           stoa_cost_tile(context, 2 * columns + sums) + stoa_cost_stream(context, tensors) +
           stoa_cost_weights((double)stoa_conv_weights(conv), (double)tile_count(&cut, stoa_conv_rows(conv)));
}

/* What the tasks of a pass share. */
struct pass {
    const stoa_context *context;
    const struct stoa_conv *conv;
    const float *x, *weight, *bias, *dy;
    float *y, *dx;
    bool relu;
    const float *transposed; /* backward data: the weight as [K][KH KW C], or NULL */
    float *columns;          /* of the first thread */
    size_t tile_floats;
    struct cut cut;
    struct stoa_partials sums;
    size_t parts;  /* of a group's channels */
    size_t images; /* backward data: of a task */
};

/* A range of one group's channels. */
struct channels {
    size_t group, first, count; /* first: in the group */
};

static struct channels channels_of(const struct pass *p, size_t part) {
    size_t channels = stoa_conv_group_channels(p->conv);
    size_t first = part * channels / p->parts;
    return (struct channels){.first = first, .count = (part + 1) * channels / p->parts - first};
}

/* Products of a tile: all taps at once, or one a tap where the channels are not all. */
static size_t products_of(const struct pass *p) {
    return p->parts == 1 ? 1 : p->conv->window.kernel_height * p->conv->window.kernel_width;
}

static float *columns_of(const struct pass *p, size_t thread) {
    return p->columns + thread * stoa_conv_thread_step(p->context, p->tile_floats);
}

static void forward_tile(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_conv *conv = p->conv;
    struct tile tile = tile_at(&p->cut, conv, 0, stoa_conv_rows(conv), task);
    struct stoa_window window = window_of(conv, &tile);
    size_t channels = stoa_conv_group_channels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    size_t column = stoa_conv_column(conv);
    size_t pixel = pixel_of(conv, &tile);
    float *columns = columns_of(p, thread);
    for (size_t g = 0; g < conv->groups; g++) {
        p->context->kernels->im2col(&window, p->x, g * channels, channels, tile.row, tile.rows,
                                    stoa_scratch(), columns);
        stoa_gemm_run(&(struct stoa_gemm){.m = tile.rows * tile.columns,
                                          .n = filters,
                                          .k = column,
                                          .alpha = 1,
                                          .a = columns,
                                          .lda = column,
                                          .b = p->weight + g * filters,
                                          .ldb = conv->filters,
                                          .c = p->y + pixel * conv->filters + g * filters,
                                          .ldc = conv->filters,
                                          .whole = stoa_plain_products(p->context),
                                          .kernels = p->context->kernels});
    }
    stoa_conv_finish(p->context, conv, p->bias, p->relu, pixel, tile.rows * tile.columns, p->y);
}

static struct pass begin(const stoa_context *context, const struct stoa_conv *conv, float *columns) {
    return (struct pass){.context = context,
                         .conv = conv,
                         .columns = columns,
                         .tile_floats = tile_floats(context, conv),
                         .parts = 1,
                         .cut = cut_of(context, conv, stoa_conv_column(conv), most_rows(conv))};
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    struct pass p = begin(context, conv, scratch);
    p.x = x;
    p.weight = weight;
    p.bias = bias;
    p.relu = relu;
    p.y = y;
    stoa_parallel(context, tile_count(&p.cut, stoa_conv_rows(conv)), forward_tile, &p);
}

/* dcolumns of one tile, then their sum into dx. */
static void backward_data_tile(const struct pass *p, const struct channels *c, const struct tile *tile,
                               float *columns) {
    const struct stoa_conv *conv = p->conv;
    struct stoa_window window = window_of(conv, tile);
    size_t channels = stoa_conv_group_channels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    size_t taps = conv->window.kernel_height * conv->window.kernel_width;
    size_t products = products_of(p);
    size_t stride = p->transposed ? stoa_conv_stride(stoa_conv_column(conv)) : conv->filters;
    struct stoa_gemm product = {.transpose_b = !p->transposed,
                                .m = tile->rows * tile->columns,
                                .n = taps / products * c->count,
                                .k = filters,
                                .alpha = 1,
                                .a = p->dy + pixel_of(conv, tile) * conv->filters + c->group * filters,
                                .lda = conv->filters,
                                .ldb = stride,
                                .ldc = taps * c->count,
                                .whole = stoa_plain_products(p->context),
                                .kernels = p->context->kernels};
    for (size_t tap = 0; tap < products; tap++) {
        product.b = p->transposed ? p->transposed + c->group * filters * stride
                                  : p->weight + (tap * channels + c->first) * stride + c->group * filters;
        product.c = columns + tap * c->count;
        stoa_gemm_run(&product);
    }
    p->context->kernels->col2im(&window, columns, c->group * channels + c->first, c->count, tile->row,
                                tile->rows, p->dx);
}

/* Zeros for the channels of some pixels, which the columns are added to. */
static void clear(const struct stoa_window *w, size_t first, size_t count, size_t pixels, float *dx) {
    size_t runs = count == w->channels ? 1 : pixels;
    for (size_t i = 0; i < runs; i++) {
        memset(dx + i * w->channels + first, 0, pixels / runs * count * sizeof(float));
    }
}

static void backward_data_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_conv *conv = p->conv;
    const struct stoa_window *w = &conv->window;
    size_t ranges = stoa_ceil_div(conv->batch, p->images);
    size_t image = task % ranges * p->images;
    size_t images = stoa_min(p->images, conv->batch - image);
    size_t row = image * w->out_height;
    size_t rows = images * w->out_height;
    size_t pixels = w->height * w->width;
    struct channels c = channels_of(p, task / ranges);
    for (c.group = 0; c.group < conv->groups; c.group++) {
        clear(w, c.group * stoa_conv_group_channels(conv) + c.first, c.count, images * pixels,
              p->dx + image * pixels * w->channels);
        for (size_t i = 0; i < tile_count(&p->cut, rows); i++) {
            struct tile tile = tile_at(&p->cut, conv, row, row + rows, i);
            backward_data_tile(p, &c, &tile, columns_of(p, thread));
        }
    }
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, const float *dy,
                          const float *weight, float *dx, void *scratch) {
    float *transposed = scratch;
    size_t floats = transposed_floats(context, conv);
    struct data_cut cut = data_cut_of(context, conv);
    struct pass p = begin(context, conv, transposed + floats);
    p.dy = dy;
    p.dx = dx;
    p.weight = weight;
    p.parts = cut.parts;
    p.images = cut.images;
    p.cut = cut.tiles;
    if (floats > 0) {
        p.transposed = transposed;
        stoa_conv_transpose(context, conv, weight, transposed);
    }
    stoa_parallel(context, cut.parts * stoa_ceil_div(conv->batch, cut.images), backward_data_task, &p);
}

/* Add one tile to the weight gradient of some channels: a product for each tap where they are not all. */
static void add_tile(const struct pass *p, const struct channels *c, const struct tile *tile, bool adds,
                     float *dweight, float *columns) {
    const struct stoa_conv *conv = p->conv;
    struct stoa_window window = window_of(conv, tile);
    size_t channels = stoa_conv_group_channels(conv);
    size_t filters = stoa_conv_group_filters(conv);
    size_t taps = conv->window.kernel_height * conv->window.kernel_width;
    size_t products = products_of(p);
    struct stoa_gemm product = {.transpose_a = true,
                                .m = taps / products * c->count,
                                .n = filters,
                                .k = tile->rows * tile->columns,
                                .alpha = 1,
                                .lda = taps * c->count,
                                .b = p->dy + pixel_of(conv, tile) * conv->filters + c->group * filters,
                                .ldb = conv->filters,
                                .beta = adds ? 1 : 0,
                                .ldc = conv->filters,
                                .whole = stoa_plain_products(p->context),
                                .kernels = p->context->kernels};
    p->context->kernels->im2col(&window, p->x, c->group * channels + c->first, c->count, tile->row,
                                tile->rows, stoa_scratch(), columns);
    for (size_t tap = 0; tap < products; tap++) {
        product.a = columns + tap * c->count;
        product.c = dweight + (tap * channels + c->first) * conv->filters + c->group * filters;
        stoa_gemm_run(&product);
    }
}

static void backward_weights_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_conv *conv = p->conv;
    const struct stoa_window *w = &conv->window;
    size_t block = task / p->parts;
    size_t part = task % p->parts;
    size_t row;
    size_t end;
    stoa_partial_rows(&p->sums, conv, block, &row, &end);
    struct channels c = channels_of(p, part);
    for (c.group = 0; c.group < conv->groups; c.group++) {
        for (size_t i = 0; i < tile_count(&p->cut, end - row); i++) {
            struct tile tile = tile_at(&p->cut, conv, row, end, i);
            add_tile(p, &c, &tile, i > 0, stoa_partial_weights(&p->sums, block), columns_of(p, thread));
        }
    }
    float *bias = part == 0 ? stoa_partial_bias(&p->sums, block) : NULL;
    if (bias) {
        p->context->kernels->column_sums(p->dy + row * w->out_width * conv->filters,
                                         (end - row) * w->out_width, conv->filters, conv->filters, bias);
    }
}

static void backward_weights(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const float *dy, float *dweight, float *dbias, void *scratch) {
    struct pass p = begin(context, conv, scratch);
    struct stoa_partials sums = stoa_partials_of(context, conv);
    size_t bytes = 0;
    (void)stoa_partials_bytes(&sums, &bytes); /* did not overflow in planning */
    sums.sums = scratch;
    sums.dweight = dweight;
    sums.dbias = dbias;
    p.x = x;
    p.dy = dy;
    p.sums = sums;
    p.columns += bytes / sizeof(float);
    p.parts = channel_parts(conv, sums.blocks);
    p.cut = cut_of(context, conv, part_column(conv, p.parts), most_rows(conv));
    stoa_parallel(context, sums.blocks * p.parts, backward_weights_task, &p);
    stoa_partials_reduce(context, &sums);
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     char *out, size_t size) {
    struct cut cut = cut_of(context, conv, stoa_conv_column(conv), most_rows(conv));
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        size_t blocks = stoa_partials_of(context, conv).blocks;
        (void)snprintf(out, size, "im2col, %zu blocks, %zu of channels", blocks, channel_parts(conv, blocks));
    } else if (pass == STOA_CONV_BACKWARD_DATA) {
        struct data_cut data = data_cut_of(context, conv);
        (void)snprintf(out, size, "im2col, %zu images a task, %zu of channels", data.images, data.parts);
    } else if (cut.across > 1) {
        (void)snprintf(out, size, "im2col, %zu tiles of %zu pixels", tile_count(&cut, stoa_conv_rows(conv)),
                       cut.columns);
    } else {
        (void)snprintf(out, size, "im2col, %zu tiles of %zu rows", tile_count(&cut, stoa_conv_rows(conv)),
                       cut.rows);
    }
}

const struct stoa_conv_algorithm stoa_conv_im2col = {
    .name = "im2col",
    .applicable = applicable,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .describe = describe,
};
