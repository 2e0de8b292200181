/* SPDX-License-Identifier: MIT */
/* What is written for each operator: a line of the table. Operators of one number at a time are one node,
 * with attributes by the names of their options. */
#include <string.h>

#include "onnx/write.h"
#include "ops/operand.h"

/* ---- one number at a time ---- */

/* A node over input 0 with attributes of one number each, named as the options are, but for `renamed`. */
static void put_map(struct stoa_onnx_export *export, const char *op, const char *const *options,
                    const char *renamed) {
    const struct stoa_layer *layer = &export->at->layer;
    StoaOnnx__Node *node =
        stoa_onnx_put_node(export, op, NULL, STOA_ONNX_INPUTS(stoa_onnx_image_of(export, 0)));
    for (size_t i = 0; options[i]; i++) {
        stoa_onnx_put_float(export, node, renamed ? renamed : options[i],
                            stoa_onnx_float_option(layer, options[i]));
    }
}

#define MAP(name, onnx, renamed, ...)                                                                        \
    static void name(struct stoa_onnx_export *export) {                                                      \
        put_map(export, onnx, STOA_ONNX_INPUTS(__VA_ARGS__), renamed);                                       \
    }
MAP(leaky_relu, "LeakyRelu", "alpha", "slope")
MAP(elu, "Elu", NULL, "alpha")
MAP(celu, "Celu", NULL, "alpha")
MAP(thresholded_relu, "ThresholdedRelu", NULL, "alpha")
MAP(hardsigmoid, "HardSigmoid", NULL, "alpha", "beta")

/* A number of the layer's options as a constant. */
static const char *number(struct stoa_onnx_export *export, const char *option) {
    const float value = stoa_onnx_float_option(&export->at->layer, option);
    return stoa_onnx_put_floats(export, stoa_onnx_within(export, option), 0, NULL, &value);
}

static void power(struct stoa_onnx_export *export) {
    const char *x = stoa_onnx_image_of(export, 0);
    (void)stoa_onnx_put_node(export, "Pow", NULL, STOA_ONNX_INPUTS(x, number(export, "exponent")));
}

static void clip(struct stoa_onnx_export *export) {
    const char *x = stoa_onnx_image_of(export, 0);
    const char *least = number(export, "min");
    const char *most = number(export, "max");
    (void)stoa_onnx_put_node(export, "Clip", NULL, STOA_ONNX_INPUTS(x, least, most));
}

static void gelu(struct stoa_onnx_export *export) {
    StoaOnnx__Node *node =
        stoa_onnx_put_node(export, "Gelu", NULL, STOA_ONNX_INPUTS(stoa_onnx_image_of(export, 0)));
    stoa_onnx_put_word(export, node, "approximate", stoa_onnx_word_option(&export->at->layer, "approximate"));
}

static void silu(struct stoa_onnx_export *export) {
    const char *x = stoa_onnx_image_of(export, 0);
    const char *gate = stoa_onnx_within(export, "sigmoid");
    (void)stoa_onnx_put_node(export, "Sigmoid", gate, STOA_ONNX_INPUTS(x));
    (void)stoa_onnx_put_node(export, "Mul", NULL, STOA_ONNX_INPUTS(x, gate));
}

/* softplus(beta * x) / beta */
static void softplus(struct stoa_onnx_export *export) {
    const char *x = stoa_onnx_image_of(export, 0);
    if (stoa_onnx_float_option(&export->at->layer, "beta") == 1.0F) {
        (void)stoa_onnx_put_node(export, "Softplus", NULL, STOA_ONNX_INPUTS(x));
        return;
    }
    const char *beta = number(export, "beta");
    const char *steep = stoa_onnx_within(export, "steep");
    const char *y = stoa_onnx_within(export, "softplus");
    (void)stoa_onnx_put_node(export, "Mul", steep, STOA_ONNX_INPUTS(x, beta));
    (void)stoa_onnx_put_node(export, "Softplus", y, STOA_ONNX_INPUTS(steep));
    (void)stoa_onnx_put_node(export, "Div", NULL, STOA_ONNX_INPUTS(y, beta));
}

/* Slopes of channels have axes for the pixels behind. */
static void prelu(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const size_t shape[] = {stoa_tensor_count(&layer->tensor[0]), 1, 1};
    const char *x = stoa_onnx_image_of(export, 0);
    const char *slope =
        stoa_onnx_put_tensor(export, 0, layer->input[0].rank == 3 && shape[0] > 1 ? 3 : 1, shape);
    (void)stoa_onnx_put_node(export, "PRelu", NULL, STOA_ONNX_INPUTS(x, slope));
}

/* ---- combinations ---- */

/* The constant beside an only input: C, H, W, or K where the result is a vector. */
static const char *constant_of(struct stoa_onnx_export *export, const struct stoa_extent *extent) {
    const struct stoa_layer *layer = &export->at->layer;
    const size_t *size = extent->size;
    const size_t shape[] = {size[STOA_EXTENT_CHANNELS], size[STOA_EXTENT_HEIGHT], size[STOA_EXTENT_WIDTH]};
    const size_t rank = layer->output.rank;
    if (layer->tensors > 0) {
        return stoa_onnx_put_tensor(export, 0, rank, shape);
    }
    const struct stoa_list *list = stoa_option_of(layer, "value");
    return stoa_onnx_put_floats(export, stoa_onnx_within(export, "value"), list->count == 1 ? 0 : rank, shape,
                                list->value);
}

