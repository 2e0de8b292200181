/* SPDX-License-Identifier: MIT */
/* Data sets from pairs of IDX files: images and labels. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "data/dataset.h"
#include "data/disk.h"
#include "data/idx.h"
#include "data/npy_labels.h"
#include "data/read.h"
#include "data/shape.h"

/* Labels have one dimension, or two where they are rows. */
enum { LABELS_RANK = 2 };

/* What was read of the two files. */
struct pair {
    const char *images_name, *labels_name; /* of the labels NULL: images alone are wanted */
    const stoa_data_options *options;
    struct stoa_store *store; /* in the making */
    struct stoa_idx pixels, labels;
    struct stoa_disk_file *file; /* that the pixels lie in, or NULL */
};

/* Labels first: they are small, and a mistake shows at once. They are numbers of classes, or rows that are 1
 * at their class. */
static stoa_status take_labels(stoa_context *context, struct pair *pair) {
    struct stoa_store *store = pair->store = stoa_store_create(context, "idx");
    const struct stoa_npy *npy = &pair->labels.npy;
    if (!store) {
        return STOA_ERR_MEMORY;
    }
    store->classes = pair->options->classes;
    store->count = npy->size[0];
    store->labels_memory.bytes = store->count * sizeof(int32_t);
    store->labels_memory.data = stoa_allocate(context, store->labels_memory.bytes, pair->labels_name);
    store->labels = store->labels_memory.data;
    return store->labels ? stoa_npy_take_labels(store, pair->labels_name, npy, pair->labels.data,
                                                pair->images_name, pair->options)
                         : STOA_ERR_MEMORY;
}

/* Take over the samples. */
static stoa_status take_samples(struct pair *pair) {
    static const size_t one = 1;
    struct stoa_store *store = pair->store;
    struct stoa_idx *pixels = &pair->pixels;
    const struct stoa_npy *npy = &pixels->npy;
    const bool single = npy->rank == 1;
    stoa_status status = pair->file ? stoa_npy_check_file(store->context, pair->images_name, npy, pair->file)
                                    : stoa_npy_check_values(store->context, pair->images_name, npy,
                                                            pixels->data, 0, npy->values);
    if (status == STOA_OK) {
        status = stoa_store_arrange(store, pair->images_name, single ? &one : npy->size + 1,
                                    single ? 1 : npy->rank - 1, pair->options);
    }
    if (status != STOA_OK) {
        return status;
    }
    store->type = npy->type;
    store->swapped = npy->swapped;
    store->count = npy->size[0];
    store->offset = pair->file ? npy->offset : 0;
    store->samples = pixels->data;
    store->samples_memory = (struct stoa_held){pixels->data, pair->file ? 0 : pixels->bytes};
    store->file = pair->file;
    pair->file = NULL;
    *pixels = (struct stoa_idx){.bytes = 0}; /* the store's now */
    return STOA_OK;
}

/* The last step of all readers: `status` is that of reading the two arrays, which are released. */
static stoa_status hand_over(stoa_status status, stoa_context *context, struct pair *pair,
                             stoa_dataset **dataset) {
    if (status == STOA_OK) {
        status = take_samples(pair);
    }
    stoa_idx_release(context, &pair->pixels);
    stoa_idx_release(context, &pair->labels);
    stoa_disk_close(pair->file);
    if (status == STOA_OK) {
        return stoa_dataset_over(pair->store, dataset);
    }
    stoa_store_release(pair->store);
    return status;
}

