/* SPDX-License-Identifier: MIT */
/* Pictures as PNG files in memory, through libpng's simple interface. */
#include "report/picture.h"

#include <png.h>
#include <stdlib.h>

void report_png(struct report_out *out, const unsigned char *pixels, size_t width, size_t height,
                size_t channels) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
    unsigned char *png = report_memory(out, bytes, 1);
    if (png && png_image_write_to_memory(&image, png, &bytes, 0, pixels, 0, NULL)) {
        report_put_bytes(out, (const char *)png, bytes);
    } else {
        out->failed = true;
    }
    png_image_free(&image);
    free(png);
}
