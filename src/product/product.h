/* SPDX-License-Identifier: MIT */
/* Every matrix product of the engine comes through here, to the BLAS or to the engine's kernel. */
#ifndef STOA_PRODUCT_PRODUCT_H
#define STOA_PRODUCT_PRODUCT_H

#include "blas/blas.h"
#include "core/context.h"

/* The columns of a panel of b, see struct stoa_gemm. */
enum { STOA_GEMM_PANEL = 64 };

/* A product with a single row takes so many columns of the matrix at once; panels for it are as wide. */
enum { STOA_ROW_PANEL = 128 };

/* Compute a product on the calling thread. c is not read when beta is 0, so it may hold NaN. Sizes beyond
 * cblas's integer are split. Copies of b lie in the thread's scratch (base/scratch.h), so the caller is
 * inside a parallel loop. */
void stoa_gemm_run(const stoa_context *context, const struct stoa_gemm *product);

/* Compute a product on the context's threads, in tiles of c that follow from m and n only. There are no
 * partial sums, so the bits are the same on any number of threads. */
void stoa_product(const stoa_context *context, const struct stoa_gemm *product);

/* How wide panels of b are worth keeping for products of this shape and for those with fewer rows: the value
 * of their packed_columns. 0 means that b is read where it lies. Kept are a b that every product would copy,
 * and one that a single row reads from beyond L2, since a panel's rows follow each other. */
size_t stoa_kept_columns(const stoa_context *context, const struct stoa_gemm *product);

/* The room for b[k][n] in panels (see struct stoa_gemm), and the packing of a product's b in parallel, in
 * panels of packed_columns, or of STOA_GEMM_PANEL where that is 0. */
size_t stoa_panel_floats(size_t k, size_t n);
void stoa_pack_panels(const stoa_context *context, const struct stoa_gemm *product, float *panels);

#endif
