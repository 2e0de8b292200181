/* SPDX-License-Identifier: MIT */
/* A pass of a layer by every algorithm that can compute it: each planned, verified and timed in turn. */
#ifndef STOA_BENCH_RIVALS_H
#define STOA_BENCH_RIVALS_H

#include "bench/layer.h"

enum { BENCH_MOST_RIVALS = 16 };

struct bench_rival {
    struct bench_work work; /* for that pass only */
    enum stoa_conv_pass pass;
    bool chosen; /* by the library */
    struct bench_error error;
    double first;             /* seconds of a first run, where rivals are left out by it */
    struct bench_times times; /* no repetitions: not timed */
};

struct bench_rivals {
    struct bench_rival rival[BENCH_MOST_RIVALS];
    size_t count, wrong; /* of them, those with wrong results */
};

static inline const struct stoa_conv_plan *bench_rival_plan(const struct bench_rival *rival) {
    return &rival->work.plan[rival->pass];
}

/* Every algorithm that is applicable, ready and verified; false, with the sentence printed, when there is no
 * memory. Release in any case. */
bool bench_rivals_make(const struct bench *bench, const struct bench_work *work, enum stoa_conv_pass pass,
                       struct bench_rivals *rivals);
/* Time those that are right in turn. `within`: leave out those that take more than so many times as long as
 * the fastest in a first run, but not the chosen one; 0: none. */
void bench_rivals_time(const struct bench *bench, struct bench_rivals *rivals, double within);
void bench_rivals_free(struct bench_rivals *rivals);

/* Of those that were timed; NULL where there is none. */
const struct bench_rival *bench_rivals_chosen(const struct bench_rivals *rivals);
const struct bench_rival *bench_rivals_fastest(const struct bench_rivals *rivals);

/* Keep a rival's result for --json. */
void bench_rival_report(struct bench *bench, const struct bench_rival *rival,
                        const struct bench_rival *chosen, const struct bench_rival *fastest);

#endif
