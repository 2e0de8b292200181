/* SPDX-License-Identifier: MIT */
/* What operators gain that are one pass over memory instead of several. */
#ifndef STOA_BENCH_OPS_FUSED_H
#define STOA_BENCH_OPS_FUSED_H

#include "bench/bench.h"

/* How many rows --filter wants; their names are printed where --list asks for that. */
size_t bench_ops_fused_count(const struct bench *bench);
/* Verify and time each wanted row, fused and layer by layer in turn: a table and results. `begun` steps of
 * the progress line are done before. CLI_DONE, or another code with the sentence printed. */
int bench_ops_fused(struct bench *bench, size_t begun);

#endif
