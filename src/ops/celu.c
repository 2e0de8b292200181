/* SPDX-License-Identifier: MIT */
/* celu: the continuously differentiable exponential linear unit (Barron 2017).
 *
 * y = x where x > 0, else alpha * (exp(x / alpha) - 1). Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_option options[] = {
    {"alpha", STOA_OPTION_FLOAT, offsetof(struct stoa_unary_options, a), "1", 1e-06, 1e6, NULL},
};

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"alpha=0.5", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(celu, options, 1, examples, x > 0 ? x : a * STOA_UNARY_CALL(expm1)(x / a),
                    x > 0 ? 1 : STOA_UNARY_CALL(exp)(x / a));
