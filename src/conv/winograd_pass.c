/* SPDX-License-Identifier: MIT */
#include "conv/winograd_pass.h"

#include <stdint.h>
#include <string.h>

#include "base/scratch.h"
#include "base/size.h"

struct stoa_winograd_input stoa_winograd_input_of(const struct stoa_window *window, size_t points) {
    size_t stride = window->stride_height;
    size_t channels = window->channels * stride * stride;
    bool in_place = stride == 1 && channels >= STOA_WINOGRAD_LANES;
    size_t patch = points * points * channels + STOA_WINOGRAD_LANES;
    return (struct stoa_winograd_input){.window = *window,
                                        .taps = stoa_ceil_div(window->kernel_height, stride),
                                        .stride = stride,
                                        .channels = channels,
                                        .patch = in_place ? 0 : stoa_round_up(patch, STOA_ALIGN_FLOATS)};
}

size_t stoa_winograd_phase(const struct stoa_winograd_input *in, size_t filters, size_t channel, size_t most,
                           struct stoa_winograd_taps *taps, size_t *at) {
    size_t channels = in->window.channels;
    size_t kernel = in->window.kernel_height;
    size_t line = channel / channels / in->stride;
    size_t column = channel / channels % in->stride;
    size_t tap = channels * filters;
    *taps = (struct stoa_winograd_taps){.count = in->taps,
                                        .lines = stoa_ceil_div(kernel - line, in->stride),
                                        .columns = stoa_ceil_div(kernel - column, in->stride),
                                        .line = in->stride * kernel * tap,
                                        .tap = in->stride * tap};
    *at = (line * kernel + column) * tap + channel % channels * filters;
    return stoa_min(most, channels - channel % channels);
}

/* Kernels write whole vectors, so in front of the channels of a short range there may be more. */
struct winograd_slice {
    size_t from, count; /* channels */
    size_t row;         /* floats that they take */
    size_t at;          /* where they begin in a block */
};

static struct winograd_slice slice_of(const struct stoa_winograd *p, size_t range) {
    size_t channel = range * p->range_channels;
    size_t all = p->in.channels;
    size_t lanes = stoa_min(STOA_WINOGRAD_LANES, all);
    struct winograd_slice s = {.from = stoa_min(channel, all - lanes)};
    s.count = stoa_max(lanes, stoa_min(p->range_channels, all - channel));
    s.row = stoa_max(STOA_WINOGRAD_LANES, s.count);
    s.at = range * p->points * p->input_step;
    return s;
}

static struct stoa_winograd_part carve(const struct stoa_winograd_room *room, struct stoa_carve *carve) {
    struct stoa_winograd_part part = {.ready = stoa_carve_sizes(carve, room->ready)};
    part.inputs = stoa_carve_floats(carve, room->inputs);
    part.patch = stoa_carve_floats(carve, room->patch);
    part.taps = stoa_carve_floats(carve, room->taps);
    part.right = stoa_carve_floats(carve, room->right);
    part.sums = stoa_carve_floats(carve, room->sums);
    return part;
}

/* Whether M lies over V: a point's sums lie where the tiles of the point before lay, which no product reads
 * any more and which are in the caches already. */
static bool sums_over_inputs(const struct stoa_winograd *p) {
    return p->narrow && !p->to_weights && p->range_filters == p->filters;
}

size_t stoa_winograd_size(struct stoa_winograd *p, size_t tiles) {
    const bool over = sums_over_inputs(p);
    size_t row = stoa_max(STOA_WINOGRAD_LANES, p->range_channels);
    size_t weights = p->range_channels * p->range_filters;
    size_t points = p->narrow       ? stoa_winograd_filter_ranges(p) * p->points
                    : p->to_weights ? p->points
                                    : STOA_WINOGRAD_WIDE_LINES * p->grid.points;
    p->input_step = stoa_winograd_step(tiles * (over ? stoa_max(row, p->filters) : row));
    p->right_step = stoa_winograd_step(p->to_weights ? tiles * p->filters : weights);
    p->sums_step =
        over ? p->input_step : stoa_winograd_step(p->to_weights ? weights : tiles * p->range_filters);
    p->block_floats = stoa_winograd_channel_ranges(p) * p->points * p->input_step;
    p->part =
        (struct stoa_winograd_room){.ready = stoa_winograd_channel_ranges(p) + stoa_winograd_filter_ranges(p),
                                    .patch = p->in.patch,
                                    .taps = p->narrow ? 0 : p->in.taps * p->in.taps * weights,
                                    .sums = p->points * p->sums_step + (over ? p->input_step : 0)};
    p->shared = (struct stoa_winograd_room){
        .taps = p->partials * stoa_winograd_gradient_step(p),
        .sums = p->to_weights ? STOA_WINOGRAD_BIAS_BLOCKS * stoa_winograd_bias_step(p) : 0};
    *(p->own_inputs ? &p->part.inputs : &p->shared.inputs) =
        over ? 0 : (p->own_inputs ? 1 : p->chunk) * p->block_floats;
    *(p->own_right ? &p->part.right : &p->shared.right) = p->kept ? 0 : points * p->right_step;
    struct stoa_carve part = {.memory = NULL};
    (void)carve(&p->part, &part);
    return part.overflow ? SIZE_MAX : part.bytes;
}

