/* SPDX-License-Identifier: MIT */
#include "conv/winograd_weights.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/winograd_tiles.h"
#include "core/threads.h"
#include "product/product.h"

enum { BIAS_BLOCKS = 16, TILE_UNIT = 12, SUM_UNIT = 4 };

/* Sums of 36 points for a range of 64 x 64 are 576 KiB; narrow layers have no more. */
enum { LEAST_RANGE = 16, LEAST_TASKS = 8 };

/* A chunk takes as much as so many threads may use each; with more tiles the threads' copies of it crowd the
 * outermost cache. */
enum { CHUNK_LIMITS = 8 };

struct weights_cut {
    struct stoa_winograd p;
    bool together, own;       /* own: each thread has V and Z of a chunk */
    size_t blocks;            /* apart: of samples, each some of the grid's */
    size_t channels, filters; /* of S that a task sums */
    size_t channel_ranges, filter_ranges;
    size_t gradient; /* floats of a whole one */
    size_t input_step, gradient_step, sums_step;
    size_t step; /* floats from one thread's part to the next one's */
};
_Static_assert(sizeof(struct weights_cut) <= STOA_CONV_CUT_BYTES, "the cut fits in a plan");

/* V and Z of a chunk, or of the tiles that a thread transforms at once. */
struct weights_tiles {
    float *v, *z;
};

/* A thread's part. */
struct weights_part {
    float *patch, *sums;
    float
        *gradient; /* together: of a range, which a later chunk adds: at most so many taps of each channel */
    struct weights_tiles tiles;
    size_t *ready; /* own: for each range of channels, then of filters, the last chunk whose V or Z it has */
};

struct weights_areas {
    float *gradients;           /* apart: one a block */
    struct weights_tiles chunk; /* together, where no thread has its own */
    float *bias, *parts;
};

static size_t tiles_of(const struct weights_cut *cut) {
    return stoa_min(cut->p.grid.block, cut->p.grid.end);
}

static struct weights_tiles carve_tiles(const struct weights_cut *cut, struct stoa_carve *carve) {
    struct weights_tiles tiles = {.v = stoa_carve_floats(carve, cut->p.points * cut->input_step)};
    tiles.z = stoa_carve_floats(carve, cut->p.points * cut->gradient_step);
    return tiles;
}

static struct weights_part carve_part(const struct weights_cut *cut, struct stoa_carve *carve) {
    size_t taps = cut->p.in.taps * cut->p.in.taps;
    struct weights_part part = {.patch = stoa_carve_floats(carve, cut->p.in.patch)};
    part.sums = stoa_carve_floats(carve, cut->p.points * cut->sums_step);
    if (cut->together) {
        part.gradient = stoa_carve_floats(carve, taps * cut->channels * cut->filters);
    }
    if (cut->own || !cut->together) {
        part.tiles = carve_tiles(cut, carve);
    }
    part.ready = stoa_carve_sizes(carve, cut->own ? cut->channel_ranges + cut->filter_ranges : 0);
    return part;
}

static size_t gradient_step(const struct weights_cut *cut) {
    return stoa_round_up(cut->gradient, STOA_ALIGN_FLOATS);
}

static size_t bias_step(const struct weights_cut *cut) {
    return stoa_round_up(cut->p.filters, STOA_ALIGN_FLOATS);
}

static struct weights_areas carve(const struct weights_cut *cut, size_t threads, struct stoa_carve *carve) {
    struct weights_areas areas = {.parts = NULL};
    if (!cut->together) {
        areas.gradients = stoa_carve_floats(carve, cut->blocks * gradient_step(cut));
    } else if (!cut->own) {
        areas.chunk = carve_tiles(cut, carve);
    }
    areas.bias = stoa_carve_floats(carve, BIAS_BLOCKS * bias_step(cut));
    areas.parts = stoa_carve_bytes(carve, threads, cut->step * sizeof(float));
    return areas;
}

/* Set what follows from the ranges and from the tiles of a block; returns the bytes of a thread's part. */
static size_t size_for(struct weights_cut *cut, size_t tiles) {
    struct stoa_carve part = {.memory = NULL};
    cut->channel_ranges = stoa_ceil_div(cut->p.in.channels, cut->channels);
    cut->filter_ranges = stoa_ceil_div(cut->p.filters, cut->filters);
    cut->input_step = stoa_winograd_step(tiles * cut->p.in.row);
    cut->gradient_step = stoa_winograd_step(tiles * cut->p.filters);
    cut->sums_step = stoa_winograd_step(cut->channels * cut->filters);
    (void)carve_part(cut, &part);
    return part.bytes;
}

