/* SPDX-License-Identifier: MIT */
/* NumPy's arrays as people save them: names in any spelling, a training part alone, names that say nothing,
 * labels that are texts; and what is no such thing. */
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "data/array_names.h"
#include "npy_files.h"
#include "picture_folders.h"

/* `count` samples of `values` bytes, or labels that are 0 and 1 in turn. */
static struct bytes make_counted(size_t count, size_t values) {
    uint8_t bytes[400];
    char shape[64];
    assert_true(count * (values ? values : 1) <= sizeof bytes);
    for (size_t i = 0; i < count * (values ? values : 1); i++) {
        bytes[i] = (uint8_t)(values ? i : i % 2);
    }
    if (values) {
        (void)snprintf(shape, sizeof shape, "(%zu, %zu)", count, values);
    } else {
        (void)snprintf(shape, sizeof shape, "(%zu,)", count);
    }
    return make_typed("|u1", shape, bytes, count * (values ? values : 1));
}

static void save(const char *name, struct bytes file) {
    char whole[64];
    (void)snprintf(whole, sizeof whole, "%s.npy", name);
    (void)scratch_write(&scratch, whole, file.data, file.count);
}

static void drop(const char *name) {
    char whole[64];
    (void)snprintf(whole, sizeof whole, "%s.npy", name);
    assert_int_equal(unlink(scratch_path(&scratch, whole)), 0);
}

static void save_pair(const char *samples, const char *labels, size_t count) {
    save(samples, make_counted(count, 3));
    save(labels, make_counted(count, 0));
}

static void expect(size_t train_count, size_t test_count, const char *said) {
    stoa_dataset *train = NULL, *test = NULL;
    char wanted[400];
    notes[0] = '\0';
    if (stoa_dataset_load(context, scratch.folder, NULL, &train, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_dataset_count(train), train_count);
    assert_int_equal(stoa_dataset_count(test), test_count);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    (void)snprintf(wanted, sizeof wanted, "%s%s%s", said[0] ? scratch.folder : "", said, said[0] ? "\n" : "");
    assert_string_equal(notes, wanted);
}

static void refuse(const char *sentence) {
    stoa_dataset *train = NULL, *test = NULL;
    char wanted[500];
    assert_int_not_equal(stoa_dataset_load(context, scratch.folder, NULL, &train, &test), STOA_OK);
    (void)snprintf(wanted, sizeof wanted, "%s%s", scratch.folder, sentence);
    assert_string_equal(stoa_context_error(context), wanted);
    assert_true(train == NULL && test == NULL);
}

static void understands_names(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum stoa_array_role role;
        enum stoa_array_part part;
    } names[] = {{"x", STOA_ARRAY_SAMPLES, STOA_ARRAY_WHOLE},
                 {"Y", STOA_ARRAY_LABELS, STOA_ARRAY_WHOLE},
                 {"X_train", STOA_ARRAY_SAMPLES, STOA_ARRAY_TRAIN},
                 {"train_labels", STOA_ARRAY_LABELS, STOA_ARRAY_TRAIN},
                 {"trainX", STOA_ARRAY_SAMPLES, STOA_ARRAY_TRAIN},
                 {"testLabels", STOA_ARRAY_LABELS, STOA_ARRAY_TEST},
                 {"TEST_IMAGES", STOA_ARRAY_SAMPLES, STOA_ARRAY_TEST},
                 {"x-te", STOA_ARRAY_SAMPLES, STOA_ARRAY_TEST},
                 {"valid.target", STOA_ARRAY_LABELS, STOA_ARRAY_VALIDATION},
                 {"Features", STOA_ARRAY_SAMPLES, STOA_ARRAY_WHOLE},
                 {"train_data_labels", STOA_ARRAY_LABELS, STOA_ARRAY_TRAIN},
                 {"label_images", STOA_ARRAY_LABELS, STOA_ARRAY_WHOLE},
                 {"train", STOA_ARRAY_OTHER, STOA_ARRAY_WHOLE},
                 {"x_mean", STOA_ARRAY_OTHER, STOA_ARRAY_WHOLE},
                 {"train_test_x", STOA_ARRAY_OTHER, STOA_ARRAY_WHOLE},
                 {"axis", STOA_ARRAY_OTHER, STOA_ARRAY_WHOLE},
                 {"trainingtrainingtraining_x", STOA_ARRAY_OTHER, STOA_ARRAY_WHOLE},
                 {"", STOA_ARRAY_OTHER, STOA_ARRAY_WHOLE}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct stoa_array_name name = stoa_array_name(names[i].text);
        if (name.role != names[i].role || name.part != names[i].part) {
            fail_msg("'%s': role %d, part %d", names[i].text, (int)name.role, (int)name.part);
        }
    }
    assert_true(stoa_array_name("x").rank < stoa_array_name("data").rank);
}

