/* SPDX-License-Identifier: MIT */
/* A plan's inside: steps, values and their places in the arena.
 *
 * Steps of a training plan: forward of layer 0 .. n-1, the loss, the loss backwards, backward of layer n-1 ..
 * 0, and one more at which gradients and the output are read. An inference plan has the forward steps and the
 * last one. */
#ifndef STOA_MODEL_PLAN_H
#define STOA_MODEL_PLAN_H

#include <stoa/plan.h>

#include "model/graph.h"

#define STOA_NO_VALUE ((size_t)-1)

/* Something that takes memory. Values that share memory point to the one that owns the block. */
struct stoa_value {
    char name[112];
    const struct stoa_shape *shape; /* NULL when it is not a tensor */
    size_t bytes;                   /* as used, not rounded */
    size_t first, last;             /* of its own */
    size_t root;                    /* value whose block it lies in; itself for an owner */
    size_t offset;
    /* Of an owner: its block, which is as large and lives as long as all values in it. */
    size_t block_bytes, block_first, block_last;
};

/* Where a layer (or the loss) finds its memory: numbers of values. */
struct stoa_node_plan {
    size_t saved, prepared, workspace[2];
    size_t output, gradient;    /* of its output */
    size_t dx[STOA_MAX_INPUTS]; /* where backward writes; STOA_NO_VALUE where nobody asks */
    bool adds[STOA_MAX_INPUTS]; /* dx is scratch that is added to the input's gradient */
    bool wants_input_gradient;
    bool trains; /* has tensors that are to learn */
    void *plan;  /* the operator's own; NULL where it has none */
};

struct stoa_plan {
    stoa_context *context;
    const struct stoa_tuning *tuning; /* the context's when the plan was made: it decides in its runs */
    stoa_model *model;
    size_t batch;
    bool training, has_loss, summed;
    bool prepares;             /* keeps prepared tensors, made from parameters of this version */
    uint64_t prepared_version; /* 0: not made yet */
    struct stoa_layer loss;
    size_t nodes, steps; /* nodes: layers of the model; the loss is node number `nodes` */
    struct stoa_node_plan *node;
    bool *frozen; /* a node: trained as in evaluation, its tensors kept */
    struct stoa_value *values;
    size_t value_count, value_room;
    size_t input, loss_gradient, gradients, optimizer; /* numbers of values */
    size_t bytes, unshared_bytes;
    unsigned char *arena;
    bool owns_arena;
    stoa_observe_fn *observe; /* NULL: nobody wants to hear of the steps */
    void *observer;           /* handed to it */
};

/* What the losses of samples with these labels (NULL: the loss takes none) are divided by for their mean. */
static inline double stoa_plan_loss_weight(const struct stoa_plan *plan, const int32_t *labels,
                                           size_t samples) {
    return plan->loss.op->batch_weight ? plan->loss.op->batch_weight(&plan->loss, labels, samples)
                                       : (double)samples;
}

static inline const char *stoa_pass_name(enum stoa_pass pass) {
    return pass == STOA_FORWARD ? "forward" : "backward";
}

/* Step of a node's pass. */
static inline size_t stoa_step_of(const struct stoa_plan *plan, size_t node, enum stoa_pass pass) {
    return pass == STOA_FORWARD ? node : 2 * plan->nodes + 1 - node;
}

static inline void *stoa_value_data(const struct stoa_plan *plan, size_t value) {
    return value == STOA_NO_VALUE ? NULL : plan->arena + plan->values[value].offset;
}

/* The layer of a node; the loss behind the last. */
static inline const struct stoa_layer *stoa_plan_layer(const struct stoa_plan *plan, size_t node) {
    return node == plan->nodes ? &plan->loss : &plan->model->nodes[node].layer;
}

/* Value number (see graph.h) of a node's input. */
static inline size_t stoa_plan_input_of(const struct stoa_plan *plan, size_t node, size_t which) {
    return node == plan->nodes ? plan->nodes : plan->model->nodes[node].input[which];
}

/* Whether a node has a backward pass: a parameter of its own or one before it learns. */
static inline bool stoa_plan_goes_back(const struct stoa_plan *plan, size_t node) {
    return plan->training && (plan->node[node].wants_input_gradient || plan->node[node].trains);
}

/* What a node's backward pass reads, of enum stoa_needs. */
static inline unsigned stoa_plan_needs(const struct stoa_plan *plan, size_t node) {
    const struct stoa_op *op = stoa_plan_layer(plan, node)->op;
    bool nothing = !stoa_plan_goes_back(plan, node) || (plan->frozen[node] && op->needs_for_tensors);
    return nothing ? 0 : op->needs;
}

/* The plan's value that holds a model value: the input, or a node's output. */
static inline size_t stoa_plan_activation(const struct stoa_plan *plan, size_t model_value) {
    return model_value == 0 ? plan->input : plan->node[model_value - 1].output;
}

/* A run of a node with all that does not depend on memory filled in. */
struct stoa_op_run stoa_plan_run(const struct stoa_plan *plan, size_t node);

/* Optimisers: the flat gradient array, and slot `slot` of the optimiser's arrays, each of the model's
 * parameter_floats. */
float *stoa_plan_gradients(const struct stoa_plan *plan);
float *stoa_plan_optimizer_slot(const struct stoa_plan *plan, size_t slot);

#endif
