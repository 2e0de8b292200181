/* SPDX-License-Identifier: MIT */
/* One step: an operator's pass over a share of the samples. */
#include "base/clock.h"
#include "base/size.h"
#include "model/guard.h"
#include "model/run.h"

/* The targets of the share's samples. */
static stoa_targets targets_of(const struct stoa_call *call, const struct stoa_share *share) {
    stoa_targets targets = call->targets;
    if (targets.labels) {
        targets.labels += share->place.first;
    }
    if (targets.values) {
        targets.values += share->place.first * stoa_model_output_size(call->plan->model);
    }
    return targets;
}

void stoa_run_of(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                 enum stoa_pass pass, struct stoa_node_run *made) {
    const struct stoa_plan *plan = call->plan;
    const struct stoa_node_plan *p = &plan->node[node];
    const struct stoa_place *place = &share->place;
    struct stoa_op_run *run = &made->run;
    stoa_plan_run(plan, node, pass, run);
    run->batch = share->samples;
    run->first_sample = place->first;
    run->training = call->training;
    run->seed = call->seed;
    run->step = call->step;
    run->targets = targets_of(call, share);
    run->y = stoa_value_at(plan, p->output, place);
    run->saved = stoa_value_at(plan, p->saved, place);
    run->prepared = stoa_value_at(plan, p->prepared, place);
    run->workspace = stoa_value_at(plan, p->workspace[pass], place);
    for (size_t k = 0; k < run->layer->inputs; k++) {
        made->x[k] = stoa_value_at(plan, stoa_plan_place_of(plan, stoa_plan_input_of(plan, node, k)), place);
        made->dx[k] = NULL;
    }
    run->x = made->x;
    run->dx = made->dx;
    for (size_t t = 0; t < run->layer->tensors; t++) {
        run->tensor[t] = stoa_tensor_lend(plan->model, plan->model->nodes[node].tensor[t]);
    }
    if (p->folded != STOA_NO_VALUE) {
        run->tensor[0] = stoa_folded_at(plan, node, STOA_FOLDED_WEIGHT);
        run->tensor[1] = stoa_folded_at(plan, node, STOA_FOLDED_BIAS);
    }
}

static void add_gradient(const struct stoa_op_run *run, size_t first, size_t count) {
    run->context->kernels->accumulate(run->x[0] + first, run->y + first, count);
}

/* Add a node's share to a gradient that another node wrote first. */
static void add_to_gradient(const struct stoa_plan *plan, const struct stoa_share *share,
                            const struct stoa_op_run *run, size_t node, size_t which) {
    size_t value = stoa_plan_input_of(plan, node, which);
    const float *const share_of_it = run->dx[which];
    struct stoa_op_run sum = {.context = run->context,
                              .x = &share_of_it,
                              .y = stoa_value_at(plan, stoa_plan_gradient_of(plan, value), &share->place)};
    size_t count = share->samples * stoa_shape_size(stoa_value_shape(plan->model, value));
    stoa_parallel_range(&sum, count, STOA_GRAIN, add_gradient);
}

/* Where gradients of tensors go: a task's own in a section, added to what the task has. */
static void set_gradients(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                          struct stoa_op_run *run) {
    const struct stoa_plan *plan = call->plan;
    const struct stoa_node_plan *p = &plan->node[node];
    float *part = share->further ? stoa_value_at(plan, p->further, &share->place)
                  : share->sums  ? stoa_partial_gradients(plan, node, share->place.task)
                                 : NULL;
    for (size_t t = 0; t < run->layer->tensors; t++) {
        const struct stoa_tensor *tensor = &plan->model->tensors[plan->model->nodes[node].tensor[t]];
        if (tensor->spec.trainable && part) {
            run->dtensor[t] = part;
            part += stoa_round_up(tensor->count, STOA_ALIGN_FLOATS);
        } else if (tensor->spec.trainable) {
            run->dtensor[t] = stoa_plan_gradients(plan) + tensor->offset;
        }
    }
}

/* Add a further block's gradients to the task's, or to the run's where there is a single task. */
static void add_further(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                        const struct stoa_op_run *run) {
    struct stoa_share first = *share;
    struct stoa_op_run sum = {.layer = run->layer};
    first.further = false;
    set_gradients(call, &first, node, &sum);
    for (size_t t = 0; t < run->layer->tensors; t++) {
        if (run->dtensor[t]) {
            run->context->kernels->accumulate(run->dtensor[t], sum.dtensor[t],
                                              stoa_tensor_count(&run->layer->tensor[t]));
        }
    }
}

/* The gradients of a node's backward run. */
static void set_backward(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                         struct stoa_node_run *made) {
    const struct stoa_plan *plan = call->plan;
    struct stoa_op_run *run = &made->run;
    const struct stoa_node_plan *p = &plan->node[node];
    run->dy = stoa_value_at(plan, p->gradient, &share->place);
    run->undoes_relu = p->undoes_relu;
    for (size_t k = 0; k < run->layer->inputs; k++) {
        made->dx[k] = stoa_value_at(plan, p->dx[k], &share->place);
    }
    if (p->trains) {
        set_gradients(call, share, node, run);
    }
}

