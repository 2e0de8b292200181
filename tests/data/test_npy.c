/* SPDX-License-Identifier: MIT */
/* Data sets from NumPy's arrays, which are written here byte by byte: all types, versions and shapes, and
 * everything that can be wrong with a header, a value or an archive. */
#include <math.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "../base/size_text.h"
#include "npy_files.h"
#include "scratch_context.h"

static const int64_t two_labels[] = {1, 0};

static stoa_dataset *read_good(const struct bytes *x) {
    stoa_dataset *dataset = NULL;
    struct bytes y = make_typed("<i8", "(2,)", two_labels, sizeof two_labels);
    if (read_npy_pair(context, x, &y, NULL, &dataset) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return dataset;
}

static void check_shape(const stoa_dataset *dataset, size_t height, size_t width, size_t channels) {
    size_t found[3];
    stoa_dataset_shape(dataset, &found[0], &found[1], &found[2]);
    assert_true(found[0] == height && found[1] == width && found[2] == channels);
}

/* Two samples of two values. */
static void check_values(stoa_dataset *dataset, const float wanted[4]) {
    float out[5] = {0, 0, 0, 0, 77};
    int32_t labels[2];
    assert_int_equal(stoa_dataset_count(dataset), 2);
    assert_int_equal(stoa_dataset_classes(dataset), 2);
    stoa_dataset_read(dataset, NULL, 0, 2, out, labels);
    for (int i = 0; i < 4; i++) {
        assert_true(fabsf(out[i] - wanted[i]) <= 1e-7F * fabsf(wanted[i]));
    }
    assert_true(out[4] == 77 && labels[0] == 1 && labels[1] == 0);
    const float first[4] = {out[0], out[1], out[2], out[3]};
    const size_t second = 1;
    stoa_dataset_read(dataset, &second, 0, 1, out, labels);
    assert_true(out[0] == first[2] && out[1] == first[3] && labels[0] == 0);
    stoa_dataset_free(dataset);
}

static const float singles[] = {1.5F, -2, 3e-3F, 4};
static const double doubles[] = {1.5, -2, 0.25, 4};
static const int32_t narrow[] = {1, -2, 300, 4};
static const int64_t wide[] = {1, -2, 16777216, 4};
static const uint8_t pixels[] = {0, 255, 51, 204};

static void reads_all_types(void **state) {
    (void)state;
    static const char shape[] = "(2, 2)";
    struct bytes file = make_typed("<f4", shape, singles, sizeof singles);
    check_values(read_good(&file), singles);
    file = make_typed("<f8", shape, doubles, sizeof doubles);
    check_values(read_good(&file), (const float[]){1.5F, -2, 0.25F, 4});
    file = make_typed("<i4", shape, narrow, sizeof narrow);
    check_values(read_good(&file), (const float[]){1, -2, 300, 4});
    file = make_typed("<i8", shape, wide, sizeof wide);
    check_values(read_good(&file), (const float[]){1, -2, 16777216, 4});
    file = make_typed("|u1", shape, pixels, sizeof pixels);
    check_values(read_good(&file), (const float[]){0, 1, 51 / 255.0F, 204 / 255.0F});
}

/* An odd header leaves the values at an odd address. */
static void reads_all_versions(void **state) {
    (void)state;
    static const char *const spellings[] = {
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }          \n",
        "{\"shape\":(2,2),\"descr\":\"<f8\",\"fortran_order\":False}",
        "  { 'fortran_order' :False , 'shape': ( 2 , 2 , ) , 'descr': '=f8' } \n\n",
    };
    for (int version = 1; version <= 3; version++) {
        for (size_t i = 0; i < 3; i++) {
            struct bytes file = make_npy(version, spellings[i], doubles, sizeof doubles);
            check_values(read_good(&file), (const float[]){1.5F, -2, 0.25F, 4});
        }
    }
}

