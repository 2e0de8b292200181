/* SPDX-License-Identifier: MIT */
/* The walk over the tensors of groups: see tensor_groups.h. */
#include "model/tensor_groups.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/size.h"
#include "model/files.h"

/* How much of a name an error sentence repeats. */
#define NAME "%.120s"

/* One tensor of one group. */
struct entry {
    char *name; /* in the block of the list, behind the entries */
    const struct stoa_tensor_group *group;
    size_t index; /* of the model's tensor */
};

/* Bytes of the names of all tensors in all groups. */
static size_t name_bytes(const stoa_model *model, const struct stoa_tensor_group *groups, size_t count) {
    size_t bytes = 0;
    for (size_t g = 0; g < count; g++) {
        for (size_t i = 0; i < model->tensor_count; i++) {
            bytes += strlen(groups[g].prefix) + strlen(model->tensors[i].name) + strlen(groups[g].suffix) + 1;
        }
    }
    return bytes;
}

/* In the order of the groups and of the model's tensors; NULL with the context's error set. */
static struct entry *list_entries(const stoa_model *model, const struct stoa_tensor_group *groups,
                                  size_t count, size_t *entries) {
    size_t most = count * model->tensor_count + 1, names = name_bytes(model, groups, count);
    struct entry *list = calloc(1, most * sizeof *list + names);
    char *name = list ? (char *)(list + most) : NULL;
    if (!list) {
        (void)stoa_fail(model->context, STOA_ERR_MEMORY, "no memory for a list of %zu tensors",
                        count * model->tensor_count);
        return NULL;
    }
    *entries = 0;
    for (size_t g = 0; g < count; g++) {
        for (size_t i = 0; i < model->tensor_count; i++) {
            const struct stoa_tensor_group *group = &groups[g];
            if (group->own || model->tensors[i].spec.trainable || group->statistics) {
                struct entry *entry = &list[(*entries)++];
                entry->group = group;
                entry->index = i;
                entry->name = name;
                name += sprintf(name, "%s%s%s", group->prefix, model->tensors[i].name, group->suffix) + 1;
            }
        }
    }
    return list;
}

static const float *entry_data(const stoa_model *model, const struct entry *entry) {
    const struct stoa_tensor *tensor = &model->tensors[entry->index];
    const struct stoa_tensor_group *group = entry->group;
    return group->own ? stoa_tensor_data(model, entry->index)
                      : (tensor->spec.trainable ? group->parameters : group->statistics) + tensor->offset;
}

static float *entry_change(stoa_model *model, const struct entry *entry) {
    const struct stoa_tensor *tensor = &model->tensors[entry->index];
    const struct stoa_tensor_group *group = entry->group;
    return group->own ? stoa_tensor_change(model, entry->index)
                      : (tensor->spec.trainable ? group->parameters : group->statistics) + tensor->offset;
}

/* Everything before the data: malloc'd in *start. */
static stoa_status make_start(const stoa_model *model, const struct entry *list, size_t entries,
                              const char *text, bool sealed, char **start, size_t *start_bytes,
                              size_t *data_bytes) {
    struct stoa_safetensors_item *items = calloc(entries + 1, sizeof *items);
    if (!items) {
        return stoa_fail(model->context, STOA_ERR_MEMORY, "no memory for a list of %zu tensors", entries);
    }
    for (size_t i = 0; i < entries; i++) {
        const struct stoa_tensor_spec *spec = &model->tensors[list[i].index].spec;
        items[i] = (struct stoa_safetensors_item){list[i].name, spec->rank, spec->shape};
    }
    stoa_status status = stoa_safetensors_start(&model->context->error, items, entries, STOA_MODEL_KEY, text,
                                                sealed, start, start_bytes, data_bytes);
    free(items);
    return status;
}

/* The tensors go straight to their places: starts are 64-byte aligned and floats follow floats. */
static void fill(const stoa_model *model, const struct entry *list, size_t entries, float *values) {
    for (size_t i = 0; i < entries; i++) {
        const struct stoa_tensor *tensor = &model->tensors[list[i].index];
        stoa_tensor_to_disk(&tensor->spec, entry_data(model, &list[i]), values);
        stoa_swap_le_floats(values, tensor->count);
        values += tensor->count;
    }
}

