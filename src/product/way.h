/* SPDX-License-Identifier: MIT */
/* How a product on one thread is computed: decided once, from its shape, the tuning table, the policy and
 * what is known of the BLAS. */
#ifndef STOA_PRODUCT_WAY_H
#define STOA_PRODUCT_WAY_H

#include "product/product.h"

/* A vector of columns and the rows of a block in registers, of the BLAS's small kernels and of the engine's;
 * terms of a block at most, and on copies. */
enum { STOA_WAY_LANES = 16, STOA_WAY_ROWS = 12, STOA_WAY_MOST_TERMS = 512, STOA_WAY_MOST_COPIED = 256 };

/* A thread's scratch: a panel of b, and behind it rows of a. */
enum {
    STOA_WAY_B_FLOATS = STOA_WAY_MOST_COPIED * STOA_GEMM_PANEL,
    STOA_WAY_A_FLOATS = STOA_SCRATCH_FLOATS - STOA_WAY_B_FLOATS
};

struct stoa_way {
    enum {
        STOA_BY_CALL,   /* one plain call of the BLAS */
        STOA_BY_ROW,    /* of a vector and a matrix, each number of which is read or written once */
        STOA_BY_SMALL,  /* the same, below its limit for products that it does not pack */
        STOA_BY_PIECES, /* the BLAS block by block, each below that limit */
        STOA_BY_KERNEL  /* the engine's kernel block by block */
    } by;
    bool clears;             /* c first: what the BLAS adds to may be NaN */
    bool copies_a, copies_b; /* blocks are multiplied on copies: their rows lie side by side, b is not
                                  * transposed */
    size_t panel;            /* columns of panels that b may be kept in, to the same bits; 0: it may not */
    size_t rows, terms, columns; /* of a block; columns are at most STOA_GEMM_PANEL with the kernel or on a
                                  * copy of b */
};

struct stoa_way stoa_way_of(const stoa_context *context, const struct stoa_gemm *product);
void stoa_way_run(const stoa_context *context, const struct stoa_gemm *product, const struct stoa_way *way);

#endif
