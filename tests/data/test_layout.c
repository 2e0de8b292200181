/* SPDX-License-Identifier: MIT */
/* Layouts of samples: pixel by pixel or plane by plane, from arrays, tables and pictures, for models over
 * pictures and over rows. Whatever the file's, the values come out in one order. */
#include <math.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "npy_files.h"
#include "scratch_context.h"

/* Largest picture here: more pixels than are transposed at once. */
enum { MOST = 3 * 20 * 21, SAMPLES = 2 };

/* The value of a pixel says where it belongs. */
static float value_of(size_t sample, size_t at, size_t channel) {
    return (float)((sample * 7 + at * 3 + channel * 50) % 251);
}

/* Samples of `pixels` and `channels`, plane by plane or pixel by pixel, as floats. */
static void fill(float *out, size_t pixels, size_t channels, bool planes) {
    for (size_t n = 0, i = 0; n < SAMPLES; n++) {
        for (size_t j = 0; j < pixels * channels; j++) {
            size_t pixel = planes ? j % pixels : j / channels, channel = planes ? j / pixels : j % channels;
            out[i++] = value_of(n, pixel, channel);
        }
    }
}

static FILE *create(const char *name) {
    FILE *file = fopen(scratch_path(&scratch, name), "wb");
    assert_non_null(file);
    return file;
}

