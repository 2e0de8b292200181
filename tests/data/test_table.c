/* SPDX-License-Identifier: MIT */
/* Tables as people have them: targets, categories, dates, missing values, columns that are left out. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/data.h>
#include <string.h>

#include "../../src/data/csv_list.h"
#include "../../src/data/date.h"
#include "../base/cmocka_prelude.h"
#include "../base/scratch.h"
#include "csv_text.h"
#include "noted_context.h"

/* "1 2:0;3 4:1": samples, and behind the colon the class or the targets. */
static void describe(const stoa_dataset *dataset, char *found, size_t size) {
    size_t used = 0, height, width, channels, targets = stoa_dataset_targets(dataset);
    float out[64], target[8];
    int32_t label;
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_true(channels <= 64 && targets <= 8);
    found[0] = '\0';
    for (size_t i = 0; i < stoa_dataset_count(dataset); i++) {
        stoa_dataset_read(dataset, NULL, i, 1, out, &label);
        target[0] = (float)label;
        if (targets > 0) {
            stoa_dataset_read_targets(dataset, &i, 0, 1, target);
        }
        for (size_t j = 0; j < height * width * channels; j++) {
            used += (size_t)snprintf(found + used, size - used, "%s%.7g",
                                     j   ? " "
                                     : i ? ";"
                                         : "",
                                     (double)out[j]);
        }
        for (size_t t = 0; t < (targets ? targets : 1); t++) {
            used += (size_t)snprintf(found + used, size - used, "%c%.7g", t ? ' ' : ':', (double)target[t]);
        }
    }
}

static void expect(const char *text, const stoa_data_options *options, const char *wanted) {
    char found[600];
    stoa_dataset *dataset = NULL;
    if (read_csv_text(context, text, options, &dataset) != STOA_OK) {
        fail_msg("%s: %s", text, stoa_context_error(context));
    }
    describe(dataset, found, sizeof found);
    stoa_dataset_free(dataset);
    if (strcmp(found, wanted) != 0) {
        fail_msg("%s\nread as %s, expected %s", text, found, wanted);
    }
}

static void refuse(const char *text, const stoa_data_options *options, const char *sentence) {
    stoa_dataset *dataset = NULL;
    assert_int_not_equal(read_csv_text(context, text, options, &dataset), STOA_OK);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_null(dataset);
}

static void take_note(const char *wanted) {
    assert_string_equal(notes, wanted);
    notes[0] = '\0';
}

static void reads_targets(void **state) {
    (void)state;
    const stoa_data_options last = {.task = STOA_TASK_REGRESSION}, named = {.target = "price"},
                            two = {.target = "\"a,b\", 1"},
                            labels = {.target = "x,y", .task = STOA_TASK_MULTILABEL};
    expect("a,b,price\n1,2,3.5\n4,5,-6\n", &last, "1 2:3.5;4 5:-6");
    expect("1,2,3.5\n4,5,-6\n", &last, "1 2:3.5;4 5:-6");
    expect("a,price,b\n1,3.5,2\n4,-6,5\n", &named, "1 2:3.5;4 5:-6");
    expect("n,c,\"a,b\"\n1,2,3.5\n4,5,-6\n", &two, "2:3.5 1;5:-6 4");
    expect("x,a,y\n1,2,0\n0,5,1\nTrue,6,FALSE\n", &labels, "2:1 0;5:0 1;6:1 0");
    take_note("t: true and false are read as 1 and 0\n");
    refuse("x,a,y\n1,2,0\n0,5,0.5\n", &labels,
           "t:3: column 3: found '0.5', expected 0 or 1, as task = multilabel takes");
    refuse("a,b,price\n1,2,cheap\n", &named,
           "t:2: column 3: found 'cheap', expected a finite number; categories in [data] makes texts inputs, "
           "ignore "
           "leaves the column out");
    refuse(
        "a,b,price\n1,2,\n", &named,
        "t:2: column 3: found '', a missing target, expected a number; missing = drop in [data] leaves such "
        "lines out");
    refuse(
        "a,b,cost\n1,2,3\n", &named,
        "t:1: has no column 'price' for target, expected a name of the first line or a number from 1 to 3");
    refuse("a,b\n1,2\n", &(stoa_data_options){.target = "a,,b"},
           "t: target: found 'a,,b', expected names or numbers of columns with commas between");
    refuse("a,b\n1,2\n", &(stoa_data_options){.target = "a,1"},
           "t:1: column 1 is named by target and by target, "
           "expected one");
    refuse("a,b\n1,2\n", &(stoa_data_options){.target = "a,b"},
           "t:1: found no column that is left for an input among 2, expected one at least");
    refuse("a,b\n1,2\n", &(stoa_data_options){.label = "a", .task = STOA_TASK_REGRESSION},
           "t:1: label = a with a task of targets, expected target for it");
    refuse("a,b\n1,2\n", &(stoa_data_options){.target = "a", .task = STOA_TASK_CLASSES},
           "t:1: target = a with a task of classes, expected label for it");
}

