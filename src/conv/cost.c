/* SPDX-License-Identifier: MIT */
/* The nominal machine. */
#include "conv/cost.h"

#include <math.h>

#include "base/size.h"

/* One core. flops: multiply-adds in registers, counted as two. `lanes`: columns that a product is rounded up
 * to. A product spends as long on an element of its result, whatever it sums, as on `element_terms` terms of
 * the sum, and a few columns keep too few sums in flight: up to `least_columns` they run half as if they were
 * that many. Fitted to `stoa-bench layers --all-algorithms` over the layer list on a Zen 5 with AVX-512; the
 * other sets follow from the width of their vectors. */
struct nominal {
    double flops, stream_floats, tile_floats;
    size_t lanes, least_columns;
    double element_terms;
};

static const struct nominal nominal[STOA_ISA_COUNT] = {
    [STOA_ISA_BASE] = {30e9, 8e9, 6e9, 4, 8, 2},
    [STOA_ISA_AVX2] = {120e9, 12e9, 15e9, 8, 16, 2},
    [STOA_ISA_AVX512] = {240e9, 12e9, 20e9, 16, 32, 2},
};

/* Weights of so many floats stay beside the tile. Larger ones come from the outer cache, and each OUTER_STEP
 * beyond what that holds makes it as much slower again. */
static const double INNER_FLOATS = 131072, OUTER_RATE = 64e9, OUTER_FLOATS = 2e6, OUTER_STEP = 6e5;

size_t stoa_cost_lanes(const stoa_context *context) {
    return nominal[context->isa].lanes;
}

double stoa_cost_product(const stoa_context *context, double flops, size_t n, size_t k) {
    const struct nominal *core = &nominal[context->isa];
    size_t columns = stoa_round_up(n, core->lanes);
    columns = columns < core->least_columns ? (columns + core->least_columns) / 2 : columns;
    return flops / core->flops * ((double)columns / (double)n) *
           (((double)k + core->element_terms) / (double)k);
}

double stoa_cost_weights(double floats, double times) {
    double beyond = floats > OUTER_FLOATS ? (floats - OUTER_FLOATS) / OUTER_STEP : 0;
    return floats <= INNER_FLOATS ? 0 : floats * times / OUTER_RATE * (1 + beyond);
}

double stoa_cost_kernel(const stoa_context *context, double flops, size_t n, size_t k, size_t run) {
    enum { MOST_VECTORS = 4, ACCUMULATORS = 24, MOST_ROWS = 16, LATENCY = 4, GATHERED_ROWS = 7 };
    const struct nominal *core = &nominal[context->isa];
    size_t vectors = stoa_min(MOST_VECTORS, n / core->lanes);
    run = vectors <= 1 ? stoa_max(run, GATHERED_ROWS) : run; /* short runs share blocks */
    size_t rows = stoa_min(run, stoa_min(MOST_ROWS, ACCUMULATORS / stoa_max(1, vectors)));
    /* Cycles of a step: two multiply-adds or two loads each, and a sum's own latency. A block begins and ends
     * in the time of a few more. */
    double adds = (double)(rows * vectors) / 2;
    double loads = (double)(rows + vectors + 2) / 2;
    double cycles = fmax(fmax(adds, loads), LATENCY);
    return flops / core->flops * (cycles / adds) * (((double)k + 4) / (double)k);
}

double stoa_cost_stream(const stoa_context *context, double floats) {
    return floats / nominal[context->isa].stream_floats;
}

double stoa_cost_tile(const stoa_context *context, double floats) {
    return floats / nominal[context->isa].tile_floats;
}
