/* SPDX-License-Identifier: MIT */
/* Data sets from folders of PNG pictures: a folder a class. Names are sorted, so that the order of a folder's
 * entries does not matter. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/float_state.h"
#include "base/number.h"
#include "base/size.h"
#include "data/dataset.h"
#include "data/folder.h"
#include "data/png.h"
#include "data/read.h"
#include "data/shape.h"

/* What is said once of a folder, rather than of each file: how many there are, and one of them. */
struct tally {
    size_t count;
    char *example; /* from malloc */
};

/* A set in the making. */
struct pictures {
    stoa_context *context;
    const char *folder;
    const stoa_data_options *options;
    struct stoa_names classes; /* names of the folders */
    struct stoa_names files;   /* paths, of all classes, one after the other */
    size_t *end;               /* of each class among the files */
    struct tally outside;      /* pictures beside the folders */
    struct tally others;       /* files within that are no pictures */
    size_t coloured;           /* pictures that are stored in colour */
};

static int by_number(const void *a, const void *b) {
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    size_t x = 0, y = 0;
    (void)stoa_parse_size(left, strlen(left), &x);
    (void)stoa_parse_size(right, strlen(right), &y);
    return x != y ? (x < y ? -1 : 1) : strcmp(left, right);
}

static bool ends_with(const char *path, const char *extension) {
    const char *end = strrchr(path, '.');
    return end && strcasecmp(end + 1, extension) == 0;
}

/* Pictures that this reader does not read. */
static bool is_other_picture(const char *path) {
    static const char *const extensions[] = {"jpg",  "jpeg", "jpe", "jfif", "gif", "bmp", "tif",
                                             "tiff", "webp", "ppm", "pgm",  "pbm", "pnm", "heic",
                                             "heif", "avif", "jp2", "jxl",  "tga", "dng"};
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        if (ends_with(path, extensions[i])) {
            return true;
        }
    }
    return false;
}

static stoa_status fail_memory(const struct pictures *set) {
    (void)stoa_fail(set->context, STOA_ERR_MEMORY, "%s: no memory for the names in it", set->folder);
    return STOA_ERR_MEMORY;
}

/* Takes over the path. */
static void count_one(struct tally *tally, char *path) {
    tally->count++;
    free(tally->example ? path : NULL);
    tally->example = tally->example ? tally->example : path;
}

/* Takes over the path of something beside the classes' folders. */
static stoa_status take_outside(struct pictures *set, char *path, const char *name) {
    bool folder = false;
    stoa_status status = stoa_folder_is(set->context, path, &folder);
    if (status == STOA_OK && folder && !stoa_names_add(&set->classes, strdup(name))) {
        status = fail_memory(set);
    }
    if (status == STOA_OK && !folder && (ends_with(name, "png") || is_other_picture(name))) {
        count_one(&set->outside, path);
        return STOA_OK;
    }
    free(path);
    return status;
}

/* Takes over the path of something in a class's folder. What is left out must not look like a part of the
 * set. */
static stoa_status take_inside(struct pictures *set, char *path, const char *name) {
    bool folder = false;
    stoa_status status = stoa_folder_is(set->context, path, &folder);
    if (status == STOA_OK && folder) {
        status = stoa_fail(set->context, STOA_ERR_FORMAT,
                           "%s: is a folder within the folder of a class, expected PNG pictures alone", path);
    } else if (status == STOA_OK && is_other_picture(name)) {
        status =
            stoa_fail(set->context, STOA_ERR_FORMAT,
                      "%s: a picture that is no PNG, which alone are read; convert it, or take it out", path);
    } else if (status == STOA_OK && ends_with(name, "png")) {
        return stoa_names_add(&set->files, path) ? STOA_OK : fail_memory(set);
    } else if (status == STOA_OK) {
        count_one(&set->others, path);
        return STOA_OK;
    }
    free(path);
    return status;
}

/* Hand each thing in a folder to `take`. */
static stoa_status look_into(struct pictures *set, const char *folder,
                             stoa_status (*take)(struct pictures *set, char *path, const char *name)) {
    struct stoa_names names = {.count = 0};
    stoa_status status = stoa_folder_list(set->context, folder, &names);
    for (size_t i = 0; status == STOA_OK && i < names.count; i++) {
        char *path = stoa_load_join(set->context, folder, names.text[i]);
        status = path ? take(set, path, names.text[i]) : STOA_ERR_MEMORY;
    }
    stoa_names_clear(&names);
    return status;
}

