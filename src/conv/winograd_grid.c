/* SPDX-License-Identifier: MIT */
/* The tiles of Winograd's convolution in their order, what they read and what they write: see winograd.h. */
#include <assert.h>

#include "base/scratch.h"
#include "base/size.h"
#include "conv/cost.h"
#include "conv/winograd.h"

struct stoa_winograd_grid stoa_winograd_grid_of(size_t points, size_t taps, size_t batch, size_t out_height,
                                                size_t out_width) {
    size_t tile = points + 1 - taps;
    struct stoa_winograd_grid grid = {
        .tile = tile,
        .points = points,
        .taps = taps,
        .down = out_height / tile,
        .across = out_width / tile,
        .rest_height = out_height % tile,
        .rest_width = out_width % tile,
        .in_image = stoa_ceil_div(out_height, tile) * stoa_ceil_div(out_width, tile),
        .batch = batch,
        .half = batch,
        .group = batch,
        .blocks = 1,
    };
    grid.block = grid.end = batch * grid.in_image;
    return grid;
}

/* Blocks of so many images that are one half, or what is left of the batch. */
static size_t blocks_in(const struct stoa_winograd_grid *grid, size_t images) {
    size_t in_group = grid->group * grid->in_image;
    size_t rest = images % grid->group * grid->in_image;
    return images / grid->group * stoa_ceil_div(in_group, grid->block) + stoa_ceil_div(rest, grid->block);
}

/* Groups of `images`, each cut into the fewest equal blocks; `half`: those of one half. */
static void cut_groups(struct stoa_winograd_grid *grid, size_t tiles, size_t images, size_t half) {
    size_t in_group = images * grid->in_image;
    grid->half = half;
    grid->group = images;
    grid->block = stoa_ceil_div(in_group, stoa_ceil_div(in_group, tiles));
    grid->blocks = blocks_in(grid, half) + blocks_in(grid, grid->batch - half);
}

/* The tiles of the first or of the second half of the blocks, whichever are more: of two threads one waits
 * for the other. */
static size_t longer_half(const struct stoa_winograd_grid *grid) {
    size_t first;
    size_t end;
    stoa_winograd_block(grid, stoa_ceil_div(grid->blocks, 2) - 1, &first, &end);
    return stoa_max(end, grid->end - end);
}

/* The fewest images whose tiles fill some blocks best. */
void stoa_winograd_cut_full(struct stoa_winograd_grid *grid, size_t tiles, bool pairs) {
    enum { BLOCKS = 3, GAIN = 16 };
    size_t most = stoa_max(1, BLOCKS * tiles / grid->in_image);
    size_t best = 1;
    double fullest = 0;
    for (size_t images = 1; images <= most; images++) {
        size_t in_group = images * grid->in_image;
        double full = (double)in_group / (double)(stoa_ceil_div(in_group, tiles) * tiles);
        if (full > fullest) {
            fullest = full;
            best = images;
        }
    }
    cut_groups(grid, tiles, best, grid->batch);
    struct stoa_winograd_grid halves = *grid;
    cut_groups(&halves, tiles, best, stoa_ceil_div(grid->batch, 2));
    /* A sixteenth pays for the blocks that are not full. */
    if (pairs && longer_half(&halves) < longer_half(grid) - longer_half(grid) / GAIN) {
        *grid = halves;
    }
}

void stoa_winograd_cut_even(struct stoa_winograd_grid *grid, size_t tiles, bool pairs) {
    size_t most = stoa_max(1, tiles / grid->in_image);
    size_t groups = stoa_ceil_div(grid->batch, most);
    groups += pairs && groups > 1 && groups % 2 == 1 && groups < grid->batch;
    cut_groups(grid, tiles, stoa_ceil_div(grid->batch, groups), grid->batch);
}

void stoa_winograd_block(const struct stoa_winograd_grid *grid, size_t number, size_t *first, size_t *end) {
    size_t in_group = grid->group * grid->in_image;
    size_t blocks = stoa_ceil_div(in_group, grid->block);
    size_t in_half = blocks_in(grid, grid->half);
    size_t half = number / in_half;
    size_t half_end = stoa_min(grid->end, (half + 1) * grid->half * grid->in_image);
    number -= half * in_half;
    size_t start = half * grid->half * grid->in_image + number / blocks * in_group;
    *first = start + number % blocks * grid->block;
    *end = stoa_min(stoa_min(*first + grid->block, start + in_group), half_end);
}

