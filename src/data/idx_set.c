/* Data sets from pairs of IDX files: images and labels. Floor 6. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/dataset.h"
#include "data/idx.h"
#include "data/labels.h"
#include "data/mapping.h"
#include "data/read.h"

/* Labels as numbers for every reader alike. */
static stoa_status take_labels(struct stoa_store *store, const struct stoa_idx *labels, const char *name) {
    struct stoa_label_range range = {0};
    for (size_t i = 0; i < labels->bytes; i++) {
        stoa_label_range_add(&range, i, labels->data[i]);
    }
    stoa_status status = stoa_label_range_settle(&range, store->context, name, &store->classes);
    if (status != STOA_OK) {
        return status;
    }
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
    struct stoa_mapping *mapping; /* that the pixels lie in, or NULL */
    const uint8_t *mapped;        /* the first of them */
};

/* Take over what was read, once images and labels fit each other. */
static stoa_status fill_store(struct stoa_store *store, struct pair *pair) {
    struct stoa_idx *pixels = &pair->pixels;
    if (pixels->size[0] != pair->labels.size[0]) {
        return stoa_fail(store->context, STOA_ERR_FORMAT,
                         "%s: holds %zu labels, expected %zu: %s has as many images", pair->labels_name,
                         pair->labels.size[0], pixels->size[0], pair->images_name);
    }
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
    if (pair->mapping) {
        store->samples = pair->mapped;
        store->mapping = pair->mapping;
        pair->mapping = NULL;
    } else {
        store->samples_memory = (struct stoa_held){pixels->data, pixels->bytes};
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
    stoa_mapping_close(pair->mapping);
    if (status == STOA_OK) {
        return stoa_dataset_over(store, dataset);
    }
    stoa_store_release(store);
    return status;
}

/* Images that are larger than `memory`, unless it is 0, are mapped where they are plain. */
static stoa_status read_images(stoa_context *context, size_t memory, struct pair *pair) {
    const char *path = pair->images_name;
    if (memory == 0 || stoa_file_size(path) <= memory) {
        return stoa_idx_read(context, path, 3, &pair->pixels);
    }
    stoa_status status = stoa_mapping_open(context, path, memory, &pair->mapping);
    if (status != STOA_OK) {
        return status;
    }
    const uint8_t *data = stoa_mapping_data(pair->mapping);
    size_t bytes = stoa_mapping_bytes(pair->mapping);
    if (bytes >= 2 && data[0] == 0x1F && data[1] == 0x8B) {
        return stoa_fail(
            context, STOA_ERR_ARGUMENT,
            "%s: packed into %zu bytes, expected no more than the memory of %zu, or a plain file, which "
            "can be mapped",
            path, bytes, memory);
    }
    return stoa_idx_view(context, path, data, bytes, 3, &pair->pixels, &pair->mapped);
}

static stoa_status open_pair(stoa_context *context, const char *images, const char *labels, size_t classes,
                             size_t memory, stoa_dataset **dataset) {
    struct pair pair = {.images_name = images, .labels_name = labels};
    /* Labels first: they are small, and a mistake shows at once. */
    stoa_status status = stoa_idx_read(context, labels, 1, &pair.labels);
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
        status = stoa_idx_parse(context, pair.labels_name, labels, labels_bytes, 1, &pair.labels);
    }
    if (status == STOA_OK) {
        status = stoa_idx_parse(context, pair.images_name, images, images_bytes, 3, &pair.pixels);
    }
    return hand_over(status, context, classes, &pair, dataset);
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