static void reads_all_shapes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t height, width, channels;
    } shapes[] = {
        {"(2, 2)", 1, 1, 2}, {"(2, 2, 1)", 2, 1, 1}, {"(2, 1, 2)", 1, 2, 1}, {"(2, 1, 1, 2)", 1, 1, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct bytes file = make_typed("<f4", shapes[i].text, singles, sizeof singles);
        stoa_dataset *dataset = read_good(&file);
        check_shape(dataset, shapes[i].height, shapes[i].width, shapes[i].channels);
        check_values(dataset, singles);
    }
    struct bytes file = make_typed("<f4", "(2,)", singles, 8), y = make_typed("|u1", "(2, 1)", "\0\1", 2);
    stoa_dataset *dataset = NULL;
    assert_int_equal(read_npy_pair(context, &file, &y, NULL, &dataset), STOA_OK);
    check_shape(dataset, 1, 1, 1);
    stoa_dataset_free(dataset);
    /* The shape of the options, where the values are as many; samples alone. */
    file = make_typed("<f4", "(2, 2)", singles, sizeof singles);
    assert_int_equal(
        read_npy_pair(context, &file, NULL,
                      &(stoa_data_options){.height = 2, .width = 1, .channels = 1, .unlabelled = true},
                      &dataset),
        STOA_OK);
    check_shape(dataset, 2, 1, 1);
    stoa_dataset_free(dataset);
}

static void expect_failure(const struct bytes *x, const struct bytes *y, const stoa_data_options *options,
                           const char *sentence) {
    stoa_dataset *dataset = NULL;
    assert_int_equal(read_npy_pair(context, x, y, options, &dataset), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_null(dataset);
}

static void refuses_headers(void **state) {
    (void)state;
    static const char head[] = "samples in memory: header at offset ";
    static const struct {
        const char *text, *sentence;
    } bad[] = {
        {"", "10: found '', expected '{'"},
        {"[]", "10: found '[]', expected '{'"},
        {"{'descr': '<f4", "20: found ''<f4', expected a short word"},
        {"{'descr' '<f4'}", "19: found ''<f4'}', expected ':'"},
        {"{'descr': '<f4' 'x'}", "26: found ''x'}', expected ',' or '}'"},
        {"{'descr': '<f4', 'descr': '<f4'}",
         "36: found ''<f4'}', expected a value of descr, fortran_order and "
         "shape, each once"},
        {"{'colour': 3}", "21: found '3}', expected a value of descr, fortran_order and shape, each once"},
        {"{'shape': ()}", "22: found '}', expected a shape with at least one size before it"},
        {"{'shape': 3}", "20: found '3}', expected the shape, such as (60000, 28, 28)"},
        {"{'shape': (0,)}", "21: found '0,)}', expected a size from 1 to 1073741824"},
        {"{'shape': (-1,)}", "21: found '-1,)}', expected a size from 1 to 1073741824"},
        {"{'shape': (99999999999999999999,)}",
         "21: found '99999999999', expected a size from 1 to 1073741824"},
        {"{'shape': (1,2,3,4,5)}", "29: found '5)}', expected the end of the shape after 4 sizes"},
        {"{'shape': (1 2)}", "23: found '2)}', expected ',' or ')'"},
        {"{'descr': '<f4', 'shape': (1,), }",
         "43: found '', expected descr, fortran_order and shape before the end"},
        {"{} x", "13: found 'x', expected nothing behind the dictionary"},
    };
    char sentence[300];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bytes file = make_npy(1, bad[i].text, NULL, 0);
        (void)snprintf(sentence, sizeof sentence, "%s%s", head, bad[i].sentence);
        expect_failure(&file, NULL, &(stoa_data_options){.unlabelled = true}, sentence);
    }
}

