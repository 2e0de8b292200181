/* SPDX-License-Identifier: MIT */
/* Nodes over constants alone that move numbers: each result is a walk over its numbers and says where in an
 * input each of them stands. */
#include <string.h>

#include "base/size.h"
#include "onnx/import.h"

static void copy(struct stoa_onnx_tensor *to, size_t at, const struct stoa_onnx_tensor *from, size_t index) {
    if (to->i) {
        to->i[at] = from->i[index];
    } else if (to->f) {
        to->f[at] = from->f[index];
    } else {
        to->d[at] = from->d[index];
    }
}

/* The first input, which has to be there, and a result of its type. */
static stoa_status first_input(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
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

/* A shape among constants; the batch's size is none. */
static stoa_status read_shape(struct stoa_onnx_import *import, const struct stoa_onnx_tensor *shape,
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
        status = read_shape(import, shape, &out);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_tensor_make(&import->source, &out);
    }
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        if (value.count == 1) {
            copy(&out, i, &value, 0);
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
    stoa_status status = first_input(import, node, &in, &out);
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
        copy(out, i, in, i);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, out) : status;
}

static stoa_status identity(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    stoa_status status = first_input(import, node, &in, &out);
    return status == STOA_OK ? give_shaped(import, node, in, &out) : status;
}

static stoa_status reshape(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *target = NULL;
    struct stoa_onnx_tensor out;
    stoa_status status = first_input(import, node, &in, &out);
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
    stoa_status status = first_input(import, node, &in, &out);
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
    stoa_status status = first_input(import, node, &in, &out);
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

static stoa_status transpose(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    size_t order[STOA_ONNX_RANK] = {0}, stride[STOA_ONNX_RANK];
    stoa_status status = first_input(import, node, &in, &out);
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
        copy(&out, i, in, from);
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
    stoa_status status = first_input(import, node, &in, &out);
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
    for (size_t i = 0; i < indices->count; i++) {
        const int64_t at = stoa_onnx_integer_at(indices, i);
        if (at < -(int64_t)walk.size || at >= (int64_t)walk.size) {
            return stoa_onnx_refuse(import, "index %lld: expected one of %zu", (long long)at, walk.size);
        }
    }
    status = stoa_onnx_tensor_make(&import->source, &out);
    for (size_t i = 0; i < out.count && status == STOA_OK; i++) {
        const size_t inner = i % walk.inner, k = i / walk.inner % indices->count;
        const size_t outer = i / walk.inner / indices->count;
        int64_t at = stoa_onnx_integer_at(indices, k);
        at += at < 0 ? (int64_t)walk.size : 0;
        copy(&out, i, in, (outer * walk.size + (size_t)at) * walk.inner + inner);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

static stoa_status concat(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *part = NULL;
    struct stoa_onnx_tensor out;
    size_t axis = 0, total = 0;
    stoa_status status = first_input(import, node, &in, &out);
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
            copy(&out, k / run * total * walk.inner + begin * walk.inner + k % run, part, k);
        }
        begin += walk.size;
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

/* Where a slice of one axis begins, how it goes on and how many numbers it takes. */
static size_t slice_axis(size_t size, int64_t start, int64_t end, int64_t step, int64_t *first) {
    const int64_t n = (int64_t)size, lowest = step < 0 ? -1 : 0, highest = step < 0 ? n - 1 : n;
    start = start < 0 ? (start < -n ? -n : start) + n : start;
    end = end < 0 ? (end < -n ? -n - 1 : end) + n : end;
    start = start < 0 ? 0 : start > highest ? highest : start;
    end = end < lowest ? lowest : end > n ? n : end;
    *first = start;
    const int64_t span = step < 0 ? start - end : end - start, stride = step < 0 ? -step : step;
    return span > 0 ? (size_t)((span + stride - 1) / stride) : 0;
}

/* Input `index` or, before opset 10, an attribute: one number of it, or what stands where there is none. */
static int64_t slice_number(const struct stoa_onnx_tensor *input, const StoaOnnx__Attribute *attribute,
                            size_t i, int64_t fallback) {
    return attribute && i < attribute->n_ints ? attribute->ints[i]
           : input && i < input->count        ? stoa_onnx_integer_at(input, i)
                                              : fallback;
}

stoa_status stoa_onnx_cuts_read(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t rank,
                                const size_t *dim, struct stoa_onnx_cut *cuts, size_t *count) {
    static const char *const names[] = {"starts", "ends", "axes", "steps"};
    const struct stoa_onnx_tensor *input[4] = {NULL};
    const StoaOnnx__Attribute *attribute[4] = {NULL};
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < 4 && status == STOA_OK; i++) {
        attribute[i] = import->opset < 10 ? stoa_onnx_attribute(node, names[i]) : NULL;
        status = stoa_onnx_constant(import, node, i + 1, &input[i]);
    }
    *count = attribute[0] ? attribute[0]->n_ints : input[0] ? input[0]->count : 0;
    if (status == STOA_OK && *count > rank) {
        return stoa_onnx_refuse(import, "cuts %zu axes, its input has %zu", *count, rank);
    }
    for (size_t i = 0; i < *count && status == STOA_OK; i++) {
        struct stoa_onnx_cut *cut = &cuts[i];
        status =
            stoa_onnx_axis(import, slice_number(input[2], attribute[2], i, (int64_t)i), rank, &cut->axis);
        cut->step = slice_number(input[3], attribute[3], i, 1);
        if (status == STOA_OK && (cut->step == 0 || cut->step == INT64_MIN)) {
            return stoa_onnx_refuse(import, "steps: found 0");
        }
        if (status == STOA_OK) {
            cut->count =
                slice_axis(dim[cut->axis], slice_number(input[0], attribute[0], i, 0),
                           slice_number(input[1], attribute[1], i, INT64_MAX), cut->step, &cut->first);
        }
    }
    return status;
}

static stoa_status slice(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL;
    struct stoa_onnx_tensor out;
    struct stoa_onnx_cut cuts[STOA_ONNX_RANK];
    int64_t first[STOA_ONNX_RANK] = {0}, step[STOA_ONNX_RANK];
    size_t stride[STOA_ONNX_RANK], count = 0;
    stoa_status status = first_input(import, node, &in, &out);
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
        copy(&out, i, in, from);
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

static stoa_status expand(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *in = NULL, *target = NULL;
    struct stoa_onnx_tensor out, shape = {.type = 0};
    stoa_status status = first_input(import, node, &in, &out);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &target);
    }
    if (status == STOA_OK) {
        status = read_shape(import, target, &shape);
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
        copy(&out, i, in, stoa_onnx_broadcast_index(in, &out, i));
    }
    return status == STOA_OK ? stoa_onnx_give(import, node, &out) : status;
}

const struct stoa_onnx_row stoa_onnx_fold_shape_rows[] = {
    {"Constant", 1, constant},   {"ConstantOfShape", 9, constant_of_shape},
    {"Shape", 1, shape},         {"Range", 11, range},
    {"Identity", 1, identity},   {"Reshape", 5, reshape},
    {"Unsqueeze", 1, unsqueeze}, {"Squeeze", 1, squeeze},
    {"Transpose", 1, transpose}, {"Gather", 1, gather},
    {"Concat", 4, concat},       {"Slice", 1, slice},
    {"Expand", 8, expand},       {NULL, 0, NULL},
};
