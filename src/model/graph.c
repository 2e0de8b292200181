/* SPDX-License-Identifier: MIT */
/* Building a model: a layer a call, shapes known at once, the first error kept. */
#include "model/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/size.h"
#include "core/names.h"

stoa_context *stoa_model_context(const stoa_model *model) {
    return model->context;
}

stoa_status stoa_model_create(stoa_context *context, stoa_model **model) {
    stoa_model *made = calloc(1, sizeof *made);
    if (!made) {
        return stoa_fail(context, STOA_ERR_MEMORY, "model: out of memory");
    }
    made->context = context;
    *model = made;
    return STOA_OK;
}

void stoa_model_free(stoa_model *model) {
    if (!model) {
        return;
    }
    for (size_t i = 0; i < model->node_count; i++) {
        stoa_layer_clear(&model->nodes[i].layer);
        free(model->nodes[i].options_text);
        free(model->nodes[i].input);
    }
    for (size_t i = 0; i < model->output_count; i++) {
        free(model->outputs[i].name);
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        free(model->tensors[i].name);
    }
    stoa_facts_free(model->facts, model->fact_count);
    stoa_facts_free(model->origin, model->origin_count);
    stoa_release(model->context, model->writable, model->parameter_floats * sizeof(float));
    stoa_release(model->context, model->statistics, model->statistic_floats * sizeof(float));
    free(model->nodes);
    free(model->outputs);
    free(model->input_name);
    free(model->tensors);
    free(model->name);
    free(model);
}

const char *stoa_model_name(const stoa_model *model) {
    return model->name ? model->name : "the model";
}

stoa_status stoa_model_set_name(stoa_model *model, const char *name) {
    char *copy = strdup(name);
    if (!copy) {
        return stoa_fail(model->context, STOA_ERR_MEMORY, "no memory for the name of a model");
    }
    free(model->name);
    model->name = copy;
    return STOA_OK;
}

const struct stoa_shape *stoa_value_shape(const stoa_model *model, size_t value) {
    return value == 0 ? &model->input : &model->nodes[value - 1].layer.output;
}

const char *stoa_value_name(const stoa_model *model, size_t value) {
    return value > 0 ? model->nodes[value - 1].layer.name : model->input_name ? model->input_name : "input";
}

/* Calls after the first error do nothing; calls after build are an error of their own. */
bool stoa_model_may_change(stoa_model *model) {
    if (model->built && model->error.status == STOA_OK) {
        (void)stoa_error_set(&model->error, STOA_ERR_ARGUMENT, "the model is built and cannot change");
    }
    return model->error.status == STOA_OK;
}

size_t stoa_value_find(const stoa_model *model, const char *name, size_t length) {
    for (size_t value = 0; value <= model->node_count; value++) {
        if (stoa_name_is(name, length, stoa_value_name(model, value))) {
            return value;
        }
    }
    return SIZE_MAX;
}

static const char *value_at(const void *from, size_t index) {
    const stoa_model *model = from;
    return index > model->node_count ? NULL : stoa_value_name(model, index);
}

static stoa_status fail_input(stoa_model *model, const char *name, const char *from, size_t length) {
    const struct stoa_words names = {value_at, model};
    char word[65], near[STOA_NEAR_TEXT];
    (void)snprintf(word, sizeof word, "%.*s", (int)stoa_min(length, 64), from);
    return stoa_error_set(&model->error, STOA_ERR_ARGUMENT,
                          "layer '%.64s': from: no layer '%s' stands before it%sone of those above", name,
                          word, stoa_near_text(word, &names, near));
}

/* The inputs that `from` names, or the value before where the operator takes any. */
static stoa_status find_inputs(stoa_model *model, const char *name, const char *from,
                               const struct stoa_op *op, size_t input[STOA_MAX_INPUTS], size_t *count) {
    *count = 0;
    if (!from) {
        input[0] = model->node_count;
        *count = op->most_inputs > 0;
        return STOA_OK;
    }
    for (;; from++) {
        size_t length = stoa_name_length(from, ",");
        size_t value = stoa_value_find(model, from, length);
        if (value == SIZE_MAX) {
            return fail_input(model, name, from, length);
        }
        if (*count == STOA_MAX_INPUTS) {
            return stoa_error_set(&model->error, STOA_ERR_ARGUMENT,
                                  "layer '%.64s': from: more than %d inputs", name, STOA_MAX_INPUTS);
        }
        input[(*count)++] = value;
        from += length;
        if (*from == '\0') {
            return STOA_OK;
        }
    }
}

/* The layer of a line that has been taken apart. */
static stoa_status make_layer(stoa_model *model, const char *name, struct stoa_spec *spec,
                              struct stoa_node *node) {
    struct stoa_error *error = &model->error;
    struct stoa_shape inputs[STOA_MAX_INPUTS];
    size_t input[STOA_MAX_INPUTS];
    size_t count = 0;
    const char *from = stoa_spec_take(spec, "from");
    const struct stoa_op *op = stoa_op_find(spec->name); /* stoa_layer_make() says it where there is none */
    stoa_status status = op ? find_inputs(model, name, from, op, input, &count) : STOA_OK;
    if (status != STOA_OK) {
        return status;
    }
    node->input = calloc(count + 1, sizeof *node->input);
    if (!node->input) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "layer '%.64s': out of memory", name);
    }
    memcpy(node->input, input, count * sizeof *input);
    for (size_t i = 0; i < count; i++) {
        inputs[i] = *stoa_value_shape(model, node->input[i]);
    }
    status = stoa_layer_make(error, name, spec, inputs, count, &node->layer);
    if (status == STOA_OK && node->layer.op->is_loss) {
        stoa_layer_clear(&node->layer);
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "layer '%.64s': '%s' is a loss, not a layer, expected loss = %s in [train]",
                              name, spec->name, spec->name);
    }
    return status;
}

