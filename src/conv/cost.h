/* SPDX-License-Identifier: MIT */
/* What work costs on one core of the machine that the context's tuning table describes: the terms of a plan's
 * cost. What counts is not the seconds but which of two algorithms has fewer. */
#ifndef STOA_CONV_COST_H
#define STOA_CONV_COST_H

#include "conv/conv.h"

/* Floats of the instruction set's vectors. */
size_t stoa_cost_lanes(const stoa_context *context);

/* Seconds of products through the door, `flops` / (2 n k) rows of them: n columns, sums of k terms, on
 * operands that lie in the caches. */
double stoa_cost_product(const stoa_context *context, double flops, size_t n, size_t k);

/* Seconds of the engine's own product kernel, `flops` / (2 n k) rows of them in runs of `run`; n is a
 * multiple of the vector's width. */
double stoa_cost_kernel(const stoa_context *context, double flops, size_t n, size_t k, size_t run);

/* Seconds that products wait for so many floats of weights, read `times` times over: none where they fit
 * beside a tile, very many where they overflow the caches. */
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
