/* SPDX-License-Identifier: MIT */
/* CIFAR's binary files: both kinds, where the archives unpack them, with and without names, and what is
 * wrong with them. */
#include <math.h>
#include <stoa/data.h>

#include "picture_folders.h"

enum { VALUES = 3 * 32 * 32, MOST = 12 };

/* Value `at` of a picture: planes that can be told from each other, and pictures too. */
static uint8_t value_of(size_t picture, size_t at) {
    return (uint8_t)(picture * 3 + at / 1024 * 50 + at % 7);
}

/* Picture i has the label i % `classes`, and coarse ones half of it. */
static const char *write_records(const char *name, size_t labels, size_t first, size_t count,
                                 size_t classes) {
    static uint8_t bytes[MOST * (2 + VALUES)];
    uint8_t *at = bytes;
    assert_true(count <= MOST);
    for (size_t i = first; i < first + count; i++) {
        if (labels == 2) {
            *at++ = (uint8_t)(i % classes / 2);
        }
        *at++ = (uint8_t)(i % classes);
        for (size_t j = 0; j < VALUES; j++) {
            *at++ = value_of(i, j);
        }
    }
    return scratch_write(&scratch, name, bytes, (size_t)(at - bytes));
}

static void write_names(const char *name, const char *begin, size_t count, const char *end) {
    char text[2000] = "";
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu%s", begin, i, end);
    }
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s", end);
    (void)scratch_write(&scratch, name, text, strlen(text));
}

static void load(const char *path, const stoa_data_options *options, stoa_dataset **train,
                 stoa_dataset **test) {
    if (stoa_dataset_load(context, path, options, train, test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
}

static void check_pictures(const stoa_dataset *dataset, size_t first, size_t count, size_t classes,
                           size_t divisor) {
    static float out[MOST * VALUES];
    int32_t labels[MOST];
    size_t height, width, channels;
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_true(height == 32 && width == 32 && channels == 3);
    assert_int_equal(stoa_dataset_count(dataset), count);
    stoa_dataset_read(dataset, NULL, 0, count, out, labels);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(labels[i], (first + i) % classes / divisor);
        for (size_t j = 0; j < VALUES; j++) {
            const float wanted = value_of(first + i, j % 3 * 1024 + j / 3) / 255.0F;
            assert_float_equal(out[i * VALUES + j], wanted, 1e-6F);
        }
    }
}

static void refuse(const stoa_data_options *options, stoa_status status, const char *sentence) {
    stoa_dataset *train = NULL, *test = NULL;
    char whole[600];
    assert_int_equal(stoa_dataset_load(context, scratch.folder, options, &train, &test), status);
    (void)snprintf(whole, sizeof whole, "%s%s", scratch.folder, sentence);
    assert_string_equal(stoa_context_error(context), whole);
    assert_true(train == NULL && test == NULL);
}

static void reads_cifar_10(void **state) {
    (void)state;
    stoa_dataset *train = NULL, *test = NULL;
    char name[64], wanted[400];
    make_folder("cifar-10-batches-bin");
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "cifar-10-batches-bin/data_batch_%zu.bin", i + 1);
        (void)write_records(name, 1, 2 * i, 2, 10);
    }
    (void)write_records("cifar-10-batches-bin/test_batch.bin", 1, 40, 4, 10);
    write_names("cifar-10-batches-bin/batches.meta.txt", "class ", 10, "\r\n");
    const char *paths[] = {scratch.folder, scratch_path(&scratch, "cifar-10-batches-bin")};
    for (size_t i = 0; i < 2; i++) {
        load(paths[i], NULL, &train, &test);
        check_pictures(train, 0, 10, 10, 1);
        check_pictures(test, 40, 4, 10, 1);
        assert_string_equal(stoa_dataset_format(train), "cifar");
        assert_string_equal(stoa_dataset_class_name(test, 9), "class 9");
        assert_true(stoa_dataset_is_pixels(train));
        stoa_dataset_free(train);
        stoa_dataset_free(test);
    }
    assert_string_equal(notes, "");
    /* A row is what flatten gives: as it lies. */
    const stoa_data_options row = {.height = 1, .width = 1, .channels = VALUES};
    float out[VALUES];
    int32_t label;
    load(scratch.folder, &row, NULL, &test);
    stoa_dataset_read(test, NULL, 0, 1, out, &label);
    for (size_t j = 0; j < VALUES; j++) {
        assert_float_equal(out[j], value_of(40, j) / 255.0F, 1e-6F);
    }
    stoa_dataset_free(test);
    /* Names in a model's order. */
    const char *given[10] = {"class 3", "class 2", "class 1", "class 0", "class 4",
                             "class 5", "class 6", "class 7", "class 8", "class 9"};
    load(scratch.folder, &(stoa_data_options){.classes = 10, .names = given, .name_count = 10}, NULL, &test);
    stoa_dataset_read(test, NULL, 0, 1, out, &label);
    assert_int_equal(label, 3);
    stoa_dataset_free(test);
    /* What is missing is said; without a part to test with the rest is divided. */
    for (size_t i = 2; i <= 4; i += 2) {
        (void)snprintf(name, sizeof name, "cifar-10-batches-bin/data_batch_%zu.bin", i);
        assert_int_equal(unlink(scratch_path(&scratch, name)), 0);
    }
    (void)write_records("cifar-10-batches-bin/data_batch_3.bin", 1, 0, 10, 5);
    (void)write_records("cifar-10-batches-bin/data_batch_1.bin", 1, 0, 10, 5);
    (void)write_records("cifar-10-batches-bin/data_batch_5.bin", 1, 0, 10, 5);
    assert_int_equal(unlink(scratch_path(&scratch, "cifar-10-batches-bin/test_batch.bin")), 0);
    assert_int_equal(unlink(scratch_path(&scratch, "cifar-10-batches-bin/batches.meta.txt")), 0);
    load(scratch.folder, NULL, &train, &test);
    assert_int_equal(stoa_dataset_count(train), 25);
    assert_int_equal(stoa_dataset_count(test), 5);
    assert_null(stoa_dataset_class_name(train, 0));
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    (void)snprintf(wanted, sizeof wanted,
                   "%s/cifar-10-batches-bin: holds no batches.meta.txt, so that classes are numbers\n"
                   "%s/cifar-10-batches-bin: holds 3 of 5 files to train with, not data_batch_4.bin\n",
                   scratch.folder, scratch.folder);
    assert_string_equal(notes, wanted);
}

