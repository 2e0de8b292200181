/* SPDX-License-Identifier: MIT */
/* Axes over memory, against a walk over all numbers; and a small import whose gradients are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stoa/onnx.h>
#include <stoa/plan.h>

#include "base/error.h"
#include "onnx/layout.h"
#include "onnx/read.h"

enum { MOST = 256 };

/* The numbers of a layout in ONNX's order, where memory holds 0, 1, 2, ... */
static void walk(const struct stoa_onnx_layout *layout, size_t out[MOST]) {
    size_t stride[STOA_ONNX_ATOMS], count = stoa_onnx_layout_count(layout);
    for (size_t i = layout->atoms, step = 1; i-- > 0; step *= layout->size[i]) {
        stride[i] = step;
    }
    for (size_t n = 0; n < count; n++) {
        size_t rest = n, at = 0;
        for (size_t i = layout->atoms; i-- > 0; rest /= layout->size[layout->at[i]]) {
            at += rest % layout->size[layout->at[i]] * stride[layout->at[i]];
        }
        out[n] = at;
    }
}

static void make_image(struct stoa_onnx_layout *layout) {
    const size_t dim[] = {6, 4, 5}, order[] = {1, 2, 0};
    stoa_onnx_layout_make(layout, 3, dim, order);
}

static void test_image(void **state) {
    struct stoa_onnx_layout layout;
    size_t found[MOST], order[STOA_ONNX_AXES];
    (void)state;
    make_image(&layout);
    walk(&layout, found);
    for (size_t c = 0; c < 6; c++) {
        for (size_t p = 0; p < 20; p++) {
            assert_int_equal(found[c * 20 + p], p * 6 + c);
        }
    }
    assert_true(stoa_onnx_layout_order(&layout, order));
    assert_int_equal(order[0], 1);
    assert_int_equal(order[2], 0);
    assert_true(stoa_onnx_layout_is(&layout, (size_t[]){1, 2, 0}));
    assert_false(stoa_onnx_layout_is(&layout, NULL));
}

/* Flatten, a split of channels as shuffles have it, and a transpose move nothing: the walk stays. */
static void test_reshape(void **state) {
    struct stoa_onnx_layout layout;
    size_t before[MOST], after[MOST], order[STOA_ONNX_AXES];
    (void)state;
    make_image(&layout);
    walk(&layout, before);
    assert_true(stoa_onnx_layout_reshape(&layout, 1, (size_t[]){120}));
    walk(&layout, after);
    assert_memory_equal(before, after, 120 * sizeof *before);
    assert_false(stoa_onnx_layout_order(&layout, order));
    assert_true(stoa_onnx_layout_reshape(&layout, 5, (size_t[]){2, 3, 1, 4, 5}));
    walk(&layout, after);
    assert_memory_equal(before, after, 120 * sizeof *before);
    stoa_onnx_layout_transpose(&layout, (size_t[]){1, 0, 2, 3, 4});
    walk(&layout, after);
    for (size_t i = 0; i < 120; i++) {
        const size_t c = i / 20;
        assert_int_equal(after[i], before[(c % 2 * 3 + c / 2) * 20 + i % 20]);
    }
    /* 8 is no product of whole atoms, and no atom of it can be cut. */
    make_image(&layout);
    assert_false(stoa_onnx_layout_reshape(&layout, 2, (size_t[]){8, 15}));
}

static void test_moves(void **state) {
    struct stoa_onnx_layout layout;
    size_t size[STOA_ONNX_ATOMS], next[STOA_ONNX_ATOMS];
    (void)state;
    make_image(&layout);
    assert_int_equal(stoa_onnx_layout_moves(&layout, NULL, size, next), 2);
    assert_int_equal(size[0], 20);
    assert_int_equal(size[1], 6);
    assert_int_equal(next[0], 1);
    assert_int_equal(next[1], 0);
    assert_int_equal(stoa_onnx_layout_moves(&layout, (size_t[]){1, 2, 0}, size, next), 1);
}

