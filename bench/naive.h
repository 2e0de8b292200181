/* SPDX-License-Identifier: MIT */
/* Convolutions as anybody would write them first: what an engine has to be worth its place. */
#ifndef STOA_BENCH_NAIVE_H
#define STOA_BENCH_NAIVE_H

#include "base/isa_list.h"
#include "conv/conv.h"

/* One set of compiler flags and one loop order. Each pass handles the first `rows` output rows of the batch
 * only, so that large layers can be timed in parts; the backward passes add to what is there. Weights and
 * their gradient lie as [K][KH][KW][C / groups] unless `filters_last`: then as the library's, [KH][KW]
 * [C / groups][K]. Each order has the layout in which its innermost loop is contiguous. */
struct bench_naive {
    const char *name, *isa, *key; /* for people, and in JSON */
    bool filters_last[3];
    void (*forward)(const struct stoa_conv *conv, size_t rows, const float *x, const float *weight, float *y);
    void (*backward_data)(const struct stoa_conv *conv, size_t rows, const float *dy, const float *weight,
                          float *dx);
    void (*backward_weights)(const struct stoa_conv *conv, size_t rows, const float *x, const float *dy,
                             float *dweight);
};

/* -O2 is the baseline's everywhere; both of -O3 are there for each instruction set that the kernels have. */
enum { BENCH_NAIVES = 3 };
extern const struct bench_naive bench_naive_o2_base, bench_naive_o3_base, bench_naive_best_base;
#define BENCH_NAIVE_DECLARE(name, NAME, lanes, registers, core, features)                                    \
    extern const struct bench_naive bench_naive_o3_##name, bench_naive_best_##name;
STOA_ISA_BUILT(BENCH_NAIVE_DECLARE)
#undef BENCH_NAIVE_DECLARE

#endif
