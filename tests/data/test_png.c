/* SPDX-License-Identifier: MIT */
/* The values of PNG pictures are those that the file stores: every colour type, depth and interlacing, with
 * and without transparency, whatever its chunks say of gamma and colour. */
#include <math.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "data/picture.h"
#include "png_writer.h"
#include "scratch_context.h"

enum { MOST = 17 * 13, COLOURS = 256 };

static struct png_writer writer;

/* In the place of the one before, which is removed first: a file that is cut off and written again may be
 * waited for until it is on the disk, thousands of times. */
static const char *save(void) {
    (void)remove(scratch_path(&scratch, "a.png"));
    return scratch_write(&scratch, "a.png", writer.bytes, writer.used);
}

/* Chunks that say how colours are meant, none of which counts: 0 none, 1 linear light, 2 a steep gamma, 3
 * sRGB, and an ICC profile that is none. */
static void add_colour_chunks(int kind) {
    uint8_t gamma[4];
    png_put32(gamma, kind == 2 ? 20000 : 100000);
    if (kind == 1 || kind == 2) {
        png_chunk(&writer, "gAMA", gamma, sizeof gamma);
    }
    if (kind == 3) {
        png_chunk(&writer, "sRGB", "\0", 1);
        png_chunk(&writer, "iCCP", "x\0\0nonsense", 11);
    }
}

/* What a picture of a type and depth means, as the standard says, in doubles: red, green, blue and alpha of a
 * pixel as numbers of 0 to `most`. */
struct meaning {
    unsigned most;
    unsigned rgba[MOST][4];
};

static uint8_t palette[COLOURS][3], palette_alpha[COLOURS];
static uint16_t key[3];

static void explain(const uint16_t *values, bool transparent, struct meaning *meaning) {
    size_t channels = png_channels(writer.type);
    unsigned largest = (1U << writer.depth) - 1;
    meaning->most = writer.depth == 16 ? 65535 : 255;
    for (size_t i = 0; i < (size_t)writer.width * writer.height; i++) {
        const uint16_t *value = values + i * channels;
        unsigned *rgba = meaning->rgba[i];
        bool colour = writer.type == PNG_RGB || writer.type == PNG_RGB_ALPHA;
        bool is_key = transparent;
        for (size_t c = 0; c < 3; c++) {
            uint16_t one = value[colour ? c : 0];
            is_key = is_key && one == key[colour ? c : 0];
            rgba[c] = writer.type == PNG_INDEX ? palette[one][c] : one * meaning->most / largest;
        }
        rgba[3] = writer.type == PNG_INDEX ? (transparent ? palette_alpha[value[0]] : 255)
                  : channels % 2 == 0      ? value[channels - 1]
                  : is_key                 ? 0
                                           : meaning->most;
    }
}

static void write_transparency(void) {
    uint8_t bytes[6];
    if (writer.type == PNG_INDEX) {
        png_chunk(&writer, "tRNS", palette_alpha, (size_t)1 << writer.depth);
        return;
    }
    for (size_t c = 0; c < 3; c++) {
        bytes[2 * c] = (uint8_t)(key[c] >> 8);
        bytes[2 * c + 1] = (uint8_t)key[c];
    }
    png_chunk(&writer, "tRNS", bytes, writer.type == PNG_RGB ? 6 : 2);
}

/* Grey, and colours, on black, may be half a step off from rounding once more or less. */
static void check_real(const char *path, const struct meaning *m) {
    static float grey[MOST], colour[3 * MOST];
    double step = 1.0 / m->most;
    assert_int_equal(stoa_image_read(context, path, writer.height, writer.width, 1, grey), STOA_OK);
    assert_int_equal(stoa_image_read(context, path, writer.height, writer.width, 3, colour), STOA_OK);
    for (size_t i = 0; i < (size_t)writer.width * writer.height; i++) {
        double luma = 0, share = (double)m->rgba[i][3] / m->most;
        static const double weights[] = {0.299, 0.587, 0.114};
        for (size_t c = 0; c < 3; c++) {
            double wanted = m->rgba[i][c] * share;
            luma += weights[c] * wanted;
            assert_true(fabs((double)colour[3 * i + c] * m->most - wanted) <= 0.51);
        }
        if (!(fabs((double)grey[i] - luma * step) <= 1.1 * step)) {
            fail_msg("type %u, depth %u: pixel %zu is %g of %u, expected %g", writer.type, writer.depth, i,
                     (double)grey[i] * m->most, m->most, luma);
        }
    }
}