struct stoa_winograd_group stoa_winograd_group_of(const struct stoa_winograd_grid *grid, size_t number) {
    size_t image = number / grid->in_image;
    size_t half = image / grid->half * grid->half;
    struct stoa_winograd_group g = {.image = half + (image - half) / grid->group * grid->group};
    size_t images = stoa_min(grid->group, stoa_min(grid->batch, half + grid->half) - g.image);
    g.first = g.image * grid->in_image;
    g.whole = g.first + (grid->rest_height ? images * grid->across : 0);
    g.beside = g.whole + images * grid->down * grid->across;
    g.corner = g.beside + (grid->rest_width ? images * grid->down : 0);
    g.end = g.first + images * grid->in_image;
    return g;
}

size_t stoa_winograd_locate(const struct stoa_winograd_grid *grid, const struct stoa_winograd_group *group,
                            size_t number, struct stoa_winograd_tile *tile) {
    *tile = (struct stoa_winograd_tile){.height = grid->tile, .width = grid->tile, .taps = grid->taps};
    size_t rows = grid->down; /* of tiles of this kind in an image */
    size_t columns = grid->across;
    size_t row = 0;
    size_t column = 0;
    if (number < group->whole) {
        number -= group->first;
        rows = 1;
        row = grid->down;
        tile->height = grid->rest_height;
    } else if (number < group->beside) {
        number -= group->whole;
    } else if (number < group->corner) {
        number -= group->beside;
        columns = 1;
        column = grid->across;
        tile->width = grid->rest_width;
    } else {
        number -= group->corner;
        rows = columns = 1;
        row = grid->down;
        column = grid->across;
        tile->height = grid->rest_height;
        tile->width = grid->rest_width;
    }
    size_t image = number / (rows * columns);
    size_t in_image = number - image * rows * columns;
    row += in_image / columns;
    column += in_image % columns;
    tile->row = row * grid->tile;
    tile->column = column * grid->tile;
    return group->image + image;
}

struct stoa_winograd_ranges stoa_winograd_ranges_of(const struct stoa_winograd_grid *grid, size_t first,
                                                    size_t end) {
    enum { LOW = 2, NARROW = 1, KINDS = 4 };
    const struct stoa_winograd_group g = stoa_winograd_group_of(grid, first);
    struct stoa_winograd_ranges ranges = {{0}, {0}, {0}};
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t from = kind & LOW ? g.first : g.whole;
        size_t to = !(kind & NARROW) ? g.beside : !(kind & LOW) ? g.corner : g.end;
        ranges.begin[kind] = stoa_max(first, from);
        ranges.stop[kind] = stoa_max(ranges.begin[kind], stoa_min(end, to));
    }
    uint8_t *kind = ranges.kind;
    for (size_t line = 0; line < grid->points; line++) {
        bool low = line < grid->rest_height + grid->taps - 1;
        for (size_t column = 0; column < grid->points; column++) {
            bool narrow = column < grid->rest_width + grid->taps - 1;
            *kind++ = (uint8_t)((low ? LOW : 0) + (narrow ? NARROW : 0));
        }
    }
    return ranges;
}

double stoa_winograd_rows(const struct stoa_winograd_grid *grid) {
    double high = (double)(grid->down * grid->points);
    double wide = (double)(grid->across * grid->points);
    double short_height = grid->rest_height ? (double)(grid->rest_height + grid->taps - 1) : 0;
    double short_width = grid->rest_width ? (double)(grid->rest_width + grid->taps - 1) : 0;
    return (double)grid->batch * (high + short_height) * (wide + short_width);
}

size_t stoa_winograd_step(size_t floats) {
    return stoa_round_up(floats, STOA_ALIGN_FLOATS) + STOA_WINOGRAD_GAP;
}

/* Taps beyond the kernel's end cost products, and accuracy: they may be half as many again as the others. */
bool stoa_winograd_fits(const stoa_context *context, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    size_t kernel = w->kernel_height;
    size_t stride = w->stride_height;
    if (context->policy != STOA_POLICY_DEFAULT || conv->groups != 1 || w->dilation_height != 1 ||
        w->dilation_width != 1 || w->kernel_width != kernel || w->stride_width != stride ||
        w->pad_top >= kernel || w->pad_left >= kernel || kernel > STOA_WINOGRAD_MOST_TAPS * stride) {
        return false;
    }
    size_t taken = stoa_round_up(kernel, stride);
    return taken >= STOA_WINOGRAD_LEAST_TAPS * stride && 2 * taken * taken <= 3 * kernel * kernel;
}

