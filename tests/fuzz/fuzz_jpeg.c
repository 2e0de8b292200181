/* SPDX-License-Identifier: MIT */
/* Fuzz target of JPEG pictures and of the EXIF data in them. Every way to unpack is tried; values must be in
 * their range, and sizes such as a file can hold. */
#include <stdlib.h>

#include "bounded.h"
#include "data/exif.h"
#include "data/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Larger pictures take too long to be tried by the thousand. */
enum { MOST_PIXELS = 1 << 20 };

static void unpack(stoa_context *context, const uint8_t *data, size_t bytes, size_t channels, bool real) {
    struct stoa_picture picture;
    if (stoa_codec_of(data, bytes) != &stoa_codec_jpeg ||
        stoa_picture_open_memory(context, "input", data, bytes, &picture) != STOA_OK) {
        return;
    }
    const size_t count = picture.height * picture.width * channels;
    void *out = count <= channels * MOST_PIXELS ? malloc(count * (real ? sizeof(float) : 1)) : NULL;
    stoa_status status = !out   ? STOA_ERR_MEMORY
                         : real ? stoa_picture_decode_real(&picture, channels, out)
                                : stoa_picture_decode(&picture, channels, out);
    for (size_t i = 0; status == STOA_OK && real && i < count; i++) {
        const float value = ((const float *)out)[i];
        if (!(value >= 0 && value <= 1)) {
            abort();
        }
    }
    free(out);
    stoa_picture_close(&picture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    size_t most = 1 << 16;
    stoa_context *context = bounded_context(&most);
    const unsigned turn = stoa_exif_turn(data, bytes);
    if (turn < 1 || turn > 8) {
        abort();
    }
    for (size_t channels = 1; context && channels <= 3; channels++) {
        unpack(context, data, bytes, channels, false);
        unpack(context, data, bytes, channels, true);
    }
    stoa_context_free(context);
    return 0;
}