static stoa_status write_entries(const stoa_model *model, const struct entry *list, size_t entries,
                                 const char *text, bool sealed, void **data, size_t *bytes) {
    stoa_context *context = model->context;
    char *start = NULL;
    size_t start_bytes = 0;
    size_t data_bytes = 0;
    stoa_status status = make_start(model, list, entries, text, sealed, &start, &start_bytes, &data_bytes);
    if (!start) {
        return status;
    }
    if (!stoa_size_add(start_bytes, data_bytes, bytes)) {
        status = stoa_fail(context, STOA_ERR_MEMORY, "the model is too large for a file in memory");
    }
    if (status == STOA_OK) {
        *data = stoa_allocate(context, *bytes, "a model file");
        status = *data ? STOA_OK : STOA_ERR_MEMORY;
    }
    if (status == STOA_OK) {
        memcpy(*data, start, start_bytes);
        void *values = (char *)*data + start_bytes;
        fill(model, list, entries, values);
    }
    free(start);
    return status;
}

stoa_status stoa_groups_write(const stoa_model *model, const struct stoa_tensor_group *groups, size_t count,
                              const char *text, bool sealed, void **data, size_t *bytes) {
    size_t entries;
    struct entry *list = list_entries(model, groups, count, &entries);
    if (!list) {
        return STOA_ERR_MEMORY;
    }
    stoa_status status = write_entries(model, list, entries, text, sealed, data, bytes);
    if (status == STOA_OK && sealed) {
        stoa_safetensors_seal(*data, *bytes);
    }
    free(list);
    return status;
}

static stoa_status check_entry(const stoa_model *model, const struct stoa_safetensors *file,
                               const struct entry *entry) {
    const struct stoa_tensor_spec *spec = &model->tensors[entry->index].spec;
    const struct stoa_safetensors_tensor *found = stoa_safetensors_find(file, entry->name);
    char expected[STOA_SAFETENSORS_SHAPE];
    char shape[STOA_SAFETENSORS_SHAPE];
    if (!found) {
        return stoa_fail(model->context, STOA_ERR_FORMAT, "tensor '" NAME "' is missing, expected shape %s",
                         entry->name, stoa_safetensors_shape(spec->rank, spec->shape, expected));
    }
    if (strcmp(found->dtype, "F32") != 0) {
        return stoa_fail(model->context, STOA_ERR_FORMAT,
                         "tensor '" NAME "': found dtype %.20s, expected F32", entry->name, found->dtype);
    }
    if (found->rank != spec->rank || memcmp(found->shape, spec->shape, spec->rank * sizeof(size_t)) != 0) {
        return stoa_fail(model->context, STOA_ERR_SHAPE, "tensor '" NAME "': found shape %s, expected %s",
                         entry->name, stoa_safetensors_shape(found->rank, found->shape, shape),
                         stoa_safetensors_shape(spec->rank, spec->shape, expected));
    }
    return STOA_OK;
}

stoa_status stoa_groups_check(const stoa_model *model, const struct stoa_safetensors *file,
                              const struct stoa_tensor_group *groups, size_t count, bool whole) {
    size_t entries;
    struct entry *list = list_entries(model, groups, count, &entries);
    stoa_status status = list ? STOA_OK : STOA_ERR_MEMORY;
    for (size_t i = 0; status == STOA_OK && i < entries; i++) {
        status = check_entry(model, file, &list[i]);
    }
    free(list);
    if (status == STOA_OK && whole && stoa_safetensors_count(file) != entries) {
        status = stoa_fail(model->context, STOA_ERR_FORMAT, "found %zu tensors, expected %zu",
                           stoa_safetensors_count(file), entries);
    }
    return status;
}

/* One tensor, by way of `values`: data of a file may lie at any address. */
static void read_entry(stoa_model *model, const struct stoa_safetensors *file, const struct entry *entry,
                       float *values) {
    const struct stoa_safetensors_tensor *found = stoa_safetensors_find(file, entry->name);
    const struct stoa_tensor *tensor = &model->tensors[entry->index];
    memcpy(values, found->data, tensor->count * sizeof *values);
    stoa_swap_le_floats(values, tensor->count);
    stoa_tensor_from_disk(&tensor->spec, values, entry_change(model, entry));
}

stoa_status stoa_groups_read(stoa_model *model, const struct stoa_safetensors *file,
                             const struct stoa_tensor_group *groups, size_t count) {
    size_t entries, largest = 1;
    struct entry *list = list_entries(model, groups, count, &entries);
    for (size_t i = 0; i < model->tensor_count; i++) {
        largest = stoa_max(largest, model->tensors[i].count);
    }
    size_t bytes = largest * sizeof(float); /* no overflow: the model has that many */
    float *values = list ? stoa_allocate(model->context, bytes, "a tensor of a model file") : NULL;
    for (size_t i = 0; values && i < entries; i++) {
        read_entry(model, file, &list[i], values);
    }
    stoa_status status = values ? STOA_OK : STOA_ERR_MEMORY;
    if (values) {
        stoa_release(model->context, values, bytes);
    }
    free(list);
    return status;
}