static size_t most_tiles(const struct weights_cut *cut, size_t limit) {
    size_t bytes = cut->p.points * (cut->p.in.row + cut->p.filters) * sizeof(float);
    size_t gaps = 2 * cut->p.points * (STOA_WINOGRAD_GAP + STOA_ALIGN_FLOATS) * sizeof(float);
    return limit > gaps ? (limit - gaps) / bytes : 0;
}

static bool is_narrow(const stoa_context *context, const struct stoa_winograd *p) {
    size_t range = context->tuning->winograd_range;
    return p->in.channels * p->filters <= range * range;
}

/* Ranges until S fits, and until there are tasks enough; false when it does not fit. */
static bool cut_ranges(const stoa_context *context, struct weights_cut *cut) {
    size_t range = context->tuning->winograd_range;
    cut->channels = stoa_min(range, cut->p.in.channels);
    cut->filters = stoa_min(range, cut->p.filters);
    while (size_for(cut, 0) > context->workspace_limit && cut->channels > LEAST_RANGE) {
        cut->channels /= 2;
    }
    while (size_for(cut, 0) > context->workspace_limit && cut->filters > LEAST_RANGE) {
        cut->filters /= 2;
    }
    bool fits = size_for(cut, 0) <= context->workspace_limit;
    if (cut->channel_ranges * cut->filter_ranges < LEAST_TASKS && cut->filters > range / 2 &&
        range > LEAST_RANGE) {
        cut->filters = range / 2;
    }
    return fits;
}

/* Tiles are shared evenly. */
static bool cut_apart(const stoa_context *context, struct weights_cut *cut) {
    struct stoa_winograd_grid *grid = &cut->p.grid;
    size_t left = context->workspace_limit - stoa_min(context->workspace_limit, size_for(cut, 0));
    size_t tiles = stoa_min(context->tuning->winograd_step_tiles, most_tiles(cut, left));
    tiles = stoa_min(tiles > SUM_UNIT ? tiles / SUM_UNIT * SUM_UNIT : tiles, grid->end);
    if (tiles == 0) {
        return false;
    }
    cut->blocks = stoa_reduction_blocks(context, cut->gradient, stoa_ceil_div(grid->end, tiles));
    stoa_winograd_cut_full(grid, stoa_min(tiles, stoa_ceil_div(grid->end, cut->blocks)), false);
    return true;
}

/* Few ranges would each read all tiles again, which the largest tiles do not pay for. */
static bool cut_together(const stoa_context *context, struct weights_cut *cut) {
    bool narrow = is_narrow(context, &cut->p);
    size_t tiles = stoa_min(most_tiles(cut, CHUNK_LIMITS * context->workspace_limit),
                            context->tuning->winograd_chunk_tiles);
    if ((narrow && cut->p.grid.points == STOA_WINOGRAD_POINTS) || tiles == 0) {
        return false;
    }
    struct stoa_carve room = {.memory = NULL};
    stoa_winograd_cut_even(&cut->p.grid, tiles, false);
    (void)size_for(cut, tiles_of(cut));
    (void)carve_tiles(cut, &room);
    cut->own = cut->p.in.patch == 0 && stoa_conv_shared_fits(context, context->threads * room.bytes);
    return true;
}

bool stoa_winograd_weights_plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct weights_cut *cut = (void *)plan->cut.bytes;
    struct stoa_winograd *p = &cut->p;
    cut->blocks = 1;
    cut->gradient = stoa_conv_weights(&plan->conv);
    cut->channels = p->in.channels;
    cut->filters = p->filters;
    /* S may take three quarters of what a thread has: the rest holds the tiles. */
    size_t sums = p->points * stoa_winograd_step(p->in.channels * p->filters) * sizeof(float);
    cut->together = !is_narrow(context, p) || sums > context->workspace_limit / 4 * 3;
    if (cut->together ? !cut_ranges(context, cut) || !cut_together(context, cut) : !cut_apart(context, cut)) {
        return false;
    }
    p->transforms = 2 * cut->blocks;
    p->columns = cut->filters;
    p->terms = context->tuning->winograd_range;
    struct stoa_carve room = {.memory = NULL};
    cut->step = stoa_conv_thread_step(context, size_for(cut, tiles_of(cut)) / sizeof(float));
    (void)carve(cut, context->threads, &room);
    plan->bytes = room.bytes;
    return !room.overflow;
}

