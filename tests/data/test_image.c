/* SPDX-License-Identifier: MIT */
/* Pictures of digits: every kind of PNG of the same drawing gives the same digit; what is no picture is
 * refused. */
#include <math.h>
#include <png.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "scratch_context.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE };

/* A drawing with 20 x 12 ink in a field of 28 x 28, not symmetric, with soft edges; its centre of mass lies
 * where MNIST has it. */
static void draw(uint8_t grey[PIXELS]) {
    memset(grey, 0, PIXELS);
    for (int y = 4; y < 24; y++) {
        for (int x = 8; x < 20; x++) {
            bool ring = y < 7 || y > 18 || x < 10 || x > 15;
            grey[y * SIDE + x] = ring ? 255 : 0;
        }
    }
    grey[4 * SIDE + 8] = 90;
    grey[23 * SIDE + 19] = 60;
    grey[10 * SIDE + 12] = 120;
}

static const char *write_png(const char *name, png_uint_32 width, png_uint_32 height, png_uint_32 format,
                             const void *pixels) {
    const char *path = scratch_path(&scratch, name);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = format};
    assert_true(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    return path;
}

/* The drawing enlarged `scale` times on a canvas with margins, in a format of 1 to 4 bytes a pixel. */
struct canvas {
    int scale, top, left, height, width;
    int channels; /* 1 grey, 3 colour, 4 colour with transparency */
    bool dark_ink;
    bool cut_out; /* transparent paper */
    int paper;    /* grey of the paper, where it is opaque; -1: white or black */
};

static const char *write_canvas(const char *name, const struct canvas *canvas) {
    static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, 0, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};
    uint8_t grey[PIXELS];
    draw(grey);
    uint8_t *pixels = calloc((size_t)canvas->height * (size_t)canvas->width, (size_t)canvas->channels);
    assert_non_null(pixels);
    int paper = canvas->paper >= 0 ? canvas->paper : canvas->dark_ink ? 255 : 0;
    int full = canvas->dark_ink ? 0 : 255;
    for (int y = 0; y < canvas->height; y++) {
        for (int x = 0; x < canvas->width; x++) {
            int v = y >= canvas->top ? (y - canvas->top) / canvas->scale : SIDE;
            int u = x >= canvas->left ? (x - canvas->left) / canvas->scale : SIDE;
            int ink = u < SIDE && v < SIDE ? grey[v * SIDE + u] : 0;
            uint8_t *pixel = pixels + (y * canvas->width + x) * canvas->channels;
            int value = canvas->cut_out ? full : paper + (full - paper) * ink / 255;
            for (int c = 0; c < (canvas->channels < 3 ? 1 : 3); c++) {
                pixel[c] = (uint8_t)value;
            }
            if (canvas->channels == 4) {
                pixel[3] = (uint8_t)(canvas->cut_out ? ink : 255);
            }
        }
    }
    const char *path = write_png(name, (png_uint_32)canvas->width, (png_uint_32)canvas->height,
                                 formats[canvas->channels], pixels);
    free(pixels);
    return path;
}

static void expect_digit(const char *path, double tolerance) {
    uint8_t grey[PIXELS];
    float out[PIXELS + 1];
    draw(grey);
    for (int i = 0; i <= PIXELS; i++) {
        out[i] = NAN;
    }
    stoa_status status = stoa_image_read_digit(context, path, SIDE, SIDE, out);
    if (status != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_true(isnan(out[PIXELS]));
    for (int i = 0; i < PIXELS; i++) {
        if (!(fabs((double)out[i] - grey[i] / 255.0) <= tolerance)) {
            fail_msg("%s: pixel %d,%d is %g, expected %g", path, i / SIDE, i % SIDE, (double)out[i],
                     grey[i] / 255.0);
        }
    }
}

/* A picture that already is as MNIST has it comes out as it is. */
static void keeps_what_is_right(void **state) {
    (void)state;
    const struct canvas canvas = {.scale = 1, .height = SIDE, .width = SIDE, .channels = 1, .paper = -1};
    expect_digit(write_canvas("a.png", &canvas), 1e-6);
}

static void reads_every_kind(void **state) {
    (void)state;
    for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
        for (int dark = 0; dark < 2; dark++) {
            for (int cut_out = 0; cut_out < (channels == 4 ? 2 : 1); cut_out++) {
                struct canvas canvas = {.scale = 7,
                                        .top = 31,
                                        .left = 3,
                                        .height = 240,
                                        .width = 333,
                                        .paper = -1,
                                        .channels = channels,
                                        .dark_ink = dark,
                                        .cut_out = cut_out};
                expect_digit(write_canvas("a.png", &canvas), 0.01);
            }
        }
    }
}

