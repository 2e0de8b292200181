/* SPDX-License-Identifier: MIT */
/* Writes JPEG of every kind that is read, with an orientation in EXIF where one is wanted. */
#ifndef STOA_TESTS_DATA_JPEG_WRITER_H
#define STOA_TESTS_DATA_JPEG_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

struct jpeg_writer {
    uint32_t width, height;
    int channels; /* 1 grey, 3 colour, 4 inks */
    int quality;
    bool progressive, arithmetic;
    bool separate;        /* a pass for each colour */
    bool subsampled;      /* colours at half of the size */
    unsigned turn;        /* 0: no EXIF */
    bool big_endian;      /* EXIF as other cameras write it */
    unsigned char *bytes; /* the file, from malloc */
    unsigned long used;
};

/* EXIF with an entry before the orientation. */
static inline void jpeg_write_exif(struct jpeg_compress_struct *jpeg, unsigned turn, bool big) {
    static const uint8_t little[] =
        "Exif\0\0II*\0\10\0\0\0\2\0\x0F\1\2\0\1\0\0\0\0\0\0\0\x12\1\3\0\1\0\0\0\0\0\0\0\0\0\0";
    static const uint8_t large[] =
        "Exif\0\0MM\0*\0\0\0\10\0\2\1\x0F\0\2\0\0\0\1\0\0\0\0\1\x12\0\3\0\0\0\1\0\0\0\0\0\0\0";
    uint8_t exif[sizeof little];
    memcpy(exif, big ? large : little, sizeof exif);
    exif[6 + 8 + 2 + 12 + 8 + (big ? 1 : 0)] = (uint8_t)turn;
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, exif, 6 + 8 + 2 + 24 + 4);
}

/* Rows of bytes as pixels; inks are how much light they let through. Release w->bytes with free(). */
static inline void jpeg_write(struct jpeg_writer *w, const uint8_t *pixels) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    w->bytes = NULL;
    w->used = 0;
    jpeg_mem_dest(&jpeg, &w->bytes, &w->used);
    jpeg.image_width = w->width;
    jpeg.image_height = w->height;
    jpeg.input_components = w->channels;
    jpeg.in_color_space = w->channels == 1 ? JCS_GRAYSCALE : w->channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, w->quality, TRUE);
    jpeg.arith_code = w->arithmetic;
    for (int i = 0; i < jpeg.num_components && !w->subsampled; i++) {
        jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = 1;
    }
    if (w->progressive) {
        jpeg_simple_progression(&jpeg);
    }
    static const jpeg_scan_info passes[] = {
        {1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
    if (w->separate) {
        jpeg.scan_info = passes;
        jpeg.num_scans = 3;
    }
    jpeg_start_compress(&jpeg, TRUE);
    if (w->turn > 0) {
        jpeg_write_exif(&jpeg, w->turn, w->big_endian);
    }
    for (uint32_t y = 0; y < w->height; y++) {
        uint8_t row[4 * 4096];
        JSAMPROW rows = row;
        memcpy(row, pixels + (size_t)y * w->width * (size_t)w->channels,
               (size_t)w->width * (size_t)w->channels);
        (void)jpeg_write_scanlines(&jpeg, &rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
}

#endif
