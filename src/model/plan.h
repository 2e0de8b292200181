/* SPDX-License-Identifier: MIT */
/* A plan's inside: steps, sections, values and their places in the arena.
 *
 * Steps of a training plan: forward of layer 0 .. n-1, the loss, the loss backwards, backward of layer n-1 ..
 * 0, and one more at which gradients and the output are read. An inference plan has the forward steps and the
 * last one.
 *
 * A step runs over the whole batch and cuts its work over the threads inside, or it belongs to a section:
 * consecutive steps that run as one parallel loop over blocks of samples, each thread taking its blocks
 * through all of them. How samples are cut follows from shapes, the tuning table and the batch, never from
 * the threads. */
#ifndef STOA_MODEL_PLAN_H
#define STOA_MODEL_PLAN_H

#include <stoa/plan.h>

#include "base/size.h"
#include "model/graph.h"

#define STOA_NO_VALUE ((size_t)-1)
#define STOA_NO_SECTION ((size_t)-1)

/* Nodes that a step takes in behind its own, at most. */
enum { STOA_MOST_EPILOGUES = 3 };

/* Something that takes memory. Values that share memory point to the one that owns the block. */
struct stoa_value {
    char *name;
    const struct stoa_shape *shape; /* NULL when it is not a tensor */
    size_t bytes;        /* as used, not rounded: of the batch, or of a block where it has an area */
    size_t first, last;  /* of its own */
    size_t root;         /* value whose block it lies in; itself for an owner */
    size_t area;         /* scratch of the section that it lies in; STOA_NO_VALUE: in the arena itself */
    size_t offset;       /* in the arena; in the first of the areas where it has one */
    size_t sample_bytes; /* of a tensor: a sample's part; else 0 */
    size_t part_bytes;   /* of saved data: what a block takes of `bytes`; else 0 */
    size_t apart;        /* bytes from a block's part to the next one's, or from an area; else 0 */
    bool is_whole;       /* the batch's whoever reads it: it has no area */
    /* Of an owner: its block, which is as large and lives as long as all values in it. */
    size_t block_bytes, block_first, block_last;
};

/* Where a layer (or the loss) finds its memory: numbers of values. */
struct stoa_node_plan {
    size_t saved, prepared, workspace[2];
    size_t output, gradient; /* of its output */
    size_t *dx;              /* of each input: where backward writes; STOA_NO_VALUE where nobody asks */
    bool *adds;              /* of each: dx is scratch that is added to the input's gradient */
    bool wants_input_gradient;
    bool leads;  /* its output leads to the loss, or to an output whose gradient is given */
    bool trains; /* has tensors that are to learn, and leads there */
    /* By enum stoa_pass: the node whose step does this one's pass, itself for most; the node that the same
     * step does behind this one's, or STOA_NO_VALUE; and which of its inputs it follows there. */
    size_t leader[2], next[2], flow[2];
    size_t folds;                /* node whose scale and shift are in this one's weights, or STOA_NO_VALUE */
    bool is_folded;              /* into the leader's: its output is the leader's */
    size_t folded;               /* value: those weights */
    bool undoes_relu, is_undone; /* does the backward pass of the ReLU behind as well; is that one */
    bool gives_gradient;         /* the loss's: its forward step in training does its backward pass as well */
    void *plan[2]; /* the operator's own for each pass, which may be the same; NULL where it has none */
    /* Of a node that trains in a section: floats into the section's partial gradients, and memory for
     * those of a further block of the same task. */
    size_t partial_at, further;
};

/* How samples are cut in a section: into `tasks`, a power of two, with blocks of at most `block` samples
 * one after the other. */
struct stoa_sample_cut {
    size_t tasks, block;
    size_t areas; /* of scratch: as many as threads may run tasks at once */
};

static inline size_t stoa_blocks_of_task(const struct stoa_sample_cut *cut, size_t samples, size_t tasks) {
    return stoa_ceil_div(stoa_ceil_div(samples, tasks), cut->block);
}

/* Steps [first, last] that run as one loop over blocks of samples. */
struct stoa_section {
    size_t first, last;
    struct stoa_sample_cut cut;
    size_t scratch;  /* value: an area for each thread that may take part */
    size_t partials; /* value: gradients of tensors, a task; STOA_NO_VALUE: none */
    size_t partial_floats;
};

