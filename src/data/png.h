/* SPDX-License-Identifier: MIT */
/* PNG pictures as the values that their files store. */
#ifndef STOA_DATA_PNG_H
#define STOA_DATA_PNG_H

#include "core/context.h"
#include "data/pixels.h"

/* An opened picture, its pixels not yet unpacked. */
struct stoa_png {
    stoa_context *context;
    const char *path;
    struct stoa_picture_head head; /* as stored */
    struct stoa_png_reader *reader;
};

/* Whether a file that begins so says that it is a PNG. */
bool stoa_png_is(const void *data, size_t bytes);

/* Read the header of a file in memory, which the caller keeps until stoa_png_close(). Errors:
 * STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_png_open(stoa_context *context, const char *path, const void *data, size_t bytes,
                          struct stoa_png *png);

/* Unpack the pixels, once only. Fewer than 8 bits are spread over 0 to 255, for bytes 16 bits are rounded to
 * 8, palettes are looked up; gamma and colour profiles change nothing. Errors: STOA_ERR_FORMAT,
 * STOA_ERR_MEMORY. */
stoa_status stoa_png_unpack(struct stoa_png *png, struct stoa_pixels *pixels);

void stoa_png_close(struct stoa_png *png);

#endif
