/* SPDX-License-Identifier: MIT */
/* pow: every number to the power of `exponent`.
 *
 * y = x^exponent; dx = dy * exponent * x^(exponent - 1). Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_option options[] = {
    {"exponent", STOA_OPTION_FLOAT, offsetof(struct stoa_unary_options, a), NULL, -100, 100, NULL},
};

static const struct stoa_op_example examples[] = {
    {"exponent=2", {"3x5x7"}, 2},
    {"exponent=3", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(pow, options, 1, examples, STOA_UNARY_CALL(pow)(x, a),
                    a == 0 ? 0 : a * STOA_UNARY_CALL(pow)(x, a - 1));
