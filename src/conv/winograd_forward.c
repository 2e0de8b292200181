/* SPDX-License-Identifier: MIT */
/* Winograd's convolution forward, and backward to the input.
 *
 * In a narrow layer all weights are transformed, to [points][C][K], by each thread for itself where that
 * takes less time than cache lines take from one core to another. A block of tiles is transformed,
 * multiplied by them and transformed to outputs, all while it is in a core's L2.
 *
 * In a wide layer a thread takes a block of tiles, transforms it, and then takes ranges of filters. For each
 * range it goes through the channels in ranges, and through the points a few rows of them at a time. The
 * weights of these are transformed where they are needed, [points of the rows][channels][filters] in L2, and
 * their products added to sums in L2 or near it. So transformed weights, 4 to 7 times as large as the
 * weights, are never written to memory.
 *
 * The weights of a range are first gathered tap by tap, because those of one channel lie far apart in the
 * whole weight, often by a power of two, and share few sets of the caches. The prepared weights of a narrow
 * layer are transformed; those of a wide layer would come from an outer cache no faster than a core
 * transforms the weights itself, so they are all ranges gathered. */
#include <string.h>

#include "base/scratch.h"
#include "base/size.h"
#include "conv/winograd_pass.h"

/* Two passes of the products' kernels over a narrow layer's weights pay for their way from the outer caches;
 * where weights are small, a block may take more tiles, which saves calls. WEIGHT_ROWS channels of those
 * weights are transformed at once. */
enum { LEAST_TILES = 24, TILE_UNIT = STOA_WINOGRAD_TILE_UNIT, WEIGHT_ROWS = 16, MOST_TERMS = 512 };

static size_t taps_of(const struct stoa_winograd *p) {
    return p->in.taps * p->in.taps;
}

/* Where a range's gathered weights begin among all of them, in which ranges of filters follow each other. */
static size_t gathered_at(const struct stoa_winograd *p, size_t channel, size_t filter, size_t filters) {
    return taps_of(p) * (filter * p->in.channels + channel * filters);
}

