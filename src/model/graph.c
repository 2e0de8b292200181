/* SPDX-License-Identifier: MIT */
/* Building a model: a layer a call, shapes known at once, the first error kept. */
#include "model/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/size.h"

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
    }
    stoa_facts_free(model->facts, model->fact_count);
    stoa_facts_free(model->origin, model->origin_count);
    stoa_release(model->context, model->writable, model->parameter_floats * sizeof(float));
    stoa_release(model->context, model->statistics, model->statistic_floats * sizeof(float));
    free(model->nodes);
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

/* Calls after the first error do nothing; calls after build are an error of their own. */
static bool may_change(stoa_model *model) {
    if (model->built && model->error.status == STOA_OK) {
        (void)stoa_error_set(&model->error, STOA_ERR_ARGUMENT, "the model is built and cannot change");
    }
    return model->error.status == STOA_OK;
}

void stoa_model_input(stoa_model *model, size_t height, size_t width, size_t channels) {
    if (!may_change(model)) {
        return;
    }
    size_t size = height;
    if (height == 0 || width == 0 || channels == 0 || !stoa_size_scale(&size, width) ||
        !stoa_size_scale(&size, channels) || size > STOA_MAX_DIMENSION) {
        (void)stoa_error_set(&model->error, STOA_ERR_ARGUMENT,
                             "input: found %zux%zux%zu, expected sizes from 1 and at most %zu elements",
                             height, width, channels, STOA_MAX_DIMENSION);
        return;
    }
    if (model->node_count > 0) {
        (void)stoa_error_set(&model->error, STOA_ERR_ARGUMENT, "input: comes before the first layer");
        return;
    }
    model->input = height == 1 && width == 1
                       ? (struct stoa_shape){.rank = 1, .dim = {channels}, .is_pixel = true}
                       : (struct stoa_shape){.rank = 3, .dim = {height, width, channels}};
}

static bool name_is_valid(const char *name) {
    /* Not isalnum(): a locale may take letters that are not UTF-8, and names go into files. */
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t length = strlen(name);
    return length >= 1 && length <= 63 && strspn(name, allowed) == length && strcmp(name, "input") != 0;
}

/* Number of the value with this name (length given), or SIZE_MAX. */
static size_t find_value(const stoa_model *model, const char *name, size_t length) {
    if (length == 5 && memcmp(name, "input", 5) == 0) {
        return 0;
    }
    for (size_t i = 0; i < model->node_count; i++) {
        const char *other = model->nodes[i].layer.name;
        if (strlen(other) == length && memcmp(other, name, length) == 0) {
            return i + 1;
        }
    }
    return SIZE_MAX;
}

static const char *value_at(const void *from, size_t index) {
    const stoa_model *model = from;
    return index == 0 ? "input" : index > model->node_count ? NULL : model->nodes[index - 1].layer.name;
}

static stoa_status fail_input(stoa_model *model, const char *name, const char *from, size_t length) {
    const struct stoa_words names = {value_at, model};
    char word[65], near[STOA_NEAR_TEXT];
    (void)snprintf(word, sizeof word, "%.*s", (int)length, from);
    return stoa_error_set(&model->error, STOA_ERR_ARGUMENT,
                          "layer '%s': from: no layer '%s' stands before it%sone of those above", name, word,
                          stoa_near_text(word, &names, near));
}

/* The inputs that `from` names, or the value before. */
static stoa_status find_inputs(stoa_model *model, const char *name, const char *from, struct stoa_node *node,
                               size_t *count) {
    if (!from) {
        node->input[0] = model->node_count;
        *count = 1;
        return STOA_OK;
    }
    for (*count = 0;; from++) {
        size_t length = strcspn(from, ",");
        size_t value = find_value(model, from, length);
        if (value == SIZE_MAX) {
            return fail_input(model, name, from, stoa_min(length, 64));
        }
        if (*count == STOA_MAX_INPUTS) {
            return stoa_error_set(&model->error, STOA_ERR_ARGUMENT, "layer '%s': from: more than %d inputs",
                                  name, STOA_MAX_INPUTS);
        }
        node->input[(*count)++] = value;
        from += length;
        if (*from == '\0') {
            return STOA_OK;
        }
    }
}

