/* SPDX-License-Identifier: MIT */
/* Planning: which values a run needs, how long each lives, which may share memory, and where each lies. */
#include "model/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_state.h"
#include "base/size.h"
#include "core/planner.h"
#include "model/layers.h"

/* Under AddressSanitizer every block ends in a red zone that stays poisoned. */
#if defined(__SANITIZE_ADDRESS__)
enum { RED_ZONE_BYTES = STOA_ALIGN_BYTES };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { RED_ZONE_BYTES = STOA_ALIGN_BYTES };
#else
enum { RED_ZONE_BYTES = 0 };
#endif
#else
enum { RED_ZONE_BYTES = 0 };
#endif

struct stoa_op_run stoa_plan_run(const struct stoa_plan *plan, size_t node) {
    struct stoa_op_run run = {.context = plan->context,
                              .layer = stoa_plan_layer(plan, node),
                              .layer_number = node,
                              .batch = plan->batch,
                              .planned_batch = plan->batch,
                              .training = plan->training,
                              .wants_input_gradient = plan->node[node].wants_input_gradient,
                              .frozen = plan->frozen[node],
                              .plan = plan->node[node].plan};
    return run;
}

/* Add a value; its number, or STOA_NO_VALUE when its size overflows. There is room for all (see
 * count_room()). */
static size_t add_value(struct stoa_plan *plan, const char *owner, const char *what,
                        const struct stoa_shape *shape, size_t bytes, size_t first, size_t last) {
    size_t number = plan->value_count++;
    struct stoa_value *value = &plan->values[number];
    *value =
        (struct stoa_value){.shape = shape, .bytes = bytes, .first = first, .last = last, .root = number};
    (void)snprintf(value->name, sizeof value->name, "%s%s%s", owner, *owner && *what ? " " : "", what);
    return number;
}

static bool tensor_bytes(const struct stoa_plan *plan, const struct stoa_shape *shape, size_t *bytes) {
    return stoa_size_mul(stoa_shape_size(shape), plan->batch, bytes) && stoa_size_scale(bytes, sizeof(float));
}

static size_t last_step(const struct stoa_plan *plan) {
    return plan->steps;
}

/* The last step that reads a model value: its consumers, their backward passes, its producer's backward pass.
 */
static size_t last_use(const struct stoa_plan *plan, size_t model_value) {
    size_t last = model_value == 0 ? 0 : model_value - 1;
    size_t nodes = plan->nodes + (plan->has_loss ? 1 : 0);
    for (size_t node = 0; node < nodes; node++) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        for (size_t k = 0; k < layer->inputs; k++) {
            if (stoa_plan_input_of(plan, node, k) == model_value) {
                bool backward = (stoa_plan_needs(plan, node) & STOA_NEEDS_X) != 0;
                last = stoa_max(last, stoa_step_of(plan, node, backward ? STOA_BACKWARD : STOA_FORWARD));
            }
        }
    }
    if (model_value > 0 && (stoa_plan_needs(plan, model_value - 1) & STOA_NEEDS_Y)) {
        last = stoa_max(last, stoa_step_of(plan, model_value - 1, STOA_BACKWARD));
    }
    if (model_value == plan->nodes) {
        last = last_step(plan);
    }
    if (model_value == 0 && plan->has_loss) {
        /* The search for the first non-finite layer runs forward again. */
        last = stoa_max(last, stoa_step_of(plan, plan->nodes, STOA_FORWARD));
    }
    return last;
}

/* Last step of all values in the block of `root`. */
static size_t block_last(const struct stoa_plan *plan, size_t root) {
    size_t last = 0;
    for (size_t i = 0; i < plan->value_count; i++) {
        if (plan->values[i].root == root) {
            last = stoa_max(last, plan->values[i].last);
        }
    }
    return last;
}

/* A node's output takes its first input's memory where the operator can and nobody needs the input any more.
 * A view takes it always: it writes nothing. */
