/* SPDX-License-Identifier: MIT */
/* Convolution of stride 1 with pixels in the lanes, for filters too few to fill a vector: the 6 of LeNet's
 * first layer.
 *
 * A tile's input is copied to planes, one a channel, with its padding. A line of outputs is then computed as
 * wide as the plane's own: all of a tile's outputs of a filter are one run of n numbers, a few of each line
 * of no use,
 *   z[K][n] = weight[KH KW C][K]^T * planes, a term the planes from its tap on
 *   dweight[KH KW C][K] = sum over n of planes * dy, dy as planes with zeros for those of no use
 * and z is interleaved to y. Sums of the gradient stay apart by lanes until a block of samples is done.
 *
 * A number that is not finite may reach the gradients of all taps, as zeros are multiplied by it. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/threads.h"

/* A tile's planes of both tensors stay in L1; terms at most. */
enum { TILE_FLOATS = 10 << 10, MOST_TERMS = 256 };

struct layout {
    size_t rows;              /* of outputs in a tile */
    size_t line, lines;       /* of a plane: floats, and how many */
    size_t plane, run;        /* floats of a plane, and n */
    size_t view;              /* floats of all planes, and behind them what the last lanes read */
    size_t terms, sums, step; /* of the gradient: terms of a filter, floats, and of a thread's memory */
};

static size_t reach(size_t outputs, size_t kernel, size_t dilation) {
    return outputs + (kernel - 1) * dilation;
}

/* Of tiles with so many rows. */
static struct layout layout_of(const struct stoa_conv *conv, size_t rows) {
    const struct stoa_window *w = &conv->window;
    struct layout l = {.rows = rows,
                       .line = reach(w->out_width, w->kernel_width, w->dilation_width),
                       .lines = reach(rows, w->kernel_height, w->dilation_height),
                       .terms = stoa_conv_column(conv)};
    l.plane = l.lines * l.line;
    l.run = stoa_round_up(rows * l.line, STOA_PRODUCT_LANES);
    l.view = stoa_round_up(w->channels * l.plane + l.line + STOA_PRODUCT_LANES, STOA_ALIGN_FLOATS);
    l.sums = stoa_round_up(l.terms * conv->filters * STOA_PRODUCT_LANES, STOA_ALIGN_FLOATS);
    l.step = l.view + conv->filters * l.run;
    return l;
}

/* As many rows as stay in L1 and within the context's limit, in equal tiles of an image. */
static struct layout cut(const stoa_context *context, const struct stoa_conv *conv) {
    size_t height = conv->window.out_height;
    size_t limit = context->workspace_limit / sizeof(float);
    size_t sums = layout_of(conv, 1).sums;
    size_t room = stoa_min(TILE_FLOATS, limit - stoa_min(limit, sums));
    size_t most = stoa_min(height, TILE_FLOATS);
    while (most > 1 && layout_of(conv, most).step > room) {
        most = stoa_ceil_div(most, 2);
    }
    return layout_of(conv, stoa_ceil_div(height, stoa_ceil_div(height, most)));
}

static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    const struct stoa_window *w = &conv->window;
    if (pass == STOA_CONV_BACKWARD_DATA || stoa_plain_products(context) || conv->groups != 1 ||
        conv->filters > STOA_PLANES_FILTERS || w->stride_height != 1 || w->stride_width != 1 ||
        stoa_conv_column(conv) > MOST_TERMS ||
        reach(w->out_width, w->kernel_width, w->dilation_width) > TILE_FLOATS ||
        reach(1, w->kernel_height, w->dilation_height) > TILE_FLOATS) {
        return false;
    }
    struct layout l = cut(context, conv);
    return (l.step + l.sums) * sizeof(float) <= context->workspace_limit;
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes) {
    struct layout l = cut(context, conv);
    bool sums = pass == STOA_CONV_BACKWARD_WEIGHTS;
    struct stoa_partials partials = stoa_partials_of(context, conv);
    size_t blocks = 0;
    return (!sums || stoa_partials_bytes(&partials, &blocks)) &&
           stoa_size_mul(stoa_conv_thread_step(context, l.step + (sums ? l.sums : 0)) * sizeof(float),
                         context->threads, bytes) &&
           stoa_size_add(*bytes, stoa_round_up(blocks, STOA_ALIGN_BYTES), bytes);
}

