/* SPDX-License-Identifier: MIT */
/* Safetensors: the reader trusts nothing. Format: https://github.com/huggingface/safetensors. The header is
 * read a tensor at a time, so that what is kept of it is in proportion to its text. Knows nothing of
 * models. */
#include "model/safetensors.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/size.h"
#include "model/json.h"

/* How much of a foreign name an error sentence repeats. */
#define NAME "%.80s"

enum { LENGTH_BYTES = 8 };

/* Keys and values of one tensor's entry: some more than it may have, for the sentence that says which is too
 * many. Few files have more than a dozen keys of metadata. */
enum { ENTRY_PARTS = 64, METADATA_PARTS = 8192 };

/* Memory that grows; what lies in it is found by its place until the header is read. */
struct pool {
    void *memory;
    size_t used, room; /* bytes */
};

struct stoa_safetensors {
    bool is_renamed;
    json_t *metadata; /* NULL where there is none */
    size_t count;
    struct stoa_safetensors_tensor *tensors; /* in the order of their data */
    const char **renamed; /* new names in that order, NULL: taken out; NULL before the first of them */
    const struct stoa_safetensors_tensor **by_name; /* the same in the order of their names */
    struct pool entries, names, sizes; /* memory of tensors, of their names, of their dimensions */
};

/* Bits of one element of every type the format knows; some are smaller than a byte. */
static const struct {
    const char *name;
    size_t bits;
} dtypes[] = {
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
};

/* `bytes` more bytes at the end of a pool; NULL without memory. */
static void *extend(struct pool *pool, size_t bytes) {
    if (!pool->memory || bytes > pool->room - pool->used) {
        size_t room = 0;
        bool fits = stoa_size_add(pool->used, bytes + 1, &room) && stoa_size_scale(&room, 2);
        void *memory = fits ? realloc(pool->memory, room) : NULL;
        if (!memory) {
            return NULL;
        }
        pool->memory = memory;
        pool->room = room;
    }
    void *at = (char *)pool->memory + pool->used;
    pool->used += bytes;
    return at;
}

static bool keep_text(struct pool *pool, const char *text) {
    size_t bytes = strlen(text) + 1;
    void *at = extend(pool, bytes);
    if (at) {
        memcpy(at, text, bytes);
    }
    return at != NULL;
}

/* A non-negative JSON integer. */
static bool read_size(const json_t *value, size_t *size) {
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > (uint64_t)SIZE_MAX) {
        return false;
    }
    *size = (size_t)json_integer_value(value);
    return true;
}

static stoa_status read_dtype(struct stoa_error *error, const json_t *value,
                              struct stoa_safetensors_tensor *tensor, size_t *bits) {
    const char *name = json_string_value(value);
    if (!name) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "tensor '" NAME "': 'dtype' is not a string",
                              tensor->name);
    }
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            tensor->dtype = dtypes[i].name;
            *bits = dtypes[i].bits;
            return STOA_OK;
        }
    }
    return stoa_error_set(error, STOA_ERR_FORMAT,
                          "tensor '" NAME "': found dtype '%.20s', expected one such as F32", tensor->name,
                          name);
}

/* The dimensions, in `shape`, which the tensor then has. */
static stoa_status read_shape(struct stoa_error *error, const json_t *value,
                              size_t shape[STOA_SAFETENSORS_MAX_RANK],
                              struct stoa_safetensors_tensor *tensor) {
    if (!json_is_array(value)) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "tensor '" NAME "': 'shape' is not a list",
                              tensor->name);
    }
    tensor->shape = shape;
    tensor->rank = json_array_size(value);
    if (tensor->rank > STOA_SAFETENSORS_MAX_RANK) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': found %zu dimensions, expected at most %d", tensor->name,
                              tensor->rank, STOA_SAFETENSORS_MAX_RANK);
    }
    for (size_t i = 0; i < tensor->rank; i++) {
        if (!read_size(json_array_get(value, i), &shape[i])) {
            return stoa_error_set(error, STOA_ERR_FORMAT,
                                  "tensor '" NAME "': dimension %zu of 'shape' is not a size", tensor->name,
                                  i);
        }
    }
    return STOA_OK;
}

/* Bytes that type and shape ask for; false when that is no number of bytes. */
static bool shape_bytes(const struct stoa_safetensors_tensor *tensor, size_t bits, size_t *bytes) {
    size_t total = bits;
    bool empty = false;
    for (size_t i = 0; i < tensor->rank; i++) {
        empty = empty || tensor->shape[i] == 0;
    }
    for (size_t i = 0; i < tensor->rank && !empty; i++) {
        if (!stoa_size_scale(&total, tensor->shape[i])) {
            return false;
        }
    }
    *bytes = empty ? 0 : total / 8;
    return empty || total % 8 == 0;
}

