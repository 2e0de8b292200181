/* SPDX-License-Identifier: MIT */
/* Tensors alone, from files as PyTorch writes them: every floating-point type, names behind wrappers, and
 * what is refused with which sentence while the model stays as it was. */
#include <math.h>

#include "tests/model/builder.h"

static void assert_all_values(const stoa_model *model) {
    for (size_t t = 0; t < STATE_TENSORS; t++) {
        assert_values(model, state_tensors[t].name, t);
    }
}

/* Load the builder's file into a model whose values are others. */
static void assert_loads(struct builder *builder) {
    stoa_model *model = small_model();
    size_t bytes = 0;
    unsigned char *file = builder_finish(builder, &bytes);
    assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), STOA_OK);
    assert_all_values(model);
    free(file);
    stoa_model_free(model);
}

static void test_types(void **state) {
    (void)state;
    static const char *const types[] = {"F32", "F16", "F64"};
    struct builder builder;
    for (size_t i = 0; i < 3; i++) {
        for (size_t last = 0; last < 3; last++) {
            build_state_as(&builder, STATE_TENSORS, types[i], types[last], "");
            assert_loads(&builder);
        }
    }
}

/* BF16 has 8 bits: values are rounded by whoever made the file. */
static void test_bfloat16(void **state) {
    (void)state;
    static const float values[2] = {-1.5F, 0x1.4p-131F};
    unsigned char data[4];
    struct builder builder;
    stoa_model *model = small_model();
    build_state(&builder, 1, "F32");
    builder_tensor(&builder, "c1.bias", "BF16", "[2]", data, encode("BF16", values, 2, data));
    size_t bytes = 0;
    unsigned char *file = builder_finish(&builder, &bytes);
    float found[2];
    assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), STOA_OK);
    assert_int_equal(stoa_model_get_tensor(model, stoa_model_find_tensor(model, "c1.bias"), found, 2),
                     STOA_OK);
    assert_true(found[0] == values[0]);
    assert_memory_equal(&found[1], &(float){0x1.4p-131F}, sizeof(float));
    free(file);
    stoa_model_free(model);
}

static void test_wrapped_names(void **state) {
    (void)state;
    static const char *const prefixes[] = {"module.", "_orig_mod.", "module._orig_mod.",
                                           "_orig_mod.module.module."};
    struct builder builder;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        build_state_as(&builder, STATE_TENSORS, "F32", "F32", prefixes[i]);
        assert_loads(&builder);
    }
    /* An average of models counts them beside it. */
    const int64_t models = 7;
    build_state_as(&builder, STATE_TENSORS, "F32", "F32", "module.");
    builder_tensor(&builder, "n_averaged", "I64", "[]", &models, sizeof models);
    assert_loads(&builder);
}

/* A layer may have such a name itself. */
static void test_layers_named_like_wrappers(void **state) {
    (void)state;
    for (int wrapped = 0; wrapped < 2; wrapped++) {
        stoa_model *model = NULL;
        struct builder builder = {.used = 0};
        assert_int_equal(stoa_model_create(context, &model), STOA_OK);
        stoa_model_input(model, 1, 1, 2);
        stoa_model_add(model, "module.a", "linear units=1 bias=false");
        assert_int_equal(stoa_model_build(model), STOA_OK);
        const float values[2] = {3, 4};
        unsigned char data[8];
        say(&builder, "{\"__metadata__\":{}");
        builder_tensor(&builder, wrapped ? "module.module.a.weight" : "module.a.weight", "F32", "[1,2]", data,
                       encode("F32", values, 2, data));
        size_t bytes = 0;
        unsigned char *file = builder_finish(&builder, &bytes);
        float found[2] = {0, 0};
        assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), STOA_OK);
        assert_int_equal(stoa_model_get_tensor(model, 0, found, 2), STOA_OK);
        assert_memory_equal(found, values, sizeof values);
        free(file);
        stoa_model_free(model);
    }
}

