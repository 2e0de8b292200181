/* SPDX-License-Identifier: MIT */
/* Matrix products, by the BLAS or by the engine's own kernel: the one door for all of them. */
#ifndef STOA_PRODUCT_PRODUCT_H
#define STOA_PRODUCT_PRODUCT_H

#include "blas/blas.h"
#include "core/context.h"

/* Columns of a panel of b, see struct stoa_gemm. */
enum { STOA_GEMM_PANEL = 64 };

/* Columns of a matrix that a single row meets at once, and of the panels that it may be kept in. */
enum { STOA_ROW_PANEL = 128 };

/* A product on the calling thread. c is not read when beta is 0, so it may hold NaN. Sizes beyond cblas's
 * integer are split. Copies of b lie in the thread's scratch (base/scratch.h), so this is called from inside
 * a parallel loop. */
void stoa_gemm_run(const stoa_context *context, const struct stoa_gemm *product);

/* The same on the context's threads, in tiles of c that follow from m and n only: no partial sums, the same
 * bits on any number of threads. */
void stoa_product(const stoa_context *context, const struct stoa_gemm *product);

/* Columns of the panels that pay for keeping b of products of this shape, and of the same with fewer rows:
 * for their packed_columns. 0: b is read where it lies. What is copied for every product is kept instead, and
 * what a single row reads from beyond L2, where one row of a panel lies behind the other. */
size_t stoa_kept_columns(const stoa_context *context, const struct stoa_gemm *product);

/* Room for b[k][n] in panels (see struct stoa_gemm), and the b of a product packed so, in parallel: panels of
 * packed_columns, or of STOA_GEMM_PANEL where that is 0. */
size_t stoa_panel_floats(size_t k, size_t n);
void stoa_pack_panels(const stoa_context *context, const struct stoa_gemm *product, float *panels);

#endif
