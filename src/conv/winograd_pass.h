/* SPDX-License-Identifier: MIT */
/* What the passes of Winograd's convolution share: how a pass is cut, its memory, and its tiles on their way
 * in.
 *
 * For each point of a tile a pass multiplies transformed inputs V by a right operand. The forward pass and
 * that backward to the input sum M = V U over the channels, U being transformed weights; the one backward to
 * the weights sums S = V^T Z over the tiles, Z being transformed gradients of the output. Channels and
 * filters are cut into ranges, tiles into blocks, blocks into chunks. A narrow layer is one range, whose
 * weights' side (U or S) stays in a core's L2 while tiles pass; of a wide layer a range is what stays there.
 *
 * The tiles of a block lie range by range of channels, [points][tiles][channels], so that those of a product
 * are side by side. A thread transforms what its tasks read itself, a range when it is first wanted: that
 * takes less time than the lines take from another core. Where there is no memory for that, all threads
 * transform a chunk of blocks first. */
#ifndef STOA_CONV_WINOGRAD_PASS_H
#define STOA_CONV_WINOGRAD_PASS_H

#include "conv/conv.h"
#include "conv/winograd_grid.h"
#include "core/threads.h"
#include "product/product.h"

/* Tiles that a task transforms at once; and how many threads' limits the transformed tiles of a chunk, or of
 * a thread's block, may take: with more of them copies crowd the outermost cache. */
enum { STOA_WINOGRAD_TILE_UNIT = 12, STOA_WINOGRAD_CHUNK_LIMITS = 8 };

/* Lines of points whose weights a wide layer transforms at once: for a range a quarter of 1 MiB of L2, which
 * leaves it to the sums; every set of points has an even number of lines. */
enum { STOA_WINOGRAD_WIDE_LINES = 2 };

/* Blocks of samples that a bias's gradient is summed in. */
enum { STOA_WINOGRAD_BIAS_BLOCKS = 16 };

/* The tensor that tiles read, as one that stride 1 reads: of a larger stride, the pixels of a step are one
 * pixel, whose channel (i * stride + j) * C + c is channel c of the step's line i and column j. So its kernel
 * has a `stride`th of the taps, some of them beyond the kernel's own end. */
struct stoa_winograd_input {
    struct stoa_window window; /* of the tensor */
    size_t taps, stride;       /* a side */
    size_t channels;           /* of a pixel in the sense above */
    size_t patch;              /* floats that a thread needs to put one together; 0: they are read in place */
};

struct stoa_winograd_input stoa_winograd_input_of(const struct stoa_window *window, size_t points);

/* Channels from `channel` on that share taps in the weight [kernel][kernel][C][filters], which begin `*at`
 * floats into it; at most `most`. */
size_t stoa_winograd_phase(const struct stoa_winograd_input *in, size_t filters, size_t channel, size_t most,
                           struct stoa_winograd_taps *taps, size_t *at);

/* Floats of the areas that a thread has, or that all share. */
struct stoa_winograd_room {
    size_t ready;  /* numbers: for each range of channels, then of filters, the block it is made of, from 1 */
    size_t inputs; /* V */
    size_t right;  /* U or Z */
    size_t patch;
    size_t taps; /* a range's weights, or its gradient that is added; shared: gradients of blocks */
    size_t sums; /* M or S; shared: of a bias */
};

struct stoa_winograd_part {
    size_t *ready;
    float *inputs, *right, *patch, *taps, *sums;
};

/* A pass as planned. A backward pass to the input, of stride 1, is a forward pass with the weights transposed
 * and turned by half a turn: it reads dy. */
struct stoa_winograd {
    bool to_data, to_weights, narrow;
    bool own_inputs, own_right; /* each thread has what it reads of V, and of the right operand */
    struct stoa_winograd_input in;
    size_t filters; /* channels of the tensor that is written, or whose gradient is read */
    struct stoa_winograd_grid grid;
    size_t points;                            /* in all */
    size_t range_channels, range_filters;     /* at most */
    size_t chunk;                             /* blocks that tasks work on at a time */
    size_t transforms;                        /* how often each weight, or its gradient, is transformed */
    size_t partials;                          /* gradients that blocks of tiles sum apart; 0: none */
    size_t input_step, right_step, sums_step; /* floats from the matrix of one point to the next one's */
    size_t block_floats;                      /* V of a block */
    struct stoa_winograd_room part, shared;
    size_t step; /* bytes from one thread's part to the next one's */
};
_Static_assert(sizeof(struct stoa_winograd) <= STOA_CONV_CUT_BYTES, "the cut fits in a plan");

