/* SPDX-License-Identifier: MIT */
/* What work costs on one core of the machine that the context's tuning table describes. Only the order of
 * two algorithms' costs matters, not their seconds. */
#ifndef STOA_CONV_COST_H
#define STOA_CONV_COST_H

#include "conv/conv.h"

/* The number of floats in a vector of the instruction set. */
size_t stoa_cost_lanes(const stoa_context *context);

/* Seconds of products by src/product with `flops` / (2 n k) rows, n columns and sums of k terms, whose
 * operands lie in the caches. */
double stoa_cost_product(const stoa_context *context, double flops, size_t n, size_t k);

/* The same for the engine's own kernel, with rows in runs of `run`; n is a multiple of the vector's width. */
double stoa_cost_kernel(const stoa_context *context, double flops, size_t n, size_t k, size_t run);

/* Seconds that products wait for so many floats of weights, which are read `times` times: none where they
 * fit beside a tile, very many where they overflow the caches. */
double stoa_cost_weights(const stoa_context *context, double floats, double times);

/* Seconds to read or write so many floats of a pass's tensors, which lie in the outer cache or in memory:
 * conv/plan.c adds them to what an algorithm costs. */
static inline double stoa_cost_stream(const stoa_context *context, double floats) {
    return floats / context->tuning->cost_stream_floats;
}

/* Seconds to read or write so many floats of a tile, which lie in the core's own cache. */
static inline double stoa_cost_tile(const stoa_context *context, double floats) {
    return floats / context->tuning->cost_tile_floats;
}

#endif
