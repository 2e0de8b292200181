/* SPDX-License-Identifier: MIT */
/* What a model takes and gives: named inputs and outputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "model/graph.h"

static void set_input(stoa_model *model, const char *name, size_t height, size_t width, size_t channels) {
    struct stoa_error *error = &model->error;
    struct stoa_shape shape;
    if (stoa_input_shape(error, height, width, channels, &shape) != STOA_OK) {
        (void)stoa_error_prefix(error, "input: ");
        return;
    }
    char *copy = name ? strdup(name) : NULL;
    if (name && !copy) {
        (void)stoa_error_set(error, STOA_ERR_MEMORY, "input '%.64s': out of memory", name);
        return;
    }
    free(model->input_name);
    model->input_name = copy;
    model->input = shape;
}

void stoa_model_input(stoa_model *model, size_t height, size_t width, size_t channels) {
    if (!stoa_model_may_change(model)) {
        return;
    }
    if (model->node_count > 0) {
        (void)stoa_error_set(&model->error, STOA_ERR_ARGUMENT, "input: comes before the first layer");
        return;
    }
    set_input(model, NULL, height, width, channels);
}

void stoa_model_add_input(stoa_model *model, const char *name, size_t height, size_t width, size_t channels) {
    if (!stoa_model_may_change(model)) {
        return;
    }
    if (model->input.rank > 0) {
        char line[128];
        (void)snprintf(line, sizeof line, "input size=%zux%zu channels=%zu", height, width, channels);
        stoa_model_add(model, name, line);
    } else if (stoa_name_is_valid(name)) {
        set_input(model, name, height, width, channels);
    } else {
        (void)stoa_error_set(&model->error, STOA_ERR_ARGUMENT,
                             "input '%.64s': expected a name of 1 to %d bytes of UTF-8 text without control "
                             "characters",
                             name, STOA_NAME_MAX);
    }
}

static stoa_status check_output(stoa_model *model, const char *name, const char *layer, size_t *value) {
    struct stoa_error *error = &model->error;
    *value = 1;
    while (*value <= model->node_count && strcmp(model->nodes[*value - 1].layer.name, layer) != 0) {
        ++*value;
    }
    if (*value > model->node_count || stoa_value_is_input(model, *value)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "output '%.64s': no layer '%.64s' stands before it, expected one that has been "
                              "added",
                              name, layer);
    }
    if (!stoa_name_is_valid(name)) {
        return stoa_error_set(
            error, STOA_ERR_ARGUMENT,
            "output '%.64s': expected a name of 1 to %d bytes of UTF-8 text without control "
            "characters",
            name, STOA_NAME_MAX);
    }
    for (size_t i = 0; i < model->output_count; i++) {
        if (strcmp(model->outputs[i].name, name) == 0) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "output '%.64s': the name is used twice", name);
        }
    }
    return STOA_OK;
}

void stoa_model_add_output(stoa_model *model, const char *name, const char *layer) {
    size_t value;
    name = name ? name : layer;
    if (!stoa_model_may_change(model) || check_output(model, name, layer, &value) != STOA_OK) {
        return;
    }
    struct stoa_output *outputs = realloc(model->outputs, (model->output_count + 1) * sizeof *outputs);
    char *copy = strdup(name);
    if (outputs) {
        model->outputs = outputs;
    }
    if (!outputs || !copy) {
        free(copy);
        (void)stoa_error_set(&model->error, STOA_ERR_MEMORY, "output '%.64s': out of memory", name);
        return;
    }
    struct stoa_output *output = &model->outputs[model->output_count++];
    output->name = copy;
    output->value = value;
}

bool stoa_value_is_read(const stoa_model *model, size_t value) {
    for (size_t i = 0; !stoa_value_is_input(model, value) && i < stoa_output_count(model); i++) {
        if (stoa_output_value(model, i) == value) {
            return true;
        }
    }
    for (size_t i = value; i < model->node_count; i++) {
        for (size_t k = 0; k < model->nodes[i].layer.inputs; k++) {
            if (model->nodes[i].input[k] == value) {
                return true;
            }
        }
    }
    return false;
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
    return stoa_shape_size(stoa_value_shape(model, stoa_output_value(model, 0)));
}

static void describe_port(const stoa_model *model, size_t value, const char *name, stoa_port_info *info) {
    const struct stoa_shape *shape = stoa_value_shape(model, value);
    *info = (stoa_port_info){.name = name,
                             .layer = value > 0 ? model->nodes[value - 1].layer.name : "",
                             .rank = shape->rank,
                             .size = stoa_shape_size(shape)};
    memcpy(info->shape, shape->dim, sizeof info->shape);
}

bool stoa_model_input_at(const stoa_model *model, size_t index, stoa_port_info *info) {
    for (size_t value = 0; model->input.rank > 0 && value <= model->node_count; value++) {
        if (stoa_value_is_input(model, value) && index-- == 0) {
            describe_port(model, value, stoa_value_name(model, value), info);
            return true;
        }
    }
    return false;
}

bool stoa_model_output_at(const stoa_model *model, size_t index, stoa_port_info *info) {
    if (index >= stoa_output_count(model)) {
        return false;
    }
    size_t value = stoa_output_value(model, index);
    describe_port(model, value,
                  model->output_count > 0 ? model->outputs[index].name : stoa_value_name(model, value), info);
    return true;
}
