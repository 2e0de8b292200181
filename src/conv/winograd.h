/* SPDX-License-Identifier: MIT */
/* What the passes of Winograd's convolution share: the tiles of a batch in their order, for
 * src/conv/winograd*.c only. */
#ifndef STOA_CONV_WINOGRAD_H
#define STOA_CONV_WINOGRAD_H

#include <stdint.h>

#include "conv/conv.h"
#include "kernels/winograd.h"
#include "kernels/winograd_tile.h"

/* The tensor that tiles read, as one that stride 1 reads: of a larger stride, the pixels of a step are one
 * pixel, whose channel (i * stride + j) * C + c is channel c of the step's line i and column j. So its kernel
 * has a `stride`th of the taps, some of them beyond the kernel's own end. */
struct stoa_winograd_input {
    struct stoa_window window; /* of the tensor */
    size_t taps, stride;       /* a side */
    size_t channels;           /* of a pixel in the sense above */
    size_t row;                /* floats that they take transformed: at least those that a kernel writes */
};

struct stoa_winograd_input stoa_winograd_input_of(const struct stoa_window *window);

/* Floats that a thread needs to put a patch together: 0 where patches are read in place. */
size_t stoa_winograd_patch(const struct stoa_winograd_input *in, size_t points);

/* Channels from `channel` on that share taps in the weight [kernel][kernel][C][filters], which begin `*at`
 * floats into it. */
size_t stoa_winograd_phase(const struct stoa_winograd_input *in, size_t filters, size_t channel,
                           struct stoa_winograd_taps *taps, size_t *at);

/* The tiles of a batch, group of images after group, and in a group numbered so that those which share points
 * are neighbours:
 *
 *     below | whole | beside | corner
 *
 * Whole tiles have tile x tile outputs. What is left at the right edge of an image (beside) has fewer
 * columns, at the bottom (below) fewer lines, in the corner fewer of both; such a tile lacks the last points
 * of its short side. So the tiles of a group that have a point are one range, whichever point.
 *
 * Tasks take blocks of tiles, each of one group. Groups are small, so that what a task reads and writes lies
 * together: where threads write between each other's lines, as they would also when one takes the other's
 * last task of a large group, the lines wander from core to core. A batch may be cut into two halves first,
 * which have groups of their own. */
struct stoa_winograd_grid {
    size_t tile, points, taps;      /* outputs and points a side of a whole tile; of the kernel */
    size_t down, across;            /* whole tiles in an image */
    size_t rest_height, rest_width; /* outputs left */
    size_t in_image, end;           /* tiles of an image, and in all */
    size_t batch, half,
        group;            /* images in all, in the first half, and in a group; a half's last may have fewer */
    size_t block, blocks; /* most tiles of a block; how many blocks there are */
};

/* One block of all tiles. */
struct stoa_winograd_grid stoa_winograd_grid_of(size_t points, size_t taps, size_t batch, size_t out_height,
                                                size_t out_width);

/* Cut into blocks of at most `tiles` tiles, which is not 0: into full ones, the same for any batch; or, for
 * long tasks, into equal ones, of whole images where an image fits. `pairs`: so that both halves of the
 * blocks have as many tiles, where the batch allows it: most machines have an even number of CPUs. */
void stoa_winograd_cut_full(struct stoa_winograd_grid *grid, size_t tiles, bool pairs);
void stoa_winograd_cut_even(struct stoa_winograd_grid *grid, size_t tiles, bool pairs);

/* Tiles [*first, *end) of block `number`. */
void stoa_winograd_block(const struct stoa_winograd_grid *grid, size_t number, size_t *first, size_t *end);

/* The group of a tile: its first image, its first tile, and the first tile of each kind but the first. */
struct stoa_winograd_group {
    size_t image, first, whole, beside, corner, end;
};

struct stoa_winograd_group stoa_winograd_group_of(const struct stoa_winograd_grid *grid, size_t number);

/* Tile `number` of a group: its outputs, and its image. */
size_t stoa_winograd_locate(const struct stoa_winograd_grid *grid, const struct stoa_winograd_group *group,
                            size_t number, struct stoa_winograd_tile *tile);

/* Which tiles of a block have a point: point p the range [begin[kind[p]], stop[kind[p]]) of them. Points are
 * of four kinds: whether tiles with fewer lines have them, and those with fewer columns. */
struct stoa_winograd_ranges {
    size_t begin[4], stop[4];
    uint8_t kind[STOA_WINOGRAD_POINTS * STOA_WINOGRAD_POINTS];
};

/* Those of tiles [first, end), all of one group. */
struct stoa_winograd_ranges stoa_winograd_ranges_of(const struct stoa_winograd_grid *grid, size_t first,
                                                    size_t end);

