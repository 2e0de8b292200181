/* SPDX-License-Identifier: MIT */
/* Geometric means of ratios, and the row that is farthest behind. */
#ifndef STOA_BENCH_MEANS_H
#define STOA_BENCH_MEANS_H

#include "bench/bench.h"

/* A mean in progress; begin with zeros. */
struct bench_mean {
    size_t rows;
    double log_sum, lowest;
    char lowest_row[112];
};

__attribute__((format(printf, 3, 4))) void bench_mean_add(struct bench_mean *mean, double ratio,
                                                          const char *row, ...);
/* NaN without rows. */
double bench_mean_value(const struct bench_mean *mean);

/* Two cells: the mean and the lowest ratio; three with the row that has it. "-" without rows. */
void bench_mean_cells(const struct bench_mean *mean, bool with_row, struct cli_table *table);
/* {"rows", "geometric_mean", "lowest", "lowest_row"}. */
json_t *bench_mean_json(const struct bench_mean *mean);

#endif
