/* SPDX-License-Identifier: MIT */
/* Nodes over constants alone that move numbers: each result is a walk over its numbers and says where in an
 * input each of them stands. */
#include "onnx/fold.h"

#include <string.h>

#include "base/size.h"

void stoa_onnx_fold_put(struct stoa_onnx_tensor *to, size_t at, const struct stoa_onnx_tensor *from,
                        size_t index) {
    if (to->i) {
        to->i[at] = from->i[index];
    } else if (to->f) {
        to->f[at] = from->f[index];
    } else {
        to->d[at] = from->d[index];
    }
}

stoa_status stoa_onnx_fold_first(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                 const struct stoa_onnx_tensor **in, struct stoa_onnx_tensor *out) {
    stoa_status status = stoa_onnx_constant(import, node, 0, in);
    if (status == STOA_OK && !*in) {
        return stoa_onnx_refuse(import, "has no input");
    }
    if (status == STOA_OK) {
        *out = (struct stoa_onnx_tensor){.type = (*in)->type, .rank = (*in)->rank};
        memcpy(out->dim, (*in)->dim, sizeof out->dim);
    }
    return status;
}

stoa_status stoa_onnx_fold_shape(struct stoa_onnx_import *import, const struct stoa_onnx_tensor *shape,
                                 struct stoa_onnx_tensor *out) {
    if (!shape || shape->count > STOA_ONNX_RANK) {
        return stoa_onnx_refuse(import, "has a shape of %zu axes, expected up to %d",
                                shape ? shape->count : 0, STOA_ONNX_RANK);
    }
    out->rank = shape->count;
    for (size_t i = 0; i < shape->count; i++) {
        int64_t size = stoa_onnx_integer_at(shape, i);
        size = size == STOA_ONNX_BATCH && import->batch > 0 ? (int64_t)import->batch : size;
        if (size < 0 || (uint64_t)size > STOA_MAX_DIMENSION) {
            return stoa_onnx_refuse(import, "asks for an axis of %lld", (long long)size);
        }
        out->dim[i] = (size_t)size;
    }
    return STOA_OK;
}

static stoa_status transpose(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    size_t order[STOA_ONNX_RANK] = {0}, stride[STOA_ONNX_RANK] = {0};
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status != STOA_OK) {
        return status;
    }
    const StoaOnnx__Attribute *perm = stoa_onnx_attribute(node, "perm");
    size_t seen = 0;
    for (size_t i = 0; i < in->rank; i++) {
        const int64_t axis = !perm ? (int64_t)(in->rank - 1 - i) : i < perm->n_ints ? perm->ints[i] : -1;
        if (axis < 0 || axis >= (int64_t)in->rank || (seen >> axis & 1U) != 0) {
            return stoa_onnx_refuse(import, "perm: found %lld, expected each axis once", (long long)axis);
        }
        seen |= (size_t)1 << axis;
        order[i] = (size_t)axis;
        out.dim[i] = in->dim[axis];
    }
    for (size_t i = in->rank, step = 1; i-- > 0; step *= in->dim[i]) {
        stride[i] = step;
    }
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        size_t rest = i, from = 0;
        for (size_t k = out.rank; k-- > 0; rest /= out.dim[k]) {
            from += rest % out.dim[k] * stride[order[k]];
        }
        stoa_onnx_fold_put(&out, i, in, from);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

/* Numbers before an axis, on it, and in one step along it. */
struct walk {
    size_t outer, size, inner;
};

static struct walk walk_of(const struct stoa_onnx_tensor *tensor, size_t axis) {
    struct walk walk = {1, tensor->dim[axis], 1};
    for (size_t i = 0; i < tensor->rank; i++) {
        *(i < axis ? &walk.outer : &walk.inner) *= i == axis ? 1 : tensor->dim[i];
    }
    return walk;
}

