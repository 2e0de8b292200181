/* SPDX-License-Identifier: MIT */
/* Inverted dropout. The mask is a function of (key, stream, position) alone, so that backward runs the same
 * kernel on the gradient and nothing is stored. */
#include "kernels/isa.h"

/* At a time: many, and for a few numbers as many as the widest vectors hold. */
enum { COUNTERS = 64, FEW = 16 };

/* Words of `count` counters, a multiple of FEW, from `counter` on, in order: stoa_philox() with its rounds
 * outside and the counters inside, which compilers turn into vectors of widening products. */
static void random_words(uint64_t key, uint64_t counter, uint64_t stream, size_t count,
                         uint32_t *restrict word) {
    uint32_t c0[COUNTERS];
    uint32_t c1[COUNTERS];
    uint32_t c2[COUNTERS];
    uint32_t c3[COUNTERS];
    uint32_t k0 = (uint32_t)key;
    uint32_t k1 = (uint32_t)(key >> 32);
    for (size_t i = 0; i < count; i++) {
        c0[i] = (uint32_t)(counter + i);
        c1[i] = (uint32_t)((counter + i) >> 32);
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < 10; round++) {
#pragma omp simd
        for (size_t i = 0; i < count; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53U * c0[i];
            uint64_t p1 = (uint64_t)0xCD9E8D57U * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)p1;
            c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    for (size_t i = 0; i < count; i++) {
        word[4 * i] = c0[i];
        word[4 * i + 1] = c1[i];
        word[4 * i + 2] = c2[i];
        word[4 * i + 3] = c3[i];
    }
}

void STOA_KERNEL(dropout)(const float *x, float *y, size_t first, size_t n, uint64_t key, uint64_t stream,
                          uint32_t threshold, float scale) {
    uint32_t word[4 * COUNTERS];
    size_t skip = first % 4; /* words of the first counter that belong to numbers before */
    for (size_t begin = 0, length; begin < n; begin += length, skip = 0) {
        length = n - begin < 4 * COUNTERS - skip ? n - begin : 4 * COUNTERS - skip;
        size_t counters = (skip + length + 4 * FEW - 1) / (4 * FEW) * FEW;
        random_words(key, (first + begin) / 4, stream, counters, word);
#pragma omp simd
        for (size_t i = 0; i < length; i++) {
            float scaled = x[begin + i] * scale;
            y[begin + i] = word[skip + i] >= threshold ? scaled : 0;
        }
    }
}
