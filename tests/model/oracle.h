/* SPDX-License-Identifier: MIT */
/* The planned executor's oracle: a model's layers run one by one through their descriptors, every value,
 * gradient, saved array and workspace in a block of its own, nothing in place. */
#ifndef STOA_TESTS_MODEL_ORACLE_H
#define STOA_TESTS_MODEL_ORACLE_H

#include "../base/cmocka_prelude.h"
#include "model/graph.h"

enum { ORACLE_MOST_TENSORS = 64 };

struct oracle_run {
    size_t samples, planned; /* algorithms follow from the batch that was planned for */
    bool training;
    const bool *frozen; /* a layer, the loss last; NULL: none */
    const char *loss;   /* NULL: none */
    const float *input;
    stoa_targets targets;
    uint64_t seed, step;
};

/* In memory order, as the model keeps them. */
struct oracle {
    float *output;
    double loss;
    float *gradient[ORACLE_MOST_TENSORS]; /* NULL where not trainable; NaN where frozen */
    float *tensor[ORACLE_MOST_TENSORS];   /* after the run: running statistics may have moved; the model's own
                                             stay */
    size_t tensors;
};

/* Run; `oracle` is released with oracle_close(). */
void oracle_open(struct oracle *oracle, stoa_context *context, const stoa_model *model,
                 const struct oracle_run *run);
void oracle_close(struct oracle *oracle);

/* `count` floats of NaN, 64-byte aligned; released with free(). */
float *oracle_floats(size_t count);

/* A built and initialised model from lines "NAME OPERATOR OPTIONS", NULL behind the last; input as H, W, C.
 * Running statistics and biases get values that differ from their neutral ones. */
stoa_model *oracle_model(stoa_context *context, const size_t input[3], const char *const *lines);

/* Numbers in [-1, 1). */
void oracle_fill(float *out, size_t count, uint64_t seed);

#endif
