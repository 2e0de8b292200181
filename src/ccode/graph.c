/* SPDX-License-Identifier: MIT */
/* Steps of the C file, by the engine's lowering of an inference plan, and where their values lie.
 *
 * A value lives from the step that makes it to the last that reads it. Values between layers of one step are
 * not stored, unless others read them. The model's inputs are the caller's, and so are its outputs; all
 * others are blocks of an arena, placed by lifetime. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ccode/ccode.h"
#include "core/planner.h"

static stoa_status fail_memory(struct stoa_c *code) {
    return stoa_fail(code->context, STOA_ERR_MEMORY, "export: out of memory");
}

static size_t nodes_of(const struct stoa_c *code) {
    return code->plan->nodes;
}

/* ---- which operators, and how large ---- */

static stoa_status check_layer(struct stoa_c *code, const struct stoa_layer *layer) {
    const struct stoa_c_operator *op = stoa_c_operator_find(layer->op);
    if (!op) {
        return stoa_fail(code->context, STOA_ERR_UNSUPPORTED,
                         "%s '%.64s': the operator is not written as C, so the model cannot be exported",
                         layer->op->name, layer->name);
    }
    if (op->takes && !op->takes(layer)) {
        return stoa_fail(
            code->context, STOA_ERR_UNSUPPORTED,
            "%s '%.64s': these options or inputs of the operator are not written as C, so the model "
            "cannot be exported",
            layer->op->name, layer->name);
    }
    size_t most = stoa_shape_size(&layer->output);
    for (size_t k = 0; k < layer->inputs; k++) {
        most = stoa_max(most, stoa_shape_size(&layer->input[k]));
    }
    for (size_t t = 0; t < layer->tensors; t++) {
        most = stoa_max(most, stoa_tensor_count(&layer->tensor[t]));
    }
    return most <= INT_MAX / 4
               ? STOA_OK
               : stoa_fail(code->context, STOA_ERR_SHAPE,
                           "%s '%.64s': found a tensor of %zu numbers, expected at most %d in C",
                           layer->op->name, layer->name, most, INT_MAX / 4);
}

/* ---- steps ---- */

/* Whether the caller is given a value. */
static bool is_output(const struct stoa_c *code, size_t value) {
    return value > 0 && code->plan->asked[value];
}

static bool is_identity(const struct stoa_layer *layer) {
    return layer->op->is_view || stoa_c_operator_find(layer->op)->is_identity;
}

static void make_step(struct stoa_c *code, size_t leader) {
    struct stoa_node_plan *node = code->plan->node;
    struct stoa_c_step *step = &code->step[code->steps++];
    *step = (struct stoa_c_step){.leader = leader, .folded = node[leader].folds};
    size_t last = step->folded == STOA_NO_VALUE ? leader : step->folded;
    for (size_t at = node[leader].next[STOA_FORWARD]; at != STOA_NO_VALUE; at = node[at].next[STOA_FORWARD]) {
        step->chain[step->chained++] = last = at;
    }
    step->final = last + 1;
    step->is_alias = step->final == leader + 1 && !is_output(code, step->final) &&
                     is_identity(&code->model->nodes[leader].layer);
}

/* Whether a node follows the value within a step, which keeps it in a register. */
static bool follows(const struct stoa_c *code, size_t node, size_t input) {
    const struct stoa_node_plan *p = &code->plan->node[node];
    return p->leader[STOA_FORWARD] != node && (p->is_folded || p->flow[STOA_FORWARD] == input);
}

/* The last step that reads each value from memory; UNREAD where none does. `step_of` gets the step of each
 * node. */
#define UNREAD ((size_t)-1)

static void find_readers(struct stoa_c *code, size_t *step_of) {
    for (size_t s = 0; s < code->steps; s++) {
        const struct stoa_c_step *step = &code->step[s];
        step_of[step->leader] = s;
        for (size_t i = 0; i < step->chained; i++) {
            step_of[step->chain[i]] = s;
        }
        if (step->folded != STOA_NO_VALUE) {
            step_of[step->folded] = s;
        }
    }
    for (size_t v = 0; v <= nodes_of(code); v++) {
        code->value[v].last = UNREAD;
    }
    for (size_t node = 0; node < nodes_of(code); node++) {
        for (size_t k = 0; k < code->model->nodes[node].layer.inputs; k++) {
            struct stoa_c_value *value = &code->value[stoa_plan_input_of(code->plan, node, k)];
            if (!follows(code, node, k)) {
                value->last = value->last == UNREAD ? step_of[node] : stoa_max(value->last, step_of[node]);
            }
        }
    }
    for (size_t v = 1; v <= nodes_of(code); v++) {
        code->value[v].last = is_output(code, v) ? code->steps : code->value[v].last;
    }
}

