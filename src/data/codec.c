/* SPDX-License-Identifier: MIT */
#include "data/codec.h"

#include <stdlib.h>

const struct stoa_codec *stoa_codec_of(const void *data, size_t bytes) {
    static const struct stoa_codec *const codecs[] = {&stoa_codec_png, &stoa_codec_jpeg};
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (codecs[i]->is(data, bytes)) {
            return codecs[i];
        }
    }
    return NULL;
}

stoa_status stoa_codec_open(const struct stoa_codec *codec, stoa_context *context, const char *path,
                            const void *data, size_t bytes, struct stoa_coded *coded) {
    *coded = (struct stoa_coded){.codec = codec, .context = context, .path = path};
    coded->reader = calloc(1, codec->reader_bytes);
    stoa_status status =
        coded->reader ? codec->read_header(coded, data, bytes) : stoa_codec_fail(coded, true, NULL);
    if (status != STOA_OK) {
        stoa_codec_close(coded);
    }
    return status;
}

void stoa_codec_close(struct stoa_coded *coded) {
    if (coded->reader) {
        coded->codec->release(coded->reader);
    }
    free(coded->reader);
    coded->reader = NULL;
}

stoa_status stoa_codec_fail_size(const struct stoa_coded *coded) {
    return stoa_fail(coded->context, STOA_ERR_FORMAT, "%s: %zux%zu pixels, at most %d in all are read",
                     coded->path, coded->head.height, coded->head.width, STOA_MOST_PIXELS);
}

stoa_status stoa_codec_fail_bytes(const struct stoa_coded *coded, size_t bytes) {
    return stoa_fail(coded->context, STOA_ERR_FORMAT,
                     "%s: damaged %s: %zux%zu pixels, which its %zu bytes cannot hold", coded->path,
                     coded->codec->name, coded->head.height, coded->head.width, bytes);
}

stoa_status stoa_codec_fail(const struct stoa_coded *coded, bool no_memory, const char *message) {
    return no_memory ? stoa_fail(coded->context, STOA_ERR_MEMORY, "%s: no memory to unpack it", coded->path)
                     : stoa_fail(coded->context, STOA_ERR_FORMAT, "%s: damaged %s: %s", coded->path,
                                 coded->codec->name, message);
}
