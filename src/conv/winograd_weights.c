/* SPDX-License-Identifier: MIT */
/* The weight gradient of a convolution by Winograd's minimal filtering.
 *
 * The forward pass is linear in the weights, so its adjoint serves: for each point the matrices of
 * transformed inputs, V [tiles][C], and of transformed output gradients, Z [tiles][K], give S = V^T Z, and dw
 * = G^T S G. Two ways:
 *
 *   apart     narrow layers: blocks of tiles, each with S of its own, which stays in a core's L2 while the block's tiles
 *             pass; the blocks' gradients are summed in a fixed tree
 *   together  wide layers: each thread takes ranges of channels and filters, for which S of a chunk of tiles
 *   stays in its
 *             L2; no partial sums. Later chunks add to the gradient. A thread transforms what of the chunk
 *             its ranges need for itself: that takes less time than the lines take from another core. Where
 *             there is no memory for that, or patches must be put together, all threads transform the chunk
 *             first. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "blas/gemm.h"
#include "conv/cost.h"
#include "conv/winograd.h"
#include "core/threads.h"

enum { BIAS_BLOCKS = 16, TILE_UNIT = 12, SUM_UNIT = 4, STEP_TILES = 48 };

/* Sums of 36 points for a range of RANGE x RANGE are 576 KiB; narrow layers have no more. */
enum { RANGE = 64, LEAST_RANGE = 16, LEAST_TASKS = 8 };

/* A chunk takes as much as so many threads may use each; with more tiles the threads' copies of it crowd the
 * outermost cache. */
enum { CHUNK_LIMITS = 8, CHUNK_TILES = 100 };

/* How a gradient is cut; from the shape and the workspace limit only, but for whose memory V and Z lie in. */
struct cut {
    struct stoa_winograd_grid grid;
    struct stoa_winograd_input in;
    size_t channels, filters, points;
    size_t gradient;                    /* floats of a whole one */
    bool together, own;                 /* own: each thread has V and Z of a chunk */
    size_t blocks;                      /* apart: of samples, each some of the grid's */
    size_t tiles;                       /* apart: a thread transforms at once; together: a chunk */
    size_t channel_range, filter_range; /* of S that a task sums */
    size_t input_step, gradient_step, sums_step;
    size_t transformed; /* floats that V and Z may take with this batch or a smaller one */
};

static size_t patch_of(const struct cut *cut) {
    return stoa_winograd_patch(&cut->in, cut->grid.points);
}

static size_t most_tiles(const struct cut *cut, size_t limit) {
    size_t bytes = cut->points * (cut->in.row + cut->filters) * sizeof(float);
    size_t gaps = 2 * cut->points * (STOA_WINOGRAD_GAP + STOA_ALIGN_FLOATS) * sizeof(float);
    return limit > gaps ? (limit - gaps) / bytes : 0;
}

/* S of a range. */
static size_t sums_bytes(const struct cut *cut) {
    return cut->points * stoa_winograd_step(cut->channel_range * cut->filter_range) * sizeof(float);
}

/* The gradient of a range, which a later chunk adds: at most so many taps of each channel. */
static size_t range_floats(const struct cut *cut) {
    size_t taps = cut->in.taps * cut->in.taps;
    return stoa_round_up(taps * cut->channel_range * cut->filter_range, STOA_ALIGN_FLOATS);
}

static size_t range_bytes(const struct cut *cut) {
    return sums_bytes(cut) + (range_floats(cut) + patch_of(cut)) * sizeof(float);
}

static size_t channel_ranges(const struct cut *cut) {
    return stoa_ceil_div(cut->channels, cut->channel_range);
}

static size_t filter_ranges(const struct cut *cut) {
    return stoa_ceil_div(cut->filters, cut->filter_range);
}

