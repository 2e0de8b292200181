/* SPDX-License-Identifier: MIT */
/* Planning: which values a run needs, how long each lives, which may share memory, and where each lies. */
#include "model/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/nearest.h"
#include "base/size.h"
#include "core/planner.h"
#include "model/layers.h"

void stoa_plan_run(const struct stoa_plan *plan, size_t node, enum stoa_pass pass, struct stoa_op_run *run) {
    const struct stoa_section *section = stoa_section_of(plan, node, pass);
    memset(run, 0, sizeof *run);
    run->context = section ? plan->serial : plan->context;
    run->layer = stoa_plan_layer(plan, node);
    run->layer_number = node;
    run->x = stoa_no_inputs;
    run->dx = stoa_no_gradients;
    run->batch = plan->batch;
    run->planned_batch = section ? section->cut.block : plan->batch;
    run->training = plan->training;
    run->wants_input_gradient = plan->node[node].wants_input_gradient;
    run->frozen = plan->frozen[node];
    run->keeps = plan->prepares;
    run->plan = plan->node[node].plan[pass];
}

/* Whether both passes of a node see the same samples at once. */
static bool cuts_alike(const struct stoa_plan *plan, size_t node) {
    const struct stoa_section *forward = stoa_section_of(plan, node, STOA_FORWARD);
    const struct stoa_section *backward = stoa_section_of(plan, node, STOA_BACKWARD);
    return forward && backward ? forward->cut.block == backward->cut.block : forward == backward;
}

bool stoa_plan_ask(struct stoa_plan *plan, size_t node, enum stoa_pass pass, struct stoa_op_memory *memory) {
    const struct stoa_op *op = stoa_plan_layer(plan, node)->op;
    void **decisions = plan->node[node].plan;
    if (op->plan_bytes > 0 && !decisions[pass]) {
        bool shared = pass == STOA_BACKWARD && cuts_alike(plan, node);
        decisions[pass] = shared ? decisions[STOA_FORWARD] : calloc(1, op->plan_bytes);
        if (!decisions[pass]) {
            return false;
        }
    }
    struct stoa_op_run run;
    stoa_plan_run(plan, node, pass, &run);
    bool fits = !op->memory || op->memory(&run, memory);
    if (!fits && run.context->error.status != STOA_OK) {
        plan->context->error = run.context->error;
    }
    return fits;
}

/* Places of the gradients of all inputs, without any memory yet. */
static bool make_inputs(struct stoa_plan *plan) {
    for (size_t node = 0; node <= plan->nodes; node++) {
        plan->inputs += stoa_plan_layer(plan, node)->inputs;
    }
    plan->dx = calloc(plan->inputs + 1, sizeof *plan->dx);
    plan->adds = calloc(plan->inputs + 1, sizeof *plan->adds);
    if (!plan->dx || !plan->adds) {
        return false;
    }
    size_t at = 0;
    for (size_t node = 0; node <= plan->nodes; node++) {
        plan->node[node].dx = plan->dx + at;
        plan->node[node].adds = plan->adds + at;
        for (size_t k = 0; k < stoa_plan_layer(plan, node)->inputs; k++) {
            plan->dx[at++] = STOA_NO_VALUE;
        }
    }
    return true;
}

/* Nodes without any memory yet. */
static bool make_nodes(struct stoa_plan *plan) {
    plan->node = calloc(plan->nodes + 1, sizeof *plan->node);
    plan->frozen = calloc(plan->nodes + 1, sizeof *plan->frozen);
    plan->asked = calloc(plan->nodes + 1, sizeof *plan->asked);
    plan->readers = calloc(plan->nodes + 1, sizeof *plan->readers);
    plan->serial = calloc(1, sizeof *plan->serial);
    if (!plan->node || !plan->frozen || !plan->asked || !plan->readers || !plan->serial) {
        return false;
    }
    stoa_context_view_serial(plan->context, plan->serial);
    for (size_t i = 0; i <= plan->nodes; i++) {
        plan->node[i] = (struct stoa_node_plan){.saved = STOA_NO_VALUE,
                                                .prepared = STOA_NO_VALUE,
                                                .workspace = {STOA_NO_VALUE, STOA_NO_VALUE},
                                                .output = STOA_NO_VALUE,
                                                .gradient = STOA_NO_VALUE,
                                                .folded = STOA_NO_VALUE,
                                                .further = STOA_NO_VALUE};
    }
    return make_inputs(plan);
}

