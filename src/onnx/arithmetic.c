/* SPDX-License-Identifier: MIT */
/* Add, Sub, Mul, Div, Min and Max with ONNX's broadcasting: of what the network computes, and of one such
 * value and a constant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "onnx/import.h"

/* Sizes of both sides along the axes of a result, right-aligned, the batch in front left out. */
struct sides {
    size_t rank;
    size_t dim[2][STOA_ONNX_AXES];
    size_t order[STOA_ONNX_AXES]; /* of the axes in memory */
};

/* The result's axes; false where the two do not fit each other. */
static bool result_of(const struct sides *sides, struct stoa_onnx_layout *layout) {
    size_t dim[STOA_ONNX_AXES];
    for (size_t i = 0; i < sides->rank; i++) {
        const size_t a = sides->dim[0][i], b = sides->dim[1][i];
        if (a != b && a != 1 && b != 1) {
            return false;
        }
        dim[i] = a == 1 ? b : a;
    }
    stoa_onnx_layout_make(layout, sides->rank, dim, sides->rank ? sides->order : NULL);
    return true;
}

/* Both sides as height, width and channels: axes that are broadcast alike and are neighbours in memory count
 * as one where there are more than three. False: they are still more. */
static bool shapes_of(const struct sides *sides, size_t shape[2][3]) {
    size_t group[2][STOA_ONNX_AXES], groups = 0, real = 0;
    for (size_t i = 0; i < sides->rank; i++) {
        real += sides->dim[0][i] > 1 || sides->dim[1][i] > 1;
    }
    int last = -1;
    for (size_t i = 0; i < sides->rank; i++) {
        const size_t a = sides->dim[0][sides->order[i]], b = sides->dim[1][sides->order[i]];
        const int kind = a == b ? 0 : a == 1 ? 1 : 2;
        if (a == 1 && b == 1) {
            continue;
        }
        if (real > 3 && kind == last) {
            group[0][groups - 1] *= a;
            group[1][groups - 1] *= b;
        } else {
            group[0][groups] = a;
            group[1][groups++] = b;
        }
        last = kind;
    }
    for (size_t i = 0; i < 3 && groups <= 3; i++) {
        for (size_t k = 0; k < 2; k++) {
            shape[k][i] = i + groups < 3 ? 1 : group[k][i + groups - 3];
        }
    }
    return groups <= 3;
}

/* The order in which a value's axes lie, or ONNX's where they lie in parts. */
static void order_of(const struct stoa_onnx_value *value, size_t order[STOA_ONNX_AXES]) {
    if (!stoa_onnx_layout_order(&value->layout, order)) {
        for (size_t i = 0; i < value->layout.rank; i++) {
            order[i] = i;
        }
    }
}

/* A vector is an image of one pixel. */
static stoa_status view(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                        const size_t shape[3]) {
    const bool is_there =
        value->shape_rank == 1 && shape[0] == 1 && shape[1] == 1 && value->shape[0] == shape[2];
    return is_there ? STOA_OK : stoa_onnx_view(import, value, 3, shape);
}

stoa_status stoa_onnx_combine(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *op,
                              struct stoa_onnx_value *value[2]) {
    struct sides sides = {.rank = value[0]->layout.rank};
    struct stoa_onnx_layout layout;
    size_t shape[2][3];
    if (value[1]->layout.rank != sides.rank) {
        return stoa_onnx_refuse(import, "its inputs have %zu and %zu axes, expected as many",
                                sides.rank + import->lead, value[1]->layout.rank + import->lead);
    }
    for (size_t k = 0; k < 2; k++) {
        memcpy(sides.dim[k], value[k]->layout.dim, sizeof sides.dim[k]);
    }
    const bool second = stoa_onnx_layout_count(&value[1]->layout) > stoa_onnx_layout_count(&value[0]->layout);
    order_of(value[second], sides.order);
    if (!result_of(&sides, &layout)) {
        return stoa_onnx_refuse(import, "its inputs do not fit each other");
    }
    if (!shapes_of(&sides, shape)) {
        return stoa_onnx_refuse(import, "broadcasts along more than three axes");
    }
    for (size_t k = 0; k < 2; k++) {
        stoa_status status = stoa_onnx_bring(import, value[k], sides.order);
        if (status == STOA_OK) {
            status = view(import, value[k], shape[k]);
        }
        if (status != STOA_OK) {
            return status;
        }
    }
    return stoa_onnx_layer(import, node, NULL, value, 2, &layout, "%s", op);
}

