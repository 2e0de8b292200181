/* SPDX-License-Identifier: MIT */
/* Winograd's convolution for narrow layers, whose transformed weights stay in a core's L2 or near it. Floor
 * 4.
 *
 * The weights are transformed to [points][C][K], by each thread for itself where that takes less time than
 * lines take from one core to another. A block of tiles is transformed, [points][tiles][C], multiplied by
 * them and transformed to outputs, all while it is in a core's L2. */
#include "base/size.h"
#include "blas/gemm.h"
#include "conv/winograd.h"
#include "core/threads.h"

enum { WEIGHT_ROWS = 16 };

/* Two passes of the products' kernels over the weights pay for their way from the outer caches; where weights
 * are small a block may take more tiles, which saves calls. */
enum { LEAST_TILES = 24, TILE_UNIT = 12, BLOCK_BYTES = 448 << 10 };

/* Transformed weights of which each thread may have its own: what a core has of outer caches. */
enum { OWN_BYTES = 5 << 19 };

struct cut {
    struct stoa_winograd_grid grid;
    size_t tiles; /* a block at most; 0: the workspace limit holds none */
    size_t weight_step, block_step;
    /* Floats: of a patch; of the weights transposed for backward data; of a copy of the weights, a line that
     * says whether it is ready, transposed, transformed. */
    size_t patch, transposed, copy;
    bool own;    /* each thread has a copy */
    size_t step; /* floats from one thread's part to the next one's */
};

static size_t tiles_of(const stoa_context *context, const struct stoa_winograd *p) {
    size_t bytes = p->points * (p->in.row + p->filters) * sizeof(float);
    size_t gaps = 2 * p->points * (STOA_WINOGRAD_GAP + STOA_ALIGN_FLOATS) * sizeof(float) +
                  stoa_winograd_patch(&p->in, p->grid.points) * sizeof(float);
    size_t limit = context->workspace_limit > gaps ? context->workspace_limit - gaps : 0;
    size_t tiles = stoa_max(LEAST_TILES, BLOCK_BYTES / bytes / TILE_UNIT * TILE_UNIT);
    if (tiles * bytes > limit) {
        tiles = limit / bytes;
        tiles = tiles > TILE_UNIT ? tiles / TILE_UNIT * TILE_UNIT : tiles;
    }
    return tiles;
}

static size_t taps_of(const struct stoa_winograd *p) {
    return p->in.taps * p->in.taps;
}

static size_t transformed_floats(const struct cut *cut) {
    return cut->grid.points * cut->grid.points * cut->weight_step;
}

static bool has_own(const stoa_context *context, const struct cut *cut) {
    return cut->copy <= OWN_BYTES / sizeof(float) &&
           stoa_conv_shared_fits(context, cut->copy * context->threads * sizeof(float));
}

static struct cut cut_of(const stoa_context *context, const struct stoa_winograd *p) {
    size_t tiles = tiles_of(context, p);
    struct cut cut = {.grid = p->grid, .patch = stoa_winograd_patch(&p->in, p->grid.points)};
    if (tiles > 0) {
        stoa_winograd_cut_full(&cut.grid, tiles, true);
        cut.tiles = stoa_min(tiles, cut.grid.end);
    }
    size_t matrix = p->in.channels * p->filters;
    cut.weight_step = stoa_winograd_step(matrix);
    cut.block_step = stoa_winograd_step(cut.tiles * stoa_max(p->in.row, p->filters));
    cut.transposed = p->to_data ? stoa_round_up(taps_of(p) * matrix, STOA_ALIGN_FLOATS) : 0;
    cut.copy = STOA_ALIGN_FLOATS + cut.transposed + transformed_floats(&cut);
    cut.own = has_own(context, &cut);
    cut.step = stoa_conv_thread_step(context,
                                     (cut.own ? cut.copy : 0) + cut.patch + (p->points + 1) * cut.block_step);
    return cut;
}

bool stoa_winograd_narrow_applicable(const stoa_context *context, const struct stoa_winograd *p) {
    struct cut cut = cut_of(context, p);
    return cut.tiles > 0 && stoa_conv_shared_fits(context, cut.copy * sizeof(float));
}

bool stoa_winograd_narrow_workspace(const stoa_context *context, const struct stoa_winograd *p,
                                    size_t *bytes) {
    struct cut cut = cut_of(context, p);
    size_t floats;
    return stoa_size_mul(cut.step, context->threads, &floats) &&
           stoa_size_add(floats, cut.own ? 0 : cut.copy, &floats) &&
           stoa_size_mul(floats, sizeof(float), bytes);
}

struct pass {
    const stoa_context *context;
    const struct stoa_winograd *p;
    struct cut cut;
    float *ready, *transposed, *transformed; /* of the first copy */
    size_t copy_step;                        /* to the next thread's; 0: all have the same */
    float *blocks;
};

/* Turned by half a turn, which is the taps backwards. */
static void transpose_tap(void *argument, size_t task, size_t thread) {
    const struct pass *pass = argument;
    const struct stoa_winograd *p = pass->p;
    size_t channels = p->in.channels;
    size_t floats = channels * p->filters;
    pass->context->kernels->transpose(
        p->weight + task * floats, p->filters, channels, channels,
        pass->transposed + thread * pass->copy_step + (taps_of(p) - 1 - task) * floats, p->filters);
}

