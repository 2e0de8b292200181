/* SPDX-License-Identifier: MIT */
/* The safetensors reader and writer: good files, every kind of malformed one with its sentence, every
 * truncation of a good one, and files written by us. */
#include "model/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/endian.h"

/* A file in a block of its own size, so that a sanitizer sees any step past its end. */
struct image {
    unsigned char *data;
    size_t bytes;
};

static struct image make_image(const char *header, size_t data_bytes) {
    size_t length = strlen(header);
    struct image image = {malloc(8 + length + data_bytes), 8 + length + data_bytes};
    assert_non_null(image.data);
    stoa_store_le64(image.data, length);
    memcpy(image.data + 8, header, length);
    for (size_t i = 0; i < data_bytes; i++) {
        image.data[8 + length + i] = (unsigned char)i;
    }
    return image;
}

static void assert_refused_bytes(const void *data, size_t bytes, const char *sentence) {
    struct stoa_error error = {STOA_OK, ""};
    struct stoa_safetensors *file = NULL;
    assert_int_equal(stoa_safetensors_open(&error, data, bytes, &file), STOA_ERR_FORMAT);
    assert_null(file);
    assert_int_equal(error.status, STOA_ERR_FORMAT);
    if (sentence) {
        assert_string_equal(error.text, sentence);
    }
    assert_true(error.text[0] != '\0');
}

static void assert_refused(const char *header, size_t data_bytes, const char *sentence) {
    struct image image = make_image(header, data_bytes);
    assert_refused_bytes(image.data, image.bytes, sentence);
    free(image.data);
}

static void assert_accepted(const char *header, size_t data_bytes) {
    struct image image = make_image(header, data_bytes);
    struct stoa_error error = {STOA_OK, ""};
    struct stoa_safetensors *file = NULL;
    assert_int_equal(stoa_safetensors_open(&error, image.data, image.bytes, &file), STOA_OK);
    stoa_safetensors_close(file);
    free(image.data);
}

static const char good_header[] = "{\"__metadata__\":{\"a\":\"1\",\"b\":\"\"},"
                                  "\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[5,29]},"
                                  "\"k\":{\"dtype\":\"I8\",\"shape\":[5],\"data_offsets\":[0,5]},"
                                  "\"s\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[29,37]},"
                                  "\"e\":{\"dtype\":\"BF16\",\"shape\":[4,0],\"data_offsets\":[29,29]}}  ";

static void test_good(void **state) {
    (void)state;
    struct image image = make_image(good_header, 37);
    struct stoa_error error;
    struct stoa_safetensors *file = NULL;
    assert_int_equal(stoa_safetensors_open(&error, image.data, image.bytes, &file), STOA_OK);
    assert_int_equal(stoa_safetensors_count(file), 4);
    const char *order[] = {"k", "w", "e", "s"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(stoa_safetensors_at(file, i)->name, order[i]);
    }
    assert_null(stoa_safetensors_at(file, 4));
    const struct stoa_safetensors_tensor *w = stoa_safetensors_find(file, "w");
    assert_non_null(w);
    assert_string_equal(w->dtype, "F32");
    assert_int_equal(w->rank, 2);
    assert_int_equal(w->shape[0], 2);
    assert_int_equal(w->shape[1], 3);
    assert_int_equal(w->bytes, 24);
    assert_int_equal(w->data[0], 5);
    assert_int_equal(w->data[23], 28);
    assert_int_equal(stoa_safetensors_find(file, "s")->rank, 0);
    assert_null(stoa_safetensors_find(file, "__metadata__"));
    assert_null(stoa_safetensors_find(file, "x"));
    assert_string_equal(stoa_safetensors_metadata(file, "a"), "1");
    assert_string_equal(stoa_safetensors_metadata(file, "b"), "");
    assert_null(stoa_safetensors_metadata(file, "c"));
    stoa_safetensors_close(file);
    free(image.data);
    stoa_safetensors_close(NULL);
}

