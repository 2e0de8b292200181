/* SPDX-License-Identifier: MIT */
/* Winograd's convolution for wide layers, whose transformed weights would not stay in a core's caches. Floor
 * 4.
 *
 * A thread takes a block of tiles, transforms it, and then takes ranges of filters: for each it goes through
 * the channels in ranges, and through the points a few lines at a time, whose weights are transformed where
 * they are needed, [points of the lines][channels][filters] in L2, and their products added to sums in L2 or
 * near it. So transformed weights, 4 to 7 times as large as the weights, are never written to memory. Threads
 * that share a block transform it each for itself, which takes less time than the lines take from another
 * core; where there is no memory for that, all threads transform a chunk of blocks first.
 *
 * The weights of a range are gathered first, each tap's side by side: in the whole weight those of one
 * channel lie far apart, often by a power of two, and share few sets of the caches. Prepared weights are all
 * ranges gathered. */
#include <string.h>

#include "base/size.h"
#include "blas/gemm.h"
#include "conv/winograd.h"
#include "core/threads.h"

/* Weights of two lines of points for such a range take 256 KiB at most, which leaves L2 to the sums; every
 * set of points has an even number of lines. */
enum { TILE_UNIT = 12, LINES = 2, CHANNELS = 128, FILTERS = 32 };

/* Transformed tiles, of a chunk or of a thread's block, take as much as so many threads may use each. */
enum { CHUNK_LIMITS = 8 };

/* Sums may take half as much again as a thread may use. They do not stay in L2 then, but each is added to
 * only once a range of channels, and weights are transformed for more tiles at a time: measured 1.02 times as
 * fast in the mean, up to 1.1 times. With very many threads they may not. */
static bool has_room(const stoa_context *context) {
    return context->threads / 2 + CHUNK_LIMITS < STOA_CONV_SHARED_LIMITS;
}

/* A task's ranges. */
struct ranges {
    size_t channels, filters;
    size_t tiles; /* that a thread's share of memory holds sums for */
    size_t room;  /* of those, as many as there are */
};

/* Floats of a range's weights. */
static size_t weight_floats(const struct stoa_winograd *p, const struct ranges *r) {
    return stoa_round_up(p->in.taps * p->in.taps * r->channels * r->filters, STOA_ALIGN_FLOATS);
}

/* Floats of a thread: a patch, weights gathered and transformed, and sums of `tiles`. */
static size_t thread_floats(const struct stoa_winograd *p, const struct ranges *r, size_t tiles) {
    return stoa_winograd_patch(&p->in, p->grid.points) + weight_floats(p, r) +
           LINES * p->grid.points * stoa_winograd_step(r->channels * r->filters) +
           p->points * stoa_winograd_step(tiles * r->filters);
}

/* These and `tiles` do not depend on the batch: weights prepared for one serve any. */
static struct ranges ranges_of(const stoa_context *context, const struct stoa_winograd *p, bool room) {
    struct ranges r = {.channels = stoa_min(CHANNELS, p->in.channels),
                       .filters = stoa_min(FILTERS, p->filters)};
    size_t limit = context->workspace_limit / sizeof(float);
    while (r.channels > 1 && thread_floats(p, &r, TILE_UNIT) > limit) {
        r.channels /= 2;
    }
    size_t fixed = thread_floats(p, &r, 0) + p->points * STOA_ALIGN_FLOATS;
    size_t tile = p->points * r.filters;
    r.tiles = limit > fixed ? (limit - fixed) / tile : 0;
    if (r.tiles > 0 && room) {
        r.tiles = (limit + limit / 2 - fixed) / tile;
    }
    r.room = stoa_min(r.tiles, p->grid.end);
    return r;
}

/* How a pass is cut; from the shape and the workspace limit only, but for whose memory the tiles lie in. */
struct cut {
    struct ranges ranges;
    struct stoa_winograd_grid grid;
    size_t tiles;        /* of a block at most; 0: the workspace limit holds none */
    size_t input_step;   /* floats of a point's matrix of transformed tiles */
    size_t block;        /* floats of all matrices of a block */
    bool own;            /* each thread has a block's */
    size_t room;         /* floats that those may take with this batch or a smaller one */
    size_t chunk;        /* blocks whose tiles are transformed together; own: all blocks */
    size_t shared, step; /* floats: of a chunk's blocks, and from one thread's part to the next one's */
};

/* Transformed tiles lie range by range of channels, [points][tiles][channels], so that a product's are side
 * by side. Kernels write whole vectors: in front of the channels of a short range may be more. */
struct slice {
    size_t from, count; /* channels */
    size_t row;         /* floats that they take */
};

