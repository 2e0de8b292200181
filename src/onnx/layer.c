/* SPDX-License-Identifier: MIT */
/* Layers for nodes: names, lines, shapes, and the moves between one shape and the next. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "model/graph.h"
#include "onnx/import.h"

enum { LINE = 512 };

/* A refusal of the model's own is one of this node, and the next node may still be taken. */
static stoa_status take_error(struct stoa_onnx_import *import) {
    struct stoa_error *own = &import->model->error;
    const stoa_status status = own->status;
    if (status != STOA_OK) {
        *import->error = *own;
        *own = (struct stoa_error){STOA_OK, ""};
        import->error->status = status == STOA_ERR_MEMORY ? status : STOA_ERR_UNSUPPORTED;
        return import->error->status;
    }
    return STOA_OK;
}

static bool is_taken(const struct stoa_onnx_import *import, const char *name) {
    for (size_t i = 0; i < import->model->node_count; i++) {
        if (strcmp(import->model->nodes[i].layer.name, name) == 0) {
            return true;
        }
    }
    return strcmp(name, "input") == 0;
}

/* A name that a layer can have, as near to `wanted` as can be: "/layer1/Conv" is "layer1_Conv". */
static void choose_name(const struct stoa_onnx_import *import, const char *wanted, char name[64]) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    char base[56];
    size_t length = 0;
    for (const char *at = wanted + strspn(wanted, "/_:"); *at && length < sizeof base - 1; at++) {
        base[length++] = strchr(allowed, *at) ? *at : '_';
    }
    base[length] = '\0';
    const char *stem = length ? base : "layer";
    (void)snprintf(name, 64, "%s", stem);
    for (size_t i = 2; is_taken(import, name); i++) {
        (void)snprintf(name, 64, "%s_%zu", stem, i);
    }
}

/* Add the line, and say what it is called and what shape it has. */
static stoa_status add(struct stoa_onnx_import *import, const char *wanted, const char *line, char layer[64],
                       size_t *rank, size_t *shape) {
    choose_name(import, wanted, layer);
    stoa_model_add(import->model, layer, line);
    stoa_status status = take_error(import);
    if (status == STOA_OK) {
        stoa_layer_info info;
        status = stoa_model_layer(import->model, stoa_model_layer_count(import->model) - 1, &info);
        *rank = info.rank;
        memcpy(shape, info.shape, sizeof info.shape);
    }
    return status;
}

/* Insert a layer between a value and whoever reads it from now on. */
static stoa_status insert(struct stoa_onnx_import *import, struct stoa_onnx_value *value, const char *line) {
    char layer[64];
    size_t rank = 0, shape[STOA_MAX_RANK];
    char wanted[16];
    (void)snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(line, " "), line);
    stoa_status status = add(import, wanted, line, layer, &rank, shape);
    if (status == STOA_OK) {
        memcpy(value->layer, layer, sizeof layer);
        value->shape_rank = rank;
        memcpy(value->shape, shape, sizeof value->shape);
    }
    return status;
}

static stoa_status insert_view(struct stoa_onnx_import *import, struct stoa_onnx_value *value, size_t rank,
                               const size_t *shape) {
    char line[LINE];
    if (rank == 1) {
        (void)snprintf(line, sizeof line, "view from=%s units=%zu", value->layer, shape[0]);
    } else {
        (void)snprintf(line, sizeof line, "view from=%s size=%zux%zu channels=%zu", value->layer, shape[0],
                       shape[1], shape[2]);
    }
    return insert(import, value, line);
}

stoa_status stoa_onnx_view(struct stoa_onnx_import *import, struct stoa_onnx_value *value, size_t rank,
                           const size_t *shape) {
    const bool is_there = value->shape_rank == rank && memcmp(value->shape, shape, rank * sizeof *shape) == 0;
    return is_there ? STOA_OK : insert_view(import, value, rank, shape);
}

stoa_status stoa_onnx_copy(struct stoa_onnx_import *import, struct stoa_onnx_value *value) {
    size_t shape[STOA_MAX_RANK];
    memcpy(shape, value->shape, sizeof shape);
    return insert_view(import, value, value->shape_rank, shape);
}