size_t stoa_winograd_fitting(struct stoa_winograd *p, size_t bytes) {
    (void)stoa_winograd_size(p, 1);
    size_t tile = stoa_winograd_channel_ranges(p) * stoa_max(STOA_WINOGRAD_LANES, p->range_channels);
    size_t first = p->block_floats;
    if (p->to_weights) {
        tile += p->filters;
        first += p->points * p->right_step;
    }
    size_t floats = bytes / sizeof(float);
    return floats < first ? 0 : 1 + (floats - first) / (p->points * tile);
}

bool stoa_winograd_place(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct stoa_winograd *p = (void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = NULL};
    size_t part = stoa_winograd_size(p, stoa_winograd_block_tiles(p));
    p->step = stoa_conv_thread_step(context, part / sizeof(float)) * sizeof(float);
    (void)carve(&p->shared, &room);
    (void)stoa_carve_bytes(&room, context->threads, p->step);
    plan->finishes = true;
    plan->bytes = room.bytes;
    return part < SIZE_MAX && !room.overflow;
}

struct stoa_winograd_part stoa_winograd_part_of(const struct stoa_winograd_run *r, size_t thread) {
    struct stoa_carve part = {.memory = r->parts + thread * r->p->step};
    return carve(&r->p->part, &part);
}

struct stoa_winograd_run stoa_winograd_begin(const struct stoa_conv_plan *plan,
                                             const struct stoa_conv_run *run) {
    const struct stoa_winograd *p = (const void *)plan->cut.bytes;
    struct stoa_carve room = {.memory = run->workspace};
    struct stoa_winograd_run r = {.context = run->context,
                                  .p = p,
                                  .grid = stoa_winograd_grid_with(&p->grid, run->batch),
                                  .x = p->to_data ? run->dy : run->x,
                                  .weight = run->weight,
                                  .prepared = run->prepared,
                                  .run = run};
    r.shared = carve(&p->shared, &room);
    r.parts = stoa_carve_bytes(&room, run->context->threads, p->step);
    for (size_t thread = 0; thread < run->context->threads; thread++) {
        size_t *ready = stoa_winograd_part_of(&r, thread).ready;
        STOA_ASSUME(ready);
        memset(ready, 0, p->part.ready * sizeof *ready);
    }
    return r;
}

/* Fetch what the tile to the right reads beyond this one's patch, too few columns for a hardware
 * prefetcher. */
static void fetch_next(const struct stoa_winograd_input *in, const struct stoa_winograd_tile *tile,
                       const float *image) {
    const struct stoa_window *w = &in->window;
    size_t top = tile->row * in->stride;
    size_t first = top - stoa_min(top, w->pad_top);
    size_t end = top + stoa_winograd_lines(tile) * in->stride;
    end = stoa_min(w->height, end - stoa_min(end, w->pad_top));
    size_t left = (tile->column + stoa_winograd_columns(tile)) * in->stride;
    left = stoa_min(w->width, left - stoa_min(left, w->pad_left));
    size_t right = stoa_min(w->width, left + tile->width * in->stride);
    for (size_t line = first; line < end; line++) {
        const float *at = image + line * w->width * w->channels;
        for (size_t i = left * w->channels; i < right * w->channels; i += STOA_ALIGN_FLOATS) {
            __builtin_prefetch(at + i);
        }
    }
}

/* Put the patch of a tile together, which is columns of a window as large as its step. */
static void gather(const stoa_context *context, const struct stoa_winograd_input *in,
                   const struct stoa_winograd_tile *tile, const float *image, float *patch) {
    struct stoa_window steps = in->window;
    steps.kernel_height = steps.kernel_width = in->stride;
    steps.out_height = tile->row + stoa_winograd_lines(tile);
    steps.out_width = stoa_winograd_columns(tile);
    steps.out_left = tile->column;
    context->kernels->im2col(&steps, image, 0, steps.channels, tile->row, stoa_winograd_lines(tile),
                             stoa_scratch(), patch);
}

/* Transform tiles [first, end) of a block to their rows of its v, `ranges` ranges of channels from `range`
 * on. */
