/* SPDX-License-Identifier: MIT */
/*   dweight[KH KW C][K] = patches[pixels][KH KW C]^T * dy[pixels][K]
 *
 * A tile's pixels are the terms of a product whose rows are numbers of the patch, read where they lie in the
 * tile's view. Batches are cut into blocks of tiles that are summed in a fixed tree; where weights are too
 * many for that, tasks take parts of the channels, each with a view of its own channels only, and then ranges
 * of filters. Where `group` pixels are one row, or filters do not fill vectors, sums have rows of whole
 * vectors ("band") and are folded into the gradient at the end. */
#include "conv/implicit_weights.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/cost.h"
#include "conv/implicit_view.h"
#include "core/threads.h"
#include "product/product.h"

/* A block for each so many pixels; tasks to cut into, parts of so many channels. */
enum { BLOCK_PIXELS = 256, LEAST_TASKS = 16, LEAST_CHANNELS = 8 };

struct implicit_gradient_cut {
    struct stoa_implicit_view view;
    struct stoa_partials sums; /* `filters` are the bias's */
    size_t parts, ranges;      /* of channels, of columns */
    size_t taps, across;       /* of a patch, of a line of it */
    size_t stride;             /* of the sums */
    bool band;
    bool whole_lines; /* a line of a patch is one run */
    size_t last_rows; /* of dy, behind which a whole vector cannot be read: so many are copied */
    size_t copied;    /* floats of that copy */
    size_t dy_row;    /* floats from group to group of dy */
};
_Static_assert(sizeof(struct implicit_gradient_cut) <= STOA_CONV_CUT_BYTES, "the cut fits a plan");

static size_t parts_of(size_t channels, size_t wanted) {
    size_t parts = 1;
    for (size_t p = 2; p <= wanted && channels / p >= LEAST_CHANNELS; p++) {
        parts = channels % p == 0 ? p : parts;
    }
    return parts;
}

static void cut_weights(const stoa_context *context, struct stoa_conv_plan *plan,
                        struct implicit_gradient_cut *cut) {
    const struct stoa_conv *conv = &plan->conv;
    const struct stoa_window *w = &conv->window;
    size_t group = stoa_implicit_group(context, conv);
    size_t columns = group * conv->filters;
    size_t stride = stoa_round_up(columns, STOA_PRODUCT_LANES);
    bool band = group > 1 || stride != columns;
    stoa_conv_take(plan,
                   STOA_CONV_X_PIXEL | (group > 1 ? 0 : STOA_CONV_Y_PIXEL) | (band ? 0 : STOA_CONV_ADDS));
    size_t across = w->kernel_width + (group - 1) * w->stride_width;
    size_t floats = w->kernel_height * across * w->channels * stride;
    size_t distance = floats + stoa_round_up(conv->filters, STOA_ALIGN_FLOATS);
    size_t most = stoa_min(stoa_conv_rows(conv), stoa_max(1, stoa_conv_pixels(conv) / BLOCK_PIXELS));
    size_t blocks = stoa_reduction_blocks(context, distance, most);
    size_t parts = group > 1 ? 1 : parts_of(w->channels, LEAST_TASKS / blocks);
    size_t ranges = stoa_max(1, LEAST_TASKS / (blocks * parts));
    *cut = (struct implicit_gradient_cut){
        .view = stoa_implicit_view_of(context, conv, group, w->channels / parts, blocks, 0),
        .sums = {.blocks = blocks,
                 .weights = floats,
                 .filters = conv->filters,
                 .adds = conv->adds,
                 .bias_at = floats,
                 .stride = distance},
        .parts = parts,
        .ranges = stoa_min(ranges, stoa_ceil_div(stride, STOA_GEMM_PANEL)),
        .taps = w->kernel_height * across,
        .across = across,
        .stride = stride,
        .band = band,
        .dy_row = group * stoa_conv_y_pixel(conv)};
    cut->whole_lines = parts == 1 && w->dilation_width == 1 && cut->view.pixel == w->channels;
    cut->last_rows = stoa_ceil_div(stride - columns, cut->dy_row);
    cut->copied = cut->last_rows == 0
                      ? 0
                      : stoa_round_up((cut->last_rows - 1) * cut->dy_row + stride, STOA_ALIGN_FLOATS);
}

static const struct implicit_gradient_cut *cut_of(const struct stoa_conv_plan *plan) {
    return (const struct implicit_gradient_cut *)(const void *)plan->cut.bytes;
}

