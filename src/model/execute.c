/* SPDX-License-Identifier: MIT */
/* Running a plan: operators in order over the arena, and backwards. Allocates nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/float_state.h"
#include "base/size.h"
#include "blas/blas.h"
#include "core/tuning.h"
#include "model/plan.h"

/* Under AddressSanitizer only what a step may touch is open: an operator that reads a dead value or writes
 * past its own is caught at once. */
#if defined(__SANITIZE_ADDRESS__)
#define STOA_GUARD_ARENA 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STOA_GUARD_ARENA 1
#endif
#endif

#ifdef STOA_GUARD_ARENA
#include <sanitizer/asan_interface.h>

static void close_arena(const struct stoa_plan *plan) {
    ASAN_POISON_MEMORY_REGION(plan->arena, plan->bytes);
}

static void open_value(const struct stoa_plan *plan, size_t value) {
    if (value != STOA_NO_VALUE) {
        ASAN_UNPOISON_MEMORY_REGION(plan->arena + plan->values[value].offset, plan->values[value].bytes);
    }
}

static void open_arena(const struct stoa_plan *plan) {
    ASAN_UNPOISON_MEMORY_REGION(plan->arena, plan->bytes);
}

static void open_for_step(const struct stoa_plan *plan, size_t node, enum stoa_pass pass) {
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    const struct stoa_node_plan *p = &plan->node[node];
    bool backward = pass == STOA_BACKWARD;
    close_arena(plan);
    for (size_t k = 0; k < layer->inputs; k++) {
        if (!backward || (stoa_plan_needs(plan, node) & STOA_NEEDS_X)) {
            open_value(plan, stoa_plan_activation(plan, stoa_plan_input_of(plan, node, k)));
        }
        if (backward) {
            open_value(plan, p->dx[k]);
        }
    }
    if (!backward || (stoa_plan_needs(plan, node) & STOA_NEEDS_Y)) {
        open_value(plan, p->output);
    }
    open_value(plan, p->saved);
    open_value(plan, p->prepared);
    open_value(plan, p->workspace[pass]);
    if (backward) {
        open_value(plan, p->gradient);
        open_value(plan, plan->gradients);
    }
}
#else
static void open_arena(const struct stoa_plan *plan) {
    (void)plan;
}

static void open_for_step(const struct stoa_plan *plan, size_t node, enum stoa_pass pass) {
    (void)plan;
    (void)node;
    (void)pass;
}
#endif

/* What one call runs: which samples, which mode. */
struct call {
    struct stoa_plan *plan;
    size_t samples;
    bool training;
    stoa_targets targets;
    uint64_t seed, step;
    bool told;                              /* somebody hears of its steps: the plan's observer, or `trace` */
    stoa_trace_fn *trace;                   /* NULL: none */
    void *user;                             /* handed to `trace` */
    const struct stoa_float_state *callers; /* which those run in */
};

static struct stoa_op_run prepare(const struct call *call, size_t node, enum stoa_pass pass) {
    const struct stoa_plan *plan = call->plan;
    const struct stoa_node_plan *p = &plan->node[node];
    struct stoa_op_run run = stoa_plan_run(plan, node);
    run.batch = call->samples;
    run.training = call->training;
    run.seed = call->seed;
    run.step = call->step;
    run.targets = call->targets;
    run.y = stoa_value_data(plan, p->output);
    run.saved = stoa_value_data(plan, p->saved);
    run.prepared = stoa_value_data(plan, p->prepared);
    run.workspace = stoa_value_data(plan, p->workspace[pass]);
    for (size_t k = 0; k < run.layer->inputs; k++) {
        run.x[k] = stoa_value_data(plan, stoa_plan_activation(plan, stoa_plan_input_of(plan, node, k)));
    }
    for (size_t t = 0; t < run.layer->tensors; t++) {
        run.tensor[t] = stoa_tensor_lend(plan->model, plan->model->nodes[node].tensor[t]);
    }
    return run;
}

static void run_forward(const struct call *call, size_t node) {
    struct stoa_op_run run = prepare(call, node, STOA_FORWARD);
    open_for_step(call->plan, node, STOA_FORWARD);
    run.layer->op->forward(&run);
}

static void add_gradient(const struct stoa_op_run *run, size_t first, size_t count) {
    run->context->kernels->accumulate(run->x[0] + first, run->y + first, count);
}

/* Add a node's share to a gradient that another node wrote first. */
static void add_to_gradient(const struct call *call, size_t node, size_t which) {
    const struct stoa_plan *plan = call->plan;
    size_t producer = stoa_plan_input_of(plan, node, which) - 1;
    struct stoa_op_run sum = {.context = plan->context,
                              .x = {stoa_value_data(plan, plan->node[node].dx[which])},
                              .y = stoa_value_data(plan, plan->node[producer].gradient)};
    open_arena(plan);
    size_t count = call->samples * stoa_shape_size(&stoa_plan_layer(plan, producer)->output);
    stoa_parallel_range(&sum, count, STOA_GRAIN, add_gradient);
}

