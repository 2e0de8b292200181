/* SPDX-License-Identifier: MIT */
/* What single versions of the BLAS do that products have to know. */
#ifndef STOA_BLAS_WORKAROUNDS_H
#define STOA_BLAS_WORKAROUNDS_H

#include "blas/blas.h"
#include "kernels/kernels.h"

struct stoa_blas_ways {
    bool overwrites;    /* NaN in c when beta is 0 */
    size_t small_limit; /* largest m * n * k that is multiplied without packing; 0: all operands are packed */
    int core_rank;      /* what the core's kernels are made for: one of vendor.h's STOA_CORE_ */
};

/* What the BLAS of this process does, found on first use. */
const struct stoa_blas_ways *stoa_blas_ways(void);

/* Look again after a change of core, while no other thread multiplies. */
void stoa_blas_look(void);

/* Compute a product within the limit, in pieces for which the BLAS allocates no memory. */
void stoa_blas_small(const struct stoa_kernels *kernels, const struct stoa_gemm *product);

#endif
