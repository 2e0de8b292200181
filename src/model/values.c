/* SPDX-License-Identifier: MIT */
/* The values of a plan: which a run needs, how long each lives, and which may share memory. placement.c says
 * where each lies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "model/plan.h"

/* "c1 gradient"; NULL without memory. */
static char *join_name(const char *owner, const char *what) {
    size_t size = strlen(owner) + strlen(" ") + strlen(what) + 1;
    char *name = malloc(size);
    if (name) {
        (void)snprintf(name, size, "%s%s%s", owner, *owner && *what ? " " : "", what);
    }
    return name;
}

/* Add a value. There is room for all (see make_room()); a name that is not there is noticed at the end. */
static size_t add_value(struct stoa_plan *plan, const char *owner, const char *what, size_t bytes,
                        size_t first, size_t last) {
    size_t number = plan->value_count++;
    struct stoa_value *value = &plan->values[number];
    *value = (struct stoa_value){.name = join_name(owner, what),
                                 .bytes = bytes,
                                 .first = first,
                                 .last = last,
                                 .root = number,
                                 .area = STOA_NO_VALUE};
    return number;
}

/* The same for one tensor a sample; false when the size of all overflows. */
static bool add_tensor(struct stoa_plan *plan, const char *owner, const char *what,
                       const struct stoa_shape *shape, size_t first, size_t last, size_t *number) {
    *number = add_value(plan, owner, what, 0, first, last);
    struct stoa_value *value = &plan->values[*number];
    value->shape = shape;
    value->sample_bytes = stoa_shape_size(shape) * sizeof(float);
    return stoa_size_mul(value->sample_bytes, plan->batch, &value->bytes);
}

static size_t last_step(const struct stoa_plan *plan) {
    return plan->steps;
}

/* The last step that reads each model value, into `last`: its consumers, their backward passes, its
 * producer's backward pass. */
static void find_last_uses(const struct stoa_plan *plan, size_t *last) {
    for (size_t node = 0; node < stoa_plan_all_nodes(plan); node++) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        unsigned needs = stoa_plan_needs(plan, node);
        size_t made = stoa_done_in(plan, node, needs & STOA_NEEDS_Y ? STOA_BACKWARD : STOA_FORWARD);
        size_t read = stoa_done_in(plan, node, needs & STOA_NEEDS_X ? STOA_BACKWARD : STOA_FORWARD);
        for (size_t k = 0; k < layer->inputs; k++) {
            size_t value = stoa_plan_input_of(plan, node, k);
            last[value] = stoa_max(last[value], read);
        }
        if (node < plan->nodes) {
            last[node + 1] = stoa_max(last[node + 1], made);
        }
    }
    for (size_t value = 0; value <= plan->nodes; value++) {
        if (plan->asked[value]) {
            last[value] = last_step(plan);
        } else if (plan->has_loss && stoa_value_is_input(plan->model, value)) {
            /* The search for the first non-finite layer runs forward again. */
            last[value] = stoa_max(last[value], stoa_done_in(plan, plan->nodes, STOA_FORWARD));
        }
    }
}

/* Whether a step that does several nodes reads this memory again behind its first: as another input than
 * the one that a node follows. */
static bool is_read_behind(const struct stoa_plan *plan, size_t leader, size_t root) {
    for (size_t node = plan->node[leader].next[STOA_FORWARD]; node != STOA_NO_VALUE;
         node = plan->node[node].next[STOA_FORWARD]) {
        for (size_t k = 0; k < stoa_plan_layer(plan, node)->inputs; k++) {
            size_t input = stoa_plan_place_of(plan, stoa_plan_input_of(plan, node, k));
            if (k != plan->node[node].flow[STOA_FORWARD] && input != STOA_NO_VALUE &&
                plan->values[input].root == root) {
                return true;
            }
        }
    }
    return false;
}

/* A node's output takes its first input's memory where the operator can and nobody needs the input any more.
 * A view takes it always: it writes nothing. */
static void share_output(struct stoa_plan *plan, size_t node) {
    const struct stoa_op *op = stoa_plan_layer(plan, node)->op;
    const struct stoa_node_plan *p = &plan->node[node];
    if (op->least_inputs == 0) {
        return;
    }
    size_t leader = p->leader[STOA_FORWARD];
    size_t input = stoa_plan_place_of(plan, stoa_plan_input_of(plan, node, 0));
    size_t root = plan->values[input].root;
    if (op->is_view || p->is_folded ||
        (op->in_place && plan->values[input].sample_bytes == plan->values[p->output].sample_bytes &&
         plan->values[root].block_last <= stoa_done_in(plan, node, STOA_FORWARD) &&
         !is_read_behind(plan, leader, root))) {
        plan->values[p->output].root = root;
    }
}

