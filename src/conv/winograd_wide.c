/* SPDX-License-Identifier: MIT */
#include "conv/winograd_wide.h"

#include <string.h>

#include "base/size.h"
#include "conv/winograd_tiles.h"
#include "core/threads.h"

/* Weights of two lines of points for a range take a quarter of 1 MiB of L2, which leaves it to the sums;
 * every set of points has an even number of lines. */
enum { TILE_UNIT = 12, LINES = 2 };

/* Transformed tiles, of a chunk or of a thread's block, take as much as so many threads may use each. */
enum { CHUNK_LIMITS = 8 };

struct wide_cut {
    struct stoa_winograd p;
    size_t channels, filters; /* of a range */
    /* Floats of a point's matrix: of transformed tiles, of transformed weights, of sums. */
    size_t input_step, weight_step, sums_step;
    bool own;     /* each thread has a block's transformed tiles */
    size_t chunk; /* blocks whose tiles are transformed together; own: all blocks */
    size_t step;  /* floats from one thread's part to the next one's */
};
_Static_assert(sizeof(struct wide_cut) <= STOA_CONV_CUT_BYTES, "the cut fits in a plan");

/* Transformed tiles lie range by range of channels, [points][tiles][channels], so that a product's are side
 * by side. Kernels write whole vectors: in front of the channels of a short range may be more. */
struct wide_slice {
    size_t from, count; /* channels */
    size_t row;         /* floats that they take */
};

static struct wide_slice slice_of(const struct wide_cut *cut, size_t channel) {
    size_t all = cut->p.in.channels;
    size_t lanes = stoa_min(STOA_WINOGRAD_LANES, all);
    struct wide_slice s = {.from = stoa_min(channel, all - lanes)};
    s.count = stoa_max(lanes, stoa_min(cut->channels, all - channel));
    s.row = stoa_max(STOA_WINOGRAD_LANES, s.count);
    return s;
}

static size_t widest_row(const struct wide_cut *cut) {
    return stoa_max(STOA_WINOGRAD_LANES, cut->channels);
}

/* Floats of the transformed tiles of a block. */
static size_t block_floats(const struct wide_cut *cut) {
    return stoa_ceil_div(cut->p.in.channels, cut->channels) * cut->p.points * cut->input_step;
}

/* A thread's part. What lies in front of its sums is a patch, weights gathered, weights transformed. */
struct wide_part {
    size_t *ready; /* own: the number of the block that it has, from 1 on */
    float *tiles;  /* own: that block's */
    float *patch, *gathered, *transformed, *sums;
};

struct wide_areas {
    float *chunk; /* transformed tiles of a chunk's blocks, where no thread has its own */
    float *parts;
};

static struct wide_part carve_part(const struct wide_cut *cut, struct stoa_carve *carve) {
    const struct stoa_winograd *p = &cut->p;
    struct wide_part part = {.ready = stoa_carve_sizes(carve, cut->own)};
    part.tiles = stoa_carve_floats(carve, cut->own ? block_floats(cut) : 0);
    part.patch = stoa_carve_floats(carve, p->in.patch);
    part.gathered = stoa_carve_floats(carve, p->in.taps * p->in.taps * cut->channels * cut->filters);
    part.transformed = stoa_carve_floats(carve, LINES * p->grid.points * cut->weight_step);
    part.sums = stoa_carve_floats(carve, p->points * cut->sums_step);
    return part;
}

static struct wide_areas carve(const struct wide_cut *cut, size_t threads, struct stoa_carve *carve) {
    struct wide_areas areas = {.chunk =
                                   stoa_carve_floats(carve, cut->own ? 0 : cut->chunk * block_floats(cut))};
    areas.parts = stoa_carve_bytes(carve, threads, cut->step * sizeof(float));
    return areas;
}

/* Set what follows from the tiles of a block; returns the floats of a thread's part. */
static size_t size_for(struct wide_cut *cut, size_t tiles) {
    struct stoa_carve part = {.memory = NULL};
    cut->input_step = stoa_winograd_step(tiles * widest_row(cut));
    cut->weight_step = stoa_winograd_step(cut->channels * cut->filters);
    cut->sums_step = stoa_winograd_step(tiles * cut->filters);
    (void)carve_part(cut, &part);
    return part.overflow ? (size_t)-1 : part.bytes / sizeof(float);
}

/* The most tiles of a block; 0: the workspace limit holds none. Sums may take half as much again as a thread
 * may use, where there is `room`: they do not stay in L2 then, but each is added to only once a range of
 * channels, and weights are transformed for more tiles at a time, which is up to 1.1 times as fast. */
