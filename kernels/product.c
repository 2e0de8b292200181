/* Products of matrices whose left operand is read where it lies. Floor 1.
 *
 * A block of the result stays in registers, rows by vectors. Each step of the sum broadcasts one number of every row and
 * multiplies it by as many vectors of b: with 32 registers blocks of 16x1, 12x2, 8x3 or 6x4, with 16 of 12x1, 6x2 or
 * 4x3. A run of rows is cut into blocks of nearly equal height, so that every height is compiled. Rows of a block lie at equal
 * distances: four of them share an address register, or there would not be enough. Goto and van de Geijn,
 * "Anatomy of High-Performance Matrix Multiplication", 2008, without the packing. */
#include "base/size.h"
#include "kernels/isa.h"

#if STOA_LANES == 16
enum { MOST_VECTORS = 4 };
static const size_t most_rows[] = {0, 16, 12, 8, 6};
#else
enum { MOST_VECTORS = 3 };
static const size_t most_rows[] = {0, 12, 6, 4};
#endif
enum { MOST_ROWS = 16, SCATTERED_ROWS = 12, SHORT_RUN = 7, SHARED = 4, LINE_BYTES = 64, FETCH_TERMS = 16 };

/* What all blocks of a panel share. */
struct panel {
    const struct stoa_gather *gather;
    size_t terms;
    const float *b, *start;
    size_t ldb;
    size_t ldc, columns; /* of c that exist: the last vector may be a part */
    bool adds;
    const float
        *spill_end; /* before it a row's last vector may spill over into rows that are written later */
    const char *next, *next_end; /* what is still to be fetched for later */
};

/* The last vector of a row when it may not spill over. */
static void store_part(const struct panel *p, const float *part, size_t columns, float *c) {
    for (size_t j = 0; j < columns; j++) {
        c[j] = p->adds ? part[j] + c[j] : part[j];
    }
}

STOA_INLINE void store(const struct panel *p, stoa_vec sum, size_t vector, float *c) {
    size_t columns = p->columns - vector * STOA_LANES;
    if (columns < STOA_LANES && c >= p->spill_end) {
        float part[STOA_LANES];
        STOA_STORE(stoa_vec, part, sum);
        store_part(p, part, columns, c);
        return;
    }
    if (p->adds) {
        sum += STOA_LOAD(stoa_vec, c);
    }
    STOA_STORE(stoa_vec, c, sum);
}

/* One block; rows, vectors and how many rows share an address are known when it is compiled. */
STOA_INLINE void multiply(struct panel *p, const float *const *address, float *c, const size_t rows,
                          const size_t vectors, const size_t share) {
    stoa_vec sum[MOST_ROWS][MOST_VECTORS];
    const float *a[MOST_ROWS];
    const size_t step = p->gather->step;
    const size_t ldb = p->ldb;
    const float *b = p->b;
    const size_t *term = p->gather->term;
    const size_t *const end = term + p->terms;
    const char *next = p->next;
    const char *const next_end = p->next_end;
    for (size_t i = 0; i < rows; i += share) {
        a[i / share] = address[i];
    }
    for (size_t v = 0; v < vectors; v++) {
        stoa_vec start = {0};
        if (p->start != NULL) {
            start = STOA_LOAD(stoa_vec, p->start + v * STOA_LANES);
        }
        for (size_t i = 0; i < rows; i++) {
            sum[i][v] = start;
        }
    }
    while (term < end) {
        const size_t *const stop = end - term > FETCH_TERMS ? term + FETCH_TERMS : end;
        for (size_t i = 0; i < FETCH_TERMS && next < next_end; i++, next += LINE_BYTES) {
            __builtin_prefetch(next);
        }
        for (; term < stop; term++, b += ldb) {
            stoa_vec right[MOST_VECTORS];
            for (size_t v = 0; v < vectors; v++) {
                right[v] = STOA_LOAD(stoa_vec, b + v * STOA_LANES);
            }
            for (size_t i = 0; i < rows; i++) {
                const float *left = a[i / share] + *term;
                const stoa_vec x = left[i % share * step] - (stoa_vec){0};
                for (size_t v = 0; v < vectors; v++) {
                    sum[i][v] += x * right[v];
                }
            }
        }
    }
    p->next = next;
    for (size_t i = 0; i < rows; i++) {
        for (size_t v = 0; v < vectors; v++) {
            store(p, sum[i][v], v, c + i * p->ldc + v * STOA_LANES);
        }
    }
}

#define STOA_CASE(rows, vectors, share)                                                                      \
    case rows:                                                                                               \
        multiply(p, address, c, rows, vectors, share);                                                       \
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
#define STOA_CASES_16(vectors, share)                                                                        \
    STOA_CASES_12(vectors, share)                                                                            \
    STOA_CASE(13, vectors, share)                                                                            \
    STOA_CASE(14, vectors, share) STOA_CASE(15, vectors, share) STOA_CASE(16, vectors, share)
