/* SPDX-License-Identifier: MIT */
/* Weight gradients of the implicit algorithm.
 *
 *   dweight[KH KW C][K] = patches[pixels][KH KW C]^T * dy[pixels][K]
 *
 * A tile's pixels are the terms of a product whose rows are numbers of the patch, read where they lie in the
 * tile's view. Batches are cut into blocks of tiles that are summed in a fixed tree; where weights are too
 * many for that, tasks take parts of the channels, each with a view of its own channels only, and then ranges
 * of filters. Where `group` pixels are one row, or filters do not fill vectors, sums have rows of whole
 * vectors ("band") and are folded into the gradient at the end. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/cost.h"
#include "conv/implicit.h"
#include "core/threads.h"

/* A block for each so many pixels; tasks to cut into, parts of so many channels, ranges of so many
 * columns. */
enum { BLOCK_PIXELS = 256, LEAST_TASKS = 16, LEAST_CHANNELS = 8, RANGE = STOA_IMPLICIT_PANEL };

struct layout {
    struct stoa_implicit view;
    struct stoa_partials sums; /* `filters` are the bias's; without memory */
    size_t parts, ranges;      /* of channels, of columns */
    size_t taps, across;       /* of a patch, of a line of it */
    size_t stride;             /* of the sums */
    bool band;
};

static size_t parts_of(size_t channels, size_t wanted) {
    size_t parts = 1;
    for (size_t p = 2; p <= wanted && channels / p >= LEAST_CHANNELS; p++) {
        parts = channels % p == 0 ? p : parts;
    }
    return parts;
}

static size_t blocks_of(const stoa_context *context, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    size_t group = stoa_implicit_group(context, conv);
    size_t most = stoa_min(stoa_conv_rows(conv), stoa_max(1, stoa_conv_pixels(conv) / BLOCK_PIXELS));
    size_t terms = w->kernel_height * (w->kernel_width + (group - 1) * w->stride_width) * w->channels;
    return stoa_reduction_blocks(context,
                                 terms * stoa_round_up(group * conv->filters, STOA_PRODUCT_LANES) +
                                     stoa_round_up(conv->filters, STOA_ALIGN_FLOATS),
                                 most);
}

/* With so many blocks. */
static struct layout layout_of(const stoa_context *context, const struct stoa_conv *conv, size_t blocks) {
    const struct stoa_window *w = &conv->window;
    size_t group = stoa_implicit_group(context, conv);
    struct layout l = {.across = w->kernel_width + (group - 1) * w->stride_width};
    size_t columns = group * conv->filters;
    l.taps = w->kernel_height * l.across;
    l.stride = stoa_round_up(columns, STOA_PRODUCT_LANES);
    l.band = group > 1 || l.stride != columns;
    size_t floats = l.taps * w->channels * l.stride;
    l.sums = (struct stoa_partials){
        .blocks = blocks, .weights = floats, .filters = conv->filters, .bias_at = floats};
    l.sums.stride = floats + stoa_round_up(conv->filters, STOA_ALIGN_FLOATS);
    l.parts = group > 1 ? 1 : parts_of(w->channels, LEAST_TASKS / l.sums.blocks);
    size_t ranges = stoa_max(1, LEAST_TASKS / (l.sums.blocks * l.parts));
    l.ranges = stoa_min(ranges, stoa_ceil_div(l.stride, RANGE));
    l.view = stoa_implicit_cut(context, conv, group, w->channels / l.parts, blocks,
                               stoa_implicit_tile_pixels(conv, true));
    return l;
}

/* The last rows of dy, behind which a whole vector cannot be read: so many are copied. */
static size_t last_rows(const struct layout *l) {
    return stoa_ceil_div(l->stride - l->view.columns, l->view.columns);
}

static size_t row_floats(const struct layout *l) {
    size_t rows = last_rows(l);
    return rows == 0 ? 0 : stoa_round_up((rows - 1) * l->view.columns + l->stride, STOA_ALIGN_FLOATS);
}

static size_t thread_floats(const struct layout *l) {
    return l->view.view_floats + row_floats(l);
}

static size_t shared_bytes(const struct layout *l) {
    size_t room =
        stoa_implicit_offsets(stoa_implicit_most_groups(&l->view)) + 2 * stoa_implicit_offsets(l->taps);
    size_t sums = l->sums.blocks == 1 ? 0 : l->sums.blocks * l->sums.stride;
    return room * sizeof(size_t) + (sums + (l->band ? l->sums.weights : 0)) * sizeof(float);
}

/* The most that this batch or a smaller one, which has fewer blocks, takes of a thread's memory and of the
 * shared. */
static void most_bytes(const stoa_context *context, const struct stoa_conv *conv, size_t *own,
                       size_t *shared) {
    *own = 0;
    *shared = 0;
    for (size_t blocks = blocks_of(context, conv); blocks > 0; blocks /= 2) {
        struct layout l = layout_of(context, conv, blocks);
        *own = stoa_max(*own, thread_floats(&l) * sizeof(float));
        *shared = stoa_max(*shared, shared_bytes(&l));
    }
}

