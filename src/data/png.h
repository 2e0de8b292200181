/* SPDX-License-Identifier: MIT */
/* PNG pictures as the values that their files store. */
#ifndef STOA_DATA_PNG_H
#define STOA_DATA_PNG_H

#include <stdbool.h>

#include "core/context.h"

/* An opened picture, its pixels not yet unpacked. */
struct stoa_png {
    stoa_context *context;
    const char *path;
    size_t height, width;
    bool colour;
    bool deep; /* 16 bits a value; otherwise at most 8 */
    void *file;
    struct stoa_png_reader *reader;
};

/* Read the file and its header; release with stoa_png_close(). Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO,
 * STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_png_open(stoa_context *context, const char *path, struct stoa_png *png);
/* The same from memory, which the caller keeps until stoa_png_close(). */
stoa_status stoa_png_open_memory(stoa_context *context, const char *path, const void *data, size_t bytes,
                                 struct stoa_png *png);

/* Unpack height * width * channels bytes: 1 grey, 2 grey and alpha, 3 red, green and blue. Values are those
 * of the file: fewer than 8 bits are spread over 0 to 255, 16 bits rounded to 8, palettes looked up; gamma
 * and colour profiles change nothing. Grey is ITU-R BT.601 luma, rounded. Without alpha, pixels go on black.
 * Once only, and not after stoa_png_decode_real(). Errors: STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_png_decode(struct stoa_png *png, size_t channels, uint8_t *out);
/* The same as numbers from 0 to 1: value / 255, or of a deep picture value / 65535. */
stoa_status stoa_png_decode_real(struct stoa_png *png, size_t channels, float *out);

void stoa_png_close(struct stoa_png *png);

#endif