/* Grey paper, on which black and white may both be ink. */
static void reads_grey_paper(void **state) {
    (void)state;
    for (int dark = 0; dark < 2; dark++) {
        struct canvas canvas = {.scale = 4,
                                .top = 2,
                                .left = 40,
                                .height = 130,
                                .width = 200,
                                .channels = 3,
                                .paper = 128,
                                .dark_ink = dark};
        expect_digit(write_canvas("a.png", &canvas), 0.02);
    }
}

/* Noise on paper is no ink: the box stays the digit's. */
static void passes_over_noise(void **state) {
    (void)state;
    enum { WIDTH = 84 };
    static uint8_t pixels[WIDTH * WIDTH];
    uint8_t grey[PIXELS];
    draw(grey);
    for (int i = 0; i < WIDTH * WIDTH; i++) {
        int ink = grey[i / WIDTH / 3 * SIDE + i % WIDTH / 3];
        pixels[i] = (uint8_t)(255 - (ink > 20 ? ink : (i * 7919 >> 3) % 20));
    }
    expect_digit(write_png("a.png", WIDTH, WIDTH, PNG_FORMAT_GRAY, pixels), 0.05);
}

/* Other sizes than 28: the ink takes 20/28 of the smaller side and lies in the middle. */
static void scales_to_other_sizes(void **state) {
    (void)state;
    static const uint8_t square[3 * 3] = {255, 255, 255, 255, 0, 255, 255, 255, 255};
    const char *path = write_png("a.png", 3, 3, PNG_FORMAT_GRAY, square);
    float out[14 * 32];
    assert_int_equal(stoa_image_read_digit(context, path, 14, 32, out), STOA_OK);
    for (int y = 0; y < 14; y++) {
        for (int x = 0; x < 32; x++) {
            bool inside = y >= 3 && y < 13 && x >= 12 && x < 22;
            if (!(out[y * 32 + x] == (inside ? 1.0F : 0.0F))) {
                fail_msg("pixel %d,%d is %g", y, x, (double)out[y * 32 + x]);
            }
        }
    }
    /* 20/28 of 30 is 21.4: whole pixels within it. */
    float thirty[30 * 30];
    assert_int_equal(stoa_image_read_digit(context, path, 30, 30, thirty), STOA_OK);
    for (int i = 0; i < 30 * 30; i++) {
        bool inside = i / 30 >= 5 && i / 30 < 26 && i % 30 >= 5 && i % 30 < 26;
        assert_true(thirty[i] == (inside ? 1.0F : 0.0F));
    }
    float one = NAN;
    assert_int_equal(stoa_image_read_digit(context, path, 1, 1, &one), STOA_OK);
    assert_true(one == 1.0F);
    assert_int_equal(stoa_image_read_digit(context, path, 0, 28, &one), STOA_ERR_ARGUMENT);
}

