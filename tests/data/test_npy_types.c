/* SPDX-License-Identifier: MIT */
/* NumPy's arrays as others write them: every type in either byte order, Fortran order, Python 2, labels of
 * all kinds; from memory, and from files that stay on disk because they are larger than the memory they are
 * given. */
#include <math.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "npy_files.h"
#include "scratch_context.h"

/* A value of 2 to 8 bytes, most significant byte first if `big`. */
static void put_value(struct bytes *bytes, uint64_t bits, int count, bool big) {
    for (int i = 0; i < count; i++) {
        const uint8_t byte = (uint8_t)(bits >> 8 * (big ? count - 1 - i : i));
        put(bytes, &byte, 1);
    }
}

/* Types, with the bits of four values and what those are as floats. */
static const struct kind {
    const char *name;
    int bytes;
    uint64_t bits[4];
    float value[4];
} kinds[] = {
    {"b1", 1, {0, 1, 1, 0}, {0, 1, 1, 0}},
    {"i1", 1, {0, 0x80, 0x7F, 0xFF}, {0, -128, 127, -1}},
    {"u1", 1, {0, 0xFF, 51, 204}, {0, 1, 51 / 255.0F, 204 / 255.0F}},
    {"i2", 2, {1, 0x8000, 0x7FFF, 0xFFFF}, {1, -32768, 32767, -1}},
    {"u2", 2, {1, 0x8000, 258, 0xFFFF}, {1, 32768, 258, 65535}},
    {"i4", 4, {1, 0x80000000, 0x01020304, 0xFFFFFFFF}, {1, -2147483648.0F, 16909060.0F, -1}},
    {"u4", 4, {1, 0x80000000, 0x01020304, 0xFFFFFF00}, {1, 2147483648.0F, 16909060.0F, 4294967040.0F}},
    {"i8",
     8,
     {1, 0x8000000000000000, 0x0102030405060708, UINT64_MAX},
     {1, -0x1p63F, 72623859790382856.0F, -1}},
    {"u8",
     8,
     {1, 0x8000000000000000, 0x0102030405060708, 0xFFFFFF0000000000},
     {1, 0x1p63F, 72623859790382856.0F, 18446742974197923840.0F}},
    /* Half precision: one, the largest, the smallest normal and the smallest of all, which is negative
     * here. */
    {"f2", 2, {0x3C00, 0x7BFF, 0x0400, 0x8001}, {1, 65504, 0x1p-14F, -0x1p-24F}},
    {"f4",
     4,
     {0x3F800000, 0xC0490FDB, 0x01020304, 0x7F7FFFFF},
     {1, -3.14159274F, 0x1.040608p-125F, 0x1.FFFFFEp127F}},
    {"f8", 8, {0x3FF0000000000000, 0xC00921FB54442D18, 0, 0x3F847AE147AE147B}, {1, -3.14159274F, 0, 0.01F}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static struct bytes make_kind(const struct kind *kind, bool big, const char *rest) {
    char dictionary[120];
    const char *order = kind->bytes == 1 ? "|" : big ? ">" : "<";
    (void)snprintf(dictionary, sizeof dictionary, "{'descr': '%s%s', %s}", order, kind->name, rest);
    struct bytes file = make_npy(1, dictionary, NULL, 0);
    for (int i = 0; i < 4; i++) {
        put_value(&file, kind->bits[i], kind->bytes, big);
    }
    return file;
}

static const uint8_t two_labels[] = {1, 0};

static stoa_dataset *read_good(const struct bytes *x) {
    stoa_dataset *dataset = NULL;
    struct bytes y = make_typed("|u1", "(2,)", two_labels, 2);
    if (read_npy_pair(context, x, &y, NULL, &dataset) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    return dataset;
}

/* Two samples of two values, all at once and one alone. */
static void check_values(const stoa_dataset *dataset, const float wanted[4], const char *what) {
    float all[4], one[2];
    int32_t labels[2];
    const size_t second = 1;
    assert_int_equal(stoa_dataset_count(dataset), 2);
    stoa_dataset_read(dataset, NULL, 0, 2, all, labels);
    stoa_dataset_read(dataset, &second, 0, 1, one, labels);
    for (int i = 0; i < 4; i++) {
        bool close = fabsf(all[i] - wanted[i]) <= 1e-7F * fabsf(wanted[i]);
        if (!close || (i >= 2 && !(one[i - 2] == all[i]))) {
            fail_msg("%s: value %d is %g, expected %g", what, i, (double)all[i], (double)wanted[i]);
        }
    }
}

static void reads_every_type(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        for (int big = 0; big < 2; big++) {
            struct bytes file = make_kind(&kinds[i], big, "'fortran_order': False, 'shape': (2, 2)");
            stoa_dataset *dataset = read_good(&file);
            check_values(dataset, kinds[i].value, kinds[i].name);
            stoa_dataset_free(dataset);
        }
    }
}

/* Stored with the first index fastest, values 1 and 2 change places. */
static void reads_fortran_order(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const float *v = kinds[i].value;
        struct bytes file = make_kind(&kinds[i], i % 2, "'fortran_order': True, 'shape': (2L, 2L)");
        stoa_dataset *dataset = read_good(&file);
        check_values(dataset, (const float[]){v[0], v[2], v[1], v[3]}, kinds[i].name);
        stoa_dataset_free(dataset);
    }
    /* Value 10 n + 100 h + ... says where it belongs. */
    enum { N = 2, H = 3, W = 4, C = 2 };
    float stored[N * H * W * C], out[N * H * W * C];
    int32_t labels[N];
    for (int c = 0, at = 0; c < C; c++) {
        for (int w = 0; w < W; w++) {
            for (int h = 0; h < H; h++) {
                for (int n = 0; n < N; n++) {
                    stored[at++] = (float)(1000 * n + 100 * h + 10 * w + c);
                }
            }
        }
    }
    struct bytes file = make_npy(2, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3, 4, 2), }",
                                 stored, sizeof stored);
    stoa_dataset *dataset = read_good(&file);
    stoa_dataset_read(dataset, NULL, 0, N, out, labels);
    for (int n = 0, at = 0; n < N; n++) {
        for (int h = 0; h < H; h++) {
            for (int w = 0; w < W; w++) {
                for (int c = 0; c < C; c++) {
                    assert_true(out[at++] == (float)(1000 * n + 100 * h + 10 * w + c));
                }
            }
        }
    }
    stoa_dataset_free(dataset);
}

