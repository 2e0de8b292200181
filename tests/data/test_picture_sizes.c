/* SPDX-License-Identifier: MIT */
/* Folders of pictures as people have them: PNG and JPEG together, under any name, of any size, lying, see-
 * through, with and without colours; all of it is brought to one shape or refused, and said. */
#include <math.h>

#include "jpeg_writer.h"
#include "picture_folders.h"
#include "png_writer.h"

static const char *write_jpeg(const char *name, uint32_t height, uint32_t width, int channels, uint8_t value,
                              unsigned turn) {
    static uint8_t pixels[3 * 64 * 64];
    struct jpeg_writer w = {
        .width = width, .height = height, .channels = channels, .quality = 95, .turn = turn};
    memset(pixels, value, sizeof pixels);
    jpeg_write(&w, pixels);
    const char *path = scratch_write(&scratch, name, w.bytes, w.used);
    free(w.bytes);
    return path;
}

static const char *write_alpha(const char *name, uint16_t grey, uint16_t alpha) {
    static struct png_writer w;
    uint16_t values[2 * 4 * 4];
    w = (struct png_writer){.width = 4, .height = 4, .type = PNG_GREY_ALPHA, .depth = 8};
    for (size_t i = 0; i < 16; i++) {
        values[2 * i] = grey;
        values[2 * i + 1] = alpha;
    }
    png_begin(&w);
    png_finish(&w, values);
    return scratch_write(&scratch, name, w.bytes, w.used);
}

/* Two classes; names that lie, all kinds, all sizes. */
static void make_mixed(void) {
    make_folder("a");
    make_folder("b");
    (void)write_jpeg("a/1.png", 16, 8, 3, 200, 0);
    (void)write_jpeg("a/2.jpeg", 12, 30, 1, 100, 6);
    (void)write_jpeg("a/3", 4, 4, 1, 50, 0);
    (void)write_picture("b/1.jpg", 4, 4, 255, false);
    (void)write_alpha("b/2.png", 200, 128);
    (void)write_alpha("b/3.png", 200, 255);
}

static void expect_mean(const float *pixels, size_t count, double mean) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)pixels[i];
    }
    if (!(fabs(255 * sum / (double)count - mean) < 1.5)) {
        fail_msg("mean %g, expected %g", 255 * sum / (double)count, mean);
    }
}

static void brings_all_to_one_size(void **state) {
    (void)state;
    static const char *const words[] = {"fit", "crop", "stretch"};
    /* The first fills half of the square when it is fitted, the second, upright 30x12, two fifths. */
    static const double means[3][2] = {{100, 50}, {200, 100}, {200, 100}};
    make_mixed();
    for (int way = 0; way < 3; way++) {
        char wanted[400];
        float out[6 * 4 * 4 * 3];
        int32_t labels[6];
        size_t height, width, channels;
        stoa_dataset *dataset = NULL;
        const stoa_data_options options = {.height = 4, .width = 4, .resize = (stoa_resize)(way + 1)};
        notes[0] = '\0';
        if (stoa_dataset_open_pictures(context, scratch.folder, &options, &dataset) != STOA_OK) {
            fail_msg("%s", stoa_context_error(context));
        }
        stoa_dataset_shape(dataset, &height, &width, &channels);
        assert_true(height == 4 && width == 4 && channels == 3);
        stoa_dataset_read(dataset, NULL, 0, 6, out, labels);
        assert_true(labels[2] == 0 && labels[3] == 1);
        expect_mean(out, 48, means[way][0]);
        expect_mean(out + 48, 48, means[way][1]);
        expect_mean(out + 2 * 48, 48, 50);
        assert_true(out[3 * 48] == 1 && out[3 * 48 + 3] == 0);
        expect_mean(out + 4 * 48, 48, 100);
        expect_mean(out + 5 * 48, 48, 200);
        stoa_dataset_free(dataset);
        (void)snprintf(
            wanted, sizeof wanted,
            "%s: of 6 pictures 5 are grey and read as colour; 1 has transparent pixels, which are laid "
            "on black; 1 is turned upright as its EXIF data say; 2 are brought to 4x4 pixels by "
            "resize = %s, from 4x4 to 30x12\n",
            scratch.folder, words[way]);
        assert_string_equal(notes, wanted);
    }
}

/* Both files, both sizes, and the key. */
static void refuses_several_sizes(void **state) {
    (void)state;
    char wanted[600];
    stoa_dataset *dataset = NULL;
    make_mixed();
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset), STOA_ERR_FORMAT);
    (void)snprintf(
        wanted, sizeof wanted,
        "%s/a/2.jpeg: 30x12 pixels, expected 16x8 as %s/a/1.png has, or resize = fit, crop or stretch",
        scratch.folder, scratch.folder);
    assert_string_equal(stoa_context_error(context), wanted);
    assert_null(dataset);
}

/* Deep pictures are resized without rounding to bytes. */
static void keeps_depth(void **state) {
    (void)state;
    static struct png_writer w;
    static const uint16_t values[] = {0x1234, 0x1236, 0x1238, 0x123a};
    float out[2];
    int32_t label;
    stoa_dataset *dataset = NULL;
    w = (struct png_writer){.width = 4, .height = 1, .type = PNG_GREY, .depth = 16};
    png_begin(&w);
    png_finish(&w, values);
    make_folder("a");
    (void)scratch_write(&scratch, "a/1.png", w.bytes, w.used);
    const stoa_data_options options = {.height = 1, .width = 2, .resize = STOA_RESIZE_STRETCH};
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, &options, &dataset), STOA_OK);
    stoa_dataset_read(dataset, NULL, 0, 1, out, &label);
    stoa_dataset_free(dataset);
    assert_float_equal(out[0], 0x1235 / 65535.0F, 1e-7F);
    assert_float_equal(out[1], 0x1239 / 65535.0F, 1e-7F);
    assert_non_null(strstr(notes, "of 1 pictures 1 has 16 bits a value, so that all are kept as floats; 1 is "
                                  "brought to 1x2 pixels by resize = stretch, from 1x4 to 1x4"));
}

/* A part to train with and none to test with. */
static void divides_a_training_part_alone(void **state) {
    (void)state;
    static const char *const folders[] = {"train", "train/a", "train/b"};
    char name[32], wanted[300];
    stoa_dataset *train = NULL, *test = NULL;
    for (size_t i = 0; i < 3; i++) {
        make_folder(folders[i]);
    }
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "train/%c/%d.jpg", "ab"[i % 2], i);
        (void)write_jpeg(name, 4, 4, 1, 9, 0);
    }
    if (stoa_dataset_load(context, scratch.folder, NULL, &train, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_dataset_count(train), 8);
    assert_int_equal(stoa_dataset_count(test), 2);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    (void)snprintf(wanted, sizeof wanted, "%s: train is divided, as there is no part to test with\n",
                   scratch.folder);
    assert_string_equal(notes, wanted);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(brings_all_to_one_size), TEST(refuses_several_sizes),
                                       TEST(keeps_depth), TEST(divides_a_training_part_alone)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
