/* SPDX-License-Identifier: MIT */
/* What is written for each operator. An operator of one number at a time is a line or two on the number v;
 * the others have a function that writes the inside of theirs. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ccode/ccode.h"
#include "ops/operand.h"

/* ---- options by their names ---- */

bool stoa_c_has_option(const struct stoa_layer *layer, const char *name) {
    return stoa_option_of(layer, name) != NULL;
}

const void *stoa_c_option(const struct stoa_layer *layer, const char *name) {
    const void *option = stoa_option_of(layer, name);
    assert(option); /* the operator's table has it */
    return option;
}

size_t stoa_c_option_size(const struct stoa_layer *layer, const char *name) {
    return *(const size_t *)stoa_c_option(layer, name);
}

float stoa_c_option_float(const struct stoa_layer *layer, const char *name) {
    return *(const float *)stoa_c_option(layer, name);
}

bool stoa_c_option_bool(const struct stoa_layer *layer, const char *name) {
    return *(const bool *)stoa_c_option(layer, name);
}

bool stoa_c_option_is(const struct stoa_layer *layer, const char *name, const char *word) {
    for (size_t i = 0; i < layer->op->option_count; i++) {
        const struct stoa_option *option = &layer->op->options[i];
        if (strcmp(option->name, name) == 0) {
            return strcmp(option->choices[stoa_c_option_size(layer, name)], word) == 0;
        }
    }
    return false;
}

/* ---- one number at a time ---- */

/* A line of the map, with a number of the options in it. */
static void line_with(struct stoa_c *code, const struct stoa_c_map *map, const char *option,
                      const char *before, const char *behind) {
    char number[STOA_C_NUMBER];
    stoa_c_line(&code->layers, "%s%s%s", before,
                stoa_c_number(stoa_c_option_float(map->layer, option), number), behind);
}

static void relu(struct stoa_c *code, const struct stoa_c_map *map) {
    (void)map;
    stoa_c_line(&code->layers, "v = v < 0.0F ? 0.0F : v;");
}

static void leaky_relu(struct stoa_c *code, const struct stoa_c_map *map) {
    line_with(code, map, "slope", "v = v < 0.0F ? v * ", " : v;");
}

static void prelu(struct stoa_c *code, const struct stoa_c_map *map) {
    char slope[STOA_C_EXPRESSION];
    stoa_c_tensor_name(map->position, 0, slope);
    bool one = stoa_tensor_count(&map->layer->tensor[0]) == 1;
    stoa_c_line(&code->layers, "v = v < 0.0F ? v * %s[%s] : v;", slope, one ? "0" : map->channel);
}

static void elu(struct stoa_c *code, const struct stoa_c_map *map) {
    line_with(code, map, "alpha", "v = v > 0.0F ? v : ", " * expm1f(v);");
}

static void sigmoid(struct stoa_c *code, const struct stoa_c_map *map) {
    (void)map;
    stoa_c_line(&code->layers, "v = 1.0F / (1.0F + expf(-v));");
}

static void hyperbolic(struct stoa_c *code, const struct stoa_c_map *map) {
    (void)map;
    stoa_c_line(&code->layers, "v = tanhf(v);");
}

static void silu(struct stoa_c *code, const struct stoa_c_map *map) {
    (void)map;
    stoa_c_line(&code->layers, "v = v / (1.0F + expf(-v));");
}

static void hardswish(struct stoa_c *code, const struct stoa_c_map *map) {
    (void)map;
    stoa_c_line(&code->layers, "v = v < -3.0F ? 0.0F : v > 3.0F ? v : v * (v + 3.0F) / 6.0F;");
}

static void softplus(struct stoa_c *code, const struct stoa_c_map *map) {
    char beta[STOA_C_NUMBER];
    (void)stoa_c_number(stoa_c_option_float(map->layer, "beta"), beta);
    stoa_c_line(&code->layers, "v = (v < 0.0F ? 0.0F : v) + log1pf(expf(-fabsf(%s * v))) / %s;", beta, beta);
}

static void gelu(struct stoa_c *code, const struct stoa_c_map *map) {
    enum { TANH = 1 };
    if (stoa_c_option_size(map->layer, "approximate") == TANH) {
        stoa_c_line(&code->layers, "v = v / (1.0F + expf(-1.59576912F * (v + 0.044715F * v * v * v)));");
    } else {
        stoa_c_line(&code->layers, "v = 0.5F * v * erfcf(v * -0.707106781F);");
    }
}

