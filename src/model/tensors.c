/* SPDX-License-Identifier: MIT */
/* The tensors of a model: two flat arrays, names, disk order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "model/graph.h"

static size_t count_tensors(const stoa_model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        count += model->nodes[i].layer.tensors;
    }
    return count;
}

/* "c1.weight" for every tensor; false without memory. */
static bool name_tensors(stoa_model *model) {
    size_t at = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        const struct stoa_layer *layer = &model->nodes[i].layer;
        for (size_t t = 0; t < layer->tensors; t++, at++) {
            size_t size = strlen(layer->name) + strlen(layer->tensor[t].suffix) + sizeof ".";
            char *name = malloc(size);
            if (!name) {
                return false;
            }
            (void)snprintf(name, size, "%s.%s", layer->name, layer->tensor[t].suffix);
            model->tensors[at].name = name;
        }
    }
    return true;
}

/* Give every tensor its place. */
static bool place_tensors(stoa_model *model) {
    size_t at = 0;
    for (size_t i = 0; i < model->node_count; i++) {
        struct stoa_node *node = &model->nodes[i];
        for (size_t t = 0; t < node->layer.tensors; t++, at++) {
            struct stoa_tensor *tensor = &model->tensors[at];
            tensor->spec = node->layer.tensor[t];
            tensor->count = stoa_tensor_count(&tensor->spec);
            size_t *floats = tensor->spec.trainable ? &model->parameter_floats : &model->statistic_floats;
            tensor->offset = *floats;
            if (!stoa_size_add(*floats, stoa_round_up(tensor->count, STOA_ALIGN_FLOATS), floats)) {
                return false;
            }
            node->tensor[t] = at;
        }
    }
    size_t bytes;
    return stoa_size_mul(model->parameter_floats, sizeof(float), &bytes) &&
           stoa_size_mul(model->statistic_floats, sizeof(float), &bytes);
}

static void set_neutral(const struct stoa_tensor *tensor, float *data) {
    enum stoa_init init = tensor->spec.init;
    float value = init == STOA_INIT_CONSTANT ? tensor->spec.init_scale : init == STOA_INIT_ONE ? 1.0F : 0.0F;
    for (size_t i = 0; i < tensor->count; i++) {
        data[i] = value;
    }
}

static stoa_status allocate_tensors(stoa_model *model) {
    stoa_context *context = model->context;
    model->tensor_count = count_tensors(model);
    model->tensors = calloc(stoa_max(1, model->tensor_count), sizeof *model->tensors);
    if (!model->tensors) {
        model->tensor_count = 0;
        return stoa_fail(context, STOA_ERR_MEMORY, "model: out of memory");
    }
    if (!name_tensors(model)) {
        return stoa_fail(context, STOA_ERR_MEMORY, "model: out of memory");
    }
    if (!place_tensors(model)) {
        return stoa_fail(context, STOA_ERR_SHAPE, "model: the size of its parameters overflows");
    }
    model->writable = stoa_allocate(context, model->parameter_floats * sizeof(float), "model parameters");
    model->parameters = model->writable;
    model->statistics = stoa_allocate(context, model->statistic_floats * sizeof(float), "model statistics");
    return model->parameters && model->statistics ? STOA_OK : STOA_ERR_MEMORY;
}

size_t stoa_model_unread_layer(const stoa_model *model) {
    size_t i = 0;
    while (i < model->node_count && stoa_value_is_read(model, i + 1)) {
        i++;
    }
    return i;
}

stoa_status stoa_model_check_read(const stoa_model *model, struct stoa_error *error) {
    if (model->node_count > 0 && !stoa_value_is_read(model, 0)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "input '%.64s': no layer reads it",
                              stoa_value_name(model, 0));
    }
    return STOA_OK;
}

static void check_graph(stoa_model *model) {
    struct stoa_error *error = &model->error;
    size_t unread = stoa_model_unread_layer(model);
    if (model->node_count == 0) {
        (void)stoa_error_set(error, STOA_ERR_ARGUMENT, "the model has no layers");
    } else if (unread < model->node_count) {
        bool input = stoa_value_is_input(model, unread + 1);
        (void)stoa_error_set(error, STOA_ERR_ARGUMENT,
                             input ? "input '%.64s': no layer reads it"
                                   : "layer '%.64s': no later layer reads its output",
                             model->nodes[unread].layer.name);
    } else {
        (void)stoa_model_check_read(model, error);
    }
}

