/* SPDX-License-Identifier: MIT */
/* Running a plan: operators in order over the arena, and backwards. Allocates nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "blas/blas.h"
#include "core/tuning.h"
#include "model/guard.h"
#include "model/run.h"

/* Run forward once more, looking at each output before the next layer may overwrite it; the first node with a
 * value that is not finite, or STOA_NO_VALUE. */
static size_t find_nonfinite(const struct stoa_call *call) {
    const struct stoa_plan *plan = call->plan;
    const struct stoa_share whole = stoa_whole_share(call);
    for (size_t node = 0; node < plan->nodes;) {
        size_t section = plan->section_of[node];
        size_t found = STOA_NO_VALUE;
        if (section != STOA_NO_SECTION) {
            found = stoa_section_nonfinite(call, &plan->sections[section], plan->nodes - 1);
            node = plan->sections[section].last + 1;
        } else {
            found = stoa_step_nonfinite(call, &whole, node++);
        }
        if (found != STOA_NO_VALUE) {
            return found;
        }
    }
    return STOA_NO_VALUE;
}

static stoa_status name_nonfinite(struct stoa_call *call, double loss) {
    stoa_context *context = call->plan->context;
    const char *what = isnan(loss) ? "NaN" : "infinite";
    const struct stoa_share whole = stoa_whole_share(call);
    call->told = false;
    stoa_guard_open(call->plan);
    const stoa_model *model = call->plan->model;
    for (size_t value = 0; value <= model->node_count; value++) {
        if (stoa_value_is_input(model, value) && stoa_is_nonfinite(call, &whole, value)) {
            return stoa_fail(context, STOA_ERR_NONFINITE,
                             "the loss is %s: the %.64s holds a non-finite value", what,
                             value == 0 ? "input" : stoa_value_name(model, value));
        }
    }
    size_t node = find_nonfinite(call);
    if (node != STOA_NO_VALUE) {
        const struct stoa_layer *layer = stoa_plan_layer(call->plan, node);
        return stoa_fail(context, STOA_ERR_NONFINITE,
                         "the loss is %s: the first layer with a non-finite value is %s '%s'", what,
                         layer->op->name, layer->name);
    }
    return stoa_fail(context, STOA_ERR_NONFINITE, "the loss is %s while the outputs of all layers are finite",
                     what);
}

/* Weights with the scale and shift of the node behind in them. */
static void fold_weights(const struct stoa_call *call, size_t node) {
    const struct stoa_plan *plan = call->plan;
    const struct stoa_share whole = stoa_whole_share(call);
    struct stoa_node_run affine;
    stoa_run_of(call, &whole, plan->node[node].folds, STOA_FORWARD, &affine);
    struct stoa_node_run folding;
    stoa_run_of(call, &whole, node, STOA_FORWARD, &folding);
    struct stoa_op_run run = folding.run;
    float *scale = stoa_folded_at(plan, node, STOA_FOLDED_SCALE);
    float *shift = stoa_folded_at(plan, node, STOA_FOLDED_SHIFT);
    float *weight = run.tensor[0];
    float *bias = run.tensor[1];
    for (size_t t = 0; t < 2; t++) {
        run.tensor[t] =
            t < run.layer->tensors ? stoa_tensor_lend(plan->model, plan->model->nodes[node].tensor[t]) : NULL;
    }
    affine.run.layer->op->affine(&affine.run, scale, shift);
    run.layer->op->fold(&run, scale, shift, weight, bias);
}

/* Tensors are prepared when they are first run, and again after anybody has changed one. */
static void prepare_tensors(const struct stoa_call *call) {
    struct stoa_plan *plan = call->plan;
    if (!plan->prepares || plan->prepared_version == plan->model->version) {
        return;
    }
    const struct stoa_share whole = stoa_whole_share(call);
    stoa_guard_open(plan);
    for (size_t node = 0; node < plan->nodes; node++) {
        if (plan->node[node].folded != STOA_NO_VALUE) {
            fold_weights(call, node);
        }
        if (plan->node[node].prepared != STOA_NO_VALUE) {
            struct stoa_node_run made;
            stoa_run_of(call, &whole, node, STOA_FORWARD, &made);
            made.run.layer->op->prepare(&made.run);
        }
    }
    plan->prepared_version = plan->model->version;
}

