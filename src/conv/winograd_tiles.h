/* SPDX-License-Identifier: MIT */
/* What tiles of Winograd's convolution read and write, and what its passes share. */
#ifndef STOA_CONV_WINOGRAD_TILES_H
#define STOA_CONV_WINOGRAD_TILES_H

#include "conv/conv.h"
#include "conv/winograd_grid.h"
#include "product/product.h"

/* The tensor that tiles read, as one that stride 1 reads: of a larger stride, the pixels of a step are one
 * pixel, whose channel (i * stride + j) * C + c is channel c of the step's line i and column j. So its kernel
 * has a `stride`th of the taps, some of them beyond the kernel's own end. */
struct stoa_winograd_input {
    struct stoa_window window; /* of the tensor */
    size_t taps, stride;       /* a side */
    size_t channels;           /* of a pixel in the sense above */
    size_t row;                /* floats that they take transformed: at least those that a kernel writes */
    size_t patch;              /* floats that a thread needs to put one together; 0: they are read in place */
};

struct stoa_winograd_input stoa_winograd_input_of(const struct stoa_window *window, size_t points);

/* Channels from `channel` on that share taps in the weight [kernel][kernel][C][filters], which begin `*at`
 * floats into it. */
size_t stoa_winograd_phase(const struct stoa_winograd_input *in, size_t filters, size_t channel,
                           struct stoa_winograd_taps *taps, size_t *at);

/* A pass as planned: what its cut begins with. A backward pass to the input, of stride 1, is a forward pass
 * with the weights transposed and turned by half a turn: it reads dy. */
struct stoa_winograd {
    bool to_data, narrow;
    struct stoa_winograd_input in;
    size_t filters; /* channels of the tensor that is written, or whose gradient is read */
    struct stoa_winograd_grid grid;
    size_t points;         /* in all */
    size_t transforms;     /* how often each weight, or its gradient there and back, is transformed */
    size_t columns, terms; /* of most products */
};

static inline const struct stoa_winograd *stoa_winograd_of(const struct stoa_conv_plan *plan) {
    return (const void *)plan->cut.bytes;
}

/* A run: its batch's tiles, and its tensors. */
struct stoa_winograd_run {
    const stoa_context *context;
    const struct stoa_winograd *p;
    struct stoa_winograd_grid grid;
    const float *x, *weight, *prepared, *bias;
    bool relu;
    float *y;
};

struct stoa_winograd_run stoa_winograd_run_of(const struct stoa_winograd *p, const struct stoa_conv_run *run);

/* Matrices lie this much further apart than they are long: at powers of two they would share a few lines of
 * L1. */
enum { STOA_WINOGRAD_GAP = 48 };

/* Floats from the matrix of one point to the next one's. */
static inline size_t stoa_winograd_step(size_t floats) {
    return stoa_round_up(floats, STOA_ALIGN_FLOATS) + STOA_WINOGRAD_GAP;
}

/* Transform the patches of tiles [first, end), channels [channel, channel + channels) of them, to rows of v
 * that begin with those and lie `row` floats apart. Of patches read in place these are at least as many
 * channels as a kernel writes. `patch`: memory for one. */
void stoa_winograd_inputs(const struct stoa_winograd_run *r, size_t channel, size_t channels, size_t first,
                          size_t end, float *patch, float *v, size_t row, size_t v_step);

/* A point's product of tiles whose ranges are `rows`: the tiles that have the point, of those from `first` on
 * that begin at a and c. Sets m. */
void stoa_winograd_multiply(const stoa_context *context, const struct stoa_winograd_ranges *rows,
                            size_t first, size_t point, struct stoa_gemm product);

/* Transform sums of tiles [first, end), rows of filters [filter, filter + filters), to outputs. */
void stoa_winograd_outputs(const struct stoa_winograd_run *r, size_t first, size_t end, size_t filter,
                           size_t filters, const float *sums, size_t sums_step);

#endif
