/* SPDX-License-Identifier: MIT */
/* PNG through libpng's rows: its simplified interface would bring values to another gamma and mix colours in
 * linear light. Only what libpng unpacks is used of it; grey and transparency are mixed here. Its messages
 * stay here too: nothing reaches stderr. Knows libpng. */
#include "data/png.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/size.h"

/* Bounds on what is read: a header may announce far more pixels than its file is worth. */
static const size_t MAX_FILE_BYTES = (size_t)64 << 20;
static const size_t MAX_PIXELS = (size_t)1 << 26;

/* Deflate makes at most 1032 bytes out of one. */
enum { MAX_RATIO = 1032 };

/* libpng's state, and what has to outlive its jumps. */
struct stoa_png_reader {
    png_structp png;
    png_infop info;
    const uint8_t *next;
    size_t left;
    uint8_t *rows; /* unpacked: one row, or of an interlaced picture all */
    bool no_memory;
    char message[96];
};

/* ---- what libpng calls ---- */

static void on_error(png_structp png, png_const_charp message) {
    struct stoa_png_reader *reader = png_get_error_ptr(png);
    size_t length = 0;
    for (; message[length] && length + 1 < sizeof reader->message; length++) {
        reader->message[length] = message[length];
    }
    reader->message[length] = '\0';
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static png_voidp allocate(png_structp png, png_alloc_size_t bytes) {
    struct stoa_png_reader *reader = png_get_mem_ptr(png);
    void *memory = malloc(bytes);
    reader->no_memory = reader->no_memory || !memory;
    return memory;
}

static void release(png_structp png, png_voidp memory) {
    (void)png;
    free(memory);
}

static void read_bytes(png_structp png, png_bytep out, size_t bytes) {
    struct stoa_png_reader *reader = png_get_io_ptr(png);
    if (bytes > reader->left) {
        png_error(png, "the file ends too early");
    }
    for (size_t i = 0; i < bytes; i++) {
        out[i] = reader->next[i];
    }
    reader->next += bytes;
    reader->left -= bytes;
}

/* ---- what may jump: false then, with the message set ---- */

/* Read up to the pixels. All that is not needed to unpack them is passed over. */
static bool read_info(struct stoa_png_reader *reader) {
    if (setjmp(png_jmpbuf(reader->png))) {
        return false;
    }
    png_set_read_fn(reader->png, reader, read_bytes);
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(reader->png, reader->info);
    return true;
}

/* Let rows have whole bytes: grey or colours, with or without alpha, of 8 bits or, if wanted, of 16. */
static bool choose_rows(struct stoa_png_reader *reader, bool eight_bits) {
    if (setjmp(png_jmpbuf(reader->png))) {
        return false;
    }
    png_set_expand(reader->png);
    if (eight_bits) {
        png_set_scale_16(reader->png);
    }
    (void)png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    return true;
}

/* One row, or all with `rows` pointers. */
static bool read_rows(struct stoa_png_reader *reader, png_bytepp rows) {
    if (setjmp(png_jmpbuf(reader->png))) {
        return false;
    }
    if (rows) {
        png_read_image(reader->png, rows);
    } else {
        png_read_row(reader->png, reader->rows, NULL);
    }
    return true;
}

/* ---- opening ---- */

static stoa_status fail(const struct stoa_png *png) {
    const struct stoa_png_reader *reader = png->reader;
    return reader->no_memory
               ? stoa_fail(png->context, STOA_ERR_MEMORY, "%s: no memory to unpack it", png->path)
               : stoa_fail(png->context, STOA_ERR_FORMAT, "%s: damaged PNG: %s", png->path, reader->message);
}

static stoa_status check_size(const struct stoa_png *png, size_t bytes) {
    size_t pixels = 0;
    if (!stoa_size_mul(png->height, png->width, &pixels) || pixels > MAX_PIXELS) {
        return stoa_fail(png->context, STOA_ERR_FORMAT, "%s: %zux%zu pixels, at most %zu in all are read",
                         png->path, png->height, png->width, MAX_PIXELS);
    }
    size_t row_bytes = png_get_rowbytes(png->reader->png, png->reader->info);
    if (png->height * row_bytes / MAX_RATIO > bytes) {
        return stoa_fail(png->context, STOA_ERR_FORMAT,
                         "%s: damaged PNG: %zux%zu pixels, which its %zu bytes cannot hold", png->path,
                         png->height, png->width, bytes);
    }
    return STOA_OK;
}

static stoa_status read_header(struct stoa_png *png, const void *data, size_t bytes) {
    struct stoa_png_reader *reader = png->reader;
    if (bytes < 8 || png_sig_cmp(data, 0, 8) != 0) {
        return stoa_fail(png->context, STOA_ERR_FORMAT, "%s: not a PNG picture", png->path);
    }
    reader->next = data;
    reader->left = bytes;
    reader->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning, reader,
                                           allocate, release);
    reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
    reader->no_memory = reader->no_memory || !reader->info;
    if (reader->no_memory || !read_info(reader) || reader->no_memory) {
        return fail(png);
    }
    png->height = png_get_image_height(reader->png, reader->info);
    png->width = png_get_image_width(reader->png, reader->info);
    png->colour = (png_get_color_type(reader->png, reader->info) & PNG_COLOR_MASK_COLOR) != 0;
    png->deep = png_get_bit_depth(reader->png, reader->info) == 16;
    return check_size(png, bytes);
}

