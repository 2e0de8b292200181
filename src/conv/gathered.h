/* SPDX-License-Identifier: MIT */
/* A convolution as products whose left operand has a row for every output pixel: what im2col and pointwise
 * have in common. */
#ifndef STOA_CONV_GATHERED_H
#define STOA_CONV_GATHERED_H

#include "conv/conv.h"

/* How a pass is cut: tiles of `rows` whole output rows, or of one in `across` parts of up to `columns`
 * pixels. */
struct stoa_gathered {
    struct stoa_conv conv; /* the problem that is multiplied; its batch is the plan's */
    bool in_place;         /* the image as it lies is the left operand; else im2col writes it */
    bool together;         /* all threads multiply a tile, which its products cut; else each has its own */
    bool by_kernel;        /* products by the engine's kernel, whether or not the weight lies in panels */
    size_t rows, columns, across;
    size_t step, threads; /* floats from one thread's tile to the next one's, and tiles in the workspace */
    size_t parts;         /* of a group's channels: tasks of a backward pass have columns of their own */
    size_t images;        /* backward data: of a task, as neighbouring rows add into the same pixels */
    size_t turned;        /* floats of the transposed weight, in panels if by_kernel; 0: none */
    struct stoa_partials sums; /* backward weights */
};
_Static_assert(sizeof(struct stoa_gathered) <= STOA_CONV_CUT_BYTES, "the cut fits a plan");

/* Floats from row to row of the left operand; of columns of so many channels. */
size_t stoa_gathered_stride(const struct stoa_gathered *cut, size_t channels);

/* Cut `rows` output rows into tiles of equal height and about `pixels` pixels. */
void stoa_gathered_tiles(struct stoa_gathered *cut, size_t pixels, size_t rows);

/* Tiles of so many output rows. */
size_t stoa_gathered_count(const struct stoa_gathered *cut, size_t rows);

/* The cut becomes the plan's: its cost, with weights that are read `times` times, room for its tiles and the
 * plan's bytes. False when a size overflows. */
bool stoa_gathered_plan(const stoa_context *context, struct stoa_gathered *cut, double times,
                        struct stoa_conv_plan *plan);

/* The two of an algorithm: the prepared weight is all groups' in panels. */
void stoa_gathered_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                           const float *weight, float *prepared);
void stoa_gathered_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

#endif
