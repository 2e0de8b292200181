/* SPDX-License-Identifier: MIT */
/* Gemm and MatMul with a constant: linear layers, and over rows of several numbers convolutions of 1x1. */
#include <stdlib.h>
#include <string.h>

#include "onnx/import.h"

/* A weight of `units` rows of `inputs` numbers, as PyTorch has it, and its bias. */
struct product {
    struct stoa_onnx_value *value;
    size_t inputs, units;
    float *weight, *bias; /* from malloc; bias may be NULL */
    const char *stem;
};

/* (inputs, units) becomes (units, inputs). */
static float *transposed(const struct stoa_onnx_tensor *tensor, size_t inputs, size_t units) {
    float *values = malloc((tensor->count + 1) * sizeof *values);
    for (size_t u = 0; u < units && values; u++) {
        for (size_t i = 0; i < inputs; i++) {
            values[u * inputs + i] = (float)stoa_onnx_at(tensor, i * units + u);
        }
    }
    return values;
}

/* A vector of `units` from a constant that is broadcast along the last axis: all other axes are 1. */
static float *bias_of(const struct stoa_onnx_tensor *tensor, size_t units, float scale) {
    for (size_t i = 0; i + 1 < tensor->rank; i++) {
        if (tensor->dim[i] != 1) {
            return NULL;
        }
    }
    if (tensor->count != 1 && tensor->count != units) {
        return NULL;
    }
    float *values = malloc(units * sizeof *values);
    for (size_t i = 0; i < units && values; i++) {
        values[i] = (float)((double)scale * stoa_onnx_at(tensor, tensor->count == 1 ? 0 : i));
    }
    return values;
}

/* Whether the axis's numbers lie as a flattened image does, whose layer has that image's shape: H, W, C in
 * memory where ONNX has C, H, W. Linear layers know that order. */
static bool is_flat_image(const struct stoa_onnx_value *value) {
    if (value->shape_rank != 3 || value->layout.rank < 1) {
        return false;
    }
    struct stoa_onnx_layout image;
    const size_t dim[] = {value->shape[2], value->shape[0], value->shape[1]}, order[] = {1, 2, 0};
    stoa_onnx_layout_make(&image, 3, dim, order);
    return stoa_onnx_layout_reshape(&image, value->layout.rank, value->layout.dim) &&
           stoa_onnx_layout_same(&image, &value->layout);
}

/* One row a sample. */
static stoa_status emit_linear(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                               struct product *product, const struct stoa_onnx_layout *layout) {
    struct stoa_onnx_value input = *product->value, *inputs = &input;
    stoa_status status = STOA_OK;
    if (is_flat_image(&input)) {
        status = stoa_onnx_flatten(import, &input);
    } else {
        status = stoa_onnx_bring(import, product->value, NULL);
        if (status == STOA_OK) {
            status = stoa_onnx_view(import, product->value, 1, &product->inputs);
        }
        inputs = product->value;
    }
    return status == STOA_OK
               ? stoa_onnx_layer(import, node, product->stem, &inputs, 1, layout, "linear units=%zu bias=%s",
                                 product->units, product->bias ? "true" : "false")
               : status;
}

/* Several rows a sample. */
static stoa_status emit_rows(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                             struct product *product, const struct stoa_onnx_layout *layout) {
    const size_t rows = stoa_onnx_layout_count(&product->value->layout) / product->inputs;
    stoa_status status = stoa_onnx_bring(import, product->value, NULL);
    if (status == STOA_OK) {
        status = stoa_onnx_view(import, product->value, 3, (size_t[]){1, rows, product->inputs});
    }
    return status == STOA_OK ? stoa_onnx_layer(import, node, product->stem, &product->value, 1, layout,
                                               "conv2d filters=%zu kernel=1 bias=%s", product->units,
                                               product->bias ? "true" : "false")
                             : status;
}

/* The layer, and its tensors, which belong to the import from here on. */
static stoa_status emit(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                        struct product *product) {
    const struct stoa_onnx_layout *held = &product->value->layout;
    struct stoa_onnx_layout layout;
    size_t dim[STOA_ONNX_AXES];
    memcpy(dim, held->dim, sizeof dim);
    dim[held->rank - 1] = product->units;
    stoa_onnx_layout_make(&layout, held->rank, dim, NULL);
    stoa_status status = stoa_onnx_layout_count(held) == product->inputs
                             ? emit_linear(import, node, product, &layout)
                             : emit_rows(import, node, product, &layout);
    if (status != STOA_OK) {
        free(product->weight);
        free(product->bias);
        return status;
    }
    float *bias = product->bias;
    status = stoa_onnx_weights_set(import, node, "weight", product->weight, product->inputs * product->units);
    if (bias && status != STOA_OK) {
        free(bias);
    } else if (bias) {
        status = stoa_onnx_weights_set(import, node, "bias", bias, product->units);
    }
    return status;
}