stoa_status stoa_onnx_flatten(struct stoa_onnx_import *import, struct stoa_onnx_value *value) {
    char line[LINE];
    (void)snprintf(line, sizeof line, "flatten from=%s", value->layer);
    return insert(import, value, line);
}

stoa_status stoa_onnx_bring(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                            const size_t *order) {
    size_t size[STOA_ONNX_ATOMS], next[STOA_ONNX_ATOMS], shape[3] = {1, 1, 1}, axis[3] = {0, 1, 2};
    char line[LINE];
    if (stoa_onnx_layout_is(&value->layout, order)) {
        return STOA_OK;
    }
    const size_t blocks = stoa_onnx_layout_moves(&value->layout, order, size, next);
    if (blocks > 3) {
        return stoa_onnx_refuse(import, "needs %zu axes in another order, expected at most 3", blocks);
    }
    for (size_t i = 0; i < blocks; i++) {
        shape[3 - blocks + i] = size[i];
        axis[3 - blocks + i] = 3 - blocks + next[i];
    }
    stoa_status status = stoa_onnx_view(import, value, 3, shape);
    if (status == STOA_OK) {
        (void)snprintf(line, sizeof line, "transpose from=%s order=%zu,%zu,%zu", value->layer, axis[0],
                       axis[1], axis[2]);
        status = insert(import, value, line);
    }
    if (status == STOA_OK) {
        size_t dim[STOA_ONNX_AXES];
        memcpy(dim, value->layout.dim, sizeof dim);
        stoa_onnx_layout_make(&value->layout, value->layout.rank, dim, order);
    }
    return status;
}

stoa_status stoa_onnx_channels(struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                               size_t *axis, size_t *spatial) {
    *axis = 1 - import->lead;
    if (value->layout.rank < *axis + 1 || (*axis == 1 && value->layout.dim[0] != 1)) {
        return stoa_onnx_refuse(import, "found a sample of rank %zu, expected channels", value->layout.rank);
    }
    *spatial = value->layout.rank - *axis - 1;
    return STOA_OK;
}

stoa_status stoa_onnx_image(struct stoa_onnx_import *import, struct stoa_onnx_value *value) {
    size_t channels = 0, spatial = 0, order[STOA_ONNX_AXES], shape[3] = {1, 1, 1};
    stoa_status status = stoa_onnx_channels(import, value, &channels, &spatial);
    for (size_t i = 0; i < channels; i++) {
        order[i] = i;
    }
    for (size_t i = 0; i < spatial && status == STOA_OK; i++) {
        const size_t dim = value->layout.dim[channels + 1 + i];
        order[channels + i] = channels + 1 + i;
        shape[i + 1 < spatial ? 0 : 1] *= dim;
    }
    order[value->layout.rank - 1] = channels;
    shape[2] = value->layout.dim[channels];
    if (status == STOA_OK) {
        status = stoa_onnx_bring(import, value, order);
    }
    return status == STOA_OK ? stoa_onnx_view(import, value, 3, shape) : status;
}

