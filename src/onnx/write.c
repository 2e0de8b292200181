/* SPDX-License-Identifier: MIT */
/* Names, nodes and numbers of a graph that is being written. */
#include "onnx/write.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/size.h"

/* Types of ONNX's tensors and attributes, by their public numbers. */
enum { TENSOR_FLOAT = 1, TENSOR_INT64 = 7 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_STRING = 3, TYPE_INTS = 7 };
enum { MOST_ATTRIBUTES = 8 };

/* ---- memory ---- */

struct stoa_onnx_block {
    struct stoa_onnx_block *next;
    max_align_t data[];
};

void *stoa_onnx_take(struct stoa_onnx_export *export, size_t bytes) {
    size_t all;
    struct stoa_onnx_block *block =
        stoa_size_add(sizeof *block, bytes, &all) && !export->failed ? calloc(1, all) : NULL;
    if (!block) {
        export->failed = true;
        return NULL;
    }
    block->next = export->blocks;
    export->blocks = block;
    return block->data;
}

void stoa_onnx_give_all(struct stoa_onnx_export *export) {
    while (export->blocks) {
        struct stoa_onnx_block *next = export->blocks->next;
        free(export->blocks);
        export->blocks = next;
    }
}

char *stoa_onnx_print(struct stoa_onnx_export *export, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : stoa_onnx_take(export, (size_t)length + 1);
    if (text) {
        va_start(arguments, format);
        (void)vsnprintf(text, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}

/* A list that grows by doubling: its old memory stays until all is released. */
static void *longer(struct stoa_onnx_export *export, void *list, size_t count, size_t *room, size_t bytes) {
    size_t all;
    if (count < *room) {
        return list;
    }
    const size_t more = *room ? 2 * *room : 64;
    void *copy = stoa_size_mul(more, bytes, &all) ? stoa_onnx_take(export, all) : NULL;
    if (copy && count > 0) {
        memcpy(copy, list, count * bytes);
    }
    *room = copy ? more : *room;
    return copy;
}

/* ---- names ---- */

/* Where a name stands in the table, or would stand: FNV-1a, and on to the next free place. */
static size_t place_of(const struct stoa_onnx_export *export, const char *name) {
    uint64_t hash = 14695981039346656037U;
    for (const char *c = name; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * 1099511628211U;
    }
    size_t place = (size_t)hash & (export->taken_room - 1);
    while (export->taken[place] && strcmp(export->taken[place], name) != 0) {
        place = (place + 1) & (export->taken_room - 1);
    }
    return place;
}

/* Half of the table stays free. */
static bool make_room(struct stoa_onnx_export *export) {
    if (2 * (export->taken_count + 1) <= export->taken_room) {
        return true;
    }
    const char **old = export->taken;
    const size_t count = export->taken_room, room = count ? 2 * count : 256;
    const char **table = stoa_onnx_take(export, room * sizeof(void *));
    if (!table) {
        return false;
    }
    export->taken = table;
    export->taken_room = room;
    for (size_t i = 0; i < count; i++) {
        if (old[i]) {
            table[place_of(export, old[i])] = old[i];
        }
    }
    return true;
}

const char *stoa_onnx_unique(struct stoa_onnx_export *export, const char *name) {
    const char *free_name = stoa_onnx_print(export, "%s", name ? name : "");
    if (!make_room(export) || !free_name) {
        return NULL;
    }
    size_t place = place_of(export, free_name);
    for (size_t number = 1; free_name && export->taken[place]; number++) {
        free_name = stoa_onnx_print(export, "%s_%zu", name, number);
        place = free_name ? place_of(export, free_name) : place;
    }
    if (free_name) {
        export->taken[place] = free_name;
        export->taken_count++;
    }
    return free_name;
}

const char *stoa_onnx_within(struct stoa_onnx_export *export, const char *what) {
    const char *name = stoa_onnx_print(export, "%s/%s", export->at ? export->at->layer.name : "input", what);
    return name ? stoa_onnx_unique(export, name) : NULL;
}

/* ---- numbers ---- */

/* An initializer with room for `count` numbers of `bytes` bytes each, or NULL. */
static void *put_numbers(struct stoa_onnx_export *export, const char *name, int32_t type, size_t rank,
                         const size_t *shape, size_t bytes) {
    StoaOnnx__Graph *graph = &export->graph;
    StoaOnnx__Tensor **list =
        longer(export, graph->initializer, graph->n_initializer, &export->initializer_room, sizeof(void *));
    StoaOnnx__Tensor *tensor = stoa_onnx_take(export, sizeof *tensor);
    int64_t *dims = stoa_onnx_take(export, (rank + 1) * sizeof *dims);
    size_t all = bytes;
    bool fits = true;
    for (size_t i = 0; i < rank; i++) {
        fits = fits && stoa_size_scale(&all, shape[i]);
    }
    void *data = fits ? stoa_onnx_take(export, all + 1) : NULL;
    if (!list || !tensor || !dims || !data || !name) {
        export->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < rank; i++) {
        dims[i] = (int64_t)shape[i];
    }
    stoa_onnx__tensor__init(tensor);
    tensor->name = stoa_onnx_lend(name);
    tensor->has_data_type = 1;
    tensor->data_type = type;
    tensor->n_dims = rank;
    tensor->dims = dims;
    tensor->has_raw_data = 1;
    tensor->raw_data = (ProtobufCBinaryData){.len = all, .data = data};
    graph->initializer = list;
    list[graph->n_initializer++] = tensor;
    export->bytes += all;
    return data;
}

const char *stoa_onnx_put_floats(struct stoa_onnx_export *export, const char *name, size_t rank,
                                 const size_t *shape, const float *values) {
    float *data = put_numbers(export, name, TENSOR_FLOAT, rank, shape, sizeof *data);
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        count *= shape[i];
    }
    if (data) {
        memcpy(data, values, count * sizeof *data);
        stoa_swap_le_floats(data, count);
    }
    return name;
}

const char *stoa_onnx_put_integers(struct stoa_onnx_export *export, const char *name, size_t count,
                                   const int64_t *values) {
    uint8_t *data = put_numbers(export, name, TENSOR_INT64, 1, &count, sizeof *values);
    for (size_t i = 0; data && i < count; i++) {
        stoa_store_le64(data + i * sizeof *values, (uint64_t)values[i]);
    }
    return name;
}

const char *stoa_onnx_put_tensor(struct stoa_onnx_export *export, size_t tensor, size_t rank,
                                 const size_t *shape) {
    const size_t number = export->at->tensor[tensor];
    const struct stoa_tensor *own = &export->model->tensors[number];
    const char *name = stoa_onnx_unique(export, own->name);
    float *data = put_numbers(export, name, TENSOR_FLOAT, shape ? rank : own->spec.rank,
                              shape ? shape : own->spec.shape, sizeof *data);
    if (data) {
        stoa_tensor_to_disk(&own->spec, stoa_tensor_data(export->model, number), data);
        stoa_swap_le_floats(data, own->count);
    }
    return name;
}

/* ---- nodes ---- */

StoaOnnx__Node *stoa_onnx_put_node(struct stoa_onnx_export *export, const char *op, const char *output,
                                   const char *const *inputs) {
    StoaOnnx__Graph *graph = &export->graph;
    size_t count = 0;
    while (inputs[count]) {
        count++;
    }
    StoaOnnx__Node **list = longer(export, graph->node, graph->n_node, &export->node_room, sizeof(void *));
    StoaOnnx__Node *node = stoa_onnx_take(export, sizeof *node);
    char **input = stoa_onnx_take(export, (count + 1) * sizeof(void *));
    char **out = stoa_onnx_take(export, sizeof(void *));
    StoaOnnx__Attribute **attributes = stoa_onnx_take(export, MOST_ATTRIBUTES * sizeof(void *));
    if (!list || !node || !input || !out || !attributes) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        input[i] = stoa_onnx_lend(inputs[i]);
    }
    *out = stoa_onnx_lend(output ? output : export->out);
    stoa_onnx__node__init(node);
    node->op_type = stoa_onnx_lend(op);
    node->name = *out;
    node->n_input = count;
    node->input = input;
    node->n_output = 1;
    node->output = out;
    node->attribute = attributes;
    graph->node = list;
    list[graph->n_node++] = node;
    return node;
}

