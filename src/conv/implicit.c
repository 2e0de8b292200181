/* SPDX-License-Identifier: MIT */
/* Convolution without columns: the engine's own product kernel reads every patch of the image in place.
 *
 * In NHWC a row of a patch is one run of KW * C numbers, so a patch is KH such runs, an image row apart.
 * Where the image needs padding, the image rows under a tile of outputs are copied into a padded view first,
 * or sums leave the padding out (implicit_tile.c). Few filters would leave lanes of a vector empty, so
 * `group` neighbouring pixels are one row of the product then, against a banded weight:
 *   forward           y[pixels / group][group K] =
 *                         patches[pixels / group][KH (KW + group - 1) C] * banded weight
 *   backward data     the same over dy with the weight turned by 180 degrees. By a stride of s the pixels of
 *                     dx fall into s * s phases: each sees the taps of its own, and is a convolution of
 *                     stride 1 with those
 *   backward weights  dweight[KH KW C][K] = patches[pixels][KH KW C]^T * dy[pixels][K]
 *
 * In gradients a tile's pixels are the terms of a product whose rows are numbers of the patch, read in the
 * tile's view. Batches are cut into blocks of tiles that are summed in a fixed tree. Where weights are too
 * many for that, tasks take parts of the channels, each with a view of its own channels only, and then
 * ranges of filters. Where `group` pixels are one row, or filters do not fill vectors, sums have rows of
 * whole vectors ("band") and are folded into the gradient at the end.
 *
 * The idea is that of Zhang, Franchetti and Low, "High Performance Zero-Memory Overhead Direct
 * Convolutions", 2018. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "conv/implicit_pass.h"
#include "core/threads.h"
#include "core/tuning.h"
#include "product/product.h"

/* A large batch has at least so many tiles. Where patches have few terms, tiles have more pixels as long as
 * so many of them remain. */
enum { LEAST_TILES = 16, MANY_TILES = 32 };

/* A gradient has a block for each so many pixels, and so many tasks, in parts of so many channels. */
enum { BLOCK_PIXELS = 256, LEAST_TASKS = 16, LEAST_CHANNELS = 8 };

_Static_assert(sizeof(struct stoa_implicit_cut) <= STOA_CONV_CUT_BYTES, "the cut fits a plan");

/* More pixels are 1.02 to 1.05 times as fast in first layers, as long as their image rows stay in L2, and no
 * faster with more terms or in gradients (measured). */
static size_t tile_pixels(const struct stoa_tuning *tuning, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    size_t floats = w->channels * w->stride_height * w->stride_width;
    size_t pixels = stoa_min(tuning->implicit_long_floats / floats, tuning->implicit_long_pixels);
    return stoa_conv_column(conv) > STOA_IMPLICIT_FEW_TERMS
               ? 0
               : stoa_min(pixels, stoa_conv_pixels(conv) / MANY_TILES);
}

/* Products for the few numbers of an edge pay where image rows are long: measured 1.03 to 1.15 times as fast
 * with 112 outputs of 27 terms, 0.7 times with 28 of 9. */
static bool is_inside(const struct stoa_tuning *tuning, const struct stoa_implicit_cut *cut) {
    const struct stoa_implicit_view *v = &cut->view;
    size_t taps = v->across.taps;
    return v->pads && v->group == 1 && v->filters % STOA_PRODUCT_LANES == 0 &&
           cut->terms <= STOA_IMPLICIT_FEW_TERMS &&
           (taps == 1 || v->across.out * taps * v->channels / (taps - 1) >= tuning->implicit_edge_floats);
}

static void cut_pass(const stoa_context *context, const struct stoa_conv *conv, bool back,
                     struct stoa_implicit_cut *cut) {
    const struct stoa_tuning *tuning = context->tuning;
    struct stoa_implicit_view *v = &cut->view;
    cut->packs = back || v->filters % STOA_PRODUCT_LANES != 0;
    cut->most_terms = tuning->implicit_terms;
    cut->inside = !back && is_inside(tuning, cut);
    cut->by_taps = v->pads && v->group == 1 && v->channels >= tuning->implicit_tap_channels;
    v->pads = v->pads && !cut->inside && !cut->by_taps;
    stoa_implicit_cut_tiles(context, v->channels, LEAST_TILES, back ? 0 : tile_pixels(tuning, conv), v);
    size_t results = v->batch * v->down.out * v->across.out * v->filters;
    cut->fetches_results = v->down.axes * v->across.axes == 1 && cut->terms <= STOA_IMPLICIT_FEW_TERMS &&
                           results > tuning->implicit_result_floats;
    /* Hardware prefetchers follow panels of a weight that each tile reads from far away: measured 1.1
     * times as fast with 9 MiB, no gain with 2. */
    cut->far = !back && (cut->packs || cut->terms * v->filters > tuning->implicit_far_floats);
}