struct stoa_plan {
    stoa_context *context;
    stoa_context *serial;             /* a view of it with one thread, which steps in sections run with */
    const struct stoa_tuning *tuning; /* the context's when the plan was made: it decides in its runs */
    stoa_model *model;
    size_t batch;
    bool training, has_loss, summed;
    /* The loss is none: stoa_plan_forward() and stoa_plan_backward() run the plan, and the caller writes the
     * gradients of what it may ask for between them. */
    bool takes_gradients;
    bool input_gradients;      /* those of the inputs are computed */
    bool input_leads;          /* the first input leads to the loss, see struct stoa_node_plan */
    bool layerwise;            /* a step a layer: nothing is lowered, and there are no sections */
    bool prepares;             /* keeps prepared tensors, made from parameters of this version */
    uint64_t prepared_version; /* 0: not made yet */
    struct stoa_layer loss;
    size_t nodes, steps; /* nodes: layers of the model; the loss is node number `nodes` */
    struct stoa_node_plan *node;
    size_t inputs; /* of all nodes */
    size_t *dx;    /* memory of the nodes' dx and adds */
    bool *adds;
    bool *frozen; /* a node: trained as in evaluation, its tensors kept */
    bool *asked;  /* a model value: the caller may look at it after a run */
    size_t
        *readers; /* a model value: how many nodes read it, and one more where the caller gives a gradient */
    struct stoa_section *sections;
    size_t section_count;
    size_t *section_of; /* a step: number of its section, or STOA_NO_SECTION */
    struct stoa_value *values;
    size_t value_count, value_room;
    size_t input, input_gradient, loss_gradient, gradients, optimizer; /* numbers of values */
    size_t bytes, unshared_bytes;
    unsigned char *arena;
    bool owns_arena;
    stoa_observe_fn *observe; /* NULL: nobody wants to hear of the steps */
    void *observer;           /* handed to it */
    /* Of the last stoa_plan_forward(), until stoa_plan_backward() or another run. */
    size_t forward_samples; /* 0: none */
    uint64_t forward_seed, forward_step;
};

/* The value that losses look at. */
static inline size_t stoa_plan_output_of(const struct stoa_plan *plan) {
    return stoa_output_value(plan->model, 0);
}

/* What the losses of samples with these labels (NULL: the loss takes none) are divided by for their mean. */
static inline double stoa_plan_loss_weight(const struct stoa_plan *plan, const int32_t *labels,
                                           size_t samples) {
    return plan->loss.op->batch_weight ? plan->loss.op->batch_weight(&plan->loss, labels, samples)
                                       : (double)samples;
}

static inline const char *stoa_pass_name(enum stoa_pass pass) {
    return pass == STOA_FORWARD ? "forward" : "backward";
}

/* Step of a node's pass, and back. */
static inline size_t stoa_step_of(const struct stoa_plan *plan, size_t node, enum stoa_pass pass) {
    return pass == STOA_FORWARD ? node : 2 * plan->nodes + 1 - node;
}

static inline enum stoa_pass stoa_step_pass(const struct stoa_plan *plan, size_t step) {
    return step <= plan->nodes ? STOA_FORWARD : STOA_BACKWARD;
}

static inline size_t stoa_step_node(const struct stoa_plan *plan, size_t step) {
    return step <= plan->nodes ? step : 2 * plan->nodes + 1 - step;
}

/* Nodes with the loss, where there is one. */
static inline size_t stoa_plan_all_nodes(const struct stoa_plan *plan) {
    return plan->nodes + (plan->has_loss ? 1 : 0);
}

/* The step that does a node's pass. */
static inline size_t stoa_done_in(const struct stoa_plan *plan, size_t node, enum stoa_pass pass) {
    const struct stoa_node_plan *p = &plan->node[node];
    return stoa_step_of(plan, p->leader[pass], p->gives_gradient ? STOA_FORWARD : pass);
}

/* The section of a node's pass, or NULL: it runs over the whole batch. */
static inline struct stoa_section *stoa_section_of(const struct stoa_plan *plan, size_t node,
                                                   enum stoa_pass pass) {
    size_t section = plan->section_of[stoa_done_in(plan, node, pass)];
    return section == STOA_NO_SECTION ? NULL : &plan->sections[section];
}

/* Samples that a thread takes through steps, whose part of a value is asked for. All 0: the batch's. */
struct stoa_place {
    size_t first; /* sample */
    size_t block; /* number of the block in the batch */
    size_t task;  /* that the block belongs to */
    size_t area;  /* number of the scratch area */
};

static inline void *stoa_value_at(const struct stoa_plan *plan, size_t number,
                                  const struct stoa_place *place) {
    if (number == STOA_NO_VALUE) {
        return NULL;
    }
    const struct stoa_value *value = &plan->values[number];
    size_t at = value->area == STOA_NO_VALUE
                    ? place->first * value->sample_bytes + place->block * value->apart
                    : place->area * plan->values[value->area].apart;
    return plan->arena + value->offset + at;
}

static inline void *stoa_value_data(const struct stoa_plan *plan, size_t value) {
    return stoa_value_at(plan, value, &(struct stoa_place){0, 0, 0, 0});
}

/* The layer of a node; the loss behind the last. */
static inline const struct stoa_layer *stoa_plan_layer(const struct stoa_plan *plan, size_t node) {
    return node == plan->nodes ? &plan->loss : &plan->model->nodes[node].layer;
}

