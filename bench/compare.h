/* SPDX-License-Identifier: MIT */
/* Layers beside another engine. */
#ifndef STOA_BENCH_COMPARE_H
#define STOA_BENCH_COMPARE_H

#include "bench/layer.h"
#include "bench/others.h"
#include "bench/peers/peer.h"

/* Every wanted layer and pass beside --peer: tables, means and the JSON. */
int bench_compare(struct bench *bench, const struct bench_layers *layers);

/* One way of the peer that is timed. The ratio is its time over the engine's in the same repetition:
 * above 1 the engine is the faster one. */
struct bench_contender {
    char name[96];
    size_t way;
    bool plain; /* NHWC in and out */
    struct bench_error error;
    struct bench_summary ratio;
};

/* One pass beside the peer. */
enum { BENCH_MOST_CONTENDERS = 4 };
struct bench_pair {
    const struct bench_layer *layer;
    size_t pass;
    bool wanted;
    char algorithm[80]; /* the engine's */
    struct bench_error error;
    struct bench_contender contender[BENCH_MOST_CONTENDERS];
    size_t contenders;
    struct bench_times times[BENCH_MOST_CONTENDERS + 1]; /* the engine's, and behind it the contenders' */
    size_t rounds;                                       /* repetitions that are done */
    double others; /* share of the CPUs that other programs had, in the worst repetition */
    const struct bench_contender *best, *plain; /* the fastest of all, and of the plain ones; NULL: none */
};

/* Try the peer in every way it has, and take into the pair those that are right and may be the fastest. */
void bench_ways_choose(const struct bench *bench, const struct bench_peer *peer,
                       const struct bench_work *work, struct bench_pair *pair);
struct bench_peer_problem bench_peer_problem_of(const struct bench_work *work, enum stoa_conv_pass pass);

/* To be timed: the argument is a struct bench_peer_case. */
struct bench_peer_case {
    const struct bench_peer *peer;
    struct bench_peer_run *run;
};
void bench_peer_run_case(void *argument);

/* Geometric means over the rows that a name stands for. */
struct bench_means;
struct bench_means *bench_means_make(void);
void bench_means_add(struct bench_means *means, const struct bench_pair *pair);
/* Print them, and put them into the JSON's context beside the peer's name and version. */
void bench_means_print(struct bench *bench, const struct bench_means *means, const char *peer,
                       const char *version);
void bench_means_free(struct bench_means *means);

/* Whether this build has that peer and the peer's library is there. CLI_DONE, or CLI_WRONG with the
 * sentence printed. */
int bench_peer_check(const char *name);

/* The module of that name next to the program, started, and held to an instruction set where that is less
 * than the CPU's. CLI_DONE, or CLI_WRONG with the sentence printed. */
struct bench_loaded {
    const struct bench_peer *peer;
    char version[160];
};
int bench_peer_load(const char *name, size_t threads, stoa_isa isa, struct bench_loaded *loaded);
void bench_peer_unload(struct bench_loaded *loaded);

#endif