/* The constant's number for a place of its own shape in memory, whose axes stand in `order`. */
static size_t constant_index(const struct sides *sides, size_t place) {
    size_t at[STOA_ONNX_AXES], index = 0;
    for (size_t i = sides->rank; i-- > 0;) {
        const size_t dim = sides->dim[1][sides->order[i]];
        at[sides->order[i]] = place % dim;
        place /= dim;
    }
    for (size_t i = 0; i < sides->rank; i++) {
        index = index * sides->dim[1][i] + at[i];
    }
    return index;
}

/* The layer's own tensor: height x width x channels in memory, C, H, W in what is set. */
static stoa_status set_constant(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                const struct sides *sides, const struct stoa_onnx_tensor *constant,
                                const size_t shape[3]) {
    float *values = malloc((constant->count + 1) * sizeof *values);
    const size_t pixels = shape[0] * shape[1];
    for (size_t place = 0; place < constant->count && values; place++) {
        const size_t pixel = place / shape[2], channel = place % shape[2];
        values[channel * pixels + pixel] = (float)stoa_onnx_at(constant, constant_index(sides, place));
    }
    return stoa_onnx_weights_set(import, node, "value", values, constant->count);
}

/* The constant's sizes, right-aligned; false where it would differ between the samples of a batch. */
static bool constant_sides(const struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                           const struct stoa_onnx_tensor *constant, struct sides *sides) {
    const size_t whole = value->layout.rank + import->lead;
    sides->rank = value->layout.rank;
    memcpy(sides->dim[0], value->layout.dim, sizeof sides->dim[0]);
    if (constant->rank > whole || (import->lead && constant->rank == whole && constant->dim[0] != 1)) {
        return false;
    }
    for (size_t i = 0; i < sides->rank; i++) {
        const size_t from_end = sides->rank - i;
        sides->dim[1][i] = from_end > constant->rank ? 1 : constant->dim[constant->rank - from_end];
    }
    return true;
}

stoa_status stoa_onnx_combine_constant(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                       const char *op, struct stoa_onnx_value *value,
                                       const struct stoa_onnx_tensor *constant, bool reverse) {
    struct sides sides;
    struct stoa_onnx_layout layout;
    size_t shape[2][3];
    char text[32];
    const char *turned = reverse ? " reverse=true" : "";
    if (constant->count == 1 && constant->rank <= value->layout.rank + import->lead) {
        stoa_format_float((float)stoa_onnx_at(constant, 0), text);
        return stoa_onnx_layer(import, node, NULL, &value, 1, &value->layout, "%s value=%s%s", op, text,
                               turned);
    }
    if (!constant_sides(import, value, constant, &sides)) {
        return stoa_onnx_refuse(import, "its constant has %zu axes or differs along the batch",
                                constant->rank);
    }
    order_of(value, sides.order);
    if (!result_of(&sides, &layout) || !shapes_of(&sides, shape)) {
        return stoa_onnx_refuse(import, "its constant does not fit its input, or along more than three axes");
    }
    stoa_status status = stoa_onnx_bring(import, value, sides.order);
    if (status == STOA_OK) {
        status = view(import, value, shape[0]);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_layer(import, node, NULL, &value, 1, &layout, "%s size=%zux%zu channels=%zu%s", op,
                                 shape[1][0], shape[1][1], shape[1][2], turned);
    }
    return status == STOA_OK ? set_constant(import, node, &sides, constant, shape[1]) : status;
}

