/* SPDX-License-Identifier: MIT */
#include "conv/winograd_narrow.h"

#include "base/size.h"
#include "conv/winograd_tiles.h"
#include "core/threads.h"

enum { WEIGHT_ROWS = 16 };

/* Two passes of the products' kernels over the weights pay for their way from the outer caches; where weights
 * are small a block may take more tiles, which saves calls. */
enum { LEAST_TILES = 24, TILE_UNIT = 12 };

struct narrow_cut {
    struct stoa_winograd p;
    size_t weight_step, block_step; /* floats of a point's weights, and of its tiles in a block */
    bool own;                       /* each thread has a copy of the weights */
    size_t step;                    /* floats from one thread's part to the next one's */
};
_Static_assert(sizeof(struct narrow_cut) <= STOA_CONV_CUT_BYTES, "the cut fits in a plan");

static size_t taps_of(const struct stoa_winograd *p) {
    return p->in.taps * p->in.taps;
}

/* A copy of the weights: whether it is ready, transposed for backward data, transformed. */
struct narrow_copy {
    size_t *ready;
    float *transposed, *transformed;
};

/* A thread's part. Of a block's points the sums of one lie where the tiles of the one before lay, which no
 * product reads any more: in the caches already. */
struct narrow_part {
    struct narrow_copy copy;
    float *patch, *sums, *tiles;
};

struct narrow_areas {
    struct narrow_copy shared;
    float *parts;
};

static struct narrow_copy carve_copy(const struct narrow_cut *cut, struct stoa_carve *carve) {
    const struct stoa_winograd *p = &cut->p;
    struct narrow_copy copy = {.ready = stoa_carve_sizes(carve, 1)};
    copy.transposed = stoa_carve_floats(carve, p->to_data ? taps_of(p) * p->in.channels * p->filters : 0);
    copy.transformed = stoa_carve_floats(carve, p->points * cut->weight_step);
    return copy;
}

static struct narrow_part carve_part(const struct narrow_cut *cut, struct stoa_carve *carve) {
    struct narrow_part part = {.patch = NULL};
    if (cut->own) {
        part.copy = carve_copy(cut, carve);
    }
    part.patch = stoa_carve_floats(carve, cut->p.in.patch);
    part.sums = stoa_carve_floats(carve, (cut->p.points + 1) * cut->block_step);
    part.tiles = part.sums ? part.sums + cut->block_step : NULL;
    return part;
}

static struct narrow_areas carve(const struct narrow_cut *cut, size_t threads, struct stoa_carve *carve) {
    struct narrow_areas areas = {.parts = NULL};
    if (!cut->own) {
        areas.shared = carve_copy(cut, carve);
    }
    areas.parts = stoa_carve_bytes(carve, threads, cut->step * sizeof(float));
    return areas;
}

/* The most tiles of a block; 0: the workspace limit holds none. */
static size_t most_tiles(const stoa_context *context, const struct stoa_winograd *p) {
    size_t bytes = p->points * (p->in.row + p->filters) * sizeof(float);
    size_t gaps =
        2 * p->points * (STOA_WINOGRAD_GAP + STOA_ALIGN_FLOATS) * sizeof(float) + p->in.patch * sizeof(float);
    size_t limit = context->workspace_limit > gaps ? context->workspace_limit - gaps : 0;
    size_t tiles =
        stoa_max(LEAST_TILES, context->tuning->winograd_block_bytes / bytes / TILE_UNIT * TILE_UNIT);
    if (tiles * bytes > limit) {
        tiles = limit / bytes;
        tiles = tiles > TILE_UNIT ? tiles / TILE_UNIT * TILE_UNIT : tiles;
    }
    return tiles;
}

bool stoa_winograd_narrow_plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct narrow_cut *cut = (void *)plan->cut.bytes;
    struct stoa_winograd *p = &cut->p;
    size_t tiles = most_tiles(context, p);
    if (tiles == 0) {
        return false;
    }
    stoa_winograd_cut_full(&p->grid, tiles, true);
    cut->weight_step = stoa_winograd_step(p->in.channels * p->filters);
    cut->block_step =
        stoa_winograd_step(stoa_min(p->grid.block, p->grid.end) * stoa_max(p->in.row, p->filters));
    struct stoa_carve copy = {.memory = NULL};
    struct stoa_carve part = {.memory = NULL};
    struct stoa_carve room = {.memory = NULL};
    (void)carve_copy(cut, &copy);
    if (!stoa_conv_shared_fits(context, copy.bytes)) {
        return false;
    }
    cut->own = copy.bytes <= context->tuning->winograd_own_bytes &&
               stoa_conv_shared_fits(context, copy.bytes * context->threads);
    (void)carve_part(cut, &part);
    cut->step = stoa_conv_thread_step(context, part.bytes / sizeof(float));
    (void)carve(cut, context->threads, &room);
    plan->bytes = room.bytes;
    plan->prepared_bytes = plan->pass == STOA_CONV_FORWARD ? p->points * cut->weight_step * sizeof(float) : 0;
    return !part.overflow && !room.overflow;
}

struct narrow_pass {
    struct stoa_winograd_run r;
    const struct narrow_cut *cut;
    struct narrow_areas areas;
};

static struct narrow_part part_of(const struct narrow_pass *pass, size_t thread) {
    struct stoa_carve part = {.memory = (char *)(pass->areas.parts + thread * pass->cut->step)};
    return carve_part(pass->cut, &part);
}