stoa_status stoa_onnx_rows(struct stoa_onnx_import *import, struct stoa_onnx_value *value, size_t count,
                           const size_t *axes) {
    size_t held[STOA_ONNX_AXES], order[STOA_ONNX_AXES], columns = 1, at = 0;
    const size_t rank = value->layout.rank;
    bool inner[STOA_ONNX_AXES] = {false};
    for (size_t i = 0; i < count; i++) {
        inner[axes[i]] = true;
        columns *= value->layout.dim[axes[i]];
    }
    /* The others stay as they lie, so that images need no move for rows of channels. */
    if (!stoa_onnx_layout_order(&value->layout, held)) {
        for (size_t i = 0; i < rank; i++) {
            held[i] = i;
        }
    }
    for (size_t i = 0; i < rank; i++) {
        if (!inner[held[i]]) {
            order[at++] = held[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        order[at++] = axes[i];
    }
    stoa_status status = stoa_onnx_bring(import, value, order);
    if (status != STOA_OK || value->shape[value->shape_rank - 1] == columns) {
        return status;
    }
    const size_t rows = stoa_onnx_layout_count(&value->layout) / columns;
    return rows == 1 ? stoa_onnx_view(import, value, 1, &columns)
                     : stoa_onnx_view(import, value, 3, (size_t[]){1, rows, columns});
}

stoa_status stoa_onnx_layer(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *stem,
                            struct stoa_onnx_value *const *inputs, size_t count,
                            const struct stoa_onnx_layout *layout, const char *format, ...) {
    char text[LINE], line[LINE], from[LINE] = "";
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const size_t word = strcspn(text, " "), layers = stoa_model_layer_count(import->model);
    size_t length = 0;
    for (size_t i = 0; i < count && length < sizeof from; i++) {
        length += (size_t)snprintf(from + length, sizeof from - length, "%s%s", i == 0 ? " from=" : ",",
                                   inputs[i]->layer);
    }
    /* The layer before is what a layer reads where it says nothing. */
    if (count == 1 &&
        strcmp(layers == 0 ? "input" : import->model->nodes[layers - 1].layer.name, inputs[0]->layer) == 0) {
        from[0] = '\0';
    }
    if ((size_t)snprintf(line, sizeof line, "%.*s%s%s", (int)word, text, from, text + word) >= sizeof line) {
        return stoa_onnx_refuse(import, "its layer would be a line of more than %d bytes", LINE - 1);
    }
    struct stoa_onnx_value *out = stoa_onnx_find(import, node->output[0]);
    stoa_status status =
        add(import, stem ? stem : stoa_onnx_node_name(node), line, out->layer, &out->shape_rank, out->shape);
    if (status != STOA_OK) {
        return status;
    }
    if (stoa_shape_size(&import->model->nodes[layers].layer.output) != stoa_onnx_layout_count(layout)) {
        return stoa_onnx_refuse(import, "its layer '%s' has %zu numbers a sample, ONNX's output %zu", line,
                                stoa_shape_size(&import->model->nodes[layers].layer.output),
                                stoa_onnx_layout_count(layout));
    }
    out->layout = *layout;
    out->state = STOA_ONNX_ACTIVATION;
    return STOA_OK;
}

stoa_status stoa_onnx_map(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *format,
                          ...) {
    struct stoa_onnx_value *value;
    char text[LINE];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return status == STOA_OK ? stoa_onnx_layer(import, node, NULL, &value, 1, &value->layout, "%s", text)
                             : status;
}

stoa_status stoa_onnx_alias(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index,
                            const struct stoa_onnx_value *value, const struct stoa_onnx_layout *layout) {
    struct stoa_onnx_value *out = stoa_onnx_find(import, node->output[index]);
    const struct stoa_onnx_layout copy = *layout;
    out->state = STOA_ONNX_ACTIVATION;
    out->layout = copy;
    out->shape_rank = value->shape_rank;
    memcpy(out->layer, value->layer, sizeof out->layer);
    memcpy(out->shape, value->shape, sizeof out->shape);
    return STOA_OK;
}

stoa_status stoa_onnx_give(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                           struct stoa_onnx_tensor *tensor) {
    struct stoa_onnx_value *out = stoa_onnx_find(import, node->output[0]);
    out->state = STOA_ONNX_CONSTANT;
    out->constant = *tensor;
    return STOA_OK;
}

stoa_status stoa_onnx_weights_set(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                  const char *suffix, float *values, size_t count) {
    const struct stoa_onnx_value *out = stoa_onnx_find(import, node->output[0]);
    struct stoa_onnx_weights *grown =
        values ? realloc(import->weights, (import->weight_count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(values);
        return stoa_error_set(import->error, STOA_ERR_MEMORY, "no memory for %zu weights", count);
    }
    import->weights = grown;
    struct stoa_onnx_weights *weights = &grown[import->weight_count++];
    weights->values = values;
    weights->count = count;
    (void)snprintf(weights->name, sizeof weights->name, "%s.%s", out->layer, suffix);
    return STOA_OK;
}

float *stoa_onnx_floats(const struct stoa_onnx_tensor *tensor) {
    float *values = malloc((tensor->count + 1) * sizeof *values);
    for (size_t i = 0; i < tensor->count && values; i++) {
        values[i] = tensor->f ? tensor->f[i] : (float)stoa_onnx_at(tensor, i);
    }
    return values;
}
