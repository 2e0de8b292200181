/* SPDX-License-Identifier: MIT */
/* Data sets from folders of pictures: a folder a class. Names are sorted, so that the order of a folder's
 * entries does not matter. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/float_state.h"
#include "base/number.h"
#include "base/size.h"
#include "data/picture.h"
#include "data/pictures.h"
#include "data/read.h"
#include "data/shape.h"

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

/* Whether a name says that the file is a picture of a kind that is read. */
static bool is_named_picture(const char *path) {
    return ends_with(path, "png") || ends_with(path, "jpg") || ends_with(path, "jpeg");
}

static stoa_status fail_memory(const struct stoa_pictures *set) {
    (void)stoa_fail(set->context, STOA_ERR_MEMORY, "%s: no memory for the names in it", set->folder);
    return STOA_ERR_MEMORY;
}

/* Takes over the path. */
static void count_one(struct stoa_tally *tally, char *path) {
    tally->count++;
    free(tally->example ? path : NULL);
    tally->example = tally->example ? tally->example : path;
}

/* One file more that is not read. What does not find a place in the list counts as the last of it. */
static void count_left(struct stoa_pictures *set, const char *name) {
    size_t at = 0;
    while (at < STOA_LEFT_KINDS - 1 && set->left[at].count > 0 && set->left[at].name != name) {
        at++;
    }
    set->left[at].name = name;
    set->left[at].count++;
}

/* Takes over the path of something beside the classes' folders. */
static stoa_status take_outside(struct stoa_pictures *set, char *path, const char *name) {
    enum stoa_picture_kind kind = STOA_PICTURE_NONE;
    const char *word = NULL;
    bool folder = false;
    stoa_status status = stoa_folder_is(set->context, path, &folder);
    if (status == STOA_OK && folder && !stoa_names_add(&set->classes, strdup(name))) {
        status = fail_memory(set);
    }
    if (status == STOA_OK && !folder) {
        status = stoa_picture_look(set->context, path, &kind, &word);
    }
    if (status == STOA_OK && kind != STOA_PICTURE_NONE) {
        count_one(&set->outside, path);
        return STOA_OK;
    }
    free(path);
    return status;
}

/* Takes over the path of a file in a class's folder. What is left out must not look like a part of the
 * set. */
static stoa_status take_file(struct stoa_pictures *set, char *path, const char *name) {
    enum stoa_picture_kind kind = STOA_PICTURE_NONE;
    const char *word = NULL;
    stoa_status status = stoa_picture_look(set->context, path, &kind, &word);
    if (status == STOA_OK && kind == STOA_PICTURE_NONE && is_named_picture(name)) {
        status =
            stoa_fail(set->context, STOA_ERR_FORMAT,
                      "%s: is neither a PNG nor a JPEG picture, though its name says so; mend it, or take "
                      "it out",
                      path);
    }
    if (status != STOA_OK) {
        free(path);
    } else if (kind == STOA_PICTURE_READ) {
        status = stoa_names_add(&set->files, path) ? STOA_OK : fail_memory(set);
    } else {
        count_left(set, word);
        count_one(&set->others, path);
    }
    return status;
}

/* Takes over the path of something in a class's folder. */
static stoa_status take_inside(struct stoa_pictures *set, char *path, const char *name) {
    bool folder = false;
    stoa_status status = stoa_folder_is(set->context, path, &folder);
    if (status == STOA_OK && folder) {
        status = stoa_fail(set->context, STOA_ERR_FORMAT,
                           "%s: is a folder within the folder of a class, expected pictures alone", path);
    }
    if (status == STOA_OK) {
        return take_file(set, path, name);
    }
    free(path);
    return status;
}

/* Hand each thing in a folder to `take`. */
static stoa_status look_into(struct stoa_pictures *set, const char *folder,
                             stoa_status (*take)(struct stoa_pictures *set, char *path, const char *name)) {
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

static stoa_status find_classes(struct stoa_pictures *set) {
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
static stoa_status class_of(const struct stoa_pictures *set, size_t at, int32_t *class_number) {
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

static stoa_status find_files(struct stoa_pictures *set) {
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
                               "%s: holds no PNG or JPEG pictures, expected at least one", folder);
        }
        free(folder);
        set->end[i] = set->files.count;
    }
    if (status == STOA_OK && !set->files.text) {
        status = STOA_ERR_FORMAT;
        (void)stoa_fail(set->context, status,
                        "%s: holds no folders, expected one with pictures for each class", set->folder);
    }
    return status;
}

/* ---- the set ---- */

static stoa_status name_classes(const struct stoa_pictures *set, struct stoa_store *store) {
    const stoa_data_options *options = set->options;
    store->classes = options->names ? options->name_count : set->classes.count;
    store->names = stoa_copy_names(options->names ? options->names : (const char *const *)set->classes.text,
                                   store->classes);
    return store->names ? STOA_OK : fail_memory(set);
}

static stoa_status fill_store(struct stoa_pictures *set, struct stoa_store *store) {
    stoa_status status = find_classes(set);
    if (status == STOA_OK) {
        status = find_files(set);
    }
    if (status == STOA_OK) {
        status = name_classes(set, store);
    }
    if (status == STOA_OK) {
        status = stoa_pictures_survey(set, store);
    }
    if (status == STOA_OK) {
        status = stoa_store_allocate(store, set->folder, set->files.count);
    }
    for (size_t c = 0, i = 0; status == STOA_OK && c < set->classes.count; c++) {
        int32_t number = 0;
        status = class_of(set, c, &number);
        for (; status == STOA_OK && i < set->end[c]; i++) {
            ((int32_t *)store->labels_memory.data)[i] = number;
            status = stoa_pictures_read(set, store, i);
        }
    }
    stoa_store_flatten(store, set->options);
    return status;
}

stoa_status stoa_dataset_open_pictures(stoa_context *context, const char *folder,
                                       const stoa_data_options *options, stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    static const stoa_data_options defaults = {.classes = 0};
    struct stoa_pictures set = {
        .context = context, .folder = folder, .options = options ? options : &defaults};
    struct stoa_store *store = stoa_store_create(context, "pictures");
    if (!store) {
        return STOA_ERR_MEMORY;
    }
    stoa_status status = fill_store(&set, store);
    if (status == STOA_OK) {
        stoa_pictures_advise(&set, store);
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
