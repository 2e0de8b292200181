/* SPDX-License-Identifier: MIT */
/* Stores: the memory of samples, labels and targets, counted by the data sets that look at it. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "data/dataset.h"
#include "data/disk.h"
#include "data/table.h"

struct stoa_store *stoa_store_create(stoa_context *context, const char *format) {
    struct stoa_store *store = calloc(1, sizeof *store);
    if (!store) {
        (void)stoa_fail(context, STOA_ERR_MEMORY, "data set: cannot allocate %zu bytes", sizeof *store);
        return NULL;
    }
    store->context = context;
    store->users = 1;
    store->format = format;
    return store;
}

void stoa_store_release(struct stoa_store *store) {
    if (!store || --store->users > 0) {
        return;
    }
    stoa_release(store->context, store->samples_memory.data, store->samples_memory.bytes);
    stoa_release(store->context, store->labels_memory.data, store->labels_memory.bytes);
    stoa_release(store->context, store->targets_memory.data, store->targets_memory.bytes);
    stoa_disk_close(store->file);
    stoa_free_names(store->names, store->classes);
    stoa_free_names(store->column_names, store->columns_named);
    stoa_free_names(store->target_names, store->target_count);
    stoa_table_free(store->table);
    free(store->label_name);
    free(store);
}

static stoa_status allocate_block(struct stoa_store *store, const char *name, struct stoa_held *block) {
    block->data = stoa_allocate(store->context, block->bytes, name);
    return block->data ? STOA_OK : STOA_ERR_MEMORY;
}

stoa_status stoa_store_allocate(struct stoa_store *store, const char *name, size_t count) {
    size_t bytes = stoa_sample_bytes(store->type);
    const size_t factors[] = {count, store->height, store->width, store->channels};
    bool fits = count <= STOA_MAX_DIMENSION;
    for (size_t i = 0; fits && i < sizeof factors / sizeof factors[0]; i++) {
        fits = stoa_size_scale(&bytes, factors[i]) && bytes <= SIZE_MAX / 2;
    }
    if (!fits) {
        return stoa_fail(store->context, STOA_ERR_FORMAT,
                         "%s: %zu samples of %zux%zux%zu values are more than memory can hold", name, count,
                         store->height, store->width, store->channels);
    }
    store->count = count;
    store->samples_memory.bytes = bytes;
    store->labels_memory.bytes = count * sizeof(int32_t);
    stoa_status status = allocate_block(store, name, &store->samples_memory);
    if (status == STOA_OK) {
        status = allocate_block(store, name, &store->labels_memory);
    }
    store->samples = store->samples_memory.data;
    store->labels = store->labels_memory.data;
    return status;
}

stoa_status stoa_store_allocate_targets(struct stoa_store *store, const char *name, stoa_task task,
                                        size_t target_count) {
    size_t bytes = store->count;
    if (!stoa_size_scale(&bytes, target_count) || !stoa_size_scale(&bytes, sizeof(float)) ||
        bytes > SIZE_MAX / 2) {
        return stoa_fail(store->context, STOA_ERR_FORMAT,
                         "%s: %zu samples of %zu targets are more than memory can hold", name, store->count,
                         target_count);
    }
    store->task = task;
    store->classes = 0;
    store->targets_memory.bytes = bytes;
    stoa_status status = allocate_block(store, name, &store->targets_memory);
    if (status == STOA_OK && !store->labels_memory.data) {
        store->labels_memory.bytes = store->count * sizeof(int32_t);
        status = allocate_block(store, name, &store->labels_memory);
    }
    if (status == STOA_OK) {
        memset(store->labels_memory.data, 0, store->labels_memory.bytes);
        store->labels = store->labels_memory.data;
        store->targets = store->targets_memory.data;
        store->target_count = target_count;
    }
    return status;
}

stoa_status stoa_require_classes(stoa_context *context, size_t classes) {
    if (classes == 0 || classes > STOA_MAX_DIMENSION) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "data set: %zu classes, expected 1 to %zu", classes,
                         STOA_MAX_DIMENSION);
    }
    return STOA_OK;
}

void stoa_free_names(char **names, size_t count) {
    for (size_t i = 0; names && i < count; i++) {
        free(names[i]);
    }
    free(names);
}

char **stoa_copy_names(const char *const *names, size_t count) {
    char **copy = calloc(count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(names[i]);
        if (!copy[i]) {
            stoa_free_names(copy, count);
            return NULL;
        }
    }
    return copy;
}
