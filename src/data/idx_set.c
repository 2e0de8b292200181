/* Data sets from pairs of IDX files: images and labels. Floor 6. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/dataset.h"
#include "data/idx.h"
#include "data/read.h"

/* Labels as numbers for every reader alike. */
static stoa_status take_labels(struct stoa_store *store, const struct stoa_idx *labels, const char *name) {
    size_t most = 0;
    for (size_t i = 0; i < labels->bytes; i++) {
        most = labels->data[i] > most ? labels->data[i] : most;
        if (store->classes > 0 && labels->data[i] >= store->classes) {
            return stoa_fail(store->context, STOA_ERR_FORMAT, "%s: label %zu is %u, expected 0 to %zu", name,
                             i, (unsigned)labels->data[i], store->classes - 1);
        }
    }
    store->classes = store->classes > 0 ? store->classes : most + 1;
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

/* Take over what was read, once images and labels fit each other. */
static stoa_status fill_store(struct stoa_store *store, struct stoa_idx *pixels,
                              const struct stoa_idx *labels, const char *images_name,
                              const char *labels_name) {
    if (pixels->size[0] != labels->size[0]) {
        return stoa_fail(store->context, STOA_ERR_FORMAT,
                         "%s: holds %zu labels, expected %zu: %s has as many images", labels_name,
                         labels->size[0], pixels->size[0], images_name);
    }
    stoa_status status = take_labels(store, labels, labels_name);
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
    *pixels = (struct stoa_idx){.rank = 0}; /* the store's now */
    return STOA_OK;
}

/* The last step of both readers: `status` is that of reading the two arrays, which are released. */
static stoa_status hand_over(stoa_status status, stoa_context *context, size_t classes,
                             struct stoa_idx *pixels, struct stoa_idx *labels, const char *images_name,
                             const char *labels_name, stoa_dataset **dataset) {
    struct stoa_store *store = NULL;
    if (status == STOA_OK) {
        store = stoa_store_create(context, "idx");
        status = STOA_ERR_MEMORY;
    }
    if (store) {
        store->classes = classes;
        status = fill_store(store, pixels, labels, images_name, labels_name);
    }
    stoa_idx_release(context, pixels);
    stoa_idx_release(context, labels);
    if (status == STOA_OK) {
        return stoa_dataset_over(store, dataset);
    }
    stoa_store_release(store);
    return status;
}

static stoa_status open_pair(stoa_context *context, const char *images, const char *labels, size_t classes,
                             stoa_dataset **dataset) {
    struct stoa_idx pixels = {.rank = 0}, numbers = {.rank = 0};
    /* Labels first: they are small, and a mistake shows at once. */
    stoa_status status = stoa_idx_read(context, labels, 1, &numbers);
    if (status == STOA_OK) {
        status = stoa_idx_read(context, images, 3, &pixels);
    }
    return hand_over(status, context, classes, &pixels, &numbers, images, labels, dataset);
}

stoa_status stoa_dataset_open_idx(stoa_context *context, const char *images, const char *labels,
                                  size_t classes, stoa_dataset **dataset) {
    stoa_status status = stoa_require_classes(context, classes);
    return status == STOA_OK ? open_pair(context, images, labels, classes, dataset) : status;
}

stoa_status stoa_dataset_from_idx_memory(stoa_context *context, const void *images, size_t images_bytes,
                                         const void *labels, size_t labels_bytes, size_t classes,
                                         stoa_dataset **dataset) {
    static const char images_name[] = "images in memory";
    static const char labels_name[] = "labels in memory";
    struct stoa_idx pixels = {.rank = 0}, numbers = {.rank = 0};
    stoa_status status = stoa_require_classes(context, classes);
    if (status == STOA_OK) {
        status = stoa_idx_parse(context, labels_name, labels, labels_bytes, 1, &numbers);
    }
    if (status == STOA_OK) {
        status = stoa_idx_parse(context, images_name, images, images_bytes, 3, &pixels);
    }
    return hand_over(status, context, classes, &pixels, &numbers, images_name, labels_name, dataset);
}

/* Path of one file of a split, in any of its spellings; NULL with the error set when there is none. */
static char *find_idx(stoa_context *context, const char *folder, const char *what, const char *kind) {
    size_t size = strlen(folder) + 64;
    char *path = malloc(size);
    if (!path) {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "%s: cannot allocate %zu bytes", folder, size);
        return NULL;
    }
    for (int spelling = 0; spelling < 4; spelling++) {
        (void)snprintf(path, size, "%s/%s%s%s%s", folder, what, spelling & 1 ? "." : "-", kind,
                       spelling & 2 ? ".gz" : "");
        struct stat about;
        if (stat(path, &about) == 0) {
            return path;
        }
    }
    free(path);
    (void)stoa_fail(context, STOA_ERR_NOT_FOUND, "%s: holds no %s-%s, neither plain nor with .gz", folder,
                    what, kind);
    return NULL;
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
                                 stoa_dataset **dataset) {
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
    status = labels ? open_pair(context, images, labels, classes, dataset) : context->error.status;
    free(images);
    free(labels);
    return status;
}

stoa_status stoa_dataset_open(stoa_context *context, const char *folder, stoa_split split, size_t classes,
                              stoa_dataset **dataset) {
    stoa_status status = stoa_require_classes(context, classes);
    return status == STOA_OK ? stoa_idx_open_folder(context, folder, split, classes, dataset) : status;
}