/* Which nodes lead to where gradients come from. */
static void mark_leading(struct stoa_plan *plan) {
    plan->node[plan->nodes].leads = true;
    for (size_t value = 1; plan->takes_gradients && value <= plan->nodes; value++) {
        plan->node[value - 1].leads = plan->asked[value];
    }
    for (size_t node = plan->nodes + 1; node-- > 0;) {
        for (size_t k = 0; plan->node[node].leads && k < stoa_plan_layer(plan, node)->inputs; k++) {
            size_t value = stoa_plan_input_of(plan, node, k);
            *(value > 0 ? &plan->node[value - 1].leads : &plan->input_leads) = true;
        }
    }
}

static void mark_wanted(struct stoa_plan *plan) {
    mark_leading(plan);
    for (size_t node = 0; node <= plan->nodes; node++) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        struct stoa_node_plan *p = &plan->node[node];
        bool leads = plan->training && p->leads;
        p->trains = leads && !plan->frozen[node] && stoa_layer_has_parameters(layer);
        p->wants_input_gradient = leads && layer->op->is_input && plan->input_gradients;
        for (size_t k = 0; leads && k < layer->inputs; k++) {
            if (stoa_plan_wants_gradient(plan, stoa_plan_input_of(plan, node, k))) {
                p->wants_input_gradient = true;
            }
        }
    }
}

static const char *value_name_at(const void *from, size_t index) {
    const stoa_model *model = from;
    return index <= model->node_count ? stoa_value_name(model, index) : NULL;
}

/* Mark what the caller looks at: the outputs, and what is to be kept. */
static stoa_status mark_asked(struct stoa_plan *plan, const char *const *keep) {
    const stoa_model *model = plan->model;
    for (size_t i = 0; i < stoa_output_count(model); i++) {
        plan->asked[stoa_output_value(model, i)] = true;
    }
    for (; keep && *keep; keep++) {
        size_t value = 0;
        while (value <= plan->nodes && strcmp(stoa_value_name(model, value), *keep) != 0) {
            value++;
        }
        if (value > plan->nodes) {
            const struct stoa_words names = {value_name_at, model};
            char near[STOA_NEAR_TEXT];
            return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "keep: no layer '%.64s'%sone of the model's",
                             *keep, stoa_near_text(*keep, &names, near));
        }
        plan->asked[value] = true;
    }
    return STOA_OK;
}

/* What only training asks: layers to freeze, and others that learn from so many samples. */
static stoa_status prepare_training(struct stoa_plan *plan, const char *freeze) {
    struct stoa_error *error = &plan->context->error;
    stoa_status status =
        stoa_model_read_frozen(plan->model, error, freeze, !plan->input_gradients, plan->frozen);
    return status == STOA_OK
               ? stoa_model_learns_from(plan->model, error, plan->frozen, plan->batch, "a batch")
               : status;
}

/* In the place of a loss where the caller has one: no number a sample, and no section goes on behind it. */
static void do_nothing(const struct stoa_op_run *run) {
    (void)run;
}

static bool crosses_always(const struct stoa_op_run *run, enum stoa_pass pass) {
    (void)run;
    (void)pass;
    return true;
}

static const struct stoa_op no_loss = {.name = "none",
                                       .is_loss = true,
                                       .forward = do_nothing,
                                       .backward = do_nothing,
                                       .crosses_samples = crosses_always};