static void test_small(void **state) {
    (void)state;
    assert_accepted("{}", 0);
    assert_accepted("{\"__metadata__\":{}}", 0);
    assert_accepted("{\"x\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[0,3]}}", 3);
    assert_accepted("{\"x\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3);
}

static void test_every_dtype(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int bytes;
    } dtypes[] = {
        {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1},
        {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},     {"U32", 4},
        {"F32", 4},  {"F64", 8}, {"C64", 8}, {"I64", 8},     {"U64", 8},
    };
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        char header[200];
        int bytes = dtypes[i].bytes;
        (void)snprintf(header, sizeof header,
                       "{\"x\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%d]}}", dtypes[i].name,
                       3 * bytes);
        assert_accepted(header, (size_t)(3 * bytes));
        (void)snprintf(header, sizeof header,
                       "{\"x\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%d]}}", dtypes[i].name,
                       3 * bytes + 1);
        assert_refused(header, (size_t)(3 * bytes + 1), NULL);
    }
}

static void test_truncated(void **state) {
    (void)state;
    struct image image = make_image(good_header, 37);
    for (size_t bytes = 0; bytes < image.bytes; bytes++) {
        unsigned char *part = malloc(bytes ? bytes : 1);
        assert_non_null(part);
        memcpy(part, image.data, bytes);
        assert_refused_bytes(part, bytes, NULL);
        free(part);
    }
    free(image.data);
    assert_refused_bytes(NULL, 0, "found 0 bytes, expected a safetensors file");
    assert_refused(good_header, 38, "found 38 bytes of data, expected 37 for its tensors");
}

static void test_header_length(void **state) {
    (void)state;
    unsigned char bytes[16] = {9, 0, 0, 0, 0, 0, 0, 0, '{', '}', ' ', ' ', ' ', ' ', ' ', ' '};
    assert_refused_bytes(bytes, sizeof bytes, "found 16 bytes, expected a header of 9 bytes: truncated");
    assert_refused_bytes(bytes, 7, "found 7 bytes, expected a safetensors file");
    bytes[0] = 0;
    assert_refused_bytes(bytes, sizeof bytes, "its header does not begin with '{': not a safetensors file");
    memset(bytes, 0xFF, 8);
    assert_refused_bytes(
        bytes, sizeof bytes,
        "found a header length of 18446744073709551615 bytes, expected at most 100000000: not a "
        "safetensors file");
    const uint64_t over = STOA_SAFETENSORS_MAX_HEADER + 1;
    stoa_store_le64(bytes, over);
    assert_refused_bytes(
        bytes, sizeof bytes,
        "found a header length of 100000001 bytes, expected at most 100000000: not a safetensors "
        "file");
}

#define X "{\"x\":{\"dtype\":\"F32\","

static void test_bad_json(void **state) {
    (void)state;
    assert_refused(" {}", 0, "its header does not begin with '{': not a safetensors file");
    assert_refused("[]", 0, "its header does not begin with '{': not a safetensors file");
    assert_refused("{", 0, NULL);
    assert_refused("{}x", 0, NULL);
    assert_refused("{\"x\":\"\xFF\"}", 0, NULL);
    assert_refused("{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0,
                   "tensor 'x' is not valid JSON at byte 28: a key that is there twice");
    assert_refused("{\"x\" 1}", 0, "its header is not valid JSON at byte 5: no ':' behind a key");
    assert_refused("{\"x\":1 2}", 0, "tensor 'x' is not described by a JSON object");
    assert_refused("{\"__metadata__\":{} 2}", 0, "its header is not valid JSON at byte 19: no ',' or '}'");
    assert_refused("{\"__metadata__\":{}} 2", 0,
                   "its header is not valid JSON at byte 20: more text behind its end");
    assert_refused("{\"__metadata__\":{},}", 0, "its header is not valid JSON at byte 19: no key");
    assert_refused("{,}", 0, "its header is not valid JSON at byte 1: no key");
    assert_refused("{\"\\u0000\":{}}", 0, NULL);
    assert_refused("{\"x\":1}", 0, "tensor 'x' is not described by a JSON object");
    char deep[8000];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"x\":", 5);
    deep[sizeof deep - 1] = '\0';
    assert_refused(deep, 0, NULL);
}

