/* SPDX-License-Identifier: MIT */
/* Numbers as they lie in files, whatever the order of bytes of this machine: safetensors, NPY and zip are
 * little-endian, IDX is big-endian. Addresses need no alignment. Compilers make one load of each. */
#ifndef STOA_BASE_ENDIAN_H
#define STOA_BASE_ENDIAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t stoa_load_le16(const void *at) {
    const uint8_t *byte = at;
    return (uint16_t)(byte[0] | byte[1] << 8);
}

static inline uint32_t stoa_load_le32(const void *at) {
    const uint8_t *byte = at;
    return (uint32_t)byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

static inline uint64_t stoa_load_le64(const void *at) {
    const uint8_t *byte = at;
    return (uint64_t)stoa_load_le32(byte) | (uint64_t)stoa_load_le32(byte + 4) << 32;
}

static inline uint16_t stoa_load_be16(const void *at) {
    const uint8_t *byte = at;
    return (uint16_t)(byte[0] << 8 | byte[1]);
}

static inline uint32_t stoa_load_be32(const void *at) {
    const uint8_t *byte = at;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | (uint32_t)byte[3];
}

static inline uint64_t stoa_load_be64(const void *at) {
    const uint8_t *byte = at;
    return (uint64_t)stoa_load_be32(byte) << 32 | (uint64_t)stoa_load_be32(byte + 4);
}

static inline void stoa_store_le32(void *at, uint32_t value) {
    for (size_t i = 0; i < sizeof value; i++) {
        ((uint8_t *)at)[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline void stoa_store_le64(void *at, uint64_t value) {
    uint8_t *byte = at;
    for (size_t i = 0; i < sizeof value; i++) {
        byte[i] = (uint8_t)(value >> (8 * i));
    }
}

/* The float or double whose bits an integer holds: stoa_bits_to_float(stoa_load_le32(at)). */
static inline float stoa_bits_to_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double stoa_bits_to_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16 to float, which holds each of its values: subnormal ones, infinities and NaN too. */
static inline float stoa_half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000U) << 16;
    uint32_t exponent = half >> 10 & 0x1FU;
    uint32_t fraction = half & 0x3FFU;
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24F;
        return sign ? -magnitude : magnitude;
    }
    uint32_t biased = exponent == 0x1FU ? 0xFFU : exponent + (127 - 15);
    return stoa_bits_to_float(sign | biased << 23 | fraction << 13);
}

/* bfloat16 to float: its upper half. */
static inline float stoa_bfloat16_to_float(uint16_t bits) {
    return stoa_bits_to_float((uint32_t)bits << 16);
}

/* Floats as they lay in a little-endian file into floats of this machine, in place, or back: nothing to do on
 * a little-endian one. */
static inline void stoa_swap_le_floats(float *values, size_t count) {
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        bits = __builtin_bswap32(bits);
        memcpy(values + i, &bits, sizeof bits);
    }
#else
    (void)values;
    (void)count;
#endif
}

#endif
