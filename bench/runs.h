/* SPDX-License-Identifier: MIT */
/* What `train` and `infer` do alike: time a step, count its allocations, look into it, report and print. */
#ifndef STOA_BENCH_RUNS_H
#define STOA_BENCH_RUNS_H

#include "bench/recipes.h"
#include "bench/shares.h"
#include "bench/traffic.h"

/* A step of a recipe, whichever mode it is of. */
struct bench_run {
    struct bench *bench;
    const char *name;   /* "train/lenet5" */
    const char *recipe; /* "lenet5" */
    size_t batch;
    const stoa_model *model;
    stoa_plan *plan;
    const stoa_status *status;           /* of the first step that failed */
    const struct bench_traffic *traffic; /* NULL: something else than weights limits the step */
    struct bench_watched watched;
};

/* Timings of a run, for the progress line: its steps, then the parts of them. */
enum { BENCH_RUN_TIMINGS = 2 };

/* The table of results, a row a run; begin before the first, end after the last. One that has not begun is
 * left alone. */
void bench_runs_begin(const struct bench *bench, struct cli_table *table);
void bench_runs_end(struct cli_table *table);

/* Time it and add its row; the table of shares is printed at once. CLI_DONE, or CLI_FAILED with the sentence
 * printed. */
int bench_runs_measure(struct bench_run *run, struct cli_table *table);

#endif