static void refuses_floats(void **state) {
    (void)state;
    static const struct kind bad[] = {
        {"f2", 2, {0x3C00, 0x7C00, 0, 0}, {0}},
        {"f4", 4, {0x3F800000, 0x7F800000, 0, 0}, {0}},
        {"f8", 8, {0, 0x7FF0000000000000, 0, 0}, {0}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (int big = 0; big < 2; big++) {
            struct bytes file = make_kind(&bad[i], big, "'fortran_order': False, 'shape': (2, 2)");
            stoa_dataset *dataset = NULL;
            assert_int_equal(
                read_npy_pair(context, &file, NULL, &(stoa_data_options){.unlabelled = true}, &dataset),
                STOA_ERR_FORMAT);
            assert_non_null(strstr(stoa_context_error(context), " is inf, expected a finite number"));
            assert_null(dataset);
        }
    }
}

/* ---- labels ---- */

/* Four samples. */
static stoa_status read_labels(const struct bytes *y, size_t classes, int32_t out[4], size_t *found) {
    const float values[] = {1, 2, 3, 4};
    float samples[4];
    struct bytes x = make_typed("<f4", "(4,)", values, sizeof values);
    stoa_dataset *dataset = NULL;
    stoa_status status = read_npy_pair(context, &x, y, &(stoa_data_options){.classes = classes}, &dataset);
    if (status == STOA_OK) {
        stoa_dataset_read(dataset, NULL, 0, 4, samples, out);
        *found = stoa_dataset_classes(dataset);
    }
    stoa_dataset_free(dataset);
    return status;
}

static void expect_labels(const struct bytes *y, const int32_t wanted[4], size_t classes, const char *what) {
    int32_t out[4] = {-1, -1, -1, -1};
    size_t found = 0;
    if (read_labels(y, 0, out, &found) != STOA_OK) {
        fail_msg("%s: %s", what, stoa_context_error(context));
    }
    assert_memory_equal(out, wanted, sizeof out);
    assert_int_equal(found, classes);
}

static void reads_labels_of_any_type(void **state) {
    (void)state;
    static const struct kind types[] = {
        {"b1", 1, {1, 0, 0, 1}, {1, 0, 0, 1}},
        {"i1", 1, {2, 0, 100, 1}, {2, 0, 100, 1}},
        {"i2", 2, {2, 0, 300, 1}, {2, 0, 300, 1}},
        {"u2", 2, {2, 0, 0xFF00, 1}, {2, 0, 0xFF00, 1}},
        {"i4", 4, {2, 0, 300, 1}, {2, 0, 300, 1}},
        {"u4", 4, {2, 0, 300, 1}, {2, 0, 300, 1}},
        {"i8", 8, {2, 0, 300, 1}, {2, 0, 300, 1}},
        {"u8", 8, {2, 0, 300, 1}, {2, 0, 300, 1}},
        {"f2", 2, {0x4000, 0x8000, 0x4200, 0x3C00}, {2, 0, 3, 1}},
        {"f4", 4, {0x40000000, 0, 0x40400000, 0x3F800000}, {2, 0, 3, 1}},
        {"f8", 8, {0x4000000000000000, 0, 0x4008000000000000, 0x3FF0000000000000}, {2, 0, 3, 1}},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const float *v = types[i].value;
        const int32_t wanted[] = {(int32_t)v[0], (int32_t)v[1], (int32_t)v[2], (int32_t)v[3]};
        for (int big = 0; big < 2; big++) {
            struct bytes y = make_kind(&types[i], big, "'fortran_order': False, 'shape': (4L,)");
            expect_labels(&y, wanted, i == 0 ? 2 : (size_t)v[2] + 1, types[i].name);
        }
    }
}

static void reads_one_hot_labels(void **state) {
    (void)state;
    static const int32_t wanted[] = {2, 0, 1, 2};
    static const uint8_t rows[] = {0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1};
    static const uint8_t by_columns[] = {0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1};
    double wide[12];
    for (int i = 0; i < 12; i++) {
        wide[i] = rows[i];
    }
    struct bytes y = make_typed("|u1", "(4, 3)", rows, 12);
    expect_labels(&y, wanted, 3, "bytes");
    y = make_typed("|b1", "(4, 3)", rows, 12);
    expect_labels(&y, wanted, 3, "bool");
    y = make_typed("<f8", "(4, 3)", wide, sizeof wide);
    expect_labels(&y, wanted, 3, "doubles");
    y = make_npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (4, 3)}", by_columns, 12);
    expect_labels(&y, wanted, 3, "Fortran order");
}