/* A block lives as long as all that is in it. */
static void live_on(struct stoa_plan *plan, size_t value) {
    struct stoa_value *owner = &plan->values[plan->values[value].root];
    owner->block_last = stoa_max(owner->block_last, plan->values[value].last);
}

static bool add_activations(struct stoa_plan *plan, const size_t *last_use) {
    if (!add_tensor(plan, stoa_value_name(plan->model, 0), "", &plan->model->input, 0, last_use[0],
                    &plan->input)) {
        return false;
    }
    plan->values[plan->input].is_whole = true;
    live_on(plan, plan->input);
    for (size_t node = 0; node < stoa_plan_all_nodes(plan); node++) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        size_t first = layer->op->is_input ? 0 : stoa_done_in(plan, node, STOA_FORWARD);
        size_t last = node == plan->nodes ? last_step(plan) : last_use[node + 1];
        if (!add_tensor(plan, layer->name, "", &layer->output, first, last, &plan->node[node].output)) {
            return false;
        }
        plan->values[plan->node[node].output].is_whole = layer->op->is_input;
        share_output(plan, node);
        live_on(plan, plan->node[node].output);
    }
    return true;
}

static bool plan_activations(struct stoa_plan *plan) {
    size_t *last_use = calloc(plan->nodes + 1, sizeof *last_use);
    if (!last_use) {
        return false;
    }
    find_last_uses(plan, last_use);
    bool fits = add_activations(plan, last_use);
    free(last_use);
    return fits;
}

/* Weight and bias with another's scale and shift, and these two. */
static bool plan_folded(struct stoa_plan *plan, size_t node) {
    size_t floats = 0;
    size_t bytes;
    for (enum stoa_folded part = STOA_FOLDED_WEIGHT; part <= STOA_FOLDED_SHIFT; part++) {
        floats += stoa_round_up(stoa_folded_floats(plan, node, part), STOA_ALIGN_FLOATS);
    }
    bool fits = stoa_size_mul(floats, sizeof(float), &bytes);
    plan->node[node].folded =
        add_value(plan, stoa_plan_layer(plan, node)->name, "folded weights", bytes, 0, last_step(plan));
    return fits;
}

/* Saved data: in a section a part for each block. */
static bool plan_saved(struct stoa_plan *plan, size_t node, size_t bytes) {
    size_t first = stoa_done_in(plan, node, STOA_FORWARD);
    size_t last = stoa_plan_goes_back(plan, node) ? stoa_done_in(plan, node, STOA_BACKWARD) : first;
    size_t apart = 0;
    size_t all = bytes;
    const struct stoa_section *section = stoa_section_of(plan, node, STOA_FORWARD);
    if (section) {
        const struct stoa_sample_cut *cut = &section->cut;
        size_t blocks = cut->tasks * stoa_blocks_of_task(cut, plan->batch, cut->tasks);
        if (!stoa_size_add(bytes, STOA_ALIGN_BYTES, &apart)) {
            return false;
        }
        apart = stoa_round_up(bytes, STOA_ALIGN_BYTES);
        if (!stoa_size_mul(apart, blocks, &all)) {
            return false;
        }
    }
    struct stoa_node_plan *p = &plan->node[node];
    p->saved = add_value(plan, stoa_plan_layer(plan, node)->name, "saved", all, first, last);
    plan->values[p->saved].apart = apart;
    plan->values[p->saved].part_bytes = bytes;
    return true;
}

/* What the operator asks for in one pass. */
static bool plan_pass(struct stoa_plan *plan, size_t node, enum stoa_pass pass) {
    struct stoa_node_plan *p = &plan->node[node];
    const char *name = stoa_plan_layer(plan, node)->name;
    size_t step = stoa_done_in(plan, node, pass);
    struct stoa_op_memory memory = {0};
    if (!stoa_plan_ask(plan, node, pass, &memory)) {
        return false;
    }
    if (memory.workspace[pass]) {
        const char *what = pass == STOA_FORWARD ? "forward workspace" : "backward workspace";
        p->workspace[pass] = add_value(plan, name, what, memory.workspace[pass], step, step);
    }
    if (pass == STOA_FORWARD && plan->prepares && memory.prepared) {
        /* Longer than any step: the next run reads them again. */
        p->prepared = add_value(plan, name, "prepared weights", memory.prepared, 0, last_step(plan));
    }
    bool saves = pass == STOA_FORWARD && memory.saved > 0 && !p->gives_gradient;
    return !saves || plan_saved(plan, node, memory.saved);
}

