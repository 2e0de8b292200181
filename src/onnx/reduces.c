/* SPDX-License-Identifier: MIT */
/* Means and largest numbers over axes: pools over the whole of an image whose pixels are what is reduced. */
#include <string.h>

#include "onnx/import.h"

/* Which of a sample's axes go: those listed, or all where none is. */
static stoa_status read_axes(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             const struct stoa_onnx_value *value, bool *goes) {
    const struct stoa_onnx_tensor *input = NULL;
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, "axes");
    stoa_status status = stoa_onnx_constant(import, node, 1, &input);
    const size_t count = attribute ? attribute->n_ints : input ? input->count : 0;
    if (status == STOA_OK && count == 0 && import->lead) {
        return stoa_onnx_refuse(import, "reduces all axes, that of the batch too");
    }
    for (size_t i = 0; i < value->layout.rank && count == 0; i++) {
        goes[i] = true;
    }
    for (size_t i = 0; i < count && status == STOA_OK; i++) {
        size_t axis = 0;
        status = stoa_onnx_sample_axis(
            import, value, attribute ? attribute->ints[i] : stoa_onnx_integer_at(input, i), &axis);
        goes[status == STOA_OK ? axis : 0] = true;
    }
    return status;
}

/* What goes lies outermost, as an image's pixels, and what stays innermost, as its channels. */
static stoa_status bring_pixels(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                                const bool *goes) {
    size_t held[STOA_ONNX_AXES], order[STOA_ONNX_AXES], at = 0, pixels = 1, channels = 1;
    const size_t rank = value->layout.rank;
    if (!stoa_onnx_layout_order(&value->layout, held)) {
        for (size_t i = 0; i < rank; i++) {
            held[i] = i;
        }
    }
    for (int stays = 0; stays < 2; stays++) {
        for (size_t i = 0; i < rank; i++) {
            if (goes[held[i]] != (stays == 1)) {
                order[at++] = held[i];
                *(stays ? &channels : &pixels) *= value->layout.dim[held[i]];
            }
        }
    }
    stoa_status status = stoa_onnx_bring(import, value, order);
    if (status != STOA_OK || (value->shape_rank == 3 && value->shape[2] == channels)) {
        return status;
    }
    return stoa_onnx_view(import, value, 3, (size_t[]){1, pixels, channels});
}

stoa_status stoa_onnx_reduce(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             struct stoa_onnx_value *value, const bool *goes, bool keeps, const char *op) {
    size_t held[STOA_ONNX_AXES], number[STOA_ONNX_AXES], dim[STOA_ONNX_AXES], order[STOA_ONNX_AXES];
    size_t rank = 0, count = 0;
    stoa_status status = bring_pixels(import, value, goes);
    if (status != STOA_OK) {
        return status;
    }
    (void)stoa_onnx_layout_order(&value->layout, held);
    for (size_t i = 0; i < value->layout.rank; i++) {
        number[i] = rank;
        if (!goes[i] || keeps) {
            dim[rank++] = goes[i] ? 1 : value->layout.dim[i];
        }
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        if (!goes[held[i]] || keeps) {
            order[count++] = number[held[i]];
        }
    }
    struct stoa_onnx_layout layout;
    stoa_onnx_layout_make(&layout, rank, dim, rank ? order : NULL);
    return stoa_onnx_layer(import, node, NULL, &value, 1, &layout, "%s", op);
}

/* Which axes go; *none where that is said to be nothing. */
static stoa_status reduced_axes(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                const struct stoa_onnx_value *value, bool goes[STOA_ONNX_AXES], bool *none) {
    const struct stoa_onnx_tensor *axes = NULL;
    stoa_status status = STOA_OK;
    memset(goes, 0, STOA_ONNX_AXES * sizeof *goes);
    *none = false;
    if (stoa_onnx_int(node, "noop_with_empty_axes", 0) != 0) {
        status = stoa_onnx_constant(import, node, 1, &axes);
        *none = status == STOA_OK && (!axes || axes->count == 0);
    }
    return status == STOA_OK && !*none ? read_axes(import, node, value, goes) : status;
}

