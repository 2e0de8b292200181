/* SPDX-License-Identifier: MIT */
/* A function for each step, what is done to its results, and the function that calls all of them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ccode/ccode.h"
#include "core/planner.h"
#include "ops/combine.h"

/* ---- what bodies use ---- */

static const struct stoa_layer *layer_of(const struct stoa_c *code, size_t node) {
    return &code->model->nodes[node].layer;
}

const struct stoa_layer *stoa_c_layer(const struct stoa_c *code) {
    return layer_of(code, code->at->leader);
}

bool stoa_c_has_border(const struct stoa_c_border *border) {
    return border->height > 0;
}

struct stoa_c_border stoa_c_result_border(const struct stoa_c *code) {
    return code->value[code->at->final].border;
}

bool stoa_c_has_chain(const struct stoa_c *code) {
    return code->at->chained > 0 || stoa_c_chain_by_index(code);
}

void stoa_c_tensor_name(size_t position, size_t tensor, char out[STOA_C_EXPRESSION]) {
    (void)snprintf(out, STOA_C_EXPRESSION, "t%zu_%zu", position, tensor);
}

/* A layer's tensors as its run has them. */
static void lend_tensors(const struct stoa_c *code, size_t node, struct stoa_op_run *run) {
    stoa_plan_run(code->plan, node, STOA_FORWARD, run);
    for (size_t t = 0; t < run->layer->tensors; t++) {
        run->tensor[t] = stoa_tensor_lend(code->model, code->model->nodes[node].tensor[t]);
    }
}

static float *copy_of(const float *values, size_t count) {
    float *copy = malloc(stoa_max(1, count) * sizeof *copy);
    if (copy && values) {
        memcpy(copy, values, count * sizeof *copy);
    }
    return copy;
}

/* Scale and shift of an operator that is `affine`. */
static float *affine_of(const struct stoa_c *code, size_t node) {
    struct stoa_op_run run;
    lend_tensors(code, node, &run);
    size_t channels = stoa_c_channels(&run.layer->output);
    float *both = malloc(2 * channels * sizeof *both);
    if (both) {
        run.layer->op->affine(&run, both, both + channels);
    }
    return both;
}

bool stoa_c_folded(struct stoa_c *code, float **weight, float **bias) {
    struct stoa_op_run run;
    lend_tensors(code, code->at->leader, &run);
    size_t count = stoa_tensor_count(&run.layer->tensor[0]);
    size_t channels = stoa_c_channels(&run.layer->output);
    bool folds = code->at->folded != STOA_NO_VALUE;
    *weight = copy_of(run.tensor[0], count);
    *bias = run.tensor[1] || folds ? copy_of(run.tensor[1], channels) : NULL;
    float *both = folds ? affine_of(code, code->at->folded) : NULL;
    bool good = *weight && (*bias || !(run.tensor[1] || folds)) && (both || !folds);
    if (good && folds) {
        run.layer->op->fold(&run, both, both + channels, *weight, *bias);
    }
    free(both);
    if (!good) {
        free(*weight);
        free(*bias);
        code->failed = true;
    }
    return good;
}

void stoa_c_write_border(struct stoa_c *code) {
    struct stoa_c_border border = stoa_c_result_border(code);
    const struct stoa_shape *shape = &stoa_c_layer(code)->output;
    if (stoa_c_has_border(&border)) {
        code->uses[STOA_C_BORDER] = true;
        stoa_c_line(&code->layers, "%s_border(%zu, %zu, %zu, %zu, %zu, %zu, y);", code->name, shape->dim[0],
                    shape->dim[1] * shape->dim[2], border.top, border.left * shape->dim[2], border.height,
                    border.width * shape->dim[2]);
    }
}

/* ---- the chain ---- */

static bool by_channel(const struct stoa_layer *layer) {
    return layer->op->affine || stoa_c_operator_find(layer->op)->by_channel;
}

bool stoa_c_chain_by_channel(const struct stoa_c *code) {
    bool any = false;
    for (size_t i = 0; i < code->at->chained; i++) {
        any = any || by_channel(layer_of(code, code->at->chain[i]));
    }
    return any;
}

/* Whether a value between layers of the step is stored. */
static bool is_between(const struct stoa_c *code, size_t value) {
    return value != code->at->final && code->value[value].where != STOA_C_NOWHERE;
}

bool stoa_c_chain_by_index(const struct stoa_c *code) {
    const struct stoa_c_step *step = code->at;
    bool any = is_between(code, step->leader + 1) ||
               (step->folded != STOA_NO_VALUE && is_between(code, step->folded + 1));
    for (size_t i = 0; i < step->chained; i++) {
        any = any || is_between(code, step->chain[i] + 1) ||
              stoa_c_operator_find(layer_of(code, step->chain[i])->op)->by_index;
    }
    return any;
}

