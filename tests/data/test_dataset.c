/* SPDX-License-Identifier: MIT */
/* Reading batches out of a data set: order, normalisation, limits, the caller's own arrays. */
#include <math.h>
#include <stdbool.h>
#include <stoa/data.h>
#include <string.h>

#include "../base/cmocka_prelude.h"

enum { COUNT = 4, HEIGHT = 2, WIDTH = 3, SIZE = HEIGHT * WIDTH };

static stoa_context *context;
static stoa_dataset *bytes_set, *float_set;
static float samples[COUNT * SIZE];
static int32_t labels[COUNT] = {3, 0, 2, 1};

static int set_up(void **state) {
    (void)state;
    uint8_t images[16 + COUNT * SIZE] = {0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, HEIGHT, 0, 0, 0, WIDTH};
    uint8_t label_bytes[8 + COUNT] = {0, 0, 8, 1, 0, 0, 0, COUNT};
    for (int i = 0; i < COUNT * SIZE; i++) {
        images[16 + i] = (uint8_t)(10 * i);
        samples[i] = (float)(10 * i) / 255.0F;
    }
    for (int i = 0; i < COUNT; i++) {
        label_bytes[8 + i] = (uint8_t)labels[i];
    }
    bool good =
        stoa_context_create(NULL, &context) == STOA_OK &&
        stoa_dataset_from_idx_memory(context, images, sizeof images, label_bytes, sizeof label_bytes, 4,
                                     &bytes_set) == STOA_OK &&
        stoa_dataset_from_arrays(context, samples, labels, COUNT, HEIGHT, WIDTH, 1, 4, &float_set) == STOA_OK;
    return good ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_dataset_free(bytes_set);
    stoa_dataset_free(float_set);
    stoa_context_free(context);
    return 0;
}

/* Read samples in this order from a set and hold them against (value - mean) / deviation. */
static void check_read(const stoa_dataset *dataset, const size_t *index, size_t first, size_t count,
                       double mean, double deviation) {
    float out[COUNT * SIZE + 1];
    int32_t got[COUNT + 1];
    for (int i = 0; i <= COUNT * SIZE; i++) {
        out[i] = NAN;
    }
    got[count] = -5;
    stoa_dataset_read(dataset, index, first, count, out, got);
    for (size_t i = 0; i < count; i++) {
        size_t from = index ? index[i] : first + i;
        assert_int_equal(got[i], labels[from]);
        for (size_t j = 0; j < SIZE; j++) {
            double expected = ((double)samples[from * SIZE + j] - mean) / deviation;
            assert_true(fabs((double)out[i * SIZE + j] - expected) < 1e-6 * (1 + fabs(mean) / deviation));
        }
    }
    assert_true(isnan(out[count * SIZE]));
    assert_int_equal(got[count], -5);
}

static void reads_ranges_and_orders(void **state) {
    (void)state;
    const size_t order[] = {3, 1, 1, 0};
    const stoa_dataset *both[] = {bytes_set, float_set};
    for (int i = 0; i < 2; i++) {
        check_read(both[i], NULL, 0, COUNT, 0, 1);
        check_read(both[i], NULL, 2, 2, 0, 1);
        check_read(both[i], NULL, COUNT, 0, 0, 1);
        check_read(both[i], order, 0, 4, 0, 1);
        check_read(both[i], order, 77, 3, 0, 1);
    }
}

static void normalises(void **state) {
    (void)state;
    stoa_dataset *both[] = {bytes_set, float_set};
    const size_t order[] = {2, 0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stoa_dataset_normalize(both[i], 0.1307F, 0.3081F), STOA_OK);
        check_read(both[i], NULL, 0, COUNT, (double)0.1307F, (double)0.3081F);
        check_read(both[i], order, 0, 2, (double)0.1307F, (double)0.3081F);
        const float bad[][2] = {{NAN, 1}, {0, NAN}, {INFINITY, 1}, {0, INFINITY},
                                {0, 0},   {0, -1},  {0, 1e-45F},   {1e20F, 1e-20F}};
        for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++) {
            assert_int_equal(stoa_dataset_normalize(both[i], bad[j][0], bad[j][1]), STOA_ERR_ARGUMENT);
        }
        assert_int_equal(stoa_dataset_normalize(both[i], 0.5F, 0), STOA_ERR_ARGUMENT);
        assert_string_equal(stoa_context_error(context),
                            "data set: mean 0.5 and deviation 0, expected finite numbers, "
                            "the deviation above 0");
        /* What was refused changed nothing. */
        check_read(both[i], NULL, 0, COUNT, (double)0.1307F, (double)0.3081F);
    }
}

