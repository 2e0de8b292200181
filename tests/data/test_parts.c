/* SPDX-License-Identifier: MIT */
/* Parts of data sets and what is measured on them; data sets found by their path. */
#include <math.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "../base/scratch.h"
#include "notes.h"

enum { COUNT = 100, CHANNELS = 3 };

static struct scratch scratch;
static stoa_context *context;
static float samples[COUNT * CHANNELS];
static int32_t labels[COUNT];

/* 50 of class 0, 30 of class 1, 20 of class 2; a sample's first value is its number. */
static int set_up(void **state) {
    (void)state;
    scratch_open(&scratch);
    for (int i = 0; i < COUNT; i++) {
        labels[i] = i % 10 < 5 ? 0 : i % 10 < 8 ? 1 : 2;
        samples[i * CHANNELS] = (float)i;
        samples[i * CHANNELS + 1] = 1000 + (float)(i % 2);
        samples[i * CHANNELS + 2] = 7;
    }
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    scratch_close(&scratch);
    return 0;
}

static stoa_dataset *make(size_t count) {
    stoa_dataset *dataset = NULL;
    assert_int_equal(stoa_dataset_from_arrays(context, samples, labels, count, 1, 1, CHANNELS, 3, &dataset),
                     STOA_OK);
    return dataset;
}

/* The numbers of a data set's samples. */
static size_t numbers_of(const stoa_dataset *dataset, int *numbers) {
    float out[COUNT * CHANNELS];
    int32_t read[COUNT];
    size_t count = stoa_dataset_count(dataset);
    stoa_dataset_read(dataset, NULL, 0, count, out, read);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (int)out[i * CHANNELS];
        assert_int_equal(read[i], labels[numbers[i]]);
    }
    return count;
}

static void divides(void **state) {
    (void)state;
    int first[COUNT] = {0}, second[COUNT] = {0}, other[COUNT];
    bool seen[COUNT] = {false};
    stoa_dataset *whole = make(COUNT), *train = NULL, *test = NULL;
    assert_int_equal(stoa_dataset_split(whole, 0.2, 5, &train, &test), STOA_OK);
    stoa_dataset_free(whole); /* the parts keep what they share */
    assert_int_equal(numbers_of(train, first), 80);
    assert_int_equal(numbers_of(test, second), 20);
    for (int i = 0; i < COUNT; i++) {
        int number = i < 80 ? first[i] : second[i - 80];
        assert_true(i % 80 == 0 || number > (i < 80 ? first[i - 1] : second[i - 81]));
        assert_false(seen[number]);
        seen[number] = true;
    }
    size_t counts[3];
    stoa_dataset_class_counts(test, counts);
    assert_true(counts[0] == 10 && counts[1] == 6 && counts[2] == 4);
    float weights[3];
    assert_int_equal(stoa_dataset_class_weights(train, weights), STOA_OK);
    assert_true(weights[0] == 1 && weights[1] == 40.0F / 24 && weights[2] == 2.5F);
    /* A part of a part, by an index, and by a limit. */
    stoa_dataset *smaller = NULL, *rest = NULL;
    assert_int_equal(stoa_dataset_split(test, 0.5, 1, &smaller, &rest), STOA_OK);
    assert_int_equal(stoa_dataset_count(smaller), 10);
    const size_t index[] = {9, 0};
    float out[2 * CHANNELS];
    int32_t read[2];
    stoa_dataset_read(test, index, 0, 2, out, read);
    assert_true((int)out[0] == second[9] && (int)out[CHANNELS] == second[0]);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    stoa_dataset_free(smaller);
    stoa_dataset_free(rest);
    /* Seed and nothing else decides. */
    whole = make(COUNT);
    for (uint64_t seed = 5; seed < 7; seed++) {
        assert_int_equal(stoa_dataset_split(whole, 0.2, seed, &train, &test), STOA_OK);
        assert_int_equal(numbers_of(test, other), 20);
        assert_int_equal(memcmp(other, second, 20 * sizeof *other) == 0, seed == 5);
        stoa_dataset_free(train);
        stoa_dataset_free(test);
    }
    stoa_dataset_free(whole);
}

