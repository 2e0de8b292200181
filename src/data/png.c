/* SPDX-License-Identifier: MIT */
/* PNG through libpng's rows: its simplified interface would bring values to another gamma and mix colours in
 * linear light. Only what libpng unpacks is used of it. Its messages stay here: nothing reaches stderr. Knows
 * libpng. */
#include "data/codec.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

#include "base/size.h"
#include "data/exif.h"

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

static void free_memory(png_structp png, png_voidp memory) {
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

static stoa_status fail(const struct stoa_coded *coded) {
    const struct stoa_png_reader *reader = coded->reader;
    return stoa_codec_fail(coded, reader->no_memory, reader->message);
}

static stoa_status check_size(const struct stoa_coded *coded, size_t bytes) {
    const struct stoa_png_reader *reader = coded->reader;
    if (!stoa_picture_fits(&coded->head)) {
        return stoa_codec_fail_size(coded);
    }
    size_t row_bytes = png_get_rowbytes(reader->png, reader->info);
    return coded->head.height * row_bytes / MAX_RATIO > bytes ? stoa_codec_fail_bytes(coded, bytes) : STOA_OK;
}

#ifdef PNG_eXIf_SUPPORTED
static unsigned find_turn(const struct stoa_png_reader *reader) {
    png_uint_32 bytes = 0;
    png_bytep exif = NULL;
    return png_get_eXIf_1(reader->png, reader->info, &bytes, &exif) ? stoa_exif_turn(exif, bytes)
                                                                    : STOA_UPRIGHT;
}
#else
static unsigned find_turn(const struct stoa_png_reader *reader) {
    (void)reader;
    return STOA_UPRIGHT;
}
#endif

static bool is_png(const void *data, size_t bytes) {
    return bytes >= 8 && png_sig_cmp(data, 0, 8) == 0;
}

static stoa_status read_header(struct stoa_coded *coded, const void *data, size_t bytes) {
    struct stoa_png_reader *reader = coded->reader;
    reader->next = data;
    reader->left = bytes;
    reader->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning, reader,
                                           allocate, free_memory);
    reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
    reader->no_memory = reader->no_memory || !reader->info;
    if (reader->no_memory || !read_info(reader) || reader->no_memory) {
        return fail(coded);
    }
    coded->head = (struct stoa_picture_head){
        .height = png_get_image_height(reader->png, reader->info),
        .width = png_get_image_width(reader->png, reader->info),
        .turn = find_turn(reader),
        .colour = (png_get_color_type(reader->png, reader->info) & PNG_COLOR_MASK_COLOR) != 0,
        .deep = png_get_bit_depth(reader->png, reader->info) == 16,
    };
    return check_size(coded, bytes);
}

static void release(void *state) {
    struct stoa_png_reader *reader = state;
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    free(reader->rows);
}

/* ---- pixels ---- */

/* The passes of an interlaced picture each add to all rows. */
static bool convert_interlaced(const struct stoa_coded *coded, struct stoa_pixels *pixels, size_t row_bytes) {
    struct stoa_png_reader *reader = coded->reader;
    png_bytepp rows = malloc(coded->head.height * sizeof *rows);
    reader->no_memory = !rows;
    for (size_t y = 0; rows && y < coded->head.height; y++) {
        rows[y] = reader->rows + y * row_bytes;
    }
    bool good = rows && read_rows(reader, rows);
    for (size_t y = 0; good && y < coded->head.height; y++) {
        stoa_pixels_put_row(pixels, rows[y], y);
    }
    free(rows);
    return good;
}

static bool convert_rows(const struct stoa_coded *coded, struct stoa_pixels *pixels) {
    struct stoa_png_reader *reader = coded->reader;
    bool good = true;
    for (size_t y = 0; good && y < coded->head.height; y++) {
        good = read_rows(reader, NULL);
        if (good) {
            stoa_pixels_put_row(pixels, reader->rows, y);
        }
    }
    return good;
}

static stoa_status unpack(struct stoa_coded *coded, struct stoa_pixels *pixels) {
    struct stoa_png_reader *reader = coded->reader;
    if (!choose_rows(reader, pixels->bytes != NULL)) {
        return fail(coded);
    }
    pixels->from = png_get_channels(reader->png, reader->info);
    pixels->deep = png_get_bit_depth(reader->png, reader->info) == 16;
    /* At most 8 bytes for each of STOA_MOST_PIXELS. */
    size_t row_bytes = png_get_rowbytes(reader->png, reader->info);
    bool interlaced = png_get_interlace_type(reader->png, reader->info) != PNG_INTERLACE_NONE;
    reader->rows = calloc(interlaced ? coded->head.height : 1, row_bytes);
    reader->no_memory = !reader->rows;
    bool good = reader->rows &&
                (interlaced ? convert_interlaced(coded, pixels, row_bytes) : convert_rows(coded, pixels)) &&
                !reader->no_memory;
    return good ? STOA_OK : fail(coded);
}

const struct stoa_codec stoa_codec_png = {
    .name = "PNG",
    .reader_bytes = sizeof(struct stoa_png_reader),
    .is = is_png,
    .read_header = read_header,
    .unpack = unpack,
    .release = release,
};