static StoaOnnx__Attribute *put_attribute(struct stoa_onnx_export *export, StoaOnnx__Node *node,
                                          const char *name, int32_t type) {
    StoaOnnx__Attribute *attribute =
        node && node->n_attribute < MOST_ATTRIBUTES ? stoa_onnx_take(export, sizeof *attribute) : NULL;
    if (attribute) {
        stoa_onnx__attribute__init(attribute);
        attribute->name = stoa_onnx_lend(name);
        attribute->has_type = 1;
        attribute->type = type;
        node->attribute[node->n_attribute++] = attribute;
    }
    return attribute;
}

void stoa_onnx_put_int(struct stoa_onnx_export *export, StoaOnnx__Node *node, const char *name, int64_t i) {
    StoaOnnx__Attribute *attribute = put_attribute(export, node, name, TYPE_INT);
    if (attribute) {
        attribute->has_i = 1;
        attribute->i = i;
    }
}

void stoa_onnx_put_float(struct stoa_onnx_export *export, StoaOnnx__Node *node, const char *name, float f) {
    StoaOnnx__Attribute *attribute = put_attribute(export, node, name, TYPE_FLOAT);
    if (attribute) {
        attribute->has_f = 1;
        attribute->f = f;
    }
}

void stoa_onnx_put_word(struct stoa_onnx_export *export, StoaOnnx__Node *node, const char *name,
                        const char *word) {
    StoaOnnx__Attribute *attribute = put_attribute(export, node, name, TYPE_STRING);
    if (attribute) {
        attribute->has_s = 1;
        attribute->s = (ProtobufCBinaryData){.len = strlen(word), .data = (uint8_t *)stoa_onnx_lend(word)};
    }
}

