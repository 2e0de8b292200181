/* SPDX-License-Identifier: MIT */
/* The way in which a product is computed on one thread. It follows from the shape, the tuning table, the
 * policy and what is known of the BLAS. */
#ifndef STOA_PRODUCT_WAY_H
#define STOA_PRODUCT_WAY_H

#include "product/product.h"

/* LANES columns are a vector and ROWS rows a block in registers, in the BLAS's small kernels and in the
 * engine's. A block has at most MOST_TERMS terms, and MOST_COPIED of them on copies. */
enum { STOA_WAY_LANES = 16, STOA_WAY_ROWS = 12, STOA_WAY_MOST_TERMS = 512, STOA_WAY_MOST_COPIED = 256 };

/* A thread's scratch holds a panel of b and behind it rows of a. */
enum {
    STOA_WAY_B_FLOATS = STOA_WAY_MOST_COPIED * STOA_GEMM_PANEL,
    STOA_WAY_A_FLOATS = STOA_SCRATCH_FLOATS - STOA_WAY_B_FLOATS
};

struct stoa_way {
    enum {
        STOA_BY_CALL,   /* one plain call of the BLAS */
        STOA_BY_ROW,    /* a vector times a matrix, whose numbers are each read or written once */
        STOA_BY_SMALL,  /* one call below the BLAS's limit for products that it does not pack */
        STOA_BY_PIECES, /* the BLAS block by block, each below that limit */
        STOA_BY_KERNEL  /* the engine's kernel block by block */
    } by;
    bool swaps;              /* a copy of a is multiplied by b's own rows, which gives the transpose of c */
    bool clears;             /* c is set to 0 first, because the BLAS would add to NaN in it */
    bool copies_a, copies_b; /* blocks are multiplied on copies, whose rows are contiguous */
    size_t panel;            /* how wide panels that b may be kept in are, to the same bits; 0: it may not */
    /* Sizes of a block. Its columns are at most STOA_GEMM_PANEL with the kernel or on a copy of b. */
    size_t rows, terms, columns;
};

struct stoa_way stoa_way_of(const stoa_context *context, const struct stoa_gemm *product);
void stoa_way_run(const stoa_context *context, const struct stoa_gemm *product, const struct stoa_way *way);

#endif
