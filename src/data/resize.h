/* SPDX-License-Identifier: MIT */
/* Pictures brought to another size. */
#ifndef STOA_DATA_RESIZE_H
#define STOA_DATA_RESIZE_H

#include <stoa/data.h>

#include "core/context.h"

/* The values of a picture, pixel by pixel: bytes or, where those are NULL, numbers. */
struct stoa_plane {
    size_t height, width, channels;
    uint8_t *bytes;
    float *numbers;
};

/* Bring `from` to the size of `to`, which has as many channels and values of the same type. `how` is another
 * than STOA_RESIZE_NONE. In each direction pixels are averaged by the area that a new pixel covers where the
 * picture shrinks, and blended between the two next centres where it grows; bytes are rounded to the nearest.
 * With STOA_RESIZE_FIT what is left beside the picture is 0. `name` begins the sentence of an error:
 * STOA_ERR_MEMORY. */
stoa_status stoa_resize_picture(stoa_context *context, const char *name, stoa_resize how,
                                const struct stoa_plane *from, const struct stoa_plane *to);

#endif