/* ---- places ---- */

/* Bytes of so many floats; false where an int of C cannot count them. */
static bool block_bytes(size_t floats, size_t *bytes) {
    return floats <= INT_MAX / 4 && stoa_float_bytes(floats, bytes);
}

static bool new_block(struct stoa_c *code, size_t floats, size_t first, size_t last, size_t *number) {
    *number = code->blocks++;
    code->block[*number] = (struct stoa_block){.first = first, .last = last};
    return block_bytes(floats, &code->block[*number].bytes);
}

static size_t floats_of(const struct stoa_shape *shape, const struct stoa_c_border *border) {
    return stoa_c_has_border(border) ? border->height * border->width * shape->dim[2]
                                     : stoa_shape_size(shape);
}

static bool same_border(const struct stoa_c_border *a, const struct stoa_c_border *b) {
    return a->top == b->top && a->left == b->left && a->height == b->height && a->width == b->width;
}

/* The zeros that all readers of a value want around it; none where they do not agree. */
static struct stoa_c_border wanted_border(const struct stoa_c *code, size_t value) {
    const struct stoa_c_border none = {0};
    struct stoa_c_border found = none;
    for (size_t node = 0; node < nodes_of(code); node++) {
        const struct stoa_layer *layer = &code->model->nodes[node].layer;
        for (size_t k = 0; k < layer->inputs; k++) {
            if (stoa_plan_input_of(code->plan, node, k) != value || follows(code, node, k)) {
                continue;
            }
            const struct stoa_c_operator *op = stoa_c_operator_find(layer->op);
            struct stoa_c_border border = op->border ? op->border(layer) : none;
            if (!stoa_c_has_border(&border) || (stoa_c_has_border(&found) && !same_border(&found, &border))) {
                return none;
            }
            found = border;
        }
    }
    return found;
}

/* Whether the result may take the place of the leader's first input. */
static bool goes_in_place(const struct stoa_c *code, size_t s) {
    const struct stoa_c_step *step = &code->step[s];
    const struct stoa_layer *layer = &code->model->nodes[step->leader].layer;
    const struct stoa_c_value *input = &code->value[stoa_plan_input_of(code->plan, step->leader, 0)];
    return layer->op->in_place && input->where == STOA_C_ARENA && !stoa_c_has_border(&input->border) &&
           code->block[input->block].last == s &&
           stoa_shape_size(&layer->input[0]) == stoa_shape_size(&layer->output);
}

static bool place_final(struct stoa_c *code, size_t s) {
    const struct stoa_c_step *step = &code->step[s];
    struct stoa_c_value *value = &code->value[step->final];
    const struct stoa_layer *layer = &code->model->nodes[step->leader].layer;
    const struct stoa_c_value *input = &code->value[stoa_plan_input_of(code->plan, step->leader, 0)];
    if (is_output(code, step->final)) {
        value->where = STOA_C_OUTPUT;
        return true;
    }
    size_t last = value->last == UNREAD ? s : value->last;
    if (step->is_alias || goes_in_place(code, s)) {
        value->where = input->where;
        value->block = input->block;
        if (value->where == STOA_C_ARENA) {
            code->block[value->block].last = stoa_max(code->block[value->block].last, last);
        }
        return true;
    }
    value->where = STOA_C_ARENA;
    if (stoa_c_operator_find(layer->op)->writes_border) {
        value->border = wanted_border(code, step->final);
    }
    return new_block(code, floats_of(stoa_value_shape(code->model, step->final), &value->border), s, last,
                     &value->block);
}

/* A value between layers of a step that others read too. */
static bool place_between(struct stoa_c *code, size_t s, size_t number) {
    struct stoa_c_value *value = &code->value[number];
    if (number == code->step[s].final || value->last == UNREAD) {
        return true;
    }
    if (is_output(code, number)) {
        value->where = STOA_C_OUTPUT;
        return true;
    }
    value->where = STOA_C_ARENA;
    return new_block(code, stoa_shape_size(stoa_value_shape(code->model, number)), s, value->last,
                     &value->block);
}