stoa_status stoa_model_build(stoa_model *model) {
    stoa_context *context = model->context;
    if (model->error.status == STOA_OK && !model->built) {
        check_graph(model);
    }
    if (model->error.status != STOA_OK || model->built) {
        context->error = model->error;
        return model->error.status;
    }
    stoa_status status = allocate_tensors(model);
    if (status != STOA_OK) {
        /* Sticks: the model is only good for stoa_model_free() now. */
        model->error = context->error;
        return status;
    }
    memset(stoa_model_change(model), 0, model->parameter_floats * sizeof(float));
    memset(model->statistics, 0, model->statistic_floats * sizeof(float));
    for (size_t i = 0; i < model->tensor_count; i++) {
        set_neutral(&model->tensors[i], stoa_tensor_change(model, i));
    }
    model->built = true;
    return STOA_OK;
}

size_t stoa_tensor_node(const stoa_model *model, size_t tensor) {
    size_t node = 0;
    for (size_t passed = model->nodes[0].layer.tensors; passed <= tensor; node++) {
        passed += model->nodes[node + 1].layer.tensors;
    }
    return node;
}

float *stoa_tensor_lend(const stoa_model *model, size_t tensor) {
    const struct stoa_tensor *t = &model->tensors[tensor];
    return (t->spec.trainable ? model->writable : model->statistics) + t->offset;
}

const float *stoa_tensor_data(const stoa_model *model, size_t tensor) {
    return stoa_tensor_lend(model, tensor);
}

float *stoa_model_change(stoa_model *model) {
    model->version++;
    return model->writable;
}

float *stoa_tensor_change(stoa_model *model, size_t tensor) {
    (void)stoa_model_change(model);
    return stoa_tensor_lend(model, tensor);
}

size_t stoa_model_parameter_count(const stoa_model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->tensor_count; i++) {
        count += model->tensors[i].spec.trainable ? model->tensors[i].count : 0;
    }
    return count;
}

size_t stoa_model_tensor_count(const stoa_model *model) {
    return model->tensor_count;
}

stoa_status stoa_model_tensor(const stoa_model *model, size_t index, stoa_tensor_info *info) {
    if (index >= model->tensor_count) {
        return stoa_fail(model->context, STOA_ERR_ARGUMENT, "tensor %zu: the model has %zu tensors", index,
                         model->tensor_count);
    }
    const struct stoa_tensor *tensor = &model->tensors[index];
    *info = (stoa_tensor_info){.name = tensor->name,
                               .rank = tensor->spec.rank,
                               .count = tensor->count,
                               .trainable = tensor->spec.trainable};
    memcpy(info->shape, tensor->spec.shape, sizeof info->shape);
    return STOA_OK;
}

size_t stoa_model_find_tensor(const stoa_model *model, const char *name) {
    size_t i = 0;
    while (i < model->tensor_count && strcmp(model->tensors[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* Memory index of the next element in disk order: an odometer over the walk. */
static size_t step_walk(const struct stoa_tensor_spec *spec, size_t position[STOA_MAX_RANK], size_t at) {
    for (size_t d = spec->walk_rank; d-- > 0;) {
        at += spec->memory_stride[d];
        if (++position[d] < spec->disk_dim[d]) {
            break;
        }
        at -= spec->memory_stride[d] * spec->disk_dim[d];
        position[d] = 0;
    }
    return at;
}

void stoa_tensor_to_disk(const struct stoa_tensor_spec *spec, const float *memory, float *disk) {
    size_t position[STOA_MAX_RANK] = {0};
    size_t count = stoa_tensor_count(spec);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        disk[i] = memory[at];
        at = step_walk(spec, position, at);
    }
}

void stoa_tensor_from_disk(const struct stoa_tensor_spec *spec, const float *disk, float *memory) {
    size_t position[STOA_MAX_RANK] = {0};
    size_t count = stoa_tensor_count(spec);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memory[at] = disk[i];
        at = step_walk(spec, position, at);
    }
}

static stoa_status check_count(const stoa_model *model, size_t index, size_t count) {
    if (index >= model->tensor_count) {
        return stoa_fail(model->context, STOA_ERR_ARGUMENT, "tensor %zu: the model has %zu tensors", index,
                         model->tensor_count);
    }
    if (count != model->tensors[index].count) {
        return stoa_fail(model->context, STOA_ERR_ARGUMENT,
                         "tensor '%s': found room for %zu values, expected %zu", model->tensors[index].name,
                         count, model->tensors[index].count);
    }
    return STOA_OK;
}

stoa_status stoa_model_get_tensor(const stoa_model *model, size_t index, float *values, size_t count) {
    stoa_status status = check_count(model, index, count);
    if (status == STOA_OK) {
        stoa_tensor_to_disk(&model->tensors[index].spec, stoa_tensor_data(model, index), values);
    }
    return status;
}

stoa_status stoa_model_set_tensor(stoa_model *model, size_t index, const float *values, size_t count) {
    stoa_status status = check_count(model, index, count);
    if (status == STOA_OK) {
        stoa_tensor_from_disk(&model->tensors[index].spec, values, stoa_tensor_change(model, index));
    }
    return status;
}
