/* SPDX-License-Identifier: MIT */
/* Building models: the first error sticks and names its layer; tensors by name, in PyTorch's order, with
 * their initial values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

/* Lines "NAME LAYER"; `input` as H, W, C, NULL for none. */
static stoa_model *start(const size_t *input, const char *const *lines) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    if (input) {
        stoa_model_input(model, input[0], input[1], input[2]);
    }
    for (; *lines; lines++) {
        char name[128];
        size_t length = strcspn(*lines, " ");
        (void)snprintf(name, sizeof name, "%.*s", (int)length, *lines);
        stoa_model_add(model, name, *lines + length);
    }
    return model;
}

struct mistake {
    stoa_status status;
    const char *sentence;
    size_t input[3];
    const char *lines[6];
};

#define A4 "a,a,a,a,"
#define A32 A4 A4 A4 A4 A4 A4 A4 A4

static const struct mistake mistakes[] = {
    {STOA_ERR_ARGUMENT, "layer 'a': the name is used twice", {1, 1, 4}, {"a relu", "b relu", "a relu"}},
    {STOA_ERR_ARGUMENT,
     "layer 's': from: no layer 'x' stands before it",
     {1, 1, 4},
     {"a relu", "s add from=a,x"}},
    {STOA_ERR_ARGUMENT,
     "layer 'a': from: no layer 'b' stands before it",
     {1, 1, 4},
     {"a relu from=b", "b relu"}},
    {STOA_ERR_ARGUMENT,
     "layer 'b': from: no layer 'b' stands before it",
     {1, 1, 4},
     {"a relu", "b relu from=b"}},
    {STOA_ERR_ARGUMENT,
     "layer 's': from: no layer '' stands before it",
     {1, 1, 4},
     {"a relu", "s add from=a,a,"}},
    {STOA_ERR_ARGUMENT,
     "layer 's': from: no layer '' stands before it",
     {1, 1, 4},
     {"a relu", "s relu from=a,"}},
    {STOA_ERR_ARGUMENT,
     "layer 's': from: no layer '' stands before it",
     {1, 1, 4},
     {"a relu", "s add from=,a"}},
    {STOA_ERR_SHAPE, "relu 's': found 2 inputs, expected 1 to 1", {1, 1, 4}, {"a relu", "s relu from=a,a"}},
    {STOA_ERR_ARGUMENT,
     "layer 's': from: more than 128 inputs",
     {1, 1, 4},
     {"a relu", "s concat from=" A32 A32 A32 A32 "a"}},
    {STOA_ERR_SHAPE,
     "add 's': found a flattened image and plain features",
     {2, 2, 3},
     {"f flatten", "l linear units=12", "s add from=f,l"}},
    {STOA_ERR_ARGUMENT,
     "layer 'a?': expected a name of 1 to 65535 bytes of UTF-8 text without control characters",
     {1, 1, 4},
     {"a\x7F relu"}},
    {STOA_ERR_ARGUMENT,
     "layer 'a\xC3': expected a name of 1 to 65535 bytes of UTF-8 text without control characters",
     {1, 1, 4},
     {"a\xC3 relu"}},
    {STOA_ERR_ARGUMENT,
     "layer '': expected a name of 1 to 65535 bytes of UTF-8 text without control characters",
     {1, 1, 4},
     {" relu"}},
    {STOA_ERR_ARGUMENT,
     "layer 'input': the name is used twice, it is the input's",
     {1, 1, 4},
     {"input relu"}},
    {STOA_ERR_ARGUMENT,
     "input 'm': option 'channels' is missing, expected a number from 1 to 1073741824",
     {1, 1, 4},
     {"m input"}},
    {STOA_ERR_SHAPE,
     "input 'm': found 1 inputs, expected 0 to 0",
     {1, 1, 4},
     {"m input channels=2 from=input"}},
    {STOA_ERR_ARGUMENT,
     "layer 's': from: no layer '\"a,a' stands before it",
     {1, 1, 4},
     {"a relu", "s add from=\"a,a"}},
    {STOA_ERR_ARGUMENT, "layer 'l': 'mse' is a loss, not a layer", {1, 1, 4}, {"a relu", "l mse"}},
    {STOA_ERR_ARGUMENT,
     "layer 'l': unknown operator 'rely', did you mean 'relu'? Expected conv2d, ",
     {1, 1, 4},
     {"l rely"}},
    {STOA_ERR_ARGUMENT, "layer 'a': the model has no input yet", {0}, {"a relu"}},
    {STOA_ERR_SHAPE, "concat 's': found 1 inputs, expected 2 to 128", {1, 1, 4}, {"a relu", "s concat"}},
    {STOA_ERR_SHAPE,
     "add 's': found operands of shapes 5x5x2 and 3x3x2, expected sizes that are equal or 1",
     {5, 5, 2},
     {"a relu", "c conv2d filters=2 kernel=3", "s add from=a,c"}},
    {STOA_ERR_SHAPE,
     "conv2d 'c3': kernel 5x5 with dilation 1x1 does not fit input 4x4 with pad 0x0",
     {4, 4, 1},
     {"c3 conv2d filters=2 kernel=5", "later relu from=nowhere"}},
    {STOA_ERR_SHAPE,
     "conv2d 'c': found input of shape 7, expected an image HxWxC",
     {4, 4, 1},
     {"l linear units=7", "c conv2d filters=2 kernel=1"}},
    {STOA_ERR_SHAPE,
     "conv2d 'c': found input of shape 4, expected an image HxWxC",
     {1, 1, 4},
     {"f flatten", "c conv2d filters=2 kernel=1"}},
    {STOA_ERR_SHAPE,
     "concat 'c': found a flattened image: its order differs between memory and files",
     {2, 2, 3},
     {"f flatten", "l linear units=4", "c concat from=l,f"}},
    {STOA_ERR_SHAPE,
     "conv2d 'c': groups=2 does not divide 3 input channels and 4 filters",
     {4, 4, 3},
     {"c conv2d filters=4 kernel=1 groups=2"}},
    {STOA_ERR_SHAPE,
     "linear 'l': the weight 16777216x65536 has more than 1073741824 elements",
     {256, 256, 1},
     {"l linear units=16777216"}},
};

