/* SPDX-License-Identifier: MIT */
/* The start of a safetensors file: the same bytes for the same tensors, padded so that their data lie
 * aligned. */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/endian.h"
#include "base/size.h"
#include "model/json_write.h"
#include "model/safetensors.h"

/* How much of a name an error sentence repeats. */
#define NAME "%.80s"

enum { LENGTH_BYTES = 8, DATA_ALIGNMENT = 64 };

/* A checksum is the first entry of the metadata, so that its place is known. */
#define SEAL_KEY "crc32"
static const char before_seal[] = "{\"__metadata__\":{\"" SEAL_KEY "\":\"", no_seal[] = "00000000";
enum { SEAL_PLACE = LENGTH_BYTES + sizeof before_seal - 1, SEAL_DIGITS = sizeof no_seal - 1 };

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
static stoa_status make_header(struct stoa_error *error, const char *key, const char *value, bool sealed,
                               json_t *header) {
    json_t *metadata = json_object();
    errno = 0;
    bool good = metadata && (!sealed || stoa_json_put_text(metadata, SEAL_KEY, no_seal)) &&
                stoa_json_put_text(metadata, key, value) &&
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
    memset(whole, ' ', total);
    stoa_store_le64(whole, total - LENGTH_BYTES);
    memcpy(whole + LENGTH_BYTES, text, length);
    *start = whole;
    *start_bytes = total;
    return STOA_OK;
}

stoa_status stoa_safetensors_start(struct stoa_error *error, const struct stoa_safetensors_item *items,
                                   size_t count, const char *key, const char *value, bool sealed,
                                   char **start, size_t *start_bytes, size_t *data_bytes) {
    size_t offset = 0;
    json_t *header = json_object();
    stoa_status status = make_header(error, key, value, sealed, header);
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

/* Of all bytes, where the digits of the checksum count as zeros. */
static void checksum(const unsigned char *data, size_t bytes, char digits[SEAL_DIGITS + 1]) {
    const size_t behind = SEAL_PLACE + SEAL_DIGITS;
    uLong sum = crc32_z(0, data, SEAL_PLACE);
    sum = crc32_z(sum, (const unsigned char *)no_seal, SEAL_DIGITS);
    sum = crc32_z(sum, data + behind, bytes - behind);
    (void)snprintf(digits, SEAL_DIGITS + 1, "%08lx", sum & 0xFFFFFFFFUL);
}

void stoa_safetensors_seal(void *data, size_t bytes) {
    char digits[SEAL_DIGITS + 1];
    checksum(data, bytes, digits);
    memcpy((char *)data + SEAL_PLACE, digits, SEAL_DIGITS);
}

stoa_status stoa_safetensors_check_seal(struct stoa_error *error, const void *data, size_t bytes) {
    const char *text = data;
    char digits[SEAL_DIGITS + 1];
    if (bytes < SEAL_PLACE + SEAL_DIGITS ||
        memcmp(text + LENGTH_BYTES, before_seal, sizeof before_seal - 1) != 0) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "damaged: found no checksum at its beginning");
    }
    checksum(data, bytes, digits);
    return memcmp(text + SEAL_PLACE, digits, SEAL_DIGITS) == 0
               ? STOA_OK
               : stoa_error_set(error, STOA_ERR_FORMAT,
                                "damaged: found bytes with the checksum %s, expected '%.*s'", digits,
                                (int)SEAL_DIGITS, text + SEAL_PLACE);
}
