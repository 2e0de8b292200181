/* SPDX-License-Identifier: MIT */
/* JPEG pictures: baseline, progressive and arithmetic, grey, in colour or with inks (CMYK). */
#ifndef STOA_DATA_JPEG_H
#define STOA_DATA_JPEG_H

#include "core/context.h"
#include "data/pixels.h"

/* An opened picture, its pixels not yet unpacked. */
struct stoa_jpeg {
    stoa_context *context;
    const char *path;
    struct stoa_picture_head head; /* as stored */
    struct stoa_jpeg_reader *reader;
};

/* Whether a file that begins so says that it is a JPEG. */
bool stoa_jpeg_is(const void *data, size_t bytes);

/* Read the header of a file in memory, which the caller keeps until stoa_jpeg_close(). Errors:
 * STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_jpeg_open(stoa_context *context, const char *path, const void *data, size_t bytes,
                           struct stoa_jpeg *jpeg);

/* Unpack the pixels, once only. A picture that ends early or whose data are damaged is refused, though what
 * is left of it could be shown. Errors: STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_jpeg_unpack(struct stoa_jpeg *jpeg, struct stoa_pixels *pixels);

void stoa_jpeg_close(struct stoa_jpeg *jpeg);

#endif
