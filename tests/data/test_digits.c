/* SPDX-License-Identifier: MIT */
/* Drawn digits: the same for the same seed whatever else is drawn, all classes, light on dark, unlike each
 * other. */
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"

enum { COUNT = 200, SIDE = 28, SIZE = SIDE * SIDE };

static stoa_context *context;
static float first[COUNT * SIZE], second[COUNT * SIZE];

static int set_up(void **state) {
    (void)state;
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    return 0;
}

static void draw(size_t count, uint64_t seed, float *out) {
    int32_t labels[COUNT];
    stoa_dataset *digits = NULL;
    assert_int_equal(stoa_dataset_draw_digits(context, count, SIDE, SIDE, seed, &digits), STOA_OK);
    assert_int_equal(stoa_dataset_count(digits), count);
    assert_int_equal(stoa_dataset_classes(digits), 10);
    assert_string_equal(stoa_dataset_format(digits), "digits");
    stoa_dataset_read(digits, NULL, 0, count, out, labels);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(labels[i], i % 10);
    }
    stoa_dataset_free(digits);
}

static void follows_from_the_seed(void **state) {
    (void)state;
    draw(COUNT, 3, first);
    draw(COUNT / 2, 3, second);
    assert_memory_equal(first, second, COUNT / 2 * SIZE * sizeof *first);
    draw(COUNT, 4, second);
    for (size_t i = 0; i < COUNT; i++) {
        assert_memory_not_equal(first + i * SIZE, second + i * SIZE, SIZE * sizeof *first);
    }
    /* The bytes themselves, so that another machine is held to them. */
    uint32_t sum = 2166136261U;
    for (size_t i = 0; i < COUNT * SIZE; i++) {
        sum = (sum ^ (uint32_t)(first[i] * 255 + 0.5F)) * 16777619U;
    }
    assert_int_equal(sum, 0x046352A9U);
}

static void looks_like_digits(void **state) {
    (void)state;
    draw(COUNT, 1, first);
    for (size_t i = 0; i < COUNT; i++) {
        const float *image = first + i * SIZE;
        double ink = 0, border = 0, largest = 0;
        for (size_t j = 0; j < SIZE; j++) {
            bool edge = j < SIDE || j >= SIZE - SIDE || j % SIDE == 0 || j % SIDE == SIDE - 1;
            largest = (double)image[j] > largest ? (double)image[j] : largest;
            ink += (double)image[j];
            border += edge ? (double)image[j] : 0;
        }
        assert_true(largest > 0.6 && largest <= 1);
        assert_true(ink / SIZE > 0.02 && ink / SIZE < 0.45);
        assert_true(border / (4 * SIDE - 4) < 0.25);
    }
}

static void refuses_sizes(void **state) {
    (void)state;
    stoa_dataset *digits = NULL;
    const size_t bad[][3] = {{0, 28, 28}, {1, 7, 28}, {1, 28, 7}, {1, 1025, 28}, {1, 28, SIZE_MAX / 2}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(stoa_dataset_draw_digits(context, bad[i][0], bad[i][1], bad[i][2], 0, &digits),
                         STOA_ERR_ARGUMENT);
    }
    assert_int_equal(stoa_dataset_draw_digits(context, (size_t)-1, 28, 28, 0, &digits), STOA_ERR_FORMAT);
    assert_null(digits);
}

static void loads_by_name(void **state) {
    (void)state;
    stoa_dataset *train = NULL, *test = NULL;
    assert_int_equal(
        stoa_dataset_load(context, "digits", &(stoa_data_options){.samples = 100}, &train, &test), STOA_OK);
    assert_int_equal(stoa_dataset_count(train), 80);
    assert_int_equal(stoa_dataset_count(test), 20);
    size_t height, width, channels;
    stoa_dataset_shape(train, &height, &width, &channels);
    assert_true(height == 28 && width == 28 && channels == 1);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    const stoa_data_options small = {.samples = 100, .height = 16, .width = 12, .channels = 1, .whole = true};
    assert_int_equal(stoa_dataset_load(context, "digits", &small, NULL, &test), STOA_OK);
    stoa_dataset_shape(test, &height, &width, &channels);
    assert_true(height == 16 && width == 12);
    assert_int_equal(stoa_dataset_count(test), 100);
    stoa_dataset_free(test);
    test = NULL;
    assert_int_equal(stoa_dataset_load(context, "digits", &(stoa_data_options){.classes = 9}, NULL, &test),
                     STOA_ERR_ARGUMENT);
    assert_string_equal(stoa_context_error(context), "digits: has 10 classes, expected 9");
    assert_null(test);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(follows_from_the_seed), TEST(looks_like_digits),
                                       TEST(refuses_sizes), TEST(loads_by_name)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