static void refuses_samples(void **state) {
    (void)state;
    const stoa_data_options alone = {.unlabelled = true};
    static const char *const types[][2] = {{"<c8", "values of type '<c8', complex numbers"},
                                           {"|O", "values of type '|O', pickled objects of Python (dtype "
                                                  "object: save numbers, or texts as astype(str))"},
                                           {"<M8", "values of type '<M8', dates (save numbers)"},
                                           {"<m8", "values of type '<m8', spans of time (save numbers)"},
                                           {"|V8", "values of type '|V8', raw bytes or records"},
                                           {"|f4", "values of type '|f4'"},
                                           {"<f16", "values of type '<f16'"},
                                           {"?f4", "values of type '?f4'"},
                                           {"<i3", "values of type '<i3'"},
                                           {"<U0", "values of type '<U0'"}};
    struct bytes file;
    for (size_t i = 0; i <= sizeof types / sizeof types[0]; i++) {
        const bool records = i == sizeof types / sizeof types[0];
        char sentence[300];
        (void)snprintf(sentence, sizeof sentence,
                       "samples in memory: found %s, expected booleans (b1), whole numbers of 8 "
                       "to 64 bits (i1 to i8, u1 to u8) or floats of 16 to 64 bits (f2 to f8)",
                       records ? "records of several fields" : types[i][1]);
        file = records ? make_npy(1, "{'descr': [('a', '<f4')], 'shape': (2,)}", singles, sizeof singles)
                       : make_typed(types[i][0], "(2, 2)", singles, sizeof singles);
        expect_failure(&file, NULL, &alone, sentence);
    }
    file = make_typed("|S4", "(2, 2)", singles, sizeof singles);
    expect_failure(&file, NULL, &alone,
                   "samples in memory: found texts, expected numbers; only labels may be texts");
    file = make_npy(1, "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 2)}", singles, sizeof singles);
    expect_failure(&file, NULL, &alone,
                   "samples in memory: found fortran_order Maybe, expected True or False");
    file = make_typed("<f4", "(2, 2)", singles, 15);
    expect_failure(&file, NULL, &alone,
                   "samples in memory: 15 bytes of values at offset 70, expected 16 as its shape says");
    file = make_typed("<f4", "(2, 1)", singles, 9);
    expect_failure(&file, NULL, &alone,
                   "samples in memory: 9 bytes of values at offset 70, expected 8 as its shape says");
    file = make_typed("<f4", "(1073741824, 1073741824, 1073741824)", singles, 16);
    expect_failure(&file, NULL, &alone,
                   "samples in memory: 16 bytes of values at offset 100, expected more than " SIZE_MAX_TEXT
                   " as its shape says");
    file.count = 5;
    expect_failure(&file, NULL, &alone, "samples in memory: not an NPY file: no \\x93NUMPY at its beginning");
    file = make_npy(4, "{}", NULL, 0);
    expect_failure(&file, NULL, &alone, "samples in memory: NPY version 4, expected 1 to 3");
    file = make_typed("<f4", "(2, 2)", NULL, 0);
    file.count = 30;
    expect_failure(
        &file, NULL, &alone,
        "samples in memory: truncated or damaged: a header of 60 bytes announced, 20 follow, at most 10000 "
        "are read");
    const float bad[] = {1, INFINITY, 3, NAN};
    file = make_typed("<f4", "(2, 2)", bad, sizeof bad);
    expect_failure(
        &file, NULL, &alone,
        "samples in memory: value 1 at offset 74 is inf, expected a finite number of single precision");
    const double large[] = {1, 2, 3, 1e39};
    file = make_typed("<f8", "(2, 2)", large, sizeof large);
    expect_failure(
        &file, NULL, &alone,
        "samples in memory: value 3 at offset 94 is 1e+39, expected a finite number of single precision");
}

static void refuses_labels(void **state) {
    (void)state;
    struct bytes x = make_typed("<f4", "(2, 2)", singles, sizeof singles);
    struct bytes y = make_typed("<f4", "(2,)", singles, 8);
    expect_failure(&x, &y, NULL,
                   "labels in memory: label 0 is 1.5, expected the number of a class, from 0; task = "
                   "regression in [data] takes numbers");
    y = make_typed("|u1", "(2, 1, 2)", "\0\1\0\1", 4);
    expect_failure(
        &x, &y, NULL,
        "labels in memory: 4 values for 2 labels, expected one a label, or a row for each that is 1 at its "
        "class and 0 elsewhere");
    y = make_typed("|u1", "(3,)", "\0\1\0", 3);
    expect_failure(&x, &y, NULL,
                   "labels in memory: holds 3 labels, expected 2: samples in memory has as many samples");
    const int64_t far[] = {0, 1LL << 40}, negative[] = {-1, 0};
    y = make_typed("<i8", "(2,)", far, sizeof far);
    expect_failure(&x, &y, NULL, "labels in memory: label 1 is 1099511627776, expected 0 to 65535");
    y = make_typed("<i8", "(2,)", negative, sizeof negative);
    expect_failure(&x, &y, NULL, "labels in memory: label 0 is -1, expected 0 to 65535");
    y = make_typed("|u1", "(2,)", "\0\2", 2);
    expect_failure(&x, &y, &(stoa_data_options){.classes = 2},
                   "labels in memory: label 1 is 2, expected 0 to 1");
}

/* ---- archives ---- */

