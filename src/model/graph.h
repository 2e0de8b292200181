/* SPDX-License-Identifier: MIT */
/* A model's inside: layers in order, each reading values of earlier ones, and two flat arrays of tensors.
 *
 * Value 0 is the first input; value i + 1 is the output of layer i, which is a further input where the
 * layer's operator is one. Trainable tensors lie in `parameters`, running
 * statistics in `statistics`; each tensor starts at a 64-byte boundary. */
#ifndef STOA_MODEL_GRAPH_H
#define STOA_MODEL_GRAPH_H

#include "model/model.h"
#include "ops/op.h"

enum { STOA_MAX_LAYERS = 4096, STOA_MAX_FACTS = 1024 };

struct stoa_node {
    struct stoa_layer layer;
    size_t *input;                   /* value numbers, layer.inputs of them */
    char *options_text;              /* the line without the operator's name */
    size_t tensor[STOA_MAX_TENSORS]; /* numbers into the model's tensors */
    size_t line;                     /* of the recipe that it is from; 0: not known */
};

struct stoa_tensor {
    char *name;
    struct stoa_tensor_spec spec;
    size_t offset; /* floats into `parameters` or `statistics` */
    size_t count;
};

/* What the model gives to its caller under a name. */
struct stoa_output {
    char *name;
    size_t value;
};

struct stoa_fact {
    char *key, *value;
};

struct stoa_model {
    stoa_context *context;
    char *name;                      /* of its file, or NULL */
    size_t input_line, classes_line; /* of the recipe that it is from; 0: not known */
    struct stoa_error error;         /* the first one; sticks */
    bool built;
    struct stoa_shape input;
    char *input_name; /* NULL: "input" */
    struct stoa_node *nodes;
    size_t node_count;
    struct stoa_output *outputs; /* none: the last layer is the only one */
    size_t output_count;
    struct stoa_tensor *tensors;
    size_t tensor_count;
    const float *parameters; /* to read: stoa_model_change() gives them to write */
    float *writable;         /* the same memory; for model/tensors.c only */
    /* The version of the tensors grows with every change, so that nobody runs with what was prepared
     * before. */
    uint64_t version;
    float *statistics;
    size_t parameter_floats, statistic_floats; /* with the gaps that alignment leaves */
    struct stoa_fact *facts;
    size_t fact_count;
    struct stoa_fact *origin; /* of a loaded model: what its file says of its making */
    size_t origin_count;
};

/* Memory of a tensor: to read; to write, which counts as a change; and for a run, whose operators only read
 * parameters and in training write running statistics. */
const float *stoa_tensor_data(const stoa_model *model, size_t tensor);
float *stoa_tensor_change(stoa_model *model, size_t tensor);
float *stoa_tensor_lend(const stoa_model *model, size_t tensor);

/* All parameters, to write. Whoever writes again asks again: what was prepared from them is made anew for
 * each change. */
float *stoa_model_change(stoa_model *model);

/* Copy between disk order (contiguous) and memory order. */
void stoa_tensor_to_disk(const struct stoa_tensor_spec *spec, const float *memory, float *disk);
void stoa_tensor_from_disk(const struct stoa_tensor_spec *spec, const float *disk, float *memory);

/* Whether all layers that are not frozen (a layer; NULL: none is) learn from a training pass over `samples`
 * samples; else an error whose sentence names the first that does not. `what` says where so many are: "a
 * batch". */
stoa_status stoa_model_learns_from(const stoa_model *model, struct stoa_error *error, const bool *frozen,
                                   size_t samples, const char *what);

/* The node that a tensor belongs to. */
size_t stoa_tensor_node(const stoa_model *model, size_t tensor);

/* Add to the origin of a loaded model; copied. Errors: STOA_ERR_MEMORY. */
stoa_status stoa_model_add_origin(stoa_model *model, const char *key, const char *value);
void stoa_facts_free(struct stoa_fact *facts, size_t count);

/* Shape of a value, and its name: the input's or the layer's. */
const struct stoa_shape *stoa_value_shape(const stoa_model *model, size_t value);
const char *stoa_value_name(const stoa_model *model, size_t value);

/* The value with this name, as it stands in a line of `length` bytes, or SIZE_MAX. */
size_t stoa_value_find(const stoa_model *model, const char *name, size_t length);

/* Whether a value is an input of the model. */
static inline bool stoa_value_is_input(const stoa_model *model, size_t value) {
    return value == 0 || model->nodes[value - 1].layer.op->is_input;
}

/* Whether any layer reads a value, or it is an output. */
bool stoa_value_is_read(const stoa_model *model, size_t value);

/* Number of outputs, at least 1 where there is a layer, and the value of one of them. */
static inline size_t stoa_output_count(const stoa_model *model) {
    return model->output_count > 0 ? model->output_count : model->node_count > 0;
}

static inline size_t stoa_output_value(const stoa_model *model, size_t output) {
    return model->output_count > 0 ? model->outputs[output].value : model->node_count;
}

/* Whether a model that is not built yet may still be changed: no call before has failed. */
bool stoa_model_may_change(stoa_model *model);

#endif
