/* SPDX-License-Identifier: MIT */
/* Reference chains of multiply-adds. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(fma_chain)(const real *x, size_t rounds, real factor, real summand, real *y) {
    for (size_t i = 0; i < STOA_FMA_CHAINS; i++) {
        real v = x[i];
        for (size_t round = 0; round < rounds; round++) {
            v = v * factor + summand;
        }
        y[i] = v;
    }
}