/* A single filter waits for its pixels, which are loaded across lines of cache. Sums of the gradient are read
 * and written for each tile. */
static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    const struct stoa_window *w = &conv->window;
    struct layout l = cut(context, conv);
    double tiles = (double)conv->batch * (double)stoa_ceil_div(w->out_height, l.rows);
    double flops = 2 * tiles * (double)l.run * (double)(l.terms * stoa_max(2, conv->filters));
    double moved =
        (double)(l.step + l.view) + (pass == STOA_CONV_BACKWARD_WEIGHTS ? 1.5 * (double)l.sums : 0);
    double tensors = (double)stoa_conv_pixels(conv) * (double)conv->filters +
                     (double)(conv->batch * w->height * w->width) * (double)w->channels;
    return stoa_cost_product(context, flops, 2 * stoa_cost_lanes(context), l.terms) +
           stoa_cost_tile(context, tiles * moved) + stoa_cost_stream(context, tensors);
}

/* What the tasks of a pass share. */
struct pass {
    const stoa_context *context;
    const struct stoa_conv *conv;
    struct layout layout;
    size_t term[MOST_TERMS]; /* offsets in the planes */
    const float *x, *weight, *bias, *dy;
    float *y;
    bool relu;
    float *threads;
    struct stoa_partials sums;
};

static struct pass pass_of(const stoa_context *context, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    struct pass p = {.context = context, .conv = conv, .layout = cut(context, conv)};
    for (size_t l = 0; l < p.layout.terms; l++) {
        size_t tap = l / w->channels;
        p.term[l] = l % w->channels * p.layout.plane +
                    tap / w->kernel_width * w->dilation_height * p.layout.line +
                    tap % w->kernel_width * w->dilation_width;
    }
    return p;
}

/* The planes under output rows [row, row + rows) of an image. */
static void copy_planes(const struct pass *p, const float *image, size_t row, size_t rows, float *planes) {
    const struct stoa_window *w = &p->conv->window;
    const struct layout *l = &p->layout;
    size_t end =
        reach(row + rows, w->kernel_height, w->dilation_height); /* lines count from the padding's first */
    size_t first = stoa_max(row, w->pad_top);
    end = stoa_min(end, w->pad_top + w->height);
    size_t left = stoa_min(w->pad_left, l->line);
    size_t inside = stoa_min(w->width, l->line - left);
    memset(planes, 0, l->view * sizeof *planes);
    if (first >= end) {
        return;
    }
    const float *from = image + (first - w->pad_top) * w->width * w->channels;
    float *to = planes + (first - row) * l->line + left;
    if (w->channels == 1) {
        p->context->kernels->copy_rows(from, end - first, inside, w->width, to, l->line);
        return;
    }
    for (size_t line = first; line < end; line++, from += w->width * w->channels, to += l->line) {
        p->context->kernels->transpose(from, inside, w->channels, w->channels, to, l->plane);
    }
}

static void forward_tile(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_window *w = &p->conv->window;
    const struct layout *l = &p->layout;
    const struct stoa_kernels *kernels = p->context->kernels;
    size_t filters = p->conv->filters;
    size_t down = stoa_ceil_div(w->out_height, l->rows);
    size_t row = task % down * l->rows;
    size_t rows = stoa_min(l->rows, w->out_height - row);
    float *planes = p->threads + thread * stoa_conv_thread_step(p->context, l->step);
    float *z = planes + l->view;
    copy_planes(p, p->x + task / down * w->height * w->width * w->channels, row, rows, planes);
    kernels->planes(planes, p->term, l->terms, p->weight, filters, p->bias,
                    stoa_round_up(rows * l->line, STOA_PRODUCT_LANES), z, l->run);
    float *y = p->y + (task / down * w->out_height + row) * w->out_width * filters;
    for (size_t r = 0; r < rows; r++) {
        kernels->transpose(z + r * l->line, filters, w->out_width, l->run, y + r * w->out_width * filters,
                           filters);
    }
    if (p->relu) {
        kernels->relu(y, y, rows * w->out_width * filters);
    }
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    struct pass p = pass_of(context, conv);
    p.x = x;
    p.weight = weight;
    p.bias = bias;
    p.relu = relu;
    p.y = y;
    p.threads = scratch;
    stoa_parallel(context, conv->batch * stoa_ceil_div(conv->window.out_height, p.layout.rows), forward_tile,
                  &p);
}

