/* SPDX-License-Identifier: MIT */
/* NumPy's files, written byte by byte, and data sets from them. */
#ifndef STOA_TESTS_DATA_NPY_FILES_H
#define STOA_TESTS_DATA_NPY_FILES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/data.h>
#include <string.h>
#include <zlib.h>

#include "../base/cmocka_prelude.h"

/* A file in the making. */
struct bytes {
    uint8_t data[4096];
    size_t count;
};

static inline void put(struct bytes *bytes, const void *data, size_t count) {
    assert_true(bytes->count + count <= sizeof bytes->data);
    if (count > 0) {
        memcpy(bytes->data + bytes->count, data, count);
    }
    bytes->count += count;
}

static inline void put_little(struct bytes *bytes, size_t value, int count) {
    for (int i = 0; i < count; i++) {
        const uint8_t byte = (uint8_t)value;
        put(bytes, &byte, 1);
        value >>= 8;
    }
}

static inline void put_header(struct bytes *bytes, int version, const char *dictionary) {
    const uint8_t numbers[] = {(uint8_t)version, 0};
    put(bytes, "\x93NUMPY", 6);
    put(bytes, numbers, 2);
    put_little(bytes, strlen(dictionary), version == 1 ? 2 : 4);
    put(bytes, dictionary, strlen(dictionary));
}

/* Values as this machine has them, in the order of bytes that the type in `text` says: '<' is the little
 * one. */
static inline void put_values(struct bytes *bytes, const char *text, const uint8_t *values, size_t count) {
    const uint16_t one = 1;
    const bool big = *(const uint8_t *)&one == 0;
    const char *type = strchr(text, '<');
    const size_t size = type ? strtoul(type + 2, NULL, 10) : 1;
    const size_t last = big && (size == 2 || size == 4 || size == 8) ? size - 1 : 0;
    for (size_t i = 0; i < count; i++) {
        put(bytes, &values[i ^ last], 1);
    }
}

static inline struct bytes make_npy(int version, const char *dictionary, const void *values, size_t count) {
    struct bytes file = {.count = 0};
    put_header(&file, version, dictionary);
    put_values(&file, dictionary, values, count);
    return file;
}

static inline struct bytes make_typed(const char *type, const char *shape, const void *values, size_t count) {
    char dictionary[200];
    (void)snprintf(dictionary, sizeof dictionary, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n",
                   type, shape);
    return make_npy(1, dictionary, values, count);
}

/* In blocks of their own size, so that a sanitizer sees any step past their end. */
static inline stoa_status read_npy_pair(stoa_context *context, const struct bytes *x, const struct bytes *y,
                                        const stoa_data_options *options, stoa_dataset **dataset) {
    uint8_t *samples = malloc(x->count ? x->count : 1), *labels = malloc(y && y->count ? y->count : 1);
    assert_true(samples && labels);
    memcpy(samples, x->data, x->count);
    if (y) {
        memcpy(labels, y->data, y->count);
    }
    stoa_status status = stoa_dataset_from_npy_memory(context, samples, x->count, y ? labels : NULL,
                                                      y ? y->count : 0, options, dataset);
    free(samples);
    free(labels);
    return status;
}

/* ---- archives ---- */

/* Where things are in an archive, for the tests that spoil them. */
struct archive {
    struct bytes file, directory;
    size_t members;
};

static inline void add_member(struct archive *archive, const char *name, const struct bytes *content,
                              bool deflated) {
    uint8_t packed[4096];
    z_stream stream = {.avail_in = (uInt)content->count, .avail_out = sizeof packed};
    stream.next_in = (z_const Bytef *)(uintptr_t)content->data;
    stream.next_out = packed;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&stream), Z_OK);
    size_t bytes = deflated ? sizeof packed - stream.avail_out : content->count;
    size_t checksum = crc32(crc32(0, NULL, 0), content->data, (uInt)content->count), at = archive->file.count;
    for (int local = 1; local >= 0; local--) {
        struct bytes *to = local ? &archive->file : &archive->directory;
        put(to, local ? "PK\3\4" : "PK\1\2", 4);
        put_little(to, 20, local ? 2 : 4); /* versions */
        put_little(to, 0, 2);              /* flags */
        put_little(to, deflated ? 8 : 0, 2);
        put_little(to, 0, 4); /* time */
        put_little(to, checksum, 4);
        /* As Python writes them: sizes of the local header in a ZIP64 field, which nobody needs. */
        put_little(to, local ? 0xFFFFFFFF : bytes, 4);
        put_little(to, local ? 0xFFFFFFFF : content->count, 4);
        put_little(to, strlen(name), 2);
        put_little(to, local ? 20 : 0, 2);
        put_little(to, 0, local ? 0 : 10); /* comment, disk, attributes */
        put_little(to, at, local ? 0 : 4);
        put(to, name, strlen(name));
    }
    put_little(&archive->file, 0x00100001, 4);
    put_little(&archive->file, content->count, 8);
    put_little(&archive->file, bytes, 8);
    put(&archive->file, deflated ? packed : content->data, bytes);
    archive->members++;
}

/* The whole archive. */
static inline struct bytes finish(struct archive *archive, const char *comment) {
    struct bytes file = archive->file;
    put(&file, archive->directory.data, archive->directory.count);
    put(&file, "PK\5\6\0\0\0\0", 8);
    put_little(&file, archive->members, 2);
    put_little(&file, archive->members, 2);
    put_little(&file, archive->directory.count, 4);
    put_little(&file, archive->file.count, 4);
    put_little(&file, strlen(comment), 2);
    put(&file, comment, strlen(comment));
    return file;
}

#endif