/* ---- classes ---- */

static stoa_status find_classes(struct pictures *set) {
    size_t number;
    bool numbers = true;
    stoa_status status = look_into(set, set->folder, take_outside);
    if (status != STOA_OK) {
        return status;
    }
    for (size_t i = 0; i < set->classes.count; i++) {
        numbers = numbers && stoa_parse_size(set->classes.text[i], strlen(set->classes.text[i]), &number);
    }
    if (numbers && set->classes.count > 0) {
        qsort(set->classes.text, set->classes.count, sizeof *set->classes.text, by_number);
    }
    if (!set->options->names && set->options->classes && set->options->classes != set->classes.count) {
        return stoa_fail(set->context, STOA_ERR_FORMAT,
                         "%s: holds %zu folders, expected one for each of %zu classes", set->folder,
                         set->classes.count, set->options->classes);
    }
    return STOA_OK;
}

/* The number of a folder's class: its place, or that of its name among given ones. */
static stoa_status class_of(const struct pictures *set, size_t at, int32_t *class_number) {
    const stoa_data_options *options = set->options;
    const char *name = set->classes.text[at];
    *class_number = (int32_t)at;
    for (size_t i = 0; i < options->name_count; i++) {
        if (strcmp(options->names[i], name) == 0) {
            *class_number = (int32_t)i;
            return STOA_OK;
        }
    }
    return options->names ? stoa_fail(set->context, STOA_ERR_FORMAT,
                                      "%s/%s: expected the name of one of %zu classes such as '%.40s'",
                                      set->folder, name, options->name_count, options->names[0])
                          : STOA_OK;
}

static stoa_status find_files(struct pictures *set) {
    stoa_status status = STOA_OK;
    set->end = calloc(stoa_max(1, set->classes.count), sizeof *set->end);
    if (!set->end) {
        return fail_memory(set);
    }
    for (size_t i = 0; status == STOA_OK && i < set->classes.count; i++) {
        size_t before = set->files.count;
        char *folder = stoa_load_join(set->context, set->folder, set->classes.text[i]);
        status = folder ? look_into(set, folder, take_inside) : STOA_ERR_MEMORY;
        if (status == STOA_OK && set->files.count == before) {
            status = stoa_fail(set->context, STOA_ERR_FORMAT,
                               "%s: holds no PNG pictures, expected at least one", folder);
        }
        free(folder);
        set->end[i] = set->files.count;
    }
    if (status == STOA_OK && !set->files.text) {
        status = STOA_ERR_FORMAT;
        (void)stoa_fail(set->context, status,
                        "%s: holds no folders, expected one with PNG pictures for each class", set->folder);
    }
    return status;
}

/* ---- pixels ---- */

/* Open a picture of the store's size, once that is known. */
static stoa_status open_picture(const struct pictures *set, size_t at, const struct stoa_store *store,
                                struct stoa_png *png) {
    stoa_status status = stoa_png_open(set->context, set->files.text[at], png);
    if (status == STOA_OK && store->height > 0 &&
        (png->height != store->height || png->width != store->width)) {
        status =
            stoa_fail(set->context, STOA_ERR_FORMAT, "%s: %zux%zu pixels, expected %zux%zu as %s has",
                      png->path, png->height, png->width, store->height, store->width, set->files.text[0]);
        stoa_png_close(png);
    }
    return status;
}

/* Look at the headers of all, so that nothing is unpacked before they are known to fit. The first decides the
 * size; what one of them needs, colour or 16 bits, all get. */
static stoa_status survey(struct pictures *set, struct stoa_store *store) {
    size_t wish = set->options->channels;
    stoa_status status = STOA_OK;
    store->type = STOA_SAMPLE_U8;
    store->pixels = true;
    for (size_t i = 0; status == STOA_OK && i < set->files.count; i++) {
        struct stoa_png png;
        status = open_picture(set, i, store, &png);
        if (status == STOA_OK) {
            set->coloured += png.colour;
            store->type = png.deep ? STOA_SAMPLE_F32 : store->type;
            store->height = png.height;
            store->width = png.width;
            stoa_png_close(&png);
        }
    }
    if (stoa_wants_row(set->options, store->height * store->width)) {
        wish = 1;
    }
    store->channels = wish == 1 || wish == 3 ? wish : set->coloured > 0 ? 3 : 1;
    return status;
}