static void tells_targets(void **state) {
    (void)state;
    stoa_dataset *dataset = NULL;
    const stoa_data_options options = {.target = "price,2"};
    assert_int_equal(read_csv_text(context, "a,b,price\n1,2,3\n4,2,7\n", &options, &dataset), STOA_OK);
    float mean[2], deviation[2], target[4];
    assert_int_equal(stoa_dataset_task(dataset), STOA_TASK_REGRESSION);
    assert_int_equal(stoa_dataset_targets(dataset), 2);
    assert_int_equal(stoa_dataset_classes(dataset), 0);
    assert_string_equal(stoa_dataset_target_name(dataset, 0), "price");
    assert_string_equal(stoa_dataset_target_name(dataset, 1), "b");
    assert_null(stoa_dataset_target_name(dataset, 2));
    stoa_dataset_measure_targets(dataset, mean, deviation);
    assert_float_equal(mean[0], 5, 0);
    assert_float_equal(deviation[0], 2, 0);
    assert_float_equal(mean[1], 2, 0);
    assert_float_equal(deviation[1], 1, 0);
    assert_int_equal(stoa_dataset_normalize_targets(dataset, mean, deviation), STOA_OK);
    stoa_dataset_read_targets(dataset, NULL, 0, 2, target);
    const float wanted[] = {-1, 0, 1, 0};
    assert_memory_equal(target, wanted, sizeof wanted);
    deviation[1] = 0;
    assert_int_equal(stoa_dataset_normalize_targets(dataset, mean, deviation), STOA_ERR_ARGUMENT);
    float weights[2];
    assert_int_equal(stoa_dataset_class_weights(dataset, weights), STOA_ERR_FORMAT);
    stoa_dataset_free(dataset);
}

static void leaves_columns_out(void **state) {
    (void)state;
    expect("id,a,note,b,k\n7,1,x,2,0\n8,3,y,4,1\n", &(stoa_data_options){.ignore = "id, note"},
           "1 2:0;3 4:1");
    expect("id,a,note,b,k\n7,1,x,2,0\n8,3,y,4,1\n", &(stoa_data_options){.only = "b,a"}, "1 2:0;3 4:1");
    expect("id,a,note,b,k,extra\n7,1,x,2,0,q\n", &(stoa_data_options){.only = "b", .ignore = "extra"}, "2:0");
    expect("7,1,x,2,0\n8,3,y,4,1\n", &(stoa_data_options){.ignore = "1,3"}, "1 2:0;3 4:1");
    take_note("");
    refuse("a,b,k\n1,2,0\n", &(stoa_data_options){.ignore = "c"},
           "t:1: has no column 'c' for ignore, expected a name of the first line or a number from 1 to 3");
    refuse("a,b,k\n1,2,0\n", &(stoa_data_options){.ignore = "k", .label = "k"},
           "t:1: column 3 is named by label and by ignore, expected one");
}

static void reads_categories(void **state) {
    (void)state;
    const stoa_data_options options = {.categories = "color"};
    expect("color,a,k\nred,1,0\nblue,2,1\n\"light, blue\",3,0\n", &options, "0 0 1 1:0;1 0 0 2:1;0 1 0 3:0");
    take_note("t: a sample has 4 values, of 2 columns, 'color' one for each of 3 categories\n");
    expect("red,1,0\nblue,2,1\n", &(stoa_data_options){.categories = "1"}, "0 1 1:0;1 0 2:1");
    notes[0] = '\0';
    const char *const colors[] = {"blue", "red"};
    const stoa_column fitted[] = {{"a", STOA_COLUMN_NUMBER, NULL, 0, NAN},
                                  {"color", STOA_COLUMN_CATEGORY, colors, 2, NAN}};
    stoa_data_options known = {.fitted = fitted, .fitted_count = 2, .label_column = "k"};
    /* Other orders, and a category that is not there. */
    expect("k,color,a\n1,red,5\n", &known, "5 0 1:1");
    refuse(
        "k,color,a\n1,red,5\n0,green,6\n", &known,
        "t:3: column 2: found 'green', expected one of 2 categories such as 'blue'; unknown = zero in [data] "
        "takes others as zeros");
    refuse("k,colour,a\n1,red,5\n", &known,
           "t:1: has no column 'color', did you mean 'colour'? Expected one: the training data had it as "
           "number 2 of 2 inputs");
    notes[0] = '\0';
    known.unknown = STOA_UNKNOWN_ZERO;
    expect("k,color,a\n1,red,5\n0,green,6\n", &known, "5 0 1:1;6 0 0:0");
    take_note("t: a sample has 3 values, of 2 columns, 'color' one for each of 2 categories\n"
              "t: 1 field has a category that the training data do not have, the first on line 3: zeros\n");
    refuse("color,a,k\nred,1,0\n", &(stoa_data_options){.categories = "k"},
           "t:1: column 3 is named by categories, expected one of the columns that are inputs");
    refuse("color,a,k\nred,1,0\n", &(stoa_data_options){.categories = "color", .dates = "color"},
           "t:1: column 1 is named by dates and by categories, expected one");
}