/* Ranges until S fits, and until there are tasks enough; false when it does not fit. */
static bool cut_ranges(const stoa_context *context, struct cut *cut) {
    cut->channel_range = stoa_min(RANGE, cut->channels);
    cut->filter_range = stoa_min(RANGE, cut->filters);
    while (range_bytes(cut) > context->workspace_limit && cut->channel_range > LEAST_RANGE) {
        cut->channel_range /= 2;
    }
    while (range_bytes(cut) > context->workspace_limit && cut->filter_range > LEAST_RANGE) {
        cut->filter_range /= 2;
    }
    if (channel_ranges(cut) * filter_ranges(cut) < LEAST_TASKS && cut->filter_range > RANGE / 2) {
        cut->filter_range = RANGE / 2;
    }
    return range_bytes(cut) <= context->workspace_limit;
}

/* Tiles are shared evenly, but the room for them must not shrink as the batch grows. */
static size_t cut_apart(const stoa_context *context, struct cut *cut) {
    size_t taken = sums_bytes(cut) + patch_of(cut) * sizeof(float);
    size_t left = context->workspace_limit - stoa_min(context->workspace_limit, taken);
    size_t room = stoa_min(STEP_TILES, most_tiles(cut, left));
    room = stoa_min(room > SUM_UNIT ? room / SUM_UNIT * SUM_UNIT : room, cut->grid.end);
    if (room > 0) {
        cut->blocks = stoa_reduction_blocks(context, cut->gradient, stoa_ceil_div(cut->grid.end, room));
        stoa_winograd_cut_full(&cut->grid, stoa_min(room, stoa_ceil_div(cut->grid.end, cut->blocks)), false);
        cut->tiles = cut->grid.block;
    }
    return room;
}

/* Floats of V and Z of so many tiles. */
static size_t transformed_floats(const struct cut *cut, size_t tiles) {
    return cut->points * (stoa_winograd_step(tiles * cut->in.row) + stoa_winograd_step(tiles * cut->filters));
}

/* Whether each thread has V and Z does not depend on the batch, or a smaller one might need more memory. */
static size_t cut_together(const stoa_context *context, struct cut *cut) {
    size_t most = stoa_min(most_tiles(cut, CHUNK_LIMITS * context->workspace_limit), CHUNK_TILES);
    size_t room = stoa_min(most, cut->grid.end);
    if (room > 0) {
        stoa_winograd_cut_even(&cut->grid, room, false);
        cut->tiles = cut->grid.block;
    }
    size_t bytes = transformed_floats(cut, most) * sizeof(float);
    cut->own = patch_of(cut) == 0 && stoa_conv_shared_fits(context, context->threads * bytes);
    return room;
}

static bool is_narrow(const struct cut *cut) {
    return cut->channels * cut->filters <= (size_t)RANGE * RANGE;
}

/* False when the workspace limit is too low. */
static bool cut_of(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                   struct cut *cut) {
    const struct stoa_window *w = &conv->window;
    struct stoa_winograd_input in = stoa_winograd_input_of(w);
    *cut =
        (struct cut){.grid = stoa_winograd_grid_of(points, in.taps, conv->batch, w->out_height, w->out_width),
                     .in = in,
                     .channels = in.channels,
                     .filters = conv->filters,
                     .points = points * points,
                     .gradient = stoa_conv_weights(conv),
                     .blocks = 1};
    cut->channel_range = cut->channels;
    cut->filter_range = cut->filters;
    /* S may take three quarters of what a thread has: the rest holds the tiles. */
    cut->together = !is_narrow(cut) || sums_bytes(cut) > context->workspace_limit / 4 * 3;
    if (cut->together && !cut_ranges(context, cut)) {
        return false;
    }
    size_t room = cut->together ? cut_together(context, cut) : cut_apart(context, cut);
    cut->transformed = transformed_floats(cut, room);
    cut->input_step = stoa_winograd_step(cut->tiles * cut->in.row);
    cut->gradient_step = stoa_winograd_step(cut->tiles * cut->filters);
    cut->sums_step = stoa_winograd_step(cut->channel_range * cut->filter_range);
    return cut->tiles > 0;
}

