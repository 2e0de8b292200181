/* SPDX-License-Identifier: MIT */
/* Mode fit: what its parts share. */
#ifndef STOA_BENCH_FIT_H
#define STOA_BENCH_FIT_H

#include "bench/choices.h"
#include "bench/rivals.h"
#include "core/tuning.h"

/* What an algorithm takes for a row. */
struct bench_fit_way {
    const struct stoa_conv_algorithm *algorithm;
    double seconds;
};

/* A pass of a layer by all its ways. */
struct bench_fit_row {
    const struct bench_layer *layer;
    enum stoa_conv_pass pass;
    size_t count;
    struct bench_fit_way way[BENCH_MOST_RIVALS];
};

struct bench_fit {
    struct bench *bench;
    struct bench_layers layers;
    struct stoa_tuning table; /* the one in the making, which the context has */
    struct bench_fit_row *row;
    size_t rows, wrong;
    double fma, memory; /* GFLOP/s and GB/s, measured on one core and on all; 0: not yet */
};

/* Time all ways of all rows with the context's table. CLI_DONE, or another code with the sentence printed. */
int bench_fit_measure(struct bench_fit *fit);

/* Put the times of an earlier measurement of the same rows to those that stand in them. */
void bench_fit_merge(struct bench_fit *fit, const struct bench_fit_row *earlier);

/* What a table's choices cost for the times that stand in the rows. */
struct bench_choices bench_fit_judge(const struct bench_fit *fit, const struct stoa_tuning *table);

/* Choose the costs by which the least is lost on the rows. */
void bench_fit_costs(struct bench_fit *fit);

/* Try sizes of blocks where they change what is chosen. CLI_DONE, or another code with the sentence
 * printed. */
int bench_fit_blocks(struct bench_fit *fit);

#endif
