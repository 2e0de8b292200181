/* SPDX-License-Identifier: MIT */
/* A picture of any kind that is read, which its content tells, whatever its name. */
#ifndef STOA_DATA_PICTURE_H
#define STOA_DATA_PICTURE_H

#include "data/codec.h"
#include "data/resize.h"

/* What a file is by its first bytes. */
enum stoa_picture_kind {
    STOA_PICTURE_NONE, /* no picture */
    STOA_PICTURE_READ, /* of a kind that is read */
    STOA_PICTURE_OTHER /* a picture of a kind that is not read */
};

/* An opened picture, its pixels not yet unpacked. */
struct stoa_picture {
    stoa_context *context;
    const char *path;
    size_t height, width; /* upright */
    bool turned;          /* so that they are not those of the file */
    bool colour;
    bool deep;        /* 16 bits a value; otherwise at most 8 */
    bool transparent; /* once unpacked: pixels were laid on black */
    void *file;
    struct stoa_coded coded;
};

/* The kind of a file, and in `name` a word for it where that is known, such as "GIF". Errors:
 * STOA_ERR_NOT_FOUND, STOA_ERR_IO. */
stoa_status stoa_picture_look(stoa_context *context, const char *path, enum stoa_picture_kind *kind,
                              const char **name);

/* Read the file and its header; release with stoa_picture_close(). Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO,
 * STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_picture_open(stoa_context *context, const char *path, struct stoa_picture *picture);
/* The same from memory, which the caller keeps until stoa_picture_close(). */
stoa_status stoa_picture_open_memory(stoa_context *context, const char *path, const void *data, size_t bytes,
                                     struct stoa_picture *picture);

/* Unpack height * width * channels bytes: 1 grey, 2 grey and alpha, 3 red, green and blue. Values are those
 * of the file, turned upright; see struct stoa_codec. Once only, and not after
 * stoa_picture_decode_real(). Errors: STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_picture_decode(struct stoa_picture *picture, size_t channels, uint8_t *out);
/* The same as numbers from 0 to 1: value / 255, or of a deep picture value / 65535. */
stoa_status stoa_picture_decode_real(struct stoa_picture *picture, size_t channels, float *out);

/* Unpack into `to`, brought to its size where that is another; `how` is not STOA_RESIZE_NONE then. Errors: as
 * of stoa_picture_decode(). */
stoa_status stoa_picture_read(struct stoa_picture *picture, stoa_resize how, const struct stoa_plane *to);

void stoa_picture_close(struct stoa_picture *picture);

#endif