bool stoa_winograd_weights_applicable(const stoa_context *context, const struct stoa_conv *conv,
                                      size_t points) {
    struct cut cut;
    if (!cut_of(context, conv, points, &cut)) {
        return false;
    }
    /* Few ranges would each read all tiles again, because S of so many points does not fit. */
    return points < STOA_WINOGRAD_POINTS || !cut.together || !is_narrow(&cut);
}

/* Floats of the parts of the workspace. All threads: V and Z of a chunk, or the gradients of blocks; the
 * bias's. Each thread: a patch; S; the gradient of a range; V and Z; for each range of channels or filters
 * the chunk whose V or Z it has. */
struct parts {
    size_t shared, bias;
    size_t patch, sums, gradient, transformed, ready;
    size_t step; /* from one thread's to the next one's */
};

static struct parts parts_of(const stoa_context *context, const struct cut *cut) {
    size_t whole = stoa_round_up(cut->gradient, STOA_ALIGN_FLOATS);
    struct parts parts = {.shared = !cut->together ? cut->blocks * whole
                                    : cut->own     ? 0
                                                   : cut->transformed,
                          .bias = stoa_round_up(cut->filters, STOA_ALIGN_FLOATS),
                          .patch = patch_of(cut),
                          .sums = cut->points * cut->sums_step};
    if (cut->together) {
        parts.gradient = range_floats(cut);
    }
    if (cut->own) {
        parts.ready = stoa_round_up((channel_ranges(cut) + filter_ranges(cut)) * STOA_WINOGRAD_NOTE_FLOATS,
                                    STOA_ALIGN_FLOATS);
    }
    if (cut->own || !cut->together) {
        parts.transformed = cut->transformed;
    }
    parts.step = stoa_conv_thread_step(context, parts.patch + parts.sums + parts.gradient +
                                                    parts.transformed + parts.ready);
    return parts;
}

bool stoa_winograd_weights_workspace(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                                     size_t *bytes) {
    struct cut cut;
    (void)cut_of(context, conv, points, &cut);
    struct parts parts = parts_of(context, &cut);
    size_t floats;
    return stoa_size_mul(parts.step, context->threads, &floats) &&
           stoa_size_add(floats, parts.shared + BIAS_BLOCKS * parts.bias, &floats) &&
           stoa_size_mul(floats, sizeof(float), bytes);
}

double stoa_winograd_weights_cost(const stoa_context *context, const struct stoa_conv *conv, size_t points) {
    struct cut cut;
    (void)cut_of(context, conv, points, &cut);
    const struct stoa_window *w = &conv->window;
    double rows = stoa_winograd_rows(&cut.grid);
    double weights = (double)cut.channels * (double)cut.filters;
    double pixels = (double)conv->batch * (double)(w->height * w->width) * (double)w->channels +
                    (double)conv->batch * (double)(w->out_height * w->out_width) * (double)cut.filters;
    double moved = rows * stoa_winograd_vectors(context, cut.channels) +
                   rows * stoa_winograd_vectors(context, cut.filters) +
                   (double)(2 * cut.points * cut.blocks) * weights;
    return stoa_cost_product(context, 2 * rows * weights, cut.filter_range, RANGE) +
           stoa_cost_tile(context, 1.5 * moved) + stoa_cost_stream(context, pixels);
}

struct pass {
    const stoa_context *context;
    const struct stoa_conv *conv;
    struct cut cut;
    struct parts parts;
    const float *x, *dy;
    float *dweight;
    float *shared, *threads, *bias;
    size_t first, end, chunk; /* together: tiles of the chunk, and its number from 1 on */
};

/* Where a thread's parts begin. */
struct scratch {
    float *patch, *sums, *gradient, *v, *z;
    size_t *ready; /* for each range of channels, then of filters: the last chunk it has */
};

