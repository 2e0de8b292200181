/* SPDX-License-Identifier: MIT */
/* Gather of what the network computes, by constant places: slices, one behind the other. */
#include <stdlib.h>
#include <string.h>

#include "onnx/import.h"
#include "ops/op.h"

/* The places from `*next` on that lie evenly: one slice. */
static stoa_status next_cut(struct stoa_onnx_import *import, const struct stoa_onnx_tensor *places,
                            size_t size, size_t *next, struct stoa_onnx_cut *cut) {
    int64_t last = 0;
    cut->count = 0;
    for (; *next < places->count; (*next)++, cut->count++) {
        const int64_t found = stoa_onnx_integer_at(places, *next);
        const int64_t place = found < 0 ? found + (int64_t)size : found;
        if (place < 0 || place >= (int64_t)size) {
            return stoa_onnx_refuse(import, "takes place %lld of %zu", (long long)found, size);
        }
        if (cut->count == 0) {
            cut->first = place;
            cut->step = 1;
        } else if (cut->count == 1 && place != last) {
            cut->step = place - last;
        } else if (cut->count == 1 || place - last != cut->step) {
            return STOA_OK;
        }
        last = place;
    }
    return STOA_OK;
}

/* The slices, each a value of its own, as the node's output 0. */
static stoa_status join_cuts(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             struct stoa_onnx_value *value, const struct stoa_onnx_tensor *places,
                             size_t axis) {
    struct stoa_onnx_value *const made = stoa_onnx_find(import, node->output[0]);
    struct stoa_onnx_value *cuts = malloc(STOA_MAX_INPUTS * sizeof *cuts), *part[STOA_MAX_INPUTS];
    size_t count = 0;
    stoa_status status = STOA_OK;
    if (!cuts) {
        return stoa_error_set(import->error, STOA_ERR_MEMORY, "no memory for a node's slices");
    }
    for (size_t next = 0; next < places->count && status == STOA_OK; count++) {
        struct stoa_onnx_cut cut = {.axis = axis};
        if (count == STOA_MAX_INPUTS) {
            status = stoa_onnx_refuse(import, "takes %zu places that are more than %d slices", places->count,
                                      (int)STOA_MAX_INPUTS);
            break;
        }
        status = next_cut(import, places, value->layout.dim[axis], &next, &cut);
        if (status == STOA_OK) {
            status = stoa_onnx_cut(import, node, value, &cut);
        }
        cuts[count] = *made;
        part[count] = &cuts[count];
    }
    if (status == STOA_OK) {
        status = stoa_onnx_concat(import, node, part, count, axis);
    }
    free(cuts);
    return status;
}

static stoa_status gather(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value, *made = stoa_onnx_find(import, node->output[0]);
    const struct stoa_onnx_tensor *places = NULL;
    size_t axis = 0, dim[STOA_ONNX_AXES], kept = 0;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_sample_axis(import, value, stoa_onnx_int(node, "axis", 0), &axis);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &places);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (!places || places->count == 0 || places->rank + value->layout.rank - 1 > STOA_ONNX_AXES) {
        return stoa_onnx_refuse(import, "takes %zu places with %zu axes, expected one or more",
                                places ? places->count : 0, places ? places->rank : 0);
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        if (i != axis) {
            dim[kept++] = value->layout.dim[i];
            continue;
        }
        for (size_t k = 0; k < places->rank; k++) {
            dim[kept++] = places->dim[k];
        }
    }
    status = join_cuts(import, node, value, places, axis);
    return status == STOA_OK ? stoa_onnx_reshape(import, node, made, kept, dim) : status;
}

const struct stoa_onnx_row stoa_onnx_gather_rows[] = {
    {"Gather", 1, gather},
    {NULL, 0, NULL},
};
