/* SPDX-License-Identifier: MIT */
/* The decision between the ways of a product.
 *
 * OpenBLAS's AVX-512 cores multiply small products, up to a limit of m * n * k, straight from the operands;
 * larger ones are packed first, which costs a tenth to a third of the speed at the sizes that layers have. So
 * a small product is one call, and a large one is cut into pieces below the limit, on copies of b where many
 * rows pass over it. The engine's kernel takes what the table leaves to it: products with many rows, and long
 * sums, whose operands come from far away and which it fetches ahead; and columns for which the BLAS would
 * allocate memory. OpenBLAS's other cores pack all, and most products are the kernel's there. */
#include "product/way.h"

#include "base/size.h"
#include "blas/vendor.h"
#include "blas/workarounds.h"
#include "core/tuning.h"

enum { COPY_LEAST_ROWS = 96, KERNEL_LEAST_ROWS = 24, KERNEL_ROWS = 204 };

size_t stoa_way_part(size_t size, size_t most, size_t unit) {
    size_t parts = stoa_max(1, stoa_ceil_div(size, stoa_max(1, most))); /* a product may have no terms */
    return stoa_min(size, stoa_round_up(stoa_ceil_div(size, parts), unit));
}

/* In double: the product of three sizes may not fit a size_t. */
static double work_of(const struct stoa_gemm *p) {
    return (double)p->m * (double)p->n * (double)p->k;
}

/* By the instruction set, not by the table of kernels, of which stoa-bench makes a copy that counts. */
static int rank_of(const stoa_context *context) {
    return context->isa == STOA_ISA_AVX512 ? STOA_CORE_AVX512
           : context->isa == STOA_ISA_AVX2 ? STOA_CORE_AVX2
                                           : 0;
}

/* Rows of a that stay in the caches for the next panel of b, where there is one. */
static size_t rows_of(const struct stoa_gemm *p, const struct stoa_tuning *t) {
    return p->n <= STOA_GEMM_PANEL ? p->m : t->product_rows;
}

/* The engine's kernel, where the operands lie or on copies of b. Rows: so many that those of a and the ones
 * below stay in L2. Of a gradient all rows at once and few terms; very few where its rows are short, so
 * that what is fetched stays in L1, but all where columns are no whole vectors, which are slow to add to.
 * Where the rows of both of its operands lie apart a whole panel of b would not stay in L1. */
static struct stoa_way by_kernel(const struct stoa_gemm *p, const struct stoa_tuning *t, bool copies_b) {
    enum { SHORT_ROWS = 256, SHORT_TERMS = 64, LONG_TERMS = 256, FAR_COLUMNS = 32 };
    struct stoa_way way = {
        .by = STOA_BY_KERNEL, .copies_b = copies_b, .rows = p->m, .columns = STOA_GEMM_PANEL};
    if (!p->transpose_a) {
        way.rows = stoa_way_part(p->m, copies_b ? rows_of(p, t) : KERNEL_ROWS, STOA_WAY_ROWS);
        way.terms = stoa_way_part(p->k, copies_b ? t->product_terms : STOA_WAY_MOST_TERMS, STOA_WAY_LANES);
        return way;
    }
    bool apart = p->ldb > STOA_GEMM_PANEL && p->m >= COPY_LEAST_ROWS;
    bool whole = p->n % STOA_WAY_LANES != 0 && p->k <= STOA_WAY_MOST_TERMS;
    way.terms = whole ? p->k : p->lda <= SHORT_ROWS && !apart ? SHORT_TERMS : LONG_TERMS;
    way.columns = apart ? FAR_COLUMNS : STOA_GEMM_PANEL;
    return way;
}

/* A core that packs every product, in a buffer from a list that threads lock. A few rows do not pay for a
 * copy of b, nor does the kernel for less than a vector of columns; a gradient whose operands' rows lie far
 * apart is better packed, and so are large ones. */
static struct stoa_way beside_packing(const stoa_context *context, const struct stoa_gemm *p) {
    enum { LEAST_ROWS = 8 };
    const struct stoa_tuning *t = context->tuning;
    int rank = rank_of(context);
    bool far = p->ldb >= t->product_far;
    bool few = p->m < LEAST_ROWS && (p->transpose_b || p->n < STOA_WAY_LANES);
    if (rank == 0 || rank < stoa_blas_rank() || few || (p->transpose_a && far && rank == stoa_blas_rank())) {
        return (struct stoa_way){.by = STOA_BY_CALL};
    }
    return by_kernel(p, t, p->transpose_b || (far && !p->transpose_a && p->m >= LEAST_ROWS));
}

/* A weight gradient: few rows and columns, each a sum over very many pixels. */
static bool is_long_sum(const struct stoa_gemm *p, const struct stoa_tuning *t) {
    return p->transpose_a && p->k >= t->product_long_terms && p->n % STOA_WAY_LANES == 0 &&
           (double)p->m * (double)p->n <= (double)t->product_long_result && p->m < t->product_long_rows;
}

