/* SPDX-License-Identifier: MIT */
/* What only says anew how numbers are to be read, and what asks for a shape. */
#include <string.h>

#include "base/size.h"
#include "onnx/import.h"

stoa_status stoa_onnx_reshape(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                              struct stoa_onnx_value *value, size_t rank, const size_t *dim) {
    struct stoa_onnx_layout layout = value->layout;
    if (!stoa_onnx_layout_reshape(&layout, rank, dim)) {
        stoa_status status = stoa_onnx_bring(import, value, NULL);
        if (status != STOA_OK) {
            return status;
        }
        stoa_onnx_layout_make(&layout, rank, dim, NULL);
    }
    return stoa_onnx_alias(import, node, 0, value, &layout);
}

static stoa_status flatten(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    size_t dim[2] = {1, 1};
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status != STOA_OK) {
        return status;
    }
    const size_t rank = value->layout.rank + import->lead;
    const int64_t found = stoa_onnx_int(node, "axis", 1), axis = found < 0 ? found + (int64_t)rank : found;
    if (axis < 0 || axis > (int64_t)rank || (import->lead && axis != 1)) {
        return stoa_onnx_refuse(import, "axis: found %lld, expected 1, behind the batch", (long long)found);
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        dim[i + import->lead < (size_t)axis ? 0 : 1] *= value->layout.dim[i];
    }
    return stoa_onnx_reshape(import, node, value, 2 - import->lead, dim + import->lead);
}

/* Numbers of a whole tensor, the batch's in front; 0: any. */
static int64_t whole_dim(const struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                         size_t axis) {
    return axis < import->lead ? (int64_t)import->batch : (int64_t)value->layout.dim[axis - import->lead];
}

/* The shape that Reshape asks for, of a sample: what stands for the batch must come first. */
static stoa_status read_target(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                               const struct stoa_onnx_value *value, const struct stoa_onnx_tensor *shape,
                               size_t *dim) {
    const size_t count = stoa_onnx_layout_count(&value->layout);
    const bool keeps_zero = stoa_onnx_int(node, "allowzero", 0) == 0;
    size_t known = 1, open = SIZE_MAX;
    for (size_t i = 0; i < shape->count; i++) {
        int64_t size = stoa_onnx_integer_at(shape, i);
        if (size == 0 && keeps_zero && i < value->layout.rank + import->lead) {
            size = i < import->lead ? STOA_ONNX_BATCH : whole_dim(import, value, i);
        }
        if (i < import->lead) {
            /* The rest has to be a sample, and then this is the batch. */
            if (size != STOA_ONNX_BATCH && size != -1 && (size != (int64_t)import->batch || size == 0)) {
                return stoa_onnx_refuse(import, "its first axis is to be %lld, expected the batch",
                                        (long long)size);
            }
            continue;
        }
        if (size == -1 && open == SIZE_MAX) {
            open = i - import->lead;
            continue;
        }
        if (size < 1 || (uint64_t)size > STOA_MAX_DIMENSION || !stoa_size_scale(&known, (size_t)size)) {
            return stoa_onnx_refuse(import, "axis %zu is to be %lld, expected 1 or more", i, (long long)size);
        }
        dim[i - import->lead] = (size_t)size;
    }
    if (open != SIZE_MAX && known > 0 && count % known == 0) {
        dim[open] = count / known;
        known = count;
    }
    return known == count
               ? STOA_OK
               : stoa_onnx_refuse(import, "a sample of %zu numbers is to have %zu: works across the batch",
                                  count, known);
}

static stoa_status reshape(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    const struct stoa_onnx_tensor *shape = NULL;
    size_t dim[STOA_ONNX_AXES];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &shape);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (!shape || shape->count < import->lead || shape->count - import->lead > STOA_ONNX_AXES) {
        return stoa_onnx_refuse(import, "has a shape of %zu axes, expected up to %d",
                                shape ? shape->count : 0, STOA_ONNX_AXES);
    }
    status = read_target(import, node, value, shape, dim);
    return status == STOA_OK ? stoa_onnx_reshape(import, node, value, shape->count - import->lead, dim)
                             : status;
}

static stoa_status transpose(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    size_t order[STOA_ONNX_AXES] = {0};
    bool seen[STOA_ONNX_AXES + 1] = {false};
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status != STOA_OK) {
        return status;
    }
    const StoaOnnx__Attribute *perm = stoa_onnx_attribute(node, "perm");
    const size_t rank = value->layout.rank + import->lead;
    if (perm && perm->n_ints != rank) {
        return stoa_onnx_refuse(import, "perm: found %zu axes, expected %zu", perm->n_ints, rank);
    }
    for (size_t i = 0; i < rank; i++) {
        const int64_t axis = perm ? perm->ints[i] : (int64_t)(rank - 1 - i);
        if (axis < 0 || axis >= (int64_t)rank || seen[axis]) {
            return stoa_onnx_refuse(import, "perm: found %lld, expected each axis once", (long long)axis);
        }
        seen[axis] = true;
        if ((i < import->lead) != (axis < (int64_t)import->lead)) {
            return stoa_onnx_refuse(import, "moves axis 0, the batch");
        }
        if (i >= import->lead) {
            order[i - import->lead] = (size_t)axis - import->lead;
        }
    }
    struct stoa_onnx_layout layout = value->layout;
    stoa_onnx_layout_transpose(&layout, order);
    return stoa_onnx_alias(import, node, 0, value, &layout);
}

