/* SPDX-License-Identifier: MIT */
/* JPEG through libjpeg (libjpeg-turbo). Errors come back by jumps, which stay within the functions that may
 * jump; messages stay here: nothing reaches stderr. Warnings that mean lost pixels are errors, others change
 * none. Knows libjpeg. */
#include "data/codec.h"

#include <setjmp.h>
#include <stdio.h> /* before jpeglib.h, which needs it */
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "data/exif.h"

/* Of Huffman codes no block of 8x8 pixels takes less than a bit. */
enum { MAX_PIXELS_PER_BYTE = 8 * 64 };

/* A progressive picture may come in any number of passes over all of it, each of a few bytes. */
enum { MAX_SCANS = 200 };

/* What libjpeg may hold of a progressive picture: two bytes for each coefficient of four components, and a
 * little. */
#define MAX_MEMORY (8L * STOA_MOST_PIXELS + (16L << 20))

static const char exif_begin[] = "Exif\0"; /* and a zero, which the compiler adds */

/* libjpeg's state, and what has to outlive its jumps. */
struct stoa_jpeg_reader {
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    struct jpeg_decompress_struct jpeg;
    bool created, no_memory, many_scans;
    uint8_t *row; /* unpacked */
    char message[JMSG_LENGTH_MAX];
};

/* ---- what libjpeg calls ---- */

static void on_error(j_common_ptr common) {
    struct stoa_jpeg_reader *reader = common->client_data;
    reader->no_memory = common->err->msg_code == JERR_OUT_OF_MEMORY;
    common->err->format_message(common, reader->message);
    longjmp(reader->back, 1);
}

/* Warnings of what changes no pixel. */
static bool is_harmless(int code) {
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
           code == JWRN_NOT_SEQUENTIAL;
}

static void on_message(j_common_ptr common, int level) {
    if (level < 0 && !is_harmless(common->err->msg_code)) {
        on_error(common);
    }
}

static void on_output(j_common_ptr common) {
    (void)common;
}

static void on_progress(j_common_ptr common) {
    struct stoa_jpeg_reader *reader = common->client_data;
    if (reader->jpeg.input_scan_number > MAX_SCANS) {
        reader->many_scans = true;
        longjmp(reader->back, 1);
    }
}

/* ---- what may jump: false then, with the message set ---- */

static bool read_info(struct stoa_jpeg_reader *reader, const void *data, size_t bytes) {
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    if (setjmp(reader->back)) {
        return false;
    }
    jpeg_create_decompress(jpeg);
    reader->created = true;
    jpeg->client_data = reader;
    jpeg->progress = &reader->progress;
    jpeg->mem->max_memory_to_use = MAX_MEMORY;
    jpeg_mem_src(jpeg, data, bytes);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xFFFF);
    (void)jpeg_read_header(jpeg, TRUE);
    return true;
}

static bool begin(struct stoa_jpeg_reader *reader) {
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    if (setjmp(reader->back)) {
        return false;
    }
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
        jpeg->out_color_space = JCS_GRAYSCALE;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        jpeg->out_color_space = JCS_CMYK;
        break;
    default:
        jpeg->out_color_space = JCS_RGB;
    }
    jpeg->dct_method = JDCT_ISLOW; /* the same values on every machine */
    (void)jpeg_start_decompress(jpeg);
    return true;
}

static bool read_row(struct stoa_jpeg_reader *reader) {
    JSAMPROW row = reader->row;
    if (setjmp(reader->back)) {
        return false;
    }
    (void)jpeg_read_scanlines(&reader->jpeg, &row, 1);
    return true;
}

static bool finish(struct stoa_jpeg_reader *reader) {
    if (setjmp(reader->back)) {
        return false;
    }
    (void)jpeg_finish_decompress(&reader->jpeg);
    return true;
}

/* ---- opening ---- */

static stoa_status fail(const struct stoa_coded *coded) {
    const struct stoa_jpeg_reader *reader = coded->reader;
    return reader->many_scans
               ? stoa_fail(coded->context, STOA_ERR_FORMAT, "%s: JPEG of more than %d passes, expected fewer",
                           coded->path, MAX_SCANS)
               : stoa_codec_fail(coded, reader->no_memory, reader->message);
}