static struct scratch scratch_of(const struct pass *p, size_t thread) {
    struct scratch s = {.patch = p->threads + thread * p->parts.step};
    s.sums = s.patch + p->parts.patch;
    s.gradient = s.sums + p->parts.sums;
    s.v = s.gradient + p->parts.gradient;
    s.z = s.v + p->cut.points * p->cut.input_step;
    s.ready = stoa_winograd_notes(s.v + p->parts.transformed);
    return s;
}

/* Filters [filter, filter + filters) of dy's tiles [first, end) to rows of Z that begin with those. */
static void transform_gradients(const struct pass *p, size_t first, size_t end, size_t filter, size_t filters,
                                float *z) {
    const struct cut *cut = &p->cut;
    const struct stoa_window *w = &p->conv->window;
    const struct stoa_winograd_group group = stoa_winograd_group_of(&cut->grid, first);
    for (size_t i = first; i < end; i++, z += cut->filters) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&cut->grid, &group, i, &tile);
        const float *dy = p->dy + image * w->out_height * w->out_width * cut->filters + filter;
        p->context->kernels->winograd_gradient(&tile, cut->grid.points, dy, w->out_width * cut->filters,
                                               cut->filters, filters, z, cut->gradient_step);
    }
}

/* Tiles [first, end) to rows of V and Z, from row 0. */
static void transform(const struct pass *p, size_t first, size_t end, float *patch, float *v, float *z) {
    stoa_winograd_inputs(p->context, &p->cut.in, &p->cut.grid, p->x, first, end, patch, v, p->cut.input_step);
    transform_gradients(p, first, end, 0, p->cut.filters, z);
}

/* S of a range (+)= V^T Z over tiles [first, end), whose rows begin at v and z. `begun` has a bit for each
 * point with a sum; returns it with those of this call. */
static uint64_t add_products(const struct pass *p, size_t first, size_t end, const float *v, const float *z,
                             size_t channels, size_t filters, float *sums, uint64_t begun) {
    const struct cut *cut = &p->cut;
    const struct stoa_winograd_ranges rows = stoa_winograd_ranges_of(&cut->grid, first, end);
    for (size_t point = 0; point < cut->points; point++) {
        size_t begin = rows.begin[rows.kind[point]];
        size_t stop = rows.stop[rows.kind[point]];
        if (begin == stop) {
            continue;
        }
        stoa_gemm_run(
            &(struct stoa_gemm){.transpose_a = true,
                                .m = channels,
                                .n = filters,
                                .k = stop - begin,
                                .alpha = 1,
                                .a = v + point * cut->input_step + (begin - first) * cut->in.row,
                                .lda = cut->in.row,
                                .b = z + point * cut->gradient_step + (begin - first) * cut->filters,
                                .ldb = cut->filters,
                                .beta = begun >> point & 1 ? 1.0F : 0.0F,
                                .c = sums + point * cut->sums_step,
                                .ldc = filters,
                                .kernels = p->context->kernels});
        begun |= (uint64_t)1 << point;
    }
    return begun;
}

/* Points without a tile: sums of nothing. */
static void clear_rest(const struct pass *p, float *sums, size_t floats, uint64_t begun) {
    for (size_t point = 0; point < p->cut.points; point++) {
        if (!(begun >> point & 1)) {
            memset(sums + point * p->cut.sums_step, 0, floats * sizeof *sums);
        }
    }
}

/* G^T S G of the range of channels and filters from (channel, filter) on: to `gradient`, the start of a whole
 * one, or by way of `more` (else NULL) added to what is there. */