static struct slice slice_of(const struct stoa_winograd *p, const struct ranges *r, size_t channel) {
    size_t lanes = stoa_min(STOA_WINOGRAD_LANES, p->in.channels);
    struct slice s = {.from = stoa_min(channel, p->in.channels - lanes)};
    s.count = stoa_max(lanes, stoa_min(r->channels, p->in.channels - channel));
    s.row = stoa_max(STOA_WINOGRAD_LANES, s.count);
    return s;
}

/* Floats of the widest row, and of a tile's rows in all ranges. */
static size_t widest_row(const struct ranges *r) {
    return stoa_max(STOA_WINOGRAD_LANES, r->channels);
}

static size_t all_rows(const struct stoa_winograd *p, const struct ranges *r) {
    return stoa_ceil_div(p->in.channels, r->channels) * widest_row(r);
}

/* Floats of the transformed tiles of a block in a range of channels, and in all. */
static size_t range_floats(const struct stoa_winograd *p, const struct ranges *r, size_t tiles) {
    return p->points * stoa_winograd_step(tiles * widest_row(r));
}

static size_t block_floats(const struct stoa_winograd *p, const struct ranges *r, size_t tiles) {
    return stoa_ceil_div(p->in.channels, r->channels) * range_floats(p, r, tiles);
}

static struct cut cut_with(const stoa_context *context, const struct stoa_winograd *p, bool room) {
    struct cut cut = {.grid = p->grid};
    size_t limit = CHUNK_LIMITS * context->workspace_limit / sizeof(float);
    cut.ranges = ranges_of(context, p, room);
    size_t gaps = block_floats(p, &cut.ranges, 1);
    size_t most = limit > gaps ? (limit - gaps) / (p->points * all_rows(p, &cut.ranges)) : 0;
    size_t tiles = stoa_min(cut.ranges.tiles, most);
    if (tiles == 0) {
        return cut;
    }
    stoa_winograd_cut_even(&cut.grid, tiles, true);
    cut.tiles = stoa_min(cut.grid.block, cut.grid.end);
    cut.input_step = stoa_winograd_step(cut.tiles * widest_row(&cut.ranges));
    cut.block = block_floats(p, &cut.ranges, cut.tiles);
    /* For any batch the same, and room for the largest blocks: a smaller batch must not need more memory. */
    size_t each =
        block_floats(p, &cut.ranges, tiles) * sizeof(float) + (room ? context->workspace_limit / 2 : 0);
    cut.own = stoa_conv_shared_fits(context, context->threads * each);
    cut.room = cut.own ? block_floats(p, &cut.ranges, stoa_min(tiles, p->grid.end)) : 0;
    cut.chunk = cut.grid.blocks;
    if (!cut.own) {
        cut.chunk = stoa_ceil_div(cut.chunk, stoa_ceil_div(cut.chunk, stoa_max(1, limit / cut.block)));
        /* Not what this batch's chunk takes: a smaller batch may have larger chunks. */
        cut.shared = stoa_max(cut.block, stoa_min(limit, cut.grid.blocks * cut.block));
    }
    size_t thread = thread_floats(p, &cut.ranges, cut.ranges.room);
    cut.step = stoa_conv_thread_step(context, thread + (cut.own ? STOA_ALIGN_FLOATS + cut.room : 0));
    return cut;
}

static struct cut cut_of(const stoa_context *context, const struct stoa_winograd *p) {
    return cut_with(context, p, has_room(context));
}

bool stoa_winograd_wide_applicable(const stoa_context *context, const struct stoa_winograd *p) {
    return cut_of(context, p).tiles > 0;
}

bool stoa_winograd_wide_workspace(const stoa_context *context, const struct stoa_winograd *p, size_t *bytes) {
    struct cut cut = cut_of(context, p);
    size_t floats;
    return stoa_size_mul(cut.step, context->threads, &floats) && stoa_size_add(floats, cut.shared, &floats) &&
           stoa_size_mul(floats, sizeof(float), bytes);
}

struct pass {
    const stoa_context *context;
    const struct stoa_winograd *p;
    struct cut cut;
    float *shared, *threads;
    size_t block; /* the chunk's first */
};

/* Where a thread's parts begin: the number of the block that it has, from 1 on, and the block; a patch, or
 * weights. */
static float *ready_of(const struct pass *pass, size_t thread) {
    return pass->threads + thread * pass->cut.step;
}

static float *block_of(const struct pass *pass, size_t thread) {
    return ready_of(pass, thread) + STOA_ALIGN_FLOATS;
}

static float *scratch_of(const struct pass *pass, size_t thread) {
    return pass->cut.own ? block_of(pass, thread) + pass->cut.room : pass->threads + thread * pass->cut.step;
}

static size_t pieces_of(const struct cut *cut) {
    return stoa_ceil_div(cut->tiles, TILE_UNIT);
}

/* Transformed tiles of the channels from `channel` on in a block that begins at v. */
static size_t range_at(const struct pass *pass, size_t channel) {
    return channel / pass->cut.ranges.channels * pass->p->points * pass->cut.input_step;
}