/* As bytes, with alpha beside the grey: what pictures of digits are made from. */
static void check_bytes(const char *path, const struct meaning *m) {
    static uint8_t pairs[2 * MOST];
    struct stoa_picture png;
    assert_int_equal(stoa_picture_open(context, path, &png), STOA_OK);
    assert_int_equal(png.height, writer.height);
    assert_int_equal(png.width, writer.width);
    assert_int_equal(png.deep, writer.depth == 16);
    assert_int_equal(png.colour, writer.type != PNG_GREY && writer.type != PNG_GREY_ALPHA);
    assert_int_equal(stoa_picture_decode(&png, 2, pairs), STOA_OK);
    for (size_t i = 0; i < (size_t)writer.width * writer.height; i++) {
        const unsigned *rgba = m->rgba[i];
        double luma = (0.299 * rgba[0] + 0.587 * rgba[1] + 0.114 * rgba[2]) * 255 / m->most;
        assert_true(fabs(pairs[2 * i] - luma) <= (m->most == 255 ? 0.51 : 1.01));
        assert_true(fabs(pairs[2 * i + 1] - rgba[3] * 255.0 / m->most) <= 0.51);
    }
    stoa_picture_close(&png);
}

static void check_case(unsigned type, unsigned depth, bool interlaced, bool transparent, int colours,
                       size_t size) {
    static const uint32_t sizes[][2] = {{1, 1}, {3, 2}, {17, 13}};
    static uint16_t values[4 * MOST];
    static struct meaning meaning;
    writer.type = type;
    writer.depth = depth;
    writer.interlaced = interlaced;
    writer.width = sizes[size][0];
    writer.height = sizes[size][1];
    for (size_t i = 0; i < 4 * MOST; i++) {
        values[i] = (uint16_t)((i * 40503U + i / 3 * 977U) >> 3 & ((1U << depth) - 1));
    }
    for (size_t c = 0; c < 3; c++) {
        key[c] = values[c];
    }
    png_begin(&writer);
    add_colour_chunks(colours);
    if (type == PNG_INDEX) {
        png_chunk(&writer, "PLTE", palette, (size_t)3 << depth);
    }
    if (transparent) {
        write_transparency();
    }
    png_finish(&writer, values);
    explain(values, transparent, &meaning);
    check_real(save(), &meaning);
    check_bytes(save(), &meaning);
}

static void reads_stored_values(void **state) {
    (void)state;
    static const struct {
        unsigned type, depths;
    } kinds[] = {{PNG_GREY, 1 | 2 | 4 | 8 | 16},
                 {PNG_RGB, 8 | 16},
                 {PNG_INDEX, 1 | 2 | 4 | 8},
                 {PNG_GREY_ALPHA, 8 | 16},
                 {PNG_RGB_ALPHA, 8 | 16}};
    for (size_t i = 0; i < COLOURS; i++) {
        palette[i][0] = (uint8_t)(i * 73 + 11);
        palette[i][1] = (uint8_t)(i * 151 + 200);
        palette[i][2] = (uint8_t)(255 - i);
        palette_alpha[i] = (uint8_t)(i * 31);
    }
    size_t cases = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (unsigned depth = 1; depth <= 16; depth *= 2) {
            for (unsigned rest = 0; rest < 2 * 2 * 4 * 3 && (kinds[k].depths & depth) != 0; rest++) {
                bool transparent = rest / 2 % 2 != 0;
                if (!transparent || kinds[k].type < PNG_GREY_ALPHA) {
                    check_case(kinds[k].type, depth, rest % 2 != 0, transparent, (int)(rest / 4 % 4),
                               rest / 16);
                    cases++;
                }
            }
        }
    }
    assert_int_equal(cases, 11 * 48 + 4 * 24);
}

