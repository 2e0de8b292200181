/* SPDX-License-Identifier: MIT */
/* Writes PNG of every colour type, depth and interlacing from stored values, with any chunks before the
 * pixels. It shares nothing with libpng, so that no interpretation of values creeps in. */
#ifndef STOA_TESTS_DATA_PNG_WRITER_H
#define STOA_TESTS_DATA_PNG_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PNG_GREY = 0, PNG_RGB = 2, PNG_INDEX = 3, PNG_GREY_ALPHA = 4, PNG_RGB_ALPHA = 6 };

struct png_writer {
    uint32_t width, height;
    unsigned type, depth;
    bool interlaced;
    uint8_t bytes[1 << 16]; /* the file */
    size_t used;
};

static inline size_t png_channels(unsigned type) {
    return type == PNG_RGB ? 3 : type == PNG_GREY_ALPHA ? 2 : type == PNG_RGB_ALPHA ? 4 : 1;
}

static inline void png_put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static inline void png_chunk(struct png_writer *w, const char *kind, const void *data, size_t bytes) {
    uint8_t *at = w->bytes + w->used;
    if (w->used + bytes + 12 > sizeof w->bytes) {
        abort();
    }
    png_put32(at, (uint32_t)bytes);
    memcpy(at + 4, kind, 4);
    if (bytes > 0) {
        memcpy(at + 8, data, bytes);
    }
    png_put32(at + 8 + bytes, (uint32_t)crc32(crc32(0, NULL, 0), at + 4, (uInt)bytes + 4));
    w->used += bytes + 12;
}

/* Signature and header; other chunks may follow. */
static inline void png_begin(struct png_writer *w) {
    uint8_t head[13];
    memcpy(w->bytes, "\x89PNG\r\n\x1a\n", 8);
    w->used = 8;
    png_put32(head, w->width);
    png_put32(head + 4, w->height);
    head[8] = (uint8_t)w->depth;
    head[9] = (uint8_t)w->type;
    head[10] = head[11] = 0;
    head[12] = w->interlaced;
    png_chunk(w, "IHDR", head, sizeof head);
}

/* A row of every `step`th pixel from `first` on, behind a filter byte; returns its bytes. */
static inline size_t png_row(const struct png_writer *w, const uint16_t *row, uint32_t first, uint32_t step,
                             uint8_t *out) {
    size_t channels = png_channels(w->type), bit = 8;
    out[0] = 0;
    for (uint32_t x = first; x < w->width; x += step) {
        for (size_t c = 0; c < channels; c++) {
            for (unsigned b = w->depth; b-- > 0; bit++) {
                out[bit / 8] = (uint8_t)(bit % 8 == 0 ? 0 : out[bit / 8]);
                out[bit / 8] |= (uint8_t)((row[x * channels + c] >> b & 1) << (7 - bit % 8));
            }
        }
    }
    return (bit + 7) / 8;
}

/* Pixels as stored values, and the end. */
static inline void png_finish(struct png_writer *w, const uint16_t *values) {
    static const uint8_t passes[8][4] = {{0, 8, 0, 8}, {4, 8, 0, 8}, {0, 4, 4, 8}, {2, 4, 0, 4},
                                         {0, 2, 2, 4}, {1, 2, 0, 2}, {0, 1, 1, 2}, {0, 1, 0, 1}};
    static uint8_t raw[1 << 15], packed[1 << 15];
    size_t used = 0;
    for (int pass = w->interlaced ? 0 : 7; pass < (w->interlaced ? 7 : 8); pass++) {
        const uint8_t *p = passes[pass];
        for (uint32_t y = p[2]; y < w->height && p[0] < w->width; y += p[3]) {
            used += png_row(w, values + (size_t)y * w->width * png_channels(w->type), p[0], p[1], raw + used);
        }
    }
    uLongf bytes = sizeof packed;
    if (used > sizeof raw || compress2(packed, &bytes, raw, (uLong)used, 9) != Z_OK) {
        abort();
    }
    png_chunk(w, "IDAT", packed, bytes);
    png_chunk(w, "IEND", NULL, 0);
}

#endif
