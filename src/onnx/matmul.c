/* SPDX-License-Identifier: MIT */
/* MatMul of two values that the network computes: a product of matrices for each place of the axes in front
 * of the last two. */
#include <string.h>

#include "onnx/import.h"

/* The axes in front of the last two, and these two as rows and columns. */
struct sizes {
    size_t lead, rows, columns;
};

static struct sizes sizes_of(const struct stoa_onnx_layout *layout) {
    struct sizes sizes = {1, layout->dim[layout->rank - 2], layout->dim[layout->rank - 1]};
    for (size_t i = 0; i + 2 < layout->rank; i++) {
        sizes.lead *= layout->dim[i];
    }
    return sizes;
}

/* The matrices of a value as they lie: by rows, or by columns, which the product reads transposed. */
static stoa_status bring_matrices(struct stoa_onnx_import *import, struct stoa_onnx_value *value,
                                  const struct sizes *sizes, bool *transposed) {
    size_t order[STOA_ONNX_AXES];
    const size_t rank = value->layout.rank;
    for (size_t i = 0; i < rank; i++) {
        order[i] = i;
    }
    order[rank - 2] = rank - 1;
    order[rank - 1] = rank - 2;
    *transposed = !stoa_onnx_layout_is(&value->layout, NULL) && stoa_onnx_layout_is(&value->layout, order);
    stoa_status status = *transposed ? STOA_OK : stoa_onnx_bring(import, value, NULL);
    const size_t shape[] = {sizes->lead, *transposed ? sizes->columns : sizes->rows,
                            *transposed ? sizes->rows : sizes->columns};
    return status == STOA_OK ? stoa_onnx_view(import, value, 3, shape) : status;
}

stoa_status stoa_onnx_matmul(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             struct stoa_onnx_value *a, struct stoa_onnx_value *b) {
    const size_t rank = a->layout.rank;
    struct stoa_onnx_layout layout;
    bool turned[2] = {false, false};
    size_t dim[STOA_ONNX_AXES];
    if (rank < 2 || b->layout.rank != rank) {
        return stoa_onnx_refuse(import,
                                "its inputs have %zu and %zu axes, expected as many, and two behind the "
                                "batch at least",
                                rank + import->lead, b->layout.rank + import->lead);
    }
    for (size_t i = 0; i + 2 < rank; i++) {
        if (a->layout.dim[i] != b->layout.dim[i]) {
            return stoa_onnx_refuse(import, "axis %zu of its inputs is %zu and %zu, expected the same",
                                    i + import->lead, a->layout.dim[i], b->layout.dim[i]);
        }
    }
    const struct sizes left = sizes_of(&a->layout), right = sizes_of(&b->layout);
    if (left.columns != right.rows) {
        return stoa_onnx_refuse(import, "its inputs have %zu columns and %zu rows, expected as many",
                                left.columns, right.rows);
    }
    memcpy(dim, a->layout.dim, sizeof dim);
    dim[rank - 1] = right.columns;
    stoa_onnx_layout_make(&layout, rank, dim, NULL);
    stoa_status status = bring_matrices(import, a, &left, &turned[0]);
    if (status == STOA_OK) {
        status = bring_matrices(import, b, &right, &turned[1]);
    }
    struct stoa_onnx_value *const both[] = {a, b};
    return status == STOA_OK
               ? stoa_onnx_layer(import, node, NULL, both, 2, &layout, "matmul%s%s",
                                 turned[0] ? " transpose_a=true" : "", turned[1] ? " transpose_b=true" : "")
               : status;
}
