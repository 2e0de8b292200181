/* SPDX-License-Identifier: MIT */
/* Matrix products, by the BLAS or by the engine's own kernel: the one door for all of them. */
#ifndef STOA_PRODUCT_PRODUCT_H
#define STOA_PRODUCT_PRODUCT_H

#include "blas/blas.h"
#include "core/context.h"

/* Columns of a panel of b, see struct stoa_gemm. */
enum { STOA_GEMM_PANEL = 64 };

/* A product on the calling thread. c is not read when beta is 0, so it may hold NaN. Sizes beyond cblas's
 * integer are split. Copies of b lie in the thread's scratch (base/scratch.h), so this is called from inside
 * a parallel loop. */
void stoa_gemm_run(const stoa_context *context, const struct stoa_gemm *product);

/* The same on the context's threads, in tiles of c that follow from m and n only: no partial sums, the same
 * bits on any number of threads. */
void stoa_product(const stoa_context *context, const struct stoa_gemm *product);

/* The same where stoa_pack_panels() has made b just now: threads take the columns that they packed. */
void stoa_product_packed(const stoa_context *context, const struct stoa_gemm *product);

/* Room for b[k][n] in panels (see struct stoa_gemm), and the b of a product packed so, in parallel. */
size_t stoa_panel_floats(size_t k, size_t n);
void stoa_pack_panels(const stoa_context *context, const struct stoa_gemm *product, float *panels);

#endif
