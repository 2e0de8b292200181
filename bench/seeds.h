/* SPDX-License-Identifier: MIT */
/* Rows of a list of recipes, each with what its runs must reach: what the files of `stoa-bench seeds`
 * share. */
#ifndef STOA_BENCH_SEEDS_H
#define STOA_BENCH_SEEDS_H

#include <stdint.h>
#include <stoa/recipe.h>

#include "bench/bench.h"
#include "bench/others.h"

/* What is known of a run: accuracies in percent, on the test data and on all that it learned from, the loss
 * on the test data, images a second, and seconds that the run took, on the clock and on CPUs. */
enum bench_measure {
    BENCH_TEST,
    BENCH_TRAIN,
    BENCH_LOSS,
    BENCH_RATE,
    BENCH_SECONDS,
    BENCH_CPU,
    BENCH_MEASURES
};
enum { BENCH_GOALS = BENCH_RATE + 1 }; /* the first of them may have a figure */

enum bench_goal_kind { BENCH_NO_GOAL, BENCH_SHOWN, BENCH_AT_LEAST, BENCH_ABOVE };
struct bench_goal {
    enum bench_goal_kind kind; /* BENCH_SHOWN: stands beside the result and decides nothing */
    double figure;
};

struct bench_row {
    char *system, *recipe, *name; /* the recipe's name, where it is given as a path */
    struct bench_goal goal[BENCH_GOALS];
    size_t runs;                   /* seeds 1 to N */
    bool splits;                   /* the seed draws the test part too */
    bool single;                   /* each run has one thread, and as many run at once as there are threads */
    double *value[BENCH_MEASURES]; /* a number a run */
    size_t begun, done;            /* runs */
    bool failed;                   /* a run broke off with an error */
    struct bench_others others;    /* at the first run */
    double others_share;           /* known when all are done */
};

struct bench_rows {
    struct bench_row *row;
    size_t count;
};

/* Read those rows of the list that are wanted, at least one. CLI_DONE, or CLI_WRONG with the sentence
 * printed. */
int bench_rows_read(const struct bench *bench, struct bench_rows *rows);
void bench_rows_free(struct bench_rows *rows);
/* "seeds/B/mlp6", from malloc. */
char *bench_row_name(const struct bench_row *row);

/* One run of a row. `told` hears of every step and epoch and returns true to break off. */
struct bench_seed_run {
    const struct bench_row *row;
    uint64_t seed;
    size_t threads;
    const char *mnist; /* where MNIST lies; NULL: found as `stoa train` does */
    stoa_progress_fn *told;
    void *user;
    double value[BENCH_MEASURES]; /* on CLI_DONE */
};
/* CLI_DONE, CLI_SIGNAL when it was broken off, or another code with the sentence printed. */
int bench_seed_run(struct bench_seed_run *run);
/* Find recipe and data and see whether they fit together, without training. */
int bench_seed_check(struct bench_seed_run *run);

/* Whether the runs of a row that is done reach its figures: as SEEDS say, a mean of accuracies over seeds may
 * stay below by two of its standard errors, all others may not. */
enum bench_verdict { BENCH_FAILS, BENCH_PASSES_WITHIN_ERRORS, BENCH_PASSES };
enum bench_verdict bench_row_judge(const struct bench_row *row);

/* What the table's words mean. */
extern const char bench_seeds_note[];

/* A table for people, a line a row as it is done, on stdout; what has a figure besides stands below. */
void bench_seeds_head(const struct bench *bench, const struct bench_rows *rows);
void bench_seeds_print(const struct bench *bench, const struct bench_row *row);
/* The same of all rows that are done as a table in Markdown, whole or not at all. */
int bench_seeds_write(const struct bench *bench, const struct bench_rows *rows, const char *path);
/* The row for --json: a repetition is a run. */
void bench_seeds_report(struct bench *bench, const struct bench_row *row);

#endif
