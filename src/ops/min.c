/* SPDX-License-Identifier: MIT */
/* min: the smallest of its inputs, or of one and a constant, broadcast.
 *
 * dx is dy where y is that input's number, shared between equal ones, and summed where an operand is
 * broadcast. Shapes and constants are those of ops/combine.h. In place. */
#include "ops/combine.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5", "3x4x5"}, 2},
    {"value=0.125", {"3x4x5"}, 2},
    {"", {"3x4x5", "5", "3x4x5"}, 3},
    {"channels=6 trainable=true", {"2x3x6"}, 5},
    {NULL, {NULL}, 0},
};

STOA_COMBINE_OPERATOR(min, STOA_COMBINE_MIN, STOA_NEEDS_X, STOA_MAX_INPUTS, STOA_COMBINE_OPTIONS - 1,
                      examples);
