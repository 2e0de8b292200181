/* SPDX-License-Identifier: MIT */
/* Translation of a graph, a node at a time: what the operators' files share. */
#ifndef STOA_ONNX_IMPORT_H
#define STOA_ONNX_IMPORT_H

#include <stoa/onnx.h>

#include "onnx/layout.h"
#include "onnx/tensor.h"

/* What is known of a value. */
enum stoa_onnx_state {
    STOA_ONNX_UNKNOWN,    /* nothing yet, or what made it was refused */
    STOA_ONNX_CONSTANT,   /* numbers of the file, or what folds to them */
    STOA_ONNX_ACTIVATION, /* a layer's output, or the network's input */
};

struct stoa_onnx_value {
    const char *name;
    enum stoa_onnx_state state;
    const StoaOnnx__Tensor *message; /* of a constant that nobody has read yet */
    struct stoa_onnx_tensor constant;
    struct stoa_onnx_layout layout;          /* of a sample */
    char layer[64];                          /* what it is called here */
    size_t shape_rank, shape[STOA_MAX_RANK]; /* of that layer's output */
    size_t maker;                            /* the node; SIZE_MAX: none */
    size_t readers;                          /* nodes and outputs of the graph */
    bool computed;                           /* of an unknown one: by the network, so it is no constant */
};

/* The size of a batch among a shape's numbers, where it is not known before the network runs. */
#define STOA_ONNX_BATCH (INT64_MIN + 1)

struct stoa_onnx_import {
    stoa_context *context;
    struct stoa_error *error;
    const stoa_onnx_options *options;
    const StoaOnnx__Model *message;
    const StoaOnnx__Graph *graph;
    struct stoa_onnx_source source;
    int64_t opset;
    size_t lead;  /* axes of the batch in front of a sample's: 1, or 0 where the whole tensor is a sample */
    size_t batch; /* its size in the file; 0: any */
    struct stoa_onnx_value *values; /* in the order of their names */
    size_t value_count;
    bool *needed; /* of a node: an output depends on it */
    stoa_model *model;
    struct stoa_onnx_weights {
        char name[96];
        float *values; /* from malloc */
        size_t count;
    } * weights;
    size_t weight_count;
    size_t refused;
    struct stoa_error first; /* refusal */
};

/* One row an operator: which opsets' rules its function knows, and the function. */
typedef stoa_status stoa_onnx_translate_fn(struct stoa_onnx_import *import, const StoaOnnx__Node *node);
struct stoa_onnx_row {
    const char *op;
    int first_opset;
    stoa_onnx_translate_fn *translate;
};
extern const struct stoa_onnx_row stoa_onnx_arithmetic_rows[], stoa_onnx_conv_rows[], stoa_onnx_pool_rows[],
    stoa_onnx_map_rows[], stoa_onnx_norm_rows[], stoa_onnx_movement_rows[], stoa_onnx_shape_rows[],
    stoa_onnx_join_rows[], stoa_onnx_product_rows[], stoa_onnx_reduce_rows[], stoa_onnx_repeat_rows[],
    stoa_onnx_gather_rows[];
/* The same over constants alone. */
extern const struct stoa_onnx_row stoa_onnx_fold_rows[], stoa_onnx_fold_shape_rows[],
    stoa_onnx_fold_move_rows[];

/* "It cannot be taken, because": returns STOA_ERR_UNSUPPORTED. */
__attribute__((format(printf, 2, 3))) stoa_status stoa_onnx_refuse(struct stoa_onnx_import *import,
                                                                   const char *format, ...);

/* A node of this one's operator whose output 0 is this one's output `index`, for layers on the way to it. */
StoaOnnx__Node stoa_onnx_node_for(const StoaOnnx__Node *node, size_t index);