static void write_gradient(const struct pass *p, size_t channel, size_t channels, size_t filter,
                           size_t filters, const float *sums, float *more, float *gradient) {
    const struct cut *cut = &p->cut;
    const struct stoa_kernels *kernels = p->context->kernels;
    for (size_t c = channel; c < channel + channels;) {
        struct stoa_winograd_taps taps;
        size_t at;
        size_t together = stoa_winograd_phase(&cut->in, cut->filters, c, &taps, &at);
        together = stoa_min(together, channel + channels - c);
        const float *from = sums + (c - channel) * filters;
        float *to = gradient + at + filter;
        c += together;
        if (!more) {
            kernels->winograd_weights_gradient(cut->grid.points, from, filters, cut->sums_step, together,
                                               filters, to, &taps, cut->filters);
            continue;
        }
        struct stoa_winograd_taps dense = taps;
        dense.tap = together * filters;
        dense.line = taps.columns * dense.tap;
        kernels->winograd_weights_gradient(cut->grid.points, from, filters, cut->sums_step, together, filters,
                                           more, &dense, filters);
        for (size_t row = 0; row < taps.lines * taps.columns * together; row++) {
            size_t tap = row / together;
            kernels->accumulate(more + row * filters,
                                to + (tap / taps.columns) * taps.line + (tap % taps.columns) * taps.tap +
                                    row % together * cut->filters,
                                filters);
        }
    }
}

/* One block of tiles to a gradient of its own. */
static void run_apart(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct cut *cut = &p->cut;
    size_t end = (task + 1) * cut->grid.blocks / cut->blocks;
    struct scratch own = scratch_of(p, thread);
    uint64_t begun = 0;
    for (size_t block = task * cut->grid.blocks / cut->blocks; block < end; block++) {
        size_t first;
        size_t stop;
        stoa_winograd_block(&cut->grid, block, &first, &stop);
        transform(p, first, stop, own.patch, own.v, own.z);
        begun = add_products(p, first, stop, own.v, own.z, cut->channels, cut->filters, own.sums, begun);
    }
    clear_rest(p, own.sums, cut->channels * cut->filters, begun);
    write_gradient(p, 0, cut->channels, 0, cut->filters, own.sums, NULL,
                   p->shared + task * stoa_round_up(cut->gradient, STOA_ALIGN_FLOATS));
}

static void transform_some(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct cut *cut = &p->cut;
    size_t row = task * TILE_UNIT;
    float *z = p->shared + cut->points * cut->input_step;
    transform(p, p->first + row, stoa_min(p->end, p->first + row + TILE_UNIT), scratch_of(p, thread).patch,
              p->shared + row * cut->in.row, z + row * cut->filters);
}

/* V of a range of channels and Z of one of filters for the chunk, where the thread does not have them
 * already. */
static void transform_range(const struct pass *p, size_t channel, size_t channels, size_t filter,
                            size_t filters, const struct scratch *own) {
    const struct cut *cut = &p->cut;
    size_t *has_v = own->ready + channel / cut->channel_range;
    size_t *has_z = own->ready + channel_ranges(cut) + filter / cut->filter_range;
    if (*has_v < p->chunk) {
        /* Kernels write whole vectors: with a short range its neighbours'. */
        size_t count = stoa_max(channels, STOA_WINOGRAD_LANES);
        size_t from = stoa_min(channel, cut->channels - count);
        stoa_winograd_some_inputs(p->context, &cut->in, &cut->grid, p->x, from, count, p->first, p->end,
                                  own->patch, own->v + from, cut->in.row, cut->input_step);
        *has_v = p->chunk;
    }
    if (*has_z < p->chunk) {
        transform_gradients(p, p->first, p->end, filter, filters, own->z + filter);
        *has_z = p->chunk;
    }
}

/* The range of channels and filters of one task: S over the chunk, and its part of the gradient. Neighbours
 * have the same range of the larger tensor, so that a thread needs as little of it as can be. */