static void refuses_labels(void **state) {
    (void)state;
    static const struct {
        const char *type, *shape;
        uint8_t bytes[12];
        size_t classes, count;
        const char *sentence;
    } bad[] = {
        {"|u1",
         "(4, 3)",
         {0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1},
         0,
         12,
         "label 1 is a row with 2 ones, expected one at its class; task = multilabel in [data] takes any "
         "number"},
        {"|u1",
         "(4, 3)",
         {0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1},
         0,
         12,
         "label 2 is a row with 0 ones, expected one at its class; task = multilabel in [data] takes any "
         "number"},
        {"|u1",
         "(4, 3)",
         {0, 0, 1, 1, 0, 0, 0, 2, 0, 0, 0, 1},
         0,
         12,
         "label 2 has 2 at column 1, expected a row that is 1 at its class and 0 elsewhere, or one number a "
         "label"},
        {"|u1",
         "(4, 3)",
         {0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1},
         4,
         12,
         "rows of 3 values, expected 4, one for each class"},
        {"|u1", "(3, 4)", {0}, 0, 12, "holds 3 labels, expected 4: samples in memory has as many samples"},
        {"|i1", "(4,)", {0, 0xFF, 0, 0}, 0, 4, "label 1 is -1, expected 0 to 65535"},
        /* From 1, as Matlab counts. */
        {"|u1",
         "(4,)",
         {1, 2, 3, 2},
         3,
         4,
         "label 2 is 3, expected 0 to 2: labels run from 1 to 3, so subtract 1, or say classes = 4"},
        {"|u1", "(4,)", {0, 2, 3, 2}, 3, 4, "label 2 is 3, expected 0 to 2"},
        {"|u1", "(4,)", {1, 2, 4, 2}, 3, 4, "label 2 is 4, expected 0 to 2"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bytes y = make_typed(bad[i].type, bad[i].shape, bad[i].bytes, bad[i].count);
        int32_t out[4];
        size_t found;
        char sentence[200];
        (void)snprintf(sentence, sizeof sentence, "labels in memory: %s", bad[i].sentence);
        assert_int_equal(read_labels(&y, bad[i].classes, out, &found), STOA_ERR_FORMAT);
        assert_string_equal(stoa_context_error(context), sentence);
    }
    const uint64_t far[] = {0, 1, 1ULL << 63, 0};
    const float bad_floats[] = {0, NAN, 1, 0};
    struct bytes y = make_typed("<u8", "(4,)", far, sizeof far);
    int32_t out[4];
    size_t found;
    assert_int_equal(read_labels(&y, 0, out, &found), STOA_ERR_FORMAT);
    assert_non_null(
        strstr(stoa_context_error(context), "label 2 is 9.22337e+18, expected the number of a class"));
    y = make_typed("<f4", "(4,)", bad_floats, sizeof bad_floats);
    assert_int_equal(read_labels(&y, 0, out, &found), STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context), "label 1 is nan, expected the number of a class"));
}

