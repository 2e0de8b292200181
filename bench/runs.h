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

/* The table of results, a row a run; begin before the first, print after the last. */
void bench_runs_begin(struct cli_table *table);

/* Time it and add its row; the table of shares is printed at once. CLI_DONE, or CLI_FAILED with the sentence
 * printed. */
int bench_runs_measure(struct bench_run *run, struct cli_table *table);

#endif