/* Tiles [first, end) to row `row` of a block on. */
static void transform_tiles(const struct pass *pass, size_t first, size_t end, size_t row, float *patch,
                            float *v) {
    const struct stoa_winograd *p = pass->p;
    const struct cut *cut = &pass->cut;
    for (size_t channel = 0; channel < p->in.channels; channel += cut->ranges.channels) {
        struct slice s = slice_of(p, &cut->ranges, channel);
        stoa_winograd_some_inputs(pass->context, &p->in, &cut->grid, p->x, s.from, s.count, first, end, patch,
                                  v + range_at(pass, channel) + row * s.row, s.row, cut->input_step);
    }
}

/* Some tiles of one of the chunk's blocks. */
static void transform_some(void *argument, size_t task, size_t thread) {
    const struct pass *pass = argument;
    const struct cut *cut = &pass->cut;
    size_t block = task / pieces_of(cut);
    size_t row = task % pieces_of(cut) * TILE_UNIT;
    size_t first;
    size_t end;
    stoa_winograd_block(&cut->grid, pass->block + block, &first, &end);
    first = stoa_min(end, first + row);
    transform_tiles(pass, first, stoa_min(end, first + TILE_UNIT), row, scratch_of(pass, thread),
                    pass->shared + block * cut->block);
}

/* The transformed tiles [first, end) of a block, which a thread transforms before its first range. */
static const float *inputs_of(const struct pass *pass, size_t block, size_t first, size_t end,
                              size_t thread) {
    if (!pass->cut.own) {
        return pass->shared + (block - pass->block) * pass->cut.block;
    }
    float *v = block_of(pass, thread);
    size_t *ready = stoa_winograd_notes(ready_of(pass, thread));
    if (*ready != block + 1) {
        transform_tiles(pass, first, end, 0, scratch_of(pass, thread), v);
        *ready = block + 1;
    }
    return v;
}

/* Weights of channels [channel, channel + channels) of filters [filter, filter + filters) side by side,
 * [taps][taps][channels][filters], to_data transposed and turned. Taps beyond the kernel's end are 0. */
static void gather_weights(const struct stoa_kernels *kernels, const struct stoa_winograd *p, size_t channel,
                           size_t channels, size_t filter, size_t filters, float *w) {
    size_t taps = p->in.taps;
    size_t floats = channels * filters;
    for (size_t tap = 0; p->to_data && tap < taps * taps; tap++) {
        kernels->transpose(p->weight + (tap * p->filters + filter) * p->in.channels + channel, filters,
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
                const float *first = p->weight + at + line * from.line + column * from.tap;
                kernels->copy_rows(first + filter, together, filters, p->filters, to, filters);
            } else {
                memset(to, 0, together * filters * sizeof *to);
            }
        }
        c += together;
    }
}

/* Where a range's gathered weights begin among all of them: those of a range of filters follow each other. */
static size_t gathered_at(const struct stoa_winograd *p, size_t channel, size_t filter, size_t filters) {
    return p->in.taps * p->in.taps * (filter * p->in.channels + channel * filters);
}

/* A range's gathered weights, prepared ones or in `memory`. */
static const float *weights_of(const struct pass *pass, size_t channel, size_t channels, size_t filter,
                               size_t filters, float *memory) {
    if (pass->p->prepared) {
        return pass->p->prepared + gathered_at(pass->p, channel, filter, filters);
    }
    gather_weights(pass->context->kernels, pass->p, channel, channels, filter, filters, memory);
    return memory;
}

/* The points of LINES lines from gathered weights. */
static void transform_lines(const struct pass *pass, size_t line, const float *w, size_t channels,
                            size_t filters, float *u, size_t u_step) {
    const struct stoa_winograd *p = pass->p;
    size_t floats = channels * filters;
    const struct stoa_winograd_taps taps = {.count = p->in.taps,
                                            .lines = p->in.taps,
                                            .columns = p->in.taps,
                                            .line = p->in.taps * floats,
                                            .tap = floats};
    pass->context->kernels->winograd_weights(p->grid.points, line, LINES, w, &taps, channels, filters,
                                             filters, u, filters, u_step);
}

/* The transformed tiles that the product after one of `point` reads: the next point's, after the last one
 * those of the next range of channels. `v`: the block's. */
static const float *next_inputs(const struct pass *pass, const float *v, size_t point, size_t channel) {
    if (point + 1 < pass->p->points) {
        return v + range_at(pass, channel) + (point + 1) * pass->cut.input_step;
    }
    channel += pass->cut.ranges.channels;
    return channel < pass->p->in.channels ? v + range_at(pass, channel) : NULL;
}

