/* SPDX-License-Identifier: MIT */
/* Where a plan's time goes: every layer's operator is replaced by one that looks at the clock around the
 * original. Outside a watch the engine runs untouched code. */
#ifndef STOA_BENCH_WATCH_H
#define STOA_BENCH_WATCH_H

#include "model/plan.h"

/* Time of one layer (the loss behind the last) in seconds, summed over the steps since
 * bench_watch_reset(). */
struct bench_watch_node {
    struct stoa_op op; /* what the layer points to while watched; first, so that an operator leads here */
    const struct stoa_op *original;
    struct bench_watch *watch;
    double seconds[2]; /* by enum stoa_pass */
};

struct bench_watch {
    stoa_plan *plan;
    size_t nodes; /* the loss included */
    struct bench_watch_node *node;
    double last_end; /* when the last pass ended: what follows it in a step is the optimiser */
};

/* The plan and its model are watched until bench_watch_close(). */
void bench_watch_open(struct bench_watch *watch, stoa_plan *plan);
void bench_watch_reset(struct bench_watch *watch);
void bench_watch_close(struct bench_watch *watch);

#endif