static stoa_status gather(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *indices = NULL;
    struct stoa_onnx_tensor out;
    size_t axis = 0;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &indices);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_axis(import, stoa_onnx_int(node, "axis", 0), in->rank, &axis);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (!indices || in->rank + indices->rank - 1 > STOA_ONNX_RANK) {
        return stoa_onnx_refuse(import, "has no indices of few axes");
    }
    const struct walk walk = walk_of(in, axis);
    out.rank = in->rank + indices->rank - 1;
    memcpy(out.dim + axis, indices->dim, indices->rank * sizeof *out.dim);
    memcpy(out.dim + axis + indices->rank, in->dim + axis + 1, (in->rank - axis - 1) * sizeof *out.dim);
    const size_t picks = stoa_max(indices->count, 1);
    for (size_t i = 0; i < indices->count; i++) {
        const int64_t at = stoa_onnx_integer_at(indices, i);
        if (at < -(int64_t)walk.size || at >= (int64_t)walk.size) {
            return stoa_onnx_refuse(import, "index %lld: expected one of %zu", (long long)at, walk.size);
        }
    }
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        const size_t inner = i % walk.inner, k = i / walk.inner % picks;
        const size_t outer = i / walk.inner / picks;
        int64_t at = stoa_onnx_integer_at(indices, k);
        at += at < 0 ? (int64_t)walk.size : 0;
        stoa_onnx_fold_put(&out, i, in, (outer * walk.size + (size_t)at) * walk.inner + inner);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

static stoa_status concat(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *part = NULL;
    struct stoa_onnx_tensor out;
    size_t axis = 0, total = 0;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = stoa_onnx_axis(import, stoa_onnx_int(node, "axis", 0), in->rank, &axis);
    }
    for (size_t i = 0; i < node->n_input && status == STOA_OK; i++) {
        status = stoa_onnx_constant(import, node, i, &part);
        bool fits =
            status == STOA_OK && part && part->rank == in->rank && !part->i == !in->i && !part->f == !in->f;
        for (size_t k = 0; k < in->rank && fits; k++) {
            fits = k == axis || part->dim[k] == in->dim[k];
        }
        if (status == STOA_OK && !fits) {
            return stoa_onnx_refuse(import, "its inputs do not fit each other");
        }
        total += part ? part->dim[axis] : 0;
    }
    out.dim[axis] = total;
    if (status == STOA_OK) {
        status = stoa_onnx_tensor_make(&import->source, &out);
    }
    for (size_t i = 0, begin = 0; i < node->n_input && status == STOA_OK; i++) {
        status = stoa_onnx_constant(import, node, i, &part);
        const struct walk walk = walk_of(part, axis);
        const size_t run = walk.size * walk.inner;
        for (size_t k = 0; k < part->count; k++) {
            stoa_onnx_fold_put(&out, k / run * total * walk.inner + begin * walk.inner + k % run, part, k);
        }
        begin += walk.size;
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

static stoa_status slice(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    struct stoa_onnx_cut cuts[STOA_ONNX_RANK];
    int64_t first[STOA_ONNX_RANK] = {0}, step[STOA_ONNX_RANK] = {0};
    size_t stride[STOA_ONNX_RANK] = {0}, count = 0;
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = stoa_onnx_cuts_read(import, node, in->rank, in->dim, cuts, &count);
    }
    if (status != STOA_OK) {
        return status;
    }
    for (size_t i = in->rank, inner = 1; i-- > 0; inner *= in->dim[i]) {
        stride[i] = inner;
        step[i] = 1;
    }
    for (size_t i = 0; i < count; i++) {
        first[cuts[i].axis] = cuts[i].first;
        step[cuts[i].axis] = cuts[i].step;
        out.dim[cuts[i].axis] = cuts[i].count;
    }
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        size_t rest = i, from = 0;
        for (size_t k = out.rank; k-- > 0; rest /= out.dim[k]) {
            from += (size_t)(first[k] + (int64_t)(rest % out.dim[k]) * step[k]) * stride[k];
        }
        stoa_onnx_fold_put(&out, i, in, from);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

static stoa_status expand(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *target = NULL;
    struct stoa_onnx_tensor out, shape = {.type = 0};
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &target);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_fold_shape(import, target, &shape);
    }
    if (status != STOA_OK) {
        return status;
    }
    out.rank = shape.rank > in->rank ? shape.rank : in->rank;
    for (size_t i = 0; i < out.rank; i++) {
        const size_t left = i + in->rank < out.rank ? 1 : in->dim[i + in->rank - out.rank];
        const size_t right = i + shape.rank < out.rank ? 1 : shape.dim[i + shape.rank - out.rank];
        if (left != right && left != 1 && right != 1) {
            return stoa_onnx_refuse(import, "an axis of %zu is to be %zu", left, right);
        }
        out.dim[i] = left == 1 ? right : left;
    }
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        stoa_onnx_fold_put(&out, i, in, stoa_onnx_broadcast_index(in, &out, i));
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

