/* SPDX-License-Identifier: MIT */
#include "conv/winograd_grid.h"

#include "base/size.h"

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

/* The blocks of so many images, which are one half or what is left of the batch. */
static size_t blocks_in(const struct stoa_winograd_grid *grid, size_t images) {
    size_t in_group = grid->group * grid->in_image;
    size_t rest = images % grid->group * grid->in_image;
    return images / grid->group * stoa_ceil_div(in_group, grid->block) + stoa_ceil_div(rest, grid->block);
}

static void take(struct stoa_winograd_grid *grid, size_t batch, size_t half) {
    grid->batch = batch;
    grid->half = half;
    grid->end = batch * grid->in_image;
    grid->blocks = blocks_in(grid, half) + blocks_in(grid, batch - half);
}

struct stoa_winograd_grid stoa_winograd_grid_with(const struct stoa_winograd_grid *planned, size_t batch) {
    struct stoa_winograd_grid grid = *planned;
    take(&grid, batch, planned->half < planned->batch ? stoa_ceil_div(batch, 2) : batch);
    return grid;
}

/* Cut groups of `images` images, each into the fewest equal blocks; `half` has those of one half. */
static void cut_groups(struct stoa_winograd_grid *grid, size_t tiles, size_t images, size_t half) {
    size_t in_group = images * grid->in_image;
    grid->group = images;
    grid->block = stoa_ceil_div(in_group, stoa_ceil_div(in_group, tiles));
    take(grid, grid->batch, half);
}

/* The tiles of that half of the blocks which has more: of two threads one waits for the other. */
static size_t longer_half(const struct stoa_winograd_grid *grid) {
    size_t end = stoa_winograd_block_of(grid, stoa_ceil_div(grid->blocks, 2) - 1).end;
    return stoa_max(end, grid->end - end);
}

/* A group has the fewest images whose tiles fill some blocks best. */
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
    /* A gain of a sixteenth pays for the blocks that are not full. */
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

struct stoa_winograd_block stoa_winograd_block_of(const struct stoa_winograd_grid *grid, size_t number) {
    size_t in_half = blocks_in(grid, grid->half);
    size_t half = number / in_half;
    size_t in_group = stoa_ceil_div(grid->group * grid->in_image, grid->block);
    size_t left = number - half * in_half;
    struct stoa_winograd_block b = {.number = number,
                                    .image = half * grid->half + left / in_group * grid->group};
    size_t images = stoa_min(grid->group, stoa_min(grid->batch, (half + 1) * grid->half) - b.image);
    b.start = b.image * grid->in_image;
    b.whole = b.start + (grid->rest_height ? images * grid->across : 0);
    b.beside = b.whole + images * grid->down * grid->across;
    b.corner = b.beside + (grid->rest_width ? images * grid->down : 0);
    b.first = b.start + left % in_group * grid->block;
    b.end = stoa_min(b.first + grid->block, b.start + images * grid->in_image);
    return b;
}

size_t stoa_winograd_locate(const struct stoa_winograd_grid *grid, const struct stoa_winograd_block *block,
                            size_t number, struct stoa_winograd_tile *tile) {
    bool low = number < block->whole || number >= block->corner;
    bool slim = number >= block->beside;
    size_t columns = slim ? 1 : grid->across; /* the number of tiles of this kind in an image */
    size_t tiles = low ? columns : grid->down * columns;
    number -= number < block->whole    ? block->start
              : number < block->beside ? block->whole
              : number < block->corner ? block->beside
                                       : block->corner;
    size_t image = number / tiles;
    size_t row = (number - image * tiles) / columns;
    size_t column = number - image * tiles - row * columns;
    *tile = (struct stoa_winograd_tile){.row = ((low ? grid->down : 0) + row) * grid->tile,
                                        .column = ((slim ? grid->across : 0) + column) * grid->tile,
                                        .height = low ? grid->rest_height : grid->tile,
                                        .width = slim ? grid->rest_width : grid->tile,
                                        .taps = grid->taps};
    return block->image + image;
}

/* Tiles with fewer rows of outputs lack the points of the last ones, and likewise those with fewer
 * columns. */
struct stoa_winograd_span stoa_winograd_span_of(const struct stoa_winograd_grid *grid,
                                                const struct stoa_winograd_block *block, size_t point) {
    bool low = point / grid->points < grid->rest_height + grid->taps - 1;
    bool slim = point % grid->points < grid->rest_width + grid->taps - 1;
    size_t stop = !slim ? block->beside : !low ? block->corner : block->end;
    struct stoa_winograd_span tiles = {.begin = stoa_max(block->first, low ? block->start : block->whole)};
    tiles.stop = stoa_max(tiles.begin, stoa_min(block->end, stop));
    return tiles;
}

double stoa_winograd_rows(const struct stoa_winograd_grid *grid) {
    double high = (double)(grid->down * grid->points);
    double wide = (double)(grid->across * grid->points);
    double short_height = grid->rest_height ? (double)(grid->rest_height + grid->taps - 1) : 0;
    double short_width = grid->rest_width ? (double)(grid->rest_width + grid->taps - 1) : 0;
    return (double)grid->batch * (high + short_height) * (wide + short_width);
}
