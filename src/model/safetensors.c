/* Safetensors: the reader trusts nothing, the writer always gives the same bytes for the same tensors.
 * Format: https://github.com/huggingface/safetensors. JSON is jansson's work; knows nothing of models.
 * Floor 6. */
#include "model/safetensors.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "model/json_write.h"

/* Tensor data are copied in and out as they lie in the file, and the file is little-endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "model files need a little-endian machine");

/* How much of a foreign name an error sentence repeats. */
#define NAME "%.80s"

enum { LENGTH_BYTES = 8, DATA_ALIGNMENT = 64 };

struct stoa_safetensors {
    json_t *header; /* owns names, types and metadata */
    size_t count;
    struct stoa_safetensors_tensor *tensors;
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

static size_t dtype_bits(const char *name) {
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            return dtypes[i].bits;
        }
    }
    return 0;
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
    tensor->dtype = json_string_value(value);
    if (!tensor->dtype) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "tensor '" NAME "': 'dtype' is not a string",
                              tensor->name);
    }
    *bits = dtype_bits(tensor->dtype);
    if (*bits == 0) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': found dtype '%.20s', expected one such as F32",
                              tensor->name, tensor->dtype);
    }
    return STOA_OK;
}

static stoa_status read_shape(struct stoa_error *error, const json_t *value,
                              struct stoa_safetensors_tensor *tensor) {
    if (!json_is_array(value)) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "tensor '" NAME "': 'shape' is not a list",
                              tensor->name);
    }
    tensor->rank = json_array_size(value);
    if (tensor->rank > STOA_SAFETENSORS_MAX_RANK) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': found %zu dimensions, expected at most %d", tensor->name,
                              tensor->rank, STOA_SAFETENSORS_MAX_RANK);
    }
    for (size_t i = 0; i < tensor->rank; i++) {
        if (!read_size(json_array_get(value, i), &tensor->shape[i])) {
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
    if (!json_is_array(value) || json_array_size(value) != 2 ||
        !read_size(json_array_get(value, 0), &tensor->begin) ||
        !read_size(json_array_get(value, 1), &tensor->end)) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': 'data_offsets' is not a pair of sizes", tensor->name);
    }
    if (tensor->begin > tensor->end || tensor->end > data_bytes) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME
                              "': found data_offsets %zu to %zu, expected a part of the %zu data bytes",
                              tensor->name, tensor->begin, tensor->end, data_bytes);
    }
    size_t expected;
    if (!shape_bytes(tensor, bits, &expected)) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': its shape is too large or no whole bytes", tensor->name);
    }
    tensor->bytes = tensor->end - tensor->begin;
    if (tensor->bytes != expected) {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "tensor '" NAME
                              "': found %zu bytes of data, expected %zu for its dtype and shape",
                              tensor->name, tensor->bytes, expected);
    }
    return STOA_OK;
}

static stoa_status read_tensor(struct stoa_error *error, json_t *entry, size_t data_bytes,
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
        status = read_shape(error, json_object_get(entry, "shape"), tensor);
    }
    if (status == STOA_OK) {
        status = read_offsets(error, json_object_get(entry, "data_offsets"), bits, data_bytes, tensor);
    }
    return status;
}

static stoa_status check_metadata(struct stoa_error *error, json_t *metadata) {
    if (!json_is_object(metadata)) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "'__metadata__' is not a JSON object");
    }
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value)) {
            return stoa_error_set(error, STOA_ERR_FORMAT,
                                  "'__metadata__': the value of '" NAME "' is not a string", key);
        }
    }
    return STOA_OK;
}