static void test_state_dictionary(void **state) {
    (void)state;
    stoa_model *model = small_model();
    struct builder builder;
    build_state(&builder, STATE_TENSORS, "F32");
    for (int odd = 0; odd < 4; odd++) {
        size_t bytes = 0;
        struct builder padded = builder;
        memset(padded.header + padded.used, ' ', (size_t)odd); /* data at every alignment */
        padded.used += (size_t)odd;
        unsigned char *file = builder_finish(&padded, &bytes);
        assert_int_equal(stoa_model_init(model, 1), STOA_OK);
        assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), STOA_OK);
        assert_all_values(model);
        free(file);
    }
    stoa_model_free(model);
}

/* The builder's file is refused and the model stays as it was. */
static void assert_tensors_refused(struct builder *builder, stoa_status status, const char *sentence) {
    stoa_model *model = small_model();
    unsigned char *before = NULL;
    unsigned char *after = NULL;
    size_t before_bytes = 0;
    size_t after_bytes = 0;
    size_t bytes = 0;
    save_memory(model, &before, &before_bytes);
    unsigned char *file = builder_finish(builder, &bytes);
    assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), status);
    assert_string_equal(stoa_context_error(context), sentence);
    save_memory(model, &after, &after_bytes);
    assert_int_equal(before_bytes, after_bytes);
    assert_memory_equal(before, after, before_bytes);
    free(file);
    stoa_buffer_free(context, before, before_bytes);
    stoa_buffer_free(context, after, after_bytes);
    stoa_model_free(model);
}

static void test_tensors_refused(void **state) {
    (void)state;
    struct builder builder;
    const float two[2] = {1, 2};
    build_state(&builder, 1, "F32");
    assert_tensors_refused(&builder, STOA_ERR_FORMAT,
                           "model: tensor 'c1.bias' is missing, expected shape (2)");
    build_state(&builder, 1, "F32");
    builder_tensor(&builder, "c1.bias", "F32", "[1,2]", two, sizeof two);
    assert_tensors_refused(&builder, STOA_ERR_SHAPE,
                           "model: tensor 'c1.bias': found shape (1, 2), expected (2)");
    build_state(&builder, 1, "F32");
    builder_tensor(&builder, "c1.bias", "F32", "[2,1]", two, sizeof two);
    assert_tensors_refused(&builder, STOA_ERR_SHAPE,
                           "model: tensor 'c1.bias': found shape (2, 1), expected (2)");
    build_state(&builder, 1, "F32");
    builder_tensor(&builder, "c1.bias", "F32", "[1]", two, sizeof two[0]);
    assert_tensors_refused(&builder, STOA_ERR_SHAPE,
                           "model: tensor 'c1.bias': found shape (1), expected (2)");
    build_state(&builder, STATE_TENSORS, "F32");
    builder_tensor(&builder, "c9.bias", "F32", "[2]", two, sizeof two);
    assert_tensors_refused(&builder, STOA_ERR_FORMAT,
                           "model: found tensor 'c9.bias' of shape (2), expected none of this name");
    build_state(&builder, STATE_TENSORS, "I32");
    assert_tensors_refused(&builder, STOA_ERR_FORMAT,
                           "model: tensor 'b1.running_var': found dtype I32, expected F32, F16, BF16 or F64");
    build_state(&builder, STATE_TENSORS, "F32");
    builder.data_bytes -= 1;
    assert_tensors_refused(
        &builder, STOA_ERR_FORMAT,
        "model: tensor 'b1.running_var': found data_offsets 472 to 480, expected a part of the "
        "479 data bytes");
}