static size_t parts_of(size_t channels, size_t wanted) {
    size_t parts = 1;
    for (size_t p = 2; p <= wanted && channels / p >= LEAST_CHANNELS; p++) {
        parts = channels % p == 0 ? p : parts;
    }
    return parts;
}

static void cut_weights(const stoa_context *context, const struct stoa_conv *conv,
                        struct stoa_implicit_cut *cut) {
    struct stoa_implicit_view *v = &cut->view;
    size_t floats = cut->terms * v->stride;
    size_t distance = floats + stoa_round_up(v->filters, STOA_ALIGN_FLOATS);
    size_t most = stoa_min(stoa_conv_rows(conv), stoa_max(1, stoa_conv_pixels(conv) / BLOCK_PIXELS));
    size_t blocks = stoa_reduction_blocks(context, distance, most);
    cut->sums = (struct stoa_partials){blocks, floats, v->filters, conv->adds, floats, .stride = distance};
    cut->parts = v->group > 1 ? 1 : parts_of(v->channels, LEAST_TASKS / blocks);
    cut->ranges =
        stoa_min(stoa_max(1, LEAST_TASKS / (blocks * cut->parts)), stoa_ceil_div(v->stride, STOA_GEMM_PANEL));
    cut->packs = v->group > 1 || v->stride != v->columns;
    stoa_implicit_cut_tiles(context, v->channels / cut->parts, blocks, 0, v);
    cut->whole_lines = cut->parts == 1 && v->across.dilation == 1 && v->pixel == v->channels;
    cut->last_rows = stoa_ceil_div(v->stride - v->columns, v->y_row);
    cut->copied = stoa_round_up(cut->last_rows * (v->y_row + STOA_PRODUCT_LANES), STOA_ALIGN_FLOATS);
}

static double cost_of(const stoa_context *context, const struct stoa_implicit_cut *cut) {
    const struct stoa_implicit_view *v = &cut->view;
    const bool sums = cut->sums.blocks > 0;
    double tiles = (double)stoa_implicit_tiles(v);
    double flops = 2 * (double)v->batch * stoa_implicit_pairs(&v->down, cut->by_taps) *
                   stoa_implicit_pairs(&v->across, cut->by_taps) * (double)v->channels * (double)v->stride /
                   (double)v->group;
    double copied = 2 * tiles * (double)(v->floats * cut->parts * cut->ranges);
    double weights = (double)cut->terms * (double)v->stride; /* so many times a number is read or written */
    double times = sums ? tiles + 2 * (double)cut->sums.blocks : cut->packs ? 2 : 0;
    return stoa_cost_kernel(context, flops, v->stride,
                            sums ? v->groups : stoa_max(1, cut->terms / (v->down.axes * v->across.axes)),
                            sums ? cut->terms / cut->parts : v->across.axis[0].outputs / v->group) +
           stoa_cost_tile(context, copied + times * weights);
}

/* Carve the areas of the pass, which all threads share but for the scratch; returns their bytes. */
static size_t carve(struct stoa_implicit_pass *p, struct stoa_carve *room) {
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    const bool sums = cut->sums.blocks > 0;
    size_t runs = sums ? v->down.taps * v->across.taps : v->images * v->rows;
    p->start = stoa_carve_floats(room, sums ? 0 : v->stride);
    p->packed = stoa_carve_bytes(room, cut->packs ? cut->terms : 0, v->stride * sizeof(float));
    p->sums = stoa_partials_carve(&cut->sums, room);
    p->term = stoa_carve_sizes(room, sums ? v->groups : cut->terms);
    p->row = stoa_carve_sizes(room, runs);
    p->result = stoa_carve_sizes(room, runs);
    size_t shared = room->bytes;
    p->thread_step = stoa_conv_thread_step(p->context, v->floats + cut->copied);
    p->scratch = stoa_carve_bytes(room, p->context->threads, p->thread_step * sizeof(float));
    return shared;
}