/* Before opset 7 a node named the axis that a constant's first one stands for: those behind it are 1. */
static void place_axes(const struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                       const struct stoa_onnx_value *value, struct stoa_onnx_tensor *constant) {
    const size_t whole = value->layout.rank + import->lead;
    if (import->opset >= 7 || !stoa_onnx_attribute(node, "axis")) {
        return;
    }
    const int64_t found = stoa_onnx_int(node, "axis", 0), axis = found < 0 ? found + (int64_t)whole : found;
    while (axis >= 0 && constant->rank + (size_t)axis < whole && constant->rank < STOA_ONNX_RANK) {
        constant->dim[constant->rank++] = 1;
    }
}

/* Two operands; `turns` is whether the engine has to be told that the constant comes first. */
static stoa_status combine(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *op,
                           bool turns) {
    struct stoa_onnx_value *value[2] = {stoa_onnx_input(import, node, 0), stoa_onnx_input(import, node, 1)};
    const struct stoa_onnx_tensor *constant = NULL;
    if (!value[0] || !value[1] || node->n_input != 2) {
        return stoa_onnx_refuse(import, "has %zu inputs, expected 2", node->n_input);
    }
    for (size_t k = 0; k < 2; k++) {
        if (value[k]->state == STOA_ONNX_CONSTANT) {
            stoa_status status = stoa_onnx_constant(import, node, k, &constant);
            if (status != STOA_OK) {
                return status;
            }
            struct stoa_onnx_tensor placed = *constant;
            place_axes(import, node, value[1 - k], &placed);
            return stoa_onnx_combine_constant(import, node, op, value[1 - k], &placed, turns && k == 0);
        }
    }
    return stoa_onnx_combine(import, node, op, value);
}

#define COMBINE(name, op, turns)                                                                             \
    static stoa_status name(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {                   \
        return combine(import, node, op, turns);                                                             \
    }
COMBINE(add, "add", false)
COMBINE(subtract, "sub", true)
COMBINE(multiply, "mul", false)
COMBINE(divide, "div", true)

/* Any number of inputs: the first two, and then each of the others with what came of those before. */
static stoa_status combine_all(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *op) {
    struct stoa_onnx_value *value[2], *made = stoa_onnx_find(import, node->output[0]);
    stoa_status status = stoa_onnx_activation(import, node, 0, &value[0]);
    if (status == STOA_OK && node->n_input == 1) {
        return stoa_onnx_alias(import, node, 0, value[0], &value[0]->layout);
    }
    for (size_t i = 1; i < node->n_input && status == STOA_OK; i++) {
        const struct stoa_onnx_value *next = stoa_onnx_input(import, node, i);
        const struct stoa_onnx_tensor *constant = NULL;
        if (next && next->state == STOA_ONNX_CONSTANT) {
            status = stoa_onnx_constant(import, node, i, &constant);
            status = status == STOA_OK
                         ? stoa_onnx_combine_constant(import, node, op, value[0], constant, false)
                         : status;
        } else {
            status = stoa_onnx_activation(import, node, i, &value[1]);
            status = status == STOA_OK ? stoa_onnx_combine(import, node, op, value) : status;
        }
        value[0] = made;
    }
    return status;
}

static stoa_status least(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return combine_all(import, node, "min");
}

static stoa_status most(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return combine_all(import, node, "max");
}

static stoa_status sum(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return combine_all(import, node, "add");
}

static stoa_status mean(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *made = stoa_onnx_find(import, node->output[0]);
    char share[32];
    stoa_status status = combine_all(import, node, "add");
    if (status != STOA_OK || node->n_input == 1) {
        return status;
    }
    stoa_format_float(1.0F / (float)node->n_input, share);
    return stoa_onnx_layer(import, node, NULL, &made, 1, &made->layout, "mul value=%s", share);
}

const struct stoa_onnx_row stoa_onnx_arithmetic_rows[] = {
    {"Add", 6, add},  {"Sub", 6, subtract}, {"Mul", 6, multiply}, {"Div", 6, divide}, {"Min", 6, least},
    {"Max", 6, most}, {"Sum", 6, sum},      {"Mean", 6, mean},    {NULL, 0, NULL},
};