static void test_missing_says_what_was_found(void **state) {
    (void)state;
    struct builder builder;
    const float two[2] = {1, 2};
    build_state_as(&builder, STATE_TENSORS, "F32", "F32", "net.");
    assert_tensors_refused(
        &builder, STOA_ERR_FORMAT,
        "model: tensor 'c1.weight' is missing, expected shape (2, 3, 3, 2); found 'net.l1.weight', "
        "'net.c1.bias', 'net.c1.weight' and 4 more");
    /* One of the names has another prefix: none is taken off. */
    build_state_as(&builder, 1, "F32", "F32", "module.");
    builder_tensor(&builder, "c1.bias", "F32", "[2]", two, sizeof two);
    assert_tensors_refused(&builder, STOA_ERR_FORMAT,
                           "model: tensor 'c1.weight' is missing, expected shape (2, 3, 3, 2); found "
                           "'module.l1.weight', 'module.c1.weight', 'module.b1.weight' and 3 more");
    build_state_as(&builder, 1, "F32", "F32", "module.");
    builder_tensor(&builder, "module.c1.offset", "F32", "[2]", two, sizeof two);
    assert_tensors_refused(
        &builder, STOA_ERR_FORMAT,
        "model: tensor 'c1.bias' is missing, expected shape (2); found 'module.c1.offset'");
}

/* Doubles: what is nearest to a float becomes it, what is beyond all floats is refused; infinities and NaN
 * are kept. */
static void test_doubles(void **state) {
    (void)state;
    static const uint64_t kept[][2] = {
        {0x47EFFFFFEFFFFFFF, 0xC7EFFFFFE0000000},  /* rounds to FLT_MAX; -FLT_MAX */
        {0x7FF0000000000000, 0x7FF8000000000000},  /* infinity, NaN */
        {0x3FB999999999999A, 0x0000000000000001}}; /* 0.1; 5e-324 becomes 0 */
    static const float expected[][2] = {{0x1.FFFFFEp+127F, -0x1.FFFFFEp+127F}, {INFINITY, NAN}, {0.1F, 0}};
    struct builder builder;
    unsigned char data[16];
    for (size_t i = 0; i < 3; i++) {
        stoa_model *model = small_model();
        build_state(&builder, 1, "F32");
        stoa_store_le64(data, kept[i][0]);
        stoa_store_le64(data + 8, kept[i][1]);
        builder_tensor(&builder, "c1.bias", "F64", "[2]", data, sizeof data);
        size_t bytes = 0;
        unsigned char *file = builder_finish(&builder, &bytes);
        float found[2];
        assert_int_equal(stoa_model_load_tensors_memory(model, file, bytes), STOA_OK);
        assert_int_equal(stoa_model_get_tensor(model, stoa_model_find_tensor(model, "c1.bias"), found, 2),
                         STOA_OK);
        for (size_t j = 0; j < 2; j++) {
            assert_true(isnan(expected[i][j]) ? isnan(found[j]) : found[j] == expected[i][j]);
        }
        free(file);
        stoa_model_free(model);
    }
    build_state(&builder, 1, "F32");
    stoa_store_le64(data, 0);
    stoa_store_le64(data + 8, 0xC7EFFFFFF0000000); /* the first that is nearer to -infinity */
    builder_tensor(&builder, "c1.bias", "F64", "[2]", data, sizeof data);
    assert_tensors_refused(
        &builder, STOA_ERR_FORMAT,
        "model: tensor 'c1.bias': value 1 is 2^127 or more in size, expected less than 2^128: F64 "
        "becomes F32");
    build_state(&builder, 1, "F32");
    stoa_store_le64(data, 0x7FE1CCF385EBC8A0); /* 1e308 */
    builder_tensor(&builder, "c1.bias", "F64", "[2]", data, sizeof data);
    assert_tensors_refused(
        &builder, STOA_ERR_FORMAT,
        "model: tensor 'c1.bias': value 0 is 2^1023 or more in size, expected less than 2^128: F64 "
        "becomes F32");
}

int main(void) {
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 99;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_wrapped_names),
        cmocka_unit_test(test_layers_named_like_wrappers),
        cmocka_unit_test(test_state_dictionary),
        cmocka_unit_test(test_tensors_refused),
        cmocka_unit_test(test_missing_says_what_was_found),
        cmocka_unit_test(test_doubles),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stoa_context_free(context);
    return failed;
}