static void keeps_the_first_error(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const struct mistake *m = &mistakes[i];
        stoa_model *model = start(m->input[0] ? m->input : NULL, m->lines);
        stoa_model_add(model, "later.1", "conv2d");
        stoa_model_input(model, 0, 0, 0);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(stoa_model_build(model), m->status);
            /* Lists of what there is may follow. */
            if (strncmp(stoa_context_error(context), m->sentence, strlen(m->sentence)) != 0) {
                fail_msg("found \"%s\", expected \"%s\"", stoa_context_error(context), m->sentence);
            }
        }
        assert_int_equal(stoa_model_init(model, 1), STOA_ERR_ARGUMENT);
        stoa_model_free(model);
    }
}

static void expect_build(stoa_model *model, const char *sentence) {
    assert_int_equal(stoa_model_build(model), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), sentence);
    stoa_model_free(model);
}

static void refuses_inputs(void **state) {
    (void)state;
    const char *const none[] = {NULL};
    const size_t zero[3] = {3, 0, 1};
    expect_build(start(zero, none),
                 "input: found 3x0x1, expected sizes from 1 and at most 1073741824 elements");
    const size_t huge[3] = {1 << 30, 1 << 30, 1 << 30};
    expect_build(start(huge, none), "input: found 1073741824x1073741824x1073741824, expected sizes from 1 "
                                    "and at most 1073741824 elements");
    stoa_model *model = start((const size_t[]){1, 1, 3}, (const char *const[]){"a relu", NULL});
    stoa_model_input(model, 1, 1, 3);
    expect_build(model, "input: comes before the first layer");
}

static void sees_the_whole_graph(void **state) {
    (void)state;
    const size_t input[3] = {1, 1, 4};
    expect_build(start(input, (const char *const[]){NULL}), "the model has no layers");
    expect_build(start(input, (const char *const[]){"a relu", "b relu", "c relu from=a", NULL}),
                 "layer 'b': no later layer reads its output");
    expect_build(start(input, (const char *const[]){"a relu", "m input channels=2", "b relu from=a", NULL}),
                 "input 'm': no layer reads it");
    expect_build(start(input, (const char *const[]){"a relu", "m input channels=2", NULL}),
                 "layer 'a': no later layer reads its output");
    expect_build(start(input, (const char *const[]){"m input channels=2", "a relu", NULL}),
                 "input 'input': no layer reads it");
}

