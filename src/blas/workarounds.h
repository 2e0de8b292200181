/* SPDX-License-Identifier: MIT */
/* What single versions of the BLAS do that products have to know; found on first use and again after a change
 * of core. */
#ifndef STOA_BLAS_WORKAROUNDS_H
#define STOA_BLAS_WORKAROUNDS_H

#include <stdbool.h>
#include <stddef.h>

#include "blas/blas.h"

/* Largest m * n * k that the BLAS multiplies without packing its operands; 0: it packs all. */
size_t stoa_blas_small_limit(void);

/* What the kernels of the BLAS's core are made for, one of vendor.h's STOA_CORE_; STOA_CORE_UNKNOWN where it
 * does not say. */
int stoa_blas_rank(void);

/* Look again at both: after a change of core. */
void stoa_gemm_look_at_core(void);

/* Products that allocate memory inside the BLAS: those of so many columns beyond whole vectors and of so many
 * terms. */
enum { STOA_BUFFERED_COLUMNS = 8, STOA_BUFFERED_TERMS = 32 };
bool stoa_blas_takes_buffer(size_t n, size_t k);

/* A product within the limit, with alpha 1, cut so that none of its pieces is of that kind. */
void stoa_blas_small(const struct stoa_gemm *product);

#endif