bool stoa_implicit_weights_applicable(const stoa_context *context, const struct stoa_conv *conv) {
    size_t own;
    size_t shared;
    most_bytes(context, conv, &own, &shared);
    return own <= context->workspace_limit && stoa_conv_shared_fits(context, shared);
}

bool stoa_implicit_weights_workspace(const stoa_context *context, const struct stoa_conv *conv,
                                     size_t *bytes) {
    size_t own;
    size_t shared;
    most_bytes(context, conv, &own, &shared);
    size_t step = stoa_conv_thread_step(context, own / sizeof(float)) * sizeof(float);
    return stoa_size_mul(step, context->threads, bytes) && stoa_size_add(*bytes, shared, bytes);
}

double stoa_implicit_weights_cost(const stoa_context *context, const struct stoa_conv *conv) {
    struct layout l = layout_of(context, conv, blocks_of(context, conv));
    double pixels = (double)stoa_conv_pixels(conv);
    double flops = 2 * pixels * (double)stoa_conv_column(conv) * (double)conv->filters;
    double tiles = (double)stoa_implicit_tiles(&l.view);
    double copied = 2 * tiles * (double)(l.parts * l.ranges * l.view.view_floats);
    double sums = (tiles + 2 * (double)l.sums.blocks) * (double)l.sums.weights;
    double tensors =
        pixels * (double)conv->filters +
        (double)(conv->batch * conv->window.height * conv->window.width) * (double)conv->window.channels;
    return stoa_cost_kernel(context, flops / stoa_implicit_useful(context, conv, l.view.group), l.stride,
                            stoa_implicit_most_groups(&l.view),
                            l.taps * l.view.conv.window.channels / l.parts) +
           stoa_cost_tile(context, copied + sums) + stoa_cost_stream(context, tensors);
}

/* What the tasks share. */
struct pass {
    const stoa_context *context;
    struct layout layout;
    const float *x, *dy;
    float *dweight;
    size_t *pixel, *row,
        *result;    /* offsets: of pixel groups and of a patch's runs in the view, of runs in the sums */
    float *scratch; /* threads x thread_floats */
};

/* Columns [column, column + columns) of the sums of one tile's pixels. */
static void add_panel(const struct pass *p, struct stoa_gather gather, size_t rows, size_t terms,
                      const float *view, const float *dy, size_t column, bool adds, float *sums) {
    const struct layout *l = &p->layout;
    size_t columns = stoa_min(STOA_IMPLICIT_PANEL, l->stride - column);
    sums += column;
    p->context->kernels->product(&gather, rows, columns, terms, view, dy + column, l->view.columns,
                                 adds ? sums : NULL, sums, l->stride);
}

static void add_tile(const struct pass *p, const struct stoa_implicit_tile *t, size_t part, size_t range,
                     bool adds, float *sums, float *scratch) {
    const struct layout *l = &p->layout;
    const struct stoa_implicit *v = &l->view;
    size_t channels = v->conv.window.channels / l->parts;
    const float *view = stoa_implicit_view(v, p->context->kernels, p->x, t, part * channels, scratch);
    view += v->pads ? 0 : part * channels;
    sums += part * channels * l->stride;
    size_t groups = stoa_implicit_groups(v, t);
    size_t first = stoa_implicit_first_pixel(v, t);
    const float *dy = p->dy + first * v->conv.filters;
    bool whole_lines = l->parts == 1 && v->conv.window.dilation_width == 1;
    size_t rows = l->taps * channels;
    struct stoa_gather gather = {.row = p->row,
                                 .run = whole_lines ? l->across * channels : channels,
                                 .step = 1,
                                 .term = p->pixel,
                                 .result = l->parts == 1 ? NULL : p->result};
    size_t behind = (stoa_conv_pixels(&v->conv) - first) / v->group - groups;
    size_t last = stoa_min(groups, last_rows(l) - stoa_min(last_rows(l), behind));
    size_t terms = groups - last;
    float *row = scratch + v->view_floats;
    memcpy(row, dy + terms * v->columns, last * v->columns * sizeof *row);
    size_t panels = stoa_ceil_div(l->stride, STOA_IMPLICIT_PANEL);
    for (size_t i = range * panels / l->ranges; i < (range + 1) * panels / l->ranges; i++) {
        size_t column = i * STOA_IMPLICIT_PANEL;
        if (terms > 0) {
            add_panel(p, gather, rows, terms, view, dy, column, adds, sums);
        }
        if (last > 0) {
            struct stoa_gather end = gather;
            end.term += terms;
            add_panel(p, end, rows, last, view, row, column, adds || terms > 0, sums);
        }
    }
}

