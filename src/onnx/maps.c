/* SPDX-License-Identifier: MIT */
/* Operators of one number at a time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "onnx/import.h"

static stoa_status gelu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return stoa_onnx_map(import, node,
                         stoa_onnx_says(node, "approximate", "tanh") ? "gelu approximate=tanh" : "gelu");
}

#define PLAIN(name, line)                                                                                    \
    static stoa_status name(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {                   \
        return stoa_onnx_map(import, node, line);                                                            \
    }
PLAIN(relu, "relu")
PLAIN(sigmoid, "sigmoid")
PLAIN(tanh_layer, "tanh")
PLAIN(hard_swish, "hardswish")
PLAIN(softplus, "softplus")
PLAIN(selu_layer, "selu")
PLAIN(mish, "mish")
PLAIN(erf_layer, "erf")
PLAIN(absolute, "abs")
PLAIN(exp_layer, "exp")
PLAIN(log_layer, "log")
PLAIN(sqrt_layer, "sqrt")
PLAIN(sin_layer, "sin")
PLAIN(cos_layer, "cos")
PLAIN(softsign, "softsign")
PLAIN(negative, "mul value=-1")
PLAIN(reciprocal, "div value=1 reverse=true")

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

static stoa_status celu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return with_number(import, node, "celu", "alpha", "alpha", 1);
}

static stoa_status thresholded_relu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return with_number(import, node, "thresholded_relu", "alpha", "alpha", 1);
}

/* Selu with numbers that are not the paper's. */
static stoa_status scaled_elu(struct stoa_onnx_import *import, const StoaOnnx__Node *node, float alpha,
                              float gamma) {
    struct stoa_onnx_value *made = stoa_onnx_find(import, node->output[0]);
    char text[32];
    stoa_format_float(alpha, text);
    stoa_status status = stoa_onnx_map(import, node, "elu alpha=%s", text);
    stoa_format_float(gamma, text);
    return status == STOA_OK
               ? stoa_onnx_layer(import, node, NULL, &made, 1, &made->layout, "mul value=%s", text)
               : status;
}

static stoa_status selu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const float alpha = stoa_onnx_float(node, "alpha", 1.67326319F),
                gamma = stoa_onnx_float(node, "gamma", 1.05070102F);
    return fabsf(alpha - 1.67326319F) < 1e-4F && fabsf(gamma - 1.05070102F) < 1e-4F
               ? selu_layer(import, node)
               : scaled_elu(import, node, alpha, gamma);
}

static stoa_status hard_sigmoid(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    char alpha[32], beta[32];
    stoa_format_float(stoa_onnx_float(node, "alpha", 0.2F), alpha);
    stoa_format_float(stoa_onnx_float(node, "beta", 0.5F), beta);
    return stoa_onnx_map(import, node, "hardsigmoid alpha=%s beta=%s", alpha, beta);
}

/* One end of Clip: an attribute before opset 11, an input from then on; "" where it is left out. */
static stoa_status read_limit(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *name,
                              size_t index, char text[48]) {
    const struct stoa_onnx_tensor *tensor = NULL;
    const StoaOnnx__Attribute *attribute = stoa_onnx_attribute(node, name);
    char number[32];
    stoa_status status = stoa_onnx_constant(import, node, index, &tensor);
    text[0] = '\0';
    if (status != STOA_OK || (!attribute && (!tensor || tensor->count != 1))) {
        return status;
    }
    const double limit = attribute ? (double)attribute->f : stoa_onnx_at(tensor, 0);
    if (fabs(limit) < 3.4e38) {
        stoa_format_float((float)limit, number);
        (void)snprintf(text, 48, " %s=%s", name, number);
    }
    return STOA_OK;
}

static stoa_status clip(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    char least[48], most[48];
    stoa_status status = read_limit(import, node, "min", 1, least);
    if (status == STOA_OK) {
        status = read_limit(import, node, "max", 2, most);
    }
    return status == STOA_OK ? stoa_onnx_map(import, node, "clip%s%s", least, most) : status;
}

/* One exponent for all; 2 is a product, for numbers of either sign. */
static stoa_status power(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_tensor *exponent = NULL;
    char text[32];
    stoa_status status = stoa_onnx_constant(import, node, 1, &exponent);
    bool is_one = status == STOA_OK && exponent && exponent->count > 0;
    for (size_t i = 1; is_one && i < exponent->count; i++) {
        is_one = stoa_onnx_at(exponent, i) == stoa_onnx_at(exponent, 0);
    }
    if (!is_one) {
        return status == STOA_OK ? stoa_onnx_refuse(import, "has several exponents, expected one") : status;
    }
    stoa_format_float((float)stoa_onnx_at(exponent, 0), text);
    return stoa_onnx_map(import, node, "pow exponent=%s", text);
}