static void share_output(struct stoa_plan *plan, size_t node) {
    const struct stoa_op *op = stoa_plan_layer(plan, node)->op;
    size_t input = stoa_plan_activation(plan, stoa_plan_input_of(plan, node, 0));
    size_t root = plan->values[input].root;
    struct stoa_value *output = &plan->values[plan->node[node].output];
    if (op->is_view || (op->in_place && block_last(plan, root) <= stoa_step_of(plan, node, STOA_FORWARD))) {
        output->root = root;
    }
}

static bool plan_activations(struct stoa_plan *plan) {
    size_t bytes;
    if (!tensor_bytes(plan, &plan->model->input, &bytes)) {
        return false;
    }
    plan->input = add_value(plan, "input", "", &plan->model->input, bytes, 0, last_use(plan, 0));
    for (size_t node = 0; node < plan->nodes + (plan->has_loss ? 1 : 0); node++) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        if (!tensor_bytes(plan, &layer->output, &bytes)) {
            return false;
        }
        size_t first = stoa_step_of(plan, node, STOA_FORWARD);
        size_t last = node == plan->nodes ? last_step(plan) : last_use(plan, node + 1);
        plan->node[node].output = add_value(plan, layer->name, "", &layer->output, bytes, first, last);
        share_output(plan, node);
    }
    return true;
}

/* Saved data and workspaces. */
static bool plan_scratch(struct stoa_plan *plan) {
    for (size_t node = 0; node < plan->nodes + (plan->has_loss ? 1 : 0); node++) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        struct stoa_op_run run = stoa_plan_run(plan, node);
        struct stoa_op_memory memory = {0};
        if (layer->op->memory && !layer->op->memory(&run, &memory)) {
            return false;
        }
        size_t forward = stoa_step_of(plan, node, STOA_FORWARD);
        bool goes_back = stoa_plan_goes_back(plan, node);
        size_t backward = goes_back ? stoa_step_of(plan, node, STOA_BACKWARD) : forward;
        struct stoa_node_plan *p = &plan->node[node];
        if (memory.saved) {
            p->saved = add_value(plan, layer->name, "saved", NULL, memory.saved, forward, backward);
        }
        if (memory.workspace[STOA_FORWARD]) {
            p->workspace[STOA_FORWARD] = add_value(plan, layer->name, "forward workspace", NULL,
                                                   memory.workspace[STOA_FORWARD], forward, forward);
        }
        if (plan->prepares && memory.prepared) {
            /* Longer than any step: the next run reads them again. */
            p->prepared =
                add_value(plan, layer->name, "prepared weights", NULL, memory.prepared, 0, last_step(plan));
        }
        if (goes_back && memory.workspace[STOA_BACKWARD]) {
            p->workspace[STOA_BACKWARD] = add_value(plan, layer->name, "backward workspace", NULL,
                                                    memory.workspace[STOA_BACKWARD], backward, backward);
        }
    }
    return true;
}

/* The gradient of one input of a node: the first writer of a value's gradient owns it, later ones add to it.
 */
static void plan_input_gradient(struct stoa_plan *plan, size_t node, size_t which) {
    struct stoa_node_plan *p = &plan->node[node];
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    size_t producer = stoa_plan_input_of(plan, node, which) - 1; /* only called for values a layer made */
    const struct stoa_layer *made_by = stoa_plan_layer(plan, producer);
    size_t step = stoa_step_of(plan, node, STOA_BACKWARD);
    size_t bytes = plan->values[plan->node[producer].output].bytes;
    if (plan->node[producer].gradient != STOA_NO_VALUE) {
        p->dx[which] = add_value(plan, layer->name, "gradient to add", NULL, bytes, step, step);
        p->adds[which] = true;
        return;
    }
    size_t gradient = add_value(plan, made_by->name, "gradient", &made_by->output, bytes, step,
                                stoa_step_of(plan, producer, STOA_BACKWARD));
    /* dy ends with this step, so dx may take its place. */
    if (which == 0 && layer->op->gradient_in_place) {
        plan->values[gradient].root = plan->values[p->gradient].root;
    }
    plan->node[producer].gradient = gradient;
    p->dx[which] = gradient;
}

/* Whether a model value's gradient leads to any parameter that learns. */
static bool wants_gradient(const struct stoa_plan *plan, size_t model_value) {
    return model_value > 0 && stoa_plan_goes_back(plan, model_value - 1);
}