static bool plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    const struct stoa_conv *conv = &plan->conv;
    const bool back = plan->pass == STOA_CONV_BACKWARD_DATA;
    struct stoa_implicit_pass p = {.context = context, .cut = {.parts = 1, .ranges = 1}};
    struct stoa_implicit_cut *cut = &p.cut;
    struct stoa_implicit_view *v = &cut->view;
    /* 1x1 kernels are left to pointwise.c, which needs no columns either. */
    if (conv->groups != 1 || stoa_plain_products(context) ||
        conv->window.kernel_height * conv->window.kernel_width == 1 ||
        !stoa_implicit_view_of(context, plan, v)) {
        return false;
    }
    cut->terms = v->down.taps * v->across.taps * v->channels;
    if (plan->pass != STOA_CONV_BACKWARD_WEIGHTS) {
        cut_pass(context, conv, back, cut);
    } else {
        cut_weights(context, conv, cut);
    }
    struct stoa_carve room = {.memory = NULL};
    size_t shared = carve(&p, &room);
    memcpy(plan->cut.bytes, cut, sizeof *cut);
    plan->finishes = v->down.axes * v->across.axes == 1;
    plan->bytes = room.bytes;
    plan->prepared_bytes = cut->far ? cut->terms * v->stride * sizeof(float) : 0;
    plan->cost = cost_of(context, cut);
    return !room.overflow && v->floats + cut->copied <= context->workspace_limit / sizeof(float) &&
           stoa_conv_shared_fits(context, shared);
}

/* Pack tap (i, j) of a phase's patches: the channels by the columns of a panel from `first` on. */
static void pack_tap(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f, size_t i,
                     size_t j, size_t first, size_t width, float *out) {
    const struct stoa_implicit_view *v = &p->cut.view;
    const struct stoa_kernels *kernels = p->context->kernels;
    size_t kernel_width = p->plan->conv.window.kernel_width;
    size_t taps = f->across->taps - (v->group - 1) * v->across.stride; /* of one pixel */
    size_t count = stoa_min(width, v->filters - first);
    if (v->group > 1 || count < width) {
        memset(out, 0, v->channels * width * sizeof *out);
    }
    for (size_t g = 0; g < v->group; g++, out += v->filters) {
        size_t at = j - g * v->across.stride; /* a place left of the window wraps to a large number */
        if (at >= taps) {
            continue;
        }
        if (p->plan->pass == STOA_CONV_BACKWARD_DATA) {
            size_t line = f->down->first + (f->down->taps - 1 - i) * v->down.step;
            size_t column = f->across->first + (taps - 1 - at) * v->across.step;
            kernels->transpose(p->weight +
                                   ((line * kernel_width + column) * v->filters + first) * v->channels,
                               count, v->channels, v->channels, out, width);
        } else {
            kernels->copy_rows(p->weight + (i * taps + at) * v->channels * v->filters + first, v->channels,
                               count, v->filters, out, width);
        }
    }
}

/* Pack one tap of all phases into one panel. */
static void pack_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct stoa_implicit_pass *p = argument;
    const struct stoa_implicit_view *v = &p->cut.view;
    size_t panel = task % stoa_ceil_div(v->stride, STOA_GEMM_PANEL) * STOA_GEMM_PANEL;
    size_t begin = task / stoa_ceil_div(v->stride, STOA_GEMM_PANEL) * v->channels; /* its first term */
    size_t width = stoa_min(STOA_GEMM_PANEL, v->stride - panel);
    struct stoa_implicit_phase f = stoa_implicit_phase_of(v, 0);
    for (size_t i = 1; begin >= f.begin + f.terms; i++) {
        f = stoa_implicit_phase_of(v, i);
    }
    size_t tap = (begin - f.begin) / v->channels;
    pack_tap(p, &f, tap / f.across->taps, tap % f.across->taps, panel, width,
             p->packed + f.begin * v->stride + panel * f.terms + tap * v->channels * width);
}

/* Panels are as src/product has them, but packing a matrix would not do for taps of phases, turned kernels
 * and bands. */
