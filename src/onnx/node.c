/* SPDX-License-Identifier: MIT */
/* What a node says: its inputs, attributes and axes. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "onnx/import.h"

#define NAME "%.80s"

stoa_status stoa_onnx_refuse(struct stoa_onnx_import *import, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    stoa_status status = stoa_error_vset(import->error, STOA_ERR_UNSUPPORTED, format, arguments);
    va_end(arguments);
    return status;
}

StoaOnnx__Node stoa_onnx_node_for(const StoaOnnx__Node *node, size_t index) {
    StoaOnnx__Node made = *node;
    made.n_output = 1;
    made.output = node->output + index;
    return made;
}

struct stoa_onnx_value *stoa_onnx_input(const struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                        size_t index) {
    return index < node->n_input && *node->input[index] ? stoa_onnx_find(import, node->input[index]) : NULL;
}

stoa_status stoa_onnx_activation(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index,
                                 struct stoa_onnx_value **value) {
    *value = stoa_onnx_input(import, node, index);
    if (!*value) {
        return stoa_onnx_refuse(import, "input %zu is missing", index);
    }
    return (*value)->state == STOA_ONNX_ACTIVATION
               ? STOA_OK
               : stoa_onnx_refuse(import,
                                  "its input '" NAME "' is a constant, expected what the network computes",
                                  (*value)->name);
}

stoa_status stoa_onnx_constant(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index,
                               const struct stoa_onnx_tensor **tensor) {
    struct stoa_onnx_value *value = stoa_onnx_input(import, node, index);
    *tensor = NULL;
    if (!value) {
        return STOA_OK;
    }
    if (value->state != STOA_ONNX_CONSTANT) {
        return stoa_onnx_refuse(
            import, "its input '" NAME "' is computed by the network, expected a constant", value->name);
    }
    if (value->message) {
        stoa_status status = stoa_onnx_tensor_read(&import->source, value->message, &value->constant);
        if (status != STOA_OK) {
            return status;
        }
        value->message = NULL;
    }
    *tensor = &value->constant;
    return STOA_OK;
}

const StoaOnnx__Attribute *stoa_onnx_attribute(const StoaOnnx__Node *node, const char *name) {
    for (size_t i = 0; i < node->n_attribute; i++) {
        if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0) {
            return node->attribute[i];
        }
    }
    return NULL;
}

int64_t stoa_onnx_int(const StoaOnnx__Node *node, const char *name, int64_t fallback) {
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, name);
    return attribute && attribute->has_i ? attribute->i : attribute ? 0 : fallback;
}

float stoa_onnx_float(const StoaOnnx__Node *node, const char *name, float fallback) {
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, name);
    return attribute && attribute->has_f ? attribute->f : attribute ? 0 : fallback;
}

bool stoa_onnx_says(const StoaOnnx__Node *node, const char *name, const char *text) {
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, name);
    return attribute && attribute->s.len == strlen(text) &&
           memcmp(attribute->s.data, text, attribute->s.len) == 0;
}

stoa_status stoa_onnx_sizes(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *name,
                            size_t fallback, size_t count, size_t *sizes) {
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, name);
    if (attribute && attribute->n_ints > 0 && attribute->n_ints != count) {
        return stoa_onnx_refuse(import, "%s: found %zu numbers, expected %zu", name, attribute->n_ints,
                                count);
    }
    for (size_t i = 0; i < count; i++) {
        const int64_t size = attribute && attribute->n_ints > 0 ? attribute->ints[i] : (int64_t)fallback;
        if (size < 0 || size > UINT16_MAX) {
            return stoa_onnx_refuse(import, "%s: found %lld, expected 0 to %d", name, (long long)size,
                                    UINT16_MAX);
        }
        sizes[i] = (size_t)size;
    }
    return STOA_OK;
}

stoa_status stoa_onnx_axis(struct stoa_onnx_import *import, int64_t axis, size_t rank, size_t *out) {
    const int64_t found = axis < 0 ? axis + (int64_t)rank : axis;
    if (found < 0 || found >= (int64_t)rank) {
        return stoa_onnx_refuse(import, "found axis %lld, its input has %zu", (long long)axis, rank);
    }
    *out = (size_t)found;
    return STOA_OK;
}

stoa_status stoa_onnx_sample_axis(struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                                  int64_t axis, size_t *out) {
    size_t found = 0;
    stoa_status status = stoa_onnx_axis(import, axis, value->layout.rank + import->lead, &found);
    if (status == STOA_OK && found < import->lead) {
        return stoa_onnx_refuse(import, "works along axis 0, the batch");
    }
    *out = found - import->lead;
    return status;
}

const StoaOnnx__Node *stoa_onnx_only_reader(const struct stoa_onnx_import *import,
                                            const StoaOnnx__Node *node) {
    const struct stoa_onnx_value *value = stoa_onnx_find(import, node->output[0]);
    if (!value || value->readers != 1) {
        return NULL;
    }
    for (size_t i = value->maker + 1; i < import->graph->n_node; i++) {
        const StoaOnnx__Node *reader = import->graph->node[i];
        for (size_t k = 0; k < reader->n_input && import->needed[i]; k++) {
            if (strcmp(reader->input[k], node->output[0]) == 0) {
                return reader;
            }
        }
    }
    return NULL;
}

const char *stoa_onnx_stem(const struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index,
                           char stem[64]) {
    static const char ending[] = ".weight";
    const struct stoa_onnx_value *value = stoa_onnx_input(import, node, index);
    const size_t length = value ? strlen(value->name) : 0, tail = sizeof ending - 1;
    if (length <= tail || length - tail >= 64 || strcmp(value->name + length - tail, ending) != 0) {
        return NULL;
    }
    memcpy(stem, value->name, length - tail);
    stem[length - tail] = '\0';
    return stem;
}