struct weights_pass {
    struct stoa_winograd_run r;
    const struct weights_cut *cut;
    struct weights_areas areas;
    const float *dy;
    float *dweight;
    size_t blocks;            /* apart: of this batch */
    size_t first, end, chunk; /* together: tiles of the chunk, and its number from 1 on */
};

static struct weights_part part_of(const struct weights_pass *pass, size_t thread) {
    struct stoa_carve part = {.memory = (char *)(pass->areas.parts + thread * pass->cut->step)};
    return carve_part(pass->cut, &part);
}

/* Filters [filter, filter + filters) of dy's tiles [first, end) to rows of Z that begin with those. */
static void transform_gradients(const struct weights_pass *pass, size_t first, size_t end, size_t filter,
                                size_t filters, float *z) {
    const struct stoa_winograd *p = pass->r.p;
    const struct stoa_window *w = &p->in.window;
    const struct stoa_winograd_group group = stoa_winograd_group_of(&pass->r.grid, first);
    for (size_t i = first; i < end; i++, z += p->filters) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&pass->r.grid, &group, i, &tile);
        const float *dy = pass->dy + image * w->out_height * w->out_width * p->filters + filter;
        pass->r.context->kernels->winograd_gradient(&tile, p->grid.points, dy, w->out_width * p->filters,
                                                    p->filters, filters, z, pass->cut->gradient_step);
    }
}

/* Tiles [first, end) to rows of V and Z from `row` on. */
static void transform(const struct weights_pass *pass, size_t first, size_t end, size_t row, float *patch,
                      const struct weights_tiles *to) {
    const struct stoa_winograd *p = pass->r.p;
    stoa_winograd_inputs(&pass->r, 0, p->in.channels, first, end, patch, to->v + row * p->in.row, p->in.row,
                         pass->cut->input_step);
    transform_gradients(pass, first, end, 0, p->filters, to->z + row * p->filters);
}

/* S of a range (+)= V^T Z over tiles [first, end), whose rows begin at v and z. `begun` has a bit for each
 * point with a sum; returns it with those of this call. */
static uint64_t add_products(const struct weights_pass *pass, size_t first, size_t end, const float *v,
                             const float *z, size_t channels, size_t filters, float *sums, uint64_t begun) {
    const struct weights_cut *cut = pass->cut;
    const struct stoa_winograd *p = &cut->p;
    const struct stoa_winograd_ranges rows = stoa_winograd_ranges_of(&pass->r.grid, first, end);
    for (size_t point = 0; point < p->points; point++) {
        size_t begin = rows.begin[rows.kind[point]];
        size_t stop = rows.stop[rows.kind[point]];
        if (begin == stop) {
            continue;
        }
        stoa_gemm_run(pass->r.context,
                      &(struct stoa_gemm){.transpose_a = true,
                                          .m = channels,
                                          .n = filters,
                                          .k = stop - begin,
                                          .alpha = 1,
                                          .a = v + point * cut->input_step + (begin - first) * p->in.row,
                                          .lda = p->in.row,
                                          .b = z + point * cut->gradient_step + (begin - first) * p->filters,
                                          .ldb = p->filters,
                                          .beta = begun >> point & 1 ? 1.0F : 0.0F,
                                          .c = sums + point * cut->sums_step,
                                          .ldc = filters});
        begun |= (uint64_t)1 << point;
    }
    return begun;
}

/* Points without a tile: sums of nothing. */
static void clear_rest(const struct weights_cut *cut, float *sums, size_t floats, uint64_t begun) {
    STOA_ASSUME(sums);
    for (size_t point = 0; point < cut->p.points; point++) {
        if (!(begun >> point & 1)) {
            memset(sums + point * cut->sums_step, 0, floats * sizeof *sums);
        }
    }
}

/* G^T S G of the range of channels and filters from (channel, filter) on: to `gradient`, the start of a whole
 * one, or by way of `more` (else NULL) added to what is there. */