static bool plan_passes(struct stoa_plan *plan) {
    for (size_t node = 0; node < stoa_plan_all_nodes(plan); node++) {
        if (plan->node[node].is_folded) {
            continue;
        }
        if ((plan->node[node].folds != STOA_NO_VALUE && !plan_folded(plan, node)) ||
            !plan_pass(plan, node, STOA_FORWARD) ||
            (stoa_plan_goes_back(plan, node) && !plan->node[node].gives_gradient &&
             !plan_pass(plan, node, STOA_BACKWARD))) {
            return false;
        }
    }
    return true;
}

/* The gradient of a model value, there from `first` on: until its layer's backward pass has read it, or, of
 * an input, for the caller. */
static bool add_gradient(struct stoa_plan *plan, size_t model_value, size_t first, size_t *gradient) {
    const stoa_model *model = plan->model;
    bool read = !stoa_value_is_input(model, model_value) && stoa_plan_goes_back(plan, model_value - 1);
    size_t last = stoa_value_is_input(model, model_value) ? last_step(plan)
                  : read                                  ? stoa_done_in(plan, model_value - 1, STOA_BACKWARD)
                                                          : first;
    bool fits = add_tensor(plan, stoa_value_name(model, model_value), "gradient",
                           stoa_value_shape(model, model_value), first, last, gradient);
    *(model_value == 0 ? &plan->input_gradient : &plan->node[model_value - 1].gradient) = *gradient;
    return fits;
}

/* The gradient of a node's input: the first writer of a value's gradient owns it, later ones add to it. */
static bool plan_input_gradient(struct stoa_plan *plan, size_t node, size_t which) {
    struct stoa_node_plan *p = &plan->node[node];
    const struct stoa_layer *layer = stoa_plan_layer(plan, node);
    size_t value = stoa_plan_input_of(plan, node, which);
    size_t step = stoa_done_in(plan, node, STOA_BACKWARD);
    if (stoa_plan_gradient_of(plan, value) != STOA_NO_VALUE) {
        p->adds[which] = true;
        return add_tensor(plan, layer->name, "gradient to add", stoa_value_shape(plan->model, value), step,
                          step, &p->dx[which]);
    }
    size_t gradient;
    if (!add_gradient(plan, value, step, &gradient)) {
        return false;
    }
    /* dy ends with this step, so dx may take its place. */
    if (which == 0 && layer->op->gradient_in_place &&
        plan->values[gradient].sample_bytes == plan->values[p->gradient].sample_bytes) {
        plan->values[gradient].root = plan->values[p->gradient].root;
    }
    p->dx[which] = gradient;
    return true;
}

/* The gradients that the caller writes between both halves of a run. */
static bool plan_given_gradients(struct stoa_plan *plan) {
    size_t step = stoa_step_of(plan, plan->nodes, STOA_FORWARD);
    for (size_t value = 1; plan->takes_gradients && value <= plan->nodes; value++) {
        size_t gradient;
        if (plan->asked[value] && !stoa_value_is_input(plan->model, value)) {
            if (!add_gradient(plan, value, step, &gradient)) {
                return false;
            }
            plan->values[gradient].is_whole = true;
        }
    }
    return true;
}

/* Inputs that lead nowhere have a gradient as well: zeros. */
static bool plan_idle_gradients(struct stoa_plan *plan) {
    size_t step = stoa_step_of(plan, plan->nodes, STOA_BACKWARD);
    for (size_t value = 0; plan->input_gradients && value <= plan->nodes; value++) {
        size_t gradient;
        if (stoa_value_is_input(plan->model, value) && stoa_plan_gradient_of(plan, value) == STOA_NO_VALUE &&
            !add_gradient(plan, value, step, &gradient)) {
            return false;
        }
    }
    return true;
}

