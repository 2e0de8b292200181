/* SPDX-License-Identifier: MIT */
/* Products of one vector of columns. Their steps load as much as they multiply, so there are ways that load
 * less.
 *
 * With few terms all of b stays in registers. With rows of a window as terms, what neighbouring rows of the
 * product share is broadcast once for all of them. */
#ifndef STOA_KERNELS_PRODUCT_VECTOR_H
#define STOA_KERNELS_PRODUCT_VECTOR_H

#include "base/size.h"
#include "kernels/isa.h"

enum { FEW_TERMS = 9, FEW_ROWS = 2, LEAST_NEIGHBOURS = 8, MOST_NEIGHBOURS = 14, MOST_TAPS = 5 };

/* What all blocks of a panel share. */
struct panel {
    const size_t *term;
    size_t terms, step;
    const float *b, *start;
    size_t ldb, ldc;
    bool adds;
    size_t columns; /* of c that exist */
    size_t last;    /* where a block's last vector begins: it may overlap the one before */
    /* Rows of less than a vector spill over into rows that are written later, but not before these. */
    const float *spill_end;
    /* Of the gather: the next one is line `line` of rows `times` steps behind its first. */
    const struct stoa_fetch *fetch;
    size_t operand, line, times;
};

/* Where a run begins, its patches and its results. */
static const float *run_start(const struct stoa_gather *g, const float *a, size_t run) {
    return a + (g->row != NULL ? g->row[run] : 0);
}

static float *run_result(const struct stoa_gather *g, float *c, size_t ldc, size_t run) {
    return c + (g->result != NULL ? g->result[run] : run * g->run * ldc);
}

/* Compute `rows` rows of a run at once, so that the latencies of their sums overlap; they start from
 * right[terms]. */
STOA_INLINE void multiply_few_rows(const float *const *left, size_t at, size_t step, const stoa_vec *right,
                                   float *c, size_t ldc, const size_t rows, const size_t terms) {
    stoa_vec sum[FEW_ROWS];
    STOA_UNROLL
    for (size_t i = 0; i < rows; i++) {
        sum[i] = right[terms];
    }
    STOA_UNROLL
    for (size_t l = 0; l < terms; l++) {
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            sum[i] += (left[l][at + i * step] - (stoa_vec){0}) * right[l];
        }
    }
    STOA_UNROLL
    for (size_t i = 0; i < rows; i++) {
        STOA_STORE(stoa_vec, c + i * ldc, sum[i]);
    }
}

/* Compute a run, one whole vector wide, of so few terms that all of b stays in registers. */
STOA_INLINE void multiply_few(const struct panel *p, const float *a, float *c, size_t rows,
                              const size_t terms) {
    stoa_vec right[FEW_TERMS + 1];
    const float *left[FEW_TERMS];
    const size_t step = p->step;
    const size_t ldc = p->ldc;
    STOA_UNROLL
    for (size_t l = 0; l < terms; l++) {
        right[l] = STOA_LOAD(stoa_vec, p->b + l * p->ldb);
        left[l] = a + p->term[l];
    }
    right[terms] = STOA_LOAD(stoa_vec, p->start);
    size_t i = 0;
    for (; i + FEW_ROWS <= rows; i += FEW_ROWS) {
        multiply_few_rows(left, i * step, step, right, c + i * ldc, ldc, FEW_ROWS, terms);
    }
    for (; i < rows; i++) {
        multiply_few_rows(left, i * step, step, right, c + i * ldc, ldc, 1, terms);
    }
}

#define STOA_FEW_CASE(terms)                                                                                 \
    case terms:                                                                                              \
        multiply_few(p, a, c, rows, terms);                                                                  \
        break;
static void multiply_few_terms(const struct panel *p, const float *a, float *c, size_t rows) {
    switch (p->terms) {
        STOA_FEW_CASE(1)
        STOA_FEW_CASE(2)
        STOA_FEW_CASE(3)
        STOA_FEW_CASE(4)
        STOA_FEW_CASE(5)
        STOA_FEW_CASE(6)
        STOA_FEW_CASE(7)
        STOA_FEW_CASE(8)
        STOA_FEW_CASE(9)
    default:
        break;
    }
}

static void multiply_few_runs(const struct panel *p, const struct stoa_gather *g, size_t m, const float *a,
                              float *c) {
    for (size_t run = 0; run * g->run < m; run++) {
        multiply_few_terms(p, run_start(g, a, run), run_result(g, c, p->ldc, run),
                           stoa_min(g->run, m - run * g->run));
    }
}

#if STOA_REGISTERS >= 32
/* The terms are rows of a window whose product rows are neighbouring pixels of an image: each is a run of
 * terms, `taps` taps of `step` channels, and tap j of row i is tap 0 of row i + j. A number is broadcast
 * once for all the rows that it belongs to, where one vector's steps otherwise load as much as they
 * multiply. */
struct lines {
    size_t count, taps; /* taps 0: the terms are no such lines */
};