static void transform_inputs(const struct stoa_winograd_run *r, const struct stoa_winograd_block *block,
                             size_t first, size_t end, size_t range, size_t ranges, float *patch, float *v) {
    const struct stoa_winograd *p = r->p;
    const struct stoa_winograd_input *in = &p->in;
    for (size_t i = first; i < end; i++) {
        struct stoa_winograd_tile tile;
        struct stoa_window read = in->window;
        size_t image = stoa_winograd_locate(&r->grid, block, i, &tile);
        const float *x = r->x + image * read.height * read.width * read.channels;
        if (in->patch > 0) {
            gather(r->context, in, &tile, x, patch);
            fetch_next(in, &tile, x);
            read = (struct stoa_window){.height = stoa_winograd_lines(&tile),
                                        .width = stoa_winograd_columns(&tile),
                                        .channels = in->channels};
            tile.row = tile.column = 0;
            x = patch;
        }
        for (size_t k = range; k < range + ranges; k++) {
            const struct winograd_slice s = slice_of(p, k);
            r->context->kernels->winograd_input(&read, &tile, p->grid.points, s.count, x + s.from,
                                                v + s.at + (i - block->first) * s.row, p->input_step);
        }
    }
}

/* Transform filters [filter, filter + filters) of dy's tiles [first, end) to their places in the block's
 * z. */
static void transform_gradients(const struct stoa_winograd_run *r, const struct stoa_winograd_block *block,
                                size_t first, size_t end, size_t filter, size_t filters, float *z) {
    const struct stoa_winograd *p = r->p;
    const struct stoa_window *w = &p->in.window;
    z += (first - block->first) * p->filters + filter;
    for (size_t i = first; i < end; i++, z += p->filters) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&r->grid, block, i, &tile);
        const float *dy = r->run->dy + image * w->out_height * w->out_width * p->filters + filter;
        r->context->kernels->winograd_gradient(&tile, p->grid.points, dy, w->out_width * p->filters,
                                               p->filters, filters, z, p->right_step);
    }
}

static float *inputs_in(const struct stoa_winograd_run *r, const struct stoa_winograd_part *part,
                        const struct stoa_winograd_block *block) {
    if (sums_over_inputs(r->p)) {
        return part->sums + r->p->input_step;
    }
    return r->p->own_inputs ? part->inputs
                            : r->shared.inputs + (block->number - r->chunk) * r->p->block_floats;
}

static size_t pieces_of(const struct stoa_winograd *p) {
    return stoa_ceil_div(stoa_winograd_block_tiles(p), STOA_WINOGRAD_TILE_UNIT);
}

/* Transform some tiles of one of the chunk's blocks. */
static void transform_piece(void *argument, size_t task, size_t thread) {
    const struct stoa_winograd_run *r = argument;
    const struct stoa_winograd *p = r->p;
    const struct stoa_winograd_part part = stoa_winograd_part_of(r, thread);
    const struct stoa_winograd_block block = stoa_winograd_block_of(&r->grid, r->chunk + task / pieces_of(p));
    size_t first = stoa_min(block.end, block.first + task % pieces_of(p) * STOA_WINOGRAD_TILE_UNIT);
    size_t end = stoa_min(block.end, first + STOA_WINOGRAD_TILE_UNIT);
    transform_inputs(r, &block, first, end, 0, stoa_winograd_channel_ranges(p), part.patch,
                     inputs_in(r, &part, &block));
    if (p->to_weights) {
        transform_gradients(r, &block, first, end, 0, p->filters, r->shared.right);
    }
}

void stoa_winograd_run_chunks(struct stoa_winograd_run *r, size_t tasks, stoa_task_fn *work) {
    for (; r->chunk < r->grid.blocks; r->chunk += r->p->chunk) {
        size_t blocks = stoa_min(r->p->chunk, r->grid.blocks - r->chunk);
        if (!r->p->own_inputs) {
            stoa_parallel(r->context, blocks * pieces_of(r->p), transform_piece, r);
        }
        stoa_parallel(r->context, blocks * tasks, work, r);
    }
}

struct stoa_winograd_matrix stoa_winograd_inputs(const struct stoa_winograd_run *r,
                                                 const struct stoa_winograd_part *part,
                                                 const struct stoa_winograd_block *block, size_t channel) {
    const struct stoa_winograd *p = r->p;
    size_t range = channel / p->range_channels;
    const struct winograd_slice s = slice_of(p, range);
    size_t *ready = part->ready + range;
    float *v = inputs_in(r, part, block);
    if (p->own_inputs && *ready != block->number + 1) {
        transform_inputs(r, block, block->first, block->end, range, 1, part->patch, v);
        *ready = block->number + 1;
    }
    return (struct stoa_winograd_matrix){.at = v + s.at + (channel - s.from), .row = s.row};
}

struct stoa_winograd_matrix stoa_winograd_gradients(const struct stoa_winograd_run *r,
                                                    const struct stoa_winograd_part *part,
                                                    const struct stoa_winograd_block *block, size_t filter) {
    const struct stoa_winograd *p = r->p;
    size_t *ready = part->ready + stoa_winograd_channel_ranges(p) + filter / p->range_filters;
    float *z = p->own_right ? part->right : r->shared.right;
    if (p->own_right && *ready != block->number + 1) {
        transform_gradients(r, block, block->first, block->end, filter,
                            stoa_min(p->range_filters, p->filters - filter), z);
        *ready = block->number + 1;
    }
    return (struct stoa_winograd_matrix){.at = z + filter, .row = p->filters};
}