/* The most tiles of a narrow layer's block; 0: the workspace limit holds none. */
static size_t narrow_tiles(const stoa_context *context, const struct stoa_winograd *p) {
    size_t row = stoa_max(p->in.channels, STOA_WINOGRAD_LANES);
    size_t bytes = p->points * (row + p->filters) * sizeof(float);
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

/* Cut into blocks of at most `tiles` tiles. A single block, as that of one image, is cut for a second thread
 * where both tasks pay: its tiles where there are several blocks of a product's rows, else its filters. */
static void cut_blocks_and_filters(const stoa_context *context, struct stoa_winograd *p, size_t tiles) {
    double products = stoa_winograd_rows(&p->grid) * (double)p->in.channels * (double)p->filters;
    size_t parts = p->grid.end > tiles ? 1 : stoa_conv_least_tasks(context, p->grid.batch, products);
    bool filters = parts > 1 && p->grid.end < TILE_UNIT && p->filters >= parts * STOA_PRODUCT_LANES;
    p->range_filters =
        filters ? stoa_round_up(stoa_ceil_div(p->filters, parts), STOA_PRODUCT_LANES) : p->filters;
    parts = p->grid.end < TILE_UNIT ? 1 : parts;
    stoa_winograd_cut_full(&p->grid, stoa_min(tiles, stoa_ceil_div(p->grid.end, parts)), true);
}

/* Where a narrow layer's transformed weights of a range of filters begin; those of all ranges end at the
 * number of ranges. */
static size_t narrow_at(const struct stoa_winograd *p, size_t range) {
    return range * p->points * p->right_step;
}

static bool cut_narrow(const stoa_context *context, struct stoa_winograd *p) {
    p->own_inputs = true;
    p->range_channels = p->in.channels;
    size_t tiles = narrow_tiles(context, p);
    p->narrow = tiles > 0 && p->in.channels * p->filters <= context->tuning->winograd_narrow_floats;
    if (!p->narrow) {
        return false;
    }
    cut_blocks_and_filters(context, p, tiles);
    p->chunk = p->grid.blocks;
    (void)stoa_winograd_size(p, tiles);
    size_t copy = narrow_at(p, stoa_winograd_filter_ranges(p)) * sizeof(float);
    p->own_right = copy <= context->tuning->winograd_own_bytes &&
                   stoa_conv_shared_fits(context, copy * context->threads);
    p->narrow = stoa_conv_shared_fits(context, copy);
    return p->narrow;
}

/* The most tiles of a wide layer's block; 0: the workspace limit holds none. Where there is `room`, sums may
 * take half as much again as a thread may use. They do not stay in L2 then, but each is added to only once a
 * range of channels, and weights are transformed for more tiles at a time, which is up to 1.1 times as
 * fast. */
static size_t wide_tiles(const stoa_context *context, struct stoa_winograd *p, bool room) {
    size_t limit = context->workspace_limit / sizeof(float);
    p->own_inputs = false;
    p->range_channels = stoa_min(context->tuning->winograd_channels, p->in.channels);
    p->range_filters = stoa_min(context->tuning->winograd_filters, p->filters);
    while (p->range_channels > 1 && stoa_winograd_size(p, TILE_UNIT) > context->workspace_limit) {
        p->range_channels /= 2;
    }
    size_t fixed = stoa_winograd_size(p, 0) / sizeof(float) + p->points * STOA_ALIGN_FLOATS;
    size_t tiles = limit > fixed ? (limit - fixed) / (p->points * p->range_filters) : 0;
    if (tiles > 0 && room) {
        tiles = (limit + limit / 2 - fixed) / (p->points * p->range_filters);
    }
    return stoa_min(tiles, stoa_winograd_fitting(p, STOA_WINOGRAD_CHUNK_LIMITS * context->workspace_limit));
}

static bool cut_blocks(const stoa_context *context, struct stoa_winograd *p, bool room) {
    size_t tiles = wide_tiles(context, p, room);
    if (tiles == 0) {
        return false;
    }
    stoa_winograd_cut_even(&p->grid, tiles, true);
    (void)stoa_winograd_size(p, stoa_winograd_block_tiles(p));
    return true;
}

/* Threads that take half as much again must leave the limit of what threads share to copies of tiles. How
 * many blocks there are with less memory counts as little as the number of threads, so both choices cost
 * alike. */
static bool cut_wide(const stoa_context *context, struct stoa_winograd *p) {
    p->kept = false; /* its prepared weights are gathered, not transformed */
    bool room = context->threads / 2 + STOA_WINOGRAD_CHUNK_LIMITS < STOA_CONV_SHARED_LIMITS;
    p->own_right = true;
    if (!cut_blocks(context, p, true)) {
        return false;
    }
    p->transforms = p->grid.blocks;
    if (!room && !cut_blocks(context, p, false)) {
        return false;
    }
    size_t block = p->block_floats * sizeof(float);
    size_t blocks = p->grid.blocks;
    size_t limit = STOA_WINOGRAD_CHUNK_LIMITS * context->workspace_limit;
    p->own_inputs = stoa_conv_shared_fits(context, context->threads *
                                                       (block + (room ? context->workspace_limit / 2 : 0)));
    p->chunk =
        p->own_inputs ? blocks : stoa_ceil_div(blocks, stoa_ceil_div(blocks, stoa_max(1, limit / block)));
    return true;
}

bool stoa_winograd_forward_plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct stoa_winograd *p = (void *)plan->cut.bytes;
    if ((!cut_narrow(context, p) && !cut_wide(context, p)) || !stoa_winograd_place(context, plan)) {
        return false;
    }
    if (plan->pass == STOA_CONV_FORWARD) {
        size_t floats = p->narrow ? narrow_at(p, stoa_winograd_filter_ranges(p))
                                  : taps_of(p) * p->in.channels * p->filters;
        plan->prepared_bytes = floats * sizeof(float);
    }
    return true;
}