static void reads_cifar_100(void **state) {
    (void)state;
    stoa_dataset *train = NULL, *test = NULL;
    (void)write_records("train.bin", 2, 0, 10, 40);
    (void)write_records("test.bin", 2, 30, 4, 40);
    write_names("fine_label_names.txt", "f", 100, "\n");
    write_names("coarse_label_names.txt", "c", 20, "\n");
    load(scratch.folder, NULL, &train, &test);
    check_pictures(train, 0, 10, 40, 1);
    check_pictures(test, 30, 4, 40, 1);
    assert_int_equal(stoa_dataset_classes(train), 100);
    assert_string_equal(stoa_dataset_class_name(train, 99), "f99");
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    load(scratch.folder, &(stoa_data_options){.label = "coarse"}, &train, &test);
    check_pictures(train, 0, 10, 40, 2);
    assert_int_equal(stoa_dataset_classes(train), 20);
    assert_string_equal(stoa_dataset_class_name(train, 19), "c19");
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    assert_string_equal(notes, "");
    refuse(&(stoa_data_options){.label = "rough"}, STOA_ERR_ARGUMENT,
           ": label: found 'rough', expected coarse or fine");
    refuse(&(stoa_data_options){.classes = 10}, STOA_ERR_FORMAT,
           ": CIFAR-100 has 100 classes (label = coarse: 20, fine: 100), expected 10");
    write_names("fine_label_names.txt", "f", 101, "\n");
    refuse(NULL, STOA_ERR_FORMAT, "/fine_label_names.txt: 101 names of classes, expected 100, one a line");
}

static void refuses(void **state) {
    (void)state;
    (void)write_records("data_batch_1.bin", 1, 0, 4, 10);
    refuse(&(stoa_data_options){.classes = 3}, STOA_ERR_FORMAT, ": CIFAR-10 has 10 classes, expected 3");
    refuse(&(stoa_data_options){.label = "fine"}, STOA_ERR_ARGUMENT,
           ": label: found 'fine', expected none, as CIFAR-10 has one label");
    const char *path = write_records("test_batch.bin", 1, 0, 4, 10);
    assert_int_equal(truncate(path, 3073 * 2 + 5), 0);
    refuse(NULL, STOA_ERR_FORMAT,
           "/test_batch.bin: holds 6151 bytes, expected records of 3073: 1 label and 3072 values each");
    (void)write_records("test_batch.bin", 1, 10, 2, 12);
    refuse(NULL, STOA_ERR_FORMAT, "/test_batch.bin: label of picture 0 is 10, expected 0 to 9");
    assert_int_equal(unlink(scratch_path(&scratch, "data_batch_1.bin")), 0);
    refuse(NULL, STOA_ERR_NOT_FOUND, ": holds no data_batch_1.bin");
    assert_int_equal(unlink(scratch_path(&scratch, "test_batch.bin")), 0);
    (void)scratch_write(&scratch, "data_batch_1", "\x80\2}", 3);
    refuse(NULL, STOA_ERR_FORMAT,
           ": holds CIFAR-10 for Python, expected its binary version with data_batch_1.bin");
    assert_int_equal(unlink(scratch_path(&scratch, "data_batch_1")), 0);
    static const char *const both[] = {"cifar-10-batches-bin", "cifar-100-binary"};
    make_folder(both[0]);
    make_folder(both[1]);
    (void)write_records("cifar-10-batches-bin/test_batch.bin", 1, 0, 1, 10);
    (void)write_records("cifar-100-binary/train.bin", 2, 0, 1, 10);
    refuse(NULL, STOA_ERR_FORMAT, ": holds cifar-10-batches-bin and cifar-100-binary, expected one of them");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(reads_cifar_10), TEST(reads_cifar_100), TEST(refuses)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