static void limits(void **state) {
    (void)state;
    assert_int_equal(stoa_dataset_limit(bytes_set, COUNT + 1), STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), "data set: a limit of 5 samples, expected 1 to 4");
    assert_int_equal(stoa_dataset_limit(bytes_set, 0), STOA_ERR_ARGUMENT);
    assert_int_equal(stoa_dataset_limit(bytes_set, 3), STOA_OK);
    assert_int_equal(stoa_dataset_count(bytes_set), 3);
    check_read(bytes_set, NULL, 0, 3, 0, 1);
    assert_int_equal(stoa_dataset_limit(bytes_set, 4), STOA_ERR_ARGUMENT);
}

static void expect_refusal(const float *values, const int32_t *numbers, size_t count, size_t height,
                           size_t classes, const char *sentence) {
    stoa_dataset *dataset = NULL;
    assert_int_equal(
        stoa_dataset_from_arrays(context, values, numbers, count, height, WIDTH, 1, classes, &dataset),
        STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_null(dataset);
}

static void refuses_arrays(void **state) {
    (void)state;
    const int32_t negative[COUNT] = {0, 0, -1, 0};
    expect_refusal(NULL, labels, COUNT, HEIGHT, 4, "data set: the array of samples is NULL");
    expect_refusal(samples, NULL, COUNT, HEIGHT, 4, "data set: the array of labels is NULL");
    expect_refusal(samples, labels, 0, HEIGHT, 4,
                   "data set: sizes 0 x 2 x 3 x 1, each expected from 1 to 1073741824, together in memory");
    expect_refusal(
        samples, labels, (size_t)1 << 30, (size_t)1 << 30, 4,
        "data set: sizes 1073741824 x 1073741824 x 3 x 1, each expected from 1 to 1073741824, together in "
        "memory");
    expect_refusal(samples, labels, COUNT, HEIGHT, 0, "data set: 0 classes, expected 1 to 1073741824");
    expect_refusal(samples, labels, COUNT, HEIGHT, 3, "data set: label 0 is 3, expected 0 to 2");
    expect_refusal(samples, negative, COUNT, HEIGHT, 4, "data set: label 2 is -1, expected 0 to 3");
}

/* Borrowed means borrowed: what the caller changes is what is read. */
static void borrows_arrays(void **state) {
    (void)state;
    samples[0] = 42;
    check_read(float_set, NULL, 0, 1, 0, 1);
}

static uint32_t fingerprint_of(const stoa_dataset *set) {
    uint32_t fingerprint = 0;
    assert_int_equal(stoa_dataset_fingerprint(set, &fingerprint), STOA_OK);
    return fingerprint;
}

/* It tells other values, labels and selections apart, and nothing else. */
static void has_a_fingerprint(void **state) {
    (void)state;
    assert_string_equal(stoa_dataset_type(float_set), "float32");
    uint32_t plain = fingerprint_of(float_set);
    assert_int_equal(stoa_dataset_normalize(float_set, 3, 2), STOA_OK);
    assert_int_equal(fingerprint_of(float_set), plain);
    float kept = samples[5];
    samples[5] = kept + 1;
    assert_int_not_equal(fingerprint_of(float_set), plain);
    samples[5] = kept;
    assert_int_equal(fingerprint_of(float_set), plain);
    assert_int_equal(stoa_dataset_limit(float_set, COUNT - 1), STOA_OK);
    assert_int_not_equal(fingerprint_of(float_set), plain);
    /* The same on every machine: zlib's sum of little-endian values, then of labels. */
    static const float one[] = {1.0F, -2.5F};
    static const int32_t label[] = {1};
    stoa_dataset *small = NULL;
    assert_int_equal(stoa_dataset_from_arrays(context, one, label, 1, 1, 2, 1, 2, &small), STOA_OK);
    assert_int_equal(fingerprint_of(small), 0x00e7fb50U);
    stoa_dataset_free(small);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_ranges_and_orders), TEST(normalises),     TEST(limits),
        TEST(refuses_arrays),          TEST(borrows_arrays), TEST(has_a_fingerprint),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