static void run_backward(const struct call *call, size_t node) {
    const struct stoa_plan *plan = call->plan;
    const struct stoa_node_plan *p = &plan->node[node];
    if (!stoa_plan_goes_back(plan, node)) {
        return;
    }
    struct stoa_op_run run = prepare(call, node, STOA_BACKWARD);
    run.dy = stoa_value_data(plan, p->gradient);
    for (size_t k = 0; k < run.layer->inputs; k++) {
        run.dx[k] = stoa_value_data(plan, p->dx[k]);
    }
    for (size_t t = 0; p->trains && t < run.layer->tensors; t++) {
        const struct stoa_tensor *tensor = &plan->model->tensors[plan->model->nodes[node].tensor[t]];
        run.dtensor[t] = tensor->spec.trainable ? stoa_plan_gradients(plan) + tensor->offset : NULL;
    }
    open_for_step(plan, node, STOA_BACKWARD);
    run.layer->op->backward(&run);
    for (size_t k = 0; k < run.layer->inputs; k++) {
        if (p->adds[k]) {
            add_to_gradient(call, node, k);
        }
    }
}

static double seconds_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run_pass(const struct call *call, size_t node, enum stoa_pass pass) {
    if (pass == STOA_FORWARD) {
        run_forward(call, node);
    } else {
        run_backward(call, node);
    }
}

/* The samples of a run that a thread takes through a step. */
struct share {
    size_t thread, first, samples;
};

static void tell_observer(const struct call *call, const struct share *share, size_t node,
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
                                     .first = share->first,
                                     .samples = share->samples,
                                     .batch = call->samples};
    plan->observe(plan->observer, &step);
}

static void tell_trace(const struct call *call, size_t node, enum stoa_pass pass, double seconds) {
    const struct stoa_plan *plan = call->plan;
    const stoa_traced_step step = {
        .step = stoa_step_of(plan, node, pass),
        .layer = node,
        .backward = pass == STOA_BACKWARD,
        .seconds = seconds,
        .samples = call->samples,
        .size = stoa_shape_size(&stoa_plan_layer(plan, node)->output),
        .output = pass == STOA_FORWARD ? stoa_value_data(plan, plan->node[node].output) : NULL};
    open_arena(plan);
    call->trace(call->user, &step);
}

/* Run one step with the clock at its sides, and tell of it in the caller's floating-point state. */
static void run_told(const struct call *call, const struct share *share, size_t node, enum stoa_pass pass) {
    double begin = seconds_now();
    run_pass(call, node, pass);
    double end = seconds_now();
    bool ran = pass == STOA_FORWARD || stoa_plan_goes_back(call->plan, node);
    stoa_float_leave(call->callers);
    if (call->plan->observe && ran) {
        tell_observer(call, share, node, pass, begin, end);
    }
    if (call->trace) {
        tell_trace(call, node, pass, end - begin);
    }
    (void)stoa_float_enter();
}

static void run_step(const struct call *call, size_t node, enum stoa_pass pass) {
    if (call->told) {
        run_told(call, &(struct share){0, 0, call->samples}, node, pass);
    } else {
        run_pass(call, node, pass);
    }
}

/* Whether a node's output (or the input, for model value 0) holds a value that is not finite. */
static bool is_nonfinite(const struct call *call, size_t model_value) {
    const struct stoa_plan *plan = call->plan;
    size_t count = call->samples * stoa_shape_size(stoa_value_shape(plan->model, model_value));
    size_t index;
    plan->context->kernels->find_nonfinite(stoa_value_data(plan, stoa_plan_activation(plan, model_value)),
                                           count, &index);
    return index < count;
}

/* Run forward once more, looking at each output before the next layer may overwrite it. */
static stoa_status name_nonfinite(const struct call *call, double loss) {
    stoa_context *context = call->plan->context;
    const char *what = isnan(loss) ? "NaN" : "infinite";
    if (is_nonfinite(call, 0)) {
        return stoa_fail(context, STOA_ERR_NONFINITE, "the loss is %s: the input holds a non-finite value",
                         what);
    }
    for (size_t node = 0; node < call->plan->nodes; node++) {
        run_forward(call, node);
        open_arena(call->plan);
        if (is_nonfinite(call, node + 1)) {
            const struct stoa_layer *layer = stoa_plan_layer(call->plan, node);
            return stoa_fail(context, STOA_ERR_NONFINITE,
                             "the loss is %s: the first layer with a non-finite value is %s '%s'", what,
                             layer->op->name, layer->name);
        }
    }
    return stoa_fail(context, STOA_ERR_NONFINITE, "the loss is %s while the outputs of all layers are finite",
                     what);
}

/* Tensors are prepared when they are first run, and again after anybody has changed one. */
static void prepare_tensors(const struct call *call) {
    struct stoa_plan *plan = call->plan;
    if (!plan->prepares || plan->prepared_version == plan->model->version) {
        return;
    }
    for (size_t node = 0; node < plan->nodes; node++) {
        if (plan->node[node].prepared != STOA_NO_VALUE) {
            struct stoa_op_run run = prepare(call, node, STOA_FORWARD);
            open_for_step(plan, node, STOA_FORWARD);
            run.layer->op->prepare(&run);
        }
    }
    plan->prepared_version = plan->model->version;
}

