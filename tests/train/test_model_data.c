/* SPDX-License-Identifier: MIT */
/* A model's data by its facts: what a training says in them, what is measured, scaled and refused. */
#include <stoa/stoa.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/base/scratch.h"

static stoa_context *context;
static struct scratch scratch;

/* Two columns; the second class is rare. */
static const char table[] = "long,wide,kind\n0,10,a\n2,30,a\n4,50,a\n6,70,b\n0,10,a\n2,30,a\n4,50,a\n6,70,b\n"
                            "0,10,a\n2,30,a\n";

static const char recipe_text[] = "[model]\ninput = 1x1x2\nl1 = linear units=2\n[data]\nset = nowhere\n"
                                  "classes = 2\nnormalize = measured\nweights = measured\n";

static stoa_model *make_model(void) {
    stoa_recipe *recipe = NULL;
    stoa_model *model = NULL;
    assert_int_equal(stoa_recipe_load_memory(context, "r.ini", recipe_text, strlen(recipe_text), &recipe),
                     STOA_OK);
    assert_int_equal(stoa_recipe_model(context, recipe, &model), STOA_OK);
    stoa_recipe_free(recipe);
    return model;
}

static void set_fact(stoa_model *model, const char *key, const char *value) {
    assert_int_equal(stoa_model_set_fact(model, key, value), STOA_OK);
}

static const char *write_table(const char *name) {
    return scratch_write(&scratch, name, table, strlen(table));
}

static void expect_sentence(const char *part) {
    if (!strstr(stoa_context_error(context), part)) {
        fail_msg("found \"%s\", expected \"%s\"", stoa_context_error(context), part);
    }
}

static void train_facts(void **state) {
    (void)state;
    stoa_model *model = make_model();
    stoa_dataset *train = NULL, *test = NULL;
    const char *path = write_table("t.csv");
    assert_int_equal(stoa_model_open_training_data(context, model, path, &train, &test), STOA_OK);
    assert_string_equal(stoa_model_fact(model, "data.path"), path);
    assert_string_equal(stoa_model_fact(model, "data.format"), "csv");
    assert_string_equal(stoa_model_fact(model, "data.names"), "[\"a\",\"b\"]");
    assert_string_equal(stoa_model_fact(model, "data.columns"), "[\"long\",\"wide\"]");
    assert_string_equal(stoa_model_fact(model, "data.label_column"), "kind");
    assert_string_equal(stoa_model_fact(model, "data.range"), "0.0 70.0");
    assert_null(stoa_model_fact(model, "data.white"));
    assert_string_equal(stoa_model_fact(model, "loss"), "softmax_cross_entropy weights=1.0,6.0");
    /* Both parts are in units of the training data's deviation, whose mean is 0 then. */
    float mean[2], deviation[2], sums[2] = {0, 0};
    assert_int_equal(stoa_dataset_measure(train, mean, deviation), STOA_OK);
    size_t count = stoa_dataset_count(train);
    assert_int_equal(count + stoa_dataset_count(test), 10);
    for (size_t i = 0; i < count; i++) {
        float values[2];
        int32_t label;
        stoa_dataset_read(train, NULL, i, 1, values, &label);
        sums[0] += values[0];
        sums[1] += values[1];
    }
    assert_true(sums[0] < 1e-5F && sums[0] > -1e-5F && sums[1] < 1e-5F && sums[1] > -1e-5F);
    /* The model can say all of it without the training data now, for the same samples the same. */
    float read[2], own[2];
    int32_t label;
    stoa_dataset *again = NULL;
    assert_int_equal(stoa_model_open_data(context, model, NULL, false, &again), STOA_OK);
    assert_int_equal(stoa_dataset_count(again), stoa_dataset_count(test));
    stoa_dataset_read(again, NULL, 0, 1, read, &label);
    stoa_dataset_read(test, NULL, 0, 1, own, &label);
    assert_memory_equal(read, own, sizeof own);
    own[0] = own[0] * deviation[0] + mean[0];
    own[1] = own[1] * deviation[1] + mean[1];
    assert_int_equal(stoa_model_normalize(context, model, false, own, 1), STOA_OK);
    assert_true(own[0] - read[0] < 1e-5F && read[0] - own[0] < 1e-5F && own[1] - read[1] < 1e-5F &&
                read[1] - own[1] < 1e-5F);
    stoa_dataset_free(again);
    /* A second training weighs the loss once. */
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    assert_int_equal(stoa_model_open_training_data(context, model, path, &train, &test), STOA_OK);
    assert_string_equal(stoa_model_fact(model, "loss"), "softmax_cross_entropy weights=1.0,6.0");
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    stoa_model_free(model);
}

