/* SPDX-License-Identifier: MIT */
/* EXIF after CIPA DC-008: a TIFF file in small, whose first directory holds the orientation. Damage in it
 * does no harm to pixels, so that it is passed over as other readers do. */
#include "data/exif.h"

#include <stdbool.h>

#include "base/endian.h"
#include "data/pixels.h"

enum { HEADER_BYTES = 8, ENTRY_BYTES = 12, ORIENTATION = 0x0112, SHORT = 3 };

struct tiff {
    const uint8_t *data;
    size_t bytes;
    bool big; /* the higher byte comes first */
};

static unsigned load16(const struct tiff *tiff, size_t at) {
    return tiff->big ? stoa_load_be16(tiff->data + at) : stoa_load_le16(tiff->data + at);
}

static size_t load32(const struct tiff *tiff, size_t at) {
    return tiff->big ? stoa_load_be32(tiff->data + at) : stoa_load_le32(tiff->data + at);
}

/* The value of an entry of the directory, if that is the orientation; else 0. */
static unsigned turn_of(const struct tiff *tiff, size_t entry) {
    bool right = load16(tiff, entry) == ORIENTATION && load16(tiff, entry + 2) == SHORT &&
                 load32(tiff, entry + 4) == 1;
    unsigned turn = right ? load16(tiff, entry + 8) : 0;
    return turn <= STOA_LAST_TURN ? turn : 0;
}

unsigned stoa_exif_turn(const void *data, size_t bytes) {
    struct tiff tiff = {.data = data, .bytes = bytes};
    if (bytes < HEADER_BYTES) {
        return STOA_UPRIGHT;
    }
    tiff.big = tiff.data[0] == 'M';
    size_t at = load32(&tiff, 4);
    if ((!tiff.big && tiff.data[0] != 'I') || tiff.data[1] != tiff.data[0] || load16(&tiff, 2) != 42 ||
        at > bytes - 2) {
        return STOA_UPRIGHT;
    }
    size_t entries = load16(&tiff, at);
    at += 2;
    for (size_t i = 0; i < entries && bytes - at >= ENTRY_BYTES; i++) {
        unsigned turn = turn_of(&tiff, at);
        if (turn > 0) {
            return turn;
        }
        at += ENTRY_BYTES;
    }
    return STOA_UPRIGHT;
}
