/* SPDX-License-Identifier: MIT */
/* Normal and uniform numbers, and shuffles on top of Philox. */
#include "base/random.h"

#include <math.h>

void stoa_random_normal(uint64_t key, uint64_t stream, float *out, size_t count) {
    const double two_pi = 6.283185307179586;
    for (size_t i = 0; i < count; i += 4) {
        struct stoa_random4 r = stoa_philox(key, i / 4, stream);
        for (size_t pair = 0; pair < 2; pair++) {
            /* (0, 1]: the logarithm stays finite. */
            double u = ((double)r.word[2 * pair] + 1.0) * 0x1p-32;
            double v = (double)r.word[2 * pair + 1] * 0x1p-32;
            double radius = sqrt(-2.0 * log(u));
            if (i + 2 * pair < count) {
                out[i + 2 * pair] = (float)(radius * cos(two_pi * v));
            }
            if (i + 2 * pair + 1 < count) {
                out[i + 2 * pair + 1] = (float)(radius * sin(two_pi * v));
            }
        }
    }
}

void stoa_random_uniform(uint64_t key, uint64_t stream, float *out, size_t count) {
    for (size_t i = 0; i < count; i += 4) {
        struct stoa_random4 r = stoa_philox(key, i / 4, stream);
        for (size_t j = 0; j < 4 && i + j < count; j++) {
            out[i + j] = 2 * stoa_random_unit(r.word[j]) - 1;
        }
    }
}

void stoa_random_shuffle(uint64_t key, uint64_t stream, size_t *index, size_t count) {
    for (size_t i = count; i > 1; i--) {
        struct stoa_random4 r = stoa_philox(key, i, stream);
        uint64_t word = (uint64_t)r.word[0] << 32 | r.word[1];
        size_t j = (size_t)(word % i);
        size_t swap = index[i - 1];
        index[i - 1] = index[j];
        index[j] = swap;
    }
}