static stoa_status read_offsets(struct stoa_error *error, const json_t *value, size_t bits, size_t data_bytes,
                                struct stoa_safetensors_tensor *tensor) {
    size_t end = 0;
    if (!json_is_array(value) || json_array_size(value) != 2 ||
        !read_size(json_array_get(value, 0), &tensor->begin) || !read_size(json_array_get(value, 1), &end)) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': 'data_offsets' is not a pair of sizes", tensor->name);
    }
    if (tensor->begin > end || end > data_bytes) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME
                              "': found data_offsets %zu to %zu, expected a part of the %zu data bytes",
                              tensor->name, tensor->begin, end, data_bytes);
    }
    size_t expected;
    if (!shape_bytes(tensor, bits, &expected)) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': its shape is too large or no whole bytes", tensor->name);
    }
    tensor->bytes = end - tensor->begin;
    if (tensor->bytes != expected) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME
                              "': found %zu bytes of data, expected %zu for its dtype and shape",
                              tensor->name, tensor->bytes, expected);
    }
    return STOA_OK;
}

/* An entry of the header; its dimensions go to `shape`. */
static stoa_status read_entry(struct stoa_error *error, json_t *entry, size_t data_bytes,
                              size_t shape[STOA_SAFETENSORS_MAX_RANK],
                              struct stoa_safetensors_tensor *tensor) {
    if (!json_is_object(entry)) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "tensor '" NAME "' is not described by a JSON object",
                              tensor->name);
    }
    const char *key;
    json_t *value;
    json_object_foreach(entry, key, value) {
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 && strcmp(key, "data_offsets") != 0) {
            return stoa_error_set(error, STOA_ERR_FORMAT,
                                  "tensor '" NAME
                                  "': found key '%.20s', expected dtype, shape and data_offsets",
                                  tensor->name, key);
        }
    }
    size_t bits = 0;
    stoa_status status = read_dtype(error, json_object_get(entry, "dtype"), tensor, &bits);
    if (status == STOA_OK) {
        status = read_shape(error, json_object_get(entry, "shape"), shape, tensor);
    }
    if (status == STOA_OK) {
        status = read_offsets(error, json_object_get(entry, "data_offsets"), bits, data_bytes, tensor);
    }
    return status;
}

static stoa_status no_memory(struct stoa_error *error) {
    return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for the tensors of a safetensors header");
}

static stoa_status keep_tensor(struct stoa_error *error, struct stoa_safetensors *file,
                               const struct stoa_safetensors_tensor *tensor) {
    size_t bytes = tensor->rank * sizeof tensor->shape[0];
    void *entry = extend(&file->entries, sizeof *tensor);
    void *sizes = extend(&file->sizes, bytes);
    if (!entry || !sizes || !keep_text(&file->names, tensor->name)) {
        return no_memory(error);
    }
    memcpy(entry, tensor, sizeof *tensor);
    memcpy(sizes, tensor->shape, bytes);
    file->count++;
    return STOA_OK;
}

static stoa_status read_tensor(struct stoa_error *error, struct stoa_safetensors *file,
                               struct stoa_json_object *header, const char *name, const unsigned char *data,
                               size_t data_bytes) {
    char what[96];
    (void)snprintf(what, sizeof what, "tensor '" NAME "'", name);
    const struct stoa_json_limits limits = {what, 2, ENTRY_PARTS};
    size_t shape[STOA_SAFETENSORS_MAX_RANK];
    struct stoa_safetensors_tensor tensor = {.name = name, .shape = shape};
    json_t *entry = NULL;
    stoa_status status = stoa_json_value(error, header, &limits, &entry);
    if (status == STOA_OK) {
        status = read_entry(error, entry, data_bytes, shape, &tensor);
    }
    if (status == STOA_OK) {
        tensor.data = data + tensor.begin;
        status = keep_tensor(error, file, &tensor);
    }
    json_decref(entry);
    return status;
}

