/* SPDX-License-Identifier: MIT */
/* Pixels from rows of a file: mixed, laid on black, turned. */
#include "data/pixels.h"

#include <string.h>

#include "base/size.h"

static uint32_t value_at(const struct stoa_pixels *p, const uint8_t *row, size_t at) {
    return p->deep ? (uint32_t)row[2 * at] << 8 | row[2 * at + 1] : row[at];
}

static void put(const struct stoa_pixels *p, size_t at, uint32_t value) {
    if (p->bytes) {
        p->bytes[at] = (uint8_t)value;
    } else {
        p->numbers[at] = (float)value / (p->deep ? 65535.0F : 255.0F);
    }
}

/* ITU-R BT.601 in 16 bits of fraction, to the nearest; the weights' sum is 1, so that grey stays what it
 * is. */
static uint32_t luma(const uint32_t colour[3]) {
    return (19595 * colour[0] + 38470 * colour[1] + 7471 * colour[2] + 0x8000) >> 16;
}

/* One pixel: of products with 65535 all fit 32 bits. */
static void put_pixel(struct stoa_pixels *p, const uint8_t *row, size_t from, size_t to) {
    uint32_t most = p->deep ? 65535 : 255, colour[3];
    uint32_t alpha = p->from % 2 == 0 ? value_at(p, row, from + p->from - 1) : most;
    p->transparent = p->transparent || (p->to != 2 && alpha != most);
    for (size_t i = 0; i < 3; i++) {
        colour[i] = value_at(p, row, p->from > 2 ? from + i : from);
        if (p->to != 2 && alpha != most) {
            colour[i] = (colour[i] * alpha + most / 2) / most;
        }
    }
    if (p->to == 3) {
        for (size_t i = 0; i < 3; i++) {
            put(p, to + i, colour[i]);
        }
        return;
    }
    put(p, to, luma(colour));
    if (p->to == 2) {
        put(p, to + 1, alpha);
    }
}

bool stoa_picture_fits(const struct stoa_picture_head *head) {
    size_t pixels = 0;
    return stoa_size_mul(head->height, head->width, &pixels) && pixels <= STOA_MOST_PIXELS;
}

bool stoa_pixels_lie(unsigned turn) {
    return turn >= STOA_FIRST_LYING;
}

/* The number of the upright pixel that a stored one becomes. */
static size_t place_of(const struct stoa_pixels *p, size_t y, size_t x) {
    const size_t up = p->height - 1 - y, back = p->width - 1 - x;
    switch (p->turn) {
    case 2:
        return y * p->width + back;
    case 3:
        return up * p->width + back;
    case 4:
        return up * p->width + x;
    case 5:
        return x * p->height + y;
    case 6:
        return x * p->height + up;
    case 7:
        return back * p->height + up;
    case 8:
        return back * p->height + y;
    default:
        return y * p->width + x;
    }
}

void stoa_pixels_put_row(struct stoa_pixels *p, const uint8_t *row, size_t number) {
    if (p->bytes && p->from == p->to && p->to != 2 && p->turn == STOA_UPRIGHT) {
        memcpy(p->bytes + number * p->width * p->to, row, p->width * p->to);
        return;
    }
    for (size_t x = 0; x < p->width; x++) {
        put_pixel(p, row, x * p->from, place_of(p, number, x) * p->to);
    }
}
