/* SPDX-License-Identifier: MIT */
/* What a training step on a single sample has to move: the weights. Products of a matrix and a vector use
 * each weight once, so that a step is as fast as the weights come and go. */
#ifndef STOA_BENCH_TRAFFIC_H
#define STOA_BENCH_TRAFFIC_H

#include <stoa/model.h>

#include "bench/bench.h"
#include "bench/ops_cases.h"

struct bench_traffic {
    double bytes;       /* that a step moves at least */
    double array_bytes; /* of the weights, as of their gradients */
    struct bench_ops_arrays *arrays;
    const stoa_context *context;
    struct bench_case pass; /* y = x + y on arrays as large as the weights and their gradients */
};

/* Weights are read forward, all but those of the first layer that has some again backward; gradients are
 * written; the update reads them, reads and writes the weights, and so the `slots` arrays of the optimiser.
 * False with the sentence printed when memory is short. */
bool bench_traffic_open(const struct bench *bench, const stoa_model *model, size_t slots,
                        struct bench_traffic *traffic);
void bench_traffic_close(struct bench_traffic *traffic);

/* From the times of a step and of the pass: what moves, what could, and the share. */
void bench_traffic_report(const struct bench_traffic *traffic, const struct bench_times *step,
                          const struct bench_times *pass, struct bench_record *record);
void bench_traffic_print(const struct bench_traffic *traffic, const struct bench_times *step,
                         const struct bench_times *pass);

#endif