/* Gather the weights of channels [channel, channel + channels) of filters [filter, filter + filters),
 * [taps][taps][channels][filters]; to_data they are transposed and their taps backwards, half a turn. Taps
 * beyond the kernel's end are 0. */
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
    for (size_t c = 0; !p->to_data && c < channels;) {
        struct stoa_winograd_taps from;
        size_t at;
        size_t together = stoa_winograd_phase(&p->in, p->filters, channel + c, channels - c, &from, &at);
        for (size_t tap = 0; tap < taps * taps; tap++) {
            size_t line = tap / taps;
            size_t column = tap % taps;
            float *to = w + tap * floats + c * filters;
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

static size_t groups_of_rows(const struct stoa_winograd *p) {
    return stoa_ceil_div(p->in.channels, WEIGHT_ROWS);
}

/* Transform a narrow layer's weights of some channels and a range of filters, all points. */
static void transform_rows(const struct stoa_winograd_run *r, size_t group, size_t range, float *u) {
    const struct stoa_winograd *p = r->p;
    const size_t most = STOA_SCRATCH_FLOATS / (WEIGHT_ROWS * taps_of(p));
    size_t channel = group * WEIGHT_ROWS;
    size_t channels = stoa_min(WEIGHT_ROWS, p->in.channels - channel);
    size_t first = range * p->range_filters;
    size_t width = stoa_min(p->range_filters, p->filters - first);
    float *w = stoa_scratch();
    for (size_t filter = 0; filter < width; filter += most) {
        size_t filters = stoa_min(most, width - filter);
        gather_weights(r, channel, channels, first + filter, filters, w);
        r->context->kernels->winograd_weights(p->grid.points, p->in.taps, 0, p->grid.points, w, channels,
                                              filters, u + channel * width + filter, width, p->right_step);
    }
}

static void prepare_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct stoa_winograd_run *r = argument;
    size_t range = task / groups_of_rows(r->p);
    transform_rows(r, task % groups_of_rows(r->p), range, r->shared.right + narrow_at(r->p, range));
}

static void prepare_range(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct stoa_winograd_run *r = argument;
    const struct stoa_winograd *p = r->p;
    size_t filter = task * p->range_filters;
    size_t filters = stoa_min(p->range_filters, p->filters - filter);
    for (size_t channel = 0; channel < p->in.channels; channel += p->range_channels) {
        gather_weights(r, channel, stoa_min(p->range_channels, p->in.channels - channel), filter, filters,
                       r->shared.right + gathered_at(p, channel, filter, filters));
    }
}

void stoa_winograd_forward_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                                   const float *weight, float *prepared) {
    const struct stoa_winograd *p = (const void *)plan->cut.bytes;
    struct stoa_winograd_run r = {
        .context = context, .p = p, .weight = weight, .shared = {.right = prepared}};
    stoa_parallel(context, stoa_winograd_filter_ranges(p) * (p->narrow ? groups_of_rows(p) : 1),
                  p->narrow ? prepare_rows : prepare_range, &r);
}

/* A narrow layer's transformed weights of a range. A thread that has its own makes them before its first
 * block. */
static const float *narrow_weights(const struct stoa_winograd_run *r, const struct stoa_winograd_part *part,
                                   size_t range) {
    float *own = part->right + narrow_at(r->p, range);
    size_t *ready = part->ready + stoa_winograd_channel_ranges(r->p) + range;
    if (r->prepared) {
        return r->prepared + narrow_at(r->p, range);
    }
    for (size_t group = 0; *ready == 0 && group < groups_of_rows(r->p); group++) {
        transform_rows(r, group, range, own);
    }
    *ready = 1;
    return own;
}

/* A wide layer's gathered weights of a range, which are prepared or made now. */
static const float *wide_weights(const struct stoa_winograd_run *r, const struct stoa_winograd_part *part,
                                 size_t channel, size_t channels, size_t filter, size_t filters) {
    if (r->prepared) {
        return r->prepared + gathered_at(r->p, channel, filter, filters);
    }
    gather_weights(r, channel, channels, filter, filters, part->taps);
    return part->taps;
}

/* Set M of a range of filters to V U where products are so small that the choice of their way would take a
 * third of the time: the kernel is called at once. */
static void multiply_few(const struct stoa_winograd_run *r, const struct stoa_winograd_part *part,
                         const struct stoa_winograd_block *block, struct stoa_winograd_matrix v,
                         const float *u, size_t filters) {
    const struct stoa_winograd *p = r->p;
    size_t term[MOST_TERMS];
    struct stoa_gather gather = {.step = v.row, .term = term};
    for (size_t l = 0; l < p->in.channels; l++) {
        term[l] = l;
    }
    for (size_t point = 0; point < p->points; point++) {
        const struct stoa_winograd_span rows = stoa_winograd_span_of(&r->grid, block, point);
        size_t row = rows.begin - block->first;
        gather.run = rows.stop - rows.begin;
        r->context->kernels->product(&gather, gather.run, filters, p->in.channels,
                                     v.at + point * p->input_step + row * v.row, u + point * p->right_step,
                                     filters, NULL, part->sums + point * p->sums_step + row * filters,
                                     filters);
    }
}