stoa_status stoa_png_open_memory(stoa_context *context, const char *path, const void *data, size_t bytes,
                                 struct stoa_png *png) {
    *png = (struct stoa_png){.context = context, .path = path};
    png->reader = calloc(1, sizeof *png->reader);
    stoa_status status = png->reader
                             ? read_header(png, data, bytes)
                             : stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory to unpack it", path);
    if (status != STOA_OK) {
        stoa_png_close(png);
    }
    return status;
}

stoa_status stoa_png_open(stoa_context *context, const char *path, struct stoa_png *png) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, MAX_FILE_BYTES, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_png_open_memory(context, path, data, bytes, png);
    if (status != STOA_OK) {
        free(data);
        return status;
    }
    png->file = data;
    return STOA_OK;
}

void stoa_png_close(struct stoa_png *png) {
    if (png->reader) {
        png_destroy_read_struct(&png->reader->png, &png->reader->info, NULL);
        free(png->reader->rows);
    }
    free(png->reader);
    free(png->file);
    png->reader = NULL;
    png->file = NULL;
}

/* ---- pixels ---- */

/* From libpng's rows to the caller's values. */
struct conversion {
    size_t width;
    size_t from, to; /* channels */
    bool deep;       /* of the row: two bytes a value, the higher one first */
    uint8_t *bytes;  /* where the values go, or */
    float *numbers;
};

static uint32_t value_at(const struct conversion *c, const uint8_t *row, size_t at) {
    return c->deep ? (uint32_t)row[2 * at] << 8 | row[2 * at + 1] : row[at];
}

static void put(const struct conversion *c, size_t at, uint32_t value) {
    if (c->bytes) {
        c->bytes[at] = (uint8_t)value;
    } else {
        c->numbers[at] = (float)value / (c->deep ? 65535.0F : 255.0F);
    }
}

/* ITU-R BT.601 in 16 bits of fraction, to the nearest; the weights' sum is 1, so that grey stays what it
 * is. */
static uint32_t luma(const uint32_t colour[3]) {
    return (19595 * colour[0] + 38470 * colour[1] + 7471 * colour[2] + 0x8000) >> 16;
}

/* One pixel: of products with 65535 all fit 32 bits. */
static void convert_pixel(const struct conversion *c, const uint8_t *row, size_t from, size_t to) {
    uint32_t most = c->deep ? 65535 : 255, colour[3];
    uint32_t alpha = c->from % 2 == 0 ? value_at(c, row, from + c->from - 1) : most;
    for (size_t i = 0; i < 3; i++) {
        colour[i] = value_at(c, row, c->from > 2 ? from + i : from);
        if (c->to != 2 && alpha != most) {
            colour[i] = (colour[i] * alpha + most / 2) / most;
        }
    }
    if (c->to == 3) {
        for (size_t i = 0; i < 3; i++) {
            put(c, to + i, colour[i]);
        }
        return;
    }
    put(c, to, luma(colour));
    if (c->to == 2) {
        put(c, to + 1, alpha);
    }
}

static void convert_row(const struct conversion *c, const uint8_t *row, size_t number) {
    for (size_t x = 0; x < c->width; x++) {
        convert_pixel(c, row, x * c->from, (number * c->width + x) * c->to);
    }
}

/* The passes of an interlaced picture each add to all rows. */
static bool convert_interlaced(const struct stoa_png *png, const struct conversion *c, size_t row_bytes) {
    png_bytepp rows = malloc(png->height * sizeof *rows);
    png->reader->no_memory = !rows;
    for (size_t y = 0; rows && y < png->height; y++) {
        rows[y] = png->reader->rows + y * row_bytes;
    }
    bool good = rows && read_rows(png->reader, rows);
    for (size_t y = 0; good && y < png->height; y++) {
        convert_row(c, rows[y], y);
    }
    free(rows);
    return good;
}

static bool convert_rows(const struct stoa_png *png, const struct conversion *c) {
    bool good = true;
    for (size_t y = 0; good && y < png->height; y++) {
        good = read_rows(png->reader, NULL);
        if (good) {
            convert_row(c, png->reader->rows, y);
        }
    }
    return good;
}

static stoa_status decode(const struct stoa_png *png, struct conversion *c) {
    struct stoa_png_reader *reader = png->reader;
    if (!choose_rows(reader, c->bytes != NULL)) {
        return fail(png);
    }
    c->width = png->width;
    c->from = png_get_channels(reader->png, reader->info);
    c->deep = png_get_bit_depth(reader->png, reader->info) == 16;
    /* At most 8 bytes for each of MAX_PIXELS. */
    size_t row_bytes = png_get_rowbytes(reader->png, reader->info);
    bool interlaced = png_get_interlace_type(reader->png, reader->info) != PNG_INTERLACE_NONE;
    reader->rows = calloc(interlaced ? png->height : 1, row_bytes);
    reader->no_memory = !reader->rows;
    bool good = reader->rows && (interlaced ? convert_interlaced(png, c, row_bytes) : convert_rows(png, c)) &&
                !reader->no_memory;
    return good ? STOA_OK : fail(png);
}

stoa_status stoa_png_decode(struct stoa_png *png, size_t channels, uint8_t *out) {
    return decode(png, &(struct conversion){.to = channels, .bytes = out});
}

stoa_status stoa_png_decode_real(struct stoa_png *png, size_t channels, float *out) {
    return decode(png, &(struct conversion){.to = channels, .numbers = out});
}
