/* SPDX-License-Identifier: MIT */
/* A model in double: the operators' references run one after the other, every value in a place of its own.
 * For checks, not for speed. */
#ifndef STOA_MODEL_REFERENCE_H
#define STOA_MODEL_REFERENCE_H

#include "model/plan.h"

/* Values and nodes are numbered as in graph.h; the loss is the last node, its output the last value. */
struct stoa_reference {
    const struct stoa_plan *plan; /* a training plan: its model, loss and context */
    size_t batch;
    uint64_t seed;
    const int32_t *labels; /* or values, as the loss takes them */
    const double *values;
    double **value, **gradient; /* of each value; value[0] is the first input */
    double **tensor,
        **tensor_gradient; /* of each tensor of the model, in memory order; no gradient where not trainable */
    const double **input;  /* of the node that runs */
    double **term;         /* what one node gives to the gradients of its inputs */
    size_t terms;          /* as many as any node has inputs */
    void *memory, *pointers;
    size_t bytes, pointer_bytes;
};

/* Make room and copy the model's tensors; the caller fills value[0] and sets labels or values. Errors:
 * STOA_ERR_MEMORY. Release with stoa_reference_close(). */
stoa_status stoa_reference_open(const struct stoa_plan *plan, size_t batch, uint64_t seed,
                                struct stoa_reference *reference);
void stoa_reference_close(struct stoa_reference *reference);

/* Run nodes from `first` in training mode; the mean loss, 0 where the plan has none. Those before it keep
 * their outputs; inputs, which the caller fills, are not run. */
double stoa_reference_forward(struct stoa_reference *reference, size_t first);
/* Gradients of the mean loss by all values and tensors, of the last forward run; of a plan without one, from
 * those by what it asks for, which the caller has written. */
void stoa_reference_backward(struct stoa_reference *reference);

#endif