/* The node at a position of the step: its leader, then the chain. */
static size_t node_at(const struct stoa_c *code, size_t position) {
    return position == 0 ? code->at->leader : code->at->chain[position - 1];
}

/* Tensors of a map, by the names that it finds them under. */
static void declare_tensors(struct stoa_c *code, size_t position) {
    size_t node = node_at(code, position);
    struct stoa_op_run run;
    char name[STOA_C_EXPRESSION];
    lend_tensors(code, node, &run);
    if (run.layer->op->affine) {
        float *both = affine_of(code, node);
        size_t channels = stoa_c_channels(&run.layer->output);
        code->failed = code->failed || !both;
        for (size_t t = 0; both && t < 2; t++) {
            stoa_c_tensor_name(position, t, name);
            stoa_c_constant(code, name, both + t * channels, channels);
        }
        free(both);
        return;
    }
    if (run.layer->op->options == stoa_combine_options && run.layer->tensors == 0 && run.layer->inputs == 1) {
        const struct stoa_list *value = stoa_c_option(run.layer, "value");
        stoa_c_tensor_name(position, 0, name);
        stoa_c_constant(code, name, value->value, value->count);
    }
    for (size_t t = 0; t < run.layer->tensors; t++) {
        stoa_c_tensor_name(position, t, name);
        stoa_c_constant(code, name, run.tensor[t], stoa_tensor_count(&run.layer->tensor[t]));
    }
}

void stoa_c_declare_tensors(struct stoa_c *code) {
    declare_tensors(code, 0);
}

/* The name of an input of the step that is not the leader's. */
static void operand_name(size_t position, size_t input, char out[STOA_C_ARGUMENT]) {
    (void)snprintf(out, STOA_C_ARGUMENT, "r%zu_%zu", position, input);
}

static void leader_input_name(const struct stoa_layer *layer, size_t input, char out[STOA_C_ARGUMENT]) {
    if (layer->inputs == 1) {
        (void)snprintf(out, STOA_C_ARGUMENT, "x");
    } else {
        (void)snprintf(out, STOA_C_ARGUMENT, "x%zu", input);
    }
}

void stoa_c_input_name(const struct stoa_c_map *map, size_t input, char out[STOA_C_ARGUMENT]) {
    if (map->position == 0) {
        leader_input_name(map->layer, input, out);
    } else {
        operand_name(map->position, input, out);
    }
}

/* Write the lines of the map at a position. */
static void write_map(struct stoa_c *code, size_t position, const char *index, const char *channel) {
    size_t node = node_at(code, position);
    const struct stoa_layer *layer = layer_of(code, node);
    const struct stoa_c_map map = {.layer = layer,
                                   .position = position,
                                   .flow = position == 0 ? 0 : code->plan->node[node].flow[STOA_FORWARD],
                                   .index = index,
                                   .channel = channel};
    const struct stoa_c_operator *op = stoa_c_operator_find(layer->op);
    if (layer->op->affine) {
        stoa_c_line(&code->layers, "v = v * t%zu_0[%s] + t%zu_1[%s];", position, channel, position, channel);
    } else if (op->map) {
        op->map(code, &map);
    }
}

/* Store v for readers outside of the step, where there are any. */
static void store_between(struct stoa_c *code, size_t value, const char *index) {
    if (is_between(code, value)) {
        stoa_c_line(&code->layers, "m%zu[%s] = v;", value, index);
    }
}

void stoa_c_finish(struct stoa_c *code, const char *index, const char *channel, const char *to) {
    const struct stoa_c_step *step = code->at;
    store_between(code, step->leader + 1, index);
    if (step->folded != STOA_NO_VALUE) {
        store_between(code, step->folded + 1, index);
    }
    for (size_t i = 0; i < step->chained; i++) {
        write_map(code, i + 1, index, channel);
        store_between(code, step->chain[i] + 1, index);
    }
    stoa_c_line(&code->layers, "%s = v;", to);
}

/* ---- functions ---- */

/* A layer's name as a part of an identifier, cut where it is long. */
static void write_identifier(struct stoa_c *code, const char *name) {
    enum { MOST = 24 };
    for (const char *at = name; *at && at < name + MOST; at++) {
        stoa_c_print(&code->layers, "%c",
                     isalnum((unsigned char)*at) && (unsigned char)*at < 0x80 ? *at : '_');
    }
}

static void write_shape(struct stoa_c_text *text, const struct stoa_shape *shape) {
    char out[STOA_SHAPE_TEXT];
    stoa_c_print(text, "%s", stoa_shape_text(shape, out));
}