/* Weights from elsewhere for a recipe's network: means and deviations are measured on the training part. */
static void measures_for_a_model_without_scales(void **state) {
    (void)state;
    stoa_model *model = make_model();
    stoa_dataset *part = NULL, *whole = NULL;
    const char *path = write_table("m.csv");
    float value[2] = {4, 50}, part_value[2], whole_value[2];
    int32_t label;
    assert_int_equal(stoa_model_open_data(context, model, path, false, &part), STOA_OK);
    assert_int_equal(stoa_model_open_data(context, model, path, true, &whole), STOA_OK);
    assert_int_equal(stoa_dataset_count(whole), 10);
    assert_null(stoa_model_fact(model, "data.mean"));
    stoa_dataset_read(part, NULL, 0, 1, part_value, &label);
    stoa_dataset_read(whole, NULL, 0, 1, whole_value, &label);
    assert_true(whole_value[0] < 0 && whole_value[0] * 25 > -50); /* 0 of 0, 2, 4, 6 */
    assert_int_equal(stoa_model_normalize(context, model, false, value, 1), STOA_ERR_FORMAT);
    expect_sentence("r.ini: data.normalize is measured, but data.mean is missing");
    assert_true(value[0] == 4 && value[1] == 50);
    stoa_dataset_free(part);
    stoa_dataset_free(whole);
    stoa_model_free(model);
}

static void samples_without_labels(void **state) {
    (void)state;
    stoa_model *model = make_model();
    stoa_dataset *data = NULL;
    set_fact(model, "data.mean", "2 30");
    set_fact(model, "data.deviation", "2 20");
    set_fact(model, "data.names", "[\"yes\", \"no\"]");
    static const char text[] = "4,50\n0,10\n0,30\n";
    const char *path = scratch_write(&scratch, "s.csv", text, strlen(text));
    assert_int_equal(stoa_model_open_samples(context, model, path, &data), STOA_OK);
    assert_int_equal(stoa_dataset_count(data), 3);
    assert_string_equal(stoa_dataset_class_name(data, 1), "no");
    float values[6];
    int32_t labels[3];
    stoa_dataset_read(data, NULL, 0, 3, values, labels);
    static const float expected[6] = {1, 1, -1, -1, -1, 0};
    assert_memory_equal(values, expected, sizeof expected);
    stoa_dataset_free(data);
    data = NULL;
    static const char many[] = "1,2,3,4\n4,5,6,7\n";
    path = scratch_write(&scratch, "w.csv", many, strlen(many));
    assert_int_equal(stoa_model_open_samples(context, model, path, &data), STOA_ERR_SHAPE);
    expect_sentence("w.csv: has 3 values a sample, expected 2, the model's input");
    assert_int_equal(stoa_model_open_samples(context, model, "a.png", &data), STOA_ERR_SHAPE);
    expect_sentence("r.ini: takes 1x1x2 samples, expected one channel or three for a picture");
    assert_null(data);
    stoa_model_free(model);
}

