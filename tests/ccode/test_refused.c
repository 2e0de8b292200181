/* SPDX-License-Identifier: MIT */
/* What is not exported as C: a sentence that names what was found, and nothing written. And that no operator
 * of the registry is without C. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <stoa/ccode.h>

#include "../base/cmocka_prelude.h"
#include "ccode/ccode.h"

static stoa_context *context;
static const char path[] = "test_refused_net.c";
static const char weights[] = "test_refused_net.weights";

static int set_up(void **state) {
    (void)state;
    (void)unlink(path);
    (void)unlink(weights);
    return stoa_context_create(&(stoa_context_options){.threads = 1}, &context);
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(path);
    (void)unlink(weights);
    stoa_context_free(context);
    return 0;
}

static stoa_model *small_model(void) {
    stoa_model *model;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 4, 4, 2);
    stoa_model_add(model, "c1", "conv2d filters=3 kernel=3");
    stoa_model_add(model, "r1", "relu");
    stoa_model_add(model, "l1", "linear units=5");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, 1), STOA_OK);
    return model;
}

/* The export fails with a sentence that has these words, and neither file is there. */
static void expect(stoa_model *model, const char *to, const stoa_c_options *options, stoa_status status,
                   const char *words) {
    stoa_c_sizes sizes = {.arena_bytes = 77};
    assert_int_equal(stoa_model_export_c(model, to, options, &sizes), status);
    const char *sentence = stoa_context_error(context);
    if (!strstr(sentence, words)) {
        fail_msg("found '%s', expected '%s' in it", sentence, words);
    }
    assert_int_equal(sizes.arena_bytes, 77);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(weights, F_OK), 0);
}

static void test_names(void **state) {
    (void)state;
    static const char *const names[] = {"",     "1net",      "a-b",
                                        "int",  "class",     "_net",
                                        "net ", "n\xc3\xa4", "a23456789012345678901234567890123456789012"};
    stoa_model *model = small_model();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        expect(model, path, &(stoa_c_options){.name = names[i]}, STOA_ERR_ARGUMENT,
               "expected an identifier of C");
    }
    stoa_model_free(model);
}

static void test_paths(void **state) {
    (void)state;
    stoa_model *model = small_model();
    expect(model, "no/such/folder/net.c", NULL, STOA_ERR_IO, "no/such/folder/net.c: cannot");
    expect(model, path, &(stoa_c_options){.weights = path}, STOA_ERR_ARGUMENT, "expected two files");
    expect(model, path, &(stoa_c_options){.weights = "no/such/w"}, STOA_ERR_IO, "no/such/w: cannot");
    /* The weights are written first; without their source they are of no use. */
    expect(model, "no/such/net.c", &(stoa_c_options){.weights = weights}, STOA_ERR_IO, "no/such/net.c");
    stoa_model_free(model);
}

static void test_models(void **state) {
    (void)state;
    stoa_model *model;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    expect(model, path, NULL, STOA_ERR_ARGUMENT, "not built");
    stoa_model_free(model);
    model = small_model();
    float values[5 * 12] = {[7] = NAN};
    assert_int_equal(stoa_model_set_tensor(model, stoa_model_find_tensor(model, "l1.weight"), values, 60),
                     STOA_OK);
    expect(model, path, NULL, STOA_ERR_ARGUMENT, "l1.weight holds a number that is not finite");
    stoa_model_free(model);
}

static void test_unknown_operator(void **state) {
    (void)state;
    stoa_model *model = small_model();
    struct stoa_op other = *model->nodes[1].layer.op;
    other.name = "frobnicate";
    model->nodes[1].layer.op = &other;
    expect(model, path, NULL, STOA_ERR_UNSUPPORTED, "frobnicate 'r1': the operator is not written as C");
    stoa_model_free(model);
}

static void test_every_operator_is_written(void **state) {
    (void)state;
    for (const struct stoa_op *const *op = stoa_ops; *op; op++) {
        if (!(*op)->is_loss && !stoa_c_operator_find(*op)) {
            fail_msg("operator %s has no line in ccode/operators.c", (*op)->name);
        }
    }
}

/* A name from the file where none is given; sizes are those on disk. */
static void test_what_is_told(void **state) {
    (void)state;
    stoa_model *model = small_model();
    stoa_c_sizes sizes;
    char text[256] = "";
    assert_int_equal(stoa_model_export_c(model, path, &(stoa_c_options){.weights = weights}, &sizes),
                     STOA_OK);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_not_equal(fread(text, 1, sizeof text - 1, file), 0);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    assert_int_equal(ftell(file), sizes.source_bytes);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, ": test_refused_net, a network of 3 layers"));
    assert_int_equal(sizes.code_bytes, sizes.source_bytes);
    assert_int_equal(sizes.weights_bytes, 64 + sizes.constant_bytes);
    assert_int_equal(sizes.arena_bytes % sizeof(float), 0);
    stoa_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_models, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_operator, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_operator_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