static void test_bad_entries(void **state) {
    (void)state;
    assert_refused("{\"x\":{}}", 0, "tensor 'x': 'dtype' is not a string");
    assert_refused("{\"x\":{\"dtype\":4}}", 0, "tensor 'x': 'dtype' is not a string");
    assert_refused("{\"x\":{\"dtype\":\"f32\"}}", 0,
                   "tensor 'x': found dtype 'f32', expected one such as F32");
    assert_refused(X "\"data_offsets\":[0,4]}}", 4, "tensor 'x': 'shape' is not a list");
    assert_refused(X "\"shape\":1,\"data_offsets\":[0,4]}}", 4, "tensor 'x': 'shape' is not a list");
    assert_refused(X "\"shape\":[1,-1],\"data_offsets\":[0,4]}}", 4,
                   "tensor 'x': dimension 1 of 'shape' is not a size");
    assert_refused(X "\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4,
                   "tensor 'x': dimension 0 of 'shape' is not a size");
    assert_refused(X "\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
                   "tensor 'x': found 9 dimensions, expected at most 8");
    assert_refused(X "\"shape\":[1],\"data_offsets\":[0,4],\"more\":0}}", 4,
                   "tensor 'x': found key 'more', expected dtype, shape and data_offsets");
    assert_refused(X "\"shape\":[2147483647,2147483647,2147483647],\"data_offsets\":[0,4]}}", 4,
                   "tensor 'x': its shape is too large or no whole bytes");
    assert_refused("{\"x\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1,
                   "tensor 'x': its shape is too large or no whole bytes");
}

static void test_bad_offsets(void **state) {
    (void)state;
    static const char *const not_pairs[] = {"1", "[0]", "[0,4,4]", "[-4,0]", "[0,4.0]", "[0,\"4\"]", "{}"};
    for (size_t i = 0; i < sizeof not_pairs / sizeof not_pairs[0]; i++) {
        char header[120];
        (void)snprintf(header, sizeof header, X "\"shape\":[1],\"data_offsets\":%s}}", not_pairs[i]);
        assert_refused(header, 4, "tensor 'x': 'data_offsets' is not a pair of sizes");
    }
    assert_refused(X "\"shape\":[1]}}", 4, "tensor 'x': 'data_offsets' is not a pair of sizes");
    assert_refused(X "\"shape\":[1],\"data_offsets\":[4,0]}}", 4,
                   "tensor 'x': found data_offsets 4 to 0, expected a part of the 4 data bytes");
    assert_refused(X "\"shape\":[2],\"data_offsets\":[0,8]}}", 4,
                   "tensor 'x': found data_offsets 0 to 8, expected a part of the 4 data bytes");
    assert_refused(X "\"shape\":[1],\"data_offsets\":[0,9223372036854775807]}}", 4, NULL);
    assert_refused(X "\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
                   "tensor 'x': found 4 bytes of data, expected 8 for its dtype and shape");
    assert_refused(X "\"shape\":[0],\"data_offsets\":[0,4]}}", 4,
                   "tensor 'x': found 4 bytes of data, expected 0 for its dtype and shape");
}

static void test_bad_cover(void **state) {
    (void)state;
    const char *two = X "\"shape\":[2],\"data_offsets\":[0,8]},"
                        "\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%d,%d]}}";
    char header[200];
    (void)snprintf(header, sizeof header, two, 8, 12);
    assert_accepted(header, 12);
    (void)snprintf(header, sizeof header, two, 4, 8);
    assert_refused(header, 8, "tensor 'y': its data begin at 4, expected 8 (overlaps the tensor before)");
    (void)snprintf(header, sizeof header, two, 12, 16);
    assert_refused(header, 16, "tensor 'y': its data begin at 12, expected 8 (gap after the tensor before)");
    (void)snprintf(header, sizeof header, two, 8, 12);
    assert_refused(header, 13, "found 13 bytes of data, expected 12 for its tensors");
    assert_refused("{}", 1, "found 1 bytes of data, expected 0 for its tensors");
    assert_refused(X "\"shape\":[1],\"data_offsets\":[4,8]}}", 8, NULL);
}