/* What a node's gradients are added to. */
static void add_backward(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                         const struct stoa_op_run *run) {
    const struct stoa_node_plan *p = &call->plan->node[node];
    if (p->trains && share->further) {
        add_further(call, share, node, run);
    }
    for (size_t k = 0; k < run->layer->inputs; k++) {
        if (p->adds[k]) {
            add_to_gradient(call->plan, share, run, node, k);
        }
    }
}

/* The runs of a step: its own node's, and behind it those that it has taken in. */
static void make_runs(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                      enum stoa_pass pass, struct stoa_node_run made[1 + STOA_MOST_EPILOGUES]) {
    struct stoa_op_run *before = NULL;
    do {
        stoa_run_of(call, share, node, pass, made);
        if (pass == STOA_BACKWARD || (call->training && call->plan->node[node].gives_gradient)) {
            set_backward(call, share, node, made);
        }
        made->run.flow = call->plan->node[node].flow[pass];
        if (before) {
            before->epilogue = &made->run;
        }
        before = &made++->run;
        node = call->plan->node[node].next[pass];
    } while (node != STOA_NO_VALUE);
}

static void run_pass(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                     enum stoa_pass pass) {
    struct stoa_node_run made[1 + STOA_MOST_EPILOGUES];
    const struct stoa_op_run *run = &made->run;
    make_runs(call, share, node, pass, made);
    stoa_guard_step(call->plan, &share->place, node, pass);
    if (pass == STOA_FORWARD) {
        run->layer->op->forward(run);
    } else {
        run->layer->op->backward(run);
        add_backward(call, share, node, run);
    }
}

static void tell_observer(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                          enum stoa_pass pass, double begin, double end) {
    const struct stoa_plan *plan = call->plan;
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    const stoa_observed_step step = {.layer = layer->name,
                                     .op = layer->op->name,
                                     .pass = stoa_pass_name(pass),
                                     .step = stoa_step_of(plan, node, pass),
                                     .begin = begin,
                                     .end = end,
                                     .thread = share->thread,
                                     .first = share->place.first,
                                     .samples = share->samples,
                                     .batch = call->samples};
    plan->observe(plan->observer, &step);
}

static void tell_trace(const struct stoa_call *call, size_t node, enum stoa_pass pass, double seconds) {
    const struct stoa_plan *plan = call->plan;
    const stoa_traced_step step = {
        .step = stoa_step_of(plan, node, pass),
        .layer = node,
        .backward = pass == STOA_BACKWARD,
        .seconds = seconds,
        .samples = call->samples,
        .size = stoa_shape_size(&stoa_plan_layer(plan, node)->output),
        .output = pass == STOA_FORWARD ? stoa_value_data(plan, plan->node[node].output) : NULL};
    stoa_guard_open(plan);
    call->trace(call->user, &step);
}

/* Run one step with the clock at its sides, and tell of it in the caller's floating-point state. */
static void run_told(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                     enum stoa_pass pass, bool runs) {
    double begin = stoa_clock();
    if (runs) {
        run_pass(call, share, node, pass);
    }
    double end = stoa_clock();
    stoa_float_leave(&call->callers);
    if (call->plan->observe && runs) {
        tell_observer(call, share, node, pass, begin, end);
    }
    if (call->trace) {
        tell_trace(call, node, pass, end - begin);
    }
    (void)stoa_float_enter();
}

void stoa_run_step(const struct stoa_call *call, const struct stoa_share *share, size_t node,
                   enum stoa_pass pass) {
    const struct stoa_node_plan *p = &call->plan->node[node];
    bool runs = p->leader[pass] == node &&
                (pass == STOA_FORWARD || (stoa_plan_goes_back(call->plan, node) && !p->gives_gradient));
    if (call->told) {
        run_told(call, share, node, pass, runs);
    } else if (runs) {
        run_pass(call, share, node, pass);
    }
}

size_t stoa_step_nonfinite(const struct stoa_call *call, const struct stoa_share *share, size_t node) {
    if (call->plan->node[node].leader[STOA_FORWARD] != node) {
        return STOA_NO_VALUE;
    }
    stoa_run_step(call, share, node, STOA_FORWARD);
    while (node != STOA_NO_VALUE && !stoa_is_nonfinite(call, share, node + 1)) {
        node = call->plan->node[node].next[STOA_FORWARD];
    }
    return node;
}

bool stoa_is_nonfinite(const struct stoa_call *call, const struct stoa_share *share, size_t model_value) {
    const struct stoa_plan *plan = call->plan;
    size_t count = share->samples * stoa_shape_size(stoa_value_shape(plan->model, model_value));
    const float *data = stoa_value_at(plan, stoa_plan_place_of(plan, model_value), &share->place);
    size_t index;
    plan->context->kernels->find_nonfinite(data, count, &index);
    return index < count;
}