/* 1x1xC is a vector, and an image to what takes images. */
static void takes_an_image_of_one_pixel(void **state) {
    (void)state;
    static const char *const lines[] = {
        "r relu",           "c conv2d filters=4 kernel=3 pad=1", "p maxpool2d size=1", "f flatten",
        "l linear units=4", "i linear units=4 from=input",       "a add from=i,l",     NULL};
    stoa_model *model = start((const size_t[]){1, 1, 6}, lines);
    if (stoa_model_build(model) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    stoa_layer_info info;
    assert_int_equal(stoa_model_layer(model, 1, &info), STOA_OK);
    assert_int_equal(info.rank, 3);
    assert_true(info.shape[0] == 1 && info.shape[1] == 1 && info.shape[2] == 4);
    stoa_model_free(model);
}

static void refuses_changes_after_build(void **state) {
    (void)state;
    stoa_model *model = start((const size_t[]){1, 1, 3}, (const char *const[]){"a relu", NULL});
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_build(model), STOA_OK);
    stoa_model_add(model, "b", "relu");
    assert_int_equal(stoa_model_layer_count(model), 1);
    expect_build(model, "the model is built and cannot change");
}

static const char *const small_net[] = {"c1 conv2d filters=4 kernel=3x2 groups=2",
                                        "b1 batchnorm",
                                        "f flatten",
                                        "l1 linear units=5 bias=false",
                                        "r relu",
                                        "l2 linear units=3",
                                        NULL};

static void describes_layers(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, (const size_t[]){6, 5, 2}, small_net);
    assert_int_equal(stoa_model_layer_count(model), 6);
    stoa_layer_info info;
    assert_int_equal(stoa_model_layer(model, 0, &info), STOA_OK);
    assert_string_equal(info.name, "c1");
    assert_string_equal(info.op, "conv2d");
    assert_string_equal(info.options, "filters=4 kernel=3x2 groups=2");
    assert_true(info.rank == 3 && info.shape[0] == 4 && info.shape[1] == 4 && info.shape[2] == 4);
    assert_int_equal(info.parameters, 4 * 3 * 2 + 4);
    assert_true(info.flops == 2.0 * (4 * 4 * 4) * (3 * 2 * 1));
    assert_int_equal(stoa_model_layer(model, 1, &info), STOA_OK);
    assert_string_equal(info.options, "");
    assert_int_equal(info.parameters, 8);
    assert_int_equal(stoa_model_layer(model, 6, &info), STOA_ERR_ARGUMENT);
    assert_int_equal(stoa_model_parameter_count(model), 28 + 8 + 64 * 5 + 5 * 3 + 3);
    assert_int_equal(stoa_model_input_size(model), 60);
    assert_int_equal(stoa_model_output_size(model), 3);
    stoa_model_free(model);
}

static void finds_tensors_by_name(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, (const size_t[]){6, 5, 2}, small_net);
    static const struct {
        const char *name;
        bool trainable;
        size_t rank, shape[4];
    } expected[] = {
        {"c1.weight", true, 4, {4, 1, 3, 2}},
        {"c1.bias", true, 1, {4}},
        {"b1.weight", true, 1, {4}},
        {"b1.bias", true, 1, {4}},
        {"b1.running_mean", false, 1, {4}},
        {"b1.running_var", false, 1, {4}},
        {"l1.weight", true, 2, {5, 64}},
        {"l2.weight", true, 2, {3, 5}},
        {"l2.bias", true, 1, {3}},
    };
    size_t count = sizeof expected / sizeof *expected;
    assert_int_equal(stoa_model_tensor_count(model), count);
    for (size_t i = 0; i < count; i++) {
        stoa_tensor_info info;
        assert_int_equal(stoa_model_find_tensor(model, expected[i].name), i);
        assert_int_equal(stoa_model_tensor(model, i, &info), STOA_OK);
        assert_string_equal(info.name, expected[i].name);
        assert_int_equal(info.trainable, expected[i].trainable);
        assert_int_equal(info.rank, expected[i].rank);
        size_t elements = 1;
        for (size_t d = 0; d < info.rank; d++) {
            assert_int_equal(info.shape[d], expected[i].shape[d]);
            elements *= info.shape[d];
        }
        assert_int_equal(info.count, elements);
        assert_true((uintptr_t)stoa_tensor_data(model, i) % 64 == 0);
    }
    assert_int_equal(stoa_model_find_tensor(model, "c1"), count);
    stoa_tensor_info info;
    assert_int_equal(stoa_model_tensor(model, count, &info), STOA_ERR_ARGUMENT);
    float value = 5;
    assert_int_equal(stoa_model_get_tensor(model, 0, &value, 1), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context),
                        "tensor 'c1.weight': found room for 1 values, expected 24");
    assert_int_equal(stoa_model_set_tensor(model, count, &value, 1), STOA_ERR_ARGUMENT);
    stoa_model_free(model);
}

