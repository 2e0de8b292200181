/* SPDX-License-Identifier: MIT */
/* mul: the product of two inputs, or of one and a constant, broadcast: an image and the gate of
 * squeeze-excitation, a vector of its channels (Hu et al. 2018).
 *
 * y = x0 * x1; dx0 = dy * x1, dx1 = dy * x0, summed where an operand is broadcast. Shapes and constants are
 * those of ops/combine.h. In place. */
#include "ops/combine.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5", "3x4x5"}, 2},
    {"value=0.5", {"3x4x5"}, 2},
    {"", {"4x5x33", "33"}, 3},
    {"", {"3x4x1", "3x4x9"}, 3},
    {"", {"1x4x5", "3x1x5"}, 2},
    {"", {"7", "7"}, 5},
    {"value=2,-0.25,1", {"2x3x3"}, 2},
    {"channels=17 trainable=true", {"3x4x17"}, 9},
    {"size=3x4 channels=2 trainable=true", {"3x4x2"}, 3},
    {NULL, {NULL}, 0},
};

STOA_COMBINE_OPERATOR(mul, STOA_COMBINE_MUL, STOA_NEEDS_X, 2, STOA_COMBINE_OPTIONS - 1, examples);