/* However small the share, a class has a sample in each part. */
static void divides_small_classes(void **state) {
    (void)state;
    size_t counts[3];
    const double shares[] = {0.01, 0.99};
    for (int i = 0; i < 2; i++) {
        stoa_dataset *whole = make(10), *train = NULL, *test = NULL;
        assert_int_equal(stoa_dataset_split(whole, shares[i], 0, &train, &test), STOA_OK);
        stoa_dataset_class_counts(i ? train : test, counts);
        assert_true(counts[0] == 1 && counts[1] == 1 && counts[2] == 1);
        stoa_dataset_free(whole);
        stoa_dataset_free(train);
        stoa_dataset_free(test);
    }
    stoa_dataset *whole = make(9), *train = NULL, *test = NULL;
    assert_int_equal(stoa_dataset_split(whole, 0.5, 0, &train, &test), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context),
                        "class 2 has one sample, expected at least two: one for each part of the data");
    const double bad[] = {0, 1, -0.1, NAN};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(stoa_dataset_split(whole, bad[i], 0, &train, &test), STOA_ERR_ARGUMENT);
    }
    assert_true(train == NULL && test == NULL);
    float weights[3];
    assert_int_equal(stoa_dataset_limit(whole, 5), STOA_OK);
    assert_int_equal(stoa_dataset_class_weights(whole, weights), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context),
                        "data set: class 1 has no sample, so that no weight makes up for it");
    stoa_dataset_free(whole);
}

static void measures(void **state) {
    (void)state;
    float mean[CHANNELS], deviation[CHANNELS], out[COUNT * CHANNELS];
    int32_t read[COUNT];
    stoa_dataset *dataset = make(COUNT);
    assert_int_equal(stoa_dataset_normalize(dataset, 3, 9), STOA_OK); /* not looked at */
    assert_int_equal(stoa_dataset_measure(dataset, mean, deviation), STOA_OK);
    assert_true(mean[0] == 49.5F && mean[1] == 1000.5F && mean[2] == 7);
    assert_float_equal(deviation[0], 28.866070F, 1e-5F);
    assert_true(deviation[1] == 0.5F && deviation[2] == 1);
    assert_int_equal(stoa_dataset_normalize_channels(dataset, mean, deviation), STOA_OK);
    stoa_dataset_read(dataset, NULL, 0, COUNT, out, read);
    for (int i = 0; i < COUNT; i++) {
        assert_float_equal(out[i * CHANNELS], ((float)i - 49.5F) / 28.866070F, 1e-6);
        assert_true(out[i * CHANNELS + 1] == (i % 2 ? 1.0F : -1.0F) && out[i * CHANNELS + 2] == 0);
    }
    /* Parts begin with the whole's normalisation. */
    stoa_dataset *train = NULL, *test = NULL;
    assert_int_equal(stoa_dataset_split(dataset, 0.5, 0, &train, &test), STOA_OK);
    stoa_dataset_read(test, NULL, 0, 1, out, read);
    assert_true(fabsf(out[1]) == 1 && out[2] == 0);
    deviation[1] = 0;
    assert_int_equal(stoa_dataset_normalize_channels(dataset, mean, deviation), STOA_ERR_ARGUMENT);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    stoa_dataset_free(dataset);
}