/* What lies where, from the formulas: convolution weights (K, C, KH, KW) on disk and (KH, KW, C, K) in
 * memory; the first linear layer behind an image takes its inputs as C, H, W on disk and H, W, C in memory.
 */
static void permutes_like_pytorch(void **state) {
    (void)state;
    stoa_model *model = oracle_model(context, (const size_t[]){6, 5, 2}, small_net);
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        assert_int_equal(stoa_model_tensor(model, i, &info), STOA_OK);
        float *values = oracle_floats(info.count);
        float *back = oracle_floats(info.count);
        for (size_t j = 0; j < info.count; j++) {
            values[j] = (float)j + 0.5F;
        }
        assert_int_equal(stoa_model_set_tensor(model, i, values, info.count), STOA_OK);
        assert_int_equal(stoa_model_get_tensor(model, i, back, info.count), STOA_OK);
        assert_memory_equal(values, back, info.count * sizeof *values);
        free(values);
        free(back);
    }
    const float *conv = stoa_tensor_data(model, stoa_model_find_tensor(model, "c1.weight"));
    for (size_t k = 0; k < 4; k++) {
        for (size_t tap = 0; tap < 6; tap++) {
            assert_true(conv[tap * 4 + k] == (float)(k * 6 + tap) + 0.5F);
        }
    }
    const float *first = stoa_tensor_data(model, stoa_model_find_tensor(model, "l1.weight"));
    for (size_t o = 0; o < 5; o++) {
        for (size_t c = 0; c < 4; c++) {
            for (size_t pixel = 0; pixel < 16; pixel++) { /* 4x4 */
                assert_true(first[(pixel * 4 + c) * 5 + o] == (float)(o * 64 + c * 16 + pixel) + 0.5F);
            }
        }
    }
    const float *second = stoa_tensor_data(model, stoa_model_find_tensor(model, "l2.weight"));
    for (size_t o = 0; o < 3; o++) {
        for (size_t in = 0; in < 5; in++) {
            assert_true(second[in * 3 + o] == (float)(o * 5 + in) + 0.5F);
        }
    }
    stoa_model_free(model);
}

/* Batch norm behind a flatten: its vectors too are C, H, W on disk and H, W, C in memory; behind a linear
 * layer nothing is left of the image. */
static void permutes_vectors_behind_a_flatten(void **state) {
    (void)state;
    static const char *const names[] = {"b1.weight", "b1.bias", "b1.running_mean", "b1.running_var"};
    static const char *const lines[] = {"f flatten",         "b1 batchnorm", "r relu",
                                        "l1 linear units=6", "b2 batchnorm", NULL};
    stoa_model *model = oracle_model(context, (const size_t[]){3, 2, 4}, lines);
    float values[24];
    for (size_t i = 0; i < 24; i++) {
        values[i] = (float)i;
    }
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        size_t tensor = stoa_model_find_tensor(model, names[n]);
        assert_int_equal(stoa_model_set_tensor(model, tensor, values, 24), STOA_OK);
        for (size_t c = 0; c < 4; c++) {
            for (size_t pixel = 0; pixel < 6; pixel++) { /* 3x2 */
                assert_true(stoa_tensor_data(model, tensor)[pixel * 4 + c] == (float)(c * 6 + pixel));
            }
        }
    }
    size_t plain = stoa_model_find_tensor(model, "b2.weight");
    assert_int_equal(stoa_model_set_tensor(model, plain, values, 6), STOA_OK);
    assert_memory_equal(stoa_tensor_data(model, plain), values, 6 * sizeof *values);
    stoa_model_free(model);
}

