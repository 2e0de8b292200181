/* SPDX-License-Identifier: MIT */
/* What each kind of picture's files is read by: one file a kind, over that kind's library. */
#ifndef STOA_DATA_CODEC_H
#define STOA_DATA_CODEC_H

#include "core/context.h"
#include "data/pixels.h"

/* An opened picture, its pixels not yet unpacked. */
struct stoa_coded {
    const struct stoa_codec *codec;
    stoa_context *context;
    const char *path;
    struct stoa_picture_head head; /* as stored */
    void *reader;                  /* the codec's own state, of reader_bytes */
};

struct stoa_codec {
    const char *name; /* "PNG" */
    size_t reader_bytes;

    /* Whether a file that begins so says that it is of this kind. */
    bool (*is)(const void *data, size_t bytes);

    /* Read the header of a file in memory, which the caller keeps until the release, into coded->head. The
     * reader is all zeros before. Errors: STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
    stoa_status (*read_header)(struct stoa_coded *coded, const void *data, size_t bytes);

    /* Unpack the pixels, once only. Fewer than 8 bits are spread over 0 to 255, for bytes 16 bits are rounded
     * to 8, palettes are looked up; gamma and colour profiles change nothing. A picture that ends early or
     * whose data are damaged is refused, though what is left of it could be shown. The same errors. */
    stoa_status (*unpack)(struct stoa_coded *coded, struct stoa_pixels *pixels);

    /* Release what the reader holds, whatever has failed before. */
    void (*release)(void *reader);
};

extern const struct stoa_codec stoa_codec_png;
extern const struct stoa_codec
    stoa_codec_jpeg; /* baseline, progressive and arithmetic; grey, colour, inks (CMYK) */

/* The codec of a file that begins so; NULL: none is. */
const struct stoa_codec *stoa_codec_of(const void *data, size_t bytes);

/* Read the header of a file in memory, which the caller keeps until stoa_codec_close(). Errors:
 * STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_codec_open(const struct stoa_codec *codec, stoa_context *context, const char *path,
                            const void *data, size_t bytes, struct stoa_coded *coded);
/* Also of one that is all zeros. */
void stoa_codec_close(struct stoa_coded *coded);

/* The sentences that all kinds share: pictures of too many pixels, and damage. */
stoa_status stoa_codec_fail_size(const struct stoa_coded *coded);
stoa_status stoa_codec_fail_bytes(const struct stoa_coded *coded, size_t bytes);
stoa_status stoa_codec_fail(const struct stoa_coded *coded, bool no_memory, const char *message);

#endif
