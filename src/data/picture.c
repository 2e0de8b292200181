/* SPDX-License-Identifier: MIT */
/* Pictures by their content. */
#include "data/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const size_t MAX_FILE_BYTES = (size_t)64 << 20;

/* How files of pictures begin that are not read. */
static const struct {
    const char *name;
    size_t at; /* offset of the bytes that tell */
    const char *bytes;
    size_t count;
} others[] = {{"GIF", 0, "GIF8", 4},         {"WebP", 8, "WEBP", 4},          {"TIFF", 0, "II*\0", 4},
              {"TIFF", 0, "MM\0*", 4},       {"HEIF", 4, "ftyphei", 7},       {"HEIF", 4, "ftypmif1", 8},
              {"AVIF", 4, "ftypavif", 8},    {"JPEG 2000", 4, "jP  \r\n", 6}, {"JPEG XL", 4, "JXL \r\n", 6},
              {"JPEG XL", 0, "\xFF\x0A", 2}, {"Photoshop", 0, "8BPS", 4}};
enum { HEAD_BYTES = 32 };

/* A bitmap's header says how large it is, and where its pixels begin; a portable pixmap is a letter, a number
 * and white space. */
static const char *name_of_other(const uint8_t *head, size_t bytes) {
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (bytes >= others[i].at + others[i].count &&
            memcmp(head + others[i].at, others[i].bytes, others[i].count) == 0) {
            return others[i].name;
        }
    }
    if (bytes >= 18 && memcmp(head, "BM", 2) == 0 && memcmp(head + 6, "\0\0\0\0", 4) == 0) {
        return "BMP";
    }
    bool pixmap = bytes >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' &&
                  (head[2] == '\n' || head[2] == ' ');
    return pixmap ? "PNM" : NULL;
}

static enum stoa_picture_kind kind_of(const uint8_t *head, size_t bytes, const char **name) {
    const struct stoa_codec *codec = stoa_codec_of(head, bytes);
    *name = codec ? codec->name : name_of_other(head, bytes);
    return codec ? STOA_PICTURE_READ : *name ? STOA_PICTURE_OTHER : STOA_PICTURE_NONE;
}

stoa_status stoa_picture_look(stoa_context *context, const char *path, enum stoa_picture_kind *kind,
                              const char **name) {
    uint8_t head[HEAD_BYTES];
    size_t bytes = 0;
    stoa_status status = stoa_file_begin(&context->error, path, head, sizeof head, &bytes);
    if (status == STOA_OK) {
        *kind = kind_of(head, bytes, name);
    }
    return status;
}

static stoa_status open_kind(struct stoa_picture *picture, const void *data, size_t bytes) {
    const struct stoa_codec *codec = stoa_codec_of(data, bytes);
    const char *name = codec ? NULL : name_of_other(data, bytes);
    return codec ? stoa_codec_open(codec, picture->context, picture->path, data, bytes, &picture->coded)
                 : stoa_fail(picture->context, STOA_ERR_FORMAT, "%s: %s%s, expected a PNG or JPEG picture",
                             picture->path,
                             bytes == 0 ? "is empty"
                             : name     ? "is a picture of the kind "
                                        : "is no picture",
                             bytes > 0 && name ? name : "");
}

stoa_status stoa_picture_open_memory(stoa_context *context, const char *path, const void *data, size_t bytes,
                                     struct stoa_picture *picture) {
    *picture = (struct stoa_picture){.context = context, .path = path};
    stoa_status status = open_kind(picture, data, bytes);
    if (status == STOA_OK) {
        const struct stoa_picture_head *head = &picture->coded.head;
        const bool lies = stoa_pixels_lie(head->turn);
        picture->height = lies ? head->width : head->height;
        picture->width = lies ? head->height : head->width;
        picture->turned = head->turn != STOA_UPRIGHT;
        picture->colour = head->colour;
        picture->deep = head->deep;
    }
    return status;
}

stoa_status stoa_picture_open(stoa_context *context, const char *path, struct stoa_picture *picture) {
    void *data = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, MAX_FILE_BYTES, &data, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_picture_open_memory(context, path, data, bytes, picture);
    if (status != STOA_OK) {
        free(data);
        return status;
    }
    picture->file = data;
    return STOA_OK;
}

static stoa_status decode(struct stoa_picture *picture, struct stoa_pixels pixels) {
    const struct stoa_picture_head *head = &picture->coded.head;
    pixels.height = head->height;
    pixels.width = head->width;
    pixels.turn = head->turn;
    stoa_status status = picture->coded.codec->unpack(&picture->coded, &pixels);
    picture->transparent = pixels.transparent;
    return status;
}

stoa_status stoa_picture_decode(struct stoa_picture *picture, size_t channels, uint8_t *out) {
    return decode(picture, (struct stoa_pixels){.to = channels, .bytes = out});
}

stoa_status stoa_picture_decode_real(struct stoa_picture *picture, size_t channels, float *out) {
    return decode(picture, (struct stoa_pixels){.to = channels, .numbers = out});
}

static stoa_status decode_plane(struct stoa_picture *picture, const struct stoa_plane *to) {
    return to->bytes ? stoa_picture_decode(picture, to->channels, to->bytes)
                     : stoa_picture_decode_real(picture, to->channels, to->numbers);
}

stoa_status stoa_picture_read(struct stoa_picture *picture, stoa_resize how, const struct stoa_plane *to) {
    if (picture->height == to->height && picture->width == to->width) {
        return decode_plane(picture, to);
    }
    struct stoa_plane whole = {.height = picture->height, .width = picture->width, .channels = to->channels};
    const size_t values = whole.height * whole.width * whole.channels; /* bounded by the reader */
    const size_t bytes = values * (to->bytes ? 1 : sizeof(float));
    void *memory = stoa_allocate(picture->context, bytes, picture->path);
    if (!memory) {
        return STOA_ERR_MEMORY;
    }
    whole.bytes = to->bytes ? memory : NULL;
    whole.numbers = to->bytes ? NULL : memory;
    stoa_status status = decode_plane(picture, &whole);
    if (status == STOA_OK) {
        status = stoa_resize_picture(picture->context, picture->path, how, &whole, to);
    }
    stoa_release(picture->context, memory, bytes);
    return status;
}

void stoa_picture_close(struct stoa_picture *picture) {
    stoa_codec_close(&picture->coded);
    free(picture->file);
    picture->file = NULL;
}
