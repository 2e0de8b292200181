/* SPDX-License-Identifier: MIT */
/* The inputs of a graph become those of a model: their sizes, and how their axes lie. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "model/graph.h"
#include "onnx/import.h"

#define NAME "%.80s"

/* The sizes that the caller gives an input, or NULL. */
static const stoa_onnx_binding *given_shape(const struct stoa_onnx_import *import, const char *name) {
    for (size_t i = 0; i < import->options->binding_count; i++) {
        const stoa_onnx_binding *binding = &import->options->bindings[i];
        if (!binding->values && strcmp(binding->name, name) == 0) {
            return binding;
        }
    }
    return NULL;
}

/* The size of an axis of an input as the file says it, 0 where it leaves it open: the batch's it may. */
static stoa_status read_size(struct stoa_onnx_import *import, const StoaOnnx__Value *input, size_t i,
                             bool may_be_open, size_t *size) {
    const StoaOnnx__Dimension *found = input->type->tensor_type->shape->dim[i];
    *size = found->has_dim_value && found->dim_value > 0 ? (size_t)found->dim_value : 0;
    if ((!found->has_dim_value && !may_be_open) || found->dim_value < 0 ||
        (found->has_dim_value && *size == 0 && !may_be_open) || *size > STOA_MAX_DIMENSION) {
        return stoa_error_set(import->error, found->has_dim_value ? STOA_ERR_FORMAT : STOA_ERR_UNSUPPORTED,
                              "dimension %zu of its input '" NAME "': found '%.40s' %lld, expected a number "
                              "from 1 to %zu%s",
                              i, input->name, found->dim_param ? found->dim_param : "",
                              (long long)found->dim_value, STOA_MAX_DIMENSION,
                              found->has_dim_value ? "" : ", in the file or given with the import");
    }
    return STOA_OK;
}

/* What the caller says of the sizes that the file leaves open. */
static stoa_status fill_shape(struct stoa_onnx_import *import, const char *name,
                              const stoa_onnx_binding *given, size_t rank, size_t *dim) {
    if (given->rank != rank) {
        return stoa_error_set(import->error, STOA_ERR_ARGUMENT,
                              "its input '" NAME "' has %zu axes, found %zu sizes for them", name, rank,
                              given->rank);
    }
    for (size_t i = 0; i < rank; i++) {
        const size_t size = given->shape[i];
        if (size < 1 || size > STOA_MAX_DIMENSION || (dim[i] != 0 && dim[i] != size)) {
            return stoa_error_set(import->error, STOA_ERR_ARGUMENT,
                                  "dimension %zu of its input '" NAME
                                  "': found the size %zu for it, expected "
                                  "%zu",
                                  i, name, size, dim[i] ? dim[i] : (size_t)1);
        }
        dim[i] = size;
    }
    return STOA_OK;
}

static stoa_status read_input_shape(struct stoa_onnx_import *import, const StoaOnnx__Value *input,
                                    size_t *rank, size_t *dim) {
    const StoaOnnx__TensorType *type = input->type ? input->type->tensor_type : NULL;
    const stoa_onnx_binding *given = given_shape(import, input->name);
    if (!type || !type->shape || type->shape->n_dim > STOA_ONNX_RANK) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "its input '" NAME "' has no shape of up to %d dimensions", input->name,
                              STOA_ONNX_RANK);
    }
    if (type->elem_type != STOA_ONNX_FLOAT && type->elem_type != STOA_ONNX_DOUBLE &&
        type->elem_type != STOA_ONNX_FLOAT16 && type->elem_type != STOA_ONNX_BFLOAT16) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "its input '" NAME "' is of type %s, expected float", input->name,
                              stoa_onnx_type_name(type->elem_type));
    }
    *rank = type->shape->n_dim;
    for (size_t i = 0; i < *rank; i++) {
        stoa_status status = read_size(import, input, i, given || i < import->lead, &dim[i]);
        if (status != STOA_OK) {
            return status;
        }
    }
    if (*rank < import->lead) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "its input '" NAME "' is a single number, expected a batch in front",
                              input->name);
    }
    return given ? fill_shape(import, input->name, given, *rank, dim) : STOA_OK;
}

/* Whether a graph whose input has three axes, or two, takes the first of them for channels: what reads it, or
 * what reads that behind operators of one number at a time, works on channels. */
