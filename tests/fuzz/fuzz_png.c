/* SPDX-License-Identifier: MIT */
/* Fuzz target of PNG pictures. Chunks get the checksums that they should have, which the fuzzer would never
 * hit: what it changes is then looked at. Every way to unpack is tried; values must be in their range. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bounded.h"
#include "data/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void mend_checksums(uint8_t *file, size_t bytes) {
    for (size_t at = 8; at < bytes && bytes - at >= 12;) {
        size_t length = get32(file + at);
        if (length > bytes - at - 12) {
            return;
        }
        uint32_t sum = (uint32_t)crc32(crc32(0, NULL, 0), file + at + 4, (uInt)length + 4);
        for (int i = 0; i < 4; i++) {
            file[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        }
        at += length + 12;
    }
}

/* Unpack into exactly as much memory as that takes; NULL when the picture is refused. */
static void *unpack(stoa_context *context, const uint8_t *file, size_t bytes, size_t channels, bool real,
                    size_t *count) {
    struct stoa_picture png;
    void *out = NULL;
    if (stoa_picture_open_memory(context, "input", file, bytes, &png) != STOA_OK) {
        return NULL;
    }
    *count = png.height * png.width * channels;
    /* What a file of this size can hold at one bit a pixel. */
    if (png.height * png.width / 8 / 1032 > bytes) {
        abort();
    }
    out = malloc(*count * (real ? sizeof(float) : 1));
    if (out && (real ? stoa_picture_decode_real(&png, channels, out)
                     : stoa_picture_decode(&png, channels, out)) != STOA_OK) {
        free(out);
        out = NULL;
    }
    stoa_picture_close(&png);
    return out;
}

static void check_numbers(const float *numbers, size_t count) {
    for (size_t i = 0; numbers && i < count; i++) {
        if (!(numbers[i] >= 0 && numbers[i] <= 1)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    size_t most = 1 << 16, count = 0;
    stoa_context *context = bounded_context(&most);
    uint8_t *file = malloc(bytes + 1);
    if (context && file && bytes > 0) {
        memcpy(file, data, bytes);
        mend_checksums(file, bytes);
        for (size_t channels = 1; channels <= 3; channels++) {
            free(unpack(context, file, bytes, channels, false, &count));
            float *numbers = unpack(context, file, bytes, channels, true, &count);
            check_numbers(numbers, count);
            free(numbers);
        }
    }
    free(file);
    stoa_context_free(context);
    return 0;
}