static void prepare(const stoa_context *context, const struct stoa_conv_plan *plan, const float *weight,
                    float *prepared) {
    struct stoa_implicit_pass p = {.context = context, .plan = plan, .weight = weight, .packed = prepared};
    memcpy(&p.cut, plan->cut.bytes, sizeof p.cut);
    size_t taps = p.cut.terms / p.cut.view.channels;
    stoa_parallel(context, taps * stoa_ceil_div(p.cut.view.stride, STOA_GEMM_PANEL), pack_task, &p);
}

static void find_offsets(const struct stoa_implicit_pass *p) {
    const struct stoa_implicit_view *v = &p->cut.view;
    for (size_t i = 0; i < v->images * v->rows; i++) {
        p->row[i] = stoa_implicit_row(v, i);
        p->result[i] = i * v->down.step * v->across.out * v->y_pixel;
    }
    for (size_t n = 0; n < v->down.axes * v->across.axes; n++) {
        struct stoa_implicit_phase f = stoa_implicit_phase_of(v, n);
        size_t *term = p->term + f.begin;
        STOA_ASSUME(p->term);
        for (size_t tap = 0; tap < f.down->taps * f.across->taps; tap++) {
            size_t at = stoa_implicit_tap(v, tap / f.across->taps, tap % f.across->taps);
            for (size_t channel = 0; channel < v->channels; channel++) {
                *term++ = at + channel;
            }
        }
    }
}

/* Add a tile to the sums, for one part of the channels and one range of the columns, or write it there. */
static void add_tile(const struct stoa_implicit_pass *p, struct stoa_implicit_tile *t, size_t part,
                     size_t range, bool adds, float *sums, float *scratch) {
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    const struct stoa_kernels *kernels = p->context->kernels;
    size_t channels = v->channels / cut->parts;
    stoa_implicit_look(v, kernels, p->x, part * channels, scratch, t);
    sums += part * channels * v->stride;
    const float *view = stoa_implicit_at(v, t, t->row * v->down.stride, 0);
    const float *dy = p->run->dy + t->first * v->y_pixel;
    struct stoa_gather gather = {.row = p->row,
                                 .run = cut->whole_lines ? v->across.taps * channels : channels,
                                 .step = 1,
                                 .result = cut->parts == 1 ? NULL : p->result};
    size_t behind = (v->batch * v->down.out * v->across.out - t->first) / v->group - t->groups;
    size_t last = stoa_min(t->groups, cut->last_rows - stoa_min(cut->last_rows, behind));
    size_t terms = t->groups - last;
    float *row = scratch + v->floats;
    kernels->copy_rows(dy + terms * v->y_row, last, v->columns, v->y_row, row, v->y_row);
    const size_t begin[] = {0, terms, t->groups};
    const float *const from[] = {dy, row};
    size_t panels = stoa_ceil_div(v->stride, STOA_GEMM_PANEL);
    for (size_t i = range * panels / cut->ranges; i < (range + 1) * panels / cut->ranges; i++) {
        size_t column = i * STOA_GEMM_PANEL;
        for (size_t n = terms > 0 ? 0 : 1; n < (last > 0 ? 2 : 1); n++) {
            gather.term = p->term + begin[n];
            kernels->product(&gather, v->down.taps * v->across.taps * channels,
                             stoa_min(STOA_GEMM_PANEL, v->stride - column), begin[n + 1] - begin[n], view,
                             from[n] + column, v->y_row, adds || begin[n] > 0 ? sums + column : NULL,
                             sums + column, v->stride);
        }
    }
}

static void weights_task(void *argument, size_t task, size_t thread) {
    const struct stoa_implicit_pass *p = argument;
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    size_t range = task % cut->ranges;
    size_t part = task / cut->ranges % cut->parts;
    size_t block = task / cut->ranges / cut->parts;
    size_t tiles = stoa_implicit_tiles(v);
    size_t begin = block * tiles / cut->sums.blocks;
    size_t end = (block + 1) * tiles / cut->sums.blocks;
    float *sums = stoa_partial_weights(&cut->sums, block);
    float *bias = part + range == 0 ? stoa_partial_bias(&cut->sums, block) : NULL;
    for (size_t i = begin; i < end; i++) {
        struct stoa_implicit_tile t = stoa_implicit_tile_at(v, i);
        add_tile(p, &t, part, range, i > begin || stoa_partials_adds(&cut->sums), sums,
                 p->scratch + thread * p->thread_step);
    }
    if (bias) {
        struct stoa_implicit_tile from = stoa_implicit_tile_at(v, begin);
        struct stoa_implicit_tile to = stoa_implicit_tile_at(v, end - 1);
        p->context->kernels->column_sums(p->run->dy + from.first * v->y_pixel,
                                         to.first + to.groups * v->group - from.first, v->filters, v->y_pixel,
                                         bias);
    }
}

