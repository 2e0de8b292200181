/* SPDX-License-Identifier: MIT */
/* erf: the error function of every number.
 *
 * dx = dy * 2 / sqrt(pi) * exp(-x * x). Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(erf, NULL, 0, examples, STOA_UNARY_CALL(erf)(x),
                    STOA_UNARY_CONSTANT(1.1283791670955125738961589031215) * STOA_UNARY_CALL(exp)(-x * x));