static stoa_status make_no_loss(struct stoa_plan *plan) {
    plan->takes_gradients = plan->has_loss = true;
    plan->loss =
        (struct stoa_layer){.op = &no_loss, .name = strdup("loss"), .output = {.rank = 1, .dim = {0}}};
    return plan->loss.name ? STOA_OK : stoa_fail(plan->context, STOA_ERR_MEMORY, "plan: out of memory");
}

static stoa_status make_loss(struct stoa_plan *plan, const char *line) {
    struct stoa_error *error = &plan->context->error;
    struct stoa_spec spec;
    stoa_status status = stoa_spec_parse(error, line, &spec);
    if (status != STOA_OK) {
        return stoa_error_prefix(error, "loss: ");
    }
    const struct stoa_op *op = stoa_op_find(spec.name);
    if (!op || !op->is_loss) {
        return stoa_unknown_loss(error, spec.name);
    }
    status = stoa_layer_make(error, "loss", &spec, stoa_value_shape(plan->model, stoa_plan_output_of(plan)),
                             1, &plan->loss);
    plan->has_loss = status == STOA_OK;
    return status;
}

static stoa_status build_plan(struct stoa_plan *plan, const stoa_plan_options *options) {
    const char *loss = options->loss ? options->loss : options->training ? STOA_DEFAULT_LOSS : NULL;
    if (loss) {
        bool none = options->training && strcmp(loss, no_loss.name) == 0;
        stoa_status status = none ? make_no_loss(plan) : make_loss(plan, loss);
        if (status != STOA_OK) {
            return status;
        }
    }
    plan->steps = plan->training ? 2 * plan->nodes + 2 : plan->nodes + (loss ? 1 : 0);
    if (!make_nodes(plan)) {
        return stoa_fail(plan->context, STOA_ERR_MEMORY, "plan: out of memory");
    }
    if (mark_asked(plan, options->keep) != STOA_OK) {
        return plan->context->error.status;
    }
    if (plan->training && prepare_training(plan, options->freeze) != STOA_OK) {
        return plan->context->error.status;
    }
    if (loss) {
        mark_wanted(plan);
    }
    plan->context->error.status = STOA_OK;
    stoa_plan_lower(plan);
    if (!stoa_plan_find_sections(plan) || !stoa_plan_place_values(plan, options->optimizer_slots)) {
        if (plan->context->error.status != STOA_OK) {
            return plan->context->error.status; /* an operator has said why */
        }
        return stoa_fail(plan->context, STOA_ERR_MEMORY,
                         "plan: batch %zu needs more memory than can be addressed", plan->batch);
    }
    return STOA_OK;
}

stoa_status stoa_plan_create(stoa_context *context, stoa_model *model, const stoa_plan_options *options,
                             stoa_plan **plan) {
    STOA_FLOAT_STATE();
    if (!model->built || options->batch == 0 || options->batch > STOA_MAX_DIMENSION) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         model->built ? "plan: found batch %zu, expected 1 to %zu"
                                      : "plan: the model is not built",
                         options->batch, STOA_MAX_DIMENSION);
    }
    if (options->training && options->prepare) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "plan: found training and prepare, expected one of them: weights that change in "
                         "every step are not kept");
    }
    struct stoa_plan *made = calloc(1, sizeof *made);
    if (!made) {
        return stoa_fail(context, STOA_ERR_MEMORY, "plan: out of memory");
    }
    made->context = context;
    made->tuning = context->tuning;
    made->model = model;
    made->batch = options->batch;
    made->training = options->training;
    made->summed = options->summed;
    made->prepares = options->prepare;
    made->layerwise = options->layerwise;
    made->input_gradients = options->training && options->input_gradients;
    made->nodes = model->node_count;
    stoa_status status = build_plan(made, options);
    if (status != STOA_OK) {
        stoa_plan_free(made);
        return status;
    }
    *plan = made;
    return STOA_OK;
}