/* Copies of the input one behind the other along each axis. */
static stoa_status tile(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *repeats = NULL;
    struct stoa_onnx_tensor out = {.type = 0};
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &repeats);
    }
    if (status == STOA_OK && (!repeats || repeats->count != in->rank)) {
        return stoa_onnx_refuse(import, "has %zu repeats, expected one for each of %zu axes",
                                repeats ? repeats->count : 0, in->rank);
    }
    for (size_t i = 0; i < out.rank && status == STOA_OK; i++) {
        const int64_t times = stoa_onnx_integer_at(repeats, i);
        if (times < 0 || (uint64_t)times > STOA_MAX_DIMENSION ||
            !stoa_size_scale(&out.dim[i], (size_t)times) || out.dim[i] > STOA_MAX_DIMENSION) {
            return stoa_onnx_refuse(import, "repeats axis %zu %lld times", i, (long long)times);
        }
    }
    status = status == STOA_OK ? stoa_onnx_tensor_make(&import->source, &out) : status;
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        size_t rest = i, from = 0, stride = 1;
        for (size_t k = out.rank; k-- > 0; rest /= out.dim[k]) {
            from += rest % out.dim[k] % in->dim[k] * stride;
            stride *= in->dim[k];
        }
        stoa_onnx_fold_put(&out, i, in, from);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

/* The numbers above a diagonal of the last two axes, or those below it; the others are 0. */
static stoa_status trilu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *shift = NULL;
    struct stoa_onnx_tensor out = {.type = 0};
    stoa_status status = stoa_onnx_fold_first(import, node, &in, &out);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &shift);
    }
    if (status == STOA_OK && (in->rank < 2 || (shift && shift->count != 1))) {
        return stoa_onnx_refuse(import,
                                "has an input of %zu axes and %zu diagonals, expected 2 or more and one",
                                in->rank, shift ? shift->count : 1);
    }
    status = status == STOA_OK ? stoa_onnx_tensor_make(&import->source, &out) : status;
    const double diagonal = shift ? (double)stoa_onnx_integer_at(shift, 0) : 0;
    const bool upper = stoa_onnx_int(node, "upper", 1) != 0;
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        const size_t columns = out.dim[out.rank - 1], rows = out.dim[out.rank - 2];
        const double from = (double)(i % columns) - (double)(i / columns % rows);
        if (upper ? from >= diagonal : from <= diagonal) {
            stoa_onnx_fold_put(&out, i, in, i);
        } else {
            stoa_onnx_put(&out, i, 0);
        }
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

const struct stoa_onnx_row stoa_onnx_fold_move_rows[] = {
    {"Transpose", 1, transpose}, {"Gather", 1, gather}, {"Concat", 4, concat}, {"Slice", 1, slice},
    {"Expand", 8, expand},       {"Tile", 6, tile},     {"Trilu", 14, trilu},  {NULL, 0, NULL},
};
