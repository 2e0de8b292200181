/* SPDX-License-Identifier: MIT */
/* One product cut over the engine's threads. */
#ifndef STOA_CORE_PRODUCT_H
#define STOA_CORE_PRODUCT_H

#include "blas/gemm.h"
#include "core/context.h"

/* Like stoa_gemm_run(), in tiles of c that follow from m and n only: no partial sums, the same bits on any
 * number of threads. */
void stoa_product(const stoa_context *context, const struct stoa_gemm *product);

/* The same where stoa_pack_panels() has made b just now: threads take the columns that they packed. */
void stoa_product_packed(const stoa_context *context, const struct stoa_gemm *product);

/* Room for b[k][n] in panels (see struct stoa_gemm), and the b of a product packed so, in parallel. */
size_t stoa_panel_floats(size_t k, size_t n);
void stoa_pack_panels(const stoa_context *context, const struct stoa_gemm *product, float *panels);

#endif
