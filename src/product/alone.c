/* SPDX-License-Identifier: MIT */
/* Products on one thread. way.c decides how a product is computed, and this file does it.
 *
 * A product that is more than one call is cut into blocks by one loop: rows of a that stay in L2, terms,
 * columns of b. A block is multiplied by the engine's kernel, or by the BLAS in pieces below its limit. The
 * operands are read in place or from copies in the thread's scratch, because rows that lie far apart, above
 * all by a power of two, share few sets of the caches, and because a transposed b is slow to read (Goto and
 * van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008). Blocks follow from the sizes,
 * the table and the BLAS alone, so results can be repeated. */
#include <string.h>

#include "base/scratch.h"
#include "base/size.h"
#include "blas/workarounds.h"
#include "kernels/kernels.h"
#include "product/way.h"

/* A product without an inner dimension is c = beta * c. c may hold NaN when beta is 0. */
static void scale(const struct stoa_gemm *p) {
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            p->c[i * p->ldc + j] = p->beta == 0 ? 0 : p->c[i * p->ldc + j] * p->beta;
        }
    }
}

/* A product while it runs. */
struct run {
    const struct stoa_kernels *kernels;
    const struct stoa_gemm *p;
    const struct stoa_way *way;
    float *scratch;
    size_t i, l;  /* the block's first row and term */
    size_t *term; /* the kernel reads here where the terms lie that it adds up at once */
};

/* Fetch the cache lines of an operand's rows, `more` + 1 times as many rows as the step has terms. */
static struct stoa_fetch fetch(const float *operand, size_t stride, size_t columns, size_t more) {
    return (struct stoa_fetch){operand, stride, stoa_ceil_div(columns, STOA_WAY_LANES), more};
}

/* The last terms of these rows fetch the rows below. At the end they fetch those of the next product, cache
 * line after cache line where its rows are contiguous. They are few enough to stay in L2. */
static struct stoa_fetch fetch_rows(const struct run *r, const struct stoa_gemm *block) {
    enum { MOST_ROWS = 192 };
    const struct stoa_gemm *p = r->p;
    size_t end = r->i + block->m;
    bool next = end == p->m && p->next_a;
    if (next && p->lda <= stoa_round_up(p->k, STOA_WAY_LANES)) {
        return fetch(p->next_a, STOA_WAY_LANES, 1, p->m * p->lda / STOA_WAY_LANES / block->k);
    }
    size_t rows = stoa_min(next ? p->m : p->m + p->below - end, MOST_ROWS);
    return fetch(next ? p->next_a : p->a + end * p->lda, p->lda, rows > 0 ? block->k : 0, rows / block->k);
}

/* The operands of large products come from memory, in strips that no hardware prefetcher follows. So the
 * kernel fetches what its next step reads while it multiplies: the next terms of b, for a gradient those of
 * both operands, and in the last terms the rows below. Rows and panels are followed by the hardware, and to
 * fetch them as well would cost up to 3 %. */
static void multiply(const struct run *r, const struct stoa_gemm *block, size_t j) {
    const struct stoa_gemm *p = r->p;
    size_t next = r->l + block->k;
    struct stoa_gather gather = {.run = block->m, .step = p->transpose_a ? 1 : block->lda, .term = r->term};
    size_t beside = j + block->n;
    bool more = p->k - next >= block->k; /* a term of the next step for each */
    if (r->way->copies_b && !p->transpose_b && (beside < p->n || more)) { /* what is copied next */
        gather.next[0] =
            fetch(beside < p->n ? p->b + r->l * p->ldb + beside : p->b + next * p->ldb, p->ldb, block->n, 0);
    } else if (!p->panels && !r->way->copies_b && more) {
        gather.next[0] = fetch(p->b + next * p->ldb + j, p->ldb, block->n, 0);
        if (p->transpose_a && beside == p->n) {
            gather.next[1] = fetch(p->a + next * p->lda, p->lda, p->m, 0);
        }
    }
    if (!p->transpose_a && j == 0 && next == p->k) {
        gather.next[1] = fetch_rows(r, block);
    }
    r->kernels->product(&gather, block->m, block->n, block->k, block->a, block->b, block->ldb,
                        block->beta == 1 ? block->c : NULL, block->c, block->ldc);
}

/* Call the BLAS for so few rows at a time that it does not pack. */
static void call_pieces(const struct stoa_kernels *kernels, const struct stoa_gemm *block) {
    size_t most = stoa_blas_ways()->small_limit / (block->n * block->k) / STOA_WAY_ROWS * STOA_WAY_ROWS;
    size_t rows = stoa_max(STOA_WAY_ROWS, most);
    for (size_t i = 0; i < block->m; i += rows) {
        struct stoa_gemm piece =
            stoa_gemm_part(block, i, stoa_min(rows, block->m - i), 0, block->k, 0, block->n);
        stoa_blas_small(kernels, &piece);
    }
}

/* Copy the block's part of b, a row for each term, transposed where b is. */
static void copy_b(const struct run *r, struct stoa_gemm *block) {
    size_t width = stoa_round_up(block->n, STOA_WAY_LANES);
    if (block->transpose_b) {
        r->kernels->transpose(block->b, block->n, block->k, block->ldb, r->scratch, width);
    } else {
        r->kernels->copy_rows(block->b, block->k, block->n, block->ldb, r->scratch, width);
    }
    block->b = r->scratch;
    block->ldb = width;
    block->transpose_b = false;
}

