/* SPDX-License-Identifier: MIT */
/* cos: the cosine of every number.
 *
 * dx = -dy * sin(x). Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(cos, NULL, 0, examples, STOA_UNARY_CALL(cos)(x), -STOA_UNARY_CALL(sin)(x));
