/* SPDX-License-Identifier: MIT */
/* Normalisations and softmax. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "onnx/import.h"

/* Constants 1 to 4 of a batch norm, as its layer's tensors. */
static stoa_status set_batchnorm(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                 size_t channels) {
    static const char *const suffixes[] = {"weight", "bias", "running_mean", "running_var"};
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < 4 && status == STOA_OK; i++) {
        const struct stoa_onnx_tensor *tensor = NULL;
        status = stoa_onnx_constant(import, node, i + 1, &tensor);
        if (status == STOA_OK && (!tensor || tensor->count != channels)) {
            return stoa_onnx_refuse(import,
                                    "its input %zu has %zu numbers, expected one for each of %zu channels",
                                    i + 1, tensor ? tensor->count : 0, channels);
        }
        if (status == STOA_OK) {
            status = stoa_onnx_weights_set(import, node, suffixes[i], stoa_onnx_floats(tensor), channels);
        }
    }
    return status;
}

static stoa_status batchnorm(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    size_t channels = 0, spatial = 0;
    char epsilon[32], momentum[32], stem[64];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_channels(import, value, &channels, &spatial);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (stoa_onnx_int(node, "training_mode", 0) != 0 ||
        (import->opset < 9 && stoa_onnx_int(node, "spatial", 1) != 1)) {
        return stoa_onnx_refuse(import, "normalises by the batch's own moments, expected training_mode 0");
    }
    status = stoa_onnx_rows(import, value, 1, &channels);
    if (status != STOA_OK) {
        return status;
    }
    /* ONNX says how much of the old is kept, PyTorch and this engine how much of the new is taken. */
    const float keep = stoa_onnx_float(node, "momentum", 0.9F);
    stoa_format_float(stoa_onnx_float(node, "epsilon", 1e-5F), epsilon);
    stoa_format_float((float)(1.0 - (double)keep), momentum);
    status = stoa_onnx_layer(import, node, stoa_onnx_stem(import, node, 1, stem), &value, 1, &value->layout,
                             "batchnorm epsilon=%s momentum=%s", epsilon, momentum);
    return status == STOA_OK ? set_batchnorm(import, node, value->layout.dim[channels]) : status;
}

/* Groups of channels over their pixels, or each channel by itself. */
static stoa_status group(struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t groups) {
    static const char *const suffixes[] = {"weight", "bias"};
    struct stoa_onnx_value *value;
    size_t channels = 0, spatial = 0;
    char epsilon[32];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_channels(import, value, &channels, &spatial);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_rows(import, value, 1, &channels);
    }
    if (status != STOA_OK) {
        return status;
    }
    const size_t count = value->layout.dim[channels];
    stoa_format_float(stoa_onnx_float(node, "epsilon", 1e-5F), epsilon);
    status = stoa_onnx_layer(import, node, NULL, &value, 1, &value->layout, "groupnorm groups=%zu epsilon=%s",
                             groups ? groups : count, epsilon);
    for (size_t i = 0; i < 2 && status == STOA_OK; i++) {
        const struct stoa_onnx_tensor *tensor = NULL;
        status = stoa_onnx_constant(import, node, i + 1, &tensor);
        if (status == STOA_OK && (!tensor || tensor->count != count)) {
            return stoa_onnx_refuse(import, "its %s has %zu numbers, expected %zu", suffixes[i],
                                    tensor ? tensor->count : 0, count);
        }
        if (status == STOA_OK) {
            status = stoa_onnx_weights_set(import, node, suffixes[i], stoa_onnx_floats(tensor), count);
        }
    }
    return status;
}

static stoa_status instancenorm(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return group(import, node, 0);
}

static stoa_status groupnorm(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const int64_t groups = stoa_onnx_int(node, "num_groups", 0);
    return groups < 1 || groups > 1 << 20
               ? stoa_onnx_refuse(import, "num_groups: found %lld, expected 1 or more", (long long)groups)
               : group(import, node, (size_t)groups);
}

static stoa_status lrn(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    char alpha[32], beta[32], bias[32];
    stoa_format_float(stoa_onnx_float(node, "alpha", 1e-4F), alpha);
    stoa_format_float(stoa_onnx_float(node, "beta", 0.75F), beta);
    stoa_format_float(stoa_onnx_float(node, "bias", 1), bias);
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_image(import, value);
    }
    return status == STOA_OK ? stoa_onnx_layer(import, node, NULL, &value, 1, &value->layout,
                                               "lrn size=%lld alpha=%s beta=%s bias=%s",
                                               (long long)stoa_onnx_int(node, "size", 0), alpha, beta, bias)
                             : status;
}

static bool is_read(const struct stoa_onnx_import *import, const StoaOnnx__Node *node, size_t index) {
    const struct stoa_onnx_value *value =
        index < node->n_output && *node->output[index] ? stoa_onnx_find(import, node->output[index]) : NULL;
    return value && value->readers > 0;
}