static void write_gradient(const struct weights_pass *pass, size_t channel, size_t channels, size_t filter,
                           size_t filters, const float *sums, float *more, float *gradient) {
    const struct weights_cut *cut = pass->cut;
    const struct stoa_winograd *p = &cut->p;
    const struct stoa_kernels *kernels = pass->r.context->kernels;
    for (size_t c = channel; c < channel + channels;) {
        struct stoa_winograd_taps taps;
        size_t at;
        size_t together = stoa_winograd_phase(&p->in, p->filters, c, &taps, &at);
        together = stoa_min(together, channel + channels - c);
        const float *from = sums + (c - channel) * filters;
        float *to = gradient + at + filter;
        c += together;
        if (!more) {
            kernels->winograd_weights_gradient(p->grid.points, from, filters, cut->sums_step, together,
                                               filters, to, &taps, p->filters);
            continue;
        }
        struct stoa_winograd_taps dense = taps;
        dense.tap = together * filters;
        dense.line = taps.columns * dense.tap;
        kernels->winograd_weights_gradient(p->grid.points, from, filters, cut->sums_step, together, filters,
                                           more, &dense, filters);
        for (size_t row = 0; row < taps.lines * taps.columns * together; row++) {
            size_t tap = row / together;
            kernels->accumulate(more + row * filters,
                                to + (tap / taps.columns) * taps.line + (tap % taps.columns) * taps.tap +
                                    row % together * p->filters,
                                filters);
        }
    }
}

/* One block of tiles to a gradient of its own. */
static void run_apart(void *argument, size_t task, size_t thread) {
    const struct weights_pass *pass = argument;
    const struct stoa_winograd *p = pass->r.p;
    const struct stoa_winograd_grid *grid = &pass->r.grid;
    size_t end = (task + 1) * grid->blocks / pass->blocks;
    struct weights_part part = part_of(pass, thread);
    uint64_t begun = 0;
    for (size_t block = task * grid->blocks / pass->blocks; block < end; block++) {
        size_t first;
        size_t stop;
        stoa_winograd_block(grid, block, &first, &stop);
        transform(pass, first, stop, 0, part.patch, &part.tiles);
        begun = add_products(pass, first, stop, part.tiles.v, part.tiles.z, p->in.channels, p->filters,
                             part.sums, begun);
    }
    clear_rest(pass->cut, part.sums, p->in.channels * p->filters, begun);
    write_gradient(pass, 0, p->in.channels, 0, p->filters, part.sums, NULL,
                   pass->areas.gradients + task * gradient_step(pass->cut));
}

static void transform_some(void *argument, size_t task, size_t thread) {
    const struct weights_pass *pass = argument;
    size_t row = task * TILE_UNIT;
    transform(pass, pass->first + row, stoa_min(pass->end, pass->first + row + TILE_UNIT), row,
              part_of(pass, thread).patch, &pass->areas.chunk);
}

/* V of a range of channels and Z of one of filters for the chunk, where the thread does not have them
 * already. */
static void transform_range(const struct weights_pass *pass, size_t channel, size_t channels, size_t filter,
                            size_t filters, const struct weights_part *part) {
    const struct weights_cut *cut = pass->cut;
    const struct stoa_winograd_input *in = &cut->p.in;
    STOA_ASSUME(part->ready);
    size_t *has_v = part->ready + channel / cut->channels;
    size_t *has_z = part->ready + cut->channel_ranges + filter / cut->filters;
    if (*has_v < pass->chunk) {
        /* Kernels write whole vectors: with a short range its neighbours'. */
        size_t count = stoa_max(channels, STOA_WINOGRAD_LANES);
        size_t from = stoa_min(channel, in->channels - count);
        stoa_winograd_inputs(&pass->r, from, count, pass->first, pass->end, part->patch, part->tiles.v + from,
                             in->row, cut->input_step);
        *has_v = pass->chunk;
    }
    if (*has_z < pass->chunk) {
        transform_gradients(pass, pass->first, pass->end, filter, filters, part->tiles.z + filter);
        *has_z = pass->chunk;
    }
}

/* The range of channels and filters of one task: S over the chunk, and its part of the gradient. Neighbours
 * have the same range of the larger tensor, so that a thread needs as little of it as can be. */