#define STOA_FUNCTION(name, cases, vectors, share)                                                           \
    static void name(struct panel *p, const float *const *address, float *c, size_t rows) {                  \
        switch (rows) { cases(vectors, share) default : break; }                                             \
    }

STOA_FUNCTION(STOA_KERNEL(multiply_scattered), STOA_CASES_12, 1, 1)
#if STOA_LANES == 16
STOA_FUNCTION(STOA_KERNEL(multiply_1), STOA_CASES_16, 1, SHARED)
STOA_FUNCTION(STOA_KERNEL(multiply_2), STOA_CASES_12, 2, SHARED)
STOA_FUNCTION(STOA_KERNEL(multiply_3), STOA_CASES_8, 3, 1)
STOA_FUNCTION(STOA_KERNEL(multiply_4), STOA_CASES_6, 4, 1)
#else
STOA_FUNCTION(STOA_KERNEL(multiply_1), STOA_CASES_12, 1, SHARED)
STOA_FUNCTION(STOA_KERNEL(multiply_2), STOA_CASES_6, 2, 1)
STOA_FUNCTION(STOA_KERNEL(multiply_3), STOA_CASES_4, 3, 1)
#endif

typedef void multiply_fn(struct panel *p, const float *const *address, float *c, size_t rows);
static multiply_fn *const multiply_blocks[] = {
    NULL,
    STOA_KERNEL(multiply_1),
    STOA_KERNEL(multiply_2),
    STOA_KERNEL(multiply_3),
#if STOA_LANES == 16
    STOA_KERNEL(multiply_4),
#endif
};

static const float *row_address(const struct stoa_gather *g, const float *a, size_t row) {
    size_t run = stoa_max(1, g->run);
    return a + (g->row != NULL ? g->row[row / run] : 0) + row % run * g->step;
}

/* All rows of a panel: each run in blocks of equal height, the last one less. */
static void multiply_runs(struct panel *p, size_t m, const float *a, float *c) {
    const struct stoa_gather *g = p->gather;
    size_t vectors = stoa_ceil_div(p->columns, STOA_LANES);
    for (size_t first = 0; first < m; first += stoa_max(1, g->run)) {
        size_t run = stoa_min(stoa_max(1, g->run), m - first);
        size_t blocks = stoa_ceil_div(run, stoa_max(1, most_rows[vectors]));
        size_t height = stoa_ceil_div(run, stoa_max(1, blocks));
        const float *start = row_address(g, a, first);
        for (size_t i = 0; i < run; i += height) {
            const float *address[MOST_ROWS];
            size_t rows = stoa_min(height, run - i);
            for (size_t j = 0; j < rows; j++) {
                address[j] = start + (i + j) * g->step;
            }
            multiply_blocks[vectors](p, address, c + (first + i) * p->ldc, rows);
        }
    }
}

/* One vector wide, in runs so short that a block takes several: an address for each row. */
static void multiply_short_runs(struct panel *p, size_t m, const float *a, float *c) {
    size_t height = stoa_ceil_div(m, stoa_max(1, stoa_ceil_div(m, SCATTERED_ROWS)));
    for (size_t first = 0; first < m; first += height) {
        const float *address[SCATTERED_ROWS];
        size_t rows = stoa_min(height, m - first);
        for (size_t i = 0; i < rows; i++) {
            address[i] = row_address(p->gather, a, first + i);
        }
        STOA_KERNEL(multiply_scattered)(p, address, c + first * p->ldc, rows);
    }
}

void STOA_KERNEL(product)(const struct stoa_gather *gather, size_t m, size_t n, size_t k, const float *a,
                          const float *b, size_t ldb, const float *start, float *c, size_t ldc) {
    enum { WIDTH = MOST_VECTORS * STOA_LANES };
    struct panel p = {
        .gather = gather, .terms = k, .ldb = ldb, .ldc = ldc, .adds = start == c, .next = gather->next};
    p.next_end = p.next != NULL ? p.next + gather->next_bytes : p.next;
    p.spill_end = c;
    if (!p.adds && n <= WIDTH && n == ldc) {
        p.spill_end = c + (m - stoa_min(m, stoa_ceil_div(STOA_LANES, n))) * n;
    }
    for (size_t j = 0; j < n; j += WIDTH) {
        p.b = b + j;
        p.start = p.adds || start == NULL ? NULL : start + j;
        p.columns = stoa_min(n - j, WIDTH);
        if (p.columns <= STOA_LANES && gather->run < SHORT_RUN) {
            multiply_short_runs(&p, m, a, c + j);
        } else {
            multiply_runs(&p, m, a, c + j);
        }
    }
}
