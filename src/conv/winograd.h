/* What the passes of Winograd's convolution share: the tiles of a batch in their order. Floor 4; for src/conv/winograd*.c
 * only. */
#ifndef STOA_CONV_WINOGRAD_H
#define STOA_CONV_WINOGRAD_H

#include "conv/conv.h"
#include "kernels/winograd.h"

/* The tiles of a batch, numbered so that those which share points are neighbours:
 *
 *     below | whole | beside | corner
 *
 * Whole tiles have tile x tile outputs. What is left at the right edge of an image (beside) has fewer columns, at the
 * bottom (below) fewer lines, in the corner fewer of both; such a tile lacks the last points of its short side. So the
 * tiles that have a point are one range, whichever point. */
struct stoa_winograd_grid {
    size_t tile, points;               /* outputs and points a side of a whole tile */
    size_t down, across;               /* whole tiles in an image */
    size_t rest_height, rest_width;    /* outputs left */
    size_t whole, beside, corner, end; /* numbers: the first of each kind, and how many there are in all */
    size_t batch;
};

struct stoa_winograd_grid stoa_winograd_grid_of(size_t tile, size_t batch, size_t out_height,
                                                size_t out_width);

/* Tile `number`: its outputs, and its image. */
size_t stoa_winograd_locate(const struct stoa_winograd_grid *grid, size_t number,
                            struct stoa_winograd_tile *tile);

/* Which tiles of [first, end) have point `point`: the range [*begin, *stop) of them. */
void stoa_winograd_range(const struct stoa_winograd_grid *grid, size_t point, size_t first, size_t end,
                         size_t *begin, size_t *stop);

/* Rows of all points' matrices together: 1 / (2 C K) of the products' flops. */
double stoa_winograd_rows(const struct stoa_winograd_grid *grid);

/* Matrices lie this much further apart than they are long: at powers of two they would share a few lines of L1. */
enum { STOA_WINOGRAD_GAP = 48, STOA_WINOGRAD_TAPS = 3 };

/* Floats from the matrix of one point to the next one's. */
size_t stoa_winograd_step(size_t floats);

/* Whether a convolution is of the kind, and the context lets sums be reordered. */
bool stoa_winograd_fits(const stoa_context *context, const struct stoa_conv *conv);

/* Numbers that a transform of `channels` works on, counting what it pads; for costs. */
double stoa_winograd_vectors(const stoa_context *context, size_t channels);

#endif