/* Many rows, of as many terms and columns as pay for a block's beginning and end. */
static bool is_tall(const struct stoa_gemm *p, const struct stoa_tuning *t) {
    enum { LEAST_COLUMNS = 32 };
    return !p->transpose_a && !p->transpose_b && p->m >= KERNEL_LEAST_ROWS && p->n >= LEAST_COLUMNS &&
           p->n % STOA_WAY_LANES == 0 && p->k >= t->product_tall_terms && p->ldb < t->product_far;
}

/* Columns for which the BLAS would allocate memory, or cut, are the kernel's with enough rows: less than a
 * vector of columns is the BLAS's as long as it is one piece. */
static bool is_odd(const struct stoa_gemm *p) {
    return !p->transpose_a && p->m >= KERNEL_LEAST_ROWS && p->k >= STOA_BUFFERED_TERMS &&
           p->n % STOA_WAY_LANES != 0 && (p->n > STOA_WAY_LANES || stoa_blas_takes_buffer(p->n, p->k));
}

/* Pieces where the operands lie: all rows of up to 128 columns. On copies of b, and of a gradient's a whose
 * rows lie far apart, rows and terms of a stay in L2 while the panels of b pass over them. */
static struct stoa_way by_pieces(const struct stoa_gemm *p, const struct stoa_tuning *t, bool copies_b) {
    enum { COLUMNS = 128, ROWS = 2 * STOA_WAY_ROWS };
    size_t limit = stoa_blas_small_limit();
    struct stoa_way way = {.by = STOA_BY_PIECES, .copies_b = copies_b, .rows = p->m};
    size_t most = t->product_terms;
    if (copies_b) {
        /* Whole panels are fastest (64 and 32 columns before 48 and 48), unless the last would be narrower
         * than a vector. */
        bool narrow = p->n % STOA_GEMM_PANEL >= 1 && p->n % STOA_GEMM_PANEL < STOA_WAY_LANES;
        way.columns = narrow ? stoa_way_part(p->n, STOA_GEMM_PANEL, STOA_WAY_LANES) : STOA_GEMM_PANEL;
        way.copies_a = p->transpose_a && p->n > STOA_GEMM_PANEL && p->lda >= t->product_far && p->k > most;
        size_t rows = rows_of(p, t);
        if (way.copies_a) {
            most = t->product_gradient_terms;
            rows = stoa_min(rows, STOA_WAY_A_FLOATS / most - STOA_WAY_LANES); /* a line between the copies */
        }
        way.rows = stoa_way_part(p->m, rows, STOA_WAY_ROWS);
    } else {
        way.columns = stoa_way_part(p->n, COLUMNS, STOA_WAY_LANES);
        most = limit / (way.columns * stoa_min(p->m, ROWS));
        most = p->transpose_a && p->m > ROWS ? stoa_min(most, STOA_WAY_MOST_COPIED) : most;
    }
    way.terms = stoa_way_part(p->k, most, 1);
    return way;
}

/* A core that multiplies small products as they lie. It is slow on a transposed b, which a few rows cannot
 * pay for turning. */
static struct stoa_way beside_small(const stoa_context *context, const struct stoa_gemm *p) {
    const struct stoa_tuning *t = context->tuning;
    bool small = work_of(p) <= (double)stoa_blas_small_limit();
    bool odd = is_odd(p);
    if (p->transpose_b) {
        if (small && p->m < t->product_turned_rows && p->k >= STOA_BUFFERED_TERMS) {
            return (struct stoa_way){.by = STOA_BY_CALL};
        }
        bool kernel = odd || (p->m >= t->product_copied_rows && p->k > STOA_GEMM_PANEL);
        return kernel ? by_kernel(p, t, true) : by_pieces(p, t, true);
    }
    if (small && !odd) {
        struct stoa_way way = {.by = STOA_BY_PIECES, .rows = p->m, .terms = p->k, .columns = p->n};
        return way;
    }
    bool copies = p->m >= COPY_LEAST_ROWS && p->ldb > STOA_GEMM_PANEL;
    bool tall = odd || is_tall(p, t) || (copies && !p->transpose_a && p->m >= t->product_copied_rows);
    return tall || is_long_sum(p, t) ? by_kernel(p, t, copies && p->ldb >= t->product_far)
                                     : by_pieces(p, t, copies);
}

struct stoa_way stoa_way_of(const stoa_context *context, const struct stoa_gemm *p) {
    const struct stoa_tuning *t = context->tuning;
    if (p->by_kernel) {
        return by_kernel(p, t, false);
    }
    /* Not in blocks where the order of the sums is not the engine's to choose. */
    bool scales = p->alpha != 1 || (p->beta != 0 && p->beta != 1);
    if (stoa_plain_products(context) || scales || work_of(p) >= t->product_whole) {
        return (struct stoa_way){.by = STOA_BY_CALL};
    }
    return stoa_blas_small_limit() > 0 ? beside_small(context, p) : beside_packing(context, p);
}
