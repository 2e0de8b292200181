/* SPDX-License-Identifier: MIT */
/* Layers for nodes: names, lines, shapes, and the moves between one shape and the next. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "core/names.h"
#include "model/graph.h"
#include "onnx/import.h"

/* Options, and the name of an input with what may stand around it. */
enum { LINE = 512, FROM = 160 };

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
    for (size_t i = 0; i <= import->model->node_count; i++) {
        if (strcmp(stoa_value_name(import->model, i), name) == 0) {
            return true;
        }
    }
    return false;
}

/* The node's own name, cut where it is very long, or with a number behind it where it is taken. */
static void choose_name(const struct stoa_onnx_import *import, const char *wanted, char name[64]) {
    (void)snprintf(name, 56, "%s", wanted);
    if (!stoa_name_is_valid(name)) { /* nothing, control characters, or cut within a letter */
        (void)snprintf(name, 64, "layer");
    }
    const size_t length = strlen(name);
    for (size_t i = 2; is_taken(import, name); i++) {
        (void)snprintf(name + length, 64 - length, "_%zu", i);
    }
}

/* Add the line, and say what it is called and what shape it has. */
static stoa_status add(struct stoa_onnx_import *import, const char *wanted, const char *line, char layer[64],
                       size_t *rank, size_t *shape) {
    const size_t word = strcspn(line, " ");
    char op[32];
    (void)snprintf(op, sizeof op, "%.*s", (int)word, line);
    if (!stoa_op_find(op)) {
        return stoa_onnx_refuse(import, "this engine has no operator '%s'", op);
    }
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

stoa_status stoa_onnx_insert(struct stoa_onnx_import *import, struct stoa_onnx_value *value, const char *op,
                             const char *options) {
    char layer[64], from[160], line[LINE + 256];
    size_t rank = 0, shape[STOA_MAX_RANK];
    (void)stoa_name_write(value->layer, from);
    (void)snprintf(line, sizeof line, "%s from=%s%s", op, from, options);
    stoa_status status = add(import, op, line, layer, &rank, shape);
    if (status == STOA_OK) {
        memcpy(value->layer, layer, sizeof layer);
        value->shape_rank = rank;
        memcpy(value->shape, shape, sizeof value->shape);
    }
    return status;
}

static stoa_status insert_view(struct stoa_onnx_import *import, struct stoa_onnx_value *value, size_t rank,
                               const size_t *shape) {
    char options[LINE];
    if (rank == 1) {
        (void)snprintf(options, sizeof options, " units=%zu", shape[0]);
    } else {
        (void)snprintf(options, sizeof options, " size=%zux%zu channels=%zu", shape[0], shape[1], shape[2]);
    }
    return stoa_onnx_insert(import, value, "view", options);
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
    return stoa_onnx_insert(import, value, "flatten", "");
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

/* " from=a,b" as it stands in a line; "" where a layer reads the one before. */
static void from_text(const struct stoa_onnx_import *import, struct stoa_onnx_value *const *inputs,
                      size_t count, char *out) {
    const size_t layers = stoa_model_layer_count(import->model);
    *out = '\0';
    if (count == 1 && strcmp(stoa_value_name(import->model, layers), inputs[0]->layer) == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        out += sprintf(out, "%s", i == 0 ? " from=" : ",");
        out += stoa_name_write(inputs[i]->layer, out);
    }
}

/* The whole line: operator, inputs, options; from malloc, NULL without memory. */
static char *whole_line(const struct stoa_onnx_import *import, struct stoa_onnx_value *const *inputs,
                        size_t count, const char *text) {
    const size_t word = strcspn(text, " ");
    char *line = malloc(strlen(text) + FROM * (count + 1));
    if (line) {
        memcpy(line, text, word);
        from_text(import, inputs, count, line + word);
        memcpy(line + strlen(line), text + word, strlen(text + word) + 1);
    }
    return line;
}

stoa_status stoa_onnx_layer(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *stem,
                            struct stoa_onnx_value *const *inputs, size_t count,
                            const struct stoa_onnx_layout *layout, const char *format, ...) {
    char text[LINE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *line = whole_line(import, inputs, count, text);
    if (!line) {
        return stoa_error_set(import->error, STOA_ERR_MEMORY, "no memory for a layer");
    }
    const size_t layers = stoa_model_layer_count(import->model);
    struct stoa_onnx_value *out = stoa_onnx_find(import, node->output[0]);
    stoa_status status =
        add(import, stem ? stem : stoa_onnx_node_name(node), line, out->layer, &out->shape_rank, out->shape);
    free(line);
    if (status != STOA_OK) {
        return status;
    }
    const size_t made = stoa_shape_size(&import->model->nodes[layers].layer.output);
    if (made != stoa_onnx_layout_count(layout)) {
        return stoa_onnx_refuse(import, "its layer '%s' gives %zu numbers a sample, ONNX's output has %zu",
                                text, made, stoa_onnx_layout_count(layout));
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
