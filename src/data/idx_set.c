/* SPDX-License-Identifier: MIT */
/* Data sets from pairs of IDX files: images and labels. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/size.h"
#include "data/dataset.h"
#include "data/disk.h"
#include "data/idx.h"
#include "data/labels.h"
#include "data/read.h"

/* Each label is a class; with 0 classes there are as many as the labels show. */
static stoa_status count_classes(stoa_context *context, const struct stoa_idx *labels, const char *name,
                                 size_t *classes) {
    size_t most = 0;
    for (size_t i = 0; i < labels->bytes; i++) {
        most = labels->data[i] > most ? labels->data[i] : most;
        if (*classes > 0 && labels->data[i] >= *classes) {
            return stoa_fail(context, STOA_ERR_FORMAT, "%s: label %zu is %u, expected 0 to %zu", name, i,
                             (unsigned)labels->data[i], *classes - 1);
        }
    }
    *classes = *classes > 0 ? *classes : most + 1;
    return STOA_OK;
}

/* Labels as numbers for every reader alike. */
static stoa_status take_labels(struct stoa_store *store, const struct stoa_idx *labels, const char *name) {
    store->labels_memory.bytes = labels->bytes * sizeof(int32_t);
    int32_t *numbers = stoa_allocate(store->context, store->labels_memory.bytes, name);
    if (!numbers) {
        return STOA_ERR_MEMORY;
    }
    for (size_t i = 0; i < labels->bytes; i++) {
        numbers[i] = labels->data[i];
    }
    store->labels_memory.data = numbers;
    store->labels = numbers;
    return STOA_OK;
}

/* What was read of the two files. */
struct pair {
    const char *images_name, *labels_name;
    struct stoa_idx pixels, labels;
    struct stoa_disk_file *file; /* that the pixels lie in, or NULL */
};

/* Take over what was read. */
static stoa_status fill_store(struct stoa_store *store, struct pair *pair) {
    struct stoa_idx *pixels = &pair->pixels;
    stoa_status status = take_labels(store, &pair->labels, pair->labels_name);
    if (status != STOA_OK) {
        return status;
    }
    store->type = STOA_SAMPLE_U8;
    store->count = pixels->size[0];
    store->height = pixels->size[1];
    store->width = pixels->size[2];
    store->channels = 1;
    store->samples = pixels->data;
    store->samples_memory = (struct stoa_held){pixels->data, pixels->bytes};
    if (pair->file) {
        store->samples_memory.data = NULL;
        store->samples_memory.bytes = 0;
        store->file = pair->file;
        store->offset = 4 + 4 * pixels->rank;
        pair->file = NULL;
    }
    *pixels = (struct stoa_idx){.rank = 0}; /* the store's now */
    return STOA_OK;
}

/* The last step of all readers: `status` is that of reading the two arrays, which are released. */
static stoa_status hand_over(stoa_status status, stoa_context *context, size_t classes, struct pair *pair,
                             stoa_dataset **dataset) {
    struct stoa_store *store = NULL;
    if (status == STOA_OK) {
        store = stoa_store_create(context, "idx");
        status = STOA_ERR_MEMORY;
    }
    if (store) {
        store->classes = classes;
        status = fill_store(store, pair);
    }
    stoa_idx_release(context, &pair->pixels);
    stoa_idx_release(context, &pair->labels);
    stoa_disk_close(pair->file);
    if (status == STOA_OK) {
        return stoa_dataset_over(store, dataset);
    }
    stoa_store_release(store);
    return status;
}

/* Images that are larger than `memory`, unless it is 0, stay on disk where they are plain. */
static stoa_status read_images(stoa_context *context, size_t memory, struct pair *pair) {
    const char *path = pair->images_name;
    const struct stoa_idx_labels labels = {pair->labels_name, pair->labels.size[0]};
    if (memory == 0 || stoa_file_size(path) <= memory) {
        return stoa_idx_read(context, path, 3, &labels, &pair->pixels);
    }
    stoa_status status = stoa_disk_open(context, path, memory, &pair->file);
    if (status != STOA_OK) {
        return status;
    }
    uint8_t head[STOA_IDX_HEAD];
    size_t bytes = stoa_disk_bytes(pair->file);
    if (!stoa_disk_read(pair->file, 0, stoa_min(bytes, sizeof head), head)) {
        return stoa_disk_check(pair->file, context);
    }
    if (bytes >= 2 && head[0] == 0x1F && head[1] == 0x8B) {
        return stoa_fail(
            context, STOA_ERR_ARGUMENT,
            "%s: packed into %zu bytes, expected no more than the memory of %zu, or a plain file, which "
            "is read piece by piece",
            path, bytes, memory);
    }
    return stoa_idx_view(context, path, head, bytes, 3, &labels, &pair->pixels);
}

static stoa_status open_pair(stoa_context *context, const char *images, const char *labels, size_t classes,
                             size_t memory, stoa_dataset **dataset) {
    struct pair pair = {.images_name = images, .labels_name = labels};
    /* Labels first: they are small, and a mistake shows at once. */
    stoa_status status = stoa_idx_read(context, labels, 1, NULL, &pair.labels);
    if (status == STOA_OK) {
        status = count_classes(context, &pair.labels, labels, &classes);
    }
    if (status == STOA_OK) {
        status = read_images(context, memory, &pair);
    }
    return hand_over(status, context, classes, &pair, dataset);
}

stoa_status stoa_dataset_open_idx(stoa_context *context, const char *images, const char *labels,
                                  size_t classes, stoa_dataset **dataset) {
    stoa_status status = stoa_require_classes(context, classes);
    return status == STOA_OK ? open_pair(context, images, labels, classes, 0, dataset) : status;
}