/* A map without options, or with `a` and `b`, by an expression in v: its head declares them. */
struct expression {
    const char *op, *a, *b, *text;
};
static const struct expression expressions[] = {
    {"abs", NULL, NULL, "fabsf(v)"},
    {"celu", "alpha", NULL, "v > 0.0F ? v : a * expm1f(v / a)"},
    {"clip", "min", "max", "v < a ? a : v > b ? b : v"},
    {"cos", NULL, NULL, "cosf(v)"},
    {"erf", NULL, NULL, "erff(v)"},
    {"exp", NULL, NULL, "expf(v)"},
    {"hardsigmoid", "alpha", "beta", "a * v + b < 0.0F ? 0.0F : a * v + b > 1.0F ? 1.0F : a * v + b"},
    {"log", NULL, NULL, "logf(v)"},
    {"mish", NULL, NULL, "v * tanhf((v < 0.0F ? 0.0F : v) + log1pf(expf(-fabsf(v))))"},
    {"pow", "exponent", NULL, "powf(v, a)"},
    {"selu", NULL, NULL, "v > 0.0F ? 1.05070099F * v : 1.75809934F * expm1f(v)"},
    {"sin", NULL, NULL, "sinf(v)"},
    {"softsign", NULL, NULL, "v / (1.0F + fabsf(v))"},
    {"sqrt", NULL, NULL, "sqrtf(v)"},
    {"thresholded_relu", "alpha", NULL, "v > a ? v : 0.0F"},
};

static void expression(struct stoa_c *code, const struct stoa_c_map *map) {
    const struct expression *e = expressions;
    while (strcmp(e->op, map->layer->op->name) != 0) {
        e++;
    }
    if (e->a) {
        line_with(code, map, e->a, "const float a = ", ";");
    }
    if (e->b) {
        line_with(code, map, e->b, "const float b = ", ";");
    }
    stoa_c_line(&code->layers, "v = %s;", e->text);
}

/* ---- combinations of several inputs, or of one and a tensor ---- */

/* Where an operand's number for the element of the output lies: in one place for several elements where the
 * operand is broadcast. */
static const char *place_text(const struct stoa_c_map *map, size_t which, char out[STOA_C_EXPRESSION]) {
    const struct stoa_operand p = stoa_operand_of(map->layer, which);
    const size_t *size = p.result.size;
    const size_t *stride = p.stride;
    char tensor[STOA_C_EXPRESSION];
    char input[STOA_C_ARGUMENT];
    const char *name = p.input == STOA_MAX_INPUTS ? tensor : input;
    stoa_c_tensor_name(map->position, 0, tensor);
    stoa_c_input_name(map, p.input, input);
    if (stoa_extent_count(&p.extent) == stoa_extent_count(&p.result)) {
        (void)snprintf(out, STOA_C_EXPRESSION, "%.40s[%.40s]", name, map->index);
    } else {
        (void)snprintf(out, STOA_C_EXPRESSION,
                       "%.40s[(%.40s) / %zu * %zu + (%.40s) / %zu %% %zu * %zu + (%.40s) %% %zu * %zu]", name,
                       map->index, size[1] * size[2], stride[0], map->index, size[2], size[1], stride[1],
                       map->index, size[2], stride[2]);
    }
    return out;
}

/* An operand for the element of the output: v, or where it lies. */
static const char *operand_text(const struct stoa_c_map *map, size_t which, char out[STOA_C_EXPRESSION]) {
    if (stoa_operand_of(map->layer, which).input == map->flow) {
        (void)snprintf(out, STOA_C_EXPRESSION, "v");
        return out;
    }
    return place_text(map, which, out);
}

const char *stoa_c_first_number(const struct stoa_c_map *map, char out[STOA_C_EXPRESSION]) {
    char name[STOA_C_ARGUMENT];
    if (map->layer->op->options == stoa_combine_options) {
        return place_text(map, stoa_operand_of_input(map->layer, 0), out);
    }
    stoa_c_input_name(map, 0, name);
    (void)snprintf(out, STOA_C_EXPRESSION, "%s[%.40s]", name, map->index);
    return out;
}

/* Each operand beside the first: `before` it, and what stands behind. */
static void combine(struct stoa_c *code, const struct stoa_c_map *map, const char *sign, bool chooses) {
    char text[STOA_C_EXPRESSION];
    for (size_t which = 0; which < stoa_operands_of(map->layer); which++) {
        const char *other = operand_text(map, which, text);
        if (strcmp(other, "v") == 0) {
            continue;
        }
        if (chooses) {
            stoa_c_line(&code->layers, "v = %s %s v ? %s : v;", other, sign, other);
        } else {
            stoa_c_line(&code->layers, "v %s= %s;", sign, other);
        }
    }
}