/* Copy a transposed a once for all columns; a cache line keeps terms from lying a power of two apart. */
static void copy_a(const struct run *r, struct stoa_gemm *block, bool first) {
    float *copy = r->scratch + STOA_WAY_B_FLOATS;
    size_t width = stoa_round_up(block->m, STOA_WAY_LANES);
    width += width / STOA_WAY_LANES % 2 == 0 ? STOA_WAY_LANES : 0;
    if (first) {
        r->kernels->copy_rows(block->a, block->k, block->m, block->lda, copy, width);
    }
    block->a = copy;
    block->lda = width;
}

/* The columns of the block at `j`. No block but a single one is narrower than a vector. */
static size_t columns_at(const struct run *r, size_t j) {
    size_t left = r->p->n - j;
    size_t columns = stoa_min(r->way->columns, left);
    bool thin = columns < left && left - columns < STOA_WAY_LANES && !r->p->panels;
    return thin ? columns - STOA_WAY_LANES : columns;
}

/* Multiply the rows and terms at r->i and r->l with all columns. */
static void run_columns(const struct run *r) {
    const struct stoa_gemm *p = r->p;
    const struct stoa_way *way = r->way;
    bool kernel = way->by == STOA_BY_KERNEL;
    size_t rows = stoa_min(way->rows, p->m - r->i);
    size_t terms = stoa_min(way->terms, p->k - r->l);
    for (size_t j = 0, columns; j < p->n; j += columns) {
        columns = columns_at(r, j);
        struct stoa_gemm block = stoa_gemm_part(p, r->i, rows, r->l, terms, j, columns);
        block.panels = false; /* within one panel b is a matrix like any other */
        if (way->copies_a) {
            copy_a(r, &block, j == 0);
        }
        /* The kernel reads whole vectors of b, so fewer columns are copied to where numbers follow them. */
        if (way->copies_b || (kernel && !p->panels && columns < STOA_WAY_LANES)) {
            copy_b(r, &block);
        }
        if (kernel) {
            multiply(r, &block, j);
        } else {
            call_pieces(r->kernels, &block);
        }
    }
}

static void run_blocks(struct run *r) {
    const struct stoa_gemm *p = r->p;
    for (size_t l = 0; r->way->by == STOA_BY_KERNEL && l < stoa_min(r->way->terms, p->k); l++) {
        r->term[l] = p->transpose_a ? l * p->lda : l;
    }
    for (r->i = 0; r->i < p->m; r->i += r->way->rows) {
        for (r->l = 0; r->l < p->k; r->l += r->way->terms) {
            run_columns(r);
        }
    }
}

/* The rows of b times a copy of a give the transpose of c, in parts whose sums fit the scratch. */
static void run_swapped(const stoa_context *context, const struct stoa_gemm *p, const struct stoa_way *way) {
    enum { COLUMNS = STOA_WAY_A_FLOATS / STOA_GEMM_PANEL / STOA_WAY_ROWS * STOA_WAY_ROWS };
    struct stoa_gemm swapped = {.transpose_b = true, .n = p->m, .k = p->k, .alpha = 1, .lda = p->ldb};
    swapped.b = p->a;
    swapped.ldb = p->lda;
    swapped.c = stoa_scratch() + STOA_WAY_B_FLOATS;
    swapped.ldc = STOA_GEMM_PANEL;
    struct stoa_way direct = *way;
    direct.swaps = false;
    for (size_t j = 0; j < p->n; j += COLUMNS) {
        swapped.m = direct.rows = stoa_min(COLUMNS, p->n - j);
        swapped.a = p->b + j * p->ldb;
        stoa_way_run(context, &swapped, &direct);
        context->kernels->transpose(swapped.c, swapped.m, p->m, STOA_GEMM_PANEL, p->c + j, p->ldc);
    }
}

/* A single row has kernels of its own: sgemm would pack, or copy transposed, a matrix that is used once. */
static void run_row(const struct stoa_kernels *kernels, const struct stoa_gemm *p) {
    if (p->transpose_a) {
        kernels->outer(p->a, p->m, p->b, p->n, p->c, p->ldc);
    } else if (p->transpose_b) {
        kernels->matrix_times_column(p->b, p->n, p->k, p->ldb, p->a, p->c);
    } else {
        size_t columns = p->panels ? STOA_ROW_PANEL : p->n;
        for (size_t j = 0; j < p->n; j += columns) {
            struct stoa_gemm part = stoa_gemm_part(p, 0, 1, 0, p->k, j, stoa_min(columns, p->n - j));
            kernels->row_times_matrix(part.a, part.b, part.k, part.n, part.ldb, part.c);
        }
    }
}

void stoa_way_run(const stoa_context *context, const struct stoa_gemm *p, const struct stoa_way *way) {
    if (p->k == 0 || way->clears) {
        scale(p);
    }
    if (p->m == 0 || p->n == 0 || p->k == 0) {
        return;
    }
    if (p->packed && way->panel == p->packed_columns) {
        struct stoa_gemm from_panels = *p;
        struct stoa_way panels = *way;
        from_panels.b = p->packed;
        from_panels.packed = NULL;
        from_panels.panels = true;
        panels.copies_b = panels.clears = false;
        stoa_way_run(context, &from_panels, &panels);
        return;
    }
    if (way->swaps) {
        run_swapped(context, p, way);
    } else if (way->by == STOA_BY_CALL) {
        stoa_blas_sgemm(p);
    } else if (way->by == STOA_BY_SMALL) {
        stoa_blas_small(context->kernels, p);
    } else if (way->by == STOA_BY_ROW) {
        run_row(context->kernels, p);
    } else {
        size_t term[STOA_WAY_MOST_TERMS]; /* only what is read is set */
        run_blocks(&(struct run){
            .kernels = context->kernels, .p = p, .way = way, .scratch = stoa_scratch(), .term = term});
    }
}
