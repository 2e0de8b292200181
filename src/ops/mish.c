/* SPDX-License-Identifier: MIT */
/* mish: x * tanh(softplus(x)) (Misra 2019).
 *
 * dx = dy * (t + x * (1 - t * t) * sigmoid(x)) with t = tanh(softplus(x)). Any shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(mish, NULL, 0, x *tanh(log1p(exp(x))),
                    tanh(log1p(exp(x))) +
                        x * (1 - tanh(log1p(exp(x))) * tanh(log1p(exp(x)))) / (1 + exp(-x)));