void stoa_onnx_put_ints(struct stoa_onnx_export *export, StoaOnnx__Node *node, const char *name, size_t count,
                        const int64_t *values) {
    StoaOnnx__Attribute *attribute = put_attribute(export, node, name, TYPE_INTS);
    int64_t *ints = stoa_onnx_take(export, (count + 1) * sizeof *ints);
    if (attribute && ints) {
        memcpy(ints, values, count * sizeof *ints);
        attribute->n_ints = count;
        attribute->ints = ints;
    }
}

/* ---- moves ---- */

const char *stoa_onnx_put_reshape(struct stoa_onnx_export *export, const char *input, const char *output,
                                  size_t rank, const size_t *shape) {
    int64_t dims[8] = {0}; /* 0 in front keeps the batch */
    output = output ? output : export->out;
    for (size_t i = 0; i < rank; i++) {
        dims[i + 1] = (int64_t)shape[i];
    }
    const char *to = stoa_onnx_put_integers(export, stoa_onnx_within(export, "shape"), rank + 1, dims);
    (void)stoa_onnx_put_node(export, "Reshape", output, STOA_ONNX_INPUTS(input, to));
    return output;
}

const char *stoa_onnx_put_transpose(struct stoa_onnx_export *export, const char *input, const char *output,
                                    size_t rank, const int64_t *order) {
    output = output ? output : export->out;
    StoaOnnx__Node *node = stoa_onnx_put_node(export, "Transpose", output, STOA_ONNX_INPUTS(input));
    stoa_onnx_put_ints(export, node, "perm", rank, order);
    return output;
}

const char *stoa_onnx_image_of(struct stoa_onnx_export *export, size_t k) {
    const size_t value = export->at->input[k];
    const struct stoa_shape *shape = stoa_value_shape(export->model, value);
    const struct stoa_shape *taken = &export->at->layer.input[k];
    if (shape->rank == taken->rank) {
        return export->value[value];
    }
    return stoa_onnx_put_reshape(export, export->value[value], stoa_onnx_within(export, "image"), 3,
                                 (size_t[]){taken->dim[2], taken->dim[0], taken->dim[1]});
}

const char *stoa_onnx_pixels_of(struct stoa_onnx_export *export, size_t k) {
    return stoa_onnx_put_transpose(export, stoa_onnx_image_of(export, k), stoa_onnx_within(export, "pixels"),
                                   4, (int64_t[]){0, 2, 3, 1});
}

void stoa_onnx_put_pixels(struct stoa_onnx_export *export, const char *pixels) {
    (void)stoa_onnx_put_transpose(export, pixels, NULL, 4, (int64_t[]){0, 3, 1, 2});
}

/* ---- options ---- */

size_t stoa_onnx_size_option(const struct stoa_layer *layer, const char *name) {
    return *(const size_t *)stoa_option_of(layer, name);
}

float stoa_onnx_float_option(const struct stoa_layer *layer, const char *name) {
    return *(const float *)stoa_option_of(layer, name);
}

bool stoa_onnx_bool_option(const struct stoa_layer *layer, const char *name) {
    return *(const bool *)stoa_option_of(layer, name);
}

const char *stoa_onnx_word_option(const struct stoa_layer *layer, const char *name) {
    for (size_t i = 0; i < layer->op->option_count; i++) {
        if (strcmp(layer->op->options[i].name, name) == 0) {
            return layer->op->options[i].choices[stoa_onnx_size_option(layer, name)];
        }
    }
    return "";
}
