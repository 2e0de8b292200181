/* SPDX-License-Identifier: MIT */
/* hardsigmoid: a sigmoid of three straight lines.
 *
 * y = alpha * x + beta held between 0 and 1. The defaults are those of PyTorch; ONNX has alpha=0.2. Any
 * shape; in place. */
#include "ops/unary.h"

static const struct stoa_option options[] = {
    {"alpha", STOA_OPTION_FLOAT, offsetof(struct stoa_unary_options, a), "0.16666667", -1e6, 1e6, NULL},
    {"beta", STOA_OPTION_FLOAT, offsetof(struct stoa_unary_options, b), "0.5", -1e6, 1e6, NULL},
};

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},
    {"alpha=0.75 beta=0.36", {"33"}, 3},
    {NULL, {NULL}, 0},
};

STOA_UNARY_OPERATOR(hardsigmoid, options, 2, examples,
                    a *x + b < 0    ? 0
                    : a * x + b > 1 ? 1
                                    : a * x + b,
                    a *x + b > 0 && a * x + b < 1 ? a : 0);
