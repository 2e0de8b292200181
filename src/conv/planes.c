/* SPDX-License-Identifier: MIT */
/* Convolution of stride 1 with neighbouring pixels in a vector, for filters too few to fill one: the 6 of
 * LeNet's first layer.
 *
 * A tile's input is copied to planes, one for each channel, with its padding. An output row is then computed
 * as wide as the row of a plane: all of a tile's outputs of a filter are one run of n numbers, a few of
 * which at the end of each row are of no use,
 *   z[K][n] = weight[KH KW C][K]^T * planes, a term the planes from its tap on
 *   dweight[KH KW C][K] = sum over n of planes * dy, dy as planes with zeros for those of no use
 * and z is interleaved to y. Sums of the gradient stay apart by lanes until a block of samples is done.
 *
 * A number that is not finite may reach the gradients of all taps, because zeros are multiplied by it. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "core/threads.h"

enum { MOST_TERMS = 256 };

struct planes_cut {
    size_t rows, down;  /* output rows of a tile, and tiles of an image */
    size_t line, plane; /* floats of a plane's row, and of a plane */
    size_t run;         /* n */
    size_t view, step;  /* floats of all planes with what the last lanes read, and of both tensors' */
    size_t sums;        /* floats of the gradient's sums */
    size_t thread;      /* floats from one thread's memory to the next one's */
    size_t terms, term[MOST_TERMS]; /* the terms of a filter, and their offsets in the planes */
    struct stoa_partials partials;
};
_Static_assert(sizeof(struct planes_cut) <= STOA_CONV_CUT_BYTES, "the cut fits in a plan");

static size_t reach(size_t outputs, size_t kernel, size_t dilation) {
    return outputs + (kernel - 1) * dilation;
}

/* Cut into tiles of so many output rows. */
static void cut_rows(const struct stoa_conv *conv, size_t rows, struct planes_cut *cut) {
    const struct stoa_window *w = &conv->window;
    cut->rows = rows;
    cut->down = stoa_ceil_div(w->out_height, rows);
    cut->line = reach(w->out_width, w->kernel_width, w->dilation_width);
    cut->plane = reach(rows, w->kernel_height, w->dilation_height) * cut->line;
    cut->run = stoa_round_up(rows * cut->line, STOA_PRODUCT_LANES);
    cut->view = stoa_round_up(w->channels * cut->plane + cut->line + STOA_PRODUCT_LANES, STOA_ALIGN_FLOATS);
    cut->step = cut->view + conv->filters * cut->run;
}

/* Cut an image into equal tiles that stay in the inner cache and within the context's limit. */
static bool cut_image(const stoa_context *context, const struct stoa_conv *conv, struct planes_cut *cut) {
    const struct stoa_window *w = &conv->window;
    size_t limit = context->workspace_limit / sizeof(float);
    size_t most = context->tuning->planes_tile_floats;
    if (reach(w->out_width, w->kernel_width, w->dilation_width) > most ||
        reach(1, w->kernel_height, w->dilation_height) > most) {
        return false;
    }
    cut->terms = stoa_conv_column(conv);
    cut->sums = stoa_round_up(cut->terms * conv->filters * STOA_PRODUCT_LANES, STOA_ALIGN_FLOATS);
    most = stoa_min(most, limit - stoa_min(limit, cut->sums));
    double products = (double)(stoa_conv_pixels(conv) * conv->filters) * (double)cut->terms;
    size_t parts = stoa_conv_least_tasks(context, conv->batch, products);
    cut_rows(conv, stoa_min(stoa_ceil_div(w->out_height, parts), context->tuning->planes_tile_floats), cut);
    while (cut->rows > 1 && cut->step > most) {
        cut_rows(conv, stoa_ceil_div(cut->rows, 2), cut);
    }
    cut_rows(conv, stoa_ceil_div(w->out_height, cut->down), cut);
    return cut->step + cut->sums <= limit;
}

/* A single filter waits for its pixels, whose loads cross cache lines. Sums of the gradient are read and
 * written for each tile. */