/* Images that are larger than `memory`, unless it is 0, stay on disk where they are plain. */
static stoa_status read_images(stoa_context *context, size_t memory, struct pair *pair) {
    const char *path = pair->images_name;
    const struct stoa_idx_labels known = {pair->labels_name, pair->labels.npy.size[0]};
    const struct stoa_idx_labels *labels = pair->labels_name ? &known : NULL;
    if (memory == 0 || stoa_file_size(path) <= memory) {
        return stoa_idx_read(context, path, STOA_IDX_MAX_RANK, labels, &pair->pixels);
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
    return stoa_idx_view(context, path, head, bytes, STOA_IDX_MAX_RANK, labels, &pair->pixels);
}

stoa_status stoa_idx_open(stoa_context *context, const char *images, const char *labels,
                          const stoa_data_options *options, stoa_dataset **dataset) {
    struct pair pair = {.images_name = images, .labels_name = labels, .options = options};
    stoa_status status = stoa_idx_read(context, labels, LABELS_RANK, NULL, &pair.labels);
    if (status == STOA_OK) {
        status = take_labels(context, &pair);
    }
    if (status == STOA_OK) {
        status = read_images(context, options->memory, &pair);
    }
    return hand_over(status, context, &pair, dataset);
}

/* Labels of 0 for images without any. */
static stoa_status take_no_labels(stoa_context *context, struct pair *pair) {
    struct stoa_store *store = pair->store;
    store->classes = stoa_max(1, pair->options->classes);
    store->labels_memory.bytes = pair->pixels.npy.size[0] * sizeof(int32_t);
    store->labels_memory.data = stoa_allocate(context, store->labels_memory.bytes, pair->images_name);
    store->labels = store->labels_memory.data;
    if (!store->labels) {
        return STOA_ERR_MEMORY;
    }
    memset(store->labels_memory.data, 0, store->labels_memory.bytes);
    return STOA_OK;
}

stoa_status stoa_idx_open_images(stoa_context *context, const char *path, const stoa_data_options *options,
                                 stoa_dataset **dataset) {
    struct pair pair = {.images_name = path, .options = options, .store = stoa_store_create(context, "idx")};
    stoa_status status = pair.store ? read_images(context, options->memory, &pair) : STOA_ERR_MEMORY;
    if (status == STOA_OK) {
        status = take_no_labels(context, &pair);
    }
    return hand_over(status, context, &pair, dataset);
}

bool stoa_idx_is_file(const char *path) {
    uint8_t head[4] = {0};
    FILE *file = fopen(path, "rbe");
    size_t bytes = file ? fread(head, 1, sizeof head, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    bool packed = bytes == sizeof head && head[0] == 0x1F && head[1] == 0x8B;
    return packed || (bytes == sizeof head && head[0] == 0 && head[1] == 0 && head[2] >= 0x08 &&
                      head[2] <= 0x0E && head[3] > 0 && head[3] <= STOA_IDX_MAX_RANK);
}

stoa_status stoa_dataset_open_idx(stoa_context *context, const char *images, const char *labels,
                                  size_t classes, stoa_dataset **dataset) {
    const stoa_data_options options = {.classes = classes};
    stoa_status status = stoa_require_classes(context, classes);
    return status == STOA_OK ? stoa_idx_open(context, images, labels, &options, dataset) : status;
}

stoa_status stoa_dataset_from_idx_memory(stoa_context *context, const void *images, size_t images_bytes,
                                         const void *labels, size_t labels_bytes, size_t classes,
                                         stoa_dataset **dataset) {
    const stoa_data_options options = {.classes = classes};
    struct pair pair = {
        .images_name = "images in memory", .labels_name = "labels in memory", .options = &options};
    stoa_status status = stoa_require_classes(context, classes);
    if (status == STOA_OK) {
        status =
            stoa_idx_parse(context, pair.labels_name, labels, labels_bytes, LABELS_RANK, NULL, &pair.labels);
    }
    if (status == STOA_OK) {
        status = take_labels(context, &pair);
    }
    if (status == STOA_OK) {
        const struct stoa_idx_labels read = {pair.labels_name, pair.labels.npy.size[0]};
        status = stoa_idx_parse(context, pair.images_name, images, images_bytes, STOA_IDX_MAX_RANK, &read,
                                &pair.pixels);
    }
    return hand_over(status, context, &pair, dataset);
}

stoa_status stoa_dataset_open(stoa_context *context, const char *folder, stoa_split split, size_t classes,
                              stoa_dataset **dataset) {
    const stoa_data_options options = {.classes = classes};
    stoa_status status = stoa_require_classes(context, classes);
    return status == STOA_OK ? stoa_idx_open_folder(context, folder, split, &options, dataset) : status;
}