/* Fewer numbers than a vector has are copied to and fro. */
double stoa_winograd_vectors(const stoa_context *context, size_t channels) {
    size_t width = stoa_cost_lanes(context);
    return channels < width ? 4 * (double)width : (double)stoa_round_up(channels, width);
}

struct stoa_winograd_input stoa_winograd_input_of(const struct stoa_window *window) {
    size_t stride = window->stride_height;
    size_t channels = window->channels * stride * stride;
    return (struct stoa_winograd_input){.window = *window,
                                        .taps = stoa_ceil_div(window->kernel_height, stride),
                                        .stride = stride,
                                        .channels = channels,
                                        .row = stoa_max(channels, STOA_WINOGRAD_LANES)};
}

size_t stoa_winograd_patch(const struct stoa_winograd_input *in, size_t points) {
    bool in_place = in->stride == 1 && in->channels >= STOA_WINOGRAD_LANES;
    return in_place ? 0
                    : stoa_round_up(points * points * in->channels + STOA_WINOGRAD_LANES, STOA_ALIGN_FLOATS);
}

size_t stoa_winograd_phase(const struct stoa_winograd_input *in, size_t filters, size_t channel,
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
    return channels - channel % channels;
}

/* What the tile to the right reads beyond this one's patch: columns too few for a hardware prefetcher to
 * follow. */
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

/* The patch of a tile put together: columns of a window as large as its step. */
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

void stoa_winograd_some_inputs(const stoa_context *context, const struct stoa_winograd_input *in,
                               const struct stoa_winograd_grid *grid, const float *x, size_t channel,
                               size_t channels, size_t first, size_t end, float *patch, float *v, size_t row,
                               size_t v_step) {
    const struct stoa_window *w = &in->window;
    bool in_place = stoa_winograd_patch(in, grid->points) == 0;
    assert(!in_place || channels >= STOA_WINOGRAD_LANES);
    const struct stoa_winograd_group group = stoa_winograd_group_of(grid, first);
    for (size_t i = first; i < end; i++, v += row) {
        struct stoa_winograd_tile tile;
        size_t number = stoa_winograd_locate(grid, &group, i, &tile);
        const float *image = x + number * w->height * w->width * w->channels;
        if (in_place) {
            context->kernels->winograd_input(w, &tile, grid->points, channels, image + channel, v, v_step);
            continue;
        }
        gather(context, in, &tile, image, patch);
        fetch_next(in, &tile, image);
        struct stoa_window dense = {.height = stoa_winograd_lines(&tile),
                                    .width = stoa_winograd_columns(&tile),
                                    .channels = in->channels};
        tile.row = tile.column = 0;
        context->kernels->winograd_input(&dense, &tile, grid->points, channels, patch + channel, v, v_step);
    }
}

void stoa_winograd_inputs(const stoa_context *context, const struct stoa_winograd_input *in,
                          const struct stoa_winograd_grid *grid, const float *x, size_t first, size_t end,
                          float *patch, float *v, size_t v_step) {
    stoa_winograd_some_inputs(context, in, grid, x, 0, in->channels, first, end, patch, v, in->row, v_step);
}

void stoa_winograd_outputs(const stoa_context *context, const struct stoa_winograd *p,
                           const struct stoa_winograd_grid *grid, size_t first, size_t end, size_t filter,
                           size_t filters, const float *sums, size_t sums_step) {
    const struct stoa_window *w = &p->in.window;
    const float *bias = p->bias ? p->bias + filter : NULL;
    const struct stoa_winograd_group group = stoa_winograd_group_of(grid, first);
    for (size_t i = first; i < end; i++, sums += filters) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(grid, &group, i, &tile);
        float *y = p->y + image * w->out_height * w->out_width * p->filters + filter;
        context->kernels->winograd_output(&tile, grid->points, sums, sums_step, filters, bias, p->relu, y,
                                          w->out_width * p->filters, p->filters);
    }
}
