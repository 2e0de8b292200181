/* SPDX-License-Identifier: MIT */
/* Operators over several values. */
#include <stdio.h>
#include <string.h>

#include "onnx/import.h"
#include "ops/op.h"

/* Numbers before an axis in memory, and from there on: the axis and what lies inside it are one run. Behind
 * the first input, NULL for itself, others have what is before as that one has it. */
static stoa_status view_runs(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                             const struct stoa_onnx_value *first, const size_t *order, size_t axis) {
    size_t outer = 1, run = 1;
    bool inside = false;
    for (size_t i = 0; i < value->layout.rank; i++) {
        inside = inside || order[i] == axis;
        *(inside ? &run : &outer) *= value->layout.dim[order[i]];
    }
    const size_t *before = first && first->shape_rank == 3 ? first->shape : NULL;
    if (value->shape_rank == 3 && value->shape[2] == run &&
        (!first || (before && before[0] == value->shape[0] && before[1] == value->shape[1]))) {
        return STOA_OK;
    }
    return before       ? stoa_onnx_view(import, value, 3, (size_t[]){before[0], before[1], run})
           : outer == 1 ? stoa_onnx_view(import, value, 1, &run)
                        : stoa_onnx_view(import, value, 3, (size_t[]){1, outer, run});
}

static bool fits_beside(const struct stoa_onnx_layout *a, const struct stoa_onnx_layout *b, size_t axis) {
    bool fits = a->rank == b->rank;
    for (size_t i = 0; i < a->rank && fits; i++) {
        fits = i == axis || a->dim[i] == b->dim[i];
    }
    return fits;
}

/* All in the order of the first, the axis and what lies inside it as channels. */
static stoa_status bring_parts(struct stoa_onnx_import *import, struct stoa_onnx_value *const *values,
                               size_t count, size_t axis, const size_t *order, size_t *total) {
    stoa_status status = STOA_OK;
    *total = 0;
    for (size_t i = 0; i < count && status == STOA_OK; i++) {
        if (!fits_beside(&values[0]->layout, &values[i]->layout, axis)) {
            return stoa_onnx_refuse(import, "its inputs do not fit each other");
        }
        status = stoa_onnx_bring(import, values[i], order);
        if (status == STOA_OK) {
            status = view_runs(import, values[i], i > 0 ? values[0] : NULL, order, axis);
        }
        *total += status == STOA_OK ? values[i]->layout.dim[axis] : 0;
    }
    return status;
}

stoa_status stoa_onnx_concat(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             struct stoa_onnx_value *const *values, size_t count, size_t axis) {
    size_t total = 0, order[STOA_ONNX_AXES], dim[STOA_ONNX_AXES];
    struct stoa_onnx_layout layout;
    if (count == 1) {
        return stoa_onnx_alias(import, node, 0, values[0], &values[0]->layout);
    }
    if (!stoa_onnx_layout_order(&values[0]->layout, order)) {
        for (size_t i = 0; i < values[0]->layout.rank; i++) {
            order[i] = i;
        }
    }
    stoa_status status = bring_parts(import, values, count, axis, order, &total);
    if (status != STOA_OK) {
        return status;
    }
    memcpy(dim, values[0]->layout.dim, sizeof dim);
    dim[axis] = total;
    stoa_onnx_layout_make(&layout, values[0]->layout.rank, dim, order);
    return stoa_onnx_layer(import, node, NULL, values, count, &layout, "concat");
}

static stoa_status concat(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *values[STOA_MAX_INPUTS] = {NULL};
    size_t axis = 0;
    stoa_status status = STOA_OK;
    if (node->n_input < 1 || node->n_input > STOA_MAX_INPUTS) {
        return stoa_onnx_refuse(import, "has %zu inputs, expected 1 to %d", node->n_input,
                                (int)STOA_MAX_INPUTS);
    }
    for (size_t i = 0; i < node->n_input && status == STOA_OK; i++) {
        status = stoa_onnx_activation(import, node, i, &values[i]);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_sample_axis(import, values[0], stoa_onnx_int(node, "axis", 1), &axis);
    }
    return status == STOA_OK ? stoa_onnx_concat(import, node, values, node->n_input, axis) : status;
}

const struct stoa_onnx_row stoa_onnx_join_rows[] = {
    {"Concat", 4, concat},
    {NULL, 0, NULL},
};
