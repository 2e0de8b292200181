/* SPDX-License-Identifier: MIT */
/* selu: the scaled exponential linear unit (Klambauer et al. 2017).
 *
 * y = scale * x where x > 0, else scale * alpha * (exp(x) - 1), with the two fixed numbers of the paper. Any
 * shape; in place. */
#include "ops/unary.h"

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(selu, NULL, 0, examples,
                    x > 0 ? STOA_UNARY_CONSTANT(1.0507009873554804934193349852946) * x
                          : STOA_UNARY_CONSTANT(1.0507009873554804934193349852946) *
                                STOA_UNARY_CONSTANT(1.6732632423543772848170429916717) *
                                STOA_UNARY_CALL(expm1)(x),
                    x > 0 ? STOA_UNARY_CONSTANT(1.0507009873554804934193349852946)
                          : STOA_UNARY_CONSTANT(1.0507009873554804934193349852946) *
                                STOA_UNARY_CONSTANT(1.6732632423543772848170429916717) *
                                STOA_UNARY_CALL(exp)(x));
