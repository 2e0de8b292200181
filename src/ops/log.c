/* SPDX-License-Identifier: MIT */
/* log: the natural logarithm of every number.
 *
 * dx = dy / x. Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(log, NULL, 0, examples, STOA_UNARY_CALL(log)(x), 1 / x);