/* The node's output 0 is 1 / sqrt(variance + epsilon) over the axes that go. */
static stoa_status inverse_deviation(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                     struct stoa_onnx_value *value, const bool *goes, const char *epsilon) {
    struct stoa_onnx_value *made = stoa_onnx_find(import, node->output[0]);
    struct stoa_onnx_value *centred[] = {value, made}, *squared[] = {made, made};
    stoa_status status = stoa_onnx_reduce(import, node, value, goes, true, "global_avgpool");
    if (status == STOA_OK) {
        status = stoa_onnx_combine(import, node, "sub", centred);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_layer(import, node, NULL, squared, 2, &made->layout, "mul");
    }
    if (status == STOA_OK) {
        status = stoa_onnx_reduce(import, node, made, goes, true, "global_avgpool");
    }
    if (status == STOA_OK) {
        status = stoa_onnx_layer(import, node, NULL, &made, 1, &made->layout, "add value=%s", epsilon);
    }
    return status == STOA_OK
               ? stoa_onnx_layer(import, node, NULL, &made, 1, &made->layout, "pow exponent=-0.5")
               : status;
}

/* The moments that LayerNormalization has worked with, where they are read. */
static stoa_status give_moments(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                struct stoa_onnx_value *value, size_t axis, const char *epsilon) {
    bool goes[STOA_ONNX_AXES];
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < STOA_ONNX_AXES; i++) {
        goes[i] = i >= axis;
    }
    if (is_read(import, node, 1)) {
        const StoaOnnx__Node mean = stoa_onnx_node_for(node, 1);
        status = stoa_onnx_reduce(import, &mean, value, goes, true, "global_avgpool");
    }
    if (status == STOA_OK && is_read(import, node, 2)) {
        const StoaOnnx__Node deviation = stoa_onnx_node_for(node, 2);
        status = inverse_deviation(import, &deviation, value, goes, epsilon);
    }
    return status;
}

/* Scale and bias over the axes from `axis` on. */
static stoa_status layernorm(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    const struct stoa_onnx_tensor *scale = NULL, *bias = NULL;
    size_t axis = 0, axes[STOA_ONNX_AXES], columns = 1;
    char epsilon[32], stem[64];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_sample_axis(import, value, stoa_onnx_int(node, "axis", -1), &axis);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &scale);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 2, &bias);
    }
    if (status != STOA_OK) {
        return status;
    }
    const size_t count = value->layout.rank - axis;
    for (size_t i = 0; i < count; i++) {
        axes[i] = axis + i;
        columns *= value->layout.dim[axis + i];
    }
    if (!scale || scale->count != columns || (bias && bias->count != columns)) {
        return stoa_onnx_refuse(import, "its scale has %zu numbers, expected %zu", scale ? scale->count : 0,
                                columns);
    }
    status = stoa_onnx_rows(import, value, count, axes);
    if (status != STOA_OK) {
        return status;
    }
    stoa_format_float(stoa_onnx_float(node, "epsilon", 1e-5F), epsilon);
    status = stoa_onnx_layer(import, node, stoa_onnx_stem(import, node, 1, stem), &value, 1, &value->layout,
                             "layernorm epsilon=%s", epsilon);
    if (status == STOA_OK) {
        status = stoa_onnx_weights_set(import, node, "weight", stoa_onnx_floats(scale), columns);
    }
    if (status == STOA_OK) {
        float *zeros = bias ? stoa_onnx_floats(bias) : calloc(columns, sizeof *zeros);
        status = stoa_onnx_weights_set(import, node, "bias", zeros, columns);
    }
    return status == STOA_OK ? give_moments(import, node, value, axis, epsilon) : status;
}

/* Along one axis, or before opset 13 over all from there on. */
static stoa_status soft(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *op) {
    struct stoa_onnx_value *value;
    size_t axis = 0, axes[STOA_ONNX_AXES], count = 1;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_sample_axis(import, value,
                                       stoa_onnx_int(node, "axis", import->opset < 13 ? 1 : -1), &axis);
    }
    if (status != STOA_OK) {
        return status;
    }
    if (import->opset < 13) {
        count = value->layout.rank - axis;
    }
    for (size_t i = 0; i < count; i++) {
        axes[i] = axis + i;
    }
    status = stoa_onnx_rows(import, value, count, axes);
    return status == STOA_OK ? stoa_onnx_layer(import, node, NULL, &value, 1, &value->layout, "%s", op)
                             : status;
}

static stoa_status softmax(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return soft(import, node, "softmax");
}

static stoa_status log_softmax(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return soft(import, node, "log_softmax");
}

const struct stoa_onnx_row stoa_onnx_norm_rows[] = {
    {"BatchNormalization", 6, batchnorm},
    {"LayerNormalization", 17, layernorm},
    {"InstanceNormalization", 6, instancenorm},
    {"GroupNormalization", 21, groupnorm},
    {"LRN", 1, lrn},
    {"Softmax", 1, softmax},
    {"LogSoftmax", 1, log_softmax},
    {NULL, 0, NULL},
};
