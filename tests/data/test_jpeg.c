/* SPDX-License-Identifier: MIT */
/* JPEG pictures of every kind give their pixels, upright; damaged ones are refused, none of them to the end
 * of the program. */
#include <math.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "data/exif.h"
#include "data/picture.h"
#include "jpeg_writer.h"
#include "scratch_context.h"

enum { HEIGHT = 21, WIDTH = 34, PIXELS = HEIGHT * WIDTH };

/* A smooth picture, of which little is lost, that no turn leaves as it is. */
static void draw(uint8_t *pixels, int channels) {
    for (int i = 0; i < PIXELS * channels; i++) {
        const double y = (double)(i / channels / WIDTH) / HEIGHT, x = (double)(i / channels % WIDTH) / WIDTH;
        const int c = i % channels;
        pixels[i] = (uint8_t)(40 + 150 * x * (c == 1 ? 1 - y : 1) + (c == 2 ? 50 : 20) * y);
    }
}

static const char *save(const struct jpeg_writer *w) {
    (void)remove(scratch_path(&scratch, "a.jpg"));
    return scratch_write(&scratch, "a.jpg", w->bytes, w->used);
}

/* What inks let through of white light. */
static double light(const uint8_t *pixel, int channels, size_t colour) {
    return channels == 1 ? pixel[0] : channels == 3 ? pixel[colour] : (double)pixel[colour] * pixel[3] / 255;
}

static void expect_near(const float *found, const uint8_t *pixels, int channels, double most) {
    for (size_t i = 0; i < PIXELS; i++) {
        for (size_t c = 0; c < 3; c++) {
            const double wanted = light(pixels + i * (size_t)channels, channels, c),
                         value = 255 * (double)found[3 * i + c];
            if (!(fabs(value - wanted) <= most)) {
                fail_msg("pixel %zu, colour %zu: %g, expected %g", i, c, value, wanted);
            }
        }
    }
}

static void reads_every_kind(void **state) {
    (void)state;
    static uint8_t pixels[4 * PIXELS];
    static float colours[3 * PIXELS], grey[PIXELS];
    static const int kinds[] = {1, 3, 4};
    for (int rest = 0; rest < 3 * 2 * 2 * 2; rest++) {
        struct jpeg_writer w = {.width = WIDTH,
                                .height = HEIGHT,
                                .channels = kinds[rest / 8],
                                .quality = 100,
                                .progressive = rest % 2 != 0,
                                .arithmetic = rest / 2 % 2 != 0,
                                .subsampled = rest / 4 % 2 != 0};
        draw(pixels, w.channels);
        jpeg_write(&w, pixels);
        const char *path = save(&w);
        if (stoa_image_read(context, path, HEIGHT, WIDTH, 3, colours) != STOA_OK) {
            fail_msg("%s", stoa_context_error(context));
        }
        expect_near(colours, pixels, w.channels, w.subsampled ? 8 : 5);
        assert_int_equal(stoa_image_read(context, path, HEIGHT, WIDTH, 1, grey), STOA_OK);
        for (size_t i = 0; i < PIXELS; i++) {
            const float *c = colours + 3 * i;
            assert_true(fabsf(grey[i] - (0.299F * c[0] + 0.587F * c[1] + 0.114F * c[2])) < 0.51F / 255);
        }
        free(w.bytes);
    }
}

/* Where the standard says that row 0 and column 0 of the file are seen. */
enum side { TOP, BOTTOM, LEFT, RIGHT };
static const enum side sides[9][2] = {{TOP, LEFT},     {TOP, LEFT},     {TOP, RIGHT},
                                      {BOTTOM, RIGHT}, {BOTTOM, LEFT},  {LEFT, TOP},
                                      {RIGHT, TOP},    {RIGHT, BOTTOM}, {LEFT, BOTTOM}};

static void place(enum side side, size_t number, size_t height, size_t width, size_t *y, size_t *x) {
    *y = side == TOP ? number : side == BOTTOM ? height - 1 - number : *y;
    *x = side == LEFT ? number : side == RIGHT ? width - 1 - number : *x;
}