static void refuses_many_categories(void **state) {
    (void)state;
    enum { MANY = 1025, LINE = 16 };
    char *text = calloc(MANY + 1, LINE);
    assert_non_null(text);
    size_t used = (size_t)snprintf(text, LINE, "name,k\n");
    for (size_t i = 0; i < MANY; i++) {
        used += (size_t)snprintf(text + used, LINE, "n%zu,%zu\n", i, i % 2);
    }
    refuse(text, &(stoa_data_options){.categories = "name"},
           "t:1026: column 1: found more than 1024 categories, expected fewer; ignore in [data] leaves out a "
           "column "
           "of names or numbers of samples");
    free(text);
}

static void reads_dates(void **state) {
    (void)state;
    const stoa_data_options options = {.dates = "day"};
    expect("day,k\n1970-01-02,0\n2000-03-01,1\n\"1969-12-31 12:00\",0\n", &options, "1:0;11017:1;-0.5:0");
    take_note("t: a sample has 1 value, of 1 column, 'day' as days since 1970\n");
    refuse("day,k\n1970-01-02,0\n31.12.2020,1\n", &options,
           "t:3: column 1: found '31.12.2020', expected a date such as 2024-02-29 or 2024-02-29T13:45:00Z");
    refuse("a,day,k\n1,1970-01-02,0\n", NULL,
           "t:2: column 2: found '1970-01-02', expected a finite number; dates in [data] makes days of it");
    static const struct {
        const char *text;
        double days; /* NAN: none */
    } dates[] = {
        {"1970-01-01", 0},
        {"2024-02-29", 19782},
        {"2023-02-29", NAN},
        {"1900-02-29", NAN},
        {"2000-02-29", 11016},
        {"0000-03-01", -719468},
        {"0000-01-01", -719528},
        {"0001-01-01", -719162},
        {"9999-12-31", 2932896},
        {"1970-01-01T06:00", 0.25},
        {"1970-01-01T06:00:00Z", 0.25},
        {"1970-01-01 06:00:00.5", 0.25 + 0.5 / 86400},
        {"1970-01-01T06:00+02:00", 4.0 / 24},
        {"1970-01-01T06:00-0230", 8.5 / 24},
        {"1970-01-01T24:00", 1},
        {"1970-01-01T24:01", NAN},
        {"1970-01-01T06", NAN},
        {"1970-01-01T06:60", NAN},
        {"1970-01-01T", NAN},
        {"1970-01-01T06:00:00.", NAN},
        {"1970-01-01T06:00+2", NAN},
        {"1970-01-01Z", NAN},
        {"1970-13-01", NAN},
        {"1970-1-1", NAN},
        {"1970-01-00", NAN},
        {"70-01-01", NAN},
        {"", NAN},
        {"1970-01-01x", NAN},
    };
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        double days = 0;
        char *text = strdup(dates[i].text); /* of its own size, for sanitizers */
        assert_non_null(text);
        bool found = stoa_parse_date(text, strlen(text), &days);
        free(text);
        if (found == isnan(dates[i].days) || (found && fabs(days - dates[i].days) > 1e-9)) {
            fail_msg("%s: %d, %g", dates[i].text, found, days);
        }
    }
}

#define HOLES "age,color,k\n1,red,0\n,blue,1\n3,NA,0\n8,red,1\nnan,red,1\n"

