/* SPDX-License-Identifier: MIT */
/* sqrt: the square root of every number.
 *
 * dx = dy / (2 * sqrt(x)). Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(sqrt, NULL, 0, examples, STOA_UNARY_CALL(sqrt)(x), 1 / (2 * STOA_UNARY_CALL(sqrt)(x)));