static void pixels_are_scaled(void **state) {
    (void)state;
    stoa_model *model = make_model();
    float values[2] = {0, 0.5F};
    set_fact(model, "data.mean", "51");
    set_fact(model, "data.deviation", "102");
    set_fact(model, "data.range", "0 250");
    set_fact(model, "data.white", "255");
    assert_int_equal(stoa_model_normalize(context, model, true, values, 1), STOA_OK);
    assert_true(values[0] == -0.5F && values[1] == 0.75F);
    set_fact(model, "data.white", NULL);
    assert_int_equal(stoa_model_normalize(context, model, true, values, 1), STOA_ERR_FORMAT);
    expect_sentence(
        "the samples: its pixels lie between 0 and 1, the data that r.ini was trained on between 0");
    stoa_model_free(model);
}

static void refuses_facts(void **state) {
    (void)state;
    static const struct {
        const char *key, *value, *sentence;
    } cases[] = {
        {"data.test", "x", "r.ini: data.test: found 'x', expected a number from 0.001 to 0.999"},
        {"data.classes", "-1", "r.ini: data.classes: found '-1', expected a number from 1 to 1000000"},
        {"data.header", "maybe", "r.ini: data.header: found 'maybe', expected auto or yes or no"},
        {"data.split_seed", "-1", "r.ini: data.split_seed: found '-1', expected a whole number from 0"},
        {"data.mean", "1 x", "r.ini: data.mean: found '1 x', expected numbers, separated by spaces"},
        {"data.mean", "", "r.ini: data.mean: found '', expected numbers, separated by spaces"},
        {"data.mean", "1  2", "r.ini: data.mean: found '1  2', expected numbers, separated by spaces"},
        {"data.mean", "1", "r.ini: data.mean has 1 numbers, data.deviation 0, expected as many"},
        {"data.deviation", "0", "r.ini: data.deviation: found '0', expected numbers above 0"},
        {"data.range", "1", "r.ini: data.range: found '1', expected two numbers, separated by a space"},
        {"data.white", "1 2", "r.ini: data.white: found '1 2', expected one number"},
        {"data.names", "[\"a\"]",
         "r.ini: data.names: found '[\"a\"]', expected an array of JSON with a name"},
        {"data.names", "[1, 2]", "r.ini: data.names: found '[1, 2]', expected an array of JSON with a name"},
        {"data.names", "[\"a\", \"b\", \"c\"]", "expected an array of JSON with a name for each"},
        {"data.columns", "{}", "r.ini: data.columns: found '{}', expected an array of JSON with a name"},
    };
    const char *path = write_table("f.csv");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stoa_model *model = make_model();
        stoa_dataset *test = NULL;
        set_fact(model, cases[i].key, cases[i].value);
        assert_int_equal(stoa_model_open_data(context, model, path, false, &test), STOA_ERR_FORMAT);
        expect_sentence(cases[i].sentence);
        assert_null(test);
        stoa_model_free(model);
    }
}

static void places(void **state) {
    (void)state;
    stoa_model *model = make_model();
    stoa_dataset *test = NULL;
    assert_int_equal(stoa_model_open_data(context, model, NULL, false, &test), STOA_ERR_NOT_FOUND);
    expect_sentence("nowhere");
    set_fact(model, "data.set", NULL);
    assert_int_equal(stoa_model_open_data(context, model, NULL, false, &test), STOA_ERR_ARGUMENT);
    expect_sentence("r.ini: names no data set, expected a path of data");
    set_fact(model, "data.mean", "1 2 3");
    set_fact(model, "data.deviation", "1 2 3");
    assert_int_equal(stoa_model_open_data(context, model, write_table("p.csv"), false, &test),
                     STOA_ERR_FORMAT);
    expect_sentence("r.ini: data.mean has 3 numbers, expected 1 or 2, the channels of the data");
    assert_null(test);
    stoa_model_free(model);
}

int main(void) {
    if (stoa_context_create(NULL, &context) != STOA_OK) {
        return 99;
    }
    scratch_open(&scratch);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(train_facts),
        cmocka_unit_test(measures_for_a_model_without_scales),
        cmocka_unit_test(samples_without_labels),
        cmocka_unit_test(pixels_are_scaled),
        cmocka_unit_test(refuses_facts),
        cmocka_unit_test(places),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_close(&scratch);
    stoa_context_free(context);
    return failed;
}