stoa_status stoa_dataset_from_idx_memory(stoa_context *context, const void *images, size_t images_bytes,
                                         const void *labels, size_t labels_bytes, size_t classes,
                                         stoa_dataset **dataset) {
    struct pair pair = {.images_name = "images in memory", .labels_name = "labels in memory"};
    stoa_status status = stoa_require_classes(context, classes);
    if (status == STOA_OK) {
        status = stoa_idx_parse(context, pair.labels_name, labels, labels_bytes, 1, NULL, &pair.labels);
    }
    if (status == STOA_OK) {
        status = count_classes(context, &pair.labels, pair.labels_name, &classes);
    }
    if (status == STOA_OK) {
        const struct stoa_idx_labels read = {pair.labels_name, pair.labels.size[0]};
        status = stoa_idx_parse(context, pair.images_name, images, images_bytes, 3, &read, &pair.pixels);
    }
    return hand_over(status, context, classes, &pair, dataset);
}

/* One of the four files of a set, and what was met in search of it. */
struct search {
    stoa_context *context;
    const char *what, *kind; /* "train-images", "idx3-ubyte" */
    char *found;             /* from malloc, or NULL */
    char *empty;             /* the same: a file without bytes, as a broken download leaves it */
};

enum { PLAIN = 2, SPELLINGS = 4 };

/* FOLDER/NAME in one of the spellings, from malloc; NULL with the error set. */
static char *spell(const struct search *search, const char *folder, int spelling) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s%s%s%s", search->what, spelling & 1 ? "." : "-", search->kind,
                   spelling < PLAIN ? "" : ".gz");
    return stoa_load_join(search->context, folder, name);
}

/* Take the file in one of the spellings, when there is one; with something in it, it is found. */
static stoa_status try_spelling(struct search *search, const char *folder, int spelling) {
    struct stat about;
    char *path = spell(search, folder, spelling);
    if (!path) {
        return STOA_ERR_MEMORY;
    }
    if (stat(path, &about) != 0 || S_ISDIR(about.st_mode)) {
        free(path);
        return STOA_OK;
    }
    char **place = S_ISREG(about.st_mode) && about.st_size == 0 ? &search->empty : &search->found;
    free(*place);
    *place = path;
    return STOA_OK;
}

static stoa_status try_spellings(struct search *search, const char *folder) {
    stoa_status status = STOA_OK;
    for (int i = 0; status == STOA_OK && !search->found && i < SPELLINGS; i++) {
        status = try_spelling(search, folder, i);
    }
    return status;
}

/* In the folder, or in one within that is called like the file, as some archives have it. */
static stoa_status look_for(struct search *search, const char *folder) {
    stoa_status status = try_spellings(search, folder);
    for (int i = 0; status == STOA_OK && !search->found && i < SPELLINGS; i++) {
        char *inner = spell(search, folder, i);
        status = inner ? try_spellings(search, inner) : STOA_ERR_MEMORY;
        free(inner);
    }
    return status;
}

/* Path of one file of a split; NULL with the error set when there is none. */
static char *find_idx(stoa_context *context, const char *folder, const char *what, const char *kind) {
    struct search search = {.context = context, .what = what, .kind = kind};
    stoa_status status = look_for(&search, folder);
    if (status == STOA_OK && search.found && search.empty) {
        stoa_log(context, "%s: is empty, %s is taken instead", search.empty, search.found);
    }
    if (status == STOA_OK && !search.found) {
        status = search.empty
                     ? stoa_fail(context, STOA_ERR_FORMAT, "%s: is empty, expected an IDX file", search.empty)
                     : stoa_fail(context, STOA_ERR_NOT_FOUND,
                                 "%s: holds no %s-%s, neither plain nor with .gz", folder, what, kind);
    }
    free(search.empty);
    if (status != STOA_OK) {
        free(search.found);
        return NULL;
    }
    return search.found;
}

static stoa_status check_folder(stoa_context *context, const char *folder) {
    struct stat about;
    if (stat(folder, &about) != 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return stoa_fail(context, missing ? STOA_ERR_NOT_FOUND : STOA_ERR_IO, "%s: %s", folder,
                         missing ? "no such folder" : "this folder cannot be looked into");
    }
    if (!S_ISDIR(about.st_mode)) {
        return stoa_fail(context, STOA_ERR_IO, "%s: is a file, expected a folder with IDX files", folder);
    }
    return STOA_OK;
}

stoa_status stoa_idx_open_folder(stoa_context *context, const char *folder, stoa_split split, size_t classes,
                                 size_t memory, stoa_dataset **dataset) {
    const char *part = split == STOA_SPLIT_TRAIN ? "train" : "t10k";
    stoa_status status = check_folder(context, folder);
    if (status != STOA_OK) {
        return status;
    }
    char images_name[32], labels_name[32];
    (void)snprintf(images_name, sizeof images_name, "%s-images", part);
    (void)snprintf(labels_name, sizeof labels_name, "%s-labels", part);
    char *images = find_idx(context, folder, images_name, "idx3-ubyte");
    char *labels = images ? find_idx(context, folder, labels_name, "idx1-ubyte") : NULL;
    status = labels ? open_pair(context, images, labels, classes, memory, dataset) : context->error.status;
    free(images);
    free(labels);
    return status;
}

stoa_status stoa_dataset_open(stoa_context *context, const char *folder, stoa_split split, size_t classes,
                              stoa_dataset **dataset) {
    stoa_status status = stoa_require_classes(context, classes);
    return status == STOA_OK ? stoa_idx_open_folder(context, folder, split, classes, 0, dataset) : status;
}
