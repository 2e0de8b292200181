/* SPDX-License-Identifier: MIT */
/* Products of matrices whose left operand is read in place.
 *
 * A block of the result stays in registers, rows by vectors. Each step of the sum broadcasts one number of
 * every row and multiplies it by as many vectors of b: with 32 registers blocks have 16x1, 14x2, 8x3 or 6x4,
 * with 16 registers 12x1, 6x2 or 4x3, whatever a vector holds. Rows are cut into blocks of nearly equal
 * height, so every height is compiled. The rows of a high block belong to one run and lie at equal
 * distances: four of them share an address register, or there would not be enough (Goto and van de Geijn,
 * "Anatomy of High-Performance Matrix Multiplication", 2008, without the packing). Single vectors of columns
 * have ways of their own where terms are few or neighbouring rows share them: see product_vector.h. */
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/product_vector.h"

/* How many rows a block has, by its vectors: rows of one run, and rows wherever they lie. */
#if STOA_REGISTERS >= 32
enum { MOST_VECTORS = 4, RUN_VECTORS = 2 };
static const size_t run_rows[] = {1, 16, 14};
static const size_t scattered_rows[] = {1, 12, 8, 8, 6};
#else
enum { MOST_VECTORS = 3, RUN_VECTORS = 1 };
static const size_t run_rows[] = {1, 12};
static const size_t scattered_rows[] = {1, 12, 6, 4};
#endif
enum {
    MOST_ROWS = 16,
    MOST_SCATTERED = 12,
    SHORT_RUN = 7,
    SHARED = 4,
    LINE_BYTES = 64,
};

/* The cache line that a block fetches in its first step, and how far it moves each step; the block's own
 * where all are done. */
static const char *next_line(struct panel *p, size_t *step_bytes) {
    while (p->operand < STOA_FETCHES && p->line == p->fetch[p->operand].lines) {
        p->line = 0;
        if (p->fetch[p->operand].lines == 0 || p->times++ == p->fetch[p->operand].more) {
            p->operand++;
            p->times = 0;
        }
    }
    if (p->operand == STOA_FETCHES) {
        *step_bytes = 0;
        return (const char *)p->b;
    }
    const struct stoa_fetch *fetch = &p->fetch[p->operand];
    *step_bytes = fetch->stride * sizeof(float);
    return (const char *)(fetch->start + p->times * p->terms * fetch->stride) + p->line++ * LINE_BYTES;
}

/* The rows of a block, of which `share` share an address, the first one of a run; and where the results
 * go. */
struct rows {
    const float *a[MOST_SCATTERED];
    float *c[MOST_SCATTERED];
};

/* Compute a block of no whole vectors, which is added to or whose rows may not spill over. */
__attribute__((noinline)) static void store_parts(const struct panel *p, const float *sums, size_t width,
                                                  float *const *at, size_t rows, size_t share) {
    for (size_t i = 0; i < rows; i++, sums += width) {
        float *c = at[i / share] + i % share * p->ldc;
        if (!p->adds) {
            memcpy(c, sums, p->columns * sizeof *c);
            continue;
        }
        for (size_t j = 0; j < p->columns; j++) {
            c[j] += sums[j];
        }
    }
}

/* Compute one block; rows, vectors and how many rows share an address are known when it is compiled. The
 * sums stay in registers only if every loop over them is unrolled early. */