/* 30 rows or columns onto 20: every output pixel is the mean of one and a half of them. */
static void averages_over_areas(void **state) {
    (void)state;
    enum { WIDTH = 50, INK = 30 };
    for (int across = 0; across < 2; across++) {
        static uint8_t pixels[WIDTH * WIDTH];
        memset(pixels, 0, sizeof pixels);
        int levels[INK];
        for (int i = 0; i < INK; i++) {
            levels[i] = 40 + i * 61 % 200;
            for (int j = 0; j < INK; j++) {
                pixels[(8 + (across ? j : i)) * WIDTH + 5 + (across ? i : j)] = (uint8_t)levels[i];
            }
        }
        double expected[20], largest = 0, sum = 0, moment = 0;
        for (int i = 0; i < 20; i++) {
            /* Even: a whole one and the first half of the next; odd: the other half and a whole one. */
            const int *level = levels + i / 2 * 3;
            expected[i] = i % 2 == 0 ? (level[0] + 0.5 * level[1]) / 1.5 : (0.5 * level[1] + level[2]) / 1.5;
            largest = fmax(largest, expected[i]);
            sum += expected[i];
            moment += i * expected[i];
        }
        int start = (int)round(SIDE / 2.0 - moment / sum);
        int other = (int)round(SIDE / 2.0 - 9.5);
        float out[PIXELS];
        const char *path = write_png("a.png", WIDTH, WIDTH, PNG_FORMAT_GRAY, pixels);
        assert_int_equal(stoa_image_read_digit(context, path, SIDE, SIDE, out), STOA_OK);
        for (int i = 0; i < 20; i++) {
            int at = across ? (other + 10) * SIDE + start + i : (start + i) * SIDE + other + 10;
            assert_true(fabs((double)out[at] - expected[i] / largest) < 1e-5);
        }
    }
}

/* A long thin stroke keeps at least a pixel of width. */
static void keeps_thin_strokes(void **state) {
    (void)state;
    static uint8_t pixels[600 * 20];
    memset(pixels, 255, sizeof pixels);
    for (int y = 10; y < 590; y++) {
        pixels[y * 20 + 9] = 0;
    }
    float out[PIXELS];
    const char *path = write_png("a.png", 20, 600, PNG_FORMAT_GRAY, pixels);
    assert_int_equal(stoa_image_read_digit(context, path, SIDE, SIDE, out), STOA_OK);
    double sum = 0;
    for (int i = 0; i < PIXELS; i++) {
        sum += (double)out[i];
    }
    assert_true(fabs(sum - 20) < 1e-4);
}

static void expect_failure(const char *path, stoa_status status, const char *rest) {
    float out[PIXELS];
    out[0] = -9;
    stoa_status got = stoa_image_read_digit(context, path, SIDE, SIDE, out);
    char sentence[600];
    (void)snprintf(sentence, sizeof sentence, "%s: %s", path, rest);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_int_equal(got, status);
    assert_true(out[0] == -9.0F);
}

static void refuses_blank_pictures(void **state) {
    (void)state;
    static uint8_t pixels[40 * 40 * 4];
    const char *path = write_png("a.png", 40, 40, PNG_FORMAT_GRAY, pixels);
    expect_failure(path, STOA_ERR_FORMAT, "no ink found: all of its 40x40 pixels look alike");
    path = write_png("a.png", 40, 40, PNG_FORMAT_RGBA, pixels);
    expect_failure(path, STOA_ERR_FORMAT, "no ink found: all of its 40x40 pixels look alike");
    memset(pixels, 200, sizeof pixels);
    pixels[820] = 210;
    path = write_png("a.png", 40, 40, PNG_FORMAT_GRAY, pixels);
    expect_failure(path, STOA_ERR_FORMAT, "no ink found: all of its 40x40 pixels look alike");
    path = write_png("a.png", 1, 1, PNG_FORMAT_RGB, pixels);
    expect_failure(path, STOA_ERR_FORMAT, "no ink found: all of its 1x1 pixels look alike");
}

static void refuses_what_is_no_picture(void **state) {
    (void)state;
    const char *missing = scratch_path(&scratch, "none.png");
    expect_failure(missing, STOA_ERR_NOT_FOUND, "cannot open: No such file or directory");
    expect_failure(scratch.folder, STOA_ERR_IO, "is a folder, expected a file");
    expect_failure(scratch_write(&scratch, "e.png", "", 0), STOA_ERR_FORMAT,
                   "is empty, expected a PNG or JPEG picture");
    expect_failure(scratch_write(&scratch, "t.png", "text and so on", 14), STOA_ERR_FORMAT,
                   "is no picture, expected a PNG or JPEG picture");
    expect_failure(scratch_write(&scratch, "g.png", "GIF89a", 6), STOA_ERR_FORMAT,
                   "is a picture of the kind GIF, expected a PNG or JPEG picture");
    expect_failure(scratch_write(&scratch, "t.png", "\xFF\xD8\xFF JFIF and so on", 16), STOA_ERR_FORMAT,
                   "damaged JPEG: Unsupported marker type 0x20");
}