/* What the tasks share. */
struct implicit_gradient {
    const stoa_context *context;
    const struct implicit_gradient_cut *cut;
    struct stoa_implicit_view view; /* the cut's, of the run's batch */
    struct stoa_partials sums;
    const float *x, *dy;
    float *dweight, *band;
    size_t *pixel, *row,
        *result;    /* offsets: of groups and of a patch's runs in the view, of runs in the sums */
    float *scratch; /* of all threads, scratch_step apart: a view and copied rows each */
    size_t scratch_step;
};

/* The pass's areas, of which all but the scratch are shared by all threads: their bytes. */
static size_t carve(struct implicit_gradient *p, struct stoa_carve *room) {
    const struct implicit_gradient_cut *cut = p->cut;
    p->band = stoa_carve_floats(room, cut->band ? cut->sums.weights : 0);
    p->sums.sums = stoa_partials_carve(&cut->sums, room);
    p->pixel = stoa_carve_sizes(room, cut->view.groups);
    p->row = stoa_carve_sizes(room, cut->taps);
    p->result = stoa_carve_sizes(room, cut->taps);
    size_t shared = room->bytes;
    p->scratch_step = stoa_conv_thread_step(p->context, cut->view.floats + cut->copied);
    p->scratch = stoa_carve_bytes(room, p->context->threads, p->scratch_step * sizeof(float));
    return shared;
}

static double cost_of(const stoa_context *context, const struct implicit_gradient_cut *cut) {
    const struct stoa_conv *conv = &cut->view.conv;
    double pixels = (double)stoa_conv_pixels(conv);
    double tiles = (double)stoa_implicit_tiles(&cut->view);
    double numbers = (double)(cut->taps * conv->window.channels); /* of a patch */
    double flops = 2 * pixels / (double)cut->view.group * numbers * (double)cut->stride;
    double copied = 2 * tiles * (double)(cut->parts * cut->ranges * cut->view.floats);
    double sums = (tiles + 2 * (double)cut->sums.blocks) * (double)cut->sums.weights;
    double tensors =
        pixels * (double)conv->filters +
        (double)(conv->batch * conv->window.height) * (double)(conv->window.width * conv->window.channels);
    return stoa_cost_kernel(context, flops, cut->stride, cut->view.groups,
                            cut->taps * conv->window.channels / cut->parts) +
           stoa_cost_tile(context, copied + sums) + stoa_cost_stream(context, tensors);
}

bool stoa_implicit_plan_weights(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct implicit_gradient_cut *cut = (void *)plan->cut.bytes;
    cut_weights(context, plan, cut);
    struct stoa_carve room = {.memory = NULL};
    struct implicit_gradient p = {.context = context, .cut = cut};
    size_t shared = carve(&p, &room);
    plan->bytes = room.bytes;
    plan->cost = cost_of(context, cut);
    return !room.overflow && cut->view.floats + cut->copied <= context->workspace_limit / sizeof(float) &&
           stoa_conv_shared_fits(context, shared);
}

static void add_tile(const struct implicit_gradient *p, const struct stoa_implicit_tile *t, size_t part,
                     size_t range, bool adds, float *sums, float *scratch) {
    const struct implicit_gradient_cut *cut = p->cut;
    const struct stoa_implicit_view *v = &p->view;
    size_t channels = v->conv.window.channels / cut->parts;
    const float *view = stoa_implicit_look(v, p->context->kernels, p->x, t, part * channels, scratch);
    sums += part * channels * cut->stride;
    const float *dy = p->dy + t->first * stoa_conv_y_pixel(&v->conv);
    struct stoa_gather gather = {.row = p->row,
                                 .run = cut->whole_lines ? cut->across * channels : channels,
                                 .step = 1,
                                 .result = cut->parts == 1 ? NULL : p->result};
    size_t behind = (stoa_conv_pixels(&v->conv) - t->first) / v->group - t->groups;
    size_t last = stoa_min(t->groups, cut->last_rows - stoa_min(cut->last_rows, behind));
    size_t terms = t->groups - last;
    float *row = scratch + v->floats;
    p->context->kernels->copy_rows(dy + terms * cut->dy_row, last, v->columns, cut->dy_row, row, cut->dy_row);
    const size_t begin[] = {0, terms, t->groups};
    const float *const from[] = {dy, row};
    size_t panels = stoa_ceil_div(cut->stride, STOA_GEMM_PANEL);
    for (size_t i = range * panels / cut->ranges; i < (range + 1) * panels / cut->ranges; i++) {
        size_t column = i * STOA_GEMM_PANEL;
        size_t columns = stoa_min(STOA_GEMM_PANEL, cut->stride - column);
        for (size_t n = terms > 0 ? 0 : 1; n < (last > 0 ? 2 : 1); n++) {
            gather.term = p->pixel + begin[n];
            p->context->kernels->product(
                &gather, cut->taps * channels, columns, begin[n + 1] - begin[n], view, from[n] + column,
                cut->dy_row, adds || begin[n] > 0 ? sums + column : NULL, sums + column, cut->stride);
        }
    }
}

