/* SPDX-License-Identifier: MIT */
/* The choice between the ways of a product.
 *
 * OpenBLAS's AVX-512 cores multiply small products, up to a limit of m * n * k, straight from the operands.
 * They pack larger ones first, which costs a tenth to a third of the speed at the sizes that layers have. So
 * a small product is one call, and a large one is cut into pieces below the limit, on copies of b where many
 * rows pass over it. The engine's kernel takes what the table leaves to it: products with many rows, and
 * long sums, whose operands come from memory and which it fetches ahead. OpenBLAS's other cores pack
 * everything, so the kernel takes most products there. */
#include "product/way.h"

#include "base/size.h"
#include "blas/vendor.h"
#include "blas/workarounds.h"
#include "core/tuning.h"

/* Rows that pay for the kernel, for a copy of b near by, and of a block without one. */
enum { LEAST_ROWS = 24, COPY_LEAST_ROWS = 96, KERNEL_ROWS = 204 };

/* The size of one part, when `size` is cut into the fewest equal parts of at most `most`, each but the last
 * a multiple of `unit`. */
static size_t part_of(size_t size, size_t most, size_t unit) {
    size_t parts = stoa_max(1, stoa_ceil_div(size, stoa_max(1, most))); /* a product may have no terms */
    return stoa_min(size, stoa_round_up(stoa_ceil_div(size, parts), unit));
}

/* The table of kernels would not tell: stoa-bench counts by a copy of it. The instruction set does. */
static int rank_of(const stoa_context *context) {
    return context->isa == STOA_ISA_AVX512 ? STOA_CORE_AVX512
           : context->isa == STOA_ISA_AVX2 ? STOA_CORE_AVX2
                                           : 0;
}

/* So many rows of a stay in the caches for the next panel of b, where there is one. */
static size_t rows_of(const struct stoa_gemm *p, const struct stoa_tuning *t) {
    return p->n <= STOA_GEMM_PANEL ? p->m : t->product_rows;
}

/* Use the engine's kernel, in place or on copies of b. So many rows make a block that they and those below
 * stay in L2. A gradient takes all rows at once and few terms: very few where its rows are short, so that
 * what is fetched stays in L1, but all where its columns are no whole vectors, which are slow to add to.
 * Where the rows of both operands lie apart, a whole panel of b would not stay in L1. A transposed b of more
 * rows than a takes a's place where the rows of a fill most of a panel: only those are copied then. */
static struct stoa_way by_kernel(const struct stoa_gemm *p, const struct stoa_tuning *t, bool copies_b) {
    enum { SHORT_ROWS = 256, SHORT_TERMS = 64, LONG_TERMS = 256, FAR_COLUMNS = 32 };
    struct stoa_way way = {
        .by = STOA_BY_KERNEL, .copies_b = copies_b, .rows = p->m, .columns = STOA_GEMM_PANEL};
    if (!p->transpose_a) {
        way.swaps = p->transpose_b && p->beta == 0 && p->n >= p->m && p->m <= STOA_GEMM_PANEL &&
                    2 * p->m >= STOA_GEMM_PANEL;
        way.rows = way.swaps ? p->n : part_of(p->m, copies_b ? rows_of(p, t) : KERNEL_ROWS, STOA_WAY_ROWS);
        way.terms = part_of(p->k, copies_b ? t->product_terms : STOA_WAY_MOST_TERMS, STOA_WAY_LANES);
        return way;
    }
    bool apart = p->ldb > STOA_GEMM_PANEL && p->m >= COPY_LEAST_ROWS;
    bool whole = p->n % STOA_WAY_LANES != 0 && p->k <= STOA_WAY_MOST_TERMS;
    way.terms = whole ? p->k : p->lda <= SHORT_ROWS && !apart ? SHORT_TERMS : LONG_TERMS;
    way.columns = apart ? FAR_COLUMNS : STOA_GEMM_PANEL;
    return way;
}

/* The BLAS's core packs every product, into buffers from a list under a lock. A few rows do not pay for a
 * copy of b, nor does the kernel for less than a vector of columns. A gradient whose operands' rows lie far
 * apart is better packed, and so are large products. */
static struct stoa_way beside_packing(const stoa_context *context, const struct stoa_gemm *p, int core) {
    enum { FEW_ROWS = 8 };
    const struct stoa_tuning *t = context->tuning;
    int rank = rank_of(context);
    bool far = p->ldb >= t->product_far;
    bool few = p->m < FEW_ROWS && (p->transpose_b || p->n < STOA_WAY_LANES);
    if (rank == 0 || rank < core || few || (p->transpose_a && far && rank == core)) {
        return (struct stoa_way){.by = STOA_BY_CALL};
    }
    return by_kernel(p, t, p->transpose_b || (far && !p->transpose_a && p->m >= FEW_ROWS));
}

/* A weight gradient has few rows and columns, each of them a sum over very many pixels. */
static bool is_long_sum(const struct stoa_gemm *p, const struct stoa_tuning *t) {
    return p->transpose_a && p->k >= t->product_long_terms && p->n % STOA_WAY_LANES == 0 &&
           (double)p->m * (double)p->n <= (double)t->product_long_result && p->m < t->product_long_rows;
}

/* The product has many rows, and enough terms and columns to pay for a block's beginning and end. */
static bool is_tall(const struct stoa_gemm *p, const struct stoa_tuning *t) {
    enum { LEAST_COLUMNS = 32 };
    return !p->transpose_a && !p->transpose_b && p->m >= LEAST_ROWS && p->n >= LEAST_COLUMNS &&
           p->k >= t->product_tall_terms && p->ldb < t->product_far;
}