static double cost(const stoa_context *context, const struct stoa_conv *conv, const struct planes_cut *cut) {
    double tiles = (double)conv->batch * (double)cut->down;
    double flops = 2 * tiles * (double)cut->run * (double)(cut->terms * stoa_max(2, conv->filters));
    double moved = (double)(cut->step + cut->view) + (cut->partials.blocks > 0 ? 1.5 * (double)cut->sums : 0);
    return stoa_cost_product(context, flops, 2 * stoa_cost_lanes(context), cut->terms) +
           stoa_cost_tile(context, tiles * moved);
}

/* What the tasks of a run share. */
struct planes_pass {
    const struct planes_cut *cut;
    const struct stoa_conv_run *run;
    const struct stoa_kernels *kernels;
    struct stoa_conv conv;
    float *threads;
    struct stoa_partials sums;
    float *blocks;
};

static void carve(const stoa_context *context, struct planes_pass *p, struct stoa_carve *room) {
    p->threads = stoa_carve_bytes(room, context->threads, p->cut->thread * sizeof(float));
    p->blocks = stoa_partials_carve(&p->cut->partials, room);
}

static bool plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    const struct stoa_conv *conv = &plan->conv;
    const struct stoa_window *w = &conv->window;
    const bool sums = plan->pass == STOA_CONV_BACKWARD_WEIGHTS;
    struct planes_cut *cut = (void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = NULL};
    struct planes_pass p = {.cut = cut};
    if (plan->pass == STOA_CONV_BACKWARD_DATA || stoa_plain_products(context) || conv->groups != 1 ||
        conv->filters > STOA_PLANES_FILTERS || w->stride_height != 1 || w->stride_width != 1 ||
        stoa_conv_column(conv) > MOST_TERMS || !cut_image(context, conv, cut)) {
        return false;
    }
    for (size_t i = 0; i < cut->terms; i++) {
        size_t tap = i / w->channels;
        cut->term[i] = i % w->channels * cut->plane + tap / w->kernel_width * w->dilation_height * cut->line +
                       tap % w->kernel_width * w->dilation_width;
    }
    if (sums) {
        cut->partials = stoa_partials_of(context, conv);
    }
    cut->thread = stoa_conv_thread_step(context, cut->step + (sums ? cut->sums : 0));
    carve(context, &p, &room);
    plan->finishes = !sums;
    plan->bytes = room.bytes;
    plan->cost = cost(context, conv, cut);
    return !room.overflow;
}

/* Copy the planes under output rows [row, row + rows) of the batch, which belong to one image. */
static void copy_planes(const struct planes_pass *p, size_t row, size_t rows, float *planes) {
    const struct stoa_window *w = &p->conv.window;
    const struct planes_cut *l = p->cut;
    size_t top = row % w->out_height; /* rows count from the padding's first one */
    size_t first = stoa_max(top, w->pad_top);
    size_t end = stoa_min(reach(top + rows, w->kernel_height, w->dilation_height), w->pad_top + w->height);
    size_t left = stoa_min(w->pad_left, l->line);
    size_t inside = stoa_min(w->width, l->line - left);
    const float *x =
        p->run->x + (row / w->out_height * w->height + first - w->pad_top) * w->width * w->channels;
    memset(planes, 0, l->view * sizeof *planes);
    if (first < end && w->channels == 1) {
        p->kernels->copy_rows(x, end - first, inside, w->width, planes + (first - top) * l->line + left,
                              l->line);
        return;
    }
    for (; first < end; first++, x += w->width * w->channels) {
        p->kernels->transpose(x, inside, w->channels, w->channels, planes + (first - top) * l->line + left,
                              l->plane);
    }
}