static stoa_status make_node(stoa_model *model, const char *name, const char *line, struct stoa_node *node) {
    struct stoa_error *error = &model->error;
    if (model->input.rank == 0) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "layer '%.64s': the model has no input yet", name);
    }
    if (!name_is_valid(name)) {
        return stoa_error_set(
            error, STOA_ERR_ARGUMENT,
            "layer '%.64s': expected a name of 1 to 63 letters, digits, '_', '-' or '.', and not 'input'",
            name);
    }
    if (find_value(model, name, strlen(name)) != SIZE_MAX) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "layer '%s': the name is used twice", name);
    }
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "layer '%s': ", name);
    }
    size_t count;
    stoa_status status = find_inputs(model, name, stoa_spec_take(&spec, "from"), node, &count);
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_shape inputs[STOA_MAX_INPUTS];
    for (size_t i = 0; i < count; i++) {
        inputs[i] = *stoa_value_shape(model, node->input[i]);
    }
    status = stoa_layer_make(error, name, &spec, inputs, count, &node->layer);
    if (status == STOA_OK && node->layer.op->is_loss) {
        stoa_layer_clear(&node->layer);
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "layer '%s': '%s' is a loss, not a layer, expected loss = %s in [train]", name,
                              spec.name, spec.name);
    }
    return status;
}

void stoa_model_add(stoa_model *model, const char *name, const char *line) {
    if (!may_change(model)) {
        return;
    }
    if (model->node_count == STOA_MAX_LAYERS) {
        (void)stoa_error_set(&model->error, STOA_ERR_ARGUMENT, "layer '%.64s': more than %d layers", name,
                             STOA_MAX_LAYERS);
        return;
    }
    struct stoa_node *nodes = realloc(model->nodes, (model->node_count + 1) * sizeof *nodes);
    if (!nodes) {
        (void)stoa_error_set(&model->error, STOA_ERR_MEMORY, "layer '%.64s': out of memory", name);
        return;
    }
    model->nodes = nodes;
    struct stoa_node *node = &nodes[model->node_count];
    *node = (struct stoa_node){.input = {0}};
    if (make_node(model, name, line, node) != STOA_OK) {
        return;
    }
    const char *options = line + strspn(line, " \t\r\n");
    options += strcspn(options, " \t\r\n");
    options += strspn(options, " \t\r\n");
    node->options_text = strdup(options);
    if (!node->options_text) {
        stoa_layer_clear(&node->layer);
        (void)stoa_error_set(&model->error, STOA_ERR_MEMORY, "layer '%s': out of memory", name);
        return;
    }
    model->node_count++;
}

void stoa_model_input_shape(const stoa_model *model, size_t *height, size_t *width, size_t *channels) {
    bool image = model->input.rank == 3;
    *height = image ? model->input.dim[0] : 1;
    *width = image ? model->input.dim[1] : 1;
    *channels = image ? model->input.dim[2] : model->input.dim[0];
}

size_t stoa_model_input_size(const stoa_model *model) {
    return stoa_shape_size(&model->input);
}

size_t stoa_model_output_size(const stoa_model *model) {
    return stoa_shape_size(stoa_value_shape(model, model->node_count));
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
                              .flops = layer->op->flops ? layer->op->flops(layer)
                                                        : (double)stoa_shape_size(&layer->output)};
    memcpy(info->shape, layer->output.dim, sizeof info->shape);
    for (size_t i = 0; i < layer->tensors; i++) {
        info->parameters += layer->tensor[i].trainable ? stoa_tensor_count(&layer->tensor[i]) : 0;
    }
    return STOA_OK;
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