static void takes_names_in_any_spelling(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"X", "Y"}, {"features", "labels"}, {"Data", "Target"}, {"inputs", "targets"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        save_pair(pairs[i][0], pairs[i][1], 20);
        expect(16, 4, "");
        drop(pairs[i][0]);
        drop(pairs[i][1]);
    }
    save_pair("trainX", "trainY", 20);
    save_pair("testX", "testY", 6);
    expect(20, 6, "");
    save("mean", make_counted(3, 0));
    expect(20, 6, ": 1 more array left out: mean");
}

static void divides_a_training_part_alone(void **state) {
    (void)state;
    save_pair("X_train", "y_train", 20);
    expect(16, 4, ": X_train is divided, as there is no part to test with");
    /* As contests have it: what is to be answered has no labels. */
    save("X_test", make_counted(7, 3));
    char said[200];
    (void)snprintf(
        said, sizeof said,
        ": X_train is divided, as there is no part to test with\n%s: 1 more array left out: X_test",
        scratch.folder);
    expect(16, 4, said);
    stoa_dataset *test = NULL;
    const stoa_data_options alone = {.unlabelled = true};
    assert_int_equal(stoa_dataset_load(context, scratch.folder, &alone, NULL, &test), STOA_OK);
    assert_int_equal(stoa_dataset_count(test), 7);
    stoa_dataset_free(test);
}

static void guesses_by_shapes(void **state) {
    (void)state;
    char said[400];
    save("arr_0", make_counted(20, 3));
    save("arr_1", make_counted(20, 0));
    expect(16, 4, ": by their shapes arr_0 (20x3) is taken for samples, arr_1 (20) for their labels");
    save("arr_2", make_counted(6, 0));
    save("arr_3", make_counted(6, 3));
    (void)snprintf(
        said, sizeof said,
        ": by their shapes arr_0 (20x3) is taken for samples to train with, arr_1 (20) for their labels\n"
        "%s: by their shapes arr_3 (6x3) is taken for samples to test with, arr_2 (6) for their labels",
        scratch.folder);
    expect(20, 6, said);
    /* Two of one length: either may be the one. */
    drop("arr_2");
    drop("arr_3");
    save("arr_2", make_counted(20, 0));
    refuse(": holds arr_0 (20x3), arr_1 (20), arr_2 (20), expected x_train, y_train, x_test and y_test, or x "
           "and y "
           "(also: images and labels, data and target)");
    drop("arr_2");
    /* Beside other files arrays are theirs. */
    (void)scratch_write(&scratch, "one.csv", "1,0\n2,1\n3,0\n4,1\n", 16);
    stoa_dataset *train = NULL, *test = NULL;
    assert_int_equal(stoa_dataset_load(context, scratch.folder, NULL, &train, &test), STOA_OK);
    assert_string_equal(stoa_dataset_format(train), "csv");
    stoa_dataset_free(train);
    stoa_dataset_free(test);
}

static void says_what_is_missing(void **state) {
    (void)state;
    save("x_train", make_counted(9, 3));
    save("y_test", make_counted(9, 0));
    refuse(": holds x_train (9x3), y_test (9), expected x_train, y_train, x_test and y_test, or x and y "
           "(also: images "
           "and labels, data and target)");
    drop("x_train");
    drop("y_test");
    save("data", make_counted(4, 0));
    save("indices", make_counted(4, 0));
    save("indptr", make_counted(4, 0));
    refuse(": holds a sparse matrix of SciPy, expected arrays: save its toarray()");
}

/* Of archives too, one array of any name is samples when these alone are wanted. */
static void reads_archives(void **state) {
    (void)state;
    struct archive archive = {.members = 0};
    struct bytes x = make_counted(20, 3), y = make_counted(20, 0);
    add_member(&archive, "arr_0.npy", &x, true);
    struct bytes file = finish(&archive, "");
    const char *path = scratch_write(&scratch, "a.npz", file.data, file.count);
    stoa_dataset *train = NULL, *test = NULL;
    const stoa_data_options alone = {.unlabelled = true};
    assert_int_equal(stoa_dataset_load(context, path, &alone, NULL, &test), STOA_OK);
    assert_int_equal(stoa_dataset_count(test), 20);
    stoa_dataset_free(test);
    test = NULL;
    assert_int_equal(stoa_dataset_load(context, path, NULL, &train, &test), STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context), "a.npz: holds arr_0 (20x3), expected "));
    add_member(&archive, "labels.npy", &y, false);
    file = finish(&archive, "");
    path = scratch_write(&scratch, "a.npz", file.data, file.count);
    notes[0] = '\0';
    assert_int_equal(stoa_dataset_load(context, path, NULL, &train, &test), STOA_OK);
    assert_int_equal(stoa_dataset_count(train), 16);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    assert_non_null(
        strstr(notes, "a.npz: by their shapes arr_0 (20x3) is taken for samples, labels (20) for their "));
}

/* ---- labels that are texts ---- */

