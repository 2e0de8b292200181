/* SPDX-License-Identifier: MIT */
/* softsign: x / (1 + |x|).
 *
 * dx = dy / (1 + |x|)^2. Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(softsign, NULL, 0, examples, x / (1 + STOA_UNARY_CALL(fabs)(x)),
                    1 / ((1 + STOA_UNARY_CALL(fabs)(x)) * (1 + STOA_UNARY_CALL(fabs)(x))));
