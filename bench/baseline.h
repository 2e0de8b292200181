/* SPDX-License-Identifier: MIT */
/* The naive loops on a layer's numbers. */
#ifndef STOA_BENCH_BASELINE_H
#define STOA_BENCH_BASELINE_H

#include "bench/layer.h"
#include "bench/naive.h"

/* The loops of one of the table's columns, compiled for the context's instruction set. */
const struct bench_naive *bench_naive_of(const stoa_context *context, size_t column);

/* Verify one set of loops on as many output rows as take a moment, then time them: GFLOP/s. False, with the
 * sentence printed, when it is wrong or there is no memory. */
bool bench_baseline(const struct bench_work *work, enum stoa_conv_pass pass, const struct bench_naive *naive,
                    double *gflops);

#endif
