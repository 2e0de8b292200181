/* Data sets from folders of PNG pictures: a folder a class. Names are sorted, so that the order of a folder's entries
 * does not matter. Floor 6. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/number.h"
#include "base/size.h"
#include "data/dataset.h"
#include "data/png.h"
#include "data/read.h"

/* Paths or names, from malloc. */
struct list {
    char **text;
    size_t count, room;
};

/* A set in the making. */
struct pictures {
    stoa_context *context;
    const char *folder;
    const stoa_data_options *options;
    struct list classes; /* names of the folders */
    struct list files;   /* of all classes, one after the other */
    size_t *end;         /* of each class among the files */
};

static void clear(struct list *list) {
    stoa_free_names(list->text, list->count);
    *list = (struct list){.count = 0};
}

/* Takes over the text; NULL means that there was no memory for it. */
static bool append(struct list *list, char *text) {
    if (text && list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        char **larger = realloc(list->text, room * sizeof *larger);
        if (!larger) {
            free(text);
            return false;
        }
        list->text = larger;
        list->room = room;
    }
    if (text) {
        list->text[list->count++] = text;
    }
    return text != NULL;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_number(const void *a, const void *b) {
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    size_t x = 0, y = 0;
    (void)stoa_parse_size(left, strlen(left), &x);
    (void)stoa_parse_size(right, strlen(right), &y);
    return x != y ? (x < y ? -1 : 1) : strcmp(left, right);
}

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool is_picture(const char *path) {
    const char *end = strrchr(path, '.');
    return end && strcasecmp(end, ".png") == 0 && !is_folder(path);
}

static stoa_status fail_memory(const struct pictures *set) {
    (void)stoa_fail(set->context, STOA_ERR_MEMORY, "%s: no memory for the names in it", set->folder);
    return STOA_ERR_MEMORY;
}

/* Append what is in a folder and is wanted: paths, or the names of folders. */
static stoa_status look_into(const struct pictures *set, const char *folder, bool names, struct list *list) {
    DIR *open = opendir(folder);
    if (!open) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return stoa_fail(set->context, missing ? STOA_ERR_NOT_FOUND : STOA_ERR_IO, "%s: %s", folder,
                         missing ? "no such folder" : "this folder cannot be looked into");
    }
    size_t first = list->count;
    stoa_status status = STOA_OK;
    for (struct dirent *entry; status == STOA_OK && (entry = readdir(open));) {
        char *path = entry->d_name[0] == '.' ? NULL : stoa_load_join(set->context, folder, entry->d_name);
        bool wanted = path && (names ? is_folder(path) : is_picture(path));
        if (wanted && !append(list, names ? strdup(entry->d_name) : path)) {
            status = fail_memory(set);
        }
        if (names || !wanted) {
            free(path);
        }
    }
    (void)closedir(open);
    if (list->count > first) {
        qsort(list->text + first, list->count - first, sizeof *list->text, by_bytes);
    }
    return status;
}

/* ---- classes ---- */

static stoa_status find_classes(struct pictures *set) {
    size_t number;
    bool numbers = true;
    stoa_status status = look_into(set, set->folder, true, &set->classes);
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
        status = folder ? look_into(set, folder, false, &set->files) : STOA_ERR_MEMORY;
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

/* The first picture decides the size, and without a wish grey or colour. */
static stoa_status take_shape(const struct pictures *set, const char *first, struct stoa_store *store) {
    struct stoa_png png;
    stoa_status status = stoa_png_open(set->context, first, &png);
    if (status != STOA_OK) {
        return status;
    }
    size_t wish = set->options->channels;
    store->type = STOA_SAMPLE_U8;
    store->height = png.height;
    store->width = png.width;
    store->channels = wish == 1 || wish == 3 ? wish : png.colour ? 3 : 1;
    stoa_png_close(&png);
    return STOA_OK;
}

static stoa_status read_picture(const struct pictures *set, const struct stoa_store *store, size_t at) {
    struct stoa_png png;
    size_t size = store->height * store->width * store->channels;
    stoa_status status = stoa_png_open(set->context, set->files.text[at], &png);
    if (status != STOA_OK) {
        return status;
    }
    if (png.height != store->height || png.width != store->width) {
        status = stoa_fail(set->context, STOA_ERR_FORMAT, "%s: %zux%zu pixels, expected %zux%zu as %s has",
                           png.path, png.height, png.width, store->height, store->width, set->files.text[0]);
    } else {
        status = stoa_png_decode(&png, store->channels, (uint8_t *)store->samples_memory.data + at * size);
    }
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
        status = take_shape(set, *set->files.text, store);
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
    return status;
}

stoa_status stoa_dataset_open_pictures(stoa_context *context, const char *folder,
                                       const stoa_data_options *options, stoa_dataset **dataset) {
    static const stoa_data_options defaults = {.classes = 0};
    struct pictures set = {.context = context, .folder = folder, .options = options ? options : &defaults};
    struct stoa_store *store = stoa_store_create(context, "pictures");
    if (!store) {
        return STOA_ERR_MEMORY;
    }
    stoa_status status = fill_store(&set, store);
    clear(&set.classes);
    clear(&set.files);
    free(set.end);
    if (status != STOA_OK) {
        stoa_store_release(store);
        return status;
    }
    return stoa_dataset_over(store, dataset);
}

bool stoa_pictures_are_there(const char *folder) {
    bool found = false;
    DIR *open = opendir(folder);
    for (struct dirent *entry; open && !found && (entry = readdir(open));) {
        char path[4096];
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        found = entry->d_name[0] != '.' && length > 0 && (size_t)length < sizeof path && is_folder(path);
    }
    if (open) {
        (void)closedir(open);
    }
    return found;
}
