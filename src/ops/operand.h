/* SPDX-License-Identifier: MIT */
/* Operands of combinations (ops/combine.h): where their numbers lie, and how they are broadcast. */
#ifndef STOA_OPS_OPERAND_H
#define STOA_OPS_OPERAND_H

#include "ops/combine.h"

enum { STOA_EXTENT_HEIGHT, STOA_EXTENT_WIDTH, STOA_EXTENT_CHANNELS, STOA_EXTENT_AXES };

/* Height, width and channels; a vector is one pixel. */
struct stoa_extent {
    size_t size[STOA_EXTENT_AXES];
};

size_t stoa_extent_count(const struct stoa_extent *extent);

struct stoa_operand {
    size_t input; /* or STOA_MAX_INPUTS: the constant */
    /* Floats from one place to the next along each axis, 0 where the operand has size 1, and from one sample
     * to the next. */
    size_t stride[STOA_EXTENT_AXES], sample;
    bool is_dense; /* a number a place of the result */
    struct stoa_extent extent, result;
};

size_t stoa_operands_of(const struct stoa_layer *layer);
struct stoa_operand stoa_operand_of(const struct stoa_layer *layer, size_t which);
/* Which operand an input is. */
size_t stoa_operand_of_input(const struct stoa_layer *layer, size_t input);
const float *stoa_operand_data(const struct stoa_op_run *run, const struct stoa_operand *p);

/* Where the operand's number for a place of the result lies, and how many places from there on along the
 * channels there are. Places are counted from the first sample on. */
size_t stoa_operand_at(const struct stoa_operand *p, size_t place, size_t *run);

/* Numbers of an operand for places [first, first + count), contiguous: as they lie, or in `held`. */
const float *stoa_operand_numbers(const struct stoa_operand *p, const float *data, size_t first, size_t count,
                                  float *held);

/* The adjoint: add numbers of places to those of the operand that they came from. */
void stoa_operand_add(const struct stoa_kernels *kernels, const struct stoa_operand *p, const float *numbers,
                      size_t first, size_t count, float *data);

#endif
