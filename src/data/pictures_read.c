/* SPDX-License-Identifier: MIT */
/* The pixels of a set of pictures, and what is said of how they became its values. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/picture.h"
#include "data/pictures.h"
#include "data/read.h"
#include "data/shape.h"

/* ---- size and type ---- */

/* Whether the options have a size that pictures can be brought to. */
static bool has_size(const stoa_data_options *options) {
    return options->height > 0 && options->width > 0 && options->height * options->width > 1;
}

static stoa_status check_options(const struct stoa_pictures *set) {
    const stoa_data_options *options = set->options;
    return options->resize == STOA_RESIZE_NONE || has_size(options)
               ? STOA_OK
               : stoa_fail(
                     set->context, STOA_ERR_ARGUMENT,
                     "%s: resize: found a shape of %zux%zux%zu, expected height and width to bring pictures "
                     "to",
                     set->folder, options->height, options->width, options->channels);
}

/* Without resizing all must have the size that is asked for, or else that of the first. */
static stoa_status check_size(const struct stoa_pictures *set, const struct stoa_picture *picture,
                              size_t height, size_t width, const char *owner) {
    if (picture->height == height && picture->width == width) {
        return STOA_OK;
    }
    return stoa_fail(set->context, STOA_ERR_FORMAT,
                     "%s: %zux%zu pixels, expected %zux%zu as %s has, or resize = fit, crop or stretch",
                     picture->path, picture->height, picture->width, height, width, owner);
}

static stoa_status take_size(struct stoa_pictures *set, const struct stoa_picture *picture,
                             struct stoa_store *store) {
    const stoa_data_options *options = set->options;
    stoa_status status = STOA_OK;
    if (options->resize != STOA_RESIZE_NONE) {
        store->height = options->height;
        store->width = options->width;
        set->resized += picture->height != store->height || picture->width != store->width;
    } else if (store->height > 0) {
        status = check_size(set, picture, store->height, store->width, set->files.text[0]);
    } else {
        store->height = picture->height;
        store->width = picture->width;
        status = has_size(options)
                     ? check_size(set, picture, options->height, options->width, "the network's input")
                     : STOA_OK;
    }
    return status;
}

static void count_picture(struct stoa_pictures *set, const struct stoa_picture *picture) {
    const size_t size = picture->height * picture->width;
    set->coloured += picture->colour;
    set->deep += picture->deep;
    set->turned += picture->turned;
    if (set->most[0] == 0 || size < set->least[0] * set->least[1]) {
        set->least[0] = picture->height;
        set->least[1] = picture->width;
    }
    if (size > set->most[0] * set->most[1]) {
        set->most[0] = picture->height;
        set->most[1] = picture->width;
    }
}

/* What one of them needs, colour or 16 bits, all get. */
stoa_status stoa_pictures_survey(struct stoa_pictures *set, struct stoa_store *store) {
    size_t wish = set->options->channels;
    stoa_status status = check_options(set);
    for (size_t i = 0; status == STOA_OK && i < set->files.count; i++) {
        struct stoa_picture picture;
        status = stoa_picture_open(set->context, set->files.text[i], &picture);
        if (status == STOA_OK) {
            count_picture(set, &picture);
            status = take_size(set, &picture, store);
            stoa_picture_close(&picture);
        }
    }
    if (stoa_wants_row(set->options, store->height * store->width)) {
        wish = 1;
    }
    store->type = set->deep > 0 ? STOA_SAMPLE_F32 : STOA_SAMPLE_U8;
    store->pixels = true;
    store->channels = wish == 1 || wish == 3 ? wish : set->coloured > 0 ? 3 : 1;
    return status;
}

/* ---- pixels ---- */

