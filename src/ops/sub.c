/* SPDX-License-Identifier: MIT */
/* sub: the difference of two inputs, or of one and a constant, broadcast.
 *
 * y = x0 - x1, with reverse=true the constant minus x; dx0 = dy, dx1 = -dy, summed where an operand is
 * broadcast. Shapes and constants are those of ops/combine.h. In place. */
#include "ops/combine.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5", "3x4x5"}, 2},
    {"value=0.5", {"3x4x5"}, 2},
    {"value=1 reverse=true", {"33"}, 3},
    {"", {"1", "9"}, 3},
    {"", {"3x4x6", "6"}, 3},
    {"size=3x4 trainable=true reverse=true", {"3x4x5"}, 9},
    {NULL, {NULL}, 0},
};

STOA_COMBINE_OPERATOR(sub, STOA_COMBINE_SUB, 0, 2, STOA_COMBINE_OPTIONS, examples);
