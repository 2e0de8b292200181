/* SPDX-License-Identifier: MIT */
/* What the passes of Winograd's convolution share: the cut of a pass, its memory, and the transforms of its
 * tiles.
 *
 * For each point of a tile a pass multiplies transformed inputs V by a right operand. The forward pass and
 * the one backward to the input sum M = V U over the channels, where U is transformed weights. The one
 * backward to the weights sums S = V^T Z over the tiles, where Z is transformed gradients of the output.
 * Channels and filters are cut into ranges, tiles into blocks, blocks into chunks. A narrow layer is one
 * range, whose weights' side (U or S) stays in a core's L2 while tiles pass; of a wide layer a range is what
 * stays there.
 *
 * The tiles of a block lie range by range of channels, [points][tiles][channels], so that those of a product
 * are contiguous. A thread transforms what its tasks read itself, a range when it is first wanted, because
 * that takes less time than the cache lines take from another core. Where there is no memory for that, all
 * threads transform a chunk of blocks first. */
#ifndef STOA_CONV_WINOGRAD_PASS_H
#define STOA_CONV_WINOGRAD_PASS_H

#include "conv/conv.h"
#include "conv/winograd_grid.h"
#include "core/threads.h"
#include "product/product.h"

/* A task transforms so many tiles at once. The transformed tiles of a chunk, or of a thread's block, may
 * take so many threads' limits: with more of them copies crowd the outermost cache. */
enum { STOA_WINOGRAD_TILE_UNIT = 12, STOA_WINOGRAD_CHUNK_LIMITS = 8 };

/* A wide layer transforms the weights of so many rows of points at once: for a range a quarter of 1 MiB of
 * L2, which leaves it to the sums. Every set of points has an even number of rows. */
enum { STOA_WINOGRAD_WIDE_LINES = 2 };

/* A bias's gradient is summed in so many blocks of samples. */
enum { STOA_WINOGRAD_BIAS_BLOCKS = 16 };

/* The tensor that tiles read, seen with stride 1. With a larger stride the pixels of a step are one pixel,
 * whose channel (i * stride + j) * C + c is channel c of the step's row i and column j. So its kernel has a
 * `stride`th of the taps, some of them beyond the kernel's own end. */
struct stoa_winograd_input {
    struct stoa_window window; /* of the tensor */
    size_t taps, stride;       /* a side */
    size_t channels;           /* of a pixel as seen so */
    size_t patch;              /* floats that a thread needs to put one together; 0: they are read in place */
};

struct stoa_winograd_input stoa_winograd_input_of(const struct stoa_window *window, size_t points);

/* How many channels from `channel` on, at most `most`, share taps in the weight
 * [kernel][kernel][C][filters]; they begin `*at` floats into it. */
size_t stoa_winograd_phase(const struct stoa_winograd_input *in, size_t filters, size_t channel, size_t most,
                           struct stoa_winograd_taps *taps, size_t *at);

/* The floats of the areas that each thread has, or that all share. */
struct stoa_winograd_room {
    size_t ready;  /* a number for each range of channels, then of filters: the block it is made of, from 1 */
    size_t inputs; /* V */
    size_t right;  /* U or Z */
    size_t patch;
    size_t taps; /* a range's weights, or its gradient that is added; shared: gradients of blocks */
    size_t sums; /* M or S; shared: those of a bias */
};

struct stoa_winograd_part {
    size_t *ready;
    float *inputs, *right, *patch, *taps, *sums;
};

/* A planned pass. A backward pass to the input, of stride 1, is a forward pass that reads dy, with the
 * weights transposed and turned by half a turn. */
