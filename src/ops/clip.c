/* SPDX-License-Identifier: MIT */
/* clip: x held between `min` and `max`; relu6 is min=0 max=6.
 *
 * y = x < min ? min : x > max ? max : x. dx = dy where min <= x <= max, else 0. Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_option options[] = {
    {"min", STOA_OPTION_FLOAT, offsetof(struct stoa_unary_options, a), "-3.4e38", -3.4e+38, 3.4e+38, NULL},
    {"max", STOA_OPTION_FLOAT, offsetof(struct stoa_unary_options, b), "3.4e38", -3.4e+38, 3.4e+38, NULL},
};

static const struct stoa_op_example examples[] = {
    {"min=-0.4321 max=0.2345", {"3x5x7"}, 2},
    {"max=0.1234", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(clip, options, 2, examples, x<a ? a : x> b ? b : x, x >= a && x <= b ? 1 : 0);