static void forward_all(const struct call *call) {
    prepare_tensors(call);
    for (size_t node = 0; node < call->plan->nodes; node++) {
        run_step(call, node, STOA_FORWARD);
    }
}

/* Forward through the loss; *mean is the mean over the samples or their weights, summed in double in their
 * order. */
static stoa_status forward_loss(const struct call *call, double *mean) {
    const struct stoa_plan *plan = call->plan;
    forward_all(call);
    run_step(call, plan->nodes, STOA_FORWARD);
    open_arena(plan);
    const float *losses = stoa_value_data(plan, plan->node[plan->nodes].output);
    double sum = 0;
    for (size_t i = 0; i < call->samples; i++) {
        sum += (double)losses[i];
    }
    double weight = stoa_plan_loss_weight(plan, call->targets.labels, call->samples);
    *mean = sum == 0 ? 0 : sum / weight; /* a batch of classes that weigh nothing has no loss */
    return isfinite(*mean) ? STOA_OK : name_nonfinite(call, *mean);
}

/* Between the gradients of tensors there may lie what forward has left; optimisers and norms run over it. */
static void clear_gaps(const struct stoa_plan *plan) {
    const stoa_model *model = plan->model;
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct stoa_tensor *tensor = &model->tensors[i];
        size_t gap = stoa_round_up(tensor->count, STOA_ALIGN_FLOATS) - tensor->count;
        if (tensor->spec.trainable) {
            memset(stoa_plan_gradients(plan) + tensor->offset + tensor->count, 0, gap * sizeof(float));
        }
    }
}

static void backward_all(const struct call *call) {
    const struct stoa_plan *plan = call->plan;
    clear_gaps(plan);
    float *loss_gradient = stoa_value_data(plan, plan->loss_gradient);
    double weight = stoa_plan_loss_weight(plan, call->targets.labels, call->samples);
    float share = plan->summed ? 1.0F : weight > 0 ? 1.0F / (float)weight : 0.0F;
    for (size_t i = 0; i < call->samples; i++) {
        loss_gradient[i] = share;
    }
    for (size_t node = plan->nodes + 1; node-- > 0;) {
        run_step(call, node, STOA_BACKWARD);
    }
}

static stoa_status check_samples(const struct call *call) {
    const struct stoa_plan *plan = call->plan;
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

static stoa_status check_targets(const struct call *call) {
    const struct stoa_plan *plan = call->plan;
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

static void give_output(const struct call *call, const float **output) {
    if (output) {
        *output = stoa_value_data(call->plan, stoa_plan_activation(call->plan, call->plan->nodes));
    }
}

/* Whoever hears of the steps hears of them in the state that STOA_FLOAT_STATE() has found. */
static void begin_telling(struct call *call, const struct stoa_float_state *callers) {
    call->told = call->plan->observe || call->trace;
    call->callers = callers;
}

/* Forward without a loss. */
static stoa_status infer(struct call *call, const float **output) {
    STOA_FLOAT_STATE();
    begin_telling(call, &stoa_callers_state);
    STOA_TUNING_TURN(call->plan->context, call->plan->tuning);
    stoa_status status = check_samples(call);
    if (status != STOA_OK) {
        return status;
    }
    stoa_blas_enter();
    forward_all(call);
    stoa_blas_leave();
    open_arena(call->plan);
    give_output(call, output);
    return STOA_OK;
}

stoa_status stoa_plan_infer(stoa_plan *plan, size_t samples, const float **output) {
    struct call call = {.plan = plan, .samples = samples};
    return infer(&call, output);
}

static stoa_status run_with_loss(struct call *call, double *loss, const float **output) {
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
    status = forward_loss(call, loss);
    if (status == STOA_OK && call->training) {
        backward_all(call);
    }
    stoa_blas_leave();
    open_arena(call->plan);
    give_output(call, output);
    return status;
}

stoa_status stoa_plan_train(stoa_plan *plan, size_t samples, stoa_targets targets, uint64_t seed,
                            uint64_t step, double *loss, const float **output) {
    struct call call = {
        .plan = plan, .samples = samples, .training = true, .targets = targets, .seed = seed, .step = step};
    return run_with_loss(&call, loss, output);
}

stoa_status stoa_plan_evaluate(stoa_plan *plan, size_t samples, stoa_targets targets, double *loss,
                               const float **output) {
    struct call call = {.plan = plan, .samples = samples, .targets = targets};
    return run_with_loss(&call, loss, output);
}

stoa_status stoa_plan_trace(stoa_plan *plan, size_t samples, const stoa_targets *targets, stoa_trace_fn *tell,
                            void *user) {
    struct call call = {
        .plan = plan, .samples = samples, .training = targets && plan->training, .trace = tell, .user = user};
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