/* The weight's shape against the value's last axis. */
static stoa_status check_weight(struct stoa_onnx_import *import, const struct stoa_onnx_tensor *weight,
                                struct product *product, bool swapped) {
    if (!weight || weight->rank != 2 || weight->count == 0) {
        return stoa_onnx_refuse(import, "its weight has %zu axes, expected 2", weight ? weight->rank : 0);
    }
    product->inputs = weight->dim[swapped ? 1 : 0];
    product->units = weight->dim[swapped ? 0 : 1];
    const size_t rank = product->value->layout.rank;
    if (rank < 1 || product->value->layout.dim[rank - 1] != product->inputs) {
        return stoa_onnx_refuse(import, "its weight takes %zu numbers, its input has %zu", product->inputs,
                                rank < 1 ? 1 : product->value->layout.dim[rank - 1]);
    }
    return STOA_OK;
}

static stoa_status gemm(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct product product = {.weight = NULL};
    const struct stoa_onnx_tensor *weight = NULL, *bias = NULL;
    const bool swapped = stoa_onnx_int(node, "transB", 0) != 0;
    const float alpha = stoa_onnx_float(node, "alpha", 1), beta = stoa_onnx_float(node, "beta", 1);
    char stem[64];
    stoa_status status = stoa_onnx_activation(import, node, 0, &product.value);
    if (status == STOA_OK && stoa_onnx_int(node, "transA", 0) != 0) {
        return stoa_onnx_refuse(import, "transA: works along axis 0, the batch");
    }
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &weight);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 2, &bias);
    }
    if (status == STOA_OK) {
        status = check_weight(import, weight, &product, swapped);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (bias && beta != 0) {
        product.bias = bias_of(bias, product.units, beta);
        if (!product.bias) {
            return stoa_onnx_refuse(import, "its C has %zu numbers, expected one for each of %zu units",
                                    bias->count, product.units);
        }
    }
    product.stem = stoa_onnx_stem(import, node, 1, stem);
    product.weight = swapped ? stoa_onnx_floats(weight) : transposed(weight, product.inputs, product.units);
    for (size_t i = 0; i < weight->count && product.weight && alpha != 1; i++) {
        product.weight[i] *= alpha;
    }
    return emit(import, node, &product);
}

/* A bias that stands as a node of its own behind the product: that node is done with then. */
static const StoaOnnx__Node *bias_behind(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                         struct product *product) {
    const StoaOnnx__Node *reader = stoa_onnx_only_reader(import, node);
    if (!reader || !reader->op_type || strcmp(reader->op_type, "Add") != 0 || reader->n_input != 2 ||
        import->opset < 7) {
        return NULL;
    }
    const size_t other = strcmp(reader->input[0], node->output[0]) == 0 ? 1 : 0;
    const struct stoa_onnx_value *value = stoa_onnx_find(import, reader->input[other]);
    const struct stoa_onnx_tensor *bias = NULL;
    if (!value || value->state != STOA_ONNX_CONSTANT ||
        stoa_onnx_constant(import, reader, other, &bias) != STOA_OK ||
        bias->rank > product->value->layout.rank) {
        return NULL;
    }
    product->bias = bias_of(bias, product->units, 1);
    return product->bias ? reader : NULL;
}

static stoa_status matmul(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct product product = {.weight = NULL};
    const struct stoa_onnx_tensor *weight = NULL;
    char stem[64];
    stoa_status status = stoa_onnx_activation(import, node, 0, &product.value);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &weight);
    }
    if (status == STOA_OK) {
        status = check_weight(import, weight, &product, false);
    }
    if (status != STOA_OK) {
        return status;
    }
    const StoaOnnx__Node *add = bias_behind(import, node, &product);
    product.stem = stoa_onnx_stem(import, node, 1, stem);
    product.weight = transposed(weight, product.inputs, product.units);
    status = emit(import, node, &product);
    if (status == STOA_OK && add) {
        const struct stoa_onnx_value *made = stoa_onnx_find(import, node->output[0]);
        status = stoa_onnx_alias(import, add, 0, made, &made->layout);
    }
    return status;
}

const struct stoa_onnx_row stoa_onnx_product_rows[] = {
    {"Gemm", 6, gemm},
    {"MatMul", 1, matmul},
    {NULL, 0, NULL},
};
