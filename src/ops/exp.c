/* SPDX-License-Identifier: MIT */
/* exp: the exponential of every number.
 *
 * dx = dy * exp(x). Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(exp, NULL, 0, examples, STOA_UNARY_CALL(exp)(x), STOA_UNARY_CALL(exp)(x));