/* A value by its name, or NULL. */
struct stoa_onnx_value *stoa_onnx_find(const struct stoa_onnx_import *import, const char *name);
/* Input `index` of a node, or NULL where it is left out. */
struct stoa_onnx_value *stoa_onnx_input(const struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                        size_t index);
/* An input that has to be there, as an activation. */
stoa_status stoa_onnx_activation(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index,
                                 struct stoa_onnx_value **value);
/* An input's numbers; *tensor is NULL where it is left out. Refused: an activation. */
stoa_status stoa_onnx_constant(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index,
                               const struct stoa_onnx_tensor **tensor);

/* Attributes, or what ONNX takes where they are left out. */
const StoaOnnx__Attribute *stoa_onnx_attribute(const StoaOnnx__Node *node, const char *name);
int64_t stoa_onnx_int(const StoaOnnx__Node *node, const char *name, int64_t fallback);
float stoa_onnx_float(const StoaOnnx__Node *node, const char *name, float fallback);
/* Whether the text is there and says this. */
bool stoa_onnx_says(const StoaOnnx__Node *node, const char *name, const char *text);
/* Whole numbers from 0 on of an attribute, all `fallback` where it is left out; exactly `count` of them. */
stoa_status stoa_onnx_sizes(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *name,
                            size_t fallback, size_t count, size_t *sizes);

/* An axis of a tensor of `rank`, counted from the end where it is negative. */
stoa_status stoa_onnx_axis(struct stoa_onnx_import *import, int64_t axis, size_t rank, size_t *out);
/* The same of an activation, as one of a sample's axes. Refused: the axis of the batch. */
stoa_status stoa_onnx_sample_axis(struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                                  int64_t axis, size_t *out);

/* Insert a layer between a value and whoever reads it from now on; `options` begin with a space, or there is
 * none. */
stoa_status stoa_onnx_insert(struct stoa_onnx_import *import, struct stoa_onnx_value *value, const char *op,
                             const char *options);
/* Bring a value's memory into this order of axes (NULL: as they stand). */
stoa_status stoa_onnx_bring(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                            const size_t *order);
/* Let its layer have this shape over the same memory. */
stoa_status stoa_onnx_view(struct stoa_onnx_import *import, struct stoa_onnx_value *value, size_t rank,
                           const size_t *shape);
/* Give a value a layer of its own, whose output it is. */
stoa_status stoa_onnx_copy(struct stoa_onnx_import *import, struct stoa_onnx_value *value);
/* Flatten an image, whose order a linear layer behind it knows. */
stoa_status stoa_onnx_flatten(struct stoa_onnx_import *import, struct stoa_onnx_value *value);
/* An image: ONNX's N, C, spatial axes as height x width x channels; spatial axes in front of the last two
 * count to the height. */
stoa_status stoa_onnx_image(struct stoa_onnx_import *import, struct stoa_onnx_value *value);
/* Which of a sample's axes is C, and how many spatial ones follow. Refused: a sample without. */
stoa_status stoa_onnx_channels(struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                               size_t *axis, size_t *spatial);
/* Rows of numbers: these axes lie innermost, in their order, and the layer's last axis is all of them. */
stoa_status stoa_onnx_rows(struct stoa_onnx_import *import, struct stoa_onnx_value *value, size_t count,
                           const size_t *axes);

/* Add a layer over these values for a node. `stem`: what it is called if it can be (NULL: as the node), the
 * rest is the operator and its options. It becomes the node's output 0 with this layout. */
__attribute__((format(printf, 7, 8))) stoa_status
stoa_onnx_layer(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *stem,
                struct stoa_onnx_value *const *inputs, size_t count, const struct stoa_onnx_layout *layout,
                const char *format, ...);
/* The same for a layer that keeps its input's shape: over input 0 of the node, in whatever order it lies. */
__attribute__((format(printf, 3, 4))) stoa_status
stoa_onnx_map(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *format, ...);
/* The node's output `index` is this value in other words: another layout over the same layer. */
stoa_status stoa_onnx_alias(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index,
                            const struct stoa_onnx_value *value, const struct stoa_onnx_layout *layout);
