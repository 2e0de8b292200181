/* SPDX-License-Identifier: MIT */
/* div: the quotient of two inputs, or of one and a constant, broadcast.
 *
 * y = x0 / x1, with reverse=true the constant by x; dx0 = dy / x1, dx1 = -dy * y / x1, summed where an
 * operand is broadcast. Shapes and constants are those of ops/combine.h. In place. */
#include "ops/combine.h"

static const struct stoa_op_example examples[] = {
    {"", {"2x2x3", "2x2x3"}, 2},
    {"value=0.5", {"3x4x5"}, 2},
    {"", {"2x3x4", "4"}, 2},
    {"channels=4 trainable=true", {"3x2x4"}, 2},
    {"value=2 reverse=true", {"7"}, 2},
    {NULL, {NULL}, 0},
};

STOA_COMBINE_OPERATOR(div, STOA_COMBINE_DIV, STOA_NEEDS_X, 2, STOA_COMBINE_OPTIONS, examples);
