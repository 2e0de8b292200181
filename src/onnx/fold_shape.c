/* SPDX-License-Identifier: MIT */
/* Nodes over constants alone that make shapes, ask for them, and say them anew. */
#include "onnx/fold.h"

#include <string.h>

#include "base/size.h"

static stoa_status constant(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_tensor out = {.type = STOA_ONNX_FLOAT};
    const StoaOnnx__Attribute *one = node->n_attribute > 0 ? node->attribute[0] : NULL;
    const char *name = one && one->name ? one->name : "";
    if (strcmp(name, "value") == 0 && one->t) {
        stoa_status status = stoa_onnx_tensor_read(&import->source, one->t, &out);
        return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
    }
    const bool whole = strcmp(name, "value_int") == 0 || strcmp(name, "value_ints") == 0;
    const bool many = strcmp(name, "value_ints") == 0 || strcmp(name, "value_floats") == 0;
    if (!whole && !many && strcmp(name, "value_float") != 0) {
        return stoa_onnx_refuse(import, "found the attribute '%.40s', expected a value of numbers", name);
    }
    out.type = whole ? STOA_ONNX_INT64 : STOA_ONNX_FLOAT;
    out.rank = many ? 1 : 0;
    out.dim[0] = whole ? one->n_ints : one->n_floats;
    stoa_status status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        if (whole) {
            out.i[i] = many ? one->ints[i] : one->i;
        } else {
            out.f[i] = many ? one->floats[i] : one->f;
        }
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

static stoa_status constant_of_shape(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *shape = NULL;
    struct stoa_onnx_tensor out = {.type = STOA_ONNX_FLOAT}, value = {.type = 0};
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, "value");
    stoa_status status = stoa_onnx_constant(import, node, 0, &shape);
    if (status == STOA_OK && attribute && attribute->t) {
        status = stoa_onnx_tensor_read(&import->source, attribute->t, &value);
        out.type = value.type;
    }
    if (status == STOA_OK && attribute && value.count != 1) {
        status = stoa_onnx_refuse(import, "its value has %zu numbers, expected 1", value.count);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_fold_shape(import, shape, &out);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_tensor_make(&import->source, &out);
    }
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        if (value.count == 1) {
            stoa_onnx_fold_put(&out, i, &value, 0);
        } else {
            stoa_onnx_put(&out, i, 0);
        }
    }
    stoa_onnx_tensor_free(&value);
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

static stoa_status shape(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status != STOA_OK) {
        return status;
    }
    const int64_t rank = (int64_t)in->rank;
    int64_t start = stoa_onnx_int(node, "start", 0), end = stoa_onnx_int(node, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    out = (struct stoa_onnx_tensor){.type = STOA_ONNX_INT64, .rank = 1, .dim = {(size_t)(end - start)}};
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        out.i[i] = (int64_t)in->dim[(size_t)start + i];
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

static stoa_status size(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        out = (struct stoa_onnx_tensor){.type = STOA_ONNX_INT64};
        status = stoa_onnx_tensor_make(&import->source, &out);
    }
    if (status != STOA_OK) {
        return status;
    }
    out.i[0] = (int64_t)in->count;
    return stoa_onnx_give(import, node, &out);
}

