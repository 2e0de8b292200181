/* SPDX-License-Identifier: MIT */
/* The search for numbers that are none. */
#include "kernels/isa.h"

void STOA_KERNEL(find_nonfinite)(const float *x, size_t n, size_t *index) {
    enum { BLOCK = 1024 };
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        size_t end = n - begin < BLOCK ? n : begin + BLOCK;
        /* All exponent bits set: NaN or infinite. Whole blocks are checked without a branch. */
        uint32_t found = 0;
#pragma omp simd reduction(| : found)
        for (size_t i = begin; i < end; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, sizeof bits);
            found |= (bits & 0x7F800000U) == 0x7F800000U ? 1U : 0U;
        }
        for (size_t i = begin; found && i < end; i++) {
            if (!(x[i] - x[i] == 0)) {
                *index = i;
                return;
            }
        }
    }
    *index = n;
}
