/* SPDX-License-Identifier: MIT */
/* What Slice says of the axes of a tensor, be it a constant or what the network computes. */
#include "onnx/import.h"

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
