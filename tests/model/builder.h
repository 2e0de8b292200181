/* SPDX-License-Identifier: MIT */
/* Model files put together by hand, and the small model that they are for: what the tests of model files
 * share. */
#ifndef STOA_TESTS_MODEL_BUILDER_H
#define STOA_TESTS_MODEL_BUILDER_H

#include <stoa/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/endian.h"

static stoa_context *context; /* made by main() */

/* ---- a file put together by hand ---- */

struct builder {
    char header[8192];
    size_t used;
    unsigned char data[8192];
    size_t data_bytes;
};

__attribute__((format(printf, 2, 3))) static inline void say(struct builder *builder, const char *format,
                                                             ...) {
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(builder->header + builder->used, sizeof builder->header - builder->used, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < sizeof builder->header - builder->used);
    builder->used += (size_t)length;
}

static inline void builder_tensor(struct builder *builder, const char *name, const char *dtype,
                                  const char *shape, const void *data, size_t bytes) {
    assert_true(bytes <= sizeof builder->data - builder->data_bytes);
    memcpy(builder->data + builder->data_bytes, data, bytes);
    say(builder, ",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", name, dtype, shape,
        builder->data_bytes, builder->data_bytes + bytes);
    builder->data_bytes += bytes;
}

/* The finished file, in a block of its own size. */
static inline unsigned char *builder_finish(struct builder *builder, size_t *bytes) {
    say(builder, "}");
    *bytes = 8 + builder->used + builder->data_bytes;
    unsigned char *file = malloc(*bytes);
    assert_non_null(file);
    stoa_store_le64(file, builder->used);
    memcpy(file + 8, builder->header, builder->used);
    memcpy(file + 8 + builder->used, builder->data, builder->data_bytes);
    return file;
}

/* ---- a small model with one of each kind of tensor ---- */

static inline stoa_model *small_model_in(stoa_context *where, uint64_t seed) {
    stoa_model *model = NULL;
    assert_int_equal(stoa_model_create(where, &model), STOA_OK);
    stoa_model_input(model, 6, 5, 3);
    stoa_model_add(model, "c1", "conv2d filters=2 kernel=3x2 pad=1");
    stoa_model_add(model, "b1", "batchnorm");
    stoa_model_add(model, "r1", "relu from=b1");
    stoa_model_add(model, "p1", "maxpool2d size=2");
    stoa_model_add(model, "f", "flatten");
    stoa_model_add(model, "l1", "linear units=4 bias=false");
    assert_int_equal(stoa_model_build(model), STOA_OK);
    assert_int_equal(stoa_model_init(model, seed), STOA_OK);
    return model;
}

static inline stoa_model *small_model(void) {
    return small_model_in(context, 3);
}

static inline void save_memory(stoa_model *model, unsigned char **data, size_t *bytes) {
    void *saved = NULL;
    assert_int_equal(stoa_model_save_memory(model, &saved, bytes), STOA_OK);
    *data = saved;
}

/* Value `index` of tensor `tensor` in files put together by hand. */
static inline float test_value(size_t tensor, size_t index) {
    return (float)(tensor + 1) + (float)index / 128;
}

static inline void assert_values(const stoa_model *model, const char *name, size_t tensor) {
    size_t at = stoa_model_find_tensor(model, name);
    assert_true(at < stoa_model_tensor_count(model));
    stoa_tensor_info info;
    assert_int_equal(stoa_model_tensor(model, at, &info), STOA_OK);
    float values[256];
    assert_true(info.count <= 256);
    assert_int_equal(stoa_model_get_tensor(model, at, values, info.count), STOA_OK);
    for (size_t i = 0; i < info.count; i++) {
        assert_true(values[i] == test_value(tensor, i));
    }
}

static const struct state_tensor {
    const char *name, *shape;
    size_t count;
} state_tensors[] = {
    {"l1.weight", "[4,18]", 72},  {"c1.bias", "[2]", 2},         {"c1.weight", "[2,3,3,2]", 36},
    {"b1.weight", "[2]", 2},      {"b1.running_mean", "[2]", 2}, {"b1.bias", "[2]", 2},
    {"b1.running_var", "[2]", 2},
};
enum { STATE_TENSORS = sizeof state_tensors / sizeof state_tensors[0] };

/* Values as they lie in a file of a type: F32, F16, BF16 or F64. All of test_value() are exact in F16 and
 * F64. Bytes. */
static inline size_t encode(const char *dtype, const float *values, size_t count, unsigned char *out) {
    bool half = strcmp(dtype, "F16") == 0, upper = strcmp(dtype, "BF16") == 0,
         wide = strcmp(dtype, "F64") == 0;
    size_t bytes = half || upper ? 2 : wide ? 8 : 4;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        uint64_t all;
        double value = (double)values[i];
        memcpy(&bits, &values[i], sizeof bits);
        memcpy(&all, &value, sizeof all);
        /* Normal numbers of F16: the exponent's bias is another one, the fraction is shorter. */
        uint32_t as_half =
            (bits >> 16 & 0x8000U) | (((bits >> 23 & 0xFFU) - 112U) << 10) | (bits >> 13 & 0x3FFU);
        uint64_t word = half ? as_half : upper ? bits >> 16 : wide ? all : bits;
        for (size_t b = 0; b < bytes; b++) {
            out[i * bytes + b] = (unsigned char)(word >> (8 * b));
        }
    }
    return count * bytes;
}

/* A state dictionary as PyTorch would write it, in an order of its own and behind a prefix; tensor `skip` is
 * left out, the last one has a type of its own. */
static inline void build_state_as(struct builder *builder, size_t skip, const char *dtype,
                                  const char *dtype_of_last, const char *prefix) {
    char name[128];
    *builder = (struct builder){.used = 0};
    say(builder, "{\"__metadata__\":{\"format\":\"pt\"}");
    const int64_t batches = 100;
    (void)snprintf(name, sizeof name, "%sb1.num_batches_tracked", prefix);
    builder_tensor(builder, name, "I64", "[]", &batches, sizeof batches);
    for (size_t t = 0; t < STATE_TENSORS; t++) {
        float values[256];
        unsigned char data[8 * 256];
        for (size_t i = 0; i < state_tensors[t].count; i++) {
            values[i] = test_value(t, i);
        }
        const char *type = t + 1 == STATE_TENSORS ? dtype_of_last : dtype;
        (void)snprintf(name, sizeof name, "%s%s", prefix, state_tensors[t].name);
        if (t != skip) {
            size_t bytes = encode(type, values, state_tensors[t].count, data);
            builder_tensor(builder, name, type, state_tensors[t].shape, data, bytes);
        }
    }
}

static inline void build_state(struct builder *builder, size_t skip, const char *dtype_of_last) {
    build_state_as(builder, skip, "F32", dtype_of_last, "");
}

#endif