static struct lines lines_of(const struct panel *p, const struct stoa_gather *g, size_t m) {
    size_t run = 1;
    if (p->adds || p->step == 0 || g->run < LEAST_NEIGHBOURS || m % g->run != 0) {
        return (struct lines){0};
    }
    while (run < p->terms && p->term[run] == p->term[run - 1] + 1) {
        run++;
    }
    struct lines lines = {.count = p->terms / run, .taps = run / p->step};
    bool whole = p->terms % run == 0 && run % p->step == 0 && (lines.taps == 3 || lines.taps == MOST_TAPS);
    for (size_t first = 0; whole && first < p->terms; first += run) {
        for (size_t l = 1; l < run; l++) {
            whole = whole && p->term[first + l] == p->term[first] + l;
        }
    }
    lines.taps = whole ? lines.taps : 0;
    return lines;
}

/* Add one channel of a row of the window: its taps, `stride` apart at b, times the numbers that are `step`
 * apart. */
STOA_INLINE void add_neighbours(stoa_vec *sum, const float *left, size_t step, const float *b, size_t stride,
                                const size_t together, const size_t taps) {
    stoa_vec right[MOST_TAPS];
    STOA_UNROLL
    for (size_t j = 0; j < taps; j++) {
        right[j] = STOA_LOAD(stoa_vec, b + j * stride);
        STOA_KEEP(right[j]);
    }
    STOA_UNROLL
    for (size_t q = 0; q < together + taps - 1; q++) {
        stoa_vec x = left[q * step] - (stoa_vec){0};
        STOA_KEEP(x);
        STOA_UNROLL
        for (size_t j = 0; j < taps; j++) {
            if (q >= j && q - j < together) {
                sum[q - j] += x * right[j];
            }
        }
    }
}

/* The last of the blocks of `together` rows may take some of the one before once more. `square`: as many
 * rows of the window as taps, of one channel, which are too short for a loop. */
STOA_INLINE void multiply_neighbours(const struct panel *p, size_t lines, const float *a, float *c,
                                     size_t rows, const size_t together, const size_t taps,
                                     const bool square) {
    const size_t step = square ? 1 : p->step;
    const size_t ldb = p->ldb;
    const size_t ldc = p->ldc;
    const stoa_vec start = STOA_LOAD(stoa_vec, p->start);
    for (size_t end = 0; end < rows;) {
        end = stoa_min(end + together, rows);
        const size_t first = end - together;
        const float *b = p->b;
        stoa_vec sum[MOST_NEIGHBOURS];
        STOA_UNROLL
        for (size_t i = 0; i < together; i++) {
            sum[i] = start;
        }
        if (square) {
            STOA_UNROLL
            for (size_t line = 0; line < taps; line++, b += taps * ldb) {
                add_neighbours(sum, a + p->term[line * taps] + first, 1, b, ldb, together, taps);
            }
        } else {
            for (size_t line = 0; line < lines; line++, b += (taps - 1) * step * ldb) {
                const float *left = a + p->term[line * taps * step] + first * step;
                for (size_t channel = 0; channel < step; channel++, left++, b += ldb) {
                    add_neighbours(sum, left, step, b, step * ldb, together, taps);
                }
            }
        }
        STOA_UNROLL
        for (size_t i = 0; i < together; i++) {
            STOA_STORE(stoa_vec, c + (first + i) * ldc, sum[i]);
        }
    }
}

#define STOA_NEIGHBOURS_CASE(together)                                                                       \
    case together:                                                                                           \
        if (lines.taps == 5) {                                                                               \
            multiply_neighbours(p, lines.count, a, c, rows, together, 5, false);                             \
        } else if (p->step == 1 && lines.count == 3) {                                                       \
            multiply_neighbours(p, 3, a, c, rows, together, 3, true);                                        \
        } else {                                                                                             \
            multiply_neighbours(p, lines.count, a, c, rows, together, 3, false);                             \
        }                                                                                                    \
        break;
static void multiply_lines(const struct panel *p, struct lines lines, const float *a, float *c, size_t rows) {
    switch (stoa_ceil_div(rows, stoa_ceil_div(rows, MOST_NEIGHBOURS))) {
        STOA_NEIGHBOURS_CASE(8)
        STOA_NEIGHBOURS_CASE(9)
        STOA_NEIGHBOURS_CASE(10)
        STOA_NEIGHBOURS_CASE(11)
        STOA_NEIGHBOURS_CASE(12)
        STOA_NEIGHBOURS_CASE(13)
        STOA_NEIGHBOURS_CASE(14)
    default:
        break;
    }
}

/* Compute the product so; false where terms are no such rows, and nothing was done. */
static bool multiply_all_lines(const struct panel *p, const struct stoa_gather *g, size_t m, const float *a,
                               float *c) {
    const struct lines lines = lines_of(p, g, m);
    for (size_t run = 0; lines.taps > 0 && run * g->run < m; run++) {
        multiply_lines(p, lines, run_start(g, a, run), run_result(g, c, p->ldc, run), g->run);
    }
    return lines.taps > 0;
}
#else
/* Sixteen registers hold too few rows. */
static bool multiply_all_lines(const struct panel *p, const struct stoa_gather *g, size_t m, const float *a,
                               float *c) {
    (void)p;
    (void)g;
    (void)m;
    (void)a;
    (void)c;
    return false;
}
#endif

#endif
