/* SPDX-License-Identifier: MIT */
/* Tile and Expand of what the network computes. Numbers that are repeated are an image whose height is what
 * lies in front of the axis and whose only column is the rest; it becomes as wide as there are copies. */
#include <string.h>

#include "base/size.h"
#include "onnx/import.h"

/* The node's output 0 is `value` with `times` copies of it along an axis. */
static stoa_status repeat(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                          struct stoa_onnx_value *value, size_t axis, size_t times) {
    size_t order[STOA_ONNX_AXES], dim[STOA_ONNX_AXES], outer = 1, run = 1;
    struct stoa_onnx_layout layout;
    stoa_status status = STOA_OK;
    bool inside = false;
    if (!stoa_onnx_layout_order(&value->layout, order)) {
        for (size_t i = 0; i < value->layout.rank; i++) {
            order[i] = i;
        }
        status = stoa_onnx_bring(import, value, NULL);
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        inside = inside || order[i] == axis;
        *(inside ? &run : &outer) *= value->layout.dim[order[i]];
    }
    if (status == STOA_OK) {
        status = stoa_onnx_view(import, value, 3, (size_t[]){outer, 1, run});
    }
    if (status != STOA_OK) {
        return status;
    }
    memcpy(dim, value->layout.dim, sizeof dim);
    if (!stoa_size_scale(&dim[axis], times) || dim[axis] > STOA_MAX_DIMENSION) {
        return stoa_onnx_refuse(import, "repeats an axis of %zu %zu times", value->layout.dim[axis], times);
    }
    stoa_onnx_layout_make(&layout, value->layout.rank, dim, order);
    return stoa_onnx_layer(import, node, NULL, &value, 1, &layout, "resize size=%zux%zu", outer, times);
}

/* The node's output 0, which is there already, with `times` copies along each axis of a sample. */
static stoa_status repeat_all(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                              const size_t *times) {
    struct stoa_onnx_value *const made = stoa_onnx_find(import, node->output[0]);
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < made->layout.rank && status == STOA_OK; i++) {
        if (times[i] != 1) {
            status = repeat(import, node, made, i, times[i]);
        }
    }
    return status;
}

/* An input's whole numbers, at most as many as there can be axes. */
static stoa_status read_numbers(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                const struct stoa_onnx_tensor **numbers) {
    stoa_status status = stoa_onnx_constant(import, node, 1, numbers);
    if (status == STOA_OK && (!*numbers || (*numbers)->count > STOA_ONNX_AXES)) {
        return stoa_onnx_refuse(import, "has %zu numbers for axes, expected at most %d",
                                *numbers ? (*numbers)->count : 0, STOA_ONNX_AXES);
    }
    return status;
}

static stoa_status tile(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    const struct stoa_onnx_tensor *repeats = NULL;
    size_t times[STOA_ONNX_AXES] = {0};
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = read_numbers(import, node, &repeats);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (repeats->count != value->layout.rank + import->lead) {
        return stoa_onnx_refuse(import, "has %zu repeats, expected one for each of %zu axes", repeats->count,
                                value->layout.rank + import->lead);
    }
    for (size_t i = 0; i < repeats->count; i++) {
        const int64_t n = stoa_onnx_integer_at(repeats, i);
        if (i < import->lead && n != 1) {
            return stoa_onnx_refuse(import, "repeats axis 0, the batch");
        }
        if (n < 1 || (uint64_t)n > STOA_MAX_DIMENSION) {
            return stoa_onnx_refuse(import, "repeats axis %zu %lld times, expected 1 or more", i,
                                    (long long)n);
        }
        if (i >= import->lead) {
            times[i - import->lead] = (size_t)n;
        }
    }
    status = stoa_onnx_alias(import, node, 0, value, &value->layout);
    return status == STOA_OK ? repeat_all(import, node, times) : status;
}

/* How often axis `i` of a whole tensor is repeated to have `size`: once where that is 1 or the axis's own. */
static stoa_status times_of(struct stoa_onnx_import *import, size_t i, int64_t size, size_t held,
                            size_t *times) {
    *times = 1;
    if (size == 1 || size == (int64_t)held) {
        return STOA_OK;
    }
    if (held != 1 || size < 1 || (uint64_t)size > STOA_MAX_DIMENSION) {
        return stoa_onnx_refuse(import, "axis %zu of %zu is to be %lld", i, held, (long long)size);
    }
    *times = (size_t)size;
    return STOA_OK;
}

static stoa_status expand(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    const struct stoa_onnx_tensor *shape = NULL;
    size_t times[STOA_ONNX_AXES] = {0}, dim[STOA_ONNX_AXES];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = read_numbers(import, node, &shape);
    }
    if (status != STOA_OK) {
        return status;
    }
    const size_t whole = value->layout.rank + import->lead;
    if (shape->count > whole && import->lead) {
        return stoa_onnx_refuse(import, "puts an axis in front of the batch");
    }
    const size_t rank = shape->count > whole ? shape->count : whole, more = rank - whole;
    for (size_t i = 0; i < rank; i++) {
        const int64_t size =
            i + shape->count < rank ? 1 : stoa_onnx_integer_at(shape, i + shape->count - rank);
        if (i < import->lead) {
            if (size != 1 && size != STOA_ONNX_BATCH &&
                (import->batch == 0 || size != (int64_t)import->batch)) {
                return stoa_onnx_refuse(import, "repeats axis 0, the batch");
            }
            continue;
        }
        dim[i - import->lead] = i < more ? 1 : value->layout.dim[i - more - import->lead];
        status = times_of(import, i, size, dim[i - import->lead], &times[i - import->lead]);
        if (status != STOA_OK) {
            return status;
        }
    }
    status = stoa_onnx_reshape(import, node, value, rank - import->lead, dim);
    return status == STOA_OK ? repeat_all(import, node, times) : status;
}

const struct stoa_onnx_row stoa_onnx_repeat_rows[] = {
    {"Tile", 6, tile},
    {"Expand", 8, expand},
    {NULL, 0, NULL},
};