/* Add output rows [row, row + rows) of an image to the sums. */
static void add_tile(const struct pass *p, size_t image, size_t row, size_t rows, float *planes,
                     float *sums) {
    const struct stoa_window *w = &p->conv->window;
    const struct layout *l = &p->layout;
    size_t filters = p->conv->filters;
    float *z = planes + l->view;
    const float *dy = p->dy + (image * w->out_height + row) * w->out_width * filters;
    copy_planes(p, p->x + image * w->height * w->width * w->channels, row, rows, planes);
    size_t run = stoa_round_up(rows * l->line, STOA_PRODUCT_LANES);
    for (size_t f = 0; rows < l->rows && f < filters; f++) { /* where a tile with more rows had outputs */
        memset(z + f * l->run + rows * l->line, 0, (run - rows * l->line) * sizeof *z);
    }
    for (size_t r = 0; r < rows; r++) {
        p->context->kernels->transpose(dy + r * w->out_width * filters, w->out_width, filters, filters,
                                       z + r * l->line, l->run);
    }
    p->context->kernels->planes_gradient(planes, p->term, l->terms, z, l->run, filters, run, sums);
}

static float sum_lanes(const float *lane) {
    float sum[STOA_PRODUCT_LANES];
    memcpy(sum, lane, sizeof sum);
    for (size_t half = STOA_PRODUCT_LANES / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            sum[i] += sum[i + half];
        }
    }
    return sum[0];
}

static void sum_block(void *argument, size_t block, size_t thread) {
    const struct pass *p = argument;
    const struct layout *l = &p->layout;
    size_t height = p->conv->window.out_height;
    size_t filters = p->conv->filters;
    size_t row;
    size_t end;
    stoa_partial_rows(&p->sums, p->conv, block, &row, &end);
    float *sums = p->threads + thread * stoa_conv_thread_step(p->context, l->step + l->sums);
    float *planes = sums + l->sums;
    memset(sums, 0, l->sums * sizeof *sums);
    memset(planes + l->view, 0,
           filters * l->run * sizeof *planes); /* of dy: so they stay between its lines */
    float *bias = stoa_partial_bias(&p->sums, block);
    if (bias) {
        size_t width = p->conv->window.out_width;
        p->context->kernels->column_sums(p->dy + row * width * filters, (end - row) * width, filters, filters,
                                         bias);
    }
    while (row < end) {
        size_t rows = stoa_min(stoa_min(l->rows, height - row % height), end - row);
        add_tile(p, row / height, row % height, rows, planes, sums);
        row += rows;
    }
    float *weights = stoa_partial_weights(&p->sums, block);
    for (size_t i = 0; i < l->terms * filters; i++) {
        weights[i] = sum_lanes(sums + i * STOA_PRODUCT_LANES);
    }
}

static void backward_weights(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const float *dy, float *dweight, float *dbias, void *scratch) {
    struct pass p = pass_of(context, conv);
    p.x = x;
    p.dy = dy;
    p.sums = stoa_partials_of(context, conv);
    p.sums.dweight = dweight;
    p.sums.dbias = dbias;
    p.sums.sums = scratch;
    size_t blocks = p.sums.blocks == 1 ? 0 : p.sums.blocks * p.sums.stride;
    p.threads = p.sums.sums + stoa_round_up(blocks, STOA_ALIGN_FLOATS);
    stoa_parallel(context, p.sums.blocks, sum_block, &p);
    stoa_partials_reduce(context, &p.sums);
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     char *out, size_t size) {
    struct stoa_partials sums = stoa_partials_of(context, conv);
    struct layout l = cut(context, conv);
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        (void)snprintf(out, size, "planes, %zu blocks of samples", sums.blocks);
    } else {
        (void)snprintf(out, size, "planes, %zu tiles of %zu rows",
                       conv->batch * stoa_ceil_div(conv->window.out_height, l.rows), l.rows);
    }
}

const struct stoa_conv_algorithm stoa_conv_planes = {
    .name = "planes",
    .applicable = applicable,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .backward_weights = backward_weights,
    .describe = describe,
};