/* Value number (see graph.h) of a node's input. */
static inline size_t stoa_plan_input_of(const struct stoa_plan *plan, size_t node, size_t which) {
    return node == plan->nodes ? stoa_plan_output_of(plan) : plan->model->nodes[node].input[which];
}

/* Whether a node has a backward pass: a parameter of its own or one before it learns, or the gradient of an
 * input is asked for. */
static inline bool stoa_plan_goes_back(const struct stoa_plan *plan, size_t node) {
    return plan->training && (plan->node[node].wants_input_gradient || plan->node[node].trains);
}

/* Whether a model value's gradient is asked for, or leads to any parameter that learns. */
static inline bool stoa_plan_wants_gradient(const struct stoa_plan *plan, size_t model_value) {
    return model_value == 0 ? plan->input_gradients : stoa_plan_goes_back(plan, model_value - 1);
}

/* What lies in a node's folded weights, one behind the other, each aligned. */
enum stoa_folded { STOA_FOLDED_WEIGHT, STOA_FOLDED_BIAS, STOA_FOLDED_SCALE, STOA_FOLDED_SHIFT };

static inline size_t stoa_folded_floats(const struct stoa_plan *plan, size_t node, enum stoa_folded part) {
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    return part == STOA_FOLDED_WEIGHT ? stoa_tensor_count(&layer->tensor[0])
                                      : layer->output.dim[layer->output.rank - 1];
}

static inline float *stoa_folded_at(const struct stoa_plan *plan, size_t node, enum stoa_folded part) {
    float *at = stoa_value_data(plan, plan->node[node].folded);
    for (enum stoa_folded before = STOA_FOLDED_WEIGHT; before < part; before++) {
        at += stoa_round_up(stoa_folded_floats(plan, node, before), STOA_ALIGN_FLOATS);
    }
    return at;
}

/* Floats of a node's part of the section's partial gradients. */
static inline size_t stoa_plan_gradient_floats(const struct stoa_plan *plan, size_t node) {
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    size_t floats = 0;
    for (size_t t = 0; t < layer->tensors; t++) {
        floats += layer->tensor[t].trainable
                      ? stoa_round_up(stoa_tensor_count(&layer->tensor[t]), STOA_ALIGN_FLOATS)
                      : 0;
    }
    return floats;
}

/* What a node's backward pass reads, of enum stoa_needs. */
static inline unsigned stoa_plan_needs(const struct stoa_plan *plan, size_t node) {
    const struct stoa_op *op = stoa_plan_layer(plan, node)->op;
    bool nothing = !stoa_plan_goes_back(plan, node) || plan->node[node].is_undone ||
                   (plan->frozen[node] && op->needs_for_tensors);
    return nothing ? 0 : op->needs;
}

/* The plan's value that holds a model value: the input, or a node's output. */
static inline size_t stoa_plan_place_of(const struct stoa_plan *plan, size_t model_value) {
    return model_value == 0 ? plan->input : plan->node[model_value - 1].output;
}

/* The plan's value that holds the gradient of a model value; STOA_NO_VALUE: it has none. */
static inline size_t stoa_plan_gradient_of(const struct stoa_plan *plan, size_t model_value) {
    return model_value == 0 ? plan->input_gradient : plan->node[model_value - 1].gradient;
}

/* A run of a node's pass with all that does not depend on memory filled in. */
void stoa_plan_run(const struct stoa_plan *plan, size_t node, enum stoa_pass pass, struct stoa_op_run *run);

/* What the operator asks for in a pass, and its own plan for it. False when a size overflows, or with the
 * context's error set. */
bool stoa_plan_ask(struct stoa_plan *plan, size_t node, enum stoa_pass pass, struct stoa_op_memory *memory);

/* model/lower.c: find which steps do what for others; none where the plan is layerwise. */
void stoa_plan_lower(struct stoa_plan *plan);

/* model/sections.c: find the sections and how they cut samples; nothing where the plan is layerwise. False
 * when there is no memory, or with the context's error set. */
bool stoa_plan_find_sections(struct stoa_plan *plan);

/* model/values.c: all values and, by placement.c, their places. `optimizer_slots`: arrays of the size of the
 * parameters. False when a size overflows, or with the context's error set. */
bool stoa_plan_place_values(struct stoa_plan *plan, size_t optimizer_slots);

/* model/placement.c: the place of every value. False when a size overflows. */
bool stoa_plan_place(struct stoa_plan *plan);

/* A node's partial gradients of one task of its section. */
float *stoa_partial_gradients(const struct stoa_plan *plan, size_t node, size_t task);

/* Optimisers: the flat gradient array, and slot `slot` of the optimiser's arrays, each of the model's
 * parameter_floats. */
float *stoa_plan_gradients(const struct stoa_plan *plan);
float *stoa_plan_optimizer_slot(const struct stoa_plan *plan, size_t slot);

#endif