stoa_status stoa_pictures_read(struct stoa_pictures *set, const struct stoa_store *store, size_t at) {
    struct stoa_picture picture;
    stoa_status status = stoa_picture_open(set->context, set->files.text[at], &picture);
    const size_t first = at * store->height * store->width * store->channels;
    struct stoa_plane to = {store->height, store->width, store->channels, NULL, NULL};
    if (status != STOA_OK) {
        return status;
    }
    if (store->type == STOA_SAMPLE_U8) {
        to.bytes = (uint8_t *)store->samples_memory.data + first;
    } else {
        to.numbers = (float *)store->samples_memory.data + first;
    }
    /* A file that changed since the survey has another size. */
    if (set->options->resize == STOA_RESIZE_NONE) {
        status = check_size(set, &picture, store->height, store->width, set->files.text[0]);
    }
    if (status == STOA_OK) {
        status = stoa_picture_read(&picture, set->options->resize, &to);
        set->transparent += picture.transparent;
    }
    stoa_picture_close(&picture);
    return status;
}

/* ---- what is said ---- */

/* A line that grows; what does not fit is cut. */
struct line {
    char text[400];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void append(struct line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->text + line->used, sizeof line->text - line->used, format, arguments);
    va_end(arguments);
    line->used += length > 0 ? (size_t)length : 0;
    line->used = line->used < sizeof line->text ? line->used : sizeof line->text - 1;
}

/* "12 are ..." behind what is there. */
static void append_count(struct line *line, size_t count, const char *one, const char *many) {
    if (count > 0) {
        append(line, "%s%zu %s", line->used > 0 ? "; " : "", count, count == 1 ? one : many);
    }
}

static void say_changes(const struct stoa_pictures *set, const struct stoa_store *store) {
    static const char *const words[] = {"", "fit", "crop", "stretch"};
    const size_t count = set->files.count, grey = count - set->coloured;
    struct line line = {.used = 0};
    if (store->channels == 1) {
        append_count(&line, set->coloured, "is stored in colour and read as grey",
                     "are stored in colour and read as grey");
    } else {
        append_count(&line, grey, "is grey and read as colour", "are grey and read as colour");
    }
    append_count(&line, set->transparent, "has transparent pixels, which are laid on black",
                 "have transparent pixels, which are laid on black");
    append_count(&line, set->deep, "has 16 bits a value, so that all are kept as floats",
                 "have 16 bits a value, so that all are kept as floats");
    append_count(&line, set->turned, "is turned upright as its EXIF data say",
                 "are turned upright as their EXIF data say");
    if (set->resized > 0) {
        append_count(&line, set->resized, "is", "are");
        append(&line, " brought to %zux%zu pixels by resize = %s, from %zux%zu to %zux%zu", store->height,
               store->width, words[set->options->resize], set->least[0], set->least[1], set->most[0],
               set->most[1]);
    }
    if (line.used > 0) {
        stoa_log(set->context, "%s: of %zu pictures %s", set->folder, count, line.text);
    }
}

static void say_left(const struct stoa_pictures *set) {
    const size_t count = set->others.count;
    struct line line = {.used = 0};
    for (size_t i = 0; i < STOA_LEFT_KINDS && set->left[i].count > 0; i++) {
        append(&line, "%s%zu %s", i > 0 ? ", " : "", set->left[i].count,
               set->left[i].name         ? set->left[i].name
               : set->left[i].count == 1 ? "no picture"
                                         : "no pictures");
    }
    if (count > 0) {
        stoa_log(set->context, "%s: %zu file%s neither PNG nor JPEG (%s) and left out: %s%s", set->folder,
                 count, count == 1 ? " is" : "s are", line.text, set->others.example,
                 count == 1 ? "" : " and others");
    }
}

void stoa_pictures_advise(const struct stoa_pictures *set, const struct stoa_store *store) {
    const struct stoa_tally *outside = &set->outside;
    if (outside->count > 0) {
        stoa_log(set->context, "%s: %zu picture%s beside the folders of classes left out: %s%s", set->folder,
                 outside->count, outside->count == 1 ? "" : "s", outside->example,
                 outside->count == 1 ? "" : " and others");
    }
    say_left(set);
    say_changes(set, store);
}