static struct bytes make_npz(const char *comment) {
    struct archive archive = {.members = 0};
    struct bytes x = make_typed("<f4", "(2, 2)", singles, sizeof singles);
    struct bytes y = make_typed("<i8", "(2,)", two_labels, sizeof two_labels);
    add_member(&archive, "x.npy", &x, false);
    add_member(&archive, "y.npy", &y, true);
    return finish(&archive, comment);
}

static stoa_status read_npz(const struct bytes *file, const char *samples, stoa_dataset **dataset) {
    uint8_t *copy = malloc(file->count ? file->count : 1);
    assert_non_null(copy);
    memcpy(copy, file->data, file->count);
    stoa_status status =
        stoa_dataset_from_npz_memory(context, "z", copy, file->count, samples, "y", NULL, dataset);
    free(copy);
    return status;
}

static void reads_archives(void **state) {
    (void)state;
    static const char *const comments[] = {"", "PK\5\6 is a fine comment"};
    for (int i = 0; i < 2; i++) {
        struct bytes file = make_npz(comments[i]);
        stoa_dataset *dataset = NULL;
        if (read_npz(&file, "x", &dataset) != STOA_OK) {
            fail_msg("%s", stoa_context_error(context));
        }
        assert_string_equal(stoa_dataset_format(dataset), "npz");
        check_values(dataset, singles);
    }
}

static void refuse_npz(const struct bytes *file, const char *samples, stoa_status status,
                       const char *sentence) {
    stoa_dataset *dataset = NULL;
    assert_int_equal(read_npz(file, samples, &dataset), status);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_null(dataset);
}

static void refuses_archives(void **state) {
    (void)state;
    const struct bytes good = make_npz("");
    struct bytes bad = good;
    refuse_npz(&good, "z", STOA_ERR_NOT_FOUND, "z: holds no array 'z'");
    bad.data[0] = 'Q';
    refuse_npz(&bad, "x", STOA_ERR_FORMAT, "z: not a zip archive: no PK at its beginning");
    bad = good;
    bad.count--;
    refuse_npz(&bad, "x", STOA_ERR_FORMAT, "z: truncated: the end of the archive is missing");
    bad = good;
    memset(bad.data + bad.count - 6, 0xFF, 4);
    refuse_npz(&bad, "x", STOA_ERR_FORMAT,
               "z: an archive in ZIP64 form, expected less than 4 GiB; NPY files may be larger");
    bad.data[bad.count - 6] = 0;
    bad.data[bad.count - 3] = 0;
    refuse_npz(&bad, "x", STOA_ERR_FORMAT,
               "z: damaged archive: the directory begins behind its end at offset 16776960");
    /* x is stored: its values are 51 + 4 bytes of header before the checksum's end. */
    bad = good;
    bad.data[130] ^= 1;
    refuse_npz(&bad, "x", STOA_ERR_FORMAT, "z: x: damaged: its checksum does not hold");
    /* The first entry of the directory is where the archive's end says. */
    size_t first = 0;
    for (int i = 0; i < 4; i++) {
        first |= (size_t)good.data[good.count - 6 + (size_t)i] << 8 * i;
    }
    const struct {
        size_t at;
        uint8_t value;
        const char *sentence;
    } spoiled[] = {
        {0, 'Q', "z: damaged archive: no entry of the directory at offset %zu"},
        {8, 1, "z: x: packed with method 0 and encrypted, expected 0 (stored) or 8 (deflated)"},
        {10, 12, "z: x: packed with method 12, expected 0 (stored) or 8 (deflated)"},
        {24, 1, "z: x: damaged: 1 bytes cannot come out of 86"},
        {21, 9, "z: damaged archive: a member that ends behind the archive at offset 0"},
        {42, 9, "z: damaged archive: no member at offset 9"},
        {45, 9, "z: damaged archive: no member at offset 150994944"},
        {29, 9, "z: damaged archive: an entry of the directory that ends behind the archive at offset %zu"},
    };
    for (size_t i = 0; i < sizeof spoiled / sizeof spoiled[0]; i++) {
        char sentence[200];
        bad = good;
        bad.data[first + spoiled[i].at] = spoiled[i].value;
        const char *mark = strstr(spoiled[i].sentence, "%zu");
        int length = mark ? (int)(mark - spoiled[i].sentence) : (int)strlen(spoiled[i].sentence);
        (void)snprintf(sentence, sizeof sentence, "%.*s", length, spoiled[i].sentence);
        if (mark) {
            (void)snprintf(sentence + length, sizeof sentence - (size_t)length, "%zu", first);
        }
        /* The labels come first; they are found behind the samples. */
        stoa_dataset *dataset = NULL;
        stoa_status status = stoa_dataset_from_npz_memory(context, "z", bad.data, bad.count, "x", "x",
                                                          &(stoa_data_options){.unlabelled = true}, &dataset);
        assert_int_equal(status, STOA_ERR_FORMAT);
        assert_string_equal(stoa_context_error(context), sentence);
        assert_null(dataset);
    }
}