/* One pixel, as other programs read it. */
static void expect_grey(unsigned type, unsigned depth, const uint16_t *value, double wanted, double of) {
    float grey = NAN;
    writer = (struct png_writer){.width = 1, .height = 1, .type = type, .depth = depth};
    png_begin(&writer);
    png_finish(&writer, value);
    assert_int_equal(stoa_image_read(context, save(), 1, 1, 1, &grey), STOA_OK);
    if (!(fabs((double)grey * of - wanted) <= 1e-3)) {
        fail_msg("%g of %g, expected %g", (double)grey * of, of, wanted);
    }
}

/* What Pillow's "L" gives, and, on black, its alpha_composite(). */
static void mixes_as_others_do(void **state) {
    (void)state;
    expect_grey(PNG_RGB, 8, (uint16_t[]){255, 0, 0}, 76, 255);
    expect_grey(PNG_RGB, 8, (uint16_t[]){0, 255, 0}, 150, 255);
    expect_grey(PNG_RGB, 8, (uint16_t[]){0, 0, 255}, 29, 255);
    expect_grey(PNG_RGB, 8, (uint16_t[]){255, 255, 255}, 255, 255);
    expect_grey(PNG_RGB, 8, (uint16_t[]){12, 200, 77}, 130, 255);
    expect_grey(PNG_GREY_ALPHA, 8, (uint16_t[]){200, 128}, 100, 255);
    expect_grey(PNG_RGB_ALPHA, 8, (uint16_t[]){255, 0, 0, 128}, 38, 255);
    expect_grey(PNG_GREY, 16, (uint16_t[]){0x8080}, 128, 255);
    expect_grey(PNG_GREY, 16, (uint16_t[]){0x0101}, 1, 255);
    /* All 16 bits count. */
    expect_grey(PNG_GREY, 16, (uint16_t[]){0x1234}, 0x1234, 65535);
    expect_grey(PNG_GREY_ALPHA, 16, (uint16_t[]){65535, 65535}, 65535, 65535);
    expect_grey(PNG_RGB, 16, (uint16_t[]){65535, 0, 0}, 19595, 65535);
}

/* A small file that announces what it cannot hold costs no memory. */
static void refuses_what_no_file_can_hold(void **state) {
    (void)state;
    static const uint16_t pixel[4];
    float out;
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        writer = (struct png_writer){.width = 1, .height = 1, .type = PNG_RGB_ALPHA, .depth = 16};
        png_begin(&writer);
        size_t head = writer.used;
        png_finish(&writer, pixel);
        static uint8_t tail[256];
        size_t tail_bytes = writer.used - head;
        memcpy(tail, writer.bytes + head, tail_bytes);
        writer.width = writer.height = 8192;
        writer.interlaced = interlaced;
        png_begin(&writer);
        memcpy(writer.bytes + writer.used, tail, tail_bytes);
        writer.used += tail_bytes;
        assert_int_equal(stoa_image_read(context, save(), 8192, 8192, 1, &out), STOA_ERR_FORMAT);
        char sentence[200];
        (void)snprintf(sentence, sizeof sentence,
                       "a.png: damaged PNG: 8192x8192 pixels, which its %zu bytes cannot hold", writer.used);
        assert_non_null(strstr(stoa_context_error(context), sentence));
    }
}

/* An interlaced file that ends early or has a bit flipped in its pixels is refused. */
static void refuses_damage(void **state) {
    (void)state;
    static uint16_t values[4 * MOST];
    float out[MOST];
    for (size_t i = 0; i < 4 * MOST; i++) {
        values[i] = (uint16_t)(i * 257);
    }
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        writer = (struct png_writer){
            .width = 17, .height = 13, .type = PNG_RGB_ALPHA, .depth = 16, .interlaced = interlaced};
        png_begin(&writer);
        size_t head = writer.used;
        png_finish(&writer, values);
        size_t whole = writer.used;
        for (writer.used = 0; writer.used < whole - 12; writer.used++) {
            assert_int_equal(stoa_image_read(context, save(), 13, 17, 1, out), STOA_ERR_FORMAT);
        }
        writer.used = whole;
        for (size_t i = head + 8; i < whole - 16; i++) {
            writer.bytes[i] ^= 0x04;
            assert_int_equal(stoa_image_read(context, save(), 13, 17, 1, out), STOA_ERR_FORMAT);
            writer.bytes[i] ^= 0x04;
        }
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(reads_stored_values), TEST(mixes_as_others_do),
                                       TEST(refuses_what_no_file_can_hold), TEST(refuses_damage)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