/* The gradient of a model value becomes zero, of all samples. */
static void clear_gradient(const struct stoa_plan *plan, size_t model_value) {
    const struct stoa_value *gradient = &plan->values[stoa_plan_gradient_of(plan, model_value)];
    memset(plan->arena + gradient->offset, 0, gradient->bytes);
}

/* Between the gradients of tensors there may lie what forward has left; optimisers and norms run over it.
 * What no gradient reaches has zeros. */
static void clear_gaps(const struct stoa_plan *plan) {
    const stoa_model *model = plan->model;
    stoa_guard_open(plan);
    for (size_t node = 0; node < plan->nodes; node++) {
        const struct stoa_node_plan *p = &plan->node[node];
        bool idle = !p->leads && !plan->frozen[node];
        for (size_t t = 0; t < model->nodes[node].layer.tensors; t++) {
            const struct stoa_tensor *tensor = &model->tensors[model->nodes[node].tensor[t]];
            size_t kept = idle ? 0 : tensor->count;
            size_t gap = stoa_round_up(tensor->count, STOA_ALIGN_FLOATS) - kept;
            if (tensor->spec.trainable) {
                memset(stoa_plan_gradients(plan) + tensor->offset + kept, 0, gap * sizeof(float));
            }
        }
        if (plan->input_gradients && !p->leads && stoa_value_is_input(model, node + 1)) {
            clear_gradient(plan, node + 1);
        }
    }
    if (plan->input_gradients && !plan->input_leads) {
        clear_gradient(plan, 0);
    }
}

/* What the loss's backward pass begins with, which may be done with its forward pass. */
static void begin_loss(const struct stoa_call *call) {
    const struct stoa_plan *plan = call->plan;
    stoa_guard_open(plan);
    float *loss_gradient = stoa_value_data(plan, plan->loss_gradient);
    double weight = stoa_plan_loss_weight(plan, call->targets.labels, call->samples);
    float share = plan->summed ? 1.0F : weight > 0 ? 1.0F / (float)weight : 0.0F;
    for (size_t i = 0; i < call->samples; i++) {
        loss_gradient[i] = share;
    }
}

/* Run the steps from `step` on, up to `last`, that are one loop or one section; the step behind them. */
static size_t run_some(const struct stoa_call *call, size_t step, size_t last) {
    const struct stoa_plan *plan = call->plan;
    size_t number = plan->section_of[step];
    const struct stoa_section *section = number == STOA_NO_SECTION ? NULL : &plan->sections[number];
    size_t end = (section ? stoa_min(section->last, last) : step) + 1;
    size_t turn = stoa_step_of(plan, plan->nodes, STOA_BACKWARD);
    if (call->training && !plan->takes_gradients && step <= plan->nodes && plan->nodes < end) {
        begin_loss(call);
    }
    if (step <= turn && turn < end) {
        clear_gaps(plan);
    }
    if (section) {
        stoa_run_section(call, section, last);
    } else {
        const struct stoa_share whole = stoa_whole_share(call);
        stoa_run_step(call, &whole, stoa_step_node(plan, step), stoa_step_pass(plan, step));
    }
    return end;
}

/* The mean over the samples or their weights, summed in double in their order. */
static stoa_status mean_loss(struct stoa_call *call, double *mean) {
    const struct stoa_plan *plan = call->plan;
    stoa_guard_open(plan);
    const float *losses = stoa_value_data(plan, plan->node[plan->nodes].output);
    double sum = 0;
    for (size_t i = 0; i < call->samples; i++) {
        sum += (double)losses[i];
    }
    double weight = stoa_plan_loss_weight(plan, call->targets.labels, call->samples);
    *mean = sum == 0 ? 0 : sum / weight; /* a batch of classes that weigh nothing has no loss */
    return isfinite(*mean) ? STOA_OK : name_nonfinite(call, *mean);
}

/* All steps with the loss, and in training those backwards. The mean is looked at as soon as it is there: a
 * section that goes on behind the loss has computed gradients that nobody reads. */