/* Texts of three letters in UCS-4 of either order, or in bytes. */
static struct bytes make_texts(char kind, bool swapped, const uint32_t (*texts)[3], size_t count) {
    const uint16_t one = 1;
    const bool big = (*(const uint8_t *)&one == 0) != swapped;
    uint8_t bytes[512];
    char type[8], shape[32];
    size_t used = 0;
    for (size_t i = 0; i < count * 3; i++) {
        const uint32_t letter = texts[i / 3][i % 3];
        for (int b = 0; b < (kind == 'U' ? 4 : 1); b++) {
            bytes[used++] = (uint8_t)(letter >> (kind != 'U' ? 0 : big ? 24 - 8 * b : 8 * b));
        }
    }
    (void)snprintf(type, sizeof type, "%c%c3", kind == 'S' ? '|' : big ? '>' : '<', kind);
    (void)snprintf(shape, sizeof shape, "(%zu,)", count);
    struct bytes file = {.count = 0};
    char header[200];
    (void)snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", type,
                   shape);
    put_header(&file, 1, header);
    put(&file, bytes, used);
    return file;
}

static void reads_texts(void **state) {
    (void)state;
    static const uint32_t words[6][3] = {{'d', 'o', 'g'}, {'c', 'a', 't'}, {'d', 'o', 'g'},
                                         {'c', 'a', 't'}, {'a', 0, 0},     {'a', 0, 0}};
    static const uint32_t others[2][3] = {{'d', 'o', 'g'}, {'a', 0, 0}};
    float out[3 * 6];
    int32_t labels[6];
    for (int way = 0; way < 3; way++) {
        stoa_dataset *train = NULL, *test = NULL;
        save("x_train", make_counted(6, 3));
        save("x_test", make_counted(2, 3));
        save("y_train", make_texts(way == 2 ? 'S' : 'U', way == 1, words, 6));
        save("y_test", make_texts(way == 2 ? 'S' : 'U', way == 1, others, 2));
        for (int whole = 0; whole < 2; whole++) {
            if (stoa_dataset_load(context, scratch.folder, NULL, whole ? &train : NULL, &test) != STOA_OK) {
                fail_msg("%s", stoa_context_error(context));
            }
            assert_int_equal(stoa_dataset_classes(test), 3);
            assert_string_equal(stoa_dataset_class_name(test, 0), "a");
            assert_string_equal(stoa_dataset_class_name(test, 2), "dog");
            stoa_dataset_read(test, NULL, 0, 2, out, labels);
            assert_true(labels[0] == 2 && labels[1] == 0);
            stoa_dataset_free(test);
        }
        stoa_dataset_read(train, NULL, 0, 6, out, labels);
        assert_true(labels[0] == 2 && labels[1] == 1 && labels[2] == 2 && labels[4] == 0);
        stoa_dataset_free(train);
    }
}

/* Letters of every length in UTF-8, and what is no letter. */
static void reads_letters(void **state) {
    (void)state;
    static const uint32_t words[4][3] = {
        {0xE9, 0x20AC, 0x1F600}, {0xD800, 0x7FFFFFFF, 'a'}, {'a', 'b', 0}, {'7', 0, 0}};
    stoa_dataset *test = NULL;
    save("x", make_counted(4, 3));
    save("y", make_texts('U', false, words, 4));
    const stoa_data_options whole = {.whole = true};
    if (stoa_dataset_load(context, scratch.folder, &whole, NULL, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    static const char *const wanted[] = {"7", "ab", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
                                         "\xEF\xBF\xBD\xEF\xBF\xBD\x61"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(stoa_dataset_class_name(test, i), wanted[i]);
    }
    stoa_dataset_free(test);
    /* Whole numbers as texts are numbers of classes. */
    static const uint32_t numbers[2][3] = {{'1', 0, 0}, {'0', 0, 0}};
    save("x", make_counted(2, 3));
    save("y", make_texts('S', false, numbers, 2));
    assert_int_equal(stoa_dataset_load(context, scratch.folder, &whole, NULL, &test), STOA_OK);
    float out[6];
    int32_t labels[2];
    stoa_dataset_read(test, NULL, 0, 2, out, labels);
    assert_true(labels[0] == 1 && labels[1] == 0);
    assert_null(stoa_dataset_class_name(test, 0));
    stoa_dataset_free(test);
    const char *names[] = {"cat", "dog"};
    test = NULL;
    const stoa_data_options numbers_wanted = {.whole = true, .task = STOA_TASK_REGRESSION};
    assert_int_equal(stoa_dataset_load(context, scratch.folder, &numbers_wanted, NULL, &test),
                     STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context), "y.npy: found texts, expected numbers as targets"));
    const stoa_data_options named = {.whole = true, .classes = 2, .names = names, .name_count = 2};
    assert_int_equal(stoa_dataset_load(context, scratch.folder, &named, NULL, &test), STOA_ERR_FORMAT);
    assert_non_null(
        strstr(stoa_context_error(context), "y.npy:0: found the label '1', expected one of 2 classes"));
    assert_null(test);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(understands_names),
                                       TEST(takes_names_in_any_spelling),
                                       TEST(divides_a_training_part_alone),
                                       TEST(guesses_by_shapes),
                                       TEST(says_what_is_missing),
                                       TEST(reads_archives),
                                       TEST(reads_texts),
                                       TEST(reads_letters)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