static stoa_status read_metadata(struct stoa_error *error, struct stoa_safetensors *file,
                                 struct stoa_json_object *header) {
    if (file->metadata) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "'__metadata__' is there twice");
    }
    const struct stoa_json_limits limits = {"'__metadata__'", 1, METADATA_PARTS};
    stoa_status status = stoa_json_value(error, header, &limits, &file->metadata);
    if (status != STOA_OK) {
        return status;
    }
    if (!json_is_object(file->metadata)) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "'__metadata__' is not a JSON object");
    }
    const char *key;
    json_t *value;
    json_object_foreach(file->metadata, key, value) {
        if (!json_is_string(value)) {
            return stoa_error_set(error, STOA_ERR_FORMAT,
                                  "'__metadata__': the value of '" NAME "' is not a string", key);
        }
    }
    return STOA_OK;
}

/* By place in the data; empty tensors come before the one that starts at the same place. */
static int compare_places(const void *left, const void *right) {
    const struct stoa_safetensors_tensor *a = left;
    const struct stoa_safetensors_tensor *b = right;
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

/* Every data byte belongs to exactly one tensor. */
static stoa_status check_cover(struct stoa_error *error, struct stoa_safetensors *file, size_t data_bytes) {
    size_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct stoa_safetensors_tensor *tensor = &file->tensors[i];
        if (tensor->begin != end) {
            return stoa_error_set(
                error, STOA_ERR_FORMAT,
                "tensor '" NAME "': its data begin at %zu, expected %zu (%s the tensor before)", tensor->name,
                tensor->begin, end, tensor->begin < end ? "overlaps" : "gap after");
        }
        end += tensor->bytes;
    }
    if (end != data_bytes) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "found %zu bytes of data, expected %zu for its tensors",
                              data_bytes, end);
    }
    return STOA_OK;
}

static int compare_names(const void *left, const void *right) {
    const struct stoa_safetensors_tensor *const *a = left;
    const struct stoa_safetensors_tensor *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

/* The pools have their final places: give the tensors their names and dimensions, and put them in order. */
static stoa_status put_in_order(struct stoa_error *error, struct stoa_safetensors *file) {
    file->tensors = file->entries.memory;
    const char *name = file->names.memory;
    const size_t *shape = file->sizes.memory;
    file->by_name = calloc(file->count + 1, sizeof(const struct stoa_safetensors_tensor *));
    if (!file->by_name) {
        return no_memory(error);
    }
    for (size_t i = 0; i < file->count; i++) {
        file->tensors[i].name = name;
        file->tensors[i].shape = shape;
        name += strlen(name) + 1;
        shape += file->tensors[i].rank;
    }
    if (file->count > 0) {
        qsort(file->tensors, file->count, sizeof file->tensors[0], compare_places);
    }
    for (size_t i = 0; i < file->count; i++) {
        file->by_name[i] = &file->tensors[i];
    }
    qsort(file->by_name, file->count, sizeof(const struct stoa_safetensors_tensor *), compare_names);
    for (size_t i = 1; i < file->count; i++) {
        if (compare_names(&file->by_name[i - 1], &file->by_name[i]) == 0) {
            return stoa_error_set(error, STOA_ERR_FORMAT, "tensor '" NAME "' is there twice",
                                  file->by_name[i]->name);
        }
    }
    return STOA_OK;
}

static stoa_status read_header(struct stoa_error *error, struct stoa_safetensors *file, const char *text,
                               size_t bytes, size_t data_bytes) {
    if (bytes == 0 || text[0] != '{') {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "its header does not begin with '{': not a safetensors file");
    }
    struct stoa_json_object header = {.what = "its header", .text = text, .bytes = bytes};
    json_t *key = NULL;
    stoa_status status = stoa_json_key(error, &header, &key);
    while (status == STOA_OK && key) {
        const char *name = json_string_value(key);
        const unsigned char *data = (const unsigned char *)text + bytes;
        status = strcmp(name, "__metadata__") == 0
                     ? read_metadata(error, file, &header)
                     : read_tensor(error, file, &header, name, data, data_bytes);
        json_decref(key);
        key = NULL;
        if (status == STOA_OK) {
            status = stoa_json_key(error, &header, &key);
        }
    }
    if (status == STOA_OK) {
        status = put_in_order(error, file);
    }
    return status == STOA_OK ? check_cover(error, file, data_bytes) : status;
}

static stoa_status find_header(struct stoa_error *error, const unsigned char *data, size_t bytes,
                               size_t *header) {
    if (bytes < LENGTH_BYTES) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "found %zu bytes, expected a safetensors file", bytes);
    }
    uint64_t length = stoa_load_le64(data);
    if (length > STOA_SAFETENSORS_MAX_HEADER) {
        return stoa_error_set(
            error, STOA_ERR_FORMAT,
            "found a header length of %llu bytes, expected at most %d: not a safetensors file",
            (unsigned long long)length, STOA_SAFETENSORS_MAX_HEADER);
    }
    if (length > bytes - LENGTH_BYTES) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "found %zu bytes, expected a header of %llu bytes: truncated", bytes,
                              (unsigned long long)length);
    }
    *header = (size_t)length;
    return STOA_OK;
}

