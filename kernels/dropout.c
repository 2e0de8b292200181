/* Inverted dropout. The mask is a function of (key, stream, position) alone, so that backward runs the same
 * kernel on the gradient and nothing is stored. Floor 1. */
#include "base/random.h"
#include "kernels/isa.h"

enum { COUNTERS = 64 };

void STOA_KERNEL(dropout)(const float *x, float *y, size_t first, size_t n, uint64_t key, uint64_t stream,
                          uint32_t threshold, float scale) {
    uint32_t word[4][COUNTERS];
    for (size_t begin = 0; begin < n; begin += 4 * COUNTERS) {
        size_t length = n - begin < 4 * COUNTERS ? n - begin : 4 * COUNTERS;
        uint64_t counter = (first + begin) / 4;
#pragma omp simd
        for (size_t i = 0; i < COUNTERS; i++) {
            struct stoa_random4 r = stoa_philox(key, counter + i, stream);
            word[0][i] = r.word[0];
            word[1][i] = r.word[1];
            word[2][i] = r.word[2];
            word[3][i] = r.word[3];
        }
        for (size_t i = 0; i < length; i++) {
            y[begin + i] = word[i % 4][i / 4] >= threshold ? x[begin + i] * scale : 0;
        }
    }
}
