/* SPDX-License-Identifier: MIT */
/* Runs one layer through its descriptor, without model, plan or arena: the oracle of the planned executor.
 *
 * Every buffer is a block of its own, 64-byte aligned, exactly as large as the contract in ops/op.h says, NaN
 * all over before anything is written, with canaries behind it (and closed to AddressSanitizer). Each pass
 * gets a fresh workspace. A pass that writes past a block, changes what it may only read, or leaves an output
 * unwritten is seen. Failures are cmocka's.
 *
 *     struct stoa_layer layer;
 *     harness_layer(&layer, "conv2d filters=6 kernel=5", (const char *[]){"9x8x1", NULL});
 *     struct harness h;
 *     harness_open(&h, context, &layer, &(struct harness_setup){.batch = 3, .training = true});
 *     fill h.x, h.tensor and, for a loss, h.labels or h.values; or harness_fill(&h, 1)
 *     harness_forward(&h);            h.y
 *     fill h.dy
 *     harness_backward(&h);           h.dx, h.dtensor
 *     harness_close(&h);
 *     stoa_layer_clear(&layer);
 *
 * To run a whole model, open one for each of its nodes (`layer` is borrowed) and copy values from one to the
 * next. */
#ifndef STOA_TESTS_OPS_HARNESS_H
#define STOA_TESTS_OPS_HARNESS_H

#include "../base/cmocka_prelude.h"
#include "ops/op.h"

/* Blocks with canaries. NULL for no bytes. */
void *guarded_new(size_t bytes);
void guarded_check(const void *block, const char *what);
void guarded_free(void *block);

/* How to run a layer. */
struct harness_setup {
    size_t batch;
    size_t planned_batch; /* 0: batch */
    bool training;
    bool frozen;            /* no gradients of tensors, which stay as they are */
    bool in_place;          /* y is x[0] */
    bool gradient_in_place; /* dx[0] is dy */
    unsigned unasked;       /* bit k: nobody asks for dx[k] */
    uint64_t seed, step;
    size_t layer_number;
};

struct harness {
    stoa_context *context;
    const struct stoa_layer *layer;
    struct harness_setup setup;
    struct stoa_op_memory memory;
    float *x[STOA_MAX_INPUTS], *y;
    float *tensor[STOA_MAX_TENSORS]; /* in memory layout */
    int32_t *labels;                 /* of losses that take labels */
    float *values;                   /* of other losses */
    float *dy, *dx[STOA_MAX_INPUTS], *dtensor[STOA_MAX_TENSORS];
    void *saved, *plan;
    const struct stoa_op_run *epilogue; /* of the next pass; NULL at first */
    bool undoes_relu;                   /* of the next pass; false at first */
};

/* Make a layer named "t"; the two fail the test on an error, or return it. Inputs as "HxWxC" or "K", NULL
 * behind the last. */
void harness_layer(struct stoa_layer *layer, const char *line, const char *const *inputs);
stoa_status harness_try_layer(struct stoa_error *error, struct stoa_layer *layer, const char *line,
                              const char *const *inputs);

/* Check layers of all examples of the operators that `has` accepts, NULL: of all; their number. */
size_t harness_examples(bool (*has)(const struct stoa_op *op),
                        void (*check)(const struct stoa_layer *layer, size_t batch));

void harness_open(struct harness *h, stoa_context *context, const struct stoa_layer *layer,
                  const struct harness_setup *setup);
void harness_close(struct harness *h);

/* Random x, tensors, targets and dy that follow from `seed`. The values of one array differ from each other
 * and from zero by more than finite differences move them, so that no maximum and no ReLU flips; statistics
 * lie around 1. */
void harness_fill(struct harness *h, uint64_t seed);

/* What a forward pass is given, but for its workspace: for an epilogue that this layer is to be. */
struct stoa_op_run harness_run(const struct harness *h);

void harness_forward(struct harness *h);
void harness_backward(struct harness *h);

/* Floats in an array of the harness. */
size_t harness_x_size(const struct harness *h, size_t k);
size_t harness_y_size(const struct harness *h);
size_t harness_tensor_size(const struct harness *h, size_t t);

/* The double reference on the same numbers: a copy of the harness's inputs, taken when opened. */
struct harness_reference {
    const struct harness *h;
    double *x[STOA_MAX_INPUTS], *y;
    double *tensor[STOA_MAX_TENSORS];
    double *values;
    double *dy, *dx[STOA_MAX_INPUTS], *dtensor[STOA_MAX_TENSORS];
};

void harness_reference_open(struct harness_reference *r, const struct harness *h);
void harness_reference_forward(struct harness_reference *r);
void harness_reference_backward(struct harness_reference *r);
void harness_reference_close(struct harness_reference *r);

/* Largest |a - b| over the largest |b|; infinite when any a or b is not finite, or a differs where all b are
 * 0. */
double harness_error(const float *a, const double *b, size_t count);

#endif