void stoa_plan_free(stoa_plan *plan) {
    if (!plan) {
        return;
    }
    if (plan->owns_arena) {
        stoa_release(plan->context, plan->arena, plan->bytes);
    }
    stoa_layer_clear(&plan->loss);
    for (size_t i = 0; i < plan->value_count; i++) {
        free(plan->values[i].name);
    }
    free(plan->values);
    free(plan->sections);
    free(plan->section_of);
    for (size_t node = 0; plan->node && node <= plan->nodes; node++) {
        void **decisions = plan->node[node].plan;
        free(decisions[STOA_BACKWARD] != decisions[STOA_FORWARD] ? decisions[STOA_BACKWARD] : NULL);
        free(decisions[STOA_FORWARD]);
    }
    free(plan->serial);
    free(plan->node);
    free(plan->dx);
    free(plan->adds);
    free(plan->frozen);
    free(plan->asked);
    free(plan->readers);
    free(plan);
}

size_t stoa_plan_bytes(const stoa_plan *plan) {
    return plan->bytes;
}

size_t stoa_plan_bytes_unshared(const stoa_plan *plan) {
    return plan->unshared_bytes;
}

stoa_status stoa_plan_bind(stoa_plan *plan, void *memory) {
    if (plan->arena) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "plan: it has its memory already");
    }
    if ((uintptr_t)memory % STOA_ALIGN_BYTES != 0) {
        return stoa_fail(plan->context, STOA_ERR_ARGUMENT, "plan: the memory is not aligned to %d bytes",
                         STOA_ALIGN_BYTES);
    }
    plan->arena = memory ? memory : stoa_allocate(plan->context, plan->bytes, "plan");
    plan->owns_arena = !memory;
    if (plan->arena && plan->optimizer != STOA_NO_VALUE) {
        memset(stoa_value_data(plan, plan->optimizer), 0, plan->values[plan->optimizer].bytes);
    }
    return plan->arena ? STOA_OK : STOA_ERR_MEMORY;
}

float *stoa_plan_input(stoa_plan *plan) {
    return plan->arena ? stoa_value_data(plan, plan->input) : NULL;
}

/* The model value that a caller calls so, or SIZE_MAX: outputs go before inputs and layers. */
static size_t find_named(const struct stoa_plan *plan, const char *name) {
    const stoa_model *model = plan->model;
    for (size_t i = 0; i < model->output_count; i++) {
        if (strcmp(model->outputs[i].name, name) == 0) {
            return model->outputs[i].value;
        }
    }
    for (size_t value = 0; value <= plan->nodes; value++) {
        if (strcmp(stoa_value_name(model, value), name) == 0) {
            return value;
        }
    }
    return SIZE_MAX;
}

float *stoa_plan_activation(stoa_plan *plan, const char *name) {
    size_t value = plan->arena ? find_named(plan, name) : SIZE_MAX;
    bool there = value != SIZE_MAX && (plan->asked[value] || stoa_value_is_input(plan->model, value));
    return there ? stoa_value_data(plan, stoa_plan_place_of(plan, value)) : NULL;
}

float *stoa_plan_activation_gradient(stoa_plan *plan, const char *name) {
    size_t value = plan->arena ? find_named(plan, name) : SIZE_MAX;
    bool there = value != SIZE_MAX &&
                 (stoa_value_is_input(plan->model, value) ? plan->input_gradients
                                                          : plan->takes_gradients && plan->asked[value]);
    return there ? stoa_value_data(plan, stoa_plan_gradient_of(plan, value)) : NULL;
}

float *stoa_plan_gradients(const struct stoa_plan *plan) {
    return stoa_value_data(plan, plan->gradients);
}

float *stoa_plan_optimizer_slot(const struct stoa_plan *plan, size_t slot) {
    return (float *)stoa_value_data(plan, plan->optimizer) + slot * plan->model->parameter_floats;
}

float *stoa_partial_gradients(const struct stoa_plan *plan, size_t node, size_t task) {
    const struct stoa_section *section = stoa_section_of(plan, node, STOA_BACKWARD);
    return (float *)stoa_value_data(plan, section->partials) + task * section->partial_floats +
           plan->node[node].partial_at;
}