static void write_array(const char *type, const char *shape, const float *values, size_t count) {
    struct bytes head = make_typed(type, shape, NULL, 0);
    FILE *file = create("x.npy");
    assert_int_equal(fwrite(head.data, 1, head.count, file), head.count);
    for (size_t i = 0; i < count; i++) {
        const uint8_t byte = (uint8_t)values[i];
        const bool bytes = strcmp(type, "|u1") == 0;
        struct bytes value = {.count = 0};
        put_values(&value, type, bytes ? &byte : (const uint8_t *)&values[i], bytes ? 1 : sizeof values[i]);
        assert_int_equal(fwrite(value.data, value.count, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
    head = make_typed("|u1", "(2,)", "\0\1", 2);
    (void)scratch_write(&scratch, "y.npy", head.data, head.count);
}

static void check_order(const stoa_dataset *dataset, size_t pixels, size_t channels, bool planes,
                        float scale) {
    static float out[SAMPLES * MOST], wanted[SAMPLES * MOST];
    int32_t labels[SAMPLES];
    const size_t last = 1;
    fill(wanted, pixels, channels, planes);
    stoa_dataset_read(dataset, NULL, 0, SAMPLES, out, labels);
    for (size_t i = 0; i < SAMPLES * pixels * channels; i++) {
        if (!(fabsf(out[i] - wanted[i] / scale) <= 1e-6F * wanted[i] / scale)) {
            fail_msg("value %zu is %g, expected %g", i, (double)out[i], (double)(wanted[i] / scale));
        }
    }
    stoa_dataset_read(dataset, &last, 0, 1, out, labels);
    assert_true(fabsf(out[1] - wanted[pixels * channels + 1] / scale) < 1e-5F && labels[0] == 1);
}

static stoa_data_options shaped(size_t height, size_t width, size_t channels, stoa_layout layout) {
    return (stoa_data_options){
        .height = height, .width = width, .channels = channels, .layout = layout, .whole = true};
}

/* A case: an array of some sizes, the shape that is wanted, and what it lies as: 'n' pixels, 'p' planes. */
static const struct layout_case {
    const char *sizes;
    size_t pixels, channels; /* of the samples */
    size_t wanted[3];
    stoa_layout layout;
    char lies;
} cases[] = {
    {"(2, 4, 5, 3)", 20, 3, {4, 5, 3}, STOA_LAYOUT_AUTO, 'n'},
    {"(2, 3, 4, 5)", 20, 3, {4, 5, 3}, STOA_LAYOUT_AUTO, 'p'},
    {"(2, 3, 4, 5)", 20, 3, {4, 5, 3}, STOA_LAYOUT_NCHW, 'p'},
    {"(2, 3, 3, 3)", 9, 3, {3, 3, 3}, STOA_LAYOUT_NHWC, 'n'},
    {"(2, 3, 3, 3)", 9, 3, {3, 3, 3}, STOA_LAYOUT_NCHW, 'p'},
    {"(2, 3, 20, 21)", 420, 3, {20, 21, 3}, STOA_LAYOUT_AUTO, 'p'},
    {"(2, 2, 2, 8)", 16, 2, {2, 8, 2}, STOA_LAYOUT_AUTO, 'p'},
    {"(2, 1, 6, 7)", 42, 1, {6, 7, 1}, STOA_LAYOUT_AUTO, 'p'},
    {"(2, 6, 7, 1)", 42, 1, {6, 7, 1}, STOA_LAYOUT_AUTO, 'n'},
    {"(2, 60)", 20, 3, {4, 5, 3}, STOA_LAYOUT_NHWC, 'n'},
    {"(2, 60)", 20, 3, {4, 5, 3}, STOA_LAYOUT_NCHW, 'p'},
    {"(2, 1, 1, 12)", 1, 12, {1, 1, 12}, STOA_LAYOUT_AUTO, 'n'},
    /* Rows are planes. */
    {"(2, 5, 6, 3)", 30, 3, {1, 1, 90}, STOA_LAYOUT_AUTO, 'n'},
    {"(2, 3, 5, 6)", 30, 3, {1, 1, 90}, STOA_LAYOUT_AUTO, 'p'},
    {"(2, 2, 2, 3)", 4, 3, {1, 1, 12}, STOA_LAYOUT_NHWC, 'n'},
    {"(2, 3, 2, 2)", 4, 3, {1, 1, 12}, STOA_LAYOUT_NCHW, 'p'},
    {"(2, 6, 7)", 42, 1, {1, 1, 42}, STOA_LAYOUT_AUTO, 'n'},
    {"(2, 1, 6, 7)", 42, 1, {1, 1, 42}, STOA_LAYOUT_AUTO, 'p'},
};

static void reads_arrays_of_both_layouts(void **state) {
    (void)state;
    static const char *const types[] = {"<f4", "|u1"};
    static float values[SAMPLES * MOST];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct layout_case *c = &cases[i];
        fill(values, c->pixels, c->channels, c->lies == 'p');
        for (size_t type = 0; type < 2; type++) {
            stoa_data_options options = shaped(c->wanted[0], c->wanted[1], c->wanted[2], c->layout);
            write_array(types[type], c->sizes, values, SAMPLES * c->pixels * c->channels);
            for (size_t memory = 0; memory < 2; memory++) {
                options.memory = memory; /* a byte: the file stays on disk */
                stoa_dataset *dataset = NULL;
                if (stoa_dataset_load(context, scratch.folder, &options, NULL, &dataset) != STOA_OK) {
                    fail_msg("%s: %s", c->sizes, stoa_context_error(context));
                }
                size_t size[3];
                bool row = c->wanted[0] * c->wanted[1] == 1 && c->pixels > 1;
                stoa_dataset_shape(dataset, &size[0], &size[1], &size[2]);
                assert_int_equal(size[0] * size[1] * size[2], c->pixels * c->channels);
                assert_true(size[2] == (row && c->channels > 1 ? c->wanted[2] : c->channels));
                check_order(dataset, c->pixels, c->channels, row, type == 0 ? 1 : 255);
                stoa_dataset_free(dataset);
            }
        }
    }
}

/* Scales belong to the values that come out. */
static void scales_what_it_gives(void **state) {
    (void)state;
    static float values[SAMPLES * MOST];
    float out[SAMPLES * 60], mean[3], deviation[3];
    int32_t labels[SAMPLES];
    for (int planes = 0; planes < 2; planes++) {
        stoa_data_options options = shaped(4, 5, 3, STOA_LAYOUT_AUTO);
        stoa_dataset *dataset = NULL;
        fill(values, 20, 3, planes);
        write_array("<f4", planes ? "(2, 3, 4, 5)" : "(2, 4, 5, 3)", values, 120);
        assert_int_equal(stoa_dataset_load(context, scratch.folder, &options, NULL, &dataset), STOA_OK);
        assert_int_equal(stoa_dataset_measure(dataset, mean, deviation), STOA_OK);
        /* Of 0, 3, ... 57 and 7, 10, ... 64 is 32 the mean; channels are 50 apart. */
        assert_true(fabsf(mean[0] - 32) < 1e-4F && fabsf(mean[1] - 82) < 1e-4F &&
                    fabsf(mean[2] - 132) < 1e-4F);
        assert_int_equal(stoa_dataset_normalize_channels(dataset, mean, deviation), STOA_OK);
        stoa_dataset_read(dataset, NULL, 0, SAMPLES, out, labels);
        assert_true(fabsf(out[0] - out[1]) < 1e-5F && fabsf(out[0] - out[2]) < 1e-5F);
        stoa_dataset_free(dataset);
    }
}

static void reads_tables(void **state) {
    (void)state;
    static const char text[] = "1,2,3,4,5,6,7,8,9,10,11,12,0\n";
    static const float planes[] = {1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12};
    float out[12];
    int32_t label;
    for (int i = 0; i < 3; i++) {
        stoa_data_options options = i == 2 ? shaped(1, 1, 12, STOA_LAYOUT_AUTO)
                                           : shaped(2, 2, 3, i == 0 ? STOA_LAYOUT_NHWC : STOA_LAYOUT_NCHW);
        stoa_dataset *dataset = NULL;
        assert_int_equal(
            stoa_dataset_from_csv_memory(context, "t", text, sizeof text - 1, &options, &dataset), STOA_OK);
        stoa_dataset_read(dataset, NULL, 0, 1, out, &label);
        for (int j = 0; j < 12; j++) {
            assert_true(out[j] == (i == 1 ? planes[j] : (float)(j + 1)));
        }
        stoa_dataset_free(dataset);
    }
    stoa_data_options options = shaped(2, 2, 3, STOA_LAYOUT_AUTO);
    stoa_dataset *dataset = NULL;
    assert_int_equal(stoa_dataset_from_csv_memory(context, "t", text, sizeof text - 1, &options, &dataset),
                     STOA_ERR_FORMAT);
    assert_string_equal(
        stoa_context_error(context),
        "t: rows of 12 values for pictures of 2x2x3, whose values may come pixel by pixel or plane by "
        "plane: expected layout = nhwc or layout = nchw");
    assert_null(dataset);
}

static void refuses_what_cannot_be_known(void **state) {
    (void)state;
    static const struct {
        const char *sizes;
        size_t wanted[3];
        const char *what;
    } open[] = {
        {"(2, 3, 3, 3)", {3, 3, 3}, "samples of 3x3x3"},
        {"(2, 27)", {3, 3, 3}, "rows of 27 values for pictures of 3x3x3"},
        {"(2, 3, 3, 3)", {1, 1, 27}, "samples of 3x3x3"},
        {"(2, 2, 2, 3)", {1, 1, 12}, "samples of 2x2x3"},
        {"(2, 5, 2, 6)", {1, 1, 60}, "samples of 5x2x6"},
    };
    static float values[SAMPLES * MOST];
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        const size_t *wanted = open[i].wanted;
        stoa_data_options options = shaped(wanted[0], wanted[1], wanted[2], STOA_LAYOUT_AUTO);
        stoa_dataset *dataset = NULL;
        char sentence[300];
        write_array("<f4", open[i].sizes, values, SAMPLES * wanted[0] * wanted[1] * wanted[2]);
        assert_int_equal(stoa_dataset_load(context, scratch.folder, &options, NULL, &dataset),
                         STOA_ERR_FORMAT);
        (void)snprintf(
            sentence, sizeof sentence,
            "%s/x.npy: %s, whose values may come pixel by pixel or plane by plane: expected layout = nhwc "
            "or layout = nchw",
            scratch.folder, open[i].what);
        assert_string_equal(stoa_context_error(context), sentence);
        assert_null(dataset);
    }
    /* Without a shape that is asked for, arrays are as the header says. */
    stoa_data_options options = {.whole = true};
    stoa_dataset *dataset = NULL;
    size_t size[3];
    write_array("<f4", "(2, 3, 4, 5)", values, 120);
    assert_int_equal(stoa_dataset_load(context, scratch.folder, &options, NULL, &dataset), STOA_OK);
    stoa_dataset_shape(dataset, &size[0], &size[1], &size[2]);
    assert_true(size[0] == 3 && size[1] == 4 && size[2] == 5);
    stoa_dataset_free(dataset);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_arrays_of_both_layouts),
        TEST(scales_what_it_gives),
        TEST(reads_tables),
        TEST(refuses_what_cannot_be_known),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
