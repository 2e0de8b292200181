/* SPDX-License-Identifier: MIT */
/* Where the time of a pass goes: products, through the engine's door or its own kernels, and columns, counted
 * and timed from outside, and how much of the products the BLAS computes. The linker sends every call of
 * stoa_way_run() and stoa_blas_sgemm() here first (--wrap); the kernels are reached through a copy of the
 * context's table. All of it costs nothing worth naming while nobody watches. */
#ifndef STOA_BENCH_PARTS_H
#define STOA_BENCH_PARTS_H

#include "bench/bench.h"

struct bench_parts {
    double seconds;           /* of the watched run */
    double columns, products; /* shares of the threads' time, 0 to 1; the rest is other loops and waiting */
    size_t calls;             /* products */
    size_t m, n, k;           /* the largest product */
    double flops, blas_flops; /* of all products as they are computed, and of those inside cblas_sgemm */
};

/* The BLAS's share of the flops, 0 to 1; 0 where there are no products. */
double bench_parts_in_blas(const struct bench_parts *parts);

/* Run `one` some times, watched, and keep the fastest run. */
struct bench_parts bench_parts_of(stoa_context *context, const struct bench_case *one);

#endif