/* A network of the schema's own messages: conv, relu, flatten, dense. */
static size_t pack(uint8_t out[4096]) {
    static float weight[2 * 9], dense[3 * 32], bias[3] = {0.5F, -1, 0.25F};
    int64_t shapes[3][4] = {{2, 1, 3, 3}, {3, 32}, {3}};
    float *const data[] = {weight, dense, bias};
    static const size_t ranks[] = {4, 2, 1}, counts[] = {18, 96, 3};
    char *const names[] = {(char[]){"c.weight"}, (char[]){"f.weight"}, (char[]){"f.bias"}};
    char x[] = "x", a[] = "a", b[] = "b", q[] = "q", y[] = "y", trans[] = "transB", pads[] = "pads";
    char *ops[] = {(char[]){"Conv"}, (char[]){"Relu"}, (char[]){"Flatten"}, (char[]){"Gemm"}};
    char *inputs[4][3] = {{x, names[0]}, {a}, {b}, {q, names[1], names[2]}}, *outputs[4] = {a, b, q, y};
    int64_t ones[4] = {1, 1, 1, 1};
    for (size_t i = 0; i < 96; i++) {
        weight[i % 18] = (float)((int)(i * 7 % 13) - 6) / 8;
        dense[i] = (float)((int)(i * 5 % 11) - 5) / 16;
    }
    StoaOnnx__Tensor tensors[3], *initializer[3];
    for (size_t i = 0; i < 3; i++) {
        tensors[i] = (StoaOnnx__Tensor)STOA_ONNX__TENSOR__INIT;
        tensors[i].name = names[i];
        tensors[i].n_dims = ranks[i];
        tensors[i].dims = shapes[i];
        tensors[i].has_data_type = true;
        tensors[i].data_type = 1;
        tensors[i].n_float_data = counts[i];
        tensors[i].float_data = data[i];
        initializer[i] = &tensors[i];
    }
    StoaOnnx__Attribute attribute[2] = {STOA_ONNX__ATTRIBUTE__INIT, STOA_ONNX__ATTRIBUTE__INIT};
    StoaOnnx__Attribute *of_conv[] = {&attribute[0]}, *of_gemm[] = {&attribute[1]};
    attribute[0].name = pads;
    attribute[0].n_ints = 4;
    attribute[0].ints = ones;
    attribute[1].name = trans;
    attribute[1].has_i = true;
    attribute[1].i = 1;
    StoaOnnx__Node nodes[4], *node[4];
    for (size_t i = 0; i < 4; i++) {
        nodes[i] = (StoaOnnx__Node)STOA_ONNX__NODE__INIT;
        nodes[i].op_type = ops[i];
        nodes[i].n_input = i == 0 ? 2 : i == 3 ? 3 : 1;
        nodes[i].input = inputs[i];
        nodes[i].n_output = 1;
        nodes[i].output = &outputs[i];
        nodes[i].n_attribute = i == 0 || i == 3;
        nodes[i].attribute = i == 0 ? of_conv : of_gemm;
        node[i] = &nodes[i];
    }
    StoaOnnx__Dimension dims[4], *dim[4];
    const int64_t sizes[] = {1, 1, 4, 4};
    for (size_t i = 0; i < 4; i++) {
        dims[i] = (StoaOnnx__Dimension)STOA_ONNX__DIMENSION__INIT;
        dims[i].has_dim_value = true;
        dims[i].dim_value = sizes[i];
        dim[i] = &dims[i];
    }
    StoaOnnx__Shape shape = STOA_ONNX__SHAPE__INIT;
    StoaOnnx__TensorType type = STOA_ONNX__TENSOR_TYPE__INIT;
    StoaOnnx__Type outer = STOA_ONNX__TYPE__INIT;
    StoaOnnx__Value input = STOA_ONNX__VALUE__INIT, output = STOA_ONNX__VALUE__INIT;
    StoaOnnx__Value *in = &input, *result = &output;
    StoaOnnx__Graph graph = STOA_ONNX__GRAPH__INIT;
    StoaOnnx__Model model = STOA_ONNX__MODEL__INIT;
    StoaOnnx__Opset opset = STOA_ONNX__OPSET__INIT, *opsets = &opset;
    shape.n_dim = 4;
    shape.dim = dim;
    type.has_elem_type = true;
    type.elem_type = 1;
    type.shape = &shape;
    outer.tensor_type = &type;
    input.name = x;
    input.type = &outer;
    output.name = y;
    graph.n_node = 4;
    graph.node = node;
    graph.n_initializer = 3;
    graph.initializer = initializer;
    graph.n_input = graph.n_output = 1;
    graph.input = &in;
    graph.output = &result;
    opset.has_version = true;
    opset.version = 17;
    model.has_ir_version = true;
    model.ir_version = 8;
    model.n_opset_import = 1;
    model.opset_import = &opsets;
    model.graph = &graph;
    assert_true(stoa_onnx__model__get_packed_size(&model) <= 4096);
    return stoa_onnx__model__pack(&model, out);
}

static void look(void *user, const stoa_gradcheck_result *result) {
    size_t *right = user;
    *right += result->passed;
}

static void test_gradients(void **state) {
    uint8_t data[4096];
    const size_t bytes = pack(data);
    stoa_context *context = NULL;
    stoa_model *model = NULL;
    size_t right = 0;
    (void)state;
    assert_int_equal(stoa_context_create(NULL, &context), STOA_OK);
    assert_int_equal(stoa_model_load_onnx_memory(context, data, bytes, NULL, &model), STOA_OK);
    assert_int_equal(stoa_model_layer_count(model), 4);
    assert_true(stoa_model_find_tensor(model, "f.bias") < stoa_model_tensor_count(model));
    const stoa_gradcheck_options options = {.batch = 3};
    assert_int_equal(stoa_gradcheck(context, model, &options, look, &right), STOA_OK);
    assert_true(right >= 3);
    stoa_model_free(model);
    /* Without its last bytes it is nothing, and nothing is left behind. */
    assert_int_equal(stoa_model_load_onnx_memory(context, data, bytes - 9, NULL, &model), STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context), "no ONNX model"));
    stoa_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image),
        cmocka_unit_test(test_reshape),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
