/* SPDX-License-Identifier: MIT */
/* Chains of multiply-adds in registers: nothing is loaded or stored between the first step and the last. */
#include "kernels/isa.h"

/* As many vectors at a time as fit the registers of every instruction set beside the two constants. */
enum { VECTORS = 12, BLOCK = VECTORS * STOA_LANES };
_Static_assert(STOA_FMA_CHAINS % BLOCK == 0, "whole blocks only");

STOA_INLINE void block(const float *x, size_t rounds, float factor, float summand, float *y) {
    stoa_vec v[VECTORS];
    const stoa_vec scale = (stoa_vec){0} + factor;
    const stoa_vec shift = (stoa_vec){0} + summand;
    for (size_t i = 0; i < VECTORS; i++) {
        v[i] = STOA_LOAD(stoa_vec, x + i * STOA_LANES);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < VECTORS; i++) {
            v[i] = v[i] * scale + shift;
        }
    }
    for (size_t i = 0; i < VECTORS; i++) {
        STOA_STORE(stoa_vec, y + i * STOA_LANES, v[i]);
    }
}

void STOA_KERNEL(fma_chain)(const float *x, size_t rounds, float factor, float summand, float *y) {
    for (size_t i = 0; i < STOA_FMA_CHAINS; i += BLOCK) {
        block(x + i, rounds, factor, summand, y + i);
    }
}