/* By place in the data; empty tensors come before the one that starts at the same place. */
static int compare_tensors(const void *left, const void *right) {
    const struct stoa_safetensors_tensor *a = left;
    const struct stoa_safetensors_tensor *b = right;
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    if (a->end != b->end) {
        return a->end < b->end ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

/* Every data byte belongs to exactly one tensor. */
static stoa_status check_cover(struct stoa_error *error, struct stoa_safetensors *file, size_t data_bytes) {
    qsort(file->tensors, file->count, sizeof file->tensors[0], compare_tensors);
    size_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct stoa_safetensors_tensor *tensor = &file->tensors[i];
        if (tensor->begin != end) {
            return stoa_error_set(
                error, STOA_ERR_FORMAT,
                "tensor '" NAME "': its data begin at %zu, expected %zu (%s the tensor before)", tensor->name,
                tensor->begin, end, tensor->begin < end ? "overlaps" : "gap after");
        }
        end = tensor->end;
    }
    if (end != data_bytes) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "found %zu bytes of data, expected %zu for its tensors",
                              data_bytes, end);
    }
    return STOA_OK;
}

static stoa_status read_tensors(struct stoa_error *error, struct stoa_safetensors *file,
                                const unsigned char *data, size_t data_bytes) {
    /* calloc checks the product; one spare element keeps an empty file from asking for nothing. */
    file->tensors = calloc(json_object_size(file->header) + 1, sizeof file->tensors[0]);
    if (!file->tensors) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for the tensors of a safetensors header");
    }
    const char *name;
    json_t *value;
    json_object_foreach(file->header, name, value) {
        stoa_status status;
        if (strcmp(name, "__metadata__") == 0) {
            status = check_metadata(error, value);
        } else {
            struct stoa_safetensors_tensor *tensor = &file->tensors[file->count++];
            tensor->name = name;
            status = read_tensor(error, value, data_bytes, tensor);
            tensor->data = status == STOA_OK ? data + tensor->begin : NULL;
        }
        if (status != STOA_OK) {
            return status;
        }
    }
    return check_cover(error, file, data_bytes);
}

static stoa_status parse_header(struct stoa_error *error, struct stoa_safetensors *file, const char *text,
                                size_t bytes) {
    if (bytes == 0 || text[0] != '{') {
        return stoa_error_set(error, STOA_ERR_FORMAT,
                              "its header does not begin with '{': not a safetensors file");
    }
    json_error_t json_error;
    file->header = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &json_error);
    if (!file->header && json_error_code(&json_error) == json_error_out_of_memory) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for a safetensors header of %zu bytes",
                              bytes);
    }
    if (!file->header) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "its header is not valid JSON at byte %d: %.120s",
                              json_error.position, json_error.text);
    }
    return STOA_OK;
}

static stoa_status find_header(struct stoa_error *error, const unsigned char *data, size_t bytes,
                               size_t *header) {
    if (bytes < LENGTH_BYTES) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "found %zu bytes, expected a safetensors file", bytes);
    }
    uint64_t length;
    memcpy(&length, data, sizeof length);
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
    const unsigned char *text = (const unsigned char *)data + LENGTH_BYTES;
    status = parse_header(error, opened, (const char *)text, header);
    if (status == STOA_OK) {
        status = read_tensors(error, opened, text + header, bytes - LENGTH_BYTES - header);
    }
    if (status != STOA_OK) {
        stoa_safetensors_close(opened);
        return status;
    }
    *file = opened;
    return STOA_OK;
}

void stoa_safetensors_close(struct stoa_safetensors *file) {
    if (file) {
        json_decref(file->header);
        free(file->tensors);
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
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) {
            return &file->tensors[i];
        }
    }
    return NULL;
}

