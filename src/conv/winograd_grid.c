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

/* Blocks of so many images that are one half, or what is left of the batch. */
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

/* Groups of `images`, each cut into the fewest equal blocks; `half`: those of one half. */
static void cut_groups(struct stoa_winograd_grid *grid, size_t tiles, size_t images, size_t half) {
    size_t in_group = images * grid->in_image;
    grid->group = images;
    grid->block = stoa_ceil_div(in_group, stoa_ceil_div(in_group, tiles));
    take(grid, grid->batch, half);
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
