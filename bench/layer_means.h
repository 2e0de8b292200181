/* SPDX-License-Identifier: MIT */
/* Geometric means of layers by group and pass: naive loops, im2col and the BLAS, the engine. */
#ifndef STOA_BENCH_LAYER_MEANS_H
#define STOA_BENCH_LAYER_MEANS_H

#include "bench/means.h"

/* What a row has; 0: not measured. */
struct bench_layer_figures {
    double naive, blas, engine; /* GFLOP/s */
    double share;               /* of the limit of multiply-adds */
    double over_naive, over_blas;
};

struct bench_layer_means;
struct bench_layer_means *bench_layer_means_make(void);
void bench_layer_means_free(struct bench_layer_means *means);
/* A row of a layer, whose group is all but the last word of its name, and pass. */
void bench_layer_means_add(struct bench_layer_means *means, const char *layer, const char *pass,
                           const struct bench_layer_figures *figures);
/* How many rows there are. */
size_t bench_layer_means_rows(const struct bench_layer_means *means);
/* Fill a table: a row a group and pass, then one a pass over all groups. */
void bench_layer_means_fill(const struct bench_layer_means *means, struct cli_table *table);
json_t *bench_layer_means_json(const struct bench_layer_means *means);

#endif