static bool reads_channels(const struct stoa_onnx_import *import, const char *name, size_t from, bool image) {
    static const char *const channels[] = {"Conv",
                                           "ConvTranspose",
                                           "BatchNormalization",
                                           "MaxPool",
                                           "AveragePool",
                                           "GlobalAveragePool",
                                           "GlobalMaxPool",
                                           "LRN",
                                           "Upsample",
                                           "InstanceNormalization",
                                           "Resize",
                                           "PRelu",
                                           NULL};
    static const char *const rows[] = {"Transpose", "MatMul", "LayerNormalization", "Gemm", "Reshape", NULL};
    for (size_t i = from; i < import->graph->n_node; i++) {
        const StoaOnnx__Node *node = import->graph->node[i];
        if (!import->needed[i] || node->n_input == 0 || strcmp(node->input[0], name) != 0 || !node->op_type) {
            continue;
        }
        for (size_t k = 0; channels[k]; k++) {
            if (strcmp(node->op_type, channels[k]) == 0) {
                return true;
            }
        }
        for (size_t k = 0; rows[k]; k++) {
            if (strcmp(node->op_type, rows[k]) == 0) {
                return false;
            }
        }
        return node->n_output > 0 ? reads_channels(import, node->output[0], i + 1, image) : image;
    }
    return image;
}

stoa_status stoa_onnx_note_axes(struct stoa_onnx_import *import, const struct stoa_onnx_value *value) {
    size_t order[STOA_ONNX_AXES], length = 0;
    char text[8 * STOA_ONNX_AXES] = "", key[256];
    if (stoa_onnx_layout_is(&value->layout, NULL)) {
        return STOA_OK;
    }
    if (!stoa_onnx_layout_order(&value->layout, order) ||
        (size_t)snprintf(key, sizeof key, "onnx.axes.%s", value->name) >= sizeof key) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "'" NAME "' lies in parts of axes, or its name "
                              "is too long to note the order",
                              value->name);
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%zu", i == 0 ? "" : ",",
                                   order[i] + import->lead);
    }
    return stoa_model_set_fact(import->model, key, text);
}

static stoa_status make_input(struct stoa_onnx_import *import, const StoaOnnx__Value *input) {
    size_t rank = 0, dim[STOA_ONNX_RANK] = {0}, order[STOA_ONNX_AXES], count, shape[3] = {1, 1, 1};
    stoa_status status = read_input_shape(import, input, &rank, dim);
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_onnx_value *value = stoa_onnx_find(import, input->name);
    import->batch = import->lead && import->batch == 0 ? dim[0] : import->batch;
    if (import->lead && dim[0] != 0 && dim[0] != import->batch) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "found batches of %zu and, in its input '" NAME "', of %zu, expected one size",
                              import->batch, input->name, dim[0]);
    }
    const size_t sample = rank - import->lead, first = 1 - import->lead;
    for (size_t i = 0; i < sample; i++) {
        order[i] = i;
    }
    if (!stoa_onnx_count(sample, dim + import->lead, &count)) {
        return stoa_error_set(import->error, STOA_ERR_FORMAT, "its input '" NAME "' has too many numbers",
                              input->name);
    }
    const bool has_channels = sample > first + 1 && (first == 0 || dim[0] == 1);
    if (has_channels && reads_channels(import, input->name, 0, sample == first + 3)) {
        for (size_t i = first; i + 1 < sample; i++) {
            order[i] = i + 1;
        }
        order[sample - 1] = first;
    }
    stoa_onnx_layout_make(&value->layout, sample, dim + import->lead, sample ? order : NULL);
    for (size_t i = 0; i < sample; i++) {
        shape[i + 3 >= sample ? i + 3 - sample : 0] *= dim[import->lead + order[i]];
    }
    if ((size_t)snprintf(value->layer, sizeof value->layer, "%s", input->name) >= sizeof value->layer) {
        return stoa_error_set(import->error, STOA_ERR_UNSUPPORTED,
                              "its input '" NAME "' has a name of %zu bytes, expected at most 63",
                              input->name, strlen(input->name));
    }
    stoa_model_add_input(import->model, value->layer, shape[0], shape[1], shape[2]);
    value->state = STOA_ONNX_ACTIVATION;
    value->shape_rank = shape[0] == 1 && shape[1] == 1 ? 1 : 3;
    value->shape[0] = value->shape_rank == 1 ? shape[2] : shape[0];
    value->shape[1] = shape[1];
    value->shape[2] = shape[2];
    if (import->model->error.status != STOA_OK) {
        *import->error = import->model->error;
        return import->error->status;
    }
    return stoa_onnx_note_axes(import, value);
}

stoa_status stoa_onnx_inputs_make(struct stoa_onnx_import *import) {
    size_t count = 0;
    for (size_t i = 0; i < import->graph->n_input; i++) {
        const StoaOnnx__Value *input = import->graph->input[i];
        const struct stoa_onnx_value *value = input->name ? stoa_onnx_find(import, input->name) : NULL;
        if (value && value->state == STOA_ONNX_UNKNOWN && value->readers > 0) {
            stoa_status status = make_input(import, input);
            if (status != STOA_OK) {
                return status;
            }
            count++;
        }
    }
    return count > 0 ? STOA_OK
                     : stoa_error_set(import->error, STOA_ERR_UNSUPPORTED, "no output depends on an input");
}