struct stoa_winograd {
    bool to_data, to_weights, narrow;
    bool kept;                  /* transformed weights come with every run */
    bool own_inputs, own_right; /* each thread has its own part of V, and of the right operand */
    struct stoa_winograd_input in;
    size_t filters; /* channels of the tensor that is written, or whose gradient is read */
    struct stoa_winograd_grid grid;
    size_t points;                            /* in all */
    size_t range_channels, range_filters;     /* at most */
    size_t chunk;                             /* tasks work on so many blocks at a time */
    size_t transforms;                        /* so often each weight, or its gradient, is transformed */
    size_t partials;                          /* so many gradients blocks of tiles sum apart; 0: none */
    size_t input_step, right_step, sums_step; /* floats from the matrix of one point to the next one's */
    size_t block_floats;                      /* floats of V of a block */
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

/* The floats of a whole gradient, and of a bias's, among several. */
static inline size_t stoa_winograd_gradient_step(const struct stoa_winograd *p) {
    const struct stoa_window *w = &p->in.window;
    return stoa_round_up(w->kernel_height * w->kernel_width * w->channels * p->filters, STOA_ALIGN_FLOATS);
}

static inline size_t stoa_winograd_bias_step(const struct stoa_winograd *p) {
    return stoa_round_up(p->filters, STOA_ALIGN_FLOATS);
}

/* Matrices lie this much further apart than they are long, as a power of two would share few sets of L1. */
enum { STOA_WINOGRAD_GAP = 48 };

static inline size_t stoa_winograd_step(size_t floats) {
    return stoa_round_up(floats, STOA_ALIGN_FLOATS) + STOA_WINOGRAD_GAP;
}

/* Set steps and areas for blocks of so many tiles from all that is decided above them. Returns the bytes of
 * a thread's part, SIZE_MAX where they overflow. */
size_t stoa_winograd_size(struct stoa_winograd *p, size_t tiles);

/* The most tiles of a block whose V and Z take at most so many bytes. Sets what stoa_winograd_size() sets. */
size_t stoa_winograd_fitting(struct stoa_winograd *p, size_t bytes);

/* Cut the workspace, as the last step of a plan. False when its size overflows. */
bool stoa_winograd_place(const stoa_context *context, struct stoa_conv_plan *plan);

/* A run. prepare() has one without operands, and writes its shared right operand. */
struct stoa_winograd_run {
    const stoa_context *context;
    const struct stoa_winograd *p;
    struct stoa_winograd_grid grid; /* of this batch */
    const float *x, *weight, *prepared;
    const struct stoa_conv_run *run; /* the other operands */
    struct stoa_winograd_part shared;
    char *parts;
    size_t chunk;    /* the chunk's first block */
    size_t partials; /* of this batch */
};

struct stoa_winograd_run stoa_winograd_begin(const struct stoa_conv_plan *plan,
                                             const struct stoa_conv_run *run);

/* Run `tasks` tasks for each block, chunk after chunk. The block of a task is r->chunk + task / tasks. */
void stoa_winograd_run_chunks(struct stoa_winograd_run *r, size_t tasks, stoa_task_fn *work);

struct stoa_winograd_part stoa_winograd_part_of(const struct stoa_winograd_run *r, size_t thread);

/* The matrix of point 0 of some channels or filters. Its rows are a block's tiles, `row` floats apart. */
struct stoa_winograd_matrix {
    const float *at;
    size_t row;
};

/* V of the range from `channel` on, and Z of that from `filter` on, made where the thread has none yet. */
struct stoa_winograd_matrix stoa_winograd_inputs(const struct stoa_winograd_run *r,
                                                 const struct stoa_winograd_part *part,
                                                 const struct stoa_winograd_block *block, size_t channel);
struct stoa_winograd_matrix stoa_winograd_gradients(const struct stoa_winograd_run *r,
                                                    const struct stoa_winograd_part *part,
                                                    const struct stoa_winograd_block *block, size_t filter);

/* The passes of winograd_forward.c and winograd_weights.c, planned from a cut of one block of all tiles. */
bool stoa_winograd_forward_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_forward_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                                   const float *weight, float *prepared);
void stoa_winograd_forward_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);
bool stoa_winograd_weights_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_weights_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

#endif