static stoa_status check_size(const struct stoa_coded *coded, size_t bytes) {
    const struct stoa_jpeg_reader *reader = coded->reader;
    const struct stoa_picture_head *head = &coded->head;
    if (!stoa_picture_fits(head)) {
        return stoa_codec_fail_size(coded);
    }
    bool fits = reader->jpeg.arith_code || head->height * head->width / MAX_PIXELS_PER_BYTE <= bytes;
    return fits ? STOA_OK : stoa_codec_fail_bytes(coded, bytes);
}

static unsigned find_turn(const struct jpeg_decompress_struct *jpeg) {
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker; marker = marker->next) {
        if (marker->data_length > sizeof exif_begin &&
            memcmp(marker->data, exif_begin, sizeof exif_begin) == 0) {
            return stoa_exif_turn(marker->data + sizeof exif_begin, marker->data_length - sizeof exif_begin);
        }
    }
    return STOA_UPRIGHT;
}

static bool is_jpeg(const void *data, size_t bytes) {
    return bytes >= 3 && memcmp(data, "\xFF\xD8\xFF", 3) == 0;
}

static stoa_status read_header(struct stoa_coded *coded, const void *data, size_t bytes) {
    struct stoa_jpeg_reader *reader = coded->reader;
    reader->jpeg.err = jpeg_std_error(&reader->errors);
    reader->jpeg.client_data = reader;
    reader->errors.error_exit = on_error;
    reader->errors.emit_message = on_message;
    reader->errors.output_message = on_output;
    reader->progress.progress_monitor = on_progress;
    if (!read_info(reader, data, bytes)) {
        return fail(coded);
    }
    coded->head = (struct stoa_picture_head){
        .height = reader->jpeg.image_height,
        .width = reader->jpeg.image_width,
        .turn = find_turn(&reader->jpeg),
        .colour = reader->jpeg.jpeg_color_space != JCS_GRAYSCALE,
    };
    return check_size(coded, bytes);
}

static void release(void *state) {
    struct stoa_jpeg_reader *reader = state;
    if (reader->created) {
        jpeg_destroy_decompress(&reader->jpeg);
    }
    free(reader->row);
}

/* ---- pixels ---- */

/* Inks in place to colours. Files hold how much light they let through, as Adobe's programs write them. */
static void mix_inks(uint8_t *row, size_t width) {
    for (size_t x = 0; x < width; x++) {
        const uint8_t *ink = row + 4 * x;
        const unsigned black = ink[3];
        for (size_t c = 0; c < 3; c++) {
            row[3 * x + c] = (uint8_t)((ink[c] * black + 127) / 255);
        }
    }
}

static stoa_status unpack(struct stoa_coded *coded, struct stoa_pixels *pixels) {
    struct stoa_jpeg_reader *reader = coded->reader;
    const size_t width = coded->head.width;
    if (!begin(reader)) {
        return fail(coded);
    }
    const bool inks = reader->jpeg.out_color_space == JCS_CMYK;
    pixels->from = inks ? 3 : (size_t)reader->jpeg.output_components;
    pixels->deep = false;
    reader->row = malloc(width * (size_t)reader->jpeg.output_components);
    reader->no_memory = !reader->row;
    bool good = reader->row != NULL;
    for (size_t y = 0; good && y < coded->head.height; y++) {
        good = read_row(reader);
        if (good && inks) {
            mix_inks(reader->row, width);
        }
        if (good) {
            stoa_pixels_put_row(pixels, reader->row, y);
        }
    }
    return good && finish(reader) ? STOA_OK : fail(coded);
}

const struct stoa_codec stoa_codec_jpeg = {
    .name = "JPEG",
    .reader_bytes = sizeof(struct stoa_jpeg_reader),
    .is = is_jpeg,
    .read_header = read_header,
    .unpack = unpack,
    .release = release,
};