/* ---- on disk ---- */

/* A file of 512 KiB and a memory of 256 KiB. */
enum { COUNT = 1 << 12, BYTES = 128 };

static stoa_status load_large(const struct kind *kind, bool big, const char *order, stoa_dataset **dataset) {
    int values = BYTES / kind->bytes;
    char dictionary[120];
    (void)snprintf(dictionary, sizeof dictionary, "{'descr': '%c%s', 'fortran_order': %s, 'shape': (%d, %d)}",
                   kind->bytes == 1 ? '|'
                   : big            ? '>'
                                    : '<',
                   kind->name, order, COUNT, values);
    FILE *file = fopen(scratch_path(&scratch, "x.npy"), "wb");
    assert_non_null(file);
    struct bytes part = make_npy(1, dictionary, NULL, 0);
    for (int i = 0; i <= COUNT; i++) {
        assert_int_equal(fwrite(part.data, 1, part.count, file), part.count);
        part.count = 0;
        for (int j = 0; j < values; j++) {
            put_value(&part, kind->bits[(i + j) % 4], kind->bytes, big);
        }
    }
    assert_int_equal(fclose(file), 0);
    part = make_npy(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (4096,)}", NULL, 0);
    file = fopen(scratch_path(&scratch, "y.npy"), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(part.data, 1, part.count, file), part.count);
    for (int i = 0; i < COUNT; i++) {
        assert_int_not_equal(fputc(i % 2, file), EOF);
    }
    assert_int_equal(fclose(file), 0);
    return stoa_dataset_load(context, scratch.folder, &(stoa_data_options){.memory = 1 << 18, .whole = true},
                             NULL, dataset);
}

static void leaves_every_type_on_disk(void **state) {
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        stoa_dataset *dataset = NULL;
        if (load_large(kind, k % 2, "False", &dataset) != STOA_OK) {
            fail_msg("%s", stoa_context_error(context));
        }
        for (size_t i = 0; i < COUNT; i += 511) {
            float out[BYTES];
            int32_t label;
            stoa_dataset_read(dataset, NULL, i, 1, out, &label);
            for (int j = 0; j < BYTES / kind->bytes; j++) {
                float wanted = kind->value[(i + (size_t)j) % 4];
                assert_true(fabsf(out[j] - wanted) <= 1e-7F * fabsf(wanted));
            }
            assert_int_equal(label, i % 2);
        }
        stoa_dataset_free(dataset);
    }
}

static void refuses_large_fortran_order(void **state) {
    (void)state;
    stoa_dataset *dataset = NULL;
    assert_int_equal(load_large(&kinds[3], false, "True", &dataset), STOA_ERR_ARGUMENT);
    assert_non_null(
        strstr(stoa_context_error(context),
               "bytes in Fortran order, expected no more than the memory of 262144, or C order, which is "
               "read piece by piece: save numpy.ascontiguousarray(array)"));
    assert_null(dataset);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_every_type),          TEST(reads_fortran_order),         TEST(refuses_floats),
        TEST(reads_labels_of_any_type),  TEST(reads_one_hot_labels),        TEST(refuses_labels),
        TEST(leaves_every_type_on_disk), TEST(refuses_large_fortran_order),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