stoa_status stoa_safetensors_open(struct stoa_error *error, const void *data, size_t bytes,
                                  struct stoa_safetensors **file) {
    size_t header = 0;
    stoa_status status = find_header(error, data, bytes, &header);
    if (status != STOA_OK) {
        return status;
    }
    struct stoa_safetensors *opened = calloc(1, sizeof *opened);
    if (!opened) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "no memory to open a safetensors file");
    }
    const char *text = (const char *)data + LENGTH_BYTES;
    status = read_header(error, opened, text, header, bytes - LENGTH_BYTES - header);
    if (status != STOA_OK) {
        stoa_safetensors_close(opened);
        return status;
    }
    *file = opened;
    return STOA_OK;
}

void stoa_safetensors_close(struct stoa_safetensors *file) {
    if (file) {
        json_decref(file->metadata);
        free(file->entries.memory);
        free(file->names.memory);
        free(file->sizes.memory);
        free(file->by_name);
        free(file->renamed);
        free(file);
    }
}

size_t stoa_safetensors_count(const struct stoa_safetensors *file) {
    return file->count;
}

const struct stoa_safetensors_tensor *stoa_safetensors_at(const struct stoa_safetensors *file, size_t index) {
    return index < file->count ? &file->tensors[index] : NULL;
}

const struct stoa_safetensors_tensor *stoa_safetensors_find(const struct stoa_safetensors *file,
                                                            const char *name) {
    const struct stoa_safetensors_tensor wanted = {.name = name};
    const struct stoa_safetensors_tensor *key = &wanted;
    const struct stoa_safetensors_tensor *const *found = bsearch(
        &key, file->by_name, file->count, sizeof(const struct stoa_safetensors_tensor *), compare_names);
    return found ? *found : NULL;
}

bool stoa_safetensors_rename(struct stoa_safetensors *file, const char *from, const char *to) {
    const struct stoa_safetensors_tensor *found = stoa_safetensors_find(file, from);
    if (!found) {
        return false;
    }
    if (!file->renamed) {
        file->renamed = calloc(file->count, sizeof *file->renamed);
        for (size_t i = 0; file->renamed && i < file->count; i++) {
            file->renamed[i] = file->tensors[i].name;
        }
    }
    if (file->renamed) { /* else stoa_safetensors_renamed() says that there is no memory */
        file->renamed[found - file->tensors] = to;
    }
    file->is_renamed = true;
    return true;
}

stoa_status stoa_safetensors_renamed(struct stoa_error *error, struct stoa_safetensors *file) {
    size_t kept = 0;
    if (!file->is_renamed) {
        return STOA_OK;
    }
    if (!file->renamed) {
        return no_memory(error);
    }
    for (size_t i = 0; i < file->count; i++) {
        if (file->renamed[i]) {
            file->tensors[kept] = file->tensors[i];
            file->tensors[kept].name = file->renamed[i];
            file->by_name[kept] = &file->tensors[kept];
            kept++;
        }
    }
    file->count = kept;
    qsort(file->by_name, kept, sizeof(const struct stoa_safetensors_tensor *), compare_names);
    for (size_t i = 1; i < kept; i++) {
        if (compare_names(&file->by_name[i - 1], &file->by_name[i]) == 0) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "two tensors are to be '" NAME "'",
                                  file->by_name[i]->name);
        }
    }
    return STOA_OK;
}

const char *stoa_safetensors_metadata(const struct stoa_safetensors *file, const char *key) {
    return json_string_value(json_object_get(file->metadata, key));
}

const char *stoa_safetensors_shape(size_t rank, const size_t *shape, char out[STOA_SAFETENSORS_SHAPE]) {
    size_t used = (size_t)snprintf(out, STOA_SAFETENSORS_SHAPE, "(");
    for (size_t i = 0; i < rank && used < STOA_SAFETENSORS_SHAPE; i++) {
        used += (size_t)snprintf(out + used, STOA_SAFETENSORS_SHAPE - used, "%s%zu", i == 0 ? "" : ", ",
                                 shape[i]);
    }
    if (used < STOA_SAFETENSORS_SHAPE) {
        (void)snprintf(out + used, STOA_SAFETENSORS_SHAPE - used, ")");
    }
    return out;
}
