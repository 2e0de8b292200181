/* SPDX-License-Identifier: MIT */
/* Operators of one number at a time. */
#include "base/number.h"
#include "onnx/import.h"

static stoa_status relu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return stoa_onnx_map(import, node, "relu");
}

static stoa_status sigmoid(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return stoa_onnx_map(import, node, "sigmoid");
}

static stoa_status tanh_layer(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return stoa_onnx_map(import, node, "tanh");
}

static stoa_status hard_swish(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return stoa_onnx_map(import, node, "hardswish");
}

static stoa_status softplus(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return stoa_onnx_map(import, node, "softplus");
}

static stoa_status gelu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return stoa_onnx_map(import, node,
                         stoa_onnx_says(node, "approximate", "tanh") ? "gelu approximate=tanh" : "gelu");
}

/* An operator with one number as an attribute. */
static stoa_status with_number(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *op,
                               const char *option, const char *attribute, float fallback) {
    char text[32];
    stoa_format_float(stoa_onnx_float(node, attribute, fallback), text);
    return stoa_onnx_map(import, node, "%s %s=%s", op, option, text);
}

static stoa_status leaky_relu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return with_number(import, node, "leaky_relu", "slope", "alpha", 0.01F);
}

static stoa_status elu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return with_number(import, node, "elu", "alpha", "alpha", 1);
}

/* One slope for all, or one a channel. */
static stoa_status prelu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    const struct stoa_onnx_tensor *slope = NULL;
    size_t channels = 0, spatial = 0;
    char stem[64];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &slope);
    }
    if (status != STOA_OK || !slope) {
        return status == STOA_OK ? stoa_onnx_refuse(import, "has no slope") : status;
    }
    if (slope->count > 1) {
        status = stoa_onnx_channels(import, value, &channels, &spatial);
        if (status == STOA_OK) {
            status = stoa_onnx_rows(import, value, 1, &channels);
        }
        const size_t behind = slope->rank > spatial ? slope->rank - spatial - 1 : slope->rank;
        if (status == STOA_OK && (slope->count != value->layout.dim[channels] || behind >= slope->rank ||
                                  slope->dim[behind] != slope->count)) {
            return stoa_onnx_refuse(import, "has %zu slopes, expected one or one for each of %zu channels",
                                    slope->count, value->layout.dim[channels]);
        }
    }
    if (status == STOA_OK) {
        status = stoa_onnx_layer(import, node, stoa_onnx_stem(import, node, 1, stem), &value, 1,
                                 &value->layout, "prelu per_channel=%s", slope->count > 1 ? "true" : "false");
    }
    return status == STOA_OK
               ? stoa_onnx_weights_set(import, node, "weight", stoa_onnx_floats(slope), slope->count)
               : status;
}

static stoa_status identity(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    return status == STOA_OK ? stoa_onnx_alias(import, node, 0, value, &value->layout) : status;
}

static stoa_status cast(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const int64_t to = stoa_onnx_int(node, "to", 0);
    return to == STOA_ONNX_FLOAT || to == STOA_ONNX_DOUBLE
               ? identity(import, node)
               : stoa_onnx_refuse(import, "casts to %s what the network computes in float",
                                  stoa_onnx_type_name((int32_t)to));
}

/* It drops in training here, and nothing otherwise. From opset 12 on a constant says whether the file means
 * to train. */
static stoa_status dropout(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *ratio = NULL, *training = NULL;
    stoa_status status = stoa_onnx_constant(import, node, 1, &ratio);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 2, &training);
    }
    if (status != STOA_OK) {
        return status;
    }
    const double p =
        ratio && ratio->count > 0 ? stoa_onnx_at(ratio, 0) : (double)stoa_onnx_float(node, "ratio", 0.5F);
    if (training && training->count > 0 && stoa_onnx_at(training, 0) != 0 && p != 0) {
        return stoa_onnx_refuse(import,
                                "drops numbers whenever the network runs, expected training_mode false");
    }
    for (size_t i = 1; i < node->n_output; i++) {
        const struct stoa_onnx_value *mask =
            *node->output[i] ? stoa_onnx_find(import, node->output[i]) : NULL;
        if (mask && mask->readers > 0) {
            return stoa_onnx_refuse(import, "its mask is read");
        }
    }
    if (p <= 0 || p >= 0.999) {
        return identity(import, node);
    }
    char text[32];
    stoa_format_float((float)p, text);
    return stoa_onnx_map(import, node, "dropout p=%s", text);
}

const struct stoa_onnx_row stoa_onnx_map_rows[] = {
    {"Relu", 6, relu},         {"Sigmoid", 6, sigmoid},
    {"Tanh", 6, tanh_layer},   {"HardSwish", 14, hard_swish},
    {"Softplus", 1, softplus}, {"Gelu", 20, gelu},
    {"Elu", 6, elu},           {"LeakyRelu", 6, leaky_relu},
    {"PRelu", 6, prelu},       {"Identity", 1, identity},
    {"Dropout", 6, dropout},   {"Cast", 6, cast},
    {NULL, 0, NULL},
};
