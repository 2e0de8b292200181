/* SPDX-License-Identifier: MIT */
/* Where the time of a pass goes: products, through the engine's door or its own kernel, and columns, counted
 * and timed from outside. The linker sends every call of stoa_gemm_run() here first (--wrap); the kernels are
 * reached through a copy of the context's table. Both cost nothing worth naming while nobody watches. */
#ifndef STOA_BENCH_PARTS_H
#define STOA_BENCH_PARTS_H

#include "bench/bench.h"

struct bench_parts {
    double seconds;           /* of the watched run */
    double columns, products; /* shares of the threads' time, 0 to 1; the rest is other loops and waiting */
    size_t calls;             /* products */
    size_t m, n, k;           /* the largest product */
};

/* Run `one` some times, watched, and keep the fastest run. */
struct bench_parts bench_parts_of(stoa_context *context, const struct bench_case *one);

#endif