static void fills_missing_values(void **state) {
    (void)state;
    stoa_data_options options = {.categories = "color", .missing = STOA_MISSING_MEAN};
    expect(HOLES, &options, "1 0 1:0;4 1 0:1;3 0 1:0;8 0 1:1;4 0 1:1");
    take_note(
        "t: a sample has 3 values, of 2 columns, 'color' one for each of 2 categories\n"
        "t: fills 3 missing values, the first on line 3, with the mean of the column in the training data\n");
    options.missing = STOA_MISSING_MEDIAN;
    expect(HOLES, &options, "1 0 1:0;3 1 0:1;3 0 1:0;8 0 1:1;3 0 1:1");
    expect("age,k\n4,0\n1,1\n?,0\nNone,1\n", &(stoa_data_options){.missing = STOA_MISSING_MEDIAN},
           "4:0;1:1;2.5:0;2.5:1");
    options.missing = STOA_MISSING_MOST_FREQUENT;
    expect("age,color,k\n5,red,0\n3,,0\n5,blue,1\n3,blue,0\n,red,1\n", &options,
           "5 0 1:0;3 1 0:0;5 1 0:1;3 1 0:0;3 0 1:1");
    notes[0] = '\0';
    options.missing = STOA_MISSING_DROP;
    expect(HOLES, &options, "1 1:0;8 1:1");
    take_note("t: a sample has 2 values, of 2 columns, 'color' one for each of 1 categories\n"
              "t: 3 of 5 lines lack a value and are left out, the first is line 3\n");
    expect("a,price\n1,2\n3,\n", &(stoa_data_options){.target = "price", .missing = STOA_MISSING_DROP},
           "1:2");
    expect("a,k\n1,x\n3,\n", &(stoa_data_options){.missing = STOA_MISSING_DROP}, "1:0");
    notes[0] = '\0';
    refuse(
        HOLES, &(stoa_data_options){.categories = "color"},
        "t:3: column 1: found '', a missing value, expected one; missing = mean, median or most_frequent in "
        "[data] fills it, missing = drop leaves such lines out");
    refuse(
        "a,b,k\n,1,0\n,2,1\n", &(stoa_data_options){.missing = STOA_MISSING_MEAN, .header = STOA_HEADER_YES},
        "t: input column 1, 'a', has no value to fill it with in 2 samples, expected one at least; ignore in "
        "[data] leaves it out");
    refuse("a,b,k\n1,,0\n,2,1\n",
           &(stoa_data_options){.missing = STOA_MISSING_DROP, .header = STOA_HEADER_YES},
           "t:4: all lines lack a value and are left out, expected samples below");
}

/* What is learned from fills others. */
static void fills_with_what_is_known(void **state) {
    (void)state;
    const stoa_column fitted[] = {{"age", STOA_COLUMN_NUMBER, NULL, 0, 7}};
    stoa_data_options options = {.fitted = fitted, .fitted_count = 1, .unlabelled = true};
    options.missing = STOA_MISSING_MEAN;
    expect("x,age\n1,5\n2,\n", &options, "5:0;7:0");
    expect("5\n?\n", &options, "5:0;7:0");
    options.missing = STOA_MISSING_DROP;
    refuse("x,age\n1,5\n2,\n", &options,
           "t:3: column 2: found '', a missing value, expected one; a model trained with missing = mean, "
           "median or "
           "most_frequent fills it");
}

static const char *write_text(struct scratch *scratch, const char *name, const char *text) {
    return scratch_write(scratch, name, text, strlen(text));
}

/* The filling is that of the training part alone: of the one that the split leaves, and of train.csv. */
static void fills_from_the_training_part(void **state) {
    (void)state;
    char found[200];
    struct scratch scratch;
    scratch_open(&scratch);
    const char *path = write_text(&scratch, "t.tsv", "a\tprice\n1\t10\n2\t20\n4\t30\n8\t40\n\t50\n\t60\n");
    const stoa_data_options options = {.missing = STOA_MISSING_MEAN, .target = "price", .test = 0.5F};
    stoa_dataset *train = NULL, *test = NULL;
    assert_int_equal(stoa_dataset_load(context, path, &options, &train, &test), STOA_OK);
    assert_int_equal(stoa_dataset_count(train), 3);
    assert_int_equal(stoa_dataset_count(test), 3);
    float value[3], target[3], sum = 0, known = 0, fill = NAN;
    int32_t label[3];
    stoa_dataset_read(train, NULL, 0, 3, value, label);
    stoa_dataset_read_targets(train, NULL, 0, 3, target);
    for (size_t i = 0; i < 3; i++) {
        sum += target[i] < 50 ? value[i] : 0;
        known += target[i] < 50 ? 1 : 0;
    }
    stoa_column column;
    assert_int_equal(stoa_dataset_columns(train), 1);
    stoa_dataset_column(train, 0, &column);
    assert_string_equal(column.name, "a");
    assert_float_equal(column.fill, sum / known, 1e-6);
    const stoa_dataset *const parts[] = {train, test};
    for (size_t p = 0; p < 2; p++) {
        stoa_dataset_read(parts[p], NULL, 0, 3, value, label);
        stoa_dataset_read_targets(parts[p], NULL, 0, 3, target);
        for (size_t i = 0; i < 3; i++) {
            fill = target[i] >= 50 ? value[i] : fill;
            assert_true(target[i] < 50 || fabsf(value[i] - sum / known) < 1e-6F);
        }
    }
    assert_false(isnan(fill));
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    /* In parts, and in another order. */
    assert_int_equal(remove(path), 0);
    (void)write_text(&scratch, "train.csv", "a,price\n1,10\n3,20\n");
    (void)write_text(&scratch, "test.csv", "price,a\n30,\n40,9\n");
    assert_int_equal(stoa_dataset_load(context, scratch.folder, &options, &train, &test), STOA_OK);
    describe(test, found, sizeof found);
    assert_string_equal(found, "2:30;9:40");
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    /* The target by its number is the training part's column. */
    const stoa_data_options number = {.missing = STOA_MISSING_MEAN, .target = "2"};
    assert_int_equal(stoa_dataset_load(context, scratch.folder, &number, NULL, &test), STOA_OK);
    describe(test, found, sizeof found);
    assert_string_equal(found, "2:30;9:40");
    stoa_dataset_free(test);
    scratch_close(&scratch);
}