static stoa_status read_picture(const struct pictures *set, const struct stoa_store *store, size_t at) {
    struct stoa_png png;
    stoa_status status = open_picture(set, at, store, &png);
    if (status != STOA_OK) {
        return status;
    }
    size_t first = at * store->height * store->width * store->channels;
    status = store->type == STOA_SAMPLE_U8
                 ? stoa_png_decode(&png, store->channels, (uint8_t *)store->samples_memory.data + first)
                 : stoa_png_decode_real(&png, store->channels, (float *)store->samples_memory.data + first);
    stoa_png_close(&png);
    return status;
}

static stoa_status name_classes(const struct pictures *set, struct stoa_store *store) {
    const stoa_data_options *options = set->options;
    store->classes = options->names ? options->name_count : set->classes.count;
    store->names = stoa_copy_names(options->names ? options->names : (const char *const *)set->classes.text,
                                   store->classes);
    return store->names ? STOA_OK : fail_memory(set);
}

static stoa_status fill_store(struct pictures *set, struct stoa_store *store) {
    stoa_status status = find_classes(set);
    if (status == STOA_OK) {
        status = find_files(set);
    }
    if (status == STOA_OK) {
        status = name_classes(set, store);
    }
    if (status == STOA_OK) {
        status = survey(set, store);
    }
    if (status == STOA_OK) {
        status = stoa_store_allocate(store, set->folder, set->files.count);
    }
    for (size_t c = 0, i = 0; status == STOA_OK && c < set->classes.count; c++) {
        int32_t number = 0;
        status = class_of(set, c, &number);
        for (; status == STOA_OK && i < set->end[c]; i++) {
            ((int32_t *)store->labels_memory.data)[i] = number;
            status = read_picture(set, store, i);
        }
    }
    stoa_store_flatten(store, set->options);
    return status;
}

/* What was left out or changed, in a line each. */
static void advise(const struct pictures *set, const struct stoa_store *store) {
    const struct tally *outside = &set->outside, *others = &set->others;
    if (outside->count > 0) {
        stoa_log(set->context, "%s: %zu picture%s beside the folders of classes left out: %s%s", set->folder,
                 outside->count, outside->count == 1 ? "" : "s", outside->example,
                 outside->count == 1 ? "" : " and others");
    }
    if (others->count > 0) {
        stoa_log(set->context, "%s: %zu file%s among the pictures left out: %s%s", set->folder, others->count,
                 others->count == 1 ? "" : "s", others->example, others->count == 1 ? "" : " and others");
    }
    if (store->channels == 1 && set->coloured > 0) {
        stoa_log(set->context,
                 "%s: %zu of %zu pictures are stored in colour and read as grey: one channel is expected",
                 set->folder, set->coloured, set->files.count);
    }
}

stoa_status stoa_dataset_open_pictures(stoa_context *context, const char *folder,
                                       const stoa_data_options *options, stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    static const stoa_data_options defaults = {.classes = 0};
    struct pictures set = {.context = context, .folder = folder, .options = options ? options : &defaults};
    struct stoa_store *store = stoa_store_create(context, "pictures");
    if (!store) {
        return STOA_ERR_MEMORY;
    }
    stoa_status status = fill_store(&set, store);
    if (status == STOA_OK) {
        advise(&set, store);
    }
    stoa_names_clear(&set.classes);
    stoa_names_clear(&set.files);
    free(set.outside.example);
    free(set.others.example);
    free(set.end);
    if (status != STOA_OK) {
        stoa_store_release(store);
        return status;
    }
    return stoa_dataset_over(store, dataset);
}

stoa_status stoa_pictures_are_there(stoa_context *context, const char *folder, bool *there) {
    struct stoa_names names = {.count = 0};
    stoa_status status = stoa_folder_list(context, folder, &names);
    *there = false;
    for (size_t i = 0; status == STOA_OK && !*there && i < names.count; i++) {
        char *path = stoa_load_join(context, folder, names.text[i]);
        status = path ? stoa_folder_is(context, path, there) : STOA_ERR_MEMORY;
        free(path);
    }
    stoa_names_clear(&names);
    return status;
}