static size_t most_tiles(const stoa_context *context, struct wide_cut *cut, bool room) {
    const struct stoa_winograd *p = &cut->p;
    size_t limit = context->workspace_limit / sizeof(float);
    cut->own = false;
    cut->channels = stoa_min(context->tuning->winograd_channels, p->in.channels);
    cut->filters = stoa_min(context->tuning->winograd_filters, p->filters);
    while (cut->channels > 1 && size_for(cut, TILE_UNIT) > limit) {
        cut->channels /= 2;
    }
    size_t fixed = size_for(cut, 0) + p->points * STOA_ALIGN_FLOATS;
    size_t tiles = limit > fixed ? (limit - fixed) / (p->points * cut->filters) : 0;
    if (tiles > 0 && room) {
        tiles = (limit + limit / 2 - fixed) / (p->points * cut->filters);
    }
    (void)size_for(cut, 1);
    size_t gaps = block_floats(cut);
    size_t rows = stoa_ceil_div(p->in.channels, cut->channels) * p->points * widest_row(cut);
    size_t transformed = CHUNK_LIMITS * limit;
    return stoa_min(tiles, transformed > gaps ? (transformed - gaps) / rows : 0);
}

static bool cut_blocks(const stoa_context *context, struct wide_cut *cut, bool room) {
    size_t tiles = most_tiles(context, cut, room);
    if (tiles == 0) {
        return false;
    }
    stoa_winograd_cut_even(&cut->p.grid, tiles, true);
    (void)size_for(cut, stoa_min(cut->p.grid.block, cut->p.grid.end));
    return true;
}

/* Where a range's gathered weights begin among all of them: those of a range of filters follow each other. */
static size_t gathered_at(const struct stoa_winograd *p, size_t channel, size_t filter, size_t filters) {
    return p->in.taps * p->in.taps * (filter * p->in.channels + channel * filters);
}

/* Threads that take half as much again must leave the limit of what threads share to copies of tiles; how
 * many blocks there are with less memory counts as little as the number of threads, so that both choices cost
 * the same. */
bool stoa_winograd_wide_plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct wide_cut *cut = (void *)plan->cut.bytes;
    bool room = context->threads / 2 + CHUNK_LIMITS < STOA_CONV_SHARED_LIMITS;
    if (!cut_blocks(context, cut, true)) {
        return false;
    }
    cut->p.transforms = cut->p.grid.blocks;
    if (!room && !cut_blocks(context, cut, false)) {
        return false;
    }
    size_t block = block_floats(cut) * sizeof(float);
    size_t blocks = cut->p.grid.blocks;
    size_t limit = CHUNK_LIMITS * context->workspace_limit;
    cut->own = stoa_conv_shared_fits(context,
                                     context->threads * (block + (room ? context->workspace_limit / 2 : 0)));
    cut->chunk = cut->own ? blocks : stoa_ceil_div(blocks, stoa_ceil_div(blocks, stoa_max(1, limit / block)));
    cut->step = stoa_conv_thread_step(context, size_for(cut, stoa_min(cut->p.grid.block, cut->p.grid.end)));
    struct stoa_carve carved = {.memory = NULL};
    (void)carve(cut, context->threads, &carved);
    plan->bytes = carved.bytes;
    if (plan->pass == STOA_CONV_FORWARD) {
        plan->prepared_bytes = gathered_at(&cut->p, 0, cut->p.filters, 0) * sizeof(float);
    }
    return !carved.overflow;
}

struct wide_pass {
    struct stoa_winograd_run r;
    const struct wide_cut *cut;
    struct wide_areas areas;
    size_t block; /* the chunk's first */
};

static struct wide_part part_of(const struct wide_pass *pass, size_t thread) {
    struct stoa_carve part = {.memory = (char *)(pass->areas.parts + thread * pass->cut->step)};
    return carve_part(pass->cut, &part);
}

static size_t filter_ranges(const struct wide_cut *cut) {
    return stoa_ceil_div(cut->p.filters, cut->filters);
}

static size_t pieces_of(const struct wide_cut *cut) {
    return stoa_ceil_div(stoa_min(cut->p.grid.block, cut->p.grid.end), TILE_UNIT);
}

/* Where the transformed tiles of the channels from `channel` on lie in a block. */
static size_t range_at(const struct wide_cut *cut, size_t channel) {
    return channel / cut->channels * cut->p.points * cut->input_step;
}