STOA_INLINE void multiply(struct panel *p, const struct rows *at, const size_t rows, const size_t vectors,
                          const size_t share) {
    stoa_vec sum[MOST_ROWS][MOST_VECTORS];
    const float *a[MOST_ROWS];
    const size_t step = p->step;
    const size_t ldb = p->ldb;
    const float *b = p->b;
    const size_t *const end = p->term + p->terms;
    const size_t last = vectors > 1 ? p->last : 0;
#define VECTOR_AT(v) ((v) + 1 < vectors ? (v)*STOA_LANES : last)
    /* The steps of one vector are all loads and leave no room to fetch anything. */
    const bool fetches = vectors > 1;
    size_t fetch = 0;
    const char *next = fetches ? next_line(p, &fetch) : NULL;
    STOA_UNROLL
    for (size_t i = 0; i < rows; i += share) {
        a[i / share] = at->a[i / share];
    }
    STOA_UNROLL
    for (size_t v = 0; v < vectors; v++) {
        const stoa_vec start = STOA_LOAD(stoa_vec, p->start + VECTOR_AT(v));
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            sum[i][v] = start;
        }
    }
    /* A result that is only written comes from memory: its stores would wait for its cache lines. */
    if (fetches && !p->adds) {
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            STOA_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                __builtin_prefetch(at->c[i / share] + i % share * p->ldc + VECTOR_AT(v), 1);
            }
        }
    }
    for (const size_t *term = p->term; term < end; term++, b += ldb) {
        stoa_vec right[MOST_VECTORS];
        if (fetches) {
            __builtin_prefetch(next);
            next += fetch;
        }
        STOA_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            right[v] = STOA_LOAD(stoa_vec, b + VECTOR_AT(v));
        }
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            const float *left = a[i / share] + *term;
            const stoa_vec x = left[i % share * step] - (stoa_vec){0};
            STOA_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                sum[i][v] += x * right[v];
            }
        }
    }
    const bool adds = p->adds;
    const size_t ldc = p->ldc;
    if (p->columns < vectors * STOA_LANES &&
        (adds || (vectors == 1 && at->c[(rows - 1) / share] + (rows - 1) % share * ldc >= p->spill_end))) {
        float sums[MOST_ROWS * MOST_VECTORS * STOA_LANES];
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            STOA_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                STOA_STORE(stoa_vec, sums + i * vectors * STOA_LANES + VECTOR_AT(v), sum[i][v]);
            }
        }
        store_parts(p, sums, vectors * STOA_LANES, at->c, rows, share);
        return;
    }
    STOA_UNROLL
    for (size_t i = 0; i < rows; i++) {
        float *c = at->c[i / share] + i % share * ldc;
        STOA_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            if (adds) {
                sum[i][v] += STOA_LOAD(stoa_vec, c + v * STOA_LANES);
                STOA_STORE(stoa_vec, c + v * STOA_LANES, sum[i][v]);
            } else {
                STOA_STORE(stoa_vec, c + VECTOR_AT(v), sum[i][v]);
            }
        }
    }
#undef VECTOR_AT
}

#define STOA_CASE(rows, vectors, share)                                                                      \
    case rows:                                                                                               \
        multiply(p, at, rows, vectors, share);                                                               \
        break;
#define STOA_CASES_4(vectors, share)                                                                         \
    STOA_CASE(1, vectors, share)                                                                             \
    STOA_CASE(2, vectors, share) STOA_CASE(3, vectors, share) STOA_CASE(4, vectors, share)
#define STOA_CASES_6(vectors, share)                                                                         \
    STOA_CASES_4(vectors, share) STOA_CASE(5, vectors, share) STOA_CASE(6, vectors, share)
#define STOA_CASES_8(vectors, share)                                                                         \
    STOA_CASES_6(vectors, share) STOA_CASE(7, vectors, share) STOA_CASE(8, vectors, share)
#define STOA_CASES_12(vectors, share)                                                                        \
    STOA_CASES_8(vectors, share)                                                                             \
    STOA_CASE(9, vectors, share)                                                                             \
    STOA_CASE(10, vectors, share) STOA_CASE(11, vectors, share) STOA_CASE(12, vectors, share)
#define STOA_CASES_14(vectors, share)                                                                        \
    STOA_CASES_12(vectors, share) STOA_CASE(13, vectors, share) STOA_CASE(14, vectors, share)
#define STOA_CASES_16(vectors, share)                                                                        \
    STOA_CASES_14(vectors, share) STOA_CASE(15, vectors, share) STOA_CASE(16, vectors, share)
#define STOA_FUNCTION(name, cases, vectors, share)                                                           \
    static void name(struct panel *p, const struct rows *at, size_t rows) {                                  \
        switch (rows) { cases(vectors, share) default : break; }                                             \
    }

#if STOA_REGISTERS >= 32
STOA_FUNCTION(STOA_KERNEL(multiply_run_1), STOA_CASES_16, 1, SHARED)
STOA_FUNCTION(STOA_KERNEL(multiply_run_2), STOA_CASES_14, 2, SHARED)
STOA_FUNCTION(STOA_KERNEL(multiply_1), STOA_CASES_12, 1, 1)
STOA_FUNCTION(STOA_KERNEL(multiply_2), STOA_CASES_8, 2, 1)
STOA_FUNCTION(STOA_KERNEL(multiply_3), STOA_CASES_8, 3, 1)
STOA_FUNCTION(STOA_KERNEL(multiply_4), STOA_CASES_6, 4, 1)
#else
STOA_FUNCTION(STOA_KERNEL(multiply_run_1), STOA_CASES_12, 1, SHARED)
STOA_FUNCTION(STOA_KERNEL(multiply_1), STOA_CASES_12, 1, 1)
STOA_FUNCTION(STOA_KERNEL(multiply_2), STOA_CASES_6, 2, 1)
STOA_FUNCTION(STOA_KERNEL(multiply_3), STOA_CASES_4, 3, 1)
#endif