static void writes_lists(void **state) {
    (void)state;
    const char *const names[] = {"a", " b", "c,d", "e\"f", "g h", "i\nj"};
    char *text = stoa_csv_list_text(names, 6);
    struct stoa_names list = {.count = 0};
    assert_string_equal(text, "a,\" b\",\"c,d\",\"e\"\"f\",g h,\"i\nj\"");
    assert_int_equal(stoa_csv_list(context, "t", "target", text, &list), STOA_OK);
    assert_int_equal(list.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(list.text[i], names[i]);
    }
    stoa_names_clear(&list);
    free(text);
}

static void takes_arrays(void **state) {
    (void)state;
    const float samples[] = {1, 2, 3, 4}, targets[] = {0.5F, 1, -2, 0}, labels[] = {0, 1, 1, 1};
    char found[100];
    stoa_dataset *dataset = NULL;
    assert_int_equal(
        stoa_dataset_from_targets(context, samples, targets, STOA_TASK_REGRESSION, 2, 1, 1, 2, 2, &dataset),
        STOA_OK);
    describe(dataset, found, sizeof found);
    assert_string_equal(found, "1 2:0.5 1;3 4:-2 0");
    assert_string_equal(stoa_dataset_format(dataset), "arrays");
    stoa_dataset *first = NULL, *second = NULL;
    assert_int_equal(stoa_dataset_split(dataset, 0.5, 1, &first, &second), STOA_OK);
    assert_int_equal(stoa_dataset_count(first) + stoa_dataset_count(second), 2);
    stoa_dataset_free(first);
    stoa_dataset_free(second);
    stoa_dataset_free(dataset);
    assert_int_equal(
        stoa_dataset_from_targets(context, samples, labels, STOA_TASK_MULTILABEL, 2, 1, 1, 2, 2, &dataset),
        STOA_OK);
    assert_int_equal(stoa_dataset_task(dataset), STOA_TASK_MULTILABEL);
    float mean[2] = {0}, deviation[2] = {1, 1};
    assert_int_equal(stoa_dataset_normalize_targets(dataset, mean, deviation), STOA_ERR_ARGUMENT);
    stoa_dataset_free(dataset);
    dataset = NULL;
    assert_int_equal(
        stoa_dataset_from_targets(context, samples, targets, STOA_TASK_MULTILABEL, 2, 1, 1, 2, 2, &dataset),
        STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context),
                        "data set: target 0 of sample 0 is 0.5, expected 0 or 1");
    assert_int_equal(
        stoa_dataset_from_targets(context, samples, targets, STOA_TASK_CLASSES, 2, 1, 1, 2, 2, &dataset),
        STOA_ERR_ARGUMENT);
    assert_int_equal(
        stoa_dataset_from_targets(context, samples, NULL, STOA_TASK_REGRESSION, 2, 1, 1, 2, 2, &dataset),
        STOA_ERR_ARGUMENT);
    assert_null(dataset);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_targets),
        TEST(tells_targets),
        TEST(leaves_columns_out),
        TEST(reads_categories),
        TEST(refuses_many_categories),
        TEST(reads_dates),
        TEST(fills_missing_values),
        TEST(fills_with_what_is_known),
        TEST(fills_from_the_training_part),
        TEST(writes_lists),
        TEST(takes_arrays),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