/* Turned by half a turn, which is the taps backwards. */
static void transpose_tap(const struct narrow_pass *pass, size_t tap, const struct narrow_copy *copy) {
    const struct stoa_winograd *p = pass->r.p;
    size_t floats = p->in.channels * p->filters;
    pass->r.context->kernels->transpose(pass->r.weight + tap * floats, p->filters, p->in.channels,
                                        p->in.channels, copy->transposed + (taps_of(p) - 1 - tap) * floats,
                                        p->filters);
}

/* Channels from group * WEIGHT_ROWS on. */
static void transform_rows(const struct narrow_pass *pass, size_t group, const struct narrow_copy *copy) {
    const struct stoa_winograd *p = pass->r.p;
    size_t channel = group * WEIGHT_ROWS;
    size_t end = stoa_min(channel + WEIGHT_ROWS, p->in.channels);
    const float *w = p->to_data ? copy->transposed : pass->r.weight;
    while (channel < end) {
        struct stoa_winograd_taps taps;
        size_t at;
        size_t together = stoa_winograd_phase(&p->in, p->filters, channel, &taps, &at);
        together = stoa_min(together, end - channel);
        pass->r.context->kernels->winograd_weights(
            p->grid.points, 0, p->grid.points, w + at, &taps, together, p->filters, p->filters,
            copy->transformed + channel * p->filters, p->filters, pass->cut->weight_step);
        channel += together;
    }
}

static size_t taps_to_transpose(const struct stoa_winograd *p) {
    return p->to_data ? taps_of(p) : 0;
}

static size_t groups_of_rows(const struct stoa_winograd *p) {
    return stoa_ceil_div(p->in.channels, WEIGHT_ROWS);
}

static void transpose_shared(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct narrow_pass *pass = argument;
    transpose_tap(pass, task, &pass->areas.shared);
}

static void transform_shared(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct narrow_pass *pass = argument;
    transform_rows(pass, task, &pass->areas.shared);
}

/* The copy that all threads read. */
static void make_shared(struct narrow_pass *pass) {
    stoa_parallel(pass->r.context, taps_to_transpose(pass->r.p), transpose_shared, pass);
    stoa_parallel(pass->r.context, groups_of_rows(pass->r.p), transform_shared, pass);
}

/* The weights for a block of a thread, which makes its own copy before its first one. */
static const float *weights_of(const struct narrow_pass *pass, const struct narrow_copy *copy) {
    if (pass->r.prepared) {
        return pass->r.prepared;
    }
    if (!pass->cut->own) {
        return pass->areas.shared.transformed;
    }
    STOA_ASSUME(copy->ready);
    if (*copy->ready == 0) {
        for (size_t tap = 0; tap < taps_to_transpose(pass->r.p); tap++) {
            transpose_tap(pass, tap, copy);
        }
        for (size_t group = 0; group < groups_of_rows(pass->r.p); group++) {
            transform_rows(pass, group, copy);
        }
        *copy->ready = 1;
    }
    return copy->transformed;
}

static void run_block(void *argument, size_t task, size_t thread) {
    const struct narrow_pass *pass = argument;
    const struct stoa_winograd *p = pass->r.p;
    const struct stoa_winograd_grid *grid = &pass->r.grid;
    const size_t step = pass->cut->block_step;
    struct narrow_part part = part_of(pass, thread);
    size_t first;
    size_t end;
    stoa_winograd_block(grid, task, &first, &end);
    const float *weights = weights_of(pass, &part.copy);
    stoa_winograd_inputs(&pass->r, 0, p->in.channels, first, end, part.patch, part.tiles, p->in.row, step);
    const struct stoa_winograd_ranges rows = stoa_winograd_ranges_of(grid, first, end);
    for (size_t point = 0; point < p->points; point++) {
        stoa_winograd_multiply(pass->r.context, &rows, first, point,
                               (struct stoa_gemm){.n = p->filters,
                                                  .k = p->in.channels,
                                                  .alpha = 1,
                                                  .a = part.tiles + point * step,
                                                  .lda = p->in.row,
                                                  .b = weights + point * pass->cut->weight_step,
                                                  .ldb = p->filters,
                                                  .c = part.sums + point * step,
                                                  .ldc = p->filters});
    }
    stoa_winograd_outputs(&pass->r, first, end, 0, p->filters, part.sums, step);
}

void stoa_winograd_narrow_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                                  const float *weight, float *prepared) {
    const struct narrow_cut *cut = (const void *)plan->cut.bytes;
    struct narrow_pass pass = {.r = {.context = context, .p = &cut->p, .weight = weight},
                               .cut = cut,
                               .areas.shared.transformed = prepared};
    make_shared(&pass);
}

void stoa_winograd_narrow_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    const struct narrow_cut *cut = (const void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = run->workspace};
    struct narrow_pass pass = {.r = stoa_winograd_run_of(&cut->p, run), .cut = cut};
    pass.areas = carve(cut, run->context->threads, &room);
    if (!pass.r.prepared && cut->own) {
        for (size_t thread = 0; thread < run->context->threads; thread++) {
            size_t *ready = part_of(&pass, thread).copy.ready;
            STOA_ASSUME(ready);
            *ready = 0;
        }
    } else if (!pass.r.prepared) {
        make_shared(&pass);
    }
    stoa_parallel(run->context, pass.r.grid.blocks, run_block, &pass);
}