static void transform_rows(void *argument, size_t task, size_t thread) {
    const struct pass *pass = argument;
    const struct stoa_winograd *p = pass->p;
    size_t channel = task * WEIGHT_ROWS;
    size_t end = stoa_min(channel + WEIGHT_ROWS, p->in.channels);
    float *u = pass->transformed + thread * pass->copy_step;
    while (channel < end) {
        struct stoa_winograd_taps taps;
        size_t at;
        size_t together = stoa_winograd_phase(&p->in, p->filters, channel, &taps, &at);
        together = stoa_min(together, end - channel);
        const float *w = p->to_data ? pass->transposed + thread * pass->copy_step : p->weight;
        pass->context->kernels->winograd_weights(p->grid.points, 0, p->grid.points, w + at, &taps, together,
                                                 p->filters, p->filters, u + channel * p->filters, p->filters,
                                                 pass->cut.weight_step);
        channel += together;
    }
}

static size_t taps_to_transpose(const struct stoa_winograd *p) {
    return p->to_data ? taps_of(p) : 0;
}

static size_t groups_of_rows(const struct stoa_winograd *p) {
    return stoa_ceil_div(p->in.channels, WEIGHT_ROWS);
}

/* The copy that all threads read. */
static void transform_shared(struct pass *pass) {
    stoa_parallel(pass->context, taps_to_transpose(pass->p), transpose_tap, pass);
    stoa_parallel(pass->context, groups_of_rows(pass->p), transform_rows, pass);
}

/* The weights for a block of `thread`, which makes its own copy before its first one. */
static const float *weights_of(struct pass *pass, size_t thread) {
    if (pass->p->prepared) {
        return pass->p->prepared;
    }
    size_t *ready = stoa_winograd_notes(pass->ready + thread * pass->copy_step);
    if (pass->cut.own && *ready == 0) {
        for (size_t tap = 0; tap < taps_to_transpose(pass->p); tap++) {
            transpose_tap(pass, tap, thread);
        }
        for (size_t group = 0; group < groups_of_rows(pass->p); group++) {
            transform_rows(pass, group, thread);
        }
        *ready = 1;
    }
    return pass->transformed + thread * pass->copy_step;
}

static void run_block(void *argument, size_t task, size_t thread) {
    struct pass *pass = argument;
    const struct stoa_winograd *p = pass->p;
    const struct cut *cut = &pass->cut;
    size_t first;
    size_t end;
    stoa_winograd_block(&cut->grid, task, &first, &end);
    const float *weights = weights_of(pass, thread);
    float *patch = pass->blocks + thread * cut->step;
    /* A point's sums lie where the tiles of the point before lay, which no product reads any more: in the
     * caches already. */
    float *sums = patch + cut->patch;
    float *v = sums + cut->block_step;
    stoa_winograd_inputs(pass->context, &p->in, &cut->grid, p->x, first, end, patch, v, cut->block_step);
    const struct stoa_winograd_ranges rows = stoa_winograd_ranges_of(&cut->grid, first, end);
    for (size_t point = 0; point < p->points; point++) {
        size_t begin = rows.begin[rows.kind[point]];
        size_t stop = rows.stop[rows.kind[point]];
        stoa_gemm_run(&(struct stoa_gemm){.m = stop - begin,
                                          .n = p->filters,
                                          .k = p->in.channels,
                                          .alpha = 1,
                                          .a = v + point * cut->block_step + (begin - first) * p->in.row,
                                          .lda = p->in.row,
                                          .b = weights + point * cut->weight_step,
                                          .ldb = p->filters,
                                          .c = sums + point * cut->block_step + (begin - first) * p->filters,
                                          .ldc = p->filters,
                                          .kernels = pass->context->kernels});
    }
    stoa_winograd_outputs(pass->context, p, &cut->grid, first, end, 0, p->filters, sums, cut->block_step);
}

size_t stoa_winograd_narrow_prepared_bytes(const stoa_context *context, const struct stoa_winograd *p) {
    struct cut cut = cut_of(context, p);
    return transformed_floats(&cut) * sizeof(float);
}

void stoa_winograd_narrow_prepare(const stoa_context *context, const struct stoa_winograd *p,
                                  float *prepared) {
    struct pass pass = {.context = context, .p = p, .cut = cut_of(context, p), .transformed = prepared};
    transform_shared(&pass);
}

void stoa_winograd_narrow_run(const stoa_context *context, const struct stoa_winograd *p, void *scratch) {
    struct pass pass = {.context = context, .p = p, .cut = cut_of(context, p), .ready = scratch};
    const struct cut *cut = &pass.cut;
    pass.transposed = pass.ready + STOA_ALIGN_FLOATS;
    pass.transformed = pass.transposed + cut->transposed;
    pass.blocks = pass.ready + cut->copy;
    if (cut->own) {
        pass.copy_step = cut->step;
        for (size_t thread = 0; thread < context->threads; thread++) {
            *stoa_winograd_notes(pass.ready + thread * cut->step) = 0;
        }
    } else if (!p->prepared) {
        transform_shared(&pass);
    }
    stoa_parallel(context, cut->grid.blocks, run_block, &pass);
}

size_t stoa_winograd_narrow_blocks(const stoa_context *context, const struct stoa_winograd *p) {
    return cut_of(context, p).grid.blocks;
}