static void turns_upright(void **state) {
    (void)state;
    static uint8_t pixels[3 * PIXELS];
    static float plain[3 * PIXELS], turned[3 * PIXELS];
    draw(pixels, 3);
    for (unsigned turn = 0; turn <= 9; turn++) {
        for (int big = 0; big < 2; big++) {
            struct jpeg_writer w = {.width = WIDTH,
                                    .height = HEIGHT,
                                    .channels = 3,
                                    .quality = 90,
                                    .turn = turn,
                                    .big_endian = big};
            jpeg_write(&w, pixels);
            const bool lies = turn >= 5 && turn <= 8;
            const size_t height = lies ? WIDTH : HEIGHT, width = lies ? HEIGHT : WIDTH;
            float *out = turn == 0 ? plain : turned;
            if (stoa_image_read(context, save(&w), height, width, 3, out) != STOA_OK) {
                fail_msg("%s", stoa_context_error(context));
            }
            free(w.bytes);
            for (size_t i = 0; i < PIXELS && turn > 0; i++) {
                const enum side *side = sides[turn == 9 ? 1 : turn];
                size_t y = 0, x = 0;
                place(side[0], i / WIDTH, height, width, &y, &x);
                place(side[1], i % WIDTH, height, width, &y, &x);
                assert_memory_equal(plain + 3 * i, turned + 3 * (y * width + x), 3 * sizeof(float));
            }
        }
    }
}

/* EXIF that is cut off or points beyond itself turns nothing and harms nothing. */
static void passes_over_broken_exif(void **state) {
    (void)state;
    static const uint8_t good[] = "MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1\0\6\0\0";
    uint8_t *exif = malloc(sizeof good);
    assert_non_null(exif);
    assert_int_equal(stoa_exif_turn(good, sizeof good - 1), 6);
    for (size_t bytes = 0; bytes < sizeof good - 1; bytes++) {
        uint8_t *cut = malloc(bytes ? bytes : 1); /* so that a sanitizer sees any step past its end */
        assert_non_null(cut);
        memcpy(cut, good, bytes);
        assert_int_equal(stoa_exif_turn(cut, bytes), 1);
        free(cut);
    }
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(exif, good, sizeof good);
            exif[at] = (uint8_t)value;
            const unsigned turn = stoa_exif_turn(exif, sizeof good - 1);
            assert_true(turn >= 1 && turn <= 8);
        }
    }
    free(exif);
}

/* Cut off anywhere, and with bytes changed: refused or read, never more. */
static void refuses_damage(void **state) {
    (void)state;
    static uint8_t pixels[3 * PIXELS];
    static float out[3 * PIXELS];
    draw(pixels, 3);
    for (int progressive = 0; progressive < 2; progressive++) {
        struct jpeg_writer w = {
            .width = WIDTH, .height = HEIGHT, .channels = 3, .quality = 80, .progressive = progressive};
        jpeg_write(&w, pixels);
        const unsigned long whole = w.used;
        for (w.used = 3; w.used < whole; w.used++) {
            assert_int_equal(stoa_image_read(context, save(&w), HEIGHT, WIDTH, 3, out), STOA_ERR_FORMAT);
            assert_non_null(strstr(stoa_context_error(context), "a.jpg: damaged JPEG: "));
        }
        size_t read = 0;
        for (size_t i = 3; i < whole; i++) {
            w.bytes[i] ^= 0x55;
            read += stoa_image_read(context, save(&w), HEIGHT, WIDTH, 3, out) == STOA_OK;
            w.bytes[i] ^= 0x55;
        }
        assert_true(read > 0 && read < whole);
        free(w.bytes);
    }
}