/* Set M of a range of filters to V U over a range of channels, or add it to M. */
static void add_products(const struct stoa_winograd_run *r, const struct stoa_winograd_part *part,
                         const struct stoa_winograd_block *block, size_t channel, size_t filter,
                         size_t filters) {
    const struct stoa_winograd *p = r->p;
    size_t channels = stoa_min(p->range_channels, p->in.channels - channel);
    size_t in_lines = p->narrow ? p->points : STOA_WINOGRAD_WIDE_LINES * p->grid.points;
    bool last = channel + channels == p->in.channels;
    const float *w = p->narrow ? NULL : wide_weights(r, part, channel, channels, filter, filters);
    const float *u = p->narrow ? narrow_weights(r, part, filter / p->range_filters) : part->right;
    const struct stoa_winograd_matrix v = stoa_winograd_inputs(r, part, block, channel);
    if (p->narrow && block->end - block->first < LEAST_TILES && channels <= MOST_TERMS) {
        multiply_few(r, part, block, v, u, filters);
        return;
    }
    for (size_t point = 0; point < p->points; point++) {
        const struct stoa_winograd_span rows = stoa_winograd_span_of(&r->grid, block, point);
        size_t row = rows.begin - block->first;
        if (!p->narrow && point % in_lines == 0) {
            r->context->kernels->winograd_weights(p->grid.points, p->in.taps, point / p->grid.points,
                                                  STOA_WINOGRAD_WIDE_LINES, w, channels, filters, part->right,
                                                  filters, p->right_step);
        }
        const float *a = v.at + point * p->input_step;
        stoa_gemm_run(r->context,
                      &(struct stoa_gemm){.m = rows.stop - rows.begin,
                                          .n = filters,
                                          .k = channels,
                                          .alpha = 1,
                                          .a = a + row * v.row,
                                          .lda = v.row,
                                          .next_a = last && point + 1 == p->points ? NULL : a + p->input_step,
                                          .b = u + point % in_lines * p->right_step,
                                          .ldb = filters,
                                          .beta = channel == 0 ? 0.0F : 1.0F,
                                          .c = part->sums + point * p->sums_step + row * filters,
                                          .ldc = filters});
    }
}

/* Write the outputs of filters [filter, filter + filters) from M, with bias and ReLU. */
static void write_outputs(const struct stoa_winograd_run *r, const struct stoa_winograd_block *block,
                          size_t filter, size_t filters, const float *sums) {
    const struct stoa_winograd *p = r->p;
    const struct stoa_window *w = &p->in.window;
    const float *bias = r->run->bias ? r->run->bias + filter : NULL;
    for (size_t i = block->first; i < block->end; i++, sums += filters) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&r->grid, block, i, &tile);
        float *y = p->to_data ? r->run->dx : r->run->y;
        size_t pixel = image * w->out_height * w->out_width; /* the first one of the image */
        r->context->kernels->winograd_output(&tile, p->grid.points, sums, p->sums_step, filters, bias,
                                             r->run->relu, y + pixel * p->filters + filter,
                                             w->out_width * p->filters, p->filters);
        for (size_t line = 0; r->run->finish.map && line < tile.height; line++) {
            stoa_finish_pixels(&r->run->finish, y, p->filters, p->filters,
                               pixel + (tile.row + line) * w->out_width + tile.column, tile.width, filter,
                               filters);
        }
    }
}

/* Run a range of filters of a block of the chunk. Tasks of a block are neighbours. */
static void run_range(void *argument, size_t task, size_t thread) {
    const struct stoa_winograd_run *r = argument;
    const struct stoa_winograd *p = r->p;
    size_t ranges = stoa_winograd_filter_ranges(p);
    size_t filter = task % ranges * p->range_filters;
    size_t filters = stoa_min(p->range_filters, p->filters - filter);
    const struct stoa_winograd_part part = stoa_winograd_part_of(r, thread);
    const struct stoa_winograd_block block = stoa_winograd_block_of(&r->grid, r->chunk + task / ranges);
    for (size_t channel = 0; channel < p->in.channels; channel += p->range_channels) {
        add_products(r, &part, &block, channel, filter, filters);
    }
    write_outputs(r, &block, filter, filters, part.sums);
}

/* Weights that threads share are prepared now where nobody has prepared them. */
void stoa_winograd_forward_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    struct stoa_winograd_run r = stoa_winograd_begin(plan, run);
    if (!r.prepared && !r.p->own_right) {
        stoa_winograd_forward_prepare(run->context, plan, run->weight, r.shared.right);
        r.prepared = r.shared.right;
    }
    stoa_winograd_run_chunks(&r, stoa_winograd_filter_ranges(r.p), run_range);
}