/* Compute output rows [row, row + rows) of the batch: y, or where there are `sums`, those from dy. */
static void pass_tile(const struct planes_pass *p, size_t row, size_t rows, float *planes, float *sums) {
    const struct planes_cut *l = p->cut;
    const struct stoa_kernels *kernels = p->kernels;
    size_t filters = p->conv.filters;
    size_t width = p->conv.window.out_width;
    size_t run = stoa_round_up(rows * l->line, STOA_PRODUCT_LANES);
    float *z = planes + l->view;
    copy_planes(p, row, rows, planes);
    if (!sums) {
        kernels->planes(planes, l->term, l->terms, p->run->weight, filters, p->run->bias, run, z, l->run);
    } else if (rows < l->rows) { /* a tile with more rows left outputs behind these */
        memset(z, 0, filters * l->run * sizeof *z);
    }
    for (size_t r = 0, at = row * width * filters; r < rows; r++, at += width * filters, z += l->line) {
        if (sums) {
            kernels->transpose(p->run->dy + at, width, filters, filters, z, l->run);
        } else {
            kernels->transpose(z, filters, width, l->run, p->run->y + at, filters);
        }
    }
    if (sums) {
        kernels->planes_gradient(planes, l->term, l->terms, planes + l->view, l->run, filters, run, sums);
    } else {
        stoa_conv_finish(p->run, &p->conv, NULL, row * width, rows * width);
    }
}

static void forward_tile(void *argument, size_t task, size_t thread) {
    const struct planes_pass *p = argument;
    size_t height = p->conv.window.out_height;
    size_t row = task % p->cut->down * p->cut->rows;
    pass_tile(p, task / p->cut->down * height + row, stoa_min(p->cut->rows, height - row),
              p->threads + thread * p->cut->thread, NULL);
}

static void sum_block(void *argument, size_t block, size_t thread) {
    const struct planes_pass *p = argument;
    const struct planes_cut *l = p->cut;
    size_t height = p->conv.window.out_height;
    size_t width = p->conv.window.out_width;
    size_t filters = p->conv.filters;
    size_t row;
    size_t end;
    stoa_partial_rows(&p->sums, &p->conv, block, &row, &end);
    float *planes = p->threads + thread * l->thread;
    float *sums = planes + l->step;
    float *weights = stoa_partial_weights(&p->sums, block);
    float *bias = stoa_partial_bias(&p->sums, block);
    /* dy stays 0 between its rows. */
    memset(planes + l->view, 0, (l->step - l->view + l->sums) * sizeof *planes);
    if (bias) {
        p->kernels->column_sums(p->run->dy + row * width * filters, (end - row) * width, filters, filters,
                                bias);
    }
    for (size_t rows; row < end; row += rows) {
        rows = stoa_min(stoa_min(l->rows, height - row % height), end - row);
        pass_tile(p, row, rows, planes, sums);
    }
    for (size_t i = 0; i < l->terms * filters; i++, sums += STOA_PRODUCT_LANES) {
        for (size_t half = STOA_PRODUCT_LANES / 2; half > 0; half /= 2) {
            for (size_t lane = 0; lane < half; lane++) {
                sums[lane] += sums[lane + half];
            }
        }
        weights[i] = sums[0];
    }
}

static void run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct planes_cut *cut = (const void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = run->workspace};
    struct planes_pass p = {.cut = cut, .run = run, .kernels = run->context->kernels, .conv = plan->conv};
    p.conv.batch = run->batch;
    carve(run->context, &p, &room);
    if (plan->pass == STOA_CONV_FORWARD) {
        stoa_parallel(run->context, run->batch * cut->down, forward_tile, &p);
        return;
    }
    p.sums = stoa_partials_begin(&cut->partials, stoa_conv_rows(&p.conv), run, p.blocks);
    stoa_parallel(run->context, p.sums.blocks, sum_block, &p);
    stoa_partials_reduce(run->context, &p.sums);
}

static void describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct planes_cut *cut = (const void *)plan->cut.bytes;
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        (void)snprintf(out, size, "planes, %zu blocks of samples", cut->partials.blocks);
    } else {
        (void)snprintf(out, size, "planes, %zu tiles of %zu rows", plan->conv.batch * cut->down, cut->rows);
    }
}

const struct stoa_conv_algorithm stoa_conv_planes = {
    STOA_CONV_NAME(planes),
    .plan = plan,
    .run = run,
    .describe = describe,
};
