/* SPDX-License-Identifier: MIT */
/* Names of layers, inputs and outputs, whoever gave them, and layers from structs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/layers.h"
#include "model/plan.h"
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

static stoa_model *start(size_t channels) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_input(model, 1, 1, channels);
    return model;
}

static void expect_build(stoa_model *model, const char *sentence) {
    assert_int_equal(stoa_model_build(model), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), sentence);
    stoa_model_free(model);
}

/* Names from elsewhere are kept to the byte, in lines, structs, tensors and files. */
static const char *const foreign[] = {"/block.0/Conv",
                                      "features.0.0_1:relu",
                                      "a, b",
                                      "\"",
                                      "\\",
                                      "c*",
                                      "x=y",
                                      "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"};
enum { FOREIGN = sizeof foreign / sizeof *foreign };

static void keeps_foreign_names(void **state) {
    (void)state;
    stoa_model *model = NULL, *loaded = NULL;
    void *data = NULL;
    size_t bytes = 0;
    assert_int_equal(stoa_model_create(context, &model), STOA_OK);
    stoa_model_add_input(model, "x: 0", 1, 1, 3);
    for (size_t i = 0; i < FOREIGN; i++) {
        const char *const inputs[] = {i == 0 ? "x: 0" : foreign[i - 1], NULL};
        const stoa_layer_option options[] = {{"units", "3"}, {NULL, NULL}};
        stoa_model_add_layer(model, &(stoa_layer_spec){.name = foreign[i],
                                                       .op = "linear",
                                                       .options = options,
                                                       .inputs = i % 2 ? NULL : inputs});
    }
    stoa_model_add(model, "sum", "add from=\"\\\\\",\"a, b\"");
    stoa_model_add(model, "out", "add from=sum,\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
    stoa_model_add_output(model, "y,1", "out");
    stoa_model_add_output(model, NULL, "/block.0/Conv");
    if (stoa_model_build(model) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_model_init(model, 4), STOA_OK);
    assert_int_equal(stoa_model_save_memory(model, &data, &bytes), STOA_OK);
    if (stoa_model_load_memory(context, data, bytes, &loaded) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    for (size_t i = 0; i < FOREIGN; i++) {
        char tensor[80];
        (void)snprintf(tensor, sizeof tensor, "%s.bias", foreign[i]);
        assert_int_equal(stoa_model_find_tensor(model, tensor), 2 * i + 1);
        assert_int_equal(stoa_model_find_tensor(loaded, tensor), 2 * i + 1);
        assert_string_equal(stoa_model_layer_input(loaded, i, 0), i == 0 ? "x: 0" : foreign[i - 1]);
    }
    stoa_port_info port;
    assert_true(stoa_model_input_at(loaded, 0, &port));
    assert_string_equal(port.name, "x: 0");
    assert_true(stoa_model_output_at(loaded, 0, &port));
    assert_string_equal(port.name, "y,1");
    assert_string_equal(port.layer, "out");
    assert_true(stoa_model_output_at(loaded, 1, &port));
    assert_string_equal(port.name, "/block.0/Conv");
    assert_string_equal(stoa_model_layer_input(loaded, FOREIGN, 1), "a, b");
    bool frozen[FOREIGN + 2] = {false};
    assert_int_equal(
        stoa_model_read_frozen(loaded, &context->error, "\"a, b\" \"c*\",/block.0/Conv", true, frozen),
        STOA_OK);
    assert_true(frozen[0] && !frozen[1] && frozen[2] && !frozen[3] && frozen[5]);
    stoa_buffer_free(context, data, bytes);
    stoa_model_free(loaded);
    stoa_model_free(model);
}

static void takes_long_names_and_lines(void **state) {
    (void)state;
    enum { MOST = 65535, LIST = 100 };
    char *name = malloc(MOST + 2), *line = malloc((size_t)LIST * (MOST + 1) + 64);
    assert_true(name && line);
    memset(name, 'a', MOST + 2);
    for (size_t length = MOST; length <= MOST + 1; length++) {
        name[length] = '\0'; /* one too many in the end */
        stoa_model *model = start(3);
        stoa_model_add(model, name, "linear units=2");
        (void)sprintf(line, "add from=%s,%s", name, name);
        stoa_model_add(model, "s", line);
        assert_int_equal(stoa_model_build(model), length == MOST ? STOA_OK : STOA_ERR_ARGUMENT);
        if (length == MOST) {
            stoa_tensor_info tensor;
            stoa_plan *plan = NULL;
            stoa_plan_value value;
            assert_int_equal(stoa_model_tensor(model, 0, &tensor), STOA_OK);
            assert_int_equal(strlen(tensor.name), MOST + strlen(".weight"));
            assert_int_equal(stoa_plan_create(context, model, &(stoa_plan_options){.batch = 1}, &plan),
                             STOA_OK);
            assert_int_equal(stoa_plan_value_at(plan, 1, &value), STOA_OK);
            assert_string_equal(value.name, name);
            stoa_plan_free(plan);
            void *data = NULL;
            size_t bytes = 0;
            stoa_model *loaded = NULL;
            assert_int_equal(stoa_model_save_memory(model, &data, &bytes), STOA_OK);
            if (stoa_model_load_memory(context, data, bytes, &loaded) != STOA_OK) {
                fail_msg("%s", stoa_context_error(context));
            }
            assert_int_equal(stoa_model_find_tensor(loaded, tensor.name), 0);
            stoa_model_free(loaded);
            stoa_buffer_free(context, data, bytes);
        }
        stoa_model_free(model);
        name[MOST] = 'a';
    }
    free(name);
    free(line);
}

static void refuses_words_that_are_none(void **state) {
    (void)state;
    static const stoa_layer_option spaced[] = {{"units", "3 bias=false"}, {NULL, NULL}},
                                   from[] = {{"units", "3"}, {"from", "input"}, {NULL, NULL}};
    static const struct {
        stoa_layer_spec layer;
        const char *sentence;
    } cases[] = {
        {{.name = "l", .op = "linear", .options = spaced},
         "layer 'l': found option 'units' = '3 bias=false', expected a word each, and the inputs in "
         "`inputs`"},
        {{.name = "l", .op = "linear", .options = from},
         "layer 'l': found option 'from' = 'input', expected a word each, and the inputs in `inputs`"},
        {{.name = "l", .op = "linear units=3"},
         "layer 'l': found operator 'linear units=3', expected one word"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_model *model = start(3);
        stoa_model_add_layer(model, &cases[i].layer);
        expect_build(model, cases[i].sentence);
    }
}

static void refuses_outputs(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"y", "b", "output 'y': no layer 'b' stands before it, expected one that has been added"},
        {"y", "m", "output 'y': no layer 'm' stands before it, expected one that has been added"},
        {"y", "input", "output 'y': no layer 'input' stands before it, expected one that has been added"},
        {"z", "a", "output 'z': the name is used twice"},
        {"", "a", "output '': expected a name of 1 to 65535 bytes of UTF-8 text without control characters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stoa_model *model = start(4);
        stoa_model_add(model, "a", "relu");
        stoa_model_add_input(model, "m", 1, 1, 4);
        stoa_model_add(model, "s", "add from=a,m");
        stoa_model_add_output(model, "z", "s");
        stoa_model_add_output(model, cases[i][0], cases[i][1]);
        expect_build(model, cases[i][2]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_foreign_names),
        cmocka_unit_test(takes_long_names_and_lines),
        cmocka_unit_test(refuses_words_that_are_none),
        cmocka_unit_test(refuses_outputs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
