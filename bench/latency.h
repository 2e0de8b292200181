/* SPDX-License-Identifier: MIT */
/* One image at a time: what the files of `stoa-bench latency` share. */
#ifndef STOA_BENCH_LATENCY_H
#define STOA_BENCH_LATENCY_H

#include "bench/recipes.h"

enum bench_caches { BENCH_WARM, BENCH_COLD, BENCH_CACHE_STATES };

/* A network that engines run: its files, which peers read, and what it gives for its image. */
struct bench_network {
    char *name;   /* "lenet5", "4-8-2" */
    char *recipe; /* path, for Stoa */
    char *folder; /* recipe.ini, model.safetensors and input.f32 (C, H, W); removed at the end */
    float *input; /* as in input.f32 */
    float *output;
    size_t inputs, outputs;
};

/* Something that runs a network. */
struct bench_engine {
    const char *name, *way; /* "ONNX Runtime 1.20", "bound"; borrowed from `self` */
    size_t threads;
    bool is_stoa;
    void *self;
    /* Seconds of each of `count` runs. CLI_DONE, or another code with the sentence printed. */
    int (*measure)(void *self, enum bench_caches caches, size_t count, double *seconds);
};

/* Whether an operand is sizes of dense layers, "4-8-2", rather than a recipe. */
bool bench_network_is_sizes(const char *operand);
/* Open a recipe by name or path, or a perceptron with ReLU of such sizes. The folder lacks the files that
 * bench_network_fill() writes. CLI_DONE, or CLI_WRONG or CLI_FAILED with the sentence printed; close in any
 * case. */
int bench_network_open(const char *operand, struct bench_network *network);
void bench_network_close(struct bench_network *network);
/* Write a file into its folder, one of those that are removed at the end. */
int bench_network_write(const struct bench_network *network, const char *file, const void *data,
                        size_t bytes);
/* Write tensors and image, and take the output. */
int bench_network_fill(struct bench_network *network, struct bench_inference *inference);
/* Whether an engine's output is the network's, up to rounding. */
bool bench_network_agrees(const struct bench_network *network, const float *output);

/* Bytes that, once written, leave nothing else in the caches. */
size_t bench_flush_bytes(void);

/* Stoa itself. */
struct bench_latency_stoa {
    struct bench_inference inference;
    stoa_context *context;
    unsigned char *flush;
    size_t flush_bytes;
    double clock; /* seconds between two looks at it */
};
int bench_latency_stoa_open(const struct bench *bench, const struct bench_network *network, size_t threads,
                            struct bench_latency_stoa *stoa);
void bench_latency_stoa_close(struct bench_latency_stoa *stoa);
struct bench_engine bench_latency_stoa_engine(struct bench_latency_stoa *stoa, size_t threads);
/* Seconds that the steps of the plan take in a run. */
double bench_latency_stoa_steps(struct bench_latency_stoa *stoa, size_t threads);

/* The same arithmetic as plain loops, where the network is dense layers and ReLU; NULL: it is not. */
struct bench_loops;
struct bench_loops *bench_loops_open(const struct bench_network *network, const stoa_model *model);
void bench_loops_close(struct bench_loops *loops);
struct bench_engine bench_loops_engine(struct bench_loops *loops);

/* Another engine, in a process of its own that stands still unless it is asked. `name`: of --peer. */
struct bench_peer_process;
/* Whether --peer names engines that are known: one, several with commas between, or "all". */
int bench_peer_names_check(const char *names);
/* Number `index` of those that are known; NULL past the end. */
const char *bench_peer_name(size_t index);
bool bench_peer_is_named(const char *names, const char *name);
/* CLI_DONE, or another code with the sentence printed. A peer that is not installed is CLI_WRONG. */
int bench_peer_start(const struct bench *bench, const char *name, const struct bench_network *network,
                     size_t threads, struct bench_peer_process **peer);
void bench_peer_stop(struct bench_peer_process *peer);
struct bench_engine bench_peer_engine(struct bench_peer_process *peer, size_t threads);

#endif
