/* SPDX-License-Identifier: MIT */
/* A small pair of IDX files in memory, and gzip. */
#ifndef STOA_TESTS_DATA_IDX_PAIR_H
#define STOA_TESTS_DATA_IDX_PAIR_H

#include <stdint.h>
#include <stoa/data.h>
#include <string.h>

/* zlib then takes its input as const. */
#define ZLIB_CONST
#include <zlib.h>

#include "../base/cmocka_prelude.h"

enum { COUNT = 5, HEIGHT = 3, WIDTH = 4, PIXELS = COUNT * HEIGHT * WIDTH, CLASSES = 10 };

/* The pair, and room behind it for what tests append. */
struct pair {
    uint8_t images[16 + PIXELS + 8];
    size_t images_bytes;
    uint8_t labels[8 + COUNT + 8];
    size_t labels_bytes;
};

static inline void put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static inline struct pair make_pair(void) {
    struct pair pair;
    memset(&pair, 0, sizeof pair);
    put32(pair.images, 0x803);
    put32(pair.images + 4, COUNT);
    put32(pair.images + 8, HEIGHT);
    put32(pair.images + 12, WIDTH);
    for (int i = 0; i < PIXELS; i++) {
        pair.images[16 + i] = (uint8_t)(i * 37 % 256);
    }
    pair.images[16] = 255;
    pair.images_bytes = 16 + PIXELS;
    put32(pair.labels, 0x801);
    put32(pair.labels + 4, COUNT);
    for (int i = 0; i < COUNT; i++) {
        pair.labels[8 + i] = (uint8_t)(9 - i);
    }
    pair.labels_bytes = 8 + COUNT;
    return pair;
}

/* Compress as gzip; returns the number of bytes. */
static inline size_t gzip(const void *data, size_t bytes, uint8_t *out, size_t room) {
    z_stream stream = {.next_in = data, .avail_in = (uInt)bytes, .avail_out = (uInt)room};
    stream.next_out = out;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&stream), Z_OK);
    return room - stream.avail_out;
}

/* Whether the pair was read. */
static inline void check_content(const struct pair *pair, stoa_dataset *dataset) {
    size_t height = 0, width = 0, channels = 0;
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_int_equal(height, HEIGHT);
    assert_int_equal(width, WIDTH);
    assert_int_equal(channels, 1);
    assert_int_equal(stoa_dataset_count(dataset), COUNT);
    assert_int_equal(stoa_dataset_classes(dataset), CLASSES);
    float out[PIXELS + 1];
    int32_t labels[COUNT + 1];
    out[PIXELS] = -3;
    labels[COUNT] = -3;
    stoa_dataset_read(dataset, NULL, 0, COUNT, out, labels);
    for (int i = 0; i < PIXELS; i++) {
        assert_float_equal(out[i], (float)pair->images[16 + i] / 255.0F, 1e-7F);
    }
    assert_true(out[0] == 1.0F && out[PIXELS] == -3.0F);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(labels[i], 9 - i);
    }
    assert_int_equal(labels[COUNT], -3);
}

#endif