static stoa_status run_all(struct stoa_call *call, double *mean) {
    const struct stoa_plan *plan = call->plan;
    size_t loss_step = plan->nodes;
    size_t last = call->training ? plan->steps - 1 : loss_step;
    stoa_status status = STOA_OK;
    prepare_tensors(call);
    for (size_t step = 0, end; status == STOA_OK && step <= last; step = end) {
        end = run_some(call, step, last);
        if (step <= loss_step && loss_step < end) {
            status = mean_loss(call, mean);
        }
    }
    return status;
}

static stoa_status check_samples(const struct stoa_call *call) {
    struct stoa_plan *plan = call->plan;
    plan->forward_samples = 0; /* what a pass forward has left is overwritten now */
    if (!plan->arena) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "plan: it has no memory yet");
    }
    if (call->samples == 0 || call->samples > plan->batch) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "plan: found %zu samples, expected 1 to %zu",
                         call->samples, plan->batch);
    }
    return call->training ? stoa_model_learns_from(plan->model, &plan->context->error, plan->frozen,
                                                   call->samples, "a batch")
                          : STOA_OK;
}

static stoa_status check_targets(const struct stoa_call *call) {
    const struct stoa_plan *plan = call->plan;
    if (plan->takes_gradients) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT,
                         "plan: it was made with loss none, expected stoa_plan_forward() and "
                         "stoa_plan_backward()");
    }
    if (!plan->has_loss || (call->training && !plan->training)) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "plan: it was made without %s",
                         plan->has_loss ? "training" : "a loss");
    }
    bool takes_labels = plan->loss.op->takes_labels;
    if (takes_labels ? !call->targets.labels : !call->targets.values) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "plan: loss %s needs targets as %s",
                         plan->loss.op->name, takes_labels ? "labels" : "values");
    }
    for (size_t i = 0; takes_labels && i < call->samples; i++) {
        int32_t label = call->targets.labels[i];
        if (label < 0 || (size_t)label >= stoa_model_output_size(plan->model)) {
            return stoa_fail(plan->context, STOA_ERR_ARGUMENT,
                             "plan: sample %zu has label %d, expected 0 to %zu", i, (int)label,
                             stoa_model_output_size(plan->model) - 1);
        }
    }
    return STOA_OK;
}

static void give_output(const struct stoa_call *call, const float **output) {
    if (output) {
        *output =
            stoa_value_data(call->plan, stoa_plan_place_of(call->plan, stoa_plan_output_of(call->plan)));
    }
}

/* Whoever hears of the steps hears of them in the state that STOA_FLOAT_STATE() has found. */
static void begin_telling(struct stoa_call *call, const struct stoa_float_state *callers) {
    call->told = call->plan->observe || call->trace;
    call->callers = *callers;
}

/* Forward without a loss. */
static stoa_status infer(struct stoa_call *call, const float **output) {
    STOA_FLOAT_STATE();
    begin_telling(call, &stoa_callers_state);
    STOA_TUNING_TURN(call->plan->context, call->plan->tuning);
    stoa_status status = check_samples(call);
    if (status != STOA_OK) {
        return status;
    }
    stoa_blas_enter();
    prepare_tensors(call);
    for (size_t step = 0; step < call->plan->nodes;) {
        step = run_some(call, step, call->plan->nodes - 1);
    }
    stoa_blas_leave();
    stoa_guard_open(call->plan);
    give_output(call, output);
    return STOA_OK;
}

stoa_status stoa_plan_infer(stoa_plan *plan, size_t samples, const float **output) {
    struct stoa_call call = {.plan = plan, .samples = samples};
    return infer(&call, output);
}

static stoa_status run_with_loss(struct stoa_call *call, double *loss, const float **output) {
    STOA_FLOAT_STATE();
    begin_telling(call, &stoa_callers_state);
    STOA_TUNING_TURN(call->plan->context, call->plan->tuning);
    stoa_status status = check_samples(call);
    if (status == STOA_OK) {
        status = check_targets(call);
    }
    if (status != STOA_OK) {
        return status;
    }
    stoa_blas_enter();
    status = run_all(call, loss);
    if (call->training && call->plan->model->statistic_floats > 0) {
        call->plan->model->version++; /* running statistics, which others may have folded into weights */
    }
    stoa_blas_leave();
    stoa_guard_open(call->plan);
    give_output(call, output);
    return status;
}