static bool place_step(struct stoa_c *code, size_t s) {
    struct stoa_c_step *step = &code->step[s];
    const struct stoa_c_operator *op = stoa_c_operator_find(code->model->nodes[step->leader].layer.op);
    bool fits = place_between(code, s, step->leader + 1);
    fits = fits && (step->folded == STOA_NO_VALUE || place_between(code, s, step->folded + 1));
    for (size_t i = 0; fits && i < step->chained; i++) {
        fits = place_between(code, s, step->chain[i] + 1);
    }
    fits = fits && place_final(code, s);
    step->scratch = fits && op->scratch ? op->scratch(code, step) : 0;
    return fits && (step->scratch == 0 || new_block(code, step->scratch, s, s, &step->scratch_block));
}

/* An alias lives as long as what it stands for: its readers count for the input's block. */
static void lengthen_aliases(struct stoa_c *code) {
    for (size_t s = code->steps; s-- > 0;) {
        const struct stoa_c_step *step = &code->step[s];
        if (step->is_alias) {
            struct stoa_c_value *from = &code->value[stoa_plan_input_of(code->plan, step->leader, 0)];
            size_t last = code->value[step->final].last;
            from->last = last == UNREAD ? from->last : stoa_max(from->last, last);
        }
    }
}

static stoa_status place_all(struct stoa_c *code) {
    size_t *order = calloc(code->blocks + 1, sizeof *order);
    size_t bytes = 0;
    bool fits = order && stoa_planner_place(code->block, code->blocks, order, &bytes);
    free(order);
    if (!order) {
        return fail_memory(code);
    }
    if (!fits || bytes / sizeof(float) > INT_MAX / 4) {
        return stoa_fail(code->context, STOA_ERR_SHAPE,
                         "export: found an arena of more than %d numbers, which C code does not count",
                         INT_MAX / 4);
    }
    code->arena_floats = bytes / sizeof(float);
    return STOA_OK;
}

static bool make_room(struct stoa_c *code) {
    size_t nodes = nodes_of(code);
    code->step = calloc(nodes + 1, sizeof *code->step);
    code->value = calloc(nodes + 1, sizeof *code->value);
    code->block = calloc(3 * (nodes + 1), sizeof *code->block);
    return code->step && code->value && code->block;
}

/* Inputs in their order, and each output in the place of the first with its value. */
static void number_ports(struct stoa_c *code) {
    for (size_t v = 0; v <= nodes_of(code); v++) {
        if (stoa_value_is_input(code->model, v)) {
            code->value[v].where = STOA_C_INPUT;
            code->value[v].port = code->inputs++;
        }
    }
    code->outputs = stoa_output_count(code->model);
    for (size_t i = code->outputs; i-- > 0;) {
        code->value[stoa_output_value(code->model, i)].port = i;
    }
}

stoa_status stoa_c_find_steps(struct stoa_c *code) {
    for (size_t node = 0; node < nodes_of(code); node++) {
        stoa_status status = check_layer(code, &code->model->nodes[node].layer);
        if (status != STOA_OK) {
            return status;
        }
    }
    size_t *step_of = calloc(nodes_of(code) + 1, sizeof *step_of);
    if (!step_of || !make_room(code)) {
        free(step_of);
        return fail_memory(code);
    }
    for (size_t node = 0; node < nodes_of(code); node++) {
        if (code->plan->node[node].leader[STOA_FORWARD] == node &&
            !stoa_value_is_input(code->model, node + 1)) {
            make_step(code, node);
        }
    }
    find_readers(code, step_of);
    free(step_of);
    lengthen_aliases(code);
    number_ports(code);
    for (size_t s = 0; s < code->steps; s++) {
        if (!place_step(code, s)) {
            const struct stoa_layer *layer = &code->model->nodes[code->step[s].leader].layer;
            return stoa_fail(code->context, STOA_ERR_SHAPE,
                             "%s '%.64s': it needs more memory than C code counts", layer->op->name,
                             layer->name);
        }
    }
    return place_all(code);
}
