/* SPDX-License-Identifier: MIT */
/* The tiles of a batch in their order, for Winograd's convolution only.
 *
 * They lie group of images after group. In a group, tiles that share points are numbered as neighbours:
 *
 *     below | whole | beside | corner
 *
 * Whole tiles have tile x tile outputs. What is left at the right edge of an image (beside) has fewer
 * columns, at the bottom (below) fewer rows, in the corner fewer of both; such a tile lacks the last points
 * of its short side. So the tiles of a group that have a point are one range, for every point.
 *
 * Tasks take blocks of tiles, each of one group. Groups are small, so that what a task reads and writes lies
 * together: where threads write between each other's cache lines, as they would also when one takes the
 * other's last task of a large group, the cache lines go from core to core. A batch may first be cut into
 * two halves, which have groups of their own. */
#ifndef STOA_CONV_WINOGRAD_GRID_H
#define STOA_CONV_WINOGRAD_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/winograd_tile.h"

struct stoa_winograd_grid {
    size_t tile, points, taps;      /* outputs and points a side of a whole tile; taps of the kernel */
    size_t down, across;            /* whole tiles of an image */
    size_t rest_height, rest_width; /* outputs that are left */
    size_t in_image, end;           /* tiles of an image, and all tiles */
    /* All images, those of the first half, and of a group; a half's last group may have fewer. */
    size_t batch, half, group;
    size_t block, blocks; /* most tiles of a block; how many blocks there are */
};

/* A grid with one block of all tiles. */
struct stoa_winograd_grid stoa_winograd_grid_of(size_t points, size_t taps, size_t batch, size_t out_height,
                                                size_t out_width);

/* Cut into blocks of at most `tiles` tiles, which is not 0: into full ones, the same for any batch, or for
 * long tasks into equal ones, of whole images where an image fits. With `pairs` both halves of the blocks
 * have as many tiles where the batch allows it, as most machines have an even number of CPUs. */
void stoa_winograd_cut_full(struct stoa_winograd_grid *grid, size_t tiles, bool pairs);
void stoa_winograd_cut_even(struct stoa_winograd_grid *grid, size_t tiles, bool pairs);

/* A grid's groups and blocks for a smaller batch. */
struct stoa_winograd_grid stoa_winograd_grid_with(const struct stoa_winograd_grid *planned, size_t batch);

/* A block, and the group it lies in. */
struct stoa_winograd_block {
    size_t number, first, end;           /* its tiles */
    size_t image;                        /* the group's first */
    size_t start, whole, beside, corner; /* the group's first tile, and that of each kind but the first */
};

struct stoa_winograd_block stoa_winograd_block_of(const struct stoa_winograd_grid *grid, size_t number);

/* Tile `number` of a block: its outputs, and its image. */
size_t stoa_winograd_locate(const struct stoa_winograd_grid *grid, const struct stoa_winograd_block *block,
                            size_t number, struct stoa_winograd_tile *tile);

/* The tiles of a block that have a point. */
struct stoa_winograd_span {
    size_t begin, stop;
};

struct stoa_winograd_span stoa_winograd_span_of(const struct stoa_winograd_grid *grid,
                                                const struct stoa_winograd_block *block, size_t point);

/* The rows of all points' matrices together: 1 / (2 C K) of the products' flops. */
double stoa_winograd_rows(const struct stoa_winograd_grid *grid);

#endif
