/* SPDX-License-Identifier: MIT */
/* add: the sum of its inputs, or of one and a constant, broadcast: the residual connection (He et al. 2016).
 *
 * y = x0 + x1 + ...; every gradient is dy, summed where an operand is broadcast. Shapes and constants are
 * those of ops/combine.h. In place. */
#include "ops/combine.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5", "3x4x5"}, 2},
    {"value=0.5", {"3x4x5"}, 2},
    {"", {"9", "9"}, 3},
    {"", {"4x3x17", "17", "4x1x1", "1x3x17", "4x3x17"}, 3},
    {"", {"1x1x5", "3x4x5"}, 3},
    {"value=0.5,-1,2", {"2x3x3"}, 2},
    {"channels=5 trainable=true", {"3x4x5"}, 9},
    {"size=3x4 channels=5", {"3x4x5"}, 2},
    {NULL, {NULL}, 0},
};

STOA_COMBINE_OPERATOR(add, STOA_COMBINE_ADD, 0, STOA_MAX_INPUTS, STOA_COMBINE_OPTIONS - 1, examples);