static void run_range(void *argument, size_t task, size_t thread) {
    const struct weights_pass *pass = argument;
    const struct weights_cut *cut = pass->cut;
    bool by_filters = cut->p.filters > cut->p.in.channels;
    size_t across = by_filters ? cut->channel_ranges : cut->filter_ranges;
    size_t channel = (by_filters ? task % across : task / across) * cut->channels;
    size_t filter = (by_filters ? task / across : task % across) * cut->filters;
    size_t channels = stoa_min(cut->channels, cut->p.in.channels - channel);
    size_t filters = stoa_min(cut->filters, cut->p.filters - filter);
    struct weights_part part = part_of(pass, thread);
    const struct weights_tiles *from = cut->own ? &part.tiles : &pass->areas.chunk;
    if (cut->own) {
        transform_range(pass, channel, channels, filter, filters, &part);
    }
    uint64_t begun = add_products(pass, pass->first, pass->end, from->v + channel, from->z + filter, channels,
                                  filters, part.sums, 0);
    clear_rest(cut, part.sums, channels * filters, begun);
    write_gradient(pass, channel, channels, filter, filters, part.sums,
                   pass->chunk > 1 ? part.gradient : NULL, pass->dweight);
}

static void run_together(struct weights_pass *pass) {
    const stoa_context *context = pass->r.context;
    const struct weights_cut *cut = pass->cut;
    size_t ranges = cut->channel_ranges * cut->filter_ranges;
    for (size_t thread = 0; cut->own && thread < context->threads; thread++) {
        size_t *ready = part_of(pass, thread).ready;
        STOA_ASSUME(ready);
        memset(ready, 0, (cut->channel_ranges + cut->filter_ranges) * sizeof *ready);
    }
    for (pass->chunk = 1; pass->chunk <= pass->r.grid.blocks; pass->chunk++) {
        stoa_winograd_block(&pass->r.grid, pass->chunk - 1, &pass->first, &pass->end);
        if (!cut->own) {
            stoa_parallel(context, stoa_ceil_div(pass->end - pass->first, TILE_UNIT), transform_some, pass);
        }
        stoa_parallel(context, ranges, run_range, pass);
    }
}

static void sum_bias(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct weights_pass *pass = argument;
    const struct stoa_winograd *p = pass->r.p;
    size_t pixels = pass->r.grid.batch * p->in.window.out_height * p->in.window.out_width;
    size_t first = task * pixels / BIAS_BLOCKS;
    pass->r.context->kernels->column_sums(pass->dy + first * p->filters,
                                          (task + 1) * pixels / BIAS_BLOCKS - first, p->filters, p->filters,
                                          pass->areas.bias + task * bias_step(pass->cut));
}

void stoa_winograd_weights_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct weights_cut *cut = (const void *)plan->cut.bytes;
    const stoa_context *context = run->context;
    struct stoa_carve room = {.memory = run->workspace};
    struct weights_pass pass = {.r = stoa_winograd_run_of(&cut->p, run),
                                .cut = cut,
                                .dy = run->dy,
                                .dweight = run->dweight,
                                .blocks = cut->blocks};
    pass.areas = carve(cut, context->threads, &room);
    if (cut->together) {
        run_together(&pass);
    } else {
        while (pass.blocks > pass.r.grid.blocks) {
            pass.blocks /= 2;
        }
        stoa_parallel(context, pass.blocks, run_apart, &pass);
        stoa_reduce_blocks(context, pass.areas.gradients, gradient_step(cut), pass.blocks, cut->gradient,
                           run->dweight);
    }
    if (run->dbias) {
        stoa_parallel(context, BIAS_BLOCKS, sum_bias, &pass);
        stoa_reduce_blocks(context, pass.areas.bias, bias_step(cut), BIAS_BLOCKS, cut->p.filters, run->dbias);
    }
}

void stoa_winograd_weights_describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    const struct weights_cut *cut = (const void *)plan->cut.bytes;
    if (cut->together) {
        (void)snprintf(out, size, "%s, %zu chunks of %zu tiles, ranges of %zux%zu", plan->algorithm->name,
                       cut->p.grid.blocks, tiles_of(cut), cut->channels, cut->filters);
    } else {
        (void)snprintf(out, size, "%s, %zu blocks of samples, %zu tiles at once", plan->algorithm->name,
                       cut->blocks, tiles_of(cut));
    }
}