const char *stoa_safetensors_metadata(const struct stoa_safetensors *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
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

/* {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]} */
static bool describe_item(const struct stoa_safetensors_item *item, size_t begin, size_t end, json_t *entry) {
    json_t *shape = json_array(), *offsets = json_array();
    bool good = true;
    for (size_t i = 0; i < item->rank && good; i++) {
        good = stoa_json_append(shape, json_integer((json_int_t)item->shape[i]));
    }
    good = good && stoa_json_append(offsets, json_integer((json_int_t)begin)) &&
           stoa_json_append(offsets, json_integer((json_int_t)end)) &&
           stoa_json_put_text(entry, "dtype", "F32") && json_object_set(entry, "shape", shape) == 0 &&
           json_object_set(entry, "data_offsets", offsets) == 0;
    json_decref(shape);
    json_decref(offsets);
    return good;
}

/* Add one tensor's entry to the header; its data begin at *offset, which moves to their end. */
static stoa_status add_item(struct stoa_error *error, json_t *header,
                            const struct stoa_safetensors_item *item, size_t *offset) {
    size_t bytes = sizeof(float);
    size_t end = 0;
    bool fits = true;
    for (size_t i = 0; i < item->rank && fits; i++) {
        fits = stoa_size_scale(&bytes, item->shape[i]);
    }
    fits = fits && stoa_size_add(*offset, bytes, &end) && end <= (size_t)INT64_MAX;
    if (!fits || json_object_get(header, item->name)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "tensor '" NAME "' is %s", item->name,
                              fits ? "there twice" : "too large for a file");
    }
    errno = 0; /* malloc says ENOMEM, the check of the name nothing */
    json_t *entry = json_object();
    bool good = describe_item(item, *offset, end, entry);
    good = stoa_json_put(header, item->name, entry) && good;
    if (!good) {
        return errno == ENOMEM
                   ? stoa_error_set(error, STOA_ERR_MEMORY, "no memory for tensor '" NAME "'", item->name)
                   : stoa_error_set(error, STOA_ERR_ARGUMENT, "the tensor's name '" NAME "' is not UTF-8",
                                    item->name);
    }
    *offset = end;
    return STOA_OK;
}

/* {"__metadata__": {key: value}} */
static stoa_status make_header(struct stoa_error *error, const char *key, const char *value, json_t *header) {
    json_t *metadata = json_object();
    errno = 0;
    bool good = metadata && stoa_json_put_text(metadata, key, value) &&
                json_object_set(header, "__metadata__", metadata) == 0;
    bool unfit = !good && metadata && header && errno != ENOMEM;
    json_decref(metadata);
    if (unfit) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "the text for the model file is not UTF-8");
    }
    return good ? STOA_OK : stoa_error_set(error, STOA_ERR_MEMORY, "no memory for a safetensors header");
}

/* Header length, header and spaces up to the alignment, in one piece of memory. */
static stoa_status finish_start(struct stoa_error *error, const char *text, char **start,
                                size_t *start_bytes) {
    size_t length = text ? strlen(text) : 0;
    if (length > STOA_SAFETENSORS_MAX_HEADER - DATA_ALIGNMENT) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "a header of %zu bytes is too large for a file",
                              length);
    }
    size_t total = stoa_round_up(LENGTH_BYTES + length, DATA_ALIGNMENT);
    char *whole = text ? malloc(total) : NULL;
    if (!whole) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for a safetensors header");
    }
    uint64_t header_bytes = total - LENGTH_BYTES;
    memset(whole, ' ', total);
    memcpy(whole, &header_bytes, sizeof header_bytes);
    memcpy(whole + LENGTH_BYTES, text, length);
    *start = whole;
    *start_bytes = total;
    return STOA_OK;
}

stoa_status stoa_safetensors_start(struct stoa_error *error, const struct stoa_safetensors_item *items,
                                   size_t count, const char *key, const char *value, char **start,
                                   size_t *start_bytes, size_t *data_bytes) {
    size_t offset = 0;
    json_t *header = json_object();
    stoa_status status = make_header(error, key, value, header);
    for (size_t i = 0; i < count && status == STOA_OK; i++) {
        status = add_item(error, header, &items[i], &offset);
    }
    if (status == STOA_OK) {
        /* Entries come out in the order they went in. */
        char *text = stoa_json_print(header);
        status = finish_start(error, text, start, start_bytes);
        free(text);
        *data_bytes = offset;
    }
    json_decref(header);
    return status;
}