/* Axes from an attribute before opset 13, and from then on from an input; none where neither is there. */
static stoa_status read_axes(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t rank,
                             bool listed[STOA_ONNX_AXES + 1], size_t *count) {
    const struct stoa_onnx_tensor *input = NULL;
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, "axes");
    stoa_status status = stoa_onnx_constant(import, node, 1, &input);
    *count = attribute ? attribute->n_ints : input ? input->count : 0;
    for (size_t i = 0; i < *count && status == STOA_OK; i++) {
        size_t axis = 0;
        status = stoa_onnx_axis(import, attribute ? attribute->ints[i] : stoa_onnx_integer_at(input, i), rank,
                                &axis);
        if (status == STOA_OK && (axis > STOA_ONNX_AXES || listed[axis])) {
            return stoa_onnx_refuse(import, "axes: found %zu twice, or more than %d of them", axis,
                                    STOA_ONNX_AXES);
        }
        listed[axis] = true;
    }
    return status;
}

static stoa_status squeeze(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    bool listed[STOA_ONNX_AXES + 1] = {false};
    size_t dim[STOA_ONNX_AXES], kept = 0, count = 0;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = read_axes(import, node, value->layout.rank + import->lead, listed, &count);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (import->lead && listed[0]) {
        return stoa_onnx_refuse(import, "takes away axis 0, the batch");
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        const bool goes = count > 0 ? listed[i + import->lead] : value->layout.dim[i] == 1;
        if (goes && value->layout.dim[i] != 1) {
            return stoa_onnx_refuse(import, "takes away an axis of %zu, expected 1", value->layout.dim[i]);
        }
        if (!goes) {
            dim[kept++] = value->layout.dim[i];
        }
    }
    return stoa_onnx_reshape(import, node, value, kept, dim);
}

static stoa_status unsqueeze(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    const struct stoa_onnx_tensor *input = NULL;
    bool listed[STOA_ONNX_AXES + 1] = {false};
    size_t dim[STOA_ONNX_AXES], count = 0, from = 0;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &input);
    }
    if (status != STOA_OK) {
        return status;
    }
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, "axes");
    const size_t more = attribute ? attribute->n_ints : input ? input->count : 0;
    const size_t rank = value->layout.rank + import->lead + more;
    if (more > STOA_ONNX_AXES || rank - import->lead > STOA_ONNX_AXES) {
        return stoa_onnx_refuse(import, "makes more than %d axes", STOA_ONNX_AXES);
    }
    status = read_axes(import, node, rank, listed, &count);
    if (status != STOA_OK) {
        return status;
    }
    if (import->lead && listed[0]) {
        return stoa_onnx_refuse(import, "puts an axis in front of the batch");
    }
    for (size_t i = import->lead; i < rank; i++) {
        dim[i - import->lead] = listed[i] ? 1 : value->layout.dim[from++];
    }
    return stoa_onnx_reshape(import, node, value, rank - import->lead, dim);
}

/* Numbers of a shape that the network computes with. */
static stoa_status give_integers(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t rank,
                                 size_t count, const int64_t *numbers) {
    struct stoa_onnx_tensor tensor = {.type = STOA_ONNX_INT64, .rank = rank, .dim = {count}};
    stoa_status status = stoa_onnx_tensor_make(&import->source, &tensor);
    if (status == STOA_OK) {
        memcpy(tensor.i, numbers, count * sizeof *numbers);
        status = stoa_onnx_give(import, node, &tensor);
    }
    return status;
}

static int64_t clamp(int64_t at, size_t rank) {
    const int64_t from_front = at < 0 ? at + (int64_t)rank : at;
    return from_front < 0 ? 0 : from_front > (int64_t)rank ? (int64_t)rank : from_front;
}

static stoa_status shape(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    int64_t numbers[STOA_ONNX_AXES + 1];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status != STOA_OK) {
        return status;
    }
    const size_t rank = value->layout.rank + import->lead;
    for (size_t i = 0; i < rank; i++) {
        numbers[i] = i < import->lead ? STOA_ONNX_BATCH : whole_dim(import, value, i);
    }
    const int64_t start = clamp(stoa_onnx_int(node, "start", 0), rank);
    const int64_t end = clamp(stoa_onnx_int(node, "end", (int64_t)rank), rank);
    return give_integers(import, node, 1, end > start ? (size_t)(end - start) : 0, numbers + start);
}

const struct stoa_onnx_row stoa_onnx_shape_rows[] = {
    {"Flatten", 1, flatten}, {"Reshape", 5, reshape},     {"Transpose", 1, transpose},
    {"Squeeze", 1, squeeze}, {"Unsqueeze", 1, unsqueeze}, {"Shape", 1, shape},
    {NULL, 0, NULL},
};
