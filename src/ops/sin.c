/* SPDX-License-Identifier: MIT */
/* sin: the sine of every number.
 *
 * dx = dy * cos(x). Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(sin, NULL, 0, examples, STOA_UNARY_CALL(sin)(x), STOA_UNARY_CALL(cos)(x));