static void mark_wanted(struct stoa_plan *plan) {
    for (size_t node = 0; node <= plan->nodes; node++) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        plan->node[node].trains = plan->training && !plan->frozen[node] && stoa_layer_has_parameters(layer);
        for (size_t k = 0; plan->training && k < layer->inputs; k++) {
            if (wants_gradient(plan, stoa_plan_input_of(plan, node, k))) {
                plan->node[node].wants_input_gradient = true;
            }
        }
    }
}

/* What only training asks: layers to freeze, and others that learn from so many samples. */
static stoa_status prepare_training(struct stoa_plan *plan, const char *freeze) {
    struct stoa_error *error = &plan->context->error;
    stoa_status status = stoa_model_read_frozen(plan->model, error, freeze, plan->frozen);
    return status == STOA_OK
               ? stoa_model_learns_from(plan->model, error, plan->frozen, plan->batch, "a batch")
               : status;
}

static bool plan_gradients(struct stoa_plan *plan, size_t optimizer_slots) {
    size_t loss_step = stoa_step_of(plan, plan->nodes, STOA_FORWARD);
    plan->loss_gradient = add_value(plan, plan->loss.name, "gradient", NULL, plan->batch * sizeof(float),
                                    loss_step, stoa_step_of(plan, plan->nodes, STOA_BACKWARD));
    plan->node[plan->nodes].gradient = plan->loss_gradient;
    for (size_t node = plan->nodes + 1; node-- > 0;) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        for (size_t k = 0; k < layer->inputs; k++) {
            if (wants_gradient(plan, stoa_plan_input_of(plan, node, k))) {
                plan_input_gradient(plan, node, k);
            }
        }
    }
    size_t bytes = plan->model->parameter_floats * sizeof(float);
    size_t first = stoa_step_of(plan, plan->nodes, STOA_BACKWARD);
    plan->gradients = add_value(plan, "parameter gradients", "", NULL, bytes, first, last_step(plan));
    if (optimizer_slots > 0) {
        if (!stoa_size_scale(&bytes, optimizer_slots)) {
            return false;
        }
        plan->optimizer = add_value(plan, "optimizer state", "", NULL, bytes, 0, last_step(plan));
    }
    return true;
}

/* Bytes with what stands behind them; false when they overflow. Blocks of whole pages would all begin at the
 * same place of a page, and arrays whose rows are a multiple of a page apart would meet in the same sets of a
 * cache: a line between them makes inference of depthwise layers of 256 channels, 28 x 28, 1.5 times as
 * fast. */
static bool padded_bytes(size_t bytes, size_t *padded) {
    enum { PAGE_BYTES = 4096 };
    size_t behind = bytes == 0 ? 0 : RED_ZONE_BYTES + (bytes % PAGE_BYTES == 0 ? STOA_ALIGN_BYTES : 0);
    if (!stoa_size_add(bytes, STOA_ALIGN_BYTES + behind, padded)) {
        return false;
    }
    *padded = stoa_round_up(bytes, STOA_ALIGN_BYTES) + behind;
    return true;
}

/* The blocks of all owners, and the sum that values would take without sharing. */
static bool measure_blocks(struct stoa_plan *plan) {
    for (size_t i = 0; i < plan->value_count; i++) {
        const struct stoa_value *value = &plan->values[i];
        struct stoa_value *owner = &plan->values[value->root];
        if (value == owner) {
            owner->block_first = owner->first;
        }
        owner->block_bytes = stoa_max(owner->block_bytes, value->bytes);
        owner->block_first = stoa_min(owner->block_first, value->first);
        owner->block_last = stoa_max(owner->block_last, value->last);
        size_t bytes;
        if (!padded_bytes(value->bytes, &bytes) ||
            !stoa_size_add(plan->unshared_bytes, bytes, &plan->unshared_bytes)) {
            return false;
        }
    }
    return true;
}

