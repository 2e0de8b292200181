/* The nominal machine. Floor 4. */
#include "conv/cost.h"

#include <math.h>

#include "base/size.h"

/* One core. flops: multiply-adds in registers, counted as two. `lanes`: columns that a product is rounded up to.
 * A product spends as long on an element of its result, whatever it sums, as on `element_terms` terms of the
 * sum, and a few columns keep too few sums in flight: they run as if they were `least_columns`. */
struct nominal {
    double flops, stream_floats, tile_floats;
    double lanes, least_columns, element_terms;
};

static const struct nominal nominal[STOA_ISA_COUNT] = {
    [STOA_ISA_BASE] = {25e9, 2.5e9, 5e9, 4, 8, 8},
    [STOA_ISA_AVX2] = {125e9, 2.5e9, 12e9, 8, 16, 16},
    [STOA_ISA_AVX512] = {250e9, 2.5e9, 20e9, 16, 32, 16},
};

double stoa_cost_product(const stoa_context *context, double flops, size_t n, size_t k) {
    const struct nominal *core = &nominal[context->isa];
    double columns = (double)(size_t)(((double)n + core->lanes - 1) / core->lanes) * core->lanes;
    columns = columns < core->least_columns ? (columns + core->least_columns) / 2 : columns;
    return flops / core->flops * (columns / (double)n) * (((double)k + core->element_terms) / (double)k);
}

double stoa_cost_kernel(const stoa_context *context, double flops, size_t n, size_t k, size_t run) {
    enum { MOST_VECTORS = 4, ACCUMULATORS = 24, MOST_ROWS = 16, LATENCY = 4, GATHERED_ROWS = 7 };
    const struct nominal *core = &nominal[context->isa];
    size_t vectors = stoa_min(MOST_VECTORS, (size_t)((double)n / core->lanes));
    run = vectors <= 1 ? stoa_max(run, GATHERED_ROWS) : run; /* short runs share blocks */
    size_t rows = stoa_min(run, stoa_min(MOST_ROWS, ACCUMULATORS / stoa_max(1, vectors)));
    /* Cycles of a step: two multiply-adds or two loads each, and a sum's own latency. */
    double adds = (double)(rows * vectors) / 2;
    double loads = (double)(rows + vectors) / 2;
    double cycles = fmax(fmax(adds, loads), LATENCY);
    return flops / core->flops * 1.12 * (cycles / adds) * (((double)k + 8) / (double)k);
}

double stoa_cost_stream(const stoa_context *context, double floats) {
    return floats / nominal[context->isa].stream_floats;
}

double stoa_cost_tile(const stoa_context *context, double floats) {
    return floats / nominal[context->isa].tile_floats;
}