static void run_range(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct cut *cut = &p->cut;
    bool by_filters = cut->filters > cut->channels;
    size_t across = by_filters ? channel_ranges(cut) : filter_ranges(cut);
    size_t channel = (by_filters ? task % across : task / across) * cut->channel_range;
    size_t filter = (by_filters ? task / across : task % across) * cut->filter_range;
    size_t channels = stoa_min(cut->channel_range, cut->channels - channel);
    size_t filters = stoa_min(cut->filter_range, cut->filters - filter);
    struct scratch own = scratch_of(p, thread);
    const float *v = p->shared;
    const float *z = v + cut->points * cut->input_step;
    if (cut->own) {
        transform_range(p, channel, channels, filter, filters, &own);
        v = own.v;
        z = own.z;
    }
    uint64_t begun =
        add_products(p, p->first, p->end, v + channel, z + filter, channels, filters, own.sums, 0);
    clear_rest(p, own.sums, channels * filters, begun);
    write_gradient(p, channel, channels, filter, filters, own.sums, p->chunk > 1 ? own.gradient : NULL,
                   p->dweight);
}

static void run_together(struct pass *p) {
    const struct cut *cut = &p->cut;
    for (size_t thread = 0; cut->own && thread < p->context->threads; thread++) {
        memset(scratch_of(p, thread).ready, 0, p->parts.ready * sizeof(float));
    }
    for (p->chunk = 1; p->chunk <= cut->grid.blocks; p->chunk++) {
        stoa_winograd_block(&cut->grid, p->chunk - 1, &p->first, &p->end);
        if (!cut->own) {
            stoa_parallel(p->context, stoa_ceil_div(p->end - p->first, TILE_UNIT), transform_some, p);
        }
        stoa_parallel(p->context, channel_ranges(cut) * filter_ranges(cut), run_range, p);
    }
}

static void sum_bias(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct stoa_window *w = &p->conv->window;
    size_t pixels = p->conv->batch * w->out_height * w->out_width;
    size_t first = task * pixels / BIAS_BLOCKS;
    p->context->kernels->column_sums(p->dy + first * p->cut.filters,
                                     (task + 1) * pixels / BIAS_BLOCKS - first, p->cut.filters,
                                     p->cut.filters, p->bias + task * p->parts.bias);
}

void stoa_winograd_weights_run(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                               const float *x, const float *dy, float *dweight, float *dbias, void *scratch) {
    struct pass p = {
        .context = context, .conv = conv, .x = x, .dy = dy, .dweight = dweight, .shared = scratch};
    const struct cut *cut = &p.cut;
    (void)cut_of(context, conv, points, &p.cut);
    p.parts = parts_of(context, cut);
    p.threads = p.shared + p.parts.shared;
    p.bias = p.threads + context->threads * p.parts.step;
    if (cut->together) {
        run_together(&p);
    } else {
        stoa_parallel(context, cut->blocks, run_apart, &p);
        stoa_reduce_blocks(context, p.shared, stoa_round_up(cut->gradient, STOA_ALIGN_FLOATS), cut->blocks,
                           cut->gradient, dweight);
    }
    if (dbias) {
        stoa_parallel(context, BIAS_BLOCKS, sum_bias, &p);
        stoa_reduce_blocks(context, p.bias, p.parts.bias, BIAS_BLOCKS, cut->filters, dbias);
    }
}

void stoa_winograd_weights_describe(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                                    char *out, size_t size) {
    struct cut cut;
    if (!cut_of(context, conv, points, &cut)) {
        (void)snprintf(out, size, "winograd%zu does not fit the workspace", points - 2);
    } else if (cut.together) {
        (void)snprintf(out, size, "winograd%zu, %zu chunks of %zu tiles, ranges of %zux%zu", points - 2,
                       cut.grid.blocks, cut.tiles, cut.channel_range, cut.filter_range);
    } else {
        (void)snprintf(out, size, "winograd%zu, %zu blocks of samples, %zu tiles at once", points - 2,
                       cut.blocks, cut.tiles);
    }
}