/* A file that ends early, at any byte, is refused, and nothing is printed to stderr. */
static void refuses_truncated_pictures(void **state) {
    (void)state;
    const struct canvas canvas = {.scale = 1, .height = SIDE, .width = SIDE, .channels = 3, .paper = -1};
    const char *path = write_canvas("a.png", &canvas);
    char data[4096];
    FILE *file = fopen(path, "rb");
    size_t bytes = fread(data, 1, sizeof data, file);
    (void)fclose(file);
    char *errors = NULL;
    size_t errors_bytes = 0;
    FILE *before = stderr, *captured = open_memstream(&errors, &errors_bytes);
    stderr = captured;
    /* The last 12 bytes are the empty end chunk: with it missing the picture is whole. */
    for (size_t cut = 0; cut + 12 < bytes; cut++) {
        float out[PIXELS];
        path = scratch_write(&scratch, "b.png", data, cut);
        if (stoa_image_read_digit(context, path, SIDE, SIDE, out) != STOA_ERR_FORMAT) {
            stderr = before;
            fail_msg("%zu of %zu bytes were taken for a picture", cut, bytes);
        }
    }
    data[60] ^= 0x10;
    float out[PIXELS];
    path = scratch_write(&scratch, "b.png", data, bytes);
    stoa_status status = stoa_image_read_digit(context, path, SIDE, SIDE, out);
    stderr = before;
    (void)fclose(captured);
    assert_int_equal(status, STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context), "/b.png: damaged PNG: "));
    assert_int_equal(errors_bytes, 0);
    free(errors);
}

/* A header that announces a huge picture: refused before memory is taken. */
static void refuses_huge_headers(void **state) {
    (void)state;
    uint8_t data[45] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n', 0, 0, 0, 13, 'I',
                        'H',  'D', 'R', 0,   1,    0,    0,    0,    1, 0, 0, 8};
    static const uint8_t type[4] = {'I', 'D', 'A', 'T'};
    memcpy(data + 37, type, sizeof type);
    for (int round = 0; round < 2; round++) {
        unsigned long check = 0xFFFFFFFFUL;
        for (int i = 12; i < 29; i++) {
            check ^= data[i];
            for (int bit = 0; bit < 8; bit++) {
                check = check & 1 ? check >> 1 ^ 0xEDB88320UL : check >> 1;
            }
        }
        check ^= 0xFFFFFFFFUL;
        for (int i = 0; i < 4; i++) {
            data[29 + i] = (uint8_t)(check >> (24 - 8 * i));
        }
        const char *path = scratch_write(&scratch, "h.png", data, sizeof data);
        if (round == 0) {
            expect_failure(path, STOA_ERR_FORMAT, "65536x65536 pixels, at most 67108864 in all are read");
        } else {
            float out[PIXELS];
            assert_int_equal(stoa_image_read_digit(context, path, SIDE, SIDE, out), STOA_ERR_FORMAT);
            assert_non_null(strstr(stoa_context_error(context), "/h.png: damaged PNG: "));
        }
        data[16] = 0x7F; /* two thousand million wide */
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keeps_what_is_right),        TEST(reads_every_kind),       TEST(reads_grey_paper),
        TEST(passes_over_noise),          TEST(scales_to_other_sizes),  TEST(averages_over_areas),
        TEST(keeps_thin_strokes),         TEST(refuses_blank_pictures), TEST(refuses_what_is_no_picture),
        TEST(refuses_truncated_pictures), TEST(refuses_huge_headers),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
