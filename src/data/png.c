/* PNG through libpng's simplified interface, which keeps its messages to itself: nothing reaches stderr. Knows libpng.
 * Floor 6. */
#include "data/png.h"

#include <png.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/size.h"

/* Bounds on what is read: a header may announce far more pixels than its file is worth. */
static const size_t MAX_FILE_BYTES = (size_t)64 << 20;
static const size_t MAX_PIXELS = (size_t)1 << 26;

static stoa_status read_header(struct stoa_png *png, size_t bytes) {
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    png_image *reader = png->reader;
    size_t pixels = 0;
    if (bytes < sizeof signature || png_sig_cmp((png_const_bytep)png->file, 0, sizeof signature) != 0) {
        return stoa_fail(png->context, STOA_ERR_FORMAT, "%s: not a PNG picture", png->path);
    }
    if (!png_image_begin_read_from_memory(reader, png->file, bytes)) {
        return stoa_fail(png->context, STOA_ERR_FORMAT, "%s: damaged PNG: %s", png->path, reader->message);
    }
    if (!stoa_size_mul(reader->height, reader->width, &pixels) || pixels > MAX_PIXELS) {
        return stoa_fail(png->context, STOA_ERR_FORMAT, "%s: %ux%u pixels, at most %zu in all are read",
                         png->path, reader->width, reader->height, MAX_PIXELS);
    }
    png->height = reader->height;
    png->width = reader->width;
    png->colour = (reader->format & PNG_FORMAT_FLAG_COLOR) != 0;
    return STOA_OK;
}

stoa_status stoa_png_open(stoa_context *context, const char *path, struct stoa_png *png) {
    size_t bytes = 0;
    *png = (struct stoa_png){.context = context, .path = path};
    stoa_status status = stoa_file_read(&context->error, path, MAX_FILE_BYTES, &png->file, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    png_image *reader = calloc(1, sizeof *reader);
    if (!reader) {
        stoa_png_close(png);
        return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory to unpack it", path);
    }
    reader->version = PNG_IMAGE_VERSION;
    png->reader = reader;
    status = read_header(png, bytes);
    if (status != STOA_OK) {
        stoa_png_close(png);
    }
    return status;
}

stoa_status stoa_png_decode(struct stoa_png *png, size_t channels, uint8_t *out) {
    static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB};
    const png_color black = {0, 0, 0};
    png_image *reader = png->reader;
    reader->format = formats[channels];
    if (!png_image_finish_read(reader, channels == 2 ? NULL : &black, out, 0, NULL)) {
        return stoa_fail(png->context, STOA_ERR_FORMAT, "%s: damaged PNG: %s", png->path, reader->message);
    }
    return STOA_OK;
}

void stoa_png_close(struct stoa_png *png) {
    if (png->reader) {
        png_image_free(png->reader);
    }
    free(png->reader);
    free(png->file);
    png->reader = NULL;
    png->file = NULL;
}