/* Owners get places; the others lie where their owner lies, and take no block of their own. */
static bool place(struct stoa_plan *plan) {
    struct stoa_block *blocks = calloc(stoa_max(1, plan->value_count), sizeof *blocks);
    size_t *order = calloc(stoa_max(1, plan->value_count), sizeof *order);
    bool fits = blocks && order && measure_blocks(plan);
    for (size_t i = 0; fits && i < plan->value_count; i++) {
        const struct stoa_value *value = &plan->values[i];
        blocks[i] = (struct stoa_block){.first = value->block_first, .last = value->block_last};
        fits = value->root != i || padded_bytes(value->block_bytes, &blocks[i].bytes);
    }
    fits = fits && stoa_planner_place(blocks, plan->value_count, order, &plan->bytes);
    for (size_t i = 0; fits && i < plan->value_count; i++) {
        plan->values[i].offset = blocks[plan->values[i].root].offset;
    }
    free(blocks);
    free(order);
    return fits;
}

/* Room for all values: a few a node and input, and those of the plan. */
static bool make_room(struct stoa_plan *plan) {
    plan->value_room = (plan->nodes + 1) * (6 + 2 * STOA_MAX_INPUTS) + 8;
    plan->values = calloc(plan->value_room, sizeof *plan->values);
    plan->node = calloc(plan->nodes + 1, sizeof *plan->node);
    plan->frozen = calloc(plan->nodes + 1, sizeof *plan->frozen);
    if (!plan->values || !plan->node || !plan->frozen) {
        return false;
    }
    for (size_t i = 0; i <= plan->nodes; i++) {
        plan->node[i] = (struct stoa_node_plan){.saved = STOA_NO_VALUE,
                                                .prepared = STOA_NO_VALUE,
                                                .workspace = {STOA_NO_VALUE, STOA_NO_VALUE},
                                                .output = STOA_NO_VALUE,
                                                .gradient = STOA_NO_VALUE};
        for (size_t k = 0; k < STOA_MAX_INPUTS; k++) {
            plan->node[i].dx[k] = STOA_NO_VALUE;
        }
    }
    plan->input = plan->loss_gradient = plan->gradients = plan->optimizer = STOA_NO_VALUE;
    return true;
}

/* Room for what operators decide. */
static bool make_decisions(struct stoa_plan *plan) {
    for (size_t node = 0; node < plan->nodes + (plan->has_loss ? 1 : 0); node++) {
        size_t bytes = stoa_plan_layer(plan, node)->op->plan_bytes;
        plan->node[node].plan = bytes > 0 ? calloc(1, bytes) : NULL;
        if (bytes > 0 && !plan->node[node].plan) {
            return false;
        }
    }
    return true;
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
    status =
        stoa_layer_make(error, "loss", &spec, stoa_value_shape(plan->model, plan->nodes), 1, &plan->loss);
    plan->has_loss = status == STOA_OK;
    return status;
}

static stoa_status build_plan(struct stoa_plan *plan, const stoa_plan_options *options) {
    const char *loss = options->loss ? options->loss : options->training ? STOA_DEFAULT_LOSS : NULL;
    if (loss) {
        stoa_status status = make_loss(plan, loss);
        if (status != STOA_OK) {
            return status;
        }
    }
    plan->steps = plan->training ? 2 * plan->nodes + 2 : plan->nodes + (loss ? 1 : 0);
    if (!make_room(plan) || !make_decisions(plan)) {
        return stoa_fail(plan->context, STOA_ERR_MEMORY, "plan: out of memory");
    }
    if (plan->training && prepare_training(plan, options->freeze) != STOA_OK) {
        return plan->context->error.status;
    }
    if (loss) {
        mark_wanted(plan);
    }
    plan->context->error.status = STOA_OK;
    if (!plan_activations(plan) || !plan_scratch(plan) ||
        (plan->training && !plan_gradients(plan, options->optimizer_slots)) || !place(plan)) {
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
    free(plan->values);
    for (size_t node = 0; plan->node && node <= plan->nodes; node++) {
        free(plan->node[node].plan);
    }
    free(plan->node);
    free(plan->frozen);
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

float *stoa_plan_gradients(const struct stoa_plan *plan) {
    return stoa_value_data(plan, plan->gradients);
}

float *stoa_plan_optimizer_slot(const struct stoa_plan *plan, size_t slot) {
    return (float *)stoa_value_data(plan, plan->optimizer) + slot * plan->model->parameter_floats;
}
