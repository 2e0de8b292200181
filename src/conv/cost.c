/* SPDX-License-Identifier: MIT */
/* Costs on the machine that a tuning table describes. */
#include "conv/cost.h"

#include <math.h>

#include "base/isa_list.h"
#include "base/size.h"
#include "core/tuning.h"

#define LANES(name, NAME, lanes, registers, core, features) [STOA_ISA_##NAME] = lanes,
static const size_t lanes[STOA_ISA_COUNT] = {[STOA_ISA_BASE] = 4, STOA_ISA_LIST(LANES)};

size_t stoa_cost_lanes(const stoa_context *context) {
    return lanes[context->isa];
}

double stoa_cost_product(const stoa_context *context, double flops, size_t n, size_t k) {
    const struct stoa_tuning *core = context->tuning;
    size_t columns = stoa_round_up(n, lanes[context->isa]);
    columns = columns < core->cost_least_columns ? (columns + core->cost_least_columns) / 2 : columns;
    return flops / core->cost_flops * ((double)columns / (double)n) *
           (((double)k + core->cost_element_terms) / (double)k);
}

double stoa_cost_weights(const stoa_context *context, double floats, double times) {
    const struct stoa_tuning *core = context->tuning;
    double beyond = fmax(0, floats - core->cost_outer_floats) / core->cost_outer_step;
    return floats <= core->cost_inner_floats ? 0 : floats * times / core->cost_outer_rate * (1 + beyond);
}

double stoa_cost_kernel(const stoa_context *context, double flops, size_t n, size_t k, size_t run) {
    enum { MOST_VECTORS = 4, ACCUMULATORS = 24, MOST_ROWS = 16, LATENCY = 4, GATHERED_ROWS = 7 };
    const struct stoa_tuning *core = context->tuning;
    size_t vectors = stoa_min(MOST_VECTORS, n / lanes[context->isa]);
    run = vectors <= 1 ? stoa_max(run, GATHERED_ROWS) : run; /* short runs share a block */
    size_t rows = stoa_min(run, stoa_min(MOST_ROWS, ACCUMULATORS / stoa_max(1, vectors)));
    /* A cycle has two multiply-adds or two loads, and a sum has its own latency. A block begins and ends in
     * the time of a few more steps. */
    double adds = (double)(rows * vectors) / 2;
    double loads = (double)(rows + vectors + 2) / 2;
    double cycles = fmax(fmax(adds, loads), LATENCY);
    return flops / core->cost_flops * (cycles / adds) * (((double)k + 4) / (double)k);
}
