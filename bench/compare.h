/* Layers beside another engine. */
#ifndef STOA_BENCH_COMPARE_H
#define STOA_BENCH_COMPARE_H

#include "bench/layer.h"
#include "bench/others.h"
#include "bench/peers/peer.h"

/* Every wanted layer and pass beside --peer: tables, means and the JSON. */
int bench_compare(struct bench *bench, const struct bench_layers *layers);

/* One way of the peer that was timed. The ratio is its time over the engine's in the same repetition: above 1 the
 * engine is the faster one. */
struct bench_contender {
    char name[96];
    bool plain; /* NHWC in and out */
    struct bench_error error;
    struct bench_times times;
    struct bench_summary ratio;
};

/* One pass beside the peer. */
enum { BENCH_MOST_CONTENDERS = 4 };
struct bench_pair {
    const struct bench_layer *layer;
    size_t pass;
    const char *algorithm; /* the engine's */
    struct bench_error error;
    struct bench_times times;
    struct bench_contender contender[BENCH_MOST_CONTENDERS];
    size_t contenders;
    double others;                              /* share of the CPUs that other programs had */
    const struct bench_contender *best, *plain; /* the fastest of all, and of the plain ones; NULL: none */
};

/* Geometric means over the rows that a name stands for. */
struct bench_means;
struct bench_means *bench_means_make(void);
void bench_means_add(struct bench_means *means, const struct bench_pair *pair);
/* Print them, and put them into the JSON's context beside the peer's name and version. */
void bench_means_print(struct bench *bench, const struct bench_means *means, const char *peer,
                       const char *version);
void bench_means_free(struct bench_means *means);

/* Whether this build has that peer and the peer's library is there. CLI_DONE, or CLI_WRONG with the sentence printed. */
int bench_peer_check(const char *name);

/* The module of that name next to the program, started. CLI_DONE, or CLI_WRONG with the sentence printed. */
struct bench_loaded {
    const struct bench_peer *peer;
    char version[160];
};
int bench_peer_load(const char *name, size_t threads, struct bench_loaded *loaded);
void bench_peer_unload(struct bench_loaded *loaded);

#endif