/* Tiles [first, end) to row `row` of a block on. */
static void transform_tiles(const struct wide_pass *pass, size_t first, size_t end, size_t row, float *patch,
                            float *v) {
    const struct wide_cut *cut = pass->cut;
    for (size_t channel = 0; channel < cut->p.in.channels; channel += cut->channels) {
        struct wide_slice s = slice_of(cut, channel);
        stoa_winograd_inputs(&pass->r, s.from, s.count, first, end, patch,
                             v + range_at(cut, channel) + row * s.row, s.row, cut->input_step);
    }
}

/* Some tiles of one of the chunk's blocks. */
static void transform_some(void *argument, size_t task, size_t thread) {
    const struct wide_pass *pass = argument;
    size_t block = task / pieces_of(pass->cut);
    size_t row = task % pieces_of(pass->cut) * TILE_UNIT;
    size_t first;
    size_t end;
    stoa_winograd_block(&pass->r.grid, pass->block + block, &first, &end);
    first = stoa_min(end, first + row);
    transform_tiles(pass, first, stoa_min(end, first + TILE_UNIT), row, part_of(pass, thread).patch,
                    pass->areas.chunk + block * block_floats(pass->cut));
}

/* The transformed tiles [first, end) of a block, which a thread transforms before its first range. */
static const float *inputs_of(const struct wide_pass *pass, size_t block, size_t first, size_t end,
                              const struct wide_part *part) {
    if (!pass->cut->own) {
        return pass->areas.chunk + (block - pass->block) * block_floats(pass->cut);
    }
    STOA_ASSUME(part->ready);
    if (*part->ready != block + 1) {
        transform_tiles(pass, first, end, 0, part->patch, part->tiles);
        *part->ready = block + 1;
    }
    return part->tiles;
}

/* Weights of channels [channel, channel + channels) of filters [filter, filter + filters) side by side,
 * [taps][taps][channels][filters], to_data transposed and turned. Taps beyond the kernel's end are 0. */
static void gather_weights(const struct stoa_winograd_run *r, size_t channel, size_t channels, size_t filter,
                           size_t filters, float *w) {
    const struct stoa_winograd *p = r->p;
    const struct stoa_kernels *kernels = r->context->kernels;
    size_t taps = p->in.taps;
    size_t floats = channels * filters;
    for (size_t tap = 0; p->to_data && tap < taps * taps; tap++) {
        kernels->transpose(r->weight + (tap * p->filters + filter) * p->in.channels + channel, filters,
                           channels, p->in.channels, w + (taps * taps - 1 - tap) * floats, filters);
    }
    for (size_t c = channel; !p->to_data && c < channel + channels;) {
        struct stoa_winograd_taps from;
        size_t at;
        size_t together = stoa_winograd_phase(&p->in, p->filters, c, &from, &at);
        together = stoa_min(together, channel + channels - c);
        for (size_t tap = 0; tap < taps * taps; tap++) {
            size_t line = tap / taps;
            size_t column = tap % taps;
            float *to = w + tap * floats + (c - channel) * filters;
            if (line < from.lines && column < from.columns) {
                const float *first = r->weight + at + line * from.line + column * from.tap;
                kernels->copy_rows(first + filter, together, filters, p->filters, to, filters);
            } else {
                memset(to, 0, together * filters * sizeof *to);
            }
        }
        c += together;
    }
}

/* A range's gathered weights, prepared ones or in `memory`. */
static const float *weights_of(const struct wide_pass *pass, size_t channel, size_t channels, size_t filter,
                               size_t filters, float *memory) {
    if (pass->r.prepared) {
        return pass->r.prepared + gathered_at(pass->r.p, channel, filter, filters);
    }
    gather_weights(&pass->r, channel, channels, filter, filters, memory);
    return memory;
}

/* The points of LINES lines from gathered weights. */
static void transform_lines(const struct wide_pass *pass, size_t line, const float *w, size_t channels,
                            size_t filters, float *u, size_t u_step) {
    const struct stoa_winograd *p = pass->r.p;
    size_t floats = channels * filters;
    const struct stoa_winograd_taps taps = {.count = p->in.taps,
                                            .lines = p->in.taps,
                                            .columns = p->in.taps,
                                            .line = p->in.taps * floats,
                                            .tap = floats};
    pass->r.context->kernels->winograd_weights(p->grid.points, line, LINES, w, &taps, channels, filters,
                                               filters, u, filters, u_step);
}