static stoa_status check_name(stoa_model *model, const char *name) {
    struct stoa_error *error = &model->error;
    if (model->input.rank == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "layer '%.64s': the model has no input yet", name);
    }
    if (!stoa_name_is_valid(name)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "layer '%.64s': expected a name of 1 to %d bytes of UTF-8 text without control "
                              "characters",
                              name, STOA_NAME_MAX);
    }
    for (size_t value = 0; value <= model->node_count; value++) {
        if (strcmp(stoa_value_name(model, value), name) == 0) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "layer '%.64s': the name is used twice%s", name,
                                  value == 0 ? ", it is the input's" : "");
        }
    }
    return STOA_OK;
}

/* A node from its line, which is written to. */
static stoa_status make_node(stoa_model *model, const char *name, char *line, struct stoa_node *node) {
    struct stoa_spec spec;
    stoa_status status = check_name(model, name);
    if (status != STOA_OK) {
        return status;
    }
    if (stoa_spec_take_apart(&model->error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(&model->error, "layer '%.64s': ", name);
    }
    return make_layer(model, name, &spec, node);
}

/* Room for one more node; NULL: too many, or no memory. */
static struct stoa_node *new_node(stoa_model *model, const char *name) {
    if (model->node_count == STOA_MAX_LAYERS) {
        (void)stoa_error_set(&model->error, STOA_ERR_ARGUMENT, "layer '%.64s': more than %d layers", name,
                             STOA_MAX_LAYERS);
        return NULL;
    }
    struct stoa_node *nodes = realloc(model->nodes, (model->node_count + 1) * sizeof *nodes);
    if (!nodes) {
        (void)stoa_error_set(&model->error, STOA_ERR_MEMORY, "layer '%.64s': out of memory", name);
        return NULL;
    }
    model->nodes = nodes;
    nodes[model->node_count] = (struct stoa_node){.line = 0};
    return &nodes[model->node_count];
}

void stoa_model_add(stoa_model *model, const char *name, const char *line) {
    struct stoa_node *node = stoa_model_may_change(model) ? new_node(model, name) : NULL;
    if (!node) {
        return;
    }
    const char *options = line + strspn(line, " \t\r\n");
    options += strcspn(options, " \t\r\n");
    options += strspn(options, " \t\r\n");
    char *text = strdup(line);
    node->options_text = strdup(options);
    stoa_status status = text && node->options_text ? make_node(model, name, text, node)
                                                    : stoa_error_set(&model->error, STOA_ERR_MEMORY,
                                                                     "layer '%.64s': out of memory", name);
    free(text);
    if (status != STOA_OK) {
        free(node->options_text);
        free(node->input);
        return;
    }
    model->node_count++;
}

size_t stoa_model_layer_count(const stoa_model *model) {
    return model->node_count;
}

stoa_status stoa_model_layer(const stoa_model *model, size_t index, stoa_layer_info *info) {
    if (index >= model->node_count) {
        return stoa_fail(model->context, STOA_ERR_ARGUMENT, "layer %zu: the model has %zu layers", index,
                         model->node_count);
    }
    const struct stoa_node *node = &model->nodes[index];
    const struct stoa_layer *layer = &node->layer;
    *info = (stoa_layer_info){.name = layer->name,
                              .op = layer->op->name,
                              .options = node->options_text,
                              .rank = layer->output.rank,
                              .inputs = layer->inputs,
                              .flops = layer->op->flops ? layer->op->flops(layer)
                                                        : (double)stoa_shape_size(&layer->output)};
    memcpy(info->shape, layer->output.dim, sizeof info->shape);
    for (size_t i = 0; i < layer->tensors; i++) {
        info->parameters += layer->tensor[i].trainable ? stoa_tensor_count(&layer->tensor[i]) : 0;
    }
    return STOA_OK;
}

const char *stoa_model_layer_input(const stoa_model *model, size_t index, size_t which) {
    return index < model->node_count && which < model->nodes[index].layer.inputs
               ? stoa_value_name(model, model->nodes[index].input[which])
               : NULL;
}

const char *stoa_operator_name(size_t index) {
    for (size_t i = 0; stoa_ops[i]; i++) {
        if (!stoa_ops[i]->is_loss && index-- == 0) {
            return stoa_ops[i]->name;
        }
    }
    return NULL;
}

stoa_status stoa_operator_help(const char *name, char *out, size_t size) {
    const struct stoa_op *op = stoa_op_find(name);
    if (!op) {
        return STOA_ERR_NOT_FOUND;
    }
    return stoa_options_describe(op->options, op->option_count, out, size) ? STOA_OK : STOA_ERR_ARGUMENT;
}

stoa_status stoa_model_learns_from(const stoa_model *model, struct stoa_error *error, const bool *frozen,
                                   size_t samples, const char *what) {
    for (size_t i = 0; i < model->node_count; i++) {
        const struct stoa_layer *layer = &model->nodes[i].layer;
        size_t least = layer->op->least_batch ? layer->op->least_batch(layer) : 1;
        if (samples < least && !(frozen && frozen[i])) {
            return stoa_error_set(
                error, STOA_ERR_ARGUMENT,
                "%s '%s': found %zu sample%s in %s, expected %zu or more to train with: one "
                "value a channel has no deviation",
                layer->op->name, layer->name, samples, samples == 1 ? "" : "s", what, least);
        }
    }
    return STOA_OK;
}