typedef void multiply_fn(struct panel *p, const struct rows *at, size_t rows);
static multiply_fn *const multiply_run[] = {
    NULL,
    STOA_KERNEL(multiply_run_1),
#if STOA_REGISTERS >= 32
    STOA_KERNEL(multiply_run_2),
#endif
};
static multiply_fn *const multiply_scattered[] = {
    NULL,
    STOA_KERNEL(multiply_1),
    STOA_KERNEL(multiply_2),
    STOA_KERNEL(multiply_3),
#if STOA_REGISTERS >= 32
    STOA_KERNEL(multiply_4),
#endif
};

/* Give each run blocks of its own. */
static void multiply_runs(struct panel *p, const struct stoa_gather *g, size_t vectors, size_t m,
                          const float *a, float *c) {
    for (size_t run = 0; run * g->run < m; run++) {
        const size_t count = stoa_min(g->run, m - run * g->run);
        const size_t blocks = stoa_ceil_div(count, run_rows[vectors]);
        const float *start = run_start(g, a, run);
        float *result = run_result(g, c, p->ldc, run);
        size_t first = 0;
        for (size_t block = 1; block <= blocks; block++) {
            const size_t rows = block * count / blocks - first;
            struct rows at;
            for (size_t i = 0; i < rows; i += SHARED) {
                at.a[i / SHARED] = start + (first + i) * g->step;
                at.c[i / SHARED] = result + (first + i) * p->ldc;
            }
            multiply_run[vectors](p, &at, rows);
            first += rows;
        }
    }
}

/* Blocks go over the runs' borders, with an address for each row. */
static void multiply_rows(struct panel *p, const struct stoa_gather *g, size_t vectors, size_t m,
                          const float *a, float *c) {
    const size_t blocks = stoa_ceil_div(m, scattered_rows[vectors]);
    const float *start = NULL;
    float *result = NULL;
    size_t run = 0;
    size_t left = 0; /* rows that the run before `run` has */
    size_t first = 0;
    for (size_t block = 1; block <= blocks; block++) {
        const size_t rows = block * m / blocks - first;
        struct rows at;
        for (size_t i = 0; i < rows; i++) {
            if (left == 0) {
                start = run_start(g, a, run);
                result = run_result(g, c, p->ldc, run);
                left = g->run;
                run++;
            }
            at.a[i] = start;
            at.c[i] = result;
            start += g->step;
            result += p->ldc;
            left--;
        }
        multiply_scattered[vectors](p, &at, rows);
        first += rows;
    }
}

void STOA_KERNEL(product)(const struct stoa_gather *gather, size_t m, size_t n, size_t k, const float *a,
                          const float *b, size_t ldb, const float *start, float *c, size_t ldc) {
    enum { WIDTH = MOST_VECTORS * STOA_LANES };
    static const float zeros[WIDTH];
    const bool adds = start == c;
    struct panel p = {
        .term = gather->term, .terms = k, .step = gather->step, .ldb = ldb, .ldc = ldc, .adds = adds};
    p.fetch = gather->next;
    p.spill_end = c;
    if (!adds && n < STOA_LANES && n == ldc && gather->result == NULL) {
        p.spill_end = c + (m - stoa_min(m, stoa_ceil_div(STOA_LANES, n))) * n;
    }
    const bool few = k > 0 && k <= FEW_TERMS && !adds && n % STOA_LANES == 0;
    const size_t width = few ? STOA_LANES : WIDTH;
    for (size_t j = 0, columns; j < n; j += columns) {
        columns = stoa_min(n - j, width);
        /* No panel but a single one is narrower than a vector. */
        if (columns < n - j && n - j - columns < STOA_LANES) {
            columns -= STOA_LANES;
        }
        const size_t vectors = stoa_ceil_div(columns, STOA_LANES);
        p.b = b + j;
        p.start = adds || start == NULL ? zeros : start + j;
        p.columns = columns;
        p.last = columns - stoa_min(columns, STOA_LANES);
        if ((few || n == STOA_LANES) && multiply_all_lines(&p, gather, m, a, c + j)) {
            continue;
        }
        if (few) {
            multiply_few_runs(&p, gather, m, a, c + j);
        } else if (vectors <= RUN_VECTORS && gather->run >= SHORT_RUN) {
            multiply_runs(&p, gather, vectors, m, a, c + j);
        } else {
            multiply_rows(&p, gather, vectors, m, a, c + j);
        }
    }
}
