/* SPDX-License-Identifier: MIT */
/* The modes of stoa-bench: one word a mode, its `const struct bench_mode bench_mode_NAME` in a file of its
 * own that bench/meson.build lists. */
#ifndef STOA_BENCH_MODES_H
#define STOA_BENCH_MODES_H

#include "bench/bench.h"

#define BENCH_MODES(X)                                                                                       \
    X(gemm)                                                                                                  \
    X(layers)                                                                                                \
    X(ops)                                                                                                   \
    X(train)                                                                                                 \
    X(infer)                                                                                                 \
    X(latency)                                                                                               \
    X(fit)                                                                                                   \
    X(checkpoint)                                                                                            \
    X(scale)                                                                                                 \
    X(seeds)                                                                                                 \
    X(accuracy)                                                                                              \
    X(median)                                                                                                \
    X(plot)                                                                                                  \
    X(report)

#define BENCH_DECLARE(name) extern const struct bench_mode bench_mode_##name;
BENCH_MODES(BENCH_DECLARE)
#undef BENCH_DECLARE

#endif