static void check_deviation(const stoa_model *model, const char *name, double expected) {
    const struct stoa_tensor *tensor = &model->tensors[stoa_model_find_tensor(model, name)];
    const float *data = stoa_tensor_data(model, stoa_model_find_tensor(model, name));
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < tensor->count; i++) {
        sum += (double)data[i];
        squares += (double)data[i] * (double)data[i];
    }
    double n = (double)tensor->count;
    double mean = sum / n;
    double deviation = sqrt(squares / n - mean * mean);
    /* Five standard errors. */
    assert_true(fabs(mean) < 5 * expected / sqrt(n));
    assert_true(fabs(deviation - expected) < 5 * expected / sqrt(2 * n));
}

static const char *const wide_net[] = {"c1 conv2d filters=64 kernel=5x3 groups=2 pad=same",
                                       "c2 conv2d filters=32 kernel=3 init=xavier",
                                       "b1 batchnorm",
                                       "l1 linear units=50",
                                       "l2 linear units=300 init=xavier",
                                       NULL};

static void draws_initial_values(void **state) {
    (void)state;
    stoa_model *model = start((const size_t[]){8, 8, 8}, wide_net);
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_true(stoa_tensor_data(model, 0)[0] == 0);
    assert_int_equal(stoa_model_init(model, 3), STOA_OK);
    check_deviation(model, "c1.weight", sqrt(2.0 / (5 * 3 * 4)));
    check_deviation(model, "c2.weight", sqrt(2.0 / (9 * 64 + 9 * 32)));
    check_deviation(model, "l1.weight", sqrt(2.0 / (6 * 6 * 32)));
    check_deviation(model, "l2.weight", sqrt(2.0 / (50 + 300)));
    static const struct {
        const char *name;
        float value;
    } constants[] = {{"c1.bias", 0},         {"b1.weight", 1},      {"b1.bias", 0},
                     {"b1.running_mean", 0}, {"b1.running_var", 1}, {"l2.bias", 0}};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        size_t number = stoa_model_find_tensor(model, constants[i].name);
        for (size_t j = 0; j < model->tensors[number].count; j++) {
            assert_true(stoa_tensor_data(model, number)[j] == constants[i].value);
        }
    }
    stoa_model_free(model);
}

static void draws_the_same_for_the_same_seed(void **state) {
    (void)state;
    stoa_model *models[3];
    for (uint64_t i = 0; i < 3; i++) {
        models[i] = start((const size_t[]){8, 8, 8}, wide_net);
        assert_int_equal(stoa_model_build(models[i]), STOA_OK);
        assert_int_equal(stoa_model_init(models[i], 5 + i), STOA_OK);
    }
    assert_int_equal(stoa_model_init(models[1], 5), STOA_OK); /* again, with the first one's seed */
    size_t bytes = models[0]->parameter_floats * sizeof(float);
    assert_memory_equal(models[0]->parameters, models[1]->parameters, bytes);
    assert_memory_not_equal(models[0]->parameters, models[2]->parameters, bytes);
    for (size_t i = 0; i < 3; i++) {
        stoa_model_free(models[i]);
    }
}

/* Tensors of one model and one shape. */
static void draws_each_tensor_anew(void **state) {
    (void)state;
    stoa_model *model =
        start((const size_t[]){1, 1, 6},
              (const char *const[]){"a linear units=6 bias=false", "b linear units=6 bias=false", NULL});
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 5), STOA_OK);
    for (size_t i = 0; i < 36; i++) {
        assert_true(stoa_tensor_data(model, 0)[i] != stoa_tensor_data(model, 1)[i]);
    }
    stoa_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_first_error),
        cmocka_unit_test(refuses_inputs),
        cmocka_unit_test(sees_the_whole_graph),
        cmocka_unit_test(takes_an_image_of_one_pixel),
        cmocka_unit_test(refuses_changes_after_build),
        cmocka_unit_test(describes_layers),
        cmocka_unit_test(finds_tensors_by_name),
        cmocka_unit_test(permutes_like_pytorch),
        cmocka_unit_test(permutes_vectors_behind_a_flatten),
        cmocka_unit_test(draws_initial_values),
        cmocka_unit_test(draws_each_tensor_anew),
        cmocka_unit_test(draws_the_same_for_the_same_seed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