/* The transformed tiles that the product after one of `point` reads: the next point's, after the last one
 * those of the next range of channels. `v`: the block's. */
static const float *next_inputs(const struct wide_cut *cut, const float *v, size_t point, size_t channel) {
    if (point + 1 < cut->p.points) {
        return v + range_at(cut, channel) + (point + 1) * cut->input_step;
    }
    channel += cut->channels;
    return channel < cut->p.in.channels ? v + range_at(cut, channel) : NULL;
}

/* A range of filters over a block of the chunk. Tasks of a block are neighbours. */
static void run_range(void *argument, size_t task, size_t thread) {
    const struct wide_pass *pass = argument;
    const struct wide_cut *cut = pass->cut;
    const struct stoa_winograd *p = &cut->p;
    size_t filter = task % filter_ranges(cut) * cut->filters;
    size_t filters = stoa_min(cut->filters, p->filters - filter);
    size_t block = pass->block + task / filter_ranges(cut);
    size_t first;
    size_t end;
    stoa_winograd_block(&pass->r.grid, block, &first, &end);
    struct wide_part part = part_of(pass, thread);
    const float *v = inputs_of(pass, block, first, end, &part);
    const struct stoa_winograd_ranges rows = stoa_winograd_ranges_of(&pass->r.grid, first, end);
    for (size_t channel = 0; channel < p->in.channels; channel += cut->channels) {
        size_t channels = stoa_min(cut->channels, p->in.channels - channel);
        const float *w = weights_of(pass, channel, channels, filter, filters, part.gathered);
        struct wide_slice s = slice_of(cut, channel);
        const float *a = v + range_at(cut, channel) + (channel - s.from);
        for (size_t point = 0; point < p->points; point++) {
            size_t in_lines = point % (LINES * p->grid.points);
            if (in_lines == 0) {
                transform_lines(pass, point / p->grid.points, w, channels, filters, part.transformed,
                                cut->weight_step);
            }
            stoa_winograd_multiply(pass->r.context, &rows, first, point,
                                   (struct stoa_gemm){.n = filters,
                                                      .k = channels,
                                                      .alpha = 1,
                                                      .a = a + point * cut->input_step,
                                                      .lda = s.row,
                                                      .next_a = next_inputs(cut, v, point, channel),
                                                      .b = part.transformed + in_lines * cut->weight_step,
                                                      .ldb = filters,
                                                      .beta = channel == 0 ? 0.0F : 1.0F,
                                                      .c = part.sums + point * cut->sums_step,
                                                      .ldc = filters});
        }
    }
    stoa_winograd_outputs(&pass->r, first, end, filter, filters, part.sums, cut->sums_step);
}

void stoa_winograd_wide_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct wide_cut *cut = (const void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = run->workspace};
    struct wide_pass pass = {.r = stoa_winograd_run_of(&cut->p, run), .cut = cut};
    pass.areas = carve(cut, run->context->threads, &room);
    for (size_t thread = 0; cut->own && thread < run->context->threads; thread++) {
        size_t *ready = part_of(&pass, thread).ready;
        STOA_ASSUME(ready);
        *ready = 0;
    }
    for (; pass.block < pass.r.grid.blocks; pass.block += cut->chunk) {
        size_t blocks = stoa_min(cut->chunk, pass.r.grid.blocks - pass.block);
        if (!cut->own) {
            stoa_parallel(run->context, blocks * pieces_of(cut), transform_some, &pass);
        }
        stoa_parallel(run->context, blocks * filter_ranges(cut), run_range, &pass);
    }
}

struct wide_preparation {
    struct stoa_winograd_run r;
    const struct wide_cut *cut;
    float *prepared;
};

static void prepare_range(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct wide_preparation *to = argument;
    const struct wide_cut *cut = to->cut;
    size_t filter = task * cut->filters;
    size_t filters = stoa_min(cut->filters, cut->p.filters - filter);
    for (size_t channel = 0; channel < cut->p.in.channels; channel += cut->channels) {
        gather_weights(&to->r, channel, stoa_min(cut->channels, cut->p.in.channels - channel), filter,
                       filters, to->prepared + gathered_at(&cut->p, channel, filter, filters));
    }
}

void stoa_winograd_wide_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                                const float *weight, float *prepared) {
    const struct wide_cut *cut = (const void *)plan->cut.bytes;
    struct wide_preparation to = {
        .r = {.context = context, .p = &cut->p, .weight = weight}, .cut = cut, .prepared = prepared};
    stoa_parallel(context, filter_ranges(cut), prepare_range, &to);
}
