/* SPDX-License-Identifier: MIT */
/* What another engine looks like to stoa-bench. Each is a shared module of its own that exports one
 * `bench_peer` and is loaded when --peer asks for it, so that stoa-bench starts where the engine's library is
 * not installed. */
#ifndef STOA_BENCH_PEERS_PEER_H
#define STOA_BENCH_PEERS_PEER_H

#include "conv/conv.h"

/* One pass of a layer. The arrays are as the library lays them out (conv/conv.h) and stay where they are
 * while a run made from them lives. */
struct bench_peer_problem {
    const struct stoa_conv *conv;
    bool linear; /* a product of matrices: 1x1 images */
    enum stoa_conv_pass pass;
    const float *x, *weight, *dy;
};

/* A problem prepared in one way; the module's own. */
struct bench_peer_run;

enum { BENCH_PEER_PASSES = 3 };

struct bench_peer {
    const char *name;
    bool passes[BENCH_PEER_PASSES]; /* those it has at all */
    size_t ways;                    /* algorithms and layouts it may be tried in, numbered from 0 */
    /* Whether a way takes activations as NHWC and gives NHWC, all it does to them in between being part of
     * the run. Weights may lie in any layout in every way. */
    bool (*plain)(size_t way);
    /* Start its threads, held to an instruction set where that is not NULL; `text` receives name, version and
     * what else a reader of figures has to know (that it cannot be held), or the reason why it cannot
     * start. */
    bool (*start)(size_t threads, const stoa_isa *held, char *text, size_t size);
    void (*stop)(void);
    /* NULL: this way is not for this problem. The output starts as NaN. */
    struct bench_peer_run *(*make)(const struct bench_peer_problem *problem, size_t way);
    const char *(*describe)(const struct bench_peer_run *run);
    void (*run)(struct bench_peer_run *run);
    /* The output in the library's layout; false when it cannot be had. */
    bool (*read)(struct bench_peer_run *run, float *out);
    void (*free)(struct bench_peer_run *run);
};

/* The one symbol of a module. */
#define BENCH_PEER_SYMBOL "bench_peer"
extern const struct bench_peer bench_peer __attribute__((visibility("default")));

#endif