/* Slopes of any shape, which the network may compute: the positive part, and the slopes times the rest. */
static stoa_status prelu_parts(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *made = stoa_onnx_find(import, node->output[0]);
    const struct stoa_onnx_value *slope = stoa_onnx_input(import, node, 1);
    const struct stoa_onnx_tensor *constant = NULL;
    stoa_status status = stoa_onnx_map(import, node, "relu");
    struct stoa_onnx_value positive = *made, rest, many, *parts[] = {&rest, &many};
    if (status == STOA_OK) {
        status = stoa_onnx_map(import, node, "clip max=0");
    }
    rest = *made;
    if (status == STOA_OK && slope->state == STOA_ONNX_CONSTANT) {
        status = stoa_onnx_constant(import, node, 1, &constant);
        status = status == STOA_OK ? stoa_onnx_combine_constant(import, node, "mul", &rest, constant, false)
                                   : status;
    } else if (status == STOA_OK) {
        many = *slope;
        status = stoa_onnx_combine(import, node, "mul", parts);
    }
    rest = *made;
    parts[1] = &positive;
    return status == STOA_OK ? stoa_onnx_combine(import, node, "add", parts) : status;
}

/* Whether the slopes are one for all, or one for each of these channels in front of `spatial` axes. */
static bool is_by_channel(const struct stoa_onnx_import *import, const struct stoa_onnx_tensor *slope,
                          size_t channels, size_t spatial) {
    const size_t behind = slope->rank > spatial ? slope->rank - spatial - 1 : slope->rank;
    /* Before opset 7 they stood for channels without axes behind. */
    return slope->count == channels && ((import->opset < 7 && slope->rank == 1) ||
                                        (behind < slope->rank && slope->dim[behind] == slope->count));
}

static stoa_status prelu(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct stoa_onnx_value *value;
    const struct stoa_onnx_value *source = stoa_onnx_input(import, node, 1);
    const struct stoa_onnx_tensor *slope = NULL;
    size_t channels = 0, spatial = 0;
    char stem[64];
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK && !source) {
        return stoa_onnx_refuse(import, "has no slope");
    }
    if (status != STOA_OK || source->state == STOA_ONNX_ACTIVATION) {
        return status == STOA_OK ? prelu_parts(import, node) : status;
    }
    status = stoa_onnx_constant(import, node, 1, &slope);
    if (status == STOA_OK && slope->count > 1) {
        status = stoa_onnx_channels(import, value, &channels, &spatial);
        if (status != STOA_OK || !is_by_channel(import, slope, value->layout.dim[channels], spatial)) {
            return prelu_parts(import, node);
        }
        status = stoa_onnx_rows(import, value, 1, &channels);
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

/* The type of a constant, or of an input of the graph; what the network computes otherwise is float. */
static stoa_status cast_like(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    const struct stoa_onnx_value *like = stoa_onnx_input(import, node, 1);
    int32_t type = STOA_ONNX_FLOAT;
    if (!like) {
        return stoa_onnx_refuse(import, "input 1 is missing");
    }
    for (size_t i = 0; i < import->graph->n_input; i++) {
        const StoaOnnx__Value *input = import->graph->input[i];
        if (input->name && strcmp(input->name, like->name) == 0 && input->type && input->type->tensor_type) {
            type = input->type->tensor_type->elem_type;
        }
    }
    if (like->state == STOA_ONNX_CONSTANT) {
        const struct stoa_onnx_tensor *constant = NULL;
        stoa_status status = stoa_onnx_constant(import, node, 1, &constant);
        if (status != STOA_OK) {
            return status;
        }
        type = constant->type;
    }
    return type == STOA_ONNX_FLOAT || type == STOA_ONNX_DOUBLE
               ? identity(import, node)
               : stoa_onnx_refuse(import, "casts to %s what the network computes in float",
                                  stoa_onnx_type_name(type));
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
    {"Relu", 6, relu},
    {"Sigmoid", 6, sigmoid},
    {"Tanh", 6, tanh_layer},
    {"HardSwish", 14, hard_swish},
    {"Softplus", 1, softplus},
    {"Gelu", 20, gelu},
    {"Elu", 6, elu},
    {"LeakyRelu", 6, leaky_relu},
    {"PRelu", 6, prelu},
    {"Identity", 1, identity},
    {"Dropout", 6, dropout},
    {"Cast", 6, cast},
    {"CastLike", 15, cast_like},
    {"Clip", 6, clip},
    {"Selu", 6, selu},
    {"HardSigmoid", 6, hard_sigmoid},
    {"Mish", 18, mish},
    {"Celu", 12, celu},
    {"Erf", 9, erf_layer},
    {"Abs", 6, absolute},
    {"Exp", 6, exp_layer},
    {"Log", 6, log_layer},
    {"Sqrt", 6, sqrt_layer},
    {"Sin", 7, sin_layer},
    {"Cos", 7, cos_layer},
    {"Softsign", 1, softsign},
    {"ThresholdedRelu", 10, thresholded_relu},
    {"Neg", 6, negative},
    {"Reciprocal", 6, reciprocal},
    {"Pow", 7, power},
    {NULL, 0, NULL},
};
