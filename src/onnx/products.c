/* SPDX-License-Identifier: MIT */
/* Gemm and MatMul with a constant: linear layers, and over rows of several numbers convolutions of 1x1. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"
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
    const size_t rows = stoa_onnx_layout_count(&product->value->layout) / stoa_max(product->inputs, 1);
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

/* Add beta * C to the node's output 0, where C is more than a bias. */
static stoa_status add_rest(struct stoa_onnx_import *import, const StoaOnnx__Node *node, float beta) {
    struct stoa_onnx_value *made = stoa_onnx_find(import, node->output[0]);
    struct stoa_onnx_value *rest = stoa_onnx_input(import, node, 2), product = *made, scaled;
    char text[32];
    if (rest->state == STOA_ONNX_CONSTANT) {
        const struct stoa_onnx_tensor *constant = NULL;
        stoa_status status = stoa_onnx_constant(import, node, 2, &constant);
        if (status != STOA_OK) {
            return status;
        }
        struct stoa_onnx_tensor by_beta = {.type = STOA_ONNX_FLOAT, .rank = constant->rank};
        memcpy(by_beta.dim, constant->dim, sizeof by_beta.dim);
        status = stoa_onnx_tensor_make(&import->source, &by_beta);
        for (size_t i = 0; i < constant->count && status == STOA_OK; i++) {
            stoa_onnx_put(&by_beta, i, (double)beta * stoa_onnx_at(constant, i));
        }
        if (status == STOA_OK) {
            status = stoa_onnx_combine_constant(import, node, "add", &product, &by_beta, false);
        }
        stoa_onnx_tensor_free(&by_beta);
        return status;
    }
    stoa_format_float(beta, text);
    stoa_status status =
        beta == 1 ? STOA_OK
                  : stoa_onnx_layer(import, node, NULL, &rest, 1, &rest->layout, "mul value=%s", text);
    scaled = beta == 1 ? *rest : *made;
    struct stoa_onnx_value *both[] = {&product, &scaled};
    return status == STOA_OK ? stoa_onnx_combine(import, node, "add", both) : status;
}

/* A matrix that is read by columns where Gemm says so: a value of its own over the same layer. */
static stoa_status turn(struct stoa_onnx_import *import, const char *name, bool turned,
                        const struct stoa_onnx_value *value, struct stoa_onnx_value *out) {
    *out = *value;
    if (!turned) {
        return STOA_OK;
    }
    if (import->lead || value->layout.rank != 2) {
        return stoa_onnx_refuse(import, "%s: works along axis 0, the batch", name);
    }
    stoa_onnx_layout_transpose(&out->layout, (size_t[]){1, 0});
    return STOA_OK;
}

/* Gemm of two values that the network computes, without C. */
static stoa_status gemm_of_two(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                               struct stoa_onnx_value *left, float alpha) {
    struct stoa_onnx_value right, *made = stoa_onnx_find(import, node->output[0]);
    const bool turned = stoa_onnx_int(node, "transB", 0) != 0;
    char text[32];
    if (import->lead) {
        return stoa_onnx_refuse(import, "multiplies by what the network computes from a whole batch");
    }
    stoa_status status = turn(import, "transB", turned, stoa_onnx_input(import, node, 1), &right);
    if (status == STOA_OK) {
        status = stoa_onnx_matmul(import, node, left, &right);
    }
    stoa_format_float(alpha, text);
    return status == STOA_OK && alpha != 1
               ? stoa_onnx_layer(import, node, NULL, &made, 1, &made->layout, "mul value=%s", text)
               : status;
}

/* Gemm with a constant; *rest is whether C is still to be added. */
static stoa_status gemm_by_constant(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                    struct stoa_onnx_value *left, float alpha, float beta, bool *rest) {
    struct product product = {.value = left};
    const struct stoa_onnx_tensor *weight = NULL, *bias = NULL;
    const bool swapped = stoa_onnx_int(node, "transB", 0) != 0;
    char stem[64];
    stoa_status status = stoa_onnx_constant(import, node, 1, &weight);
    if (status == STOA_OK && *rest && stoa_onnx_input(import, node, 2)->state == STOA_ONNX_CONSTANT) {
        status = stoa_onnx_constant(import, node, 2, &bias);
    }
    if (status == STOA_OK) {
        status = check_weight(import, weight, &product, swapped);
    }
    if (status != STOA_OK) {
        return status;
    }
    product.bias = bias ? bias_of(bias, product.units, beta) : NULL;
    *rest = *rest && !product.bias;
    product.stem = stoa_onnx_stem(import, node, 1, stem);
    product.weight = swapped ? stoa_onnx_floats(weight) : transposed(weight, product.inputs, product.units);
    for (size_t i = 0; i < weight->count && product.weight && alpha != 1; i++) {
        product.weight[i] *= alpha;
    }
    return emit(import, node, &product);
}

static stoa_status gemm(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value, left;
    const struct stoa_onnx_value *right = stoa_onnx_input(import, node, 1);
    const float alpha = stoa_onnx_float(node, "alpha", 1), beta = stoa_onnx_float(node, "beta", 1);
    bool rest = stoa_onnx_input(import, node, 2) && beta != 0;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK && !right) {
        return stoa_onnx_refuse(import, "input 1 is missing");
    }
    if (status == STOA_OK) {
        status = turn(import, "transA", stoa_onnx_int(node, "transA", 0) != 0, value, &left);
    }
    if (status == STOA_OK) {
        status = right->state == STOA_ONNX_CONSTANT
                     ? gemm_by_constant(import, node, &left, alpha, beta, &rest)
                     : gemm_of_two(import, node, &left, alpha);
    }
    return status == STOA_OK && rest ? add_rest(import, node, beta) : status;
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
    struct stoa_onnx_value *right = stoa_onnx_input(import, node, 1);
    char stem[64];
    stoa_status status = stoa_onnx_activation(import, node, 0, &product.value);
    if (status == STOA_OK && right && right->state == STOA_ONNX_ACTIVATION) {
        return stoa_onnx_matmul(import, node, product.value, right);
    }
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