static bool plan_gradients(struct stoa_plan *plan, size_t optimizer_slots) {
    size_t loss_step = stoa_done_in(plan, plan->nodes, STOA_FORWARD);
    if (!add_tensor(plan, plan->loss.name, "gradient", &plan->loss.output, loss_step,
                    stoa_done_in(plan, plan->nodes, STOA_BACKWARD), &plan->loss_gradient)) {
        return false;
    }
    plan->values[plan->loss_gradient].is_whole = true; /* it is written before any step */
    plan->node[plan->nodes].gradient = plan->loss_gradient;
    if (!plan_given_gradients(plan)) {
        return false;
    }
    for (size_t node = plan->nodes + 1; node-- > 0;) {
        const struct stoa_layer *layer = stoa_plan_layer(plan, node);
        for (size_t k = 0; plan->node[node].leads && k < layer->inputs; k++) {
            if (stoa_plan_wants_gradient(plan, stoa_plan_input_of(plan, node, k)) &&
                !plan_input_gradient(plan, node, k)) {
                return false;
            }
        }
    }
    if (!plan_idle_gradients(plan)) {
        return false;
    }
    size_t bytes = plan->model->parameter_floats * sizeof(float);
    size_t first = stoa_step_of(plan, plan->nodes, STOA_BACKWARD);
    plan->gradients = add_value(plan, "parameter gradients", "", bytes, first, last_step(plan));
    if (optimizer_slots > 0) {
        if (!stoa_size_scale(&bytes, optimizer_slots)) {
            return false;
        }
        plan->optimizer = add_value(plan, "optimizer state", "", bytes, 0, last_step(plan));
    }
    return true;
}

/* Gradients of tensors that a section's tasks sum each for themselves. */
static bool plan_partials(struct stoa_plan *plan, size_t number) {
    struct stoa_section *section = &plan->sections[number];
    bool again = stoa_blocks_of_task(&section->cut, plan->batch, section->cut.tasks) > 1;
    for (size_t step = section->first; step <= section->last; step++) {
        size_t node = stoa_step_node(plan, step);
        struct stoa_node_plan *p = &plan->node[node];
        if (stoa_step_pass(plan, step) == STOA_BACKWARD && p->trains) {
            size_t floats = stoa_plan_gradient_floats(plan, node);
            p->partial_at = section->partial_floats;
            section->partial_floats += floats;
            if (again) {
                p->further = add_value(plan, stoa_plan_layer(plan, node)->name, "gradients of a block",
                                       floats * sizeof(float), step, step);
            }
        }
    }
    size_t bytes = section->partial_floats * sizeof(float);
    if (bytes > 0 && section->cut.tasks > 1) {
        if (!stoa_size_scale(&bytes, section->cut.tasks)) {
            return false;
        }
        char name[32];
        (void)snprintf(name, sizeof name, "section %zu", number + 1);
        section->partials = add_value(plan, name, "partial gradients", bytes, section->first, section->last);
        plan->values[section->partials].is_whole = true;
    }
    return true;
}

/* A section's scratch; its size comes when all is known that lies there. */
static void plan_areas(struct stoa_plan *plan) {
    for (size_t i = 0; i < plan->section_count; i++) {
        struct stoa_section *section = &plan->sections[i];
        char name[32];
        (void)snprintf(name, sizeof name, "section %zu", i + 1);
        section->scratch = add_value(plan, name, "scratch", 0, section->first, section->last);
        plan->values[section->scratch].is_whole = true;
    }
}

/* Room for all values: a few a node and input, those of sections, and those of the plan. */
static bool make_room(struct stoa_plan *plan) {
    plan->value_room = (plan->nodes + 1) * 9 + 2 * plan->inputs + 2 * plan->section_count + 8;
    plan->values = calloc(plan->value_room, sizeof *plan->values);
    plan->input = plan->input_gradient = plan->loss_gradient = plan->gradients = plan->optimizer =
        STOA_NO_VALUE;
    return plan->values;
}

static bool has_names(const struct stoa_plan *plan) {
    size_t i = 0;
    while (i < plan->value_count && plan->values[i].name) {
        i++;
    }
    return i == plan->value_count;
}

bool stoa_plan_place_values(struct stoa_plan *plan, size_t optimizer_slots) {
    if (!make_room(plan) || !plan_activations(plan) || !plan_passes(plan) ||
        (plan->training && !plan_gradients(plan, optimizer_slots))) {
        return false;
    }
    for (size_t i = 0; i < plan->section_count; i++) {
        if (!plan_partials(plan, i)) {
            return false;
        }
    }
    plan_areas(plan);
    return stoa_plan_place(plan) && has_names(plan);
}