/* Cut into pieces. In place a block has all rows of up to 128 columns. On copies of b, and of a gradient's a
 * whose rows lie far apart, rows and terms of a stay in L2 while the panels of b pass over them. */
static struct stoa_way by_pieces(const struct stoa_gemm *p, const struct stoa_tuning *t, size_t limit,
                                 bool copies_b) {
    enum { COLUMNS = 128, ROWS = 2 * STOA_WAY_ROWS };
    struct stoa_way way = {
        .by = STOA_BY_PIECES, .copies_b = copies_b, .rows = p->m, .columns = STOA_GEMM_PANEL};
    size_t most = t->product_terms;
    if (copies_b) {
        size_t rows = rows_of(p, t);
        way.copies_a = p->transpose_a && p->n > STOA_GEMM_PANEL && p->lda >= t->product_far && p->k > most;
        if (way.copies_a) {
            most = t->product_gradient_terms;
            /* A cache line between copies */
            rows = stoa_min(rows, STOA_WAY_A_FLOATS / most - STOA_WAY_LANES);
        }
        way.rows = part_of(p->m, rows, STOA_WAY_ROWS);
    } else {
        way.columns = part_of(p->n, COLUMNS, STOA_WAY_LANES);
        most = limit / (way.columns * stoa_min(p->m, ROWS));
        most = p->transpose_a && p->m > ROWS ? stoa_min(most, STOA_WAY_MOST_COPIED) : most;
    }
    way.terms = part_of(p->k, most, 1);
    return way;
}

/* The BLAS's core multiplies small products in place. It is slow on a transposed b, which a few rows cannot
 * pay for transposing, and packs b all the same where its sums are short. */
static struct stoa_way beside_small(const struct stoa_gemm *p, const struct stoa_tuning *t, size_t limit,
                                    bool small) {
    enum { TURNED_TERMS = 32 };
    if (p->transpose_b) {
        if (small && p->m < t->product_turned_rows && p->k >= TURNED_TERMS) {
            return (struct stoa_way){.by = STOA_BY_CALL};
        }
        bool kernel = p->m >= LEAST_ROWS && p->k > STOA_GEMM_PANEL;
        return kernel ? by_kernel(p, t, true) : by_pieces(p, t, limit, true);
    }
    if (small) {
        return (struct stoa_way){.by = STOA_BY_SMALL};
    }
    bool far = p->ldb >= t->product_far;
    bool copies = p->ldb > STOA_GEMM_PANEL && p->m >= (far && !p->transpose_a ? LEAST_ROWS : COPY_LEAST_ROWS);
    bool tall = is_tall(p, t) || (copies && !p->transpose_a);
    return tall || is_long_sum(p, t) ? by_kernel(p, t, copies && far) : by_pieces(p, t, limit, copies);
}

static struct stoa_way way_by(const stoa_context *context, const struct stoa_gemm *p,
                              const struct stoa_blas_ways *blas) {
    const struct stoa_tuning *t = context->tuning;
    /* The order of these sums is not the engine's to choose, so they are not cut into blocks. */
    bool scales = p->alpha != 1 || (p->beta != 0 && p->beta != 1);
    if (p->by_kernel) {
        return by_kernel(p, t, false);
    }
    if (stoa_plain_products(context) || scales) {
        return (struct stoa_way){.by = STOA_BY_CALL};
    }
    if (p->beta == 0 && (p->transpose_a ? p->k == 1 && !p->transpose_b : p->m == 1)) {
        return (struct stoa_way){.by = STOA_BY_ROW};
    }
    double work = (double)p->m * (double)p->n * (double)p->k; /* the product may not fit a size_t */
    if (work >= t->product_whole) {
        return (struct stoa_way){.by = STOA_BY_CALL};
    }
    return blas->small_limit > 0 ? beside_small(p, t, blas->small_limit, work <= (double)blas->small_limit)
                                 : beside_packing(context, p, blas->core_rank);
}

/* Panels of b change no sum where b is copied to such panels anyway, and none of the engine's kernels. */
static size_t panel_of(const struct stoa_gemm *p, const struct stoa_way *way) {
    size_t panel = way->by == STOA_BY_ROW                       ? STOA_ROW_PANEL
                   : way->by == STOA_BY_KERNEL || way->copies_b ? STOA_GEMM_PANEL
                                                                : 0;
    bool thin = panel > 0 && p->n % panel > 0 && p->n % panel < STOA_WAY_LANES;
    return p->transpose_a || p->transpose_b || p->panels || thin ? 0 : panel;
}

struct stoa_way stoa_way_of(const stoa_context *context, const struct stoa_gemm *p) {
    const struct stoa_blas_ways *blas = stoa_blas_ways();
    struct stoa_way way = way_by(context, p, blas);
    way.clears = p->beta == 0 && !blas->overwrites;
    way.panel = panel_of(p, &way);
    return way;
}

void stoa_gemm_run(const stoa_context *context, const struct stoa_gemm *p) {
    struct stoa_way way = stoa_way_of(context, p);
    stoa_way_run(context, p, &way);
}

size_t stoa_kept_columns(const stoa_context *context, const struct stoa_gemm *p) {
    struct stoa_way way = stoa_way_of(context, p);
    bool near = p->k * p->n <= context->tuning->l2_bytes / sizeof(float);
    return way.by == STOA_BY_ROW && near ? 0 : way.panel;
}
