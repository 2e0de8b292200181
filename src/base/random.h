/* SPDX-License-Identifier: MIT */
/* Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
 * SC 2011). The same (key, counter) gives the same four words on any machine and any number of threads.
 * Inline so that a kernel can run many counters side by side. */
#ifndef STOA_BASE_RANDOM_H
#define STOA_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Streams keep the uses of one seed apart; the value is part of the counter. */
enum stoa_random_stream {
    STOA_RANDOM_INIT = 1,
    STOA_RANDOM_SHUFFLE = 2,
    STOA_RANDOM_DROPOUT = 3,
    STOA_RANDOM_VALIDATION = 8,
    STOA_RANDOM_AUGMENT = 9,
    STOA_RANDOM_ERASE = 10,
    STOA_RANDOM_NOISE = 11,
    STOA_RANDOM_SPLIT = 16,
    STOA_RANDOM_DIGITS = 17,
    STOA_RANDOM_WINDOW = 18,
    STOA_RANDOM_GRADCHECK = 64,
};

struct stoa_random4 {
    uint32_t word[4];
};

static inline struct stoa_random4 stoa_philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
    uint32_t c0 = (uint32_t)counter_low;
    uint32_t c1 = (uint32_t)(counter_low >> 32);
    uint32_t c2 = (uint32_t)counter_high;
    uint32_t c3 = (uint32_t)(counter_high >> 32);
    uint32_t k0 = (uint32_t)key;
    uint32_t k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53U * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57U * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    return (struct stoa_random4){{c0, c1, c2, c3}};
}

/* Uniform in [0, 1) with 24 bits. */
static inline float stoa_random_unit(uint32_t word) {
    return (float)(word >> 8) * 0x1p-24F;
}

/* The numbers of one stream, one after the other, from its beginning. */
struct stoa_random_sequence {
    uint64_t key, stream;
    uint64_t counter;
    struct stoa_random4 words;
    size_t used;
};

static inline uint32_t stoa_random_next(struct stoa_random_sequence *sequence) {
    if (sequence->used == 0) {
        sequence->words = stoa_philox(sequence->key, sequence->counter++, sequence->stream);
    }
    uint32_t word = sequence->words.word[sequence->used];
    sequence->used = (sequence->used + 1) % 4;
    return word;
}

/* Uniform between two numbers. */
static inline float stoa_random_between(struct stoa_random_sequence *sequence, float low, float high) {
    return low + (high - low) * stoa_random_unit(stoa_random_next(sequence));
}

/* Fill `out` with `count` standard normal numbers (Box-Muller on pairs of words). */
void stoa_random_normal(uint64_t key, uint64_t stream, float *out, size_t count);

/* Fill `out` with `count` numbers uniform in [-1, 1). */
void stoa_random_uniform(uint64_t key, uint64_t stream, float *out, size_t count);

/* Shuffle `index` in place (Fisher-Yates). */
void stoa_random_shuffle(uint64_t key, uint64_t stream, size_t *index, size_t count);

/* A stream's high counter word: what it is for and a number of its own, such as a layer or an epoch. */
static inline uint64_t stoa_random_stream_id(enum stoa_random_stream use, uint64_t number) {
    return ((uint64_t)use << 56) | (number & 0x00FFFFFFFFFFFFFFU);
}

#endif
