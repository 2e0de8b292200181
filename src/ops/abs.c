/* SPDX-License-Identifier: MIT */
/* abs: the absolute value of every number.
 *
 * dx = dy * sign(x), 0 at 0. Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(abs, NULL, 0, examples, STOA_UNARY_CALL(fabs)(x), x > 0 ? 1 : x < 0 ? -1 : 0);