static void describe_node(struct stoa_c *code, size_t node, const char *before) {
    const struct stoa_node *n = &code->model->nodes[node];
    stoa_c_print(&code->layers, "%s", before);
    stoa_c_comment(&code->layers, n->layer.name);
    stoa_c_print(&code->layers, ": %s%s", n->layer.op->name, *n->options_text ? " " : "");
    stoa_c_comment(&code->layers, n->options_text);
}

/* The comment above a function: layers, options, shapes. */
static void describe_step(struct stoa_c *code) {
    const struct stoa_c_step *step = code->at;
    describe_node(code, step->leader, "/* ");
    if (step->folded != STOA_NO_VALUE) {
        describe_node(code, step->folded, "; ");
        stoa_c_print(&code->layers, " (in the weights)");
    }
    for (size_t i = 0; i < step->chained; i++) {
        describe_node(code, step->chain[i], "; ");
    }
    stoa_c_print(&code->layers, ".\n * ");
    const struct stoa_layer *layer = stoa_c_layer(code);
    for (size_t k = 0; k < layer->inputs; k++) {
        stoa_c_print(&code->layers, "%s", k == 0 ? "" : ", ");
        write_shape(&code->layers, &layer->input[k]);
    }
    stoa_c_print(&code->layers, " -> ");
    write_shape(&code->layers, stoa_value_shape(code->model, step->final));
    stoa_c_print(&code->layers, ". */\n");
}

/* What the function of a step takes: told one by one, so that the definition and the call agree. */
typedef void argument_fn(struct stoa_c *code, struct stoa_c_text *text, const char *type, const char *name,
                         const struct stoa_c_value *value);

static void tell_value(struct stoa_c *code, struct stoa_c_text *text, argument_fn *tell, size_t value) {
    char name[STOA_C_EXPRESSION];
    (void)snprintf(name, sizeof name, "m%zu", value);
    if (is_between(code, value)) {
        tell(code, text, "float *", name, &code->value[value]);
    }
}

static void tell_chain(struct stoa_c *code, struct stoa_c_text *text, argument_fn *tell) {
    const struct stoa_c_step *step = code->at;
    char name[STOA_C_ARGUMENT];
    for (size_t i = 0; i < step->chained; i++) {
        size_t node = step->chain[i];
        for (size_t k = 0; k < layer_of(code, node)->inputs; k++) {
            operand_name(i + 1, k, name);
            if (k != code->plan->node[node].flow[STOA_FORWARD]) {
                tell(code, text, "const float *", name,
                     &code->value[stoa_plan_input_of(code->plan, node, k)]);
            }
        }
    }
    tell_value(code, text, tell, step->leader + 1);
    if (step->folded != STOA_NO_VALUE) {
        tell_value(code, text, tell, step->folded + 1);
    }
    for (size_t i = 0; i < step->chained; i++) {
        tell_value(code, text, tell, step->chain[i] + 1);
    }
}

static void tell_arguments(struct stoa_c *code, struct stoa_c_text *text, argument_fn *tell) {
    const struct stoa_c_step *step = code->at;
    char name[STOA_C_ARGUMENT];
    for (size_t k = 0; k < stoa_c_layer(code)->inputs; k++) {
        leader_input_name(stoa_c_layer(code), k, name);
        tell(code, text, "const float *", name,
             &code->value[stoa_plan_input_of(code->plan, step->leader, k)]);
    }
    tell_chain(code, text, tell);
    const struct stoa_c_value scratch = {.where = STOA_C_ARENA, .block = step->scratch_block};
    if (step->scratch > 0) {
        tell(code, text, "float *", "scratch", &scratch);
    }
    tell(code, text, "float *", "y", &code->value[step->final]);
}

static void declare_argument(struct stoa_c *code, struct stoa_c_text *text, const char *type,
                             const char *name, const struct stoa_c_value *value) {
    (void)code;
    (void)value;
    stoa_c_print(text, "%s%s%s", text->data[text->bytes - 1] == '(' ? "" : ", ", type, name);
}

void stoa_c_place_text(const struct stoa_c *code, const struct stoa_c_value *value,
                       char out[STOA_C_EXPRESSION]) {
    const char *port = value->where == STOA_C_INPUT ? "input" : "output";
    if (value->where == STOA_C_ARENA) {
        (void)snprintf(out, STOA_C_EXPRESSION, "arena + %zu",
                       code->block[value->block].offset / sizeof(float));
    } else if (stoa_c_is_single(code)) {
        (void)snprintf(out, STOA_C_EXPRESSION, "%s", port);
    } else {
        (void)snprintf(out, STOA_C_EXPRESSION, "%ss[%zu]", port, value->port);
    }
}

