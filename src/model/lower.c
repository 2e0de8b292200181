/* SPDX-License-Identifier: MIT */
/* Lowering: rules that let a step do what others would, by what operators say of themselves in ops/op.h.
 * Each rule looks at one node's pass and whether the step of another may take it in. */
#include <stddef.h>

#include "model/plan.h"

/* How many nodes a step takes in at most. */
enum { MOST_TAKEN = STOA_MOST_EPILOGUES };

/* How many read each model value. */
static void count_readers(struct stoa_plan *plan) {
    for (size_t node = 0; node < stoa_plan_all_nodes(plan); node++) {
        for (size_t k = 0; k < stoa_plan_layer(plan, node)->inputs; k++) {
            plan->readers[stoa_plan_input_of(plan, node, k)]++;
        }
    }
    for (size_t value = 1; value <= plan->nodes; value++) {
        plan->readers[value] +=
            plan->asked[value] && (plan->takes_gradients || value == stoa_plan_output_of(plan));
    }
}

/* Whether more than one node reads a value, or adds to its gradient. */
static bool has_others(const struct stoa_plan *plan, size_t model_value) {
    return plan->readers[model_value] > 1;
}

/* Whether a value is there before the first step. */
static bool is_given(const struct stoa_plan *plan, size_t model_value) {
    return stoa_value_is_input(plan->model, model_value);
}

/* The last node that a step does, and how many it has taken in. */
static size_t end_of(const struct stoa_plan *plan, size_t leader, enum stoa_pass pass, size_t *taken) {
    size_t end = leader;
    *taken = 0;
    for (; plan->node[end].next[pass] != STOA_NO_VALUE; ++*taken) {
        end = plan->node[end].next[pass];
    }
    return end;
}

/* Whether the step that does a node's pass may do `next` behind it. */
static bool may_finish(const struct stoa_plan *plan, size_t node, enum stoa_pass pass) {
    size_t leader = plan->node[node].leader[pass];
    const struct stoa_op *op = stoa_plan_layer(plan, leader)->op;
    bool maps = pass == STOA_FORWARD ? op->map != NULL : op->map_backward && !plan->node[leader].trains;
    size_t taken;
    size_t end = end_of(plan, leader, pass, &taken);
    bool last = end == node || (plan->node[node].is_folded && end == leader);
    return last && taken < MOST_TAKEN && ((op->finishes & 1U << pass) || maps);
}

static void take_in(struct stoa_plan *plan, size_t node, enum stoa_pass pass, size_t before, size_t flow) {
    size_t leader = plan->node[before].leader[pass];
    size_t taken;
    plan->node[end_of(plan, leader, pass, &taken)].next[pass] = node;
    plan->node[node].leader[pass] = leader;
    plan->node[node].flow[pass] = flow;
}

/* Scale and shift of a channel in evaluation become part of the weights before them, where these are kept. */
static void fold(struct stoa_plan *plan, size_t node) {
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    size_t value = layer->op->affine ? stoa_plan_input_of(plan, node, 0) : 0;
    if (!plan->prepares || value == 0 || has_others(plan, value) || plan->asked[value]) {
        return;
    }
    struct stoa_node_plan *before = &plan->node[value - 1];
    if (stoa_plan_layer(plan, value - 1)->op->fold && before->next[STOA_FORWARD] == STOA_NO_VALUE) {
        before->folds = node;
        plan->node[node].is_folded = true;
        plan->node[node].leader[STOA_FORWARD] = value - 1;
    }
}

/* Operators of one number at a time are done to what another step has just computed, once their other
 * inputs are there. */
static void finish_forward(struct stoa_plan *plan, size_t node) {
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    for (size_t k = 0; layer->op->map && k < layer->inputs; k++) {
        size_t value = stoa_plan_input_of(plan, node, k);
        /* What is broadcast has fewer numbers than the result. */
        bool others = !is_given(plan, value) && stoa_shape_equal(&layer->input[k], &layer->output) &&
                      may_finish(plan, value - 1, STOA_FORWARD);
        for (size_t j = 0; others && j < layer->inputs; j++) {
            size_t other = stoa_plan_input_of(plan, node, j);
            others = j == k || is_given(plan, other) ||
                     plan->node[other - 1].leader[STOA_FORWARD] < plan->node[value - 1].leader[STOA_FORWARD];
        }
        if (others) {
            take_in(plan, node, STOA_FORWARD, value - 1, k);
            return;
        }
    }
}

/* The gradient of a ReLU, in the place of that of its output, is done by the operator before it where that
 * one can tell from its own input what the ReLU let through. */
static void undo(struct stoa_plan *plan, size_t node) {
    const struct stoa_op *op = stoa_plan_layer(plan, node)->op;
    size_t value = op->is_relu ? stoa_plan_input_of(plan, node, 0) : 0;
    if (!op->gradient_in_place || value == 0 || has_others(plan, value) || plan->asked[value]) {
        return;
    }
    struct stoa_node_plan *before = &plan->node[value - 1];
    if (stoa_plan_layer(plan, value - 1)->op->undoes_relu && before->trains && !plan->frozen[value - 1]) {
        before->undoes_relu = true;
        plan->node[node].is_undone = true;
        plan->node[node].leader[STOA_BACKWARD] = value - 1;
    }
}

/* Their gradients where nobody adds to them: the node behind is the only one that reads them. */
static void finish_backward(struct stoa_plan *plan, size_t node) {
    if (!stoa_plan_goes_back(plan, node) || stoa_plan_layer(plan, node)->inputs == 0) {
        return;
    }
    size_t value = stoa_plan_input_of(plan, node, 0);
    if (is_given(plan, value) || !stoa_plan_wants_gradient(plan, value)) {
        return;
    }
    size_t before = value - 1;
    const struct stoa_layer *layer = stoa_plan_layer(plan, before);
    bool alone = !has_others(plan, value) && layer->inputs == 1 && !plan->node[before].trains &&
                 !plan->node[before].is_undone;
    size_t source = stoa_plan_input_of(plan, before, 0);
    if (alone && layer->op->map_backward && !has_others(plan, source) &&
        stoa_plan_wants_gradient(plan, source) && may_finish(plan, node, STOA_BACKWARD)) {
        take_in(plan, before, STOA_BACKWARD, node, 0);
    }
}

/* The loss and its gradient are one pass, where nothing is done behind the latter. */
static void join_loss(struct stoa_plan *plan) {
    struct stoa_node_plan *loss = &plan->node[plan->nodes];
    loss->gives_gradient = plan->loss.op->gives_gradient && loss->wants_input_gradient &&
                           loss->next[STOA_BACKWARD] == STOA_NO_VALUE;
}

void stoa_plan_lower(struct stoa_plan *plan) {
    size_t nodes = stoa_plan_all_nodes(plan);
    count_readers(plan);
    for (size_t node = 0; node <= plan->nodes; node++) {
        struct stoa_node_plan *p = &plan->node[node];
        p->leader[STOA_FORWARD] = p->leader[STOA_BACKWARD] = node;
        p->next[STOA_FORWARD] = p->next[STOA_BACKWARD] = p->folds = STOA_NO_VALUE;
    }
    for (size_t node = 0; !plan->layerwise && node < plan->nodes; node++) {
        fold(plan, node);
        finish_forward(plan, node);
    }
    for (size_t node = 0; !plan->layerwise && plan->training && node < plan->nodes; node++) {
        undo(plan, node);
    }
    for (size_t node = nodes; !plan->layerwise && plan->training && node-- > 0;) {
        finish_backward(plan, node);
    }
    if (!plan->layerwise && plan->training) {
        join_loss(plan);
    }
}