static stoa_status reduce(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                          struct stoa_onnx_value *value, const char *op) {
    bool goes[STOA_ONNX_AXES], none;
    stoa_status status = reduced_axes(import, node, value, goes, &none);
    if (status != STOA_OK) {
        return status;
    }
    return none ? stoa_onnx_alias(import, node, 0, value, &value->layout)
                : stoa_onnx_reduce(import, node, value, goes, stoa_onnx_int(node, "keepdims", 1) != 0, op);
}

/* log(sum(exp(x))) is x - log_softmax(x) at every place, and here at the largest x: nothing overflows. */
static stoa_status reduce_log_sum_exp(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value, *made = stoa_onnx_find(import, node->output[0]);
    const bool keeps = stoa_onnx_int(node, "keepdims", 1) != 0;
    bool goes[STOA_ONNX_AXES], none = false;
    size_t axes[STOA_ONNX_AXES], count = 0;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = reduced_axes(import, node, value, goes, &none);
    }
    if (status != STOA_OK || none) {
        return status == STOA_OK ? stoa_onnx_alias(import, node, 0, value, &value->layout) : status;
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        if (goes[i]) {
            axes[count++] = i;
        }
    }
    struct stoa_onnx_value rows = *value, *from = &rows;
    status = stoa_onnx_rows(import, from, count, axes);
    if (status == STOA_OK) {
        status = stoa_onnx_layer(import, node, NULL, &from, 1, &from->layout, "log_softmax");
    }
    rows = *made;
    if (status == STOA_OK) {
        status = stoa_onnx_reduce(import, node, from, goes, keeps, "global_maxpool");
    }
    struct stoa_onnx_value share = *made, largest, *both[] = {&largest, &share};
    if (status == STOA_OK) {
        status = stoa_onnx_reduce(import, node, value, goes, keeps, "global_maxpool");
    }
    largest = *made;
    return status == STOA_OK ? stoa_onnx_combine(import, node, "sub", both) : status;
}

/* The sum of what `before` makes of each number, and what `after` makes of that; NULL: nothing. */
static stoa_status reduce_made(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                               const char *before, const char *op, const char *after) {
    struct stoa_onnx_value *value, *made = stoa_onnx_find(import, node->output[0]);
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK && before) {
        struct stoa_onnx_value *const both[] = {value, value};
        status = stoa_onnx_layer(import, node, NULL, both, strcmp(before, "mul") == 0 ? 2 : 1, &value->layout,
                                 "%s", before);
        value = made;
    }
    if (status == STOA_OK) {
        status = reduce(import, node, value, op);
    }
    return status == STOA_OK && after
               ? stoa_onnx_layer(import, node, NULL, &made, 1, &made->layout, "%s", after)
               : status;
}

#define REDUCE(name, before, op, after)                                                                      \
    static stoa_status name(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {                   \
        return reduce_made(import, node, before, op, after);                                                 \
    }
#define SUM "reduce by=sum axes=space keepdims=false"
REDUCE(reduce_mean, NULL, "global_avgpool", NULL)
REDUCE(reduce_max, NULL, "global_maxpool", NULL)
REDUCE(reduce_min, "mul value=-1", "global_maxpool", "mul value=-1")
REDUCE(reduce_sum, NULL, SUM, NULL)
REDUCE(reduce_l1, "abs", SUM, NULL)
REDUCE(reduce_l2, "mul", SUM, "sqrt")
REDUCE(reduce_sum_square, "mul", SUM, NULL)
REDUCE(reduce_log_sum, NULL, SUM, "log")

const struct stoa_onnx_row stoa_onnx_reduce_rows[] = {
    {"ReduceMean", 1, reduce_mean},
    {"ReduceMax", 1, reduce_max},
    {"ReduceMin", 1, reduce_min},
    {"ReduceSum", 1, reduce_sum},
    {"ReduceL1", 1, reduce_l1},
    {"ReduceL2", 1, reduce_l2},
    {"ReduceSumSquare", 1, reduce_sum_square},
    {"ReduceLogSum", 1, reduce_log_sum},
    {"ReduceLogSumExp", 1, reduce_log_sum_exp},
    {NULL, 0, NULL},
};