static void test_bad_metadata(void **state) {
    (void)state;
    assert_refused("{\"__metadata__\":[]}", 0, "'__metadata__' is not a JSON object");
    assert_refused("{\"__metadata__\":{\"k\":1}}", 0, "'__metadata__': the value of 'k' is not a string");
}

static void test_write(void **state) {
    (void)state;
    const size_t shape_w[] = {2, 3};
    const size_t shape_b[] = {3};
    const struct stoa_safetensors_item items[] = {{"w", 2, shape_w}, {"b", 1, shape_b}, {"s", 0, NULL}};
    struct stoa_error error;
    char *start = NULL;
    size_t start_bytes = 0;
    size_t data_bytes = 0;
    const char *value = "{\"quoted\":\"\xC3\xA9\"}";
    assert_int_equal(
        stoa_safetensors_start(&error, items, 3, "stoa", value, false, &start, &start_bytes, &data_bytes),
        STOA_OK);
    const char *header = "{\"__metadata__\":{\"stoa\":\"{\\\"quoted\\\":\\\"\xC3\xA9\\\"}\"},"
                         "\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                         "\"b\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]},"
                         "\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[36,40]}}";
    assert_int_equal(start_bytes % 64, 0);
    assert_true(start_bytes >= 8 + strlen(header) && start_bytes < 8 + strlen(header) + 64);
    assert_int_equal(data_bytes, 40);
    assert_int_equal(stoa_load_le64(start), start_bytes - 8);
    assert_memory_equal(start + 8, header, strlen(header));

    char *whole = calloc(1, start_bytes + data_bytes);
    assert_non_null(whole);
    memcpy(whole, start, start_bytes);
    struct stoa_safetensors *file = NULL;
    assert_int_equal(stoa_safetensors_open(&error, whole, start_bytes + data_bytes, &file), STOA_OK);
    assert_int_equal(stoa_safetensors_count(file), 3);
    assert_string_equal(stoa_safetensors_metadata(file, "stoa"), value);
    stoa_safetensors_close(file);
    free(whole);
    free(start);
}

static void test_write_refused(void **state) {
    (void)state;
    const size_t one[] = {1};
    const size_t huge[] = {SIZE_MAX / 2, 3};
    const struct stoa_safetensors_item twice[] = {{"w", 1, one}, {"w", 1, one}};
    const struct stoa_safetensors_item large[] = {{"w", 2, huge}};
    struct stoa_error error;
    char *start = NULL;
    size_t bytes = 0;
    size_t data = 0;
    assert_int_equal(stoa_safetensors_start(&error, twice, 2, "k", "v", false, &start, &bytes, &data),
                     STOA_ERR_ARGUMENT);
    assert_string_equal(error.text, "tensor 'w' is there twice");
    assert_int_equal(stoa_safetensors_start(&error, large, 1, "k", "v", false, &start, &bytes, &data),
                     STOA_ERR_ARGUMENT);
    assert_string_equal(error.text, "tensor 'w' is too large for a file");
    assert_int_equal(stoa_safetensors_start(&error, twice, 1, "k", "\xFF", false, &start, &bytes, &data),
                     STOA_ERR_ARGUMENT);
    assert_null(start);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_small),
        cmocka_unit_test(test_every_dtype),   cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_header_length), cmocka_unit_test(test_bad_json),
        cmocka_unit_test(test_bad_entries),   cmocka_unit_test(test_bad_offsets),
        cmocka_unit_test(test_bad_cover),     cmocka_unit_test(test_bad_metadata),
        cmocka_unit_test(test_write),         cmocka_unit_test(test_write_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
