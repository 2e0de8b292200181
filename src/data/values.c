/* SPDX-License-Identifier: MIT */
/* Values of all types as numbers. Each is put together from its bytes, so that neither their order nor their
 * address matters. */
#include "data/values.h"

#include <math.h>
#include <string.h>

#include "base/endian.h"

const char *stoa_sample_name(enum stoa_sample_type type) {
    static const char *const names[] = {
        [STOA_SAMPLE_U8] = "uint8",   [STOA_SAMPLE_F32] = "float32", [STOA_SAMPLE_F64] = "float64",
        [STOA_SAMPLE_I32] = "int32",  [STOA_SAMPLE_I64] = "int64",   [STOA_SAMPLE_F16] = "float16",
        [STOA_SAMPLE_BOOL] = "bool",  [STOA_SAMPLE_I8] = "int8",     [STOA_SAMPLE_I16] = "int16",
        [STOA_SAMPLE_U16] = "uint16", [STOA_SAMPLE_U32] = "uint32",  [STOA_SAMPLE_U64] = "uint64"};
    return names[type];
}

size_t stoa_sample_bytes(enum stoa_sample_type type) {
    static const size_t bytes[] = {
        [STOA_SAMPLE_U8] = 1,  [STOA_SAMPLE_F32] = 4, [STOA_SAMPLE_F64] = 8,  [STOA_SAMPLE_I32] = 4,
        [STOA_SAMPLE_I64] = 8, [STOA_SAMPLE_F16] = 2, [STOA_SAMPLE_BOOL] = 1, [STOA_SAMPLE_I8] = 1,
        [STOA_SAMPLE_I16] = 2, [STOA_SAMPLE_U16] = 2, [STOA_SAMPLE_U32] = 4,  [STOA_SAMPLE_U64] = 8};
    return bytes[type];
}

bool stoa_sample_is_float(enum stoa_sample_type type) {
    return type == STOA_SAMPLE_F16 || type == STOA_SAMPLE_F32 || type == STOA_SAMPLE_F64;
}

static uint16_t load16(const uint8_t *from, size_t at, bool swapped) {
    uint16_t bits;
    memcpy(&bits, from + at * sizeof bits, sizeof bits);
    return swapped ? __builtin_bswap16(bits) : bits;
}

static uint32_t load32(const uint8_t *from, size_t at, bool swapped) {
    uint32_t bits;
    memcpy(&bits, from + at * sizeof bits, sizeof bits);
    return swapped ? __builtin_bswap32(bits) : bits;
}

static uint64_t load64(const uint8_t *from, size_t at, bool swapped) {
    uint64_t bits;
    memcpy(&bits, from + at * sizeof bits, sizeof bits);
    return swapped ? __builtin_bswap64(bits) : bits;
}

void stoa_values_read(enum stoa_sample_type type, bool swapped, const void *from, size_t first, size_t count,
                      float *out) {
    const uint8_t *at = (const uint8_t *)from + first * stoa_sample_bytes(type);
#define EACH(VALUE)                                                                                          \
    for (size_t i = 0; i < count; i++) {                                                                     \
        out[i] = (float)(VALUE);                                                                             \
    }                                                                                                        \
    break
    switch (type) {
    case STOA_SAMPLE_U8:
        EACH(at[i]);
    case STOA_SAMPLE_BOOL:
        EACH(at[i] != 0);
    case STOA_SAMPLE_I8:
        EACH((int8_t)at[i]);
    case STOA_SAMPLE_I16:
        EACH((int16_t)load16(at, i, swapped));
    case STOA_SAMPLE_U16:
        EACH(load16(at, i, swapped));
    case STOA_SAMPLE_I32:
        EACH((int32_t)load32(at, i, swapped));
    case STOA_SAMPLE_U32:
        EACH(load32(at, i, swapped));
    case STOA_SAMPLE_I64:
        EACH((int64_t)load64(at, i, swapped));
    case STOA_SAMPLE_U64:
        EACH(load64(at, i, swapped));
    case STOA_SAMPLE_F16:
        EACH(stoa_half_to_float(load16(at, i, swapped)));
    case STOA_SAMPLE_F64:
        EACH(stoa_bits_to_double(load64(at, i, swapped)));
    case STOA_SAMPLE_F32:
        if (!swapped) {
            memcpy(out, at, count * sizeof *out);
            break;
        }
        EACH(stoa_bits_to_float(load32(at, i, true)));
    }
#undef EACH
}

static struct stoa_number whole_number(int64_t whole) {
    return (struct stoa_number){(double)whole, whole, true};
}

static struct stoa_number float_number(double value) {
    /* The bounds are powers of two, so that the comparisons are exact; NaN fails them. */
    bool whole = value >= -9223372036854775808.0 && value < 9223372036854775808.0 && trunc(value) == value;
    return (struct stoa_number){value, whole ? (int64_t)value : 0, whole};
}

struct stoa_number stoa_value_number(enum stoa_sample_type type, bool swapped, const void *from, size_t at) {
    const uint8_t *bytes = from;
    uint64_t wide;
    switch (type) {
    case STOA_SAMPLE_F16:
        return float_number((double)stoa_half_to_float(load16(bytes, at, swapped)));
    case STOA_SAMPLE_F32:
        return float_number((double)stoa_bits_to_float(load32(bytes, at, swapped)));
    case STOA_SAMPLE_F64:
        return float_number(stoa_bits_to_double(load64(bytes, at, swapped)));
    case STOA_SAMPLE_BOOL:
        return whole_number(bytes[at] != 0);
    case STOA_SAMPLE_I8:
        return whole_number((int8_t)bytes[at]);
    case STOA_SAMPLE_I16:
        return whole_number((int16_t)load16(bytes, at, swapped));
    case STOA_SAMPLE_U16:
        return whole_number(load16(bytes, at, swapped));
    case STOA_SAMPLE_I32:
        return whole_number((int32_t)load32(bytes, at, swapped));
    case STOA_SAMPLE_U32:
        return whole_number(load32(bytes, at, swapped));
    case STOA_SAMPLE_I64:
        return whole_number((int64_t)load64(bytes, at, swapped));
    case STOA_SAMPLE_U64:
        wide = load64(bytes, at, swapped);
        return wide <= INT64_MAX ? whole_number((int64_t)wide) : (struct stoa_number){(double)wide, 0, false};
    default:
        return whole_number(bytes[at]);
    }
}

void stoa_values_to_c_order(const void *from, size_t bytes, const size_t *size, size_t rank, void *to) {
    size_t values = 1, index[8] = {0}, stride[8] = {0};
    for (size_t d = 0; d < rank; d++) {
        stride[d] = values;
        values *= size[d];
    }
    size_t at = 0;
    for (size_t i = 0; i < values; i++) {
        memcpy((uint8_t *)to + i * bytes, (const uint8_t *)from + at * bytes, bytes);
        /* The next index, the last one fastest. */
        for (size_t d = rank; d-- > 0;) {
            at += stride[d];
            if (++index[d] < size[d]) {
                break;
            }
            at -= index[d] * stride[d];
            index[d] = 0;
        }
    }
}