/* Fold one tap of the gradient: it is the sum of its places in the band. */
static void fold_tap(void *argument, size_t tap, size_t thread) {
    (void)thread;
    const struct stoa_implicit_pass *p = argument;
    const struct stoa_implicit_view *v = &p->cut.view;
    size_t width = p->plan->conv.window.kernel_width;
    for (size_t c = 0; c < v->channels; c++) {
        float *out = p->run->dweight + (tap * v->channels + c) * v->filters;
        memset(out, 0, v->filters * sizeof *out);
        for (size_t g = 0; g < v->group; g++) {
            size_t at = tap / width * v->across.taps + tap % width + g * v->across.stride;
            p->context->kernels->accumulate(p->packed + (at * v->channels + c) * v->stride + g * v->filters,
                                            out, v->filters);
        }
    }
}

static void sum_weights(struct stoa_implicit_pass *p) {
    struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    const struct stoa_window *w = &p->plan->conv.window;
    size_t groups = v->across.out / v->group;
    size_t runs = cut->whole_lines ? 1 : v->across.taps; /* of a line of a patch */
    for (size_t i = 0; i < v->groups; i++) {
        p->term[i] = stoa_implicit_row(v, i / groups) + i % groups * v->step;
    }
    for (size_t i = 0; i < v->down.taps * runs; i++) {
        p->row[i] = stoa_implicit_tap(v, i / runs, i % runs);
        p->result[i] = i * v->channels * v->stride;
    }
    cut->sums = stoa_partials_begin(&cut->sums, stoa_implicit_tiles(v), p->run, p->sums);
    cut->sums.dweight = cut->packs ? p->packed : p->run->dweight;
    stoa_parallel(p->context, cut->sums.blocks * cut->parts * cut->ranges, weights_task, p);
    stoa_partials_reduce(p->context, &cut->sums);
    if (cut->packs) {
        stoa_parallel(p->context, w->kernel_height * w->kernel_width, fold_tap, p);
    }
}

static void run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const bool back = plan->pass == STOA_CONV_BACKWARD_DATA;
    struct stoa_implicit_pass p = {.context = run->context,
                                   .plan = plan,
                                   .run = run,
                                   .x = back ? run->dy : run->x,
                                   .weight = run->weight,
                                   .y = back ? run->dx : run->y};
    struct stoa_implicit_view *v = &p.cut.view;
    struct stoa_carve room = {.memory = run->workspace};
    memcpy(&p.cut, plan->cut.bytes, sizeof p.cut);
    (void)carve(&p, &room);
    v->batch = run->batch;
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        sum_weights(&p);
        return;
    }
    find_offsets(&p);
    for (size_t g = 0; run->bias && g < v->group; g++) {
        memcpy(p.start + g * v->filters, run->bias, v->filters * sizeof(float));
    }
    p.start = run->bias ? p.start : NULL;
    if (run->prepared) {
        p.weight = run->prepared;
    } else if (p.packed) {
        prepare(run->context, plan, run->weight, p.packed);
        p.weight = p.packed;
    }
    stoa_parallel(run->context, stoa_implicit_tiles(v), stoa_implicit_multiply, &p);
}

static void describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct stoa_implicit_cut *cut = (const void *)plan->cut.bytes;
    const struct stoa_implicit_view *v = &cut->view;
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        (void)snprintf(out, size,
                       "implicit, %zu pixels a row, %zu blocks of samples, %zu of channels, %zu of filters",
                       v->group, cut->sums.blocks, cut->parts, cut->ranges);
    } else {
        (void)snprintf(out, size, "implicit, %zu pixels a row, %zu tiles of %zu pixels%s", v->group,
                       stoa_implicit_tiles(v), v->groups * v->group,
                       v->down.axes * v->across.axes > 1 ? ", in phases" : "");
    }
}

const struct stoa_conv_algorithm stoa_conv_implicit = {STOA_CONV_NAME(implicit), .plan = plan,
                                                       .prepare = prepare, .run = run, .describe = describe};