static void check_count(const char *path, const stoa_data_options *options, size_t first, size_t second) {
    stoa_dataset *train = NULL, *test = NULL;
    if (stoa_dataset_load(context, path, options, &train, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_dataset_count(train), first);
    assert_int_equal(stoa_dataset_count(test), second);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
}

static void iris_is_fishers(void **state) {
    (void)state;
    static const float means[] = {5.843333F, 3.057333F, 3.758F, 1.199333F};
    static const char *const names[] = {"setosa", "versicolor", "virginica"};
    stoa_dataset *iris = NULL;
    float mean[4], deviation[4];
    size_t counts[3];
    assert_int_equal(stoa_dataset_open_csv(context, STOA_IRIS "/iris.csv", NULL, &iris), STOA_OK);
    assert_int_equal(stoa_dataset_count(iris), 150);
    assert_int_equal(stoa_dataset_classes(iris), 3);
    stoa_dataset_class_counts(iris, counts);
    assert_int_equal(stoa_dataset_measure(iris, mean, deviation), STOA_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_float_equal(mean[i], means[i], 1e-6);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(counts[i], 50);
        assert_string_equal(stoa_dataset_class_name(iris, i), names[i]);
    }
    stoa_dataset_free(iris);
    check_count(STOA_IRIS, NULL, 120, 30);
    check_count(STOA_IRIS "/iris.csv", &(stoa_data_options){.test = 0.1F}, 135, 15);
}

static void refuse_load(const char *path, const stoa_data_options *options, stoa_status status,
                        const char *sentence) {
    stoa_dataset *train = NULL, *test = NULL;
    char whole[700];
    assert_int_equal(stoa_dataset_load(context, path, options, &train, &test), status);
    (void)snprintf(whole, sizeof whole, "%s%s", path, sentence);
    assert_string_equal(stoa_context_error(context), sentence[0] == ':' ? whole : sentence);
    assert_true(train == NULL && test == NULL);
}

static void loads_tables(void **state) {
    (void)state;
    static const char lines[] = "1,a\n2,b\n3,a\n4,b\n", other[] = "1,b\n", unknown[] = "1,c\n";
    const char *path = scratch_write(&scratch, "one.csv", lines, strlen(lines));
    check_count(path, NULL, 2, 2);
    check_count(scratch.folder, NULL, 2, 2);
    stoa_dataset *test = NULL;
    assert_int_equal(stoa_dataset_load(context, path, &(stoa_data_options){.whole = true}, NULL, &test),
                     STOA_OK);
    assert_int_equal(stoa_dataset_count(test), 4);
    stoa_dataset_free(test);
    (void)scratch_write(&scratch, "two.csv", lines, strlen(lines));
    refuse_load(scratch.folder, NULL, STOA_ERR_FORMAT,
                ": holds several files *.csv, expected one, or train.csv and test.csv");
    /* With a test part of its own; its only class is the second of the training part. */
    (void)scratch_write(&scratch, "train.csv", lines, strlen(lines));
    path = scratch_write(&scratch, "test.csv", other, strlen(other));
    check_count(scratch.folder, NULL, 4, 1);
    assert_int_equal(stoa_dataset_load(context, scratch.folder, NULL, NULL, &test), STOA_OK);
    float value;
    int32_t label;
    stoa_dataset_read(test, NULL, 0, 1, &value, &label);
    assert_int_equal(label, 1);
    stoa_dataset_free(test);
    (void)scratch_write(&scratch, "test.csv", unknown, strlen(unknown));
    stoa_dataset *train = NULL;
    test = NULL;
    assert_int_equal(stoa_dataset_load(context, scratch.folder, NULL, &train, &test), STOA_ERR_FORMAT);
    char sentence[600];
    (void)snprintf(sentence, sizeof sentence,
                   "%s:1: found the label 'c', expected one of 2 classes such as 'a'", path);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_true(train == NULL && test == NULL);
}

static void refuses_to_load(void **state) {
    (void)state;
    refuse_load(scratch_path(&scratch, "none"), NULL, STOA_ERR_NOT_FOUND, ": no such file or folder");
    refuse_load(scratch_write(&scratch, "x.dat", "", 0), NULL, STOA_ERR_FORMAT,
                ": is a file of an unknown kind, expected *.csv, *.tsv, *.txt, *.npz, *.npy or a folder");
    refuse_load(
        scratch.folder, NULL, STOA_ERR_NOT_FOUND,
        ": holds no data of a known kind: IDX files (train-images-idx3-ubyte and so on), *.csv, *.tsv, "
        "*.npz, *.npy, CIFAR's *.bin, or folders of PNG or JPEG pictures");
    refuse_load(scratch_write(&scratch, "one.csv", "1,a\n2,b\n1,b\n", 12), NULL, STOA_ERR_FORMAT,
                ": class 0 ('a') has one sample, expected at least two: one for each part of the data");
    refuse_load(STOA_IRIS, &(stoa_data_options){.test = 1}, STOA_ERR_ARGUMENT,
                "data set: test: found '1', expected a number from 0.001 to 0.999");
    refuse_load(STOA_IRIS, &(stoa_data_options){.test = -0.5F}, STOA_ERR_ARGUMENT,
                "data set: test: found '-0.5', expected a number from 0.001 to 0.999");
    refuse_load(STOA_IRIS, &(stoa_data_options){.layout = (stoa_layout)3}, STOA_ERR_ARGUMENT,
                "data set: layout: found '3', expected auto or nhwc or nchw");
    refuse_load(STOA_IRIS, &(stoa_data_options){.header = (stoa_header)-1}, STOA_ERR_ARGUMENT,
                "data set: header: found '-1', expected auto or yes or no");
    refuse_load(STOA_IRIS, &(stoa_data_options){.unlabelled = true}, STOA_ERR_ARGUMENT,
                "data set: samples that are not divided have no training part");
}

/* A sample of one byte each, and labels that are 0 and 1 in turn. */
static void write_arrays(const char *samples_name, const char *labels_name, size_t count) {
    for (int labelled = 0; labelled < 2; labelled++) {
        char file[128 + COUNT];
        memset(file, ' ', 128);
        memcpy(file, "\x93NUMPY\1\0\x76\0", 10);
        int length =
            snprintf(file + 10, 118, "{'descr': '|u1', 'fortran_order': False, 'shape': (%zu,)}", count);
        file[10 + length] = ' ';
        file[127] = '\n';
        for (size_t i = 0; i < count; i++) {
            file[128 + i] = (char)(i % 2);
        }
        (void)scratch_write(&scratch, labelled ? labels_name : samples_name, file, 128 + count);
    }
}

static void expect_arrays(size_t train_count, size_t test_count, const char *said) {
    stoa_dataset *train = NULL, *test = NULL;
    stoa_context *told = NULL;
    char wanted[300];
    notes[0] = '\0';
    assert_int_equal(stoa_context_create(&(stoa_context_options){.log = note}, &told), STOA_OK);
    if (stoa_dataset_load(told, scratch.folder, NULL, &train, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(told));
    }
    assert_int_equal(stoa_dataset_count(train), train_count);
    assert_int_equal(stoa_dataset_count(test), test_count);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    stoa_context_free(told);
    (void)snprintf(wanted, sizeof wanted, "%s%s%s", said[0] ? scratch.folder : "", said, said[0] ? "\n" : "");
    assert_string_equal(notes, wanted);
}

/* Arrays for validation are the test part or are named, not passed over. */
static void names_arrays_for_validation(void **state) {
    (void)state;
    static const char *const spelled[][2] = {
        {"x_val.npy", "y_val.npy"}, {"valid_x.npy", "valid_y.npy"}, {"x_validation.npy", "y_validation.npy"}};
    char said[200];
    write_arrays("x_train.npy", "y_train.npy", 10);
    for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
        int length = (int)strlen(spelled[i][0]) - 4;
        write_arrays(spelled[i][0], spelled[i][1], 6);
        (void)snprintf(said, sizeof said, ": %.*s is taken as the test part, as there is none of that name",
                       length, spelled[i][0]);
        expect_arrays(10, 6, said);
        write_arrays("x_test.npy", "y_test.npy", 4);
        (void)snprintf(said, sizeof said,
                       ": %.*s is left out; samples for validation are held out where the recipe asks for it",
                       length, spelled[i][0]);
        expect_arrays(10, 4, said);
        assert_int_equal(unlink(scratch_path(&scratch, spelled[i][0])), 0);
        (void)snprintf(said, sizeof said, ": 1 more array left out: %.*s", length, spelled[i][1]);
        expect_arrays(10, 4, said);
        assert_int_equal(unlink(scratch_path(&scratch, spelled[i][1])), 0);
        assert_int_equal(unlink(scratch_path(&scratch, "x_test.npy")), 0);
        assert_int_equal(unlink(scratch_path(&scratch, "y_test.npy")), 0);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(divides),
                                       TEST(divides_small_classes),
                                       TEST(measures),
                                       TEST(iris_is_fishers),
                                       TEST(loads_tables),
                                       TEST(refuses_to_load),
                                       TEST(names_arrays_for_validation)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
