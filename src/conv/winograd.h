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
enum { STOA_WINOGRAD_GAP = 48, STOA_WINOGRAD_TAPS = 3, STOA_WINOGRAD_LARGE_TILE = 6 };

/* Floats from the matrix of one point to the next one's. */
size_t stoa_winograd_step(size_t floats);

/* Whether a convolution is of the kind, and the context lets sums be reordered. */
bool stoa_winograd_fits(const stoa_context *context, const struct stoa_conv *conv);

/* Numbers that a transform of `channels` works on, counting what it pads; for costs. */
double stoa_winograd_vectors(const stoa_context *context, size_t channels);

/* A forward pass, or its adjoint to the input, which is the same convolution with the weights transposed and turned by
 * half a turn. */
struct stoa_winograd {
    struct stoa_window window; /* of the tensor that is read */
    size_t channels, filters;  /* of the tensors that are read and written */
    bool to_data;
    struct stoa_winograd_grid grid;
    size_t points; /* in all */
    const float *x, *weight, *bias;
    const float *prepared; /* instead of the weight, for narrow layers; or NULL */
    bool relu;
    float *y;
};

/* Transform the patches of tiles [first, end) to rows of v, or their sums, rows of filters [filter, filter + filters),
 * to outputs. */
void stoa_winograd_inputs(const stoa_context *context, const struct stoa_winograd *p, size_t first,
                          size_t end, float *v, size_t v_step);
void stoa_winograd_outputs(const stoa_context *context, const struct stoa_winograd *p, size_t first,
                           size_t end, size_t filter, size_t filters, const float *sums, size_t sums_step);

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
/* How often each weight is transformed. */
size_t stoa_winograd_wide_transforms(const stoa_context *context, const struct stoa_winograd *p);

/* The weight gradient, winograd_weights.c. */
bool stoa_winograd_weights_applicable(const stoa_context *context, const struct stoa_conv *conv, size_t tile);
bool stoa_winograd_weights_workspace(const stoa_context *context, const struct stoa_conv *conv, size_t tile,
                                     size_t *bytes);
double stoa_winograd_weights_cost(const stoa_context *context, const struct stoa_conv *conv, size_t tile);
void stoa_winograd_weights_run(const stoa_context *context, const struct stoa_conv *conv, size_t tile,
                               const float *x, const float *dy, float *dweight, float *dbias, void *scratch);
void stoa_winograd_weights_describe(const stoa_context *context, const struct stoa_conv *conv, size_t tile,
                                    char *out, size_t size);

#endif