/* The node's output 0 is this value with other axes over the same numbers, in ONNX's order. */
stoa_status stoa_onnx_reshape(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                              struct stoa_onnx_value *value, size_t rank, const size_t *dim);
/* The node's output 0 is one value with another, broadcast as ONNX does, by an operator such as "add". */
stoa_status stoa_onnx_combine(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *op,
                              struct stoa_onnx_value *value[2]);
/* The same of a value and a constant, which comes first with `reverse`. */
stoa_status stoa_onnx_combine_constant(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                       const char *op, struct stoa_onnx_value *value,
                                       const struct stoa_onnx_tensor *constant, bool reverse);
/* The node's output 0 is what an operator over the space of an image, such as "global_avgpool", makes of the
 * axes of a value that go; with `keeps` they stay as axes of 1. */
stoa_status stoa_onnx_reduce(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             struct stoa_onnx_value *value, const bool *goes, bool keeps, const char *op);
/* Where number `index` of a shape stands in a tensor that is broadcast to it. */
size_t stoa_onnx_broadcast_index(const struct stoa_onnx_tensor *from, const struct stoa_onnx_tensor *to,
                                 size_t index);
/* What Slice leaves of an axis: `count` numbers from `first` on, `step` apart. */
struct stoa_onnx_cut {
    size_t axis, count;
    int64_t first, step;
};
/* The cuts of a Slice of a tensor of these sizes, at most one an axis. */
stoa_status stoa_onnx_cuts_read(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t rank,
                                const size_t *dim, struct stoa_onnx_cut *cuts, size_t *count);
/* A layer for one cut, which takes a number or more; it becomes the node's output 0. */
stoa_status stoa_onnx_cut(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                          struct stoa_onnx_value *value, const struct stoa_onnx_cut *cut);
/* The node's output 0 is these values, at most STOA_MAX_INPUTS, behind one another along an axis. */
stoa_status stoa_onnx_concat(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             struct stoa_onnx_value *const *values, size_t count, size_t axis);
/* Let a node's output be these numbers, which it then owns. */
stoa_status stoa_onnx_give(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                           struct stoa_onnx_tensor *tensor);

/* MatMul of two values of the network; `node`'s output 0 is the product. */
stoa_status stoa_onnx_matmul(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             struct stoa_onnx_value *a, struct stoa_onnx_value *b);

/* Numbers for the tensor `suffix` of the layer that a node's output 0 is, in PyTorch's order. `values` is
 * from malloc and belongs to the import from now on, NULL counts as no memory. */
stoa_status stoa_onnx_weights_set(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                  const char *suffix, float *values, size_t count);
/* All numbers of a constant as floats, from malloc; NULL without memory. */
float *stoa_onnx_floats(const struct stoa_onnx_tensor *tensor);
/* The name that a layer has from its weight: "conv1" of "conv1.weight"; NULL: none. */
const char *stoa_onnx_stem(const struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index,
                           char stem[64]);

/* The only reader of a node's output 0, where it is a node and not an output of the graph; NULL: there are
 * others. */
const StoaOnnx__Node *stoa_onnx_only_reader(const struct stoa_onnx_import *import,
                                            const StoaOnnx__Node *node);

/* What the node is called in sentences. */
const char *stoa_onnx_node_name(const StoaOnnx__Node *node);

/* The parts of a translation, one behind the other. */
stoa_status stoa_onnx_graph_read(struct stoa_onnx_import *import);
void stoa_onnx_graph_free(struct stoa_onnx_import *import);
/* Every input of the graph that is no constant and that an output depends on; one at least. */
stoa_status stoa_onnx_inputs_make(struct stoa_onnx_import *import);
/* Keep a port's order as a fact: ONNX's axes one behind the other as memory has them. */
stoa_status stoa_onnx_note_axes(struct stoa_onnx_import *import, const struct stoa_onnx_value *value);
stoa_status stoa_onnx_translate(struct stoa_onnx_import *import);

#endif
