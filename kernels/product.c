/* Products of matrices whose left operand is read where it lies. Floor 1.
 *
 * A block of the result stays in registers: ROWS(v) rows by v vectors, the accumulators. Each step of the sum
 * broadcasts one number of every row and multiplies it by v vectors of b. With 16 registers the blocks are 12x1,
 * 6x2 and 4x3, with 32 twice that and 6x4, so few rows that rows a power of two apart still find room in a cache's
 * sets. Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008, without the packed a. */
#include "base/size.h"
#include "kernels/isa.h"

#if STOA_LANES == 16
enum { ACCUMULATORS = 24, MOST_VECTORS = 4, MOST_ROWS = 12 };
#else
enum { ACCUMULATORS = 12, MOST_VECTORS = 3, MOST_ROWS = 12 };
#endif

/* One block: rows by vectors are known when it is compiled. */
struct block {
    const struct stoa_gather *gather;
    const float *a, *b;
    size_t ldb;
    float *c;
    size_t ldc, columns; /* of c that exist: the last vector may be a part */
    bool add;
    const char *next, *next_end; /* what is still to be fetched for later */
};

STOA_INLINE void store(const struct block *p, size_t row, size_t vector, stoa_vec sum) {
    float *c = p->c + row * p->ldc + vector * STOA_LANES;
    size_t columns = p->columns - vector * STOA_LANES;
    if (columns >= STOA_LANES) {
        if (p->add) {
            sum += STOA_LOAD(stoa_vec, c);
        }
        STOA_STORE(stoa_vec, c, sum);
        return;
    }
    float part[STOA_LANES];
    STOA_STORE(stoa_vec, part, sum);
    for (size_t j = 0; j < columns; j++) {
        c[j] = p->add ? part[j] + c[j] : part[j];
    }
}

/* Rows [row, row + rows) of the product. */
STOA_INLINE void multiply(struct block *p, size_t row, const size_t rows, const size_t vectors,
                          const size_t step) {
    const struct stoa_gather *g = p->gather;
    stoa_vec sum[MOST_ROWS][MOST_VECTORS];
    const float *a[MOST_ROWS];
    for (size_t i = 0; i < rows; i++) {
        a[i] = p->a + (g->row != NULL ? g->row[row + i] : (row + i) * g->row_step);
        for (size_t v = 0; v < vectors; v++) {
            sum[i][v] = (stoa_vec){0};
        }
    }
    const float *b = p->b;
    for (size_t s = 0; s < g->segments; s++) {
        size_t at = g->segment != NULL ? g->segment[s] : 0;
        for (size_t l = 0; l < g->length; l++, at += step, b += p->ldb) {
            stoa_vec right[MOST_VECTORS];
            for (size_t v = 0; v < vectors; v++) {
                right[v] = STOA_LOAD(stoa_vec, b + v * STOA_LANES);
            }
            if (p->next < p->next_end) {
                __builtin_prefetch(p->next);
                p->next += 64;
            }
            for (size_t i = 0; i < rows; i++) {
                const stoa_vec left = a[i][at] - (stoa_vec){0};
                for (size_t v = 0; v < vectors; v++) {
                    sum[i][v] += left * right[v];
                }
            }
        }
    }
    for (size_t i = 0; i < rows; i++) {
        for (size_t v = 0; v < vectors; v++) {
            store(p, row + i, v, sum[i][v]);
        }
    }
}

/* All rows, `vectors` wide: whole blocks, then the rest in blocks of halves. */
STOA_INLINE void multiply_rows(struct block *p, size_t m, const size_t vectors, const size_t step) {
    const size_t most = stoa_min(MOST_ROWS, ACCUMULATORS / vectors);
    size_t row = 0;
    for (; row + most <= m; row += most) {
        multiply(p, row, most, vectors, step);
    }
    for (; most > 8 && row + 8 <= m; row += 8) {
        multiply(p, row, 8, vectors, step);
    }
    for (; most > 4 && row + 4 <= m; row += 4) {
        multiply(p, row, 4, vectors, step);
    }
    for (; row + 2 <= m; row += 2) {
        multiply(p, row, 2, vectors, step);
    }
    for (; row < m; row++) {
        multiply(p, row, 1, vectors, step);
    }
}

STOA_INLINE void multiply_columns(struct block *p, size_t m, const size_t step) {
    switch (stoa_ceil_div(p->columns, STOA_LANES)) {
    case 1:
        multiply_rows(p, m, 1, step);
        break;
    case 2:
        multiply_rows(p, m, 2, step);
        break;
    case 3:
        multiply_rows(p, m, 3, step);
        break;
#if STOA_LANES == 16
    case 4:
        multiply_rows(p, m, 4, step);
        break;
#endif
    default:
        break;
    }
}

void STOA_KERNEL(product)(const struct stoa_gather *g, size_t m, size_t n, const float *a, const float *b,
                          size_t ldb, bool add, float *c, size_t ldc) {
    const char *next = g->next;
    const char *end = g->next ? next + g->next_bytes : next;
    for (size_t j = 0; j < n; j += MOST_VECTORS * STOA_LANES) {
        struct block p = {g,   a,    b + j, ldb, c + j, ldc, stoa_min(n - j, MOST_VECTORS * STOA_LANES),
                          add, next, end};
        if (g->step == 1) {
            multiply_columns(&p, m, 1);
        } else {
            multiply_columns(&p, m, g->step);
        }
        next = p.next;
    }
}