/* An input of a combination. ONNX right-aligns axes, so a vector beside an image needs those of its pixel. */
static const char *operand_of(struct stoa_onnx_export *export, size_t k) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *x = stoa_onnx_image_of(export, k);
    return layer->input[k].rank == 1 && layer->output.rank == 3
               ? stoa_onnx_put_reshape(export, x, stoa_onnx_within(export, "image"), 3,
                                       (size_t[]){layer->input[k].dim[0], 1, 1})
               : x;
}

static void combine(struct stoa_onnx_export *export, const char *op) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *inputs[STOA_MAX_INPUTS + 1] = {NULL};
    const size_t count = stoa_operands_of(layer);
    for (size_t i = 0; i < count; i++) {
        const struct stoa_operand operand = stoa_operand_of(layer, i);
        inputs[i] = operand.input == STOA_MAX_INPUTS ? constant_of(export, &operand.extent)
                                                     : operand_of(export, operand.input);
    }
    (void)stoa_onnx_put_node(export, op, NULL, inputs);
}

/* Add takes two. */
static void add(struct stoa_onnx_export *export) {
    combine(export, stoa_operands_of(&export->at->layer) == 2 ? "Add" : "Sum");
}

#define COMBINE(name, onnx)                                                                                  \
    static void name(struct stoa_onnx_export *export) {                                                      \
        combine(export, onnx);                                                                               \
    }
COMBINE(subtract, "Sub")
COMBINE(multiply, "Mul")
COMBINE(divide, "Div")
COMBINE(smallest, "Min")
COMBINE(largest, "Max")

static const struct stoa_onnx_writer writers[] = {
    {.op = "input", .is_identity = true}, /* the caller's */
    {.op = "conv2d", .write = stoa_onnx_write_conv2d},
    {.op = "conv_transpose2d", .write = stoa_onnx_write_conv_transpose2d},
    {.op = "linear", .write = stoa_onnx_write_linear},
    {.op = "matmul", .write = stoa_onnx_write_matmul},
    {.op = "maxpool2d", .write = stoa_onnx_write_maxpool2d},
    {.op = "avgpool2d", .write = stoa_onnx_write_avgpool2d, .opset_of = stoa_onnx_opset_of_avgpool2d},
    {.op = "global_maxpool", .write = stoa_onnx_write_global_maxpool},
    {.op = "global_avgpool", .write = stoa_onnx_write_global_avgpool},
    {.op = "batchnorm", .write = stoa_onnx_write_batchnorm},
    {.op = "layernorm", .write = stoa_onnx_write_layernorm, .opset = 17},
    {.op = "groupnorm", .write = stoa_onnx_write_groupnorm, .opset_of = stoa_onnx_opset_of_groupnorm},
    {.op = "lrn", .write = stoa_onnx_write_lrn},
    {.op = "softmax", .write = stoa_onnx_write_softmax},
    {.op = "log_softmax", .write = stoa_onnx_write_log_softmax},
    {.op = "reduce", .write = stoa_onnx_write_reduce},
    {.op = "flatten", .write = stoa_onnx_write_flatten},
    {.op = "reshape", .write = stoa_onnx_write_reshape},
    {.op = "view", .write = stoa_onnx_write_view},
    {.op = "permute", .write = stoa_onnx_write_permute},
    {.op = "concat", .write = stoa_onnx_write_concat},
    {.op = "slice", .write = stoa_onnx_write_slice},
    {.op = "pad", .write = stoa_onnx_write_pad, .opset_of = stoa_onnx_opset_of_pad},
    {.op = "resize", .write = stoa_onnx_write_resize, .opset_of = stoa_onnx_opset_of_resize},
    {.op = "depth_to_space", .write = stoa_onnx_write_depth_to_space},
    {.op = "space_to_depth", .write = stoa_onnx_write_space_to_depth},
    {.op = "dropout", .is_identity = true}, /* nothing is dropped but in training */
    {.op = "add", .write = add},
    {.op = "sub", .write = subtract},
    {.op = "mul", .write = multiply},
    {.op = "div", .write = divide},
    {.op = "min", .write = smallest},
    {.op = "max", .write = largest},
    {.op = "relu", .onnx = "Relu"},
    {.op = "leaky_relu", .write = leaky_relu},
    {.op = "prelu", .write = prelu},
    {.op = "elu", .write = elu},
    {.op = "celu", .write = celu},
    {.op = "selu", .onnx = "Selu"},
    {.op = "thresholded_relu", .write = thresholded_relu},
    {.op = "sigmoid", .onnx = "Sigmoid"},
    {.op = "hardsigmoid", .write = hardsigmoid},
    {.op = "hardswish", .onnx = "HardSwish", .opset = 14},
    {.op = "tanh", .onnx = "Tanh"},
    {.op = "silu", .write = silu},
    {.op = "gelu", .write = gelu, .opset = 20},
    {.op = "mish", .onnx = "Mish", .opset = 18},
    {.op = "softplus", .write = softplus},
    {.op = "softsign", .onnx = "Softsign"},
    {.op = "clip", .write = clip},
    {.op = "pow", .write = power},
    {.op = "abs", .onnx = "Abs"},
    {.op = "cos", .onnx = "Cos"},
    {.op = "erf", .onnx = "Erf"},
    {.op = "exp", .onnx = "Exp"},
    {.op = "log", .onnx = "Log"},
    {.op = "sin", .onnx = "Sin"},
    {.op = "sqrt", .onnx = "Sqrt"},
};

const struct stoa_onnx_writer *stoa_onnx_writer_find(const struct stoa_op *op) {
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
        if (strcmp(writers[i].op, op->name) == 0) {
            return &writers[i];
        }
    }
    return NULL;
}
