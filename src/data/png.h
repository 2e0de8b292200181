/* PNG pictures as bytes. Floor 6. */
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
    void *file;
    void *reader; /* libpng's */
};

/* Read the file and its header; release with stoa_png_close(). Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO,
 * STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_png_open(stoa_context *context, const char *path, struct stoa_png *png);

/* Unpack height * width * channels bytes: 1 grey, 2 grey and alpha, 3 red, green and blue. Without alpha, transparent
 * pixels go on black. Once only. Errors: STOA_ERR_FORMAT. */
stoa_status stoa_png_decode(struct stoa_png *png, size_t channels, uint8_t *out);

void stoa_png_close(struct stoa_png *png);

#endif
