/* SPDX-License-Identifier: MIT */
/* Training beside another engine: both in processes of their own, on the same network, weights and
 * batches. */
#ifndef STOA_BENCH_TRAIN_PEER_H
#define STOA_BENCH_TRAIN_PEER_H

#include "bench/bench.h"

/* The table of results; print it with bench_runs_end(). */
void bench_train_peer_begin(const struct bench *bench, struct cli_table *table);
/* A recipe beside --peer: a row and its results. CLI_DONE, or another code with the sentence printed. */
int bench_train_peer(struct bench *bench, const char *path, const char *recipe, struct cli_table *table);

/* Answer the standard input until it ends, as bench/peers/train.py does: what --peer starts for Stoa. Says
 * who it is, how it runs, then the number of parameters and the losses of the first steps; answers "steps N"
 * with the seconds of N steps, and "memory" with the most bytes that were resident and those of the plan. */
enum { BENCH_FIRST_LOSSES = 3 };
int bench_train_serve(struct bench *bench, const char *path);

#endif