stoa_status stoa_plan_train(stoa_plan *plan, size_t samples, stoa_targets targets, uint64_t seed,
                            uint64_t step, double *loss, const float **output) {
    struct stoa_call call = {
        .plan = plan, .samples = samples, .training = true, .targets = targets, .seed = seed, .step = step};
    return run_with_loss(&call, loss, output);
}

stoa_status stoa_plan_evaluate(stoa_plan *plan, size_t samples, stoa_targets targets, double *loss,
                               const float **output) {
    struct stoa_call call = {.plan = plan, .samples = samples, .targets = targets};
    return run_with_loss(&call, loss, output);
}

static stoa_status check_halves(const struct stoa_plan *plan) {
    return plan->takes_gradients ? STOA_OK
                                 : stoa_fail(plan->context, STOA_ERR_ARGUMENT,
                                             "plan: expected one made with training and loss none");
}

/* Gradients that the caller does not write are zero. */
static void clear_given(const struct stoa_plan *plan) {
    for (size_t value = 1; value <= plan->nodes; value++) {
        if (plan->asked[value] && !stoa_value_is_input(plan->model, value)) {
            clear_gradient(plan, value);
        }
    }
}

/* The steps before the loss, or those behind it. */
static void run_half(struct stoa_call *call, size_t first, size_t last) {
    STOA_TUNING_TURN(call->plan->context, call->plan->tuning);
    stoa_blas_enter();
    while (first <= last) {
        first = run_some(call, first, last);
    }
    stoa_blas_leave();
    stoa_guard_open(call->plan);
}

stoa_status stoa_plan_forward(stoa_plan *plan, size_t samples, uint64_t seed, uint64_t step,
                              const float **output) {
    STOA_FLOAT_STATE();
    struct stoa_call call = {.plan = plan, .samples = samples, .training = true, .seed = seed, .step = step};
    begin_telling(&call, &stoa_callers_state);
    stoa_status status = check_halves(plan);
    if (status == STOA_OK) {
        status = check_samples(&call);
    }
    if (status != STOA_OK) {
        return status;
    }
    run_half(&call, 0, plan->nodes - 1);
    plan->model->version += plan->model->statistic_floats > 0;
    clear_given(plan);
    plan->forward_samples = samples;
    plan->forward_seed = seed;
    plan->forward_step = step;
    give_output(&call, output);
    return STOA_OK;
}

stoa_status stoa_plan_backward(stoa_plan *plan) {
    STOA_FLOAT_STATE();
    struct stoa_call call = {.plan = plan,
                             .samples = plan->forward_samples,
                             .training = true,
                             .seed = plan->forward_seed,
                             .step = plan->forward_step};
    begin_telling(&call, &stoa_callers_state);
    stoa_status status = check_halves(plan);
    if (status == STOA_OK && call.samples == 0) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT,
                         "plan: expected stoa_plan_forward() just before stoa_plan_backward()");
    }
    if (status == STOA_OK) {
        plan->forward_samples = 0;
        run_half(&call, stoa_step_of(plan, plan->nodes, STOA_BACKWARD), plan->steps - 1);
    }
    return status;
}

stoa_status stoa_plan_trace(stoa_plan *plan, size_t samples, const stoa_targets *targets, stoa_trace_fn *tell,
                            void *user) {
    struct stoa_call call = {
        .plan = plan, .samples = samples, .training = targets && plan->training, .trace = tell, .user = user};
    if (!plan->layerwise) {
        return stoa_fail(
            plan->context, STOA_ERR_ARGUMENT,
            "plan: found one whose steps take in several layers, expected one made with `layerwise`");
    }
    if (!targets) {
        return infer(&call, NULL);
    }
    double loss;
    call.targets = *targets;
    return run_with_loss(&call, &loss, NULL);
}

void stoa_plan_observe(stoa_plan *plan, stoa_observe_fn *observe, void *user) {
    plan->observe = observe;
    plan->observer = user;
}
