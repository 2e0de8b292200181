/* SPDX-License-Identifier: MIT */
/* Where the time of a step goes: by layer and pass for the JSON, by operator for people. */
#ifndef STOA_BENCH_SHARES_H
#define STOA_BENCH_SHARES_H

#include "bench/bench.h"
#include "bench/watch.h"

/* Something that takes part of a step: a pass of a layer, or work beside the layers. */
struct bench_part {
    struct bench_part_name name;
    double *real; /* seconds a step, one a repetition */
};

struct bench_shares {
    struct bench_part *part;
    size_t parts, repetitions, iterations;
    double *step; /* seconds of whole steps, one a repetition */
};

/* A step to be looked into, which tells the watch of what it does beside the plan. */
struct bench_watched {
    struct bench_case step;
    struct bench_watch *watch;
};

/* The watch is open. As many steps a repetition as last --min-time, given how long one takes. */
void bench_shares_measure(const struct bench *bench, const struct bench_watched *watched, double step_seconds,
                          struct bench_shares *shares);
/* A record for each part that takes time: "NAME/c1/forward". */
void bench_shares_report(struct bench *bench, const struct bench_shares *shares, const char *name);
/* A table by operator, the largest first. */
void bench_shares_print(const struct bench_shares *shares);
void bench_shares_free(struct bench_shares *shares);

#endif