static void pass_argument(struct stoa_c *code, struct stoa_c_text *text, const char *type, const char *name,
                          const struct stoa_c_value *value) {
    (void)type;
    (void)name;
    stoa_c_print(text, "%s", text->data[text->bytes - 1] == '(' ? "" : ", ");
    char place[STOA_C_EXPRESSION];
    stoa_c_place_text(code, value, place);
    stoa_c_print(text, "%s", place);
}

static void write_name(struct stoa_c *code) {
    stoa_c_print(&code->layers, "%s_%zu_", code->name, code->number);
    write_identifier(code, stoa_c_layer(code)->name);
}

/* An operator of one number at a time that leads a step. */
static void write_map_body(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    size_t count = stoa_shape_size(&layer->output);
    size_t channels = stoa_c_channels(&layer->output);
    declare_tensors(code, 0);
    bool rows = by_channel(layer) || stoa_c_chain_by_channel(code);
    if (rows) {
        stoa_c_open(text, "for (int i = 0; i < %zu; i += %zu)", count, channels);
        stoa_c_open(text, "for (int c = 0; c < %zu; c++)", channels);
    } else {
        stoa_c_open(text, "for (int i = 0; i < %zu; i++)", count);
    }
    const char *index = rows ? "i + c" : "i";
    const struct stoa_c_map map = {.layer = layer, .index = index, .channel = "c"};
    char first[STOA_C_EXPRESSION];
    stoa_c_line(text, "float v = %s;", stoa_c_first_number(&map, first));
    write_map(code, 0, index, "c");
    stoa_c_finish(code, index, "c", rows ? "y[i + c]" : "y[i]");
    stoa_c_close(text);
    if (rows) {
        stoa_c_close(text);
    }
}

static void write_function(struct stoa_c *code) {
    const struct stoa_c_operator *op = stoa_c_operator_find(stoa_c_layer(code)->op);
    struct stoa_c_text *text = &code->layers;
    describe_step(code);
    stoa_c_print(text, "static void ");
    write_name(code);
    stoa_c_print(text, "(");
    if (!text->failed) {
        tell_arguments(code, text, declare_argument);
    }
    stoa_c_print(text, ") {\n");
    text->depth = 1;
    for (size_t i = 0; i < code->at->chained; i++) {
        declare_tensors(code, i + 1);
    }
    if (op->body) {
        op->body(code);
    } else {
        write_map_body(code);
    }
    text->depth = 0;
    stoa_c_print(text, "}\n\n");
}

void stoa_c_write_layers(struct stoa_c *code) {
    for (size_t s = 0; s < code->steps; s++) {
        code->at = &code->step[s];
        code->number = s + 1;
        if (!code->at->is_alias) {
            write_function(code);
        }
    }
}

/* Outputs that are another output's value. */
static void write_copies(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    for (size_t i = 0; i < code->outputs; i++) {
        size_t value = stoa_output_value(code->model, i);
        if (code->value[value].port != i) {
            stoa_c_open(text, "for (int i = 0; i < %zu; i++)",
                        stoa_shape_size(stoa_value_shape(code->model, value)));
            stoa_c_line(text, "outputs[%zu][i] = outputs[%zu][i];", i, code->value[value].port);
            stoa_c_close(text);
        }
    }
}

static void write_calls(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    for (size_t s = 0; s < code->steps; s++) {
        code->at = &code->step[s];
        code->number = s + 1;
        if (!code->at->is_alias && !text->failed) {
            stoa_c_print(text, "    ");
            write_name(code);
            stoa_c_print(text, "(");
            tell_arguments(code, text, pass_argument);
            stoa_c_print(text, ");\n");
        }
    }
}

void stoa_c_write_run(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    const char *ports = stoa_c_ports(code);
    const char *s = stoa_c_is_single(code) ? "" : "s";
    stoa_c_open(text, "int %s_run_in(float *arena, %s)", code->name, ports);
    if (code->separate) {
        stoa_c_open(text, "if (!%s_weights)", code->name);
        stoa_c_line(text, "return 1;");
        stoa_c_close(text);
    }
    if (code->arena_floats == 0) {
        stoa_c_line(text, "(void)arena;");
    }
    write_calls(code);
    write_copies(code);
    stoa_c_line(text, "return 0;");
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
    if (code->arena_floats > 0) {
        stoa_c_line(text, "static float %s_arena[%zu];\n", code->name, code->arena_floats);
    }
    stoa_c_open(text, "int %s_run(%s)", code->name, ports);
    stoa_c_line(text, "return %s_run_in(%s%s, input%s, output%s);", code->name,
                code->arena_floats > 0 ? code->name : "NULL", code->arena_floats > 0 ? "_arena" : "", s, s);
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}