static inline size_t stoa_winograd_channel_ranges(const struct stoa_winograd *p) {
    return stoa_ceil_div(p->in.channels, p->range_channels);
}

static inline size_t stoa_winograd_filter_ranges(const struct stoa_winograd *p) {
    return stoa_ceil_div(p->filters, p->range_filters);
}

/* The most tiles of a block. */
static inline size_t stoa_winograd_block_tiles(const struct stoa_winograd *p) {
    return stoa_min(p->grid.block, p->grid.end);
}

/* Floats of a whole gradient, and of a bias's, among several. */
static inline size_t stoa_winograd_gradient_step(const struct stoa_winograd *p) {
    const struct stoa_window *w = &p->in.window;
    return stoa_round_up(w->kernel_height * w->kernel_width * w->channels * p->filters, STOA_ALIGN_FLOATS);
}

static inline size_t stoa_winograd_bias_step(const struct stoa_winograd *p) {
    return stoa_round_up(p->filters, STOA_ALIGN_FLOATS);
}

/* Matrices lie this much further apart than they are long: at powers of two they would share a few lines of
 * L1. */
enum { STOA_WINOGRAD_GAP = 48 };

static inline size_t stoa_winograd_step(size_t floats) {
    return stoa_round_up(floats, STOA_ALIGN_FLOATS) + STOA_WINOGRAD_GAP;
}

/* Set steps and areas for blocks of so many tiles from all that is decided above them; returns the bytes of a
 * thread's part, SIZE_MAX where they overflow. */
size_t stoa_winograd_size(struct stoa_winograd *p, size_t tiles);

/* The most tiles of a block whose V, and Z, take at most so many bytes. Sets what stoa_winograd_size()
 * sets. */
size_t stoa_winograd_fitting(struct stoa_winograd *p, size_t bytes);

/* The last step of a plan: how the workspace is cut. False when its size overflows. */
bool stoa_winograd_place(const stoa_context *context, struct stoa_conv_plan *plan);

/* A run; prepare() has one without operands, whose shared right operand is what it writes. */
struct stoa_winograd_run {
    const stoa_context *context;
    const struct stoa_winograd *p;
    struct stoa_winograd_grid grid; /* of this batch */
    const float *x, *weight, *prepared;
    const struct stoa_conv_run *run; /* the other operands */
    struct stoa_winograd_part shared;
    char *parts;
    size_t chunk;    /* its first block */
    size_t partials; /* of this batch */
};

struct stoa_winograd_run stoa_winograd_begin(const struct stoa_conv_plan *plan,
                                             const struct stoa_conv_run *run);

/* Run `tasks` tasks for each block, chunk after chunk; the block of a task is r->chunk + task / tasks. */
void stoa_winograd_run_chunks(struct stoa_winograd_run *r, size_t tasks, stoa_task_fn *work);

struct stoa_winograd_part stoa_winograd_part_of(const struct stoa_winograd_run *r, size_t thread);

/* The matrix of point 0 of some channels or filters: its rows are a block's tiles, and lie `row` floats
 * apart. */
struct stoa_winograd_matrix {
    const float *at;
    size_t row;
};

/* V of the range from `channel` on, and Z of the one from `filter` on, made where the thread does not have it
 * already. */
struct stoa_winograd_matrix stoa_winograd_inputs(const struct stoa_winograd_run *r,
                                                 const struct stoa_winograd_part *part,
                                                 const struct stoa_winograd_block *block, size_t channel);
struct stoa_winograd_matrix stoa_winograd_gradients(const struct stoa_winograd_run *r,
                                                    const struct stoa_winograd_part *part,
                                                    const struct stoa_winograd_block *block, size_t filter);

/* The passes, for a plan whose cut is the pass with one block of all tiles: winograd_forward.c and
 * winograd_weights.c. */
bool stoa_winograd_forward_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_forward_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                                   const float *weight, float *prepared);
void stoa_winograd_forward_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);
bool stoa_winograd_weights_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_weights_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

#endif
