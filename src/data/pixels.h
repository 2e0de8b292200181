/* SPDX-License-Identifier: MIT */
/* Rows of a picture as its file stores them, turned upright and into the values that the caller wants. What
 * the readers of PNG and JPEG share. */
#ifndef STOA_DATA_PIXELS_H
#define STOA_DATA_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a stored picture is to be turned, as EXIF counts: 1 not at all, 2 to 4 mirrored or upside down, 5 to 8
 * lying on a side. */
enum { STOA_UPRIGHT = 1, STOA_FIRST_LYING = 5, STOA_LAST_TURN = 8 };

/* From stored rows to upright values. */
struct stoa_pixels {
    size_t height, width; /* as stored */
    unsigned turn;        /* STOA_UPRIGHT to STOA_LAST_TURN */
    size_t from;          /* channels of a row: 1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha */
    size_t to;            /* channels wanted: 1 grey, 2 grey and alpha, 3 colours */
    bool deep;            /* values of a row have two bytes, the higher one first */
    uint8_t *bytes;       /* where the values go, or NULL and */
    float *numbers;       /* there as value / 255, of deep rows as value / 65535 */
    bool transparent;     /* set where a pixel was laid on black */
};

/* What is known of a picture before its pixels are unpacked. */
struct stoa_picture_head {
    size_t height, width;
    unsigned turn; /* of the stored pixels, STOA_UPRIGHT to STOA_LAST_TURN */
    bool colour;
    bool deep; /* 16 bits a value; otherwise at most 8 */
};

/* A header may announce far more pixels than its file is worth. */
enum { STOA_MOST_PIXELS = 1 << 26 };
bool stoa_picture_fits(const struct stoa_picture_head *head);

/* Whether a turn exchanges height and width. */
bool stoa_pixels_lie(unsigned turn);

/* Convert stored row `number`. Grey is ITU-R BT.601 luma to the nearest; where no alpha is wanted, pixels go
 * on black. */
void stoa_pixels_put_row(struct stoa_pixels *pixels, const uint8_t *row, size_t number);

#endif
