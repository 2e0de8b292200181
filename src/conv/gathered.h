/* SPDX-License-Identifier: MIT */
/* What im2col and pointwise share: products whose left operand has a row for every output pixel. */
#ifndef STOA_CONV_GATHERED_H
#define STOA_CONV_GATHERED_H

#include "conv/conv.h"

/* The cut of a pass. A tile has `rows` whole output rows, or up to `columns` pixels of one of `across`
 * parts. */
struct stoa_gathered {
    struct stoa_conv conv; /* the problem that is multiplied; its batch is the plan's */
    bool in_place;         /* the image is the left operand where it lies; else im2col writes columns */
    bool together;         /* all threads multiply one tile together; else each thread has its own */
    bool by_kernel;        /* the engine's kernel multiplies, whether or not the weight lies in panels */
    size_t rows, columns, across;
    size_t step, threads; /* floats from one thread's tile to the next one's, and tiles in the workspace */
    size_t parts;         /* of a group's channels: tasks of a backward pass have columns of their own */
    size_t images;        /* backward data: of a task, as neighbouring rows add into the same pixels */
    size_t turned;        /* floats of the transposed weight, in panels if by_kernel; 0: none */
    struct stoa_partials sums; /* backward weights */
};
_Static_assert(sizeof(struct stoa_gathered) <= STOA_CONV_CUT_BYTES, "the cut fits a plan");

/* The floats from row to row of the left operand, which has columns of so many channels. */
size_t stoa_gathered_stride(const struct stoa_gathered *cut, size_t channels);

/* Cut `rows` output rows into tiles of equal height and about `pixels` pixels. */
void stoa_gathered_tiles(struct stoa_gathered *cut, size_t pixels, size_t rows);

/* The number of tiles for so many output rows. */
size_t stoa_gathered_count(const struct stoa_gathered *cut, size_t rows);

/* Make the cut the plan's: its cost with weights that are read `times` times, room for its tiles, and the
 * plan's bytes. False when a size overflows. */
bool stoa_gathered_plan(const stoa_context *context, struct stoa_gathered *cut, double times,
                        struct stoa_conv_plan *plan);

/* Both are members of an algorithm. A prepared weight is that of all groups in panels. */
void stoa_gathered_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                           const float *weight, float *prepared);
void stoa_gathered_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

#endif