/* What no file of its size can hold costs no memory; what nobody needs is refused. */
static void refuses_what_is_too_large(void **state) {
    (void)state;
    static uint8_t pixels[PIXELS];
    float out;
    struct jpeg_writer w = {.width = WIDTH, .height = HEIGHT, .channels = 1, .quality = 80};
    jpeg_write(&w, pixels);
    uint8_t *frame = w.bytes;
    while (!(frame[0] == 0xFF && frame[1] == 0xC0)) {
        frame++;
    }
    static const struct {
        unsigned height, width;
        const char *sentence;
    } sizes[] = {{8192, 8192, "a.jpg: damaged JPEG: 8192x8192 pixels, which its "},
                 {60000, 60000, "a.jpg: 60000x60000 pixels, at most 67108864 in all are read"}};
    for (size_t i = 0; i < 2; i++) {
        frame[5] = (uint8_t)(sizes[i].height >> 8);
        frame[6] = (uint8_t)sizes[i].height;
        frame[7] = (uint8_t)(sizes[i].width >> 8);
        frame[8] = (uint8_t)sizes[i].width;
        assert_int_equal(stoa_image_read(context, save(&w), 1, 1, 1, &out), STOA_ERR_FORMAT);
        assert_non_null(strstr(stoa_context_error(context), sizes[i].sentence));
    }
    free(w.bytes);
}

/* A picture whose last pass comes again and again, which the format allows. */
static void refuses_passes_without_end(void **state) {
    (void)state;
    static uint8_t pixels[3 * PIXELS];
    static float out[3 * PIXELS];
    draw(pixels, 3);
    struct jpeg_writer w = {.width = WIDTH, .height = HEIGHT, .channels = 3, .quality = 80, .separate = true};
    jpeg_write(&w, pixels);
    assert_int_equal(stoa_image_read(context, save(&w), HEIGHT, WIDTH, 3, out), STOA_OK);
    size_t last = w.used - 2;
    while (!(w.bytes[last] == 0xFF && w.bytes[last + 1] == 0xDA)) {
        last--;
    }
    const size_t pass = w.used - 2 - last, times = 500;
    uint8_t *file = malloc(w.used + pass * times);
    assert_non_null(file);
    memcpy(file, w.bytes, w.used - 2);
    for (size_t i = 0; i < times; i++) {
        memcpy(file + w.used - 2 + i * pass, w.bytes + last, pass);
    }
    memcpy(file + w.used - 2 + times * pass, "\xFF\xD9", 2);
    const char *path = scratch_write(&scratch, "b.jpg", file, w.used + times * pass);
    assert_int_equal(stoa_image_read(context, path, HEIGHT, WIDTH, 3, out), STOA_ERR_FORMAT);
    assert_non_null(
        strstr(stoa_context_error(context), "b.jpg: JPEG of more than 200 passes, expected fewer"));
    free(file);
    free(w.bytes);
}

/* Names do not matter, content does. */
static void tells_kinds_by_content(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        enum stoa_picture_kind kind;
        const char *name;
    } files[] = {{"\x89PNG\r\n\x1a\n", 8, STOA_PICTURE_READ, "PNG"},
                 {"\xFF\xD8\xFF\xE0", 4, STOA_PICTURE_READ, "JPEG"},
                 {"GIF89a", 6, STOA_PICTURE_OTHER, "GIF"},
                 {"RIFF\1\2\3\4WEBPVP8 ", 16, STOA_PICTURE_OTHER, "WebP"},
                 {"\0\0\0\x1c"
                  "ftypavif",
                  12, STOA_PICTURE_OTHER, "AVIF"},
                 {"BM\x10\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", 18, STOA_PICTURE_OTHER, "BMP"},
                 {"P5\n3 2\n", 7, STOA_PICTURE_OTHER, "PNM"},
                 {"BMW is a maker of cars", 22, STOA_PICTURE_NONE, NULL},
                 {"\xFF\xD8", 2, STOA_PICTURE_NONE, NULL},
                 {"", 0, STOA_PICTURE_NONE, NULL}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = scratch_write(&scratch, "file", files[i].bytes, files[i].count), *name = "x";
        enum stoa_picture_kind kind = STOA_PICTURE_READ;
        assert_int_equal(stoa_picture_look(context, path, &kind, &name), STOA_OK);
        assert_int_equal(kind, files[i].kind);
        assert_int_equal(name == NULL, files[i].name == NULL);
        if (name) {
            assert_string_equal(name, files[i].name);
        }
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(reads_every_kind),          TEST(turns_upright),
                                       TEST(passes_over_broken_exif),   TEST(refuses_damage),
                                       TEST(refuses_what_is_too_large), TEST(refuses_passes_without_end),
                                       TEST(tells_kinds_by_content)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