static void add(struct stoa_c *code, const struct stoa_c_map *map) {
    combine(code, map, "+", false);
}

static void mul(struct stoa_c *code, const struct stoa_c_map *map) {
    combine(code, map, "*", false);
}

static void smallest(struct stoa_c *code, const struct stoa_c_map *map) {
    combine(code, map, "<", true);
}

static void largest(struct stoa_c *code, const struct stoa_c_map *map) {
    combine(code, map, ">", true);
}

/* Two operands that do not change places. */
static void sub_or_div(struct stoa_c *code, const struct stoa_c_map *map) {
    char left[STOA_C_EXPRESSION];
    char right[STOA_C_EXPRESSION];
    stoa_c_line(&code->layers, "v = %s %s %s;", operand_text(map, 0, left),
                strcmp(map->layer->op->name, "sub") == 0 ? "-" : "/", operand_text(map, 1, right));
}

static const struct stoa_c_operator operators[] = {
    {.name = "input", .is_identity = true}, /* the caller's: there is no step */
    {.name = "conv2d",
     .body = stoa_c_conv2d,
     .scratch = stoa_c_conv2d_scratch,
     .border = stoa_c_conv2d_border,
     .writes_border = true},
    {.name = "conv_transpose2d", .body = stoa_c_conv_transpose2d},
    {.name = "linear", .body = stoa_c_linear},
    {.name = "matmul", .body = stoa_c_matmul},
    {.name = "maxpool2d", .body = stoa_c_maxpool2d, .writes_border = true},
    {.name = "avgpool2d", .body = stoa_c_avgpool2d, .writes_border = true},
    {.name = "global_maxpool", .body = stoa_c_global_maxpool},
    {.name = "global_avgpool", .body = stoa_c_global_avgpool},
    {.name = "batchnorm"}, /* its `affine` says all */
    {.name = "layernorm", .body = stoa_c_layernorm},
    {.name = "groupnorm", .body = stoa_c_groupnorm},
    {.name = "lrn", .body = stoa_c_lrn},
    {.name = "softmax", .body = stoa_c_softmax},
    {.name = "log_softmax", .body = stoa_c_log_softmax},
    {.name = "reduce", .body = stoa_c_reduce},
    {.name = "std", .body = stoa_c_std},
    {.name = "concat", .body = stoa_c_concat},
    {.name = "pad", .body = stoa_c_move, .takes = stoa_c_takes_move},
    {.name = "slice", .body = stoa_c_move, .takes = stoa_c_takes_move},
    {.name = "permute", .body = stoa_c_move, .takes = stoa_c_takes_move},
    {.name = "depth_to_space", .body = stoa_c_move, .takes = stoa_c_takes_move},
    {.name = "space_to_depth", .body = stoa_c_move, .takes = stoa_c_takes_move},
    {.name = "resize", .body = stoa_c_resize, .takes = stoa_c_takes_resize},
    {.name = "reshape", .body = stoa_c_reshape},
    {.name = "dropout", .is_identity = true},
    {.name = "add", .map = add, .by_index = true},
    {.name = "sub", .map = sub_or_div, .by_index = true},
    {.name = "mul", .map = mul, .by_index = true},
    {.name = "div", .map = sub_or_div, .by_index = true},
    {.name = "min", .map = smallest, .by_index = true},
    {.name = "max", .map = largest, .by_index = true},
    {.name = "relu", .map = relu},
    {.name = "leaky_relu", .map = leaky_relu},
    {.name = "prelu", .map = prelu, .by_channel = true},
    {.name = "elu", .map = elu},
    {.name = "sigmoid", .map = sigmoid},
    {.name = "tanh", .map = hyperbolic},
    {.name = "silu", .map = silu},
    {.name = "hardswish", .map = hardswish},
    {.name = "softplus", .map = softplus},
    {.name = "gelu", .map = gelu},
};

/* Any operator that moves no number. */
static const struct stoa_c_operator view = {.name = "view", .is_identity = true};

const struct stoa_c_operator *stoa_c_operator_find(const struct stoa_op *op) {
    if (op->is_view) {
        return &view;
    }
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (strcmp(operators[i].name, op->name) == 0) {
            return &operators[i];
        }
    }
    static const struct stoa_c_operator by_expression = {.name = "expression", .map = expression};
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        if (strcmp(expressions[i].op, op->name) == 0) {
            return &by_expression;
        }
    }
    return NULL;
}