static void weights_task(void *argument, size_t task, size_t thread) {
    const struct implicit_gradient *p = argument;
    const struct implicit_gradient_cut *cut = p->cut;
    const struct stoa_implicit_view *v = &p->view;
    size_t range = task % cut->ranges;
    size_t part = task / cut->ranges % cut->parts;
    size_t block = task / cut->ranges / cut->parts;
    size_t tiles = stoa_implicit_tiles(v);
    size_t begin = block * tiles / p->sums.blocks;
    size_t end = (block + 1) * tiles / p->sums.blocks;
    float *sums = stoa_partial_weights(&p->sums, block);
    float *bias = part + range == 0 ? stoa_partial_bias(&p->sums, block) : NULL;
    for (size_t i = begin; i < end; i++) {
        struct stoa_implicit_tile t = stoa_implicit_tile_at(v, i);
        add_tile(p, &t, part, range, i > begin || stoa_partials_adds(&p->sums), sums,
                 p->scratch + thread * p->scratch_step);
    }
    if (bias) {
        struct stoa_implicit_tile from = stoa_implicit_tile_at(v, begin);
        struct stoa_implicit_tile to = stoa_implicit_tile_at(v, end - 1);
        size_t pixel = stoa_conv_y_pixel(&v->conv);
        p->context->kernels->column_sums(p->dy + from.first * pixel,
                                         to.first + to.groups * v->group - from.first, v->conv.filters, pixel,
                                         bias);
    }
}

/* One tap of the gradient: the sum of its places in the band. */
static void fold_tap(void *argument, size_t tap, size_t thread) {
    (void)thread;
    const struct implicit_gradient *p = argument;
    const struct stoa_implicit_view *v = &p->view;
    const struct stoa_window *w = &v->conv.window;
    size_t filters = v->conv.filters;
    for (size_t c = 0; c < w->channels; c++) {
        float *out = p->dweight + (tap * w->channels + c) * filters;
        for (size_t g = 0; g < v->group; g++) {
            size_t kw = tap % w->kernel_width + g * w->stride_width;
            size_t term = (tap / w->kernel_width * p->cut->across + kw) * w->channels + c;
            const float *sum = p->sums.dweight + term * p->cut->stride + g * filters;
            if (g == 0) {
                memcpy(out, sum, filters * sizeof *out);
            } else {
                p->context->kernels->accumulate(sum, out, filters);
            }
        }
    }
}

static void find_offsets(const struct implicit_gradient *p) {
    const struct implicit_gradient_cut *cut = p->cut;
    const struct stoa_implicit_view *v = &p->view;
    const struct stoa_window *w = &v->conv.window;
    size_t groups = w->out_width / v->group;
    for (size_t i = 0; i < v->groups; i++) {
        p->pixel[i] = stoa_implicit_row(v, i / groups) + i % groups * v->step;
    }
    size_t across = cut->whole_lines ? 1 : cut->across; /* runs of a line */
    for (size_t i = 0; i < w->kernel_height * across; i++) {
        p->row[i] = i / across * w->dilation_height * v->line + i % across * w->dilation_width * v->pixel;
        p->result[i] = i * w->channels * cut->stride;
    }
}

void stoa_implicit_weights(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct implicit_gradient_cut *cut = cut_of(plan);
    struct stoa_carve room = {.memory = run->workspace};
    struct implicit_gradient p = {.context = run->context,
                                  .cut = cut,
                                  .view = cut->view,
                                  .x = run->x,
                                  .dy = run->dy,
                                  .dweight = run->dweight};
    (void)carve(&p, &room);
    p.view.conv.batch = run->batch;
    p.sums = stoa_partials_begin(&cut->sums, stoa_implicit_tiles(&p.view), run, p.sums.sums);
    p.sums.dweight = cut->band ? p.band : run->dweight;
    find_offsets(&p);
    stoa_parallel(run->context, p.sums.blocks * cut->parts * cut->ranges, weights_task, &p);
    stoa_partials_reduce(run->context, &p.sums);
    if (cut->band) {
        const struct stoa_window *w = &plan->conv.window;
        stoa_parallel(run->context, w->kernel_height * w->kernel_width, fold_tap, &p);
    }
}

void stoa_implicit_describe_weights(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct implicit_gradient_cut *cut = cut_of(plan);
    (void)snprintf(out, size,
                   "implicit, %zu pixels a row, %zu blocks of samples, %zu of channels, %zu of filters",
                   cut->view.group, cut->sums.blocks, cut->parts, cut->ranges);
}