/* A range of filters over a block of the chunk. Tasks of a block are neighbours. */
static void run_range(void *argument, size_t task, size_t thread) {
    const struct pass *pass = argument;
    const struct stoa_winograd *p = pass->p;
    const struct cut *cut = &pass->cut;
    size_t ranges = stoa_ceil_div(p->filters, cut->ranges.filters);
    size_t filter = task % ranges * cut->ranges.filters;
    size_t filters = stoa_min(cut->ranges.filters, p->filters - filter);
    size_t block = pass->block + task / ranges;
    size_t first;
    size_t end;
    stoa_winograd_block(&cut->grid, block, &first, &end);
    size_t u_step = stoa_winograd_step(cut->ranges.channels * filters);
    size_t sums_step = stoa_winograd_step((end - first) * filters);
    const float *v = inputs_of(pass, block, first, end, thread);
    float *gathered = scratch_of(pass, thread);
    float *u = gathered + weight_floats(p, &cut->ranges);
    float *sums = u + LINES * p->grid.points * u_step;
    const struct stoa_winograd_ranges rows = stoa_winograd_ranges_of(&cut->grid, first, end);
    for (size_t channel = 0; channel < p->in.channels; channel += cut->ranges.channels) {
        size_t channels = stoa_min(cut->ranges.channels, p->in.channels - channel);
        const float *w = weights_of(pass, channel, channels, filter, filters, gathered);
        struct slice s = slice_of(p, &cut->ranges, channel);
        const float *a = v + range_at(pass, channel) + (channel - s.from);
        for (size_t point = 0; point < p->points; point++) {
            size_t in_lines = point % (LINES * p->grid.points);
            if (in_lines == 0) {
                transform_lines(pass, point / p->grid.points, w, channels, filters, u, u_step);
            }
            size_t begin = rows.begin[rows.kind[point]];
            size_t stop = rows.stop[rows.kind[point]];
            stoa_gemm_run(&(struct stoa_gemm){.m = stop - begin,
                                              .n = filters,
                                              .k = channels,
                                              .alpha = 1,
                                              .a = a + point * cut->input_step + (begin - first) * s.row,
                                              .lda = s.row,
                                              .next_a = next_inputs(pass, v, point, channel),
                                              .b = u + in_lines * u_step,
                                              .ldb = filters,
                                              .beta = channel == 0 ? 0.0F : 1.0F,
                                              .c = sums + point * sums_step + (begin - first) * filters,
                                              .ldc = filters,
                                              .kernels = pass->context->kernels});
        }
    }
    stoa_winograd_outputs(pass->context, p, &cut->grid, first, end, filter, filters, sums, sums_step);
}

void stoa_winograd_wide_run(const stoa_context *context, const struct stoa_winograd *p, void *scratch) {
    struct pass pass = {.context = context, .p = p, .cut = cut_of(context, p), .shared = scratch};
    const struct cut *cut = &pass.cut;
    pass.threads = pass.shared + cut->shared;
    for (size_t thread = 0; cut->own && thread < context->threads; thread++) {
        *stoa_winograd_notes(ready_of(&pass, thread)) = 0;
    }
    size_t ranges = stoa_ceil_div(p->filters, cut->ranges.filters);
    for (; pass.block < cut->grid.blocks; pass.block += cut->chunk) {
        size_t blocks = stoa_min(cut->chunk, cut->grid.blocks - pass.block);
        if (!cut->own) {
            stoa_parallel(context, blocks * pieces_of(cut), transform_some, &pass);
        }
        stoa_parallel(context, blocks * ranges, run_range, &pass);
    }
}

size_t stoa_winograd_wide_transforms(const stoa_context *context, const struct stoa_winograd *p) {
    return cut_with(context, p, true).grid.blocks; /* whatever the number of threads */
}

size_t stoa_winograd_wide_prepared_bytes(const struct stoa_winograd *p) {
    return gathered_at(p, 0, p->filters, 0) * sizeof(float);
}

struct preparation {
    const stoa_context *context;
    const struct stoa_winograd *p;
    struct ranges ranges;
    float *prepared;
};

static void prepare_range(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct preparation *to = argument;
    const struct stoa_winograd *p = to->p;
    size_t filter = task * to->ranges.filters;
    size_t filters = stoa_min(to->ranges.filters, p->filters - filter);
    for (size_t channel = 0; channel < p->in.channels; channel += to->ranges.channels) {
        gather_weights(to->context->kernels, p, channel,
                       stoa_min(to->ranges.channels, p->in.channels - channel), filter, filters,
                       to->prepared + gathered_at(p, channel, filter, filters));
    }
}

void stoa_winograd_wide_prepare(const stoa_context *context, const struct stoa_winograd *p, float *prepared) {
    struct preparation to = {context, p, ranges_of(context, p, true), prepared};
    stoa_parallel(context, stoa_ceil_div(p->filters, to.ranges.filters), prepare_range, &to);
}