static stoa_status range(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in[3] = {NULL};
    for (size_t i = 0; i < 3; i++) {
        stoa_status status = stoa_onnx_constant(import, node, i, &in[i]);
        if (status != STOA_OK || !in[i] || in[i]->count != 1) {
            return status == STOA_OK ? stoa_onnx_refuse(import, "expected start, limit and delta") : status;
        }
    }
    const double start = stoa_onnx_at(in[0], 0), delta = stoa_onnx_at(in[2], 0);
    const double steps = delta == 0 ? 0 : (stoa_onnx_at(in[1], 0) - start) / delta;
    if (!(steps <= (double)STOA_MAX_DIMENSION)) {
        return stoa_onnx_refuse(import, "has more numbers than can be held");
    }
    size_t count = steps > 0 ? (size_t)steps : 0;
    count += (double)count < steps;
    struct stoa_onnx_tensor out = {.type = in[0]->type, .rank = 1, .dim = {count}};
    stoa_status status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        stoa_onnx_put(&out, i, start + (double)i * delta);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

/* The same numbers under other axes. */
static stoa_status give_shaped(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                               const struct stoa_onnx_tensor *in, struct stoa_onnx_tensor *out) {
    stoa_status status = stoa_onnx_tensor_make(&import->source, out);
    if (status == STOA_OK && out->count != in->count) {
        stoa_onnx_tensor_free(out);
        return stoa_onnx_refuse(import, "%zu numbers are to be %zu", in->count, out->count);
    }
    for (size_t i = 0; i < out->count && status == STOA_OK; i++) {
        stoa_onnx_fold_put(out, i, in, i);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, out) : status;
}

static stoa_status identity(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    return status == STOA_OK ? give_shaped(import, node, in, &out) : status;
}

static stoa_status reshape(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *target = NULL;
    struct stoa_onnx_tensor out;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &target);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (!target || target->count > STOA_ONNX_RANK) {
        return stoa_onnx_refuse(import, "has no shape of up to %d axes", STOA_ONNX_RANK);
    }
    size_t known = 1, open = SIZE_MAX;
    out.rank = target->count;
    for (size_t i = 0; i < target->count; i++) {
        int64_t size = stoa_onnx_integer_at(target, i);
        size = size == 0 && stoa_onnx_int(node, "allowzero", 0) == 0 && i < in->rank ? (int64_t)in->dim[i]
                                                                                     : size;
        open = size == -1 ? i : open;
        out.dim[i] = size < 0 ? 1 : (size_t)size;
        if (size < -1 || (uint64_t)out.dim[i] > STOA_MAX_DIMENSION || !stoa_size_scale(&known, out.dim[i])) {
            return stoa_onnx_refuse(import, "asks for an axis of %lld", (long long)size);
        }
    }
    if (open != SIZE_MAX && known > 0) {
        out.dim[open] = in->count / known;
    }
    return give_shaped(import, node, in, &out);
}

static stoa_status axes_of(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t rank,
                           bool listed[STOA_ONNX_RANK], size_t *count) {
    const struct stoa_onnx_tensor *input = NULL;
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, "axes");
    stoa_status status = stoa_onnx_constant(import, node, 1, &input);
    *count = attribute ? attribute->n_ints : input ? input->count : 0;
    rank += strcmp(node->op_type, "Unsqueeze") == 0 ? *count : 0;
    if (status == STOA_OK && rank > STOA_ONNX_RANK) {
        return stoa_onnx_refuse(import, "makes more than %d axes", STOA_ONNX_RANK);
    }
    for (size_t i = 0; i < *count && status == STOA_OK; i++) {
        size_t axis = 0;
        status = stoa_onnx_axis(import, attribute ? attribute->ints[i] : stoa_onnx_integer_at(input, i), rank,
                                &axis);
        if (status == STOA_OK && listed[axis]) {
            return stoa_onnx_refuse(import, "names axis %zu twice", axis);
        }
        listed[axis] = true;
    }
    return status;
}

static stoa_status unsqueeze(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    bool listed[STOA_ONNX_RANK] = {false};
    size_t count = 0, from = 0;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = axes_of(import, node, in->rank, listed, &count);
    }
    if (status != STOA_OK) {
        return status;
    }
    out.rank = in->rank + count;
    for (size_t i = 0; i < out.rank; i++) {
        out.dim[i] = listed[i] ? 1 : in->dim[from++];
    }
    return give_shaped(import, node, in, &out);
}

static stoa_status squeeze(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    bool listed[STOA_ONNX_RANK] = {false};
    size_t count = 0;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = axes_of(import, node, in->rank, listed, &count);
    }
    if (status != STOA_OK) {
        return status;
    }
    out.rank = 0;
    for (size_t i = 0; i < in->rank; i++) {
        if (count > 0 ? !listed[i] : in->dim[i] != 1) {
            out.dim[out.rank++] = in->dim[i];
        }
    }
    return give_shaped(import, node, in, &out);
}

const struct stoa_onnx_row stoa_onnx_fold_shape_rows[] = {
    {"Constant", 1, constant}, {"ConstantOfShape", 9, constant_of_shape},
    {"Shape", 1, shape},       {"Size", 1, size},
    {"Range", 11, range},      {"Identity", 1, identity},
    {"Reshape", 5, reshape},   {"Unsqueeze", 1, unsqueeze},
    {"Squeeze", 1, squeeze},   {NULL, 0, NULL},
};
