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

STOA_UNARY_OPERATOR(mish, NULL, 0, examples,
                    x *STOA_UNARY_CALL(tanh)(STOA_UNARY_CALL(log1p)(STOA_UNARY_CALL(exp)(x))),
                    STOA_UNARY_CALL(tanh)(STOA_UNARY_CALL(log1p)(STOA_UNARY_CALL(exp)(x))) +
                        x *
                            (1 - STOA_UNARY_CALL(tanh)(STOA_UNARY_CALL(log1p)(STOA_UNARY_CALL(exp)(x))) *
                                     STOA_UNARY_CALL(tanh)(STOA_UNARY_CALL(log1p)(STOA_UNARY_CALL(exp)(x)))) /
                            (1 + STOA_UNARY_CALL(exp)(-x)));