static void weights_task(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct layout *l = &p->layout;
    const struct stoa_implicit *v = &l->view;
    size_t range = task % l->ranges;
    size_t part = task / l->ranges % l->parts;
    size_t block = task / l->ranges / l->parts;
    size_t tiles = stoa_implicit_tiles(v);
    size_t begin = block * tiles / l->sums.blocks;
    size_t end = (block + 1) * tiles / l->sums.blocks;
    float *sums = stoa_partial_weights(&l->sums, block);
    float *scratch = p->scratch + thread * stoa_conv_thread_step(p->context, thread_floats(l));
    float *bias = part + range == 0 ? stoa_partial_bias(&l->sums, block) : NULL;
    if (bias) {
        memset(bias, 0, v->conv.filters * sizeof *bias);
    }
    if (begin == end && part + range == 0 && sums) {
        memset(sums, 0, l->sums.weights * sizeof *sums);
    }
    for (size_t i = begin; i < end; i++) {
        struct stoa_implicit_tile t = stoa_implicit_tile_at(v, i);
        add_tile(p, &t, part, range, i > begin, sums, scratch);
    }
    if (bias && begin < end) {
        struct stoa_implicit_tile from = stoa_implicit_tile_at(v, begin);
        struct stoa_implicit_tile to = stoa_implicit_tile_at(v, end - 1);
        size_t first = stoa_implicit_first_pixel(v, &from);
        size_t count = stoa_implicit_first_pixel(v, &to) + stoa_implicit_groups(v, &to) * v->group - first;
        size_t filters = v->conv.filters;
        p->context->kernels->column_sums(p->dy + first * filters, count, filters, filters, bias);
    }
}

/* One tap of the gradient: the sum of its places in the band. */
static void fold_tap(void *argument, size_t tap, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct layout *l = &p->layout;
    const struct stoa_window *w = &l->view.conv.window;
    size_t filters = l->view.conv.filters;
    for (size_t c = 0; c < w->channels; c++) {
        float *out = p->dweight + (tap * w->channels + c) * filters;
        for (size_t g = 0; g < l->view.group; g++) {
            size_t kw = tap % w->kernel_width + g * w->stride_width;
            size_t term = (tap / w->kernel_width * l->across + kw) * w->channels + c;
            const float *sum = l->sums.dweight + term * l->stride + g * filters;
            if (g == 0) {
                memcpy(out, sum, filters * sizeof *out);
            } else {
                p->context->kernels->accumulate(sum, out, filters);
            }
        }
    }
}

static void find_offsets(const struct pass *p) {
    const struct layout *l = &p->layout;
    const struct stoa_implicit *v = &l->view;
    const struct stoa_window *w = &v->conv.window;
    size_t groups = w->out_width / v->group;
    for (size_t i = 0; i < stoa_implicit_most_groups(v); i++) {
        p->pixel[i] = stoa_implicit_row(v, i / groups) + i % groups * stoa_implicit_step(v);
    }
    bool whole_lines = l->parts == 1 && w->dilation_width == 1;
    size_t across = whole_lines ? 1 : l->across; /* runs of a line */
    for (size_t i = 0; i < w->kernel_height * across; i++) {
        p->row[i] = i / across * w->dilation_height * v->line + i % across * w->dilation_width * v->channels;
        p->result[i] = i * w->channels * l->stride;
    }
}

void stoa_implicit_weights(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                           const float *dy, float *dweight, float *dbias, void *scratch) {
    struct pass p = {.context = context,
                     .layout = layout_of(context, conv, blocks_of(context, conv)),
                     .x = x,
                     .dy = dy,
                     .dweight = dweight};
    struct layout *l = &p.layout;
    float *band = scratch;
    l->sums.sums = band + (l->band ? l->sums.weights : 0);
    l->sums.dweight = l->band ? band : dweight;
    l->sums.dbias = dbias;
    p.pixel = (size_t *)(void *)(l->sums.sums + (l->sums.blocks == 1 ? 0 : l->sums.blocks * l->sums.stride));
    p.row = p.pixel + stoa_implicit_offsets(stoa_implicit_most_groups(&l->view));
    p.result = p.row + stoa_implicit_offsets(l->taps);
    p.scratch = (float *)(void *)(p.result + stoa_implicit_offsets(l->taps));
    find_offsets(&p);
    stoa_parallel(context, l->sums.blocks * l->parts * l->ranges, weights_task, &p);
    stoa_partials_reduce(context, &l->sums);
    if (l->band) {
        stoa_parallel(context, conv->window.kernel_height * conv->window.kernel_width, fold_tap, &p);
    }
}

void stoa_implicit_weights_describe(const stoa_context *context, const struct stoa_conv *conv, char *out,
                                    size_t size) {
    struct layout l = layout_of(context, conv, blocks_of(context, conv));
    (void)snprintf(out, size,
                   "implicit, %zu pixels a row, %zu blocks of samples, %zu of channels, %zu of filters",
                   l.view.group, l.sums.blocks, l.parts, l.ranges);
}
