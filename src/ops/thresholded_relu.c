/* SPDX-License-Identifier: MIT */
/* thresholded_relu: x above a threshold, else 0.
 *
 * y = x where x > alpha, else 0. Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_option options[] = {
    {"alpha", STOA_OPTION_FLOAT, offsetof(struct stoa_unary_options, a), "1", -1e6, 1e6, NULL},
};

static const struct stoa_op_example examples[] = {
    {"alpha=0.2345", {"3x5x7"}, 2},
    {"alpha=-0.4321", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(thresholded_relu, options, 1, examples, x > a ? x : 0, x > a ? 1 : 0);