/* Deflated data that are cut, changed, or do not end. */
static void refuses_deflated(void **state) {
    (void)state;
    const struct bytes good = make_npz("");
    size_t refused = 0, deflated = 30 + 5 + 20 + 86 + 30 + 5 + 20;
    for (size_t i = deflated; i < deflated + 20; i++) {
        struct bytes bad = good;
        bad.data[i] ^= 0xFF;
        stoa_dataset *dataset = NULL;
        stoa_status status = read_npz(&bad, "x", &dataset);
        assert_int_equal(status, STOA_ERR_FORMAT);
        assert_non_null(strstr(stoa_context_error(context), "z: y: damaged: "));
        refused += dataset == NULL;
    }
    assert_int_equal(refused, 20);
}

/* ---- by their path ---- */

static void write_npy(const char *name, size_t count) {
    uint8_t values[100] = {0};
    char shape[32];
    for (size_t i = 0; i < count; i++) {
        values[i] = (uint8_t)(i % 2);
    }
    (void)snprintf(shape, sizeof shape, "(%zu,)", count);
    struct bytes file = make_typed("|u1", shape, values, count);
    (void)scratch_write(&scratch, name, file.data, file.count);
}

static void check_load(const char *path, size_t train, size_t test) {
    stoa_dataset *both[2] = {NULL, NULL};
    if (stoa_dataset_load(context, path, NULL, &both[0], &both[1]) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_dataset_count(both[0]), train);
    assert_int_equal(stoa_dataset_count(both[1]), test);
    stoa_dataset_free(both[0]);
    stoa_dataset_free(both[1]);
}

static void loads(void **state) {
    (void)state;
    write_npy("X.npy", 20);
    write_npy("y.npy", 20);
    check_load(scratch.folder, 16, 4);
    write_npy("train_images.npy", 6);
    write_npy("train_labels.npy", 6);
    write_npy("test_images.npy", 4);
    write_npy("test_labels.npy", 4);
    check_load(scratch.folder, 6, 4);
    struct bytes file = make_npz("");
    const char *path = scratch_write(&scratch, "a.npz", file.data, file.count);
    stoa_dataset *test = NULL;
    assert_int_equal(stoa_dataset_load(context, path, &(stoa_data_options){.whole = true}, NULL, &test),
                     STOA_OK);
    check_values(test, singles);
    test = NULL;
    path = scratch_path(&scratch, "X.npy");
    assert_int_equal(stoa_dataset_load(context, path, &(stoa_data_options){.unlabelled = true}, NULL, &test),
                     STOA_OK);
    assert_int_equal(stoa_dataset_count(test), 20);
    stoa_dataset_free(test);
    test = NULL;
    assert_int_equal(stoa_dataset_load(context, path, NULL, NULL, &test), STOA_ERR_FORMAT);
    assert_non_null(
        strstr(stoa_context_error(context), "X.npy: has no labels, expected a folder with x.npy and "));
    struct archive other = {.members = 0};
    add_member(&other, "z.npy", &file, true);
    file = finish(&other, "");
    path = scratch_write(&scratch, "b.npz", file.data, file.count);
    assert_int_equal(stoa_dataset_load(context, path, NULL, NULL, &test), STOA_ERR_FORMAT);
    assert_non_null(
        strstr(stoa_context_error(context), "b.npz: holds z (of another type), expected x_train, "));
    assert_null(test);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_all_types), TEST(reads_all_versions), TEST(reads_all_shapes),
        TEST(refuses_headers), TEST(refuses_samples),    TEST(refuses_labels),
        TEST(reads_archives),  TEST(refuses_archives),   TEST(refuses_deflated),
        TEST(loads),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