/* Rows of all points' matrices together: 1 / (2 C K) of the products' flops. */
double stoa_winograd_rows(const struct stoa_winograd_grid *grid);

/* Matrices lie this much further apart than they are long: at powers of two they would share a few lines of
 * L1. */
enum { STOA_WINOGRAD_GAP = 48 };

/* Floats from the matrix of one point to the next one's. */
size_t stoa_winograd_step(size_t floats);

/* Whether a convolution is of the kind, and the context lets sums be reordered. */
bool stoa_winograd_fits(const stoa_context *context, const struct stoa_conv *conv);

/* Numbers that a transform of `channels` works on, counting what it pads; for costs. */
double stoa_winograd_vectors(const stoa_context *context, size_t channels);

/* Transform the patches of tiles [first, end) of x to rows of v; `patch`: memory for one. */
void stoa_winograd_inputs(const stoa_context *context, const struct stoa_winograd_input *in,
                          const struct stoa_winograd_grid *grid, const float *x, size_t first, size_t end,
                          float *patch, float *v, size_t v_step);

/* The same of channels [channel, channel + channels) only, to rows of v that begin with those and lie `row`
 * floats apart; of patches read in place at least as many as a kernel writes. */
void stoa_winograd_some_inputs(const stoa_context *context, const struct stoa_winograd_input *in,
                               const struct stoa_winograd_grid *grid, const float *x, size_t channel,
                               size_t channels, size_t first, size_t end, float *patch, float *v, size_t row,
                               size_t v_step);

/* A forward pass, or with stride 1 its adjoint to the input, which is the same convolution with the weights
 * transposed and turned by half a turn. */
struct stoa_winograd {
    struct stoa_winograd_input in;
    size_t filters; /* channels of the tensor that is written */
    bool to_data;
    struct stoa_winograd_grid grid;
    size_t points; /* in all */
    const float *x, *weight, *bias;
    const float *prepared; /* instead of the weight; or NULL */
    bool relu;
    float *y;
};

/* Transform sums of tiles [first, end) of the grid, rows of filters [filter, filter + filters), to
 * outputs. */
void stoa_winograd_outputs(const stoa_context *context, const struct stoa_winograd *p,
                           const struct stoa_winograd_grid *grid, size_t first, size_t end, size_t filter,
                           size_t filters, const float *sums, size_t sums_step);

/* Numbers in a thread's own memory, whole lines of it: of what it has made ready there. */
enum { STOA_WINOGRAD_NOTE_FLOATS = sizeof(size_t) / sizeof(float) };

static inline size_t *stoa_winograd_notes(float *memory) {
    return (size_t *)(void *)memory;
}

/* Blocks of tiles against weights that all threads share, winograd_narrow.c. */
bool stoa_winograd_narrow_applicable(const stoa_context *context, const struct stoa_winograd *p);
bool stoa_winograd_narrow_workspace(const stoa_context *context, const struct stoa_winograd *p,
                                    size_t *bytes);
void stoa_winograd_narrow_run(const stoa_context *context, const struct stoa_winograd *p, void *scratch);
size_t stoa_winograd_narrow_prepared_bytes(const stoa_context *context, const struct stoa_winograd *p);
void stoa_winograd_narrow_prepare(const stoa_context *context, const struct stoa_winograd *p,
                                  float *prepared);
size_t stoa_winograd_narrow_blocks(const stoa_context *context, const struct stoa_winograd *p);

/* Ranges of filters against tiles that all threads share, winograd_wide.c. */
bool stoa_winograd_wide_applicable(const stoa_context *context, const struct stoa_winograd *p);
bool stoa_winograd_wide_workspace(const stoa_context *context, const struct stoa_winograd *p, size_t *bytes);
void stoa_winograd_wide_run(const stoa_context *context, const struct stoa_winograd *p, void *scratch);
size_t stoa_winograd_wide_prepared_bytes(const struct stoa_winograd *p);
void stoa_winograd_wide_prepare(const stoa_context *context, const struct stoa_winograd *p, float *prepared);
/* How often each weight is transformed. */
size_t stoa_winograd_wide_transforms(const stoa_context *context, const struct stoa_winograd *p);

/* The weight gradient, winograd_weights.c. */
bool stoa_winograd_weights_applicable(const stoa_context *context, const struct stoa_conv *conv,
                                      size_t points);
bool stoa_winograd_weights_workspace(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                                     size_t *bytes);
double stoa_winograd_weights_cost(const stoa_context *context, const struct stoa_conv *conv, size_t points);
void stoa_winograd_weights_run(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                               const float *x, const float *dy, float *dweight, float *dbias, void *scratch);
void stoa_winograd_weights_describe(const stoa_context *context, const struct stoa_conv *conv, size_t points,
                                    char *out, size_t size);

#endif
