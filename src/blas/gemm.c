/* SPDX-License-Identifier: MIT */
/* Products through cblas.
 *
 * OpenBLAS's AVX-512 cores multiply small products, up to a limit of m * n * k, straight from the operands;
 * larger ones are packed first, which costs a fifth to a third of the speed at the sizes that layers have. So
 * a small product is one call. A large one is passed over in steps by the engine's kernel, which fetches the
 * operands of a step during the one before, or cut into blocks below the limit: a slice of b that stays in
 * L2, passed over by rows of a in multiples of 12, the height of the BLAS's kernels. OpenBLAS's other cores
 * pack all: in their place the engine's kernel multiplies alone. Blocks follow from the sizes and the BLAS
 * alone, so results stay reproducible. */
#include "blas/gemm.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/scratch.h"
#include "base/size.h"
#include "blas/vendor.h"
#include "kernels/kernels.h"

/* What is known of the BLAS's ways with products; found on first use and again after a change of core. */
static pthread_once_t look_once = PTHREAD_ONCE_INIT;
static bool multiplies_by_zero;
static atomic_size_t small_limit; /* largest m * n * k that is not packed; 0: all are */
static atomic_int core_rank;      /* what its kernels are made for; UNKNOWN where it does not say */
enum { UNKNOWN = STOA_CORE_AVX512 + 1 };

/* The BLAS standard lets C be overwritten when beta is 0, but some implementations multiply: 0 * NaN is NaN.
 * Whether this one does is tried on a small and on a larger product. */
static void try_zero(void) {
    enum { LARGE = 112 };
    static float a[LARGE * LARGE];
    static float c[LARGE * LARGE];
    const size_t sizes[] = {5, LARGE};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        for (size_t i = 0; i < n * n; i++) {
            c[i] = NAN;
        }
        stoa_blas_sgemm(&(struct stoa_gemm){
            .m = n, .n = n, .k = n, .alpha = 1, .a = a, .lda = n, .b = a, .ldb = n, .c = c, .ldc = n});
        for (size_t i = 0; i < n * n; i++) {
            multiplies_by_zero = multiplies_by_zero || isnan(c[i]);
        }
    }
}

/* OpenBLAS's interface/gemm.c and its permit function of the AVX-512 cores: 100^3, measured with 0.3.21.
 * Versions before 0.3.17 have no such path. */
void stoa_gemm_look_at_core(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    int release = 0;
    bool known = blas->core && blas->version && stoa_blas_core_rank(blas->core()) == STOA_CORE_AVX512 &&
                 sscanf(blas->version(), "OpenBLAS 0.3.%d", &release) == 1 && release >= 17;
    atomic_store(&small_limit, known ? (size_t)1000000 : 0);
    atomic_store(&core_rank, blas->core ? stoa_blas_core_rank(blas->core()) : UNKNOWN);
}

static void look(void) {
    try_zero();
    stoa_gemm_look_at_core();
}

bool stoa_blas_overwrites(void) {
    (void)pthread_once(&look_once, look);
    return !multiplies_by_zero;
}

static void fill_zero(const struct stoa_gemm *p) {
    for (size_t i = 0; i < p->m; i++) {
        memset(p->c + i * p->ldc, 0, p->n * sizeof(float));
    }
}

/* c = beta * c: what is left of a product without an inner dimension. */
static void scale(const struct stoa_gemm *p) {
    if (p->beta == 0) {
        fill_zero(p);
        return;
    }
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            p->c[i * p->ldc + j] *= p->beta;
        }
    }
}

struct blocks {
    size_t m, n, k;
    bool copies;
};

/* `size` cut into the fewest equal parts of at most `most`, each a multiple of `unit` but the last. */
static size_t equal_part(size_t size, size_t most, size_t unit) {
    size_t part = stoa_ceil_div(size, stoa_ceil_div(size, most));
    return stoa_min(size, stoa_round_up(part, unit));
}

/* A slice of b that many rows of a pass over is copied first (to the thread's scratch), so that its rows lie
 * side by side: rows far apart, above all by a power of two, share few sets of the caches. A transposed b is
 * copied always, the other way round: the direct kernels are slow on it as it lies. */
enum {
    LANES = 16,
    KERNEL_ROWS = 12,
    SLICE_COLUMNS = STOA_GEMM_PANEL,
    SLICE_TERMS = 512,
    SLICE_LEAST_ROWS = 96
};

/* OpenBLAS's direct kernel takes a buffer from malloc for its last columns when there are 1 to 8 beyond a
 * multiple of 16 and the sums have 32 terms or more (0.3.21, found by counting). Running a plan allocates
 * nothing: such products are cut so that no piece is of that kind. */
enum { BUFFERED_COLUMNS = 8, BUFFERED_TERMS = 32, KERNEL_LEAST_ROWS = 24 };

static bool takes_buffer(size_t n, size_t k) {
    return n % LANES >= 1 && n % LANES <= BUFFERED_COLUMNS && k >= BUFFERED_TERMS;
}

/* With enough rows the engine's kernel is faster: 1.1 to 1.2 times, and 1.3 to 1.4 times as fast as such
 * pieces. Less than a vector of columns is the BLAS's as long as it is one piece. */
static bool is_odd(const struct stoa_gemm *p) {
    return p->kernels && !p->transpose_a && p->m >= KERNEL_LEAST_ROWS && p->k >= BUFFERED_TERMS &&
           p->n % LANES != 0 && (p->n > LANES || takes_buffer(p->n, p->k));
}

static struct blocks choose_blocks(const struct stoa_gemm *p) {
    enum { ROWS = 2 * KERNEL_ROWS, COLUMNS = 128 };
    size_t limit = atomic_load_explicit(&small_limit, memory_order_relaxed);
    /* In double: the product of three sizes may not fit a size_t. */
    if ((double)p->m * (double)p->n * (double)p->k <= (double)limit && !p->transpose_b) {
        return (struct blocks){p->m, p->n, p->k, false};
    }
    struct blocks blocks = {.copies = p->transpose_b || (p->m >= SLICE_LEAST_ROWS && p->ldb > SLICE_COLUMNS)};
    /* Whole slices are fastest (64 and 32 columns before 48 and 48), unless the last would be narrower than a
     * vector. */
    bool narrow = p->n % SLICE_COLUMNS >= 1 && p->n % SLICE_COLUMNS < LANES;
    blocks.n = blocks.copies && !narrow ? stoa_min(p->n, SLICE_COLUMNS)
                                        : equal_part(p->n, blocks.copies ? SLICE_COLUMNS : COLUMNS, LANES);
    blocks.k = equal_part(p->k, blocks.copies ? SLICE_TERMS : limit / (blocks.n * stoa_min(p->m, ROWS)), 1);
    blocks.m = stoa_max(KERNEL_ROWS, limit / (blocks.n * blocks.k) / KERNEL_ROWS * KERNEL_ROWS);
    return blocks;
}

/* Rows [i, i + m), columns [j, j + n) of c and terms [l, l + k) of the sums. */
struct piece {
    size_t i, j, l, m, n, k;
};

static struct stoa_gemm piece_of(const struct stoa_gemm *p, struct piece at) {
    struct stoa_gemm piece = *p;
    piece.m = at.m;
    piece.n = at.n;
    piece.k = at.k;
    piece.a += p->transpose_a ? at.l * p->lda + at.i : at.i * p->lda + at.l;
    piece.b += p->transpose_b ? at.j * p->ldb + at.l : at.l * p->ldb + at.j;
    piece.c += at.i * p->ldc + at.j;
    piece.beta = at.l == 0 ? p->beta : 1;
    return piece;
}

static void call_piece(const struct stoa_gemm *p, struct piece at) {
    struct stoa_gemm piece = piece_of(p, at);
    stoa_blas_sgemm(&piece);
}

static void call_direct(const struct stoa_gemm *p) {
    if (p->transpose_a || !takes_buffer(p->n, p->k)) {
        stoa_blas_sgemm(p);
        return;
    }
    size_t last = BUFFERED_COLUMNS + 1;
    if (p->n > last && !takes_buffer(p->n - last, p->k)) {
        call_piece(p, (struct piece){0, 0, 0, p->m, p->n - last, p->k});
        call_piece(p, (struct piece){0, p->n - last, 0, p->m, last, p->k});
        return;
    }
    /* Up to 8 columns, or 1 beyond a multiple: the last ones with few terms at a time. */
    last = p->n % LANES;
    if (p->n > last) {
        call_piece(p, (struct piece){0, 0, 0, p->m, p->n - last, p->k});
    }
    for (size_t l = 0; l < p->k; l += BUFFERED_TERMS - 1) {
        call_piece(p, (struct piece){0, p->n - last, l, p->m, last, stoa_min(p->k - l, BUFFERED_TERMS - 1)});
    }
}

/* The operands of large products come from far away, and BLAS reads them in strips that no hardware
 * prefetcher follows: 160 to 240 of 265 GFLOP/s a core. The engine's kernel fetches what its next step reads
 * while it multiplies: the next terms of b, of a gradient those of both operands, and in the last terms the
 * rows below. Along rows and panels hardware does it, and to fetch those as well would cost up to 3 %. */
enum {
    STEP_TERMS = 256, /* of a gradient */
    MOST_TERMS = 512,
    STEP_ROWS = 192,
    LONG_TERMS = 1024,
    LONG_RESULT = 1 << 16,
    LONG_OPERANDS = 1 << 17
};

/* A weight gradient: few rows and columns, each a sum over very many pixels. With more rows the BLAS on
 * copies of b is faster (measured 1.0 to 1.15 times), the sooner the farther apart the rows of b lie. */
static bool is_long_sum(const struct stoa_gemm *p) {
    enum { FAR_APART = 1024, TALL = 384, TALL_FAR = 192 };
    bool copies = p->ldb > SLICE_COLUMNS && p->m >= (p->ldb >= FAR_APART ? TALL_FAR : TALL);
    return p->transpose_a && p->k >= LONG_TERMS && (double)p->m * (double)p->n <= LONG_RESULT && !copies &&
           ((double)p->m + (double)p->n) * (double)p->k >= LONG_OPERANDS;
}

/* Many rows, of as many terms and columns as pay for a block's beginning and end. */
static bool is_tall(const struct stoa_gemm *p) {
    enum { LEAST_COLUMNS = 32, LEAST_TERMS = 48, LEAST_PANEL = 4096 };
    return !p->transpose_a && p->m >= KERNEL_LEAST_ROWS && p->n >= LEAST_COLUMNS && p->k >= LEAST_TERMS &&
           (p->n < SLICE_COLUMNS || p->n * p->k > LEAST_PANEL);
}

/* Of a product that is too large for one call, or on a copy: `padded`, numbers follow the rows of b that may
 * be read. */
static bool suits_kernel(const struct stoa_gemm *p, bool padded) {
    enum { COPY_TERMS = 64 };
    if (!p->kernels || p->transpose_b || p->alpha != 1 || (p->beta != 0 && p->beta != 1)) {
        return false;
    }
    if (padded && !p->transpose_a && p->m >= KERNEL_LEAST_ROWS) {
        return p->k > COPY_TERMS || takes_buffer(p->n, p->k);
    }
    return is_odd(p) || (p->n % STOA_PRODUCT_LANES == 0 && (is_long_sum(p) || is_tall(p)));
}

static int rank_of(const struct stoa_kernels *kernels) {
    return kernels == stoa_kernels_for(STOA_ISA_AVX512) ? STOA_CORE_AVX512
           : kernels == stoa_kernels_for(STOA_ISA_AVX2) ? STOA_CORE_AVX2
                                                        : 0;
}

/* OpenBLAS's cores that know no small products pack each one, in a buffer from a list that threads lock. On
 * AVX2 the engine's kernel is 1.0 to 1.8 times as fast, the most in narrow layers; twice as fast and more
 * where OpenBLAS does not know the CPU or is held at a core for less than it has. A few rows do not pay for a
 * copy of b. */
static bool outruns_blas(const struct stoa_gemm *p) {
    enum { COPY_ROWS = 8 };
    if (atomic_load_explicit(&small_limit, memory_order_relaxed) > 0 || !p->kernels || p->whole) {
        return false;
    }
    int rank = rank_of(p->kernels);
    return rank > 0 && rank >= atomic_load_explicit(&core_rank, memory_order_relaxed) && p->alpha == 1 &&
           (p->beta == 0 || p->beta == 1) && (p->m >= COPY_ROWS || !(p->transpose_b || p->n < LANES));
}

/* `columns` columns of an operand's rows, for `more` + 1 times as many rows as the step has terms. */
static struct stoa_fetch fetch(const float *operand, size_t stride, size_t columns, size_t more) {
    return (struct stoa_fetch){operand, stride, stoa_ceil_div(columns, LANES), more};
}

/* The rows below, during the last `terms` terms of these. */
static struct stoa_fetch fetch_rows(const struct stoa_gemm *p, size_t terms) {
    size_t rows = p->next_a ? p->m : p->below;
    if (p->next_a && p->lda <= stoa_round_up(p->k, LANES)) { /* rows side by side: line after line */
        return (struct stoa_fetch){p->next_a, LANES, 1, p->m * p->lda / LANES / terms};
    }
    const float *a = p->next_a ? p->next_a : p->a + p->m * p->lda;
    return fetch(a, p->lda, rows > 0 ? terms : 0, rows / terms);
}

/* Terms [l, l + terms) of the panel of columns [j, j + columns), which lies at b. */
static void run_step(const struct stoa_gemm *p, const size_t *term, size_t l, size_t terms, size_t j,
                     size_t columns, const float *b, size_t ldb) {
    size_t next = l + terms;
    struct stoa_gather gather = {.run = p->m, .step = p->transpose_a ? 1 : p->lda, .term = term};
    if (!p->panels && p->k - next >= terms) { /* for every term of this step there is one in the next */
        gather.next[0] = fetch(p->b + next * p->ldb + j, p->ldb, columns, 0);
        if (p->transpose_a && j + columns == p->n) {
            gather.next[1] = fetch(p->a + next * p->lda, p->lda, p->m, 0);
        }
    }
    if (!p->transpose_a && j == 0 && next == p->k) {
        gather.next[1] = fetch_rows(p, terms);
    }
    float *c = p->c + j;
    p->kernels->product(&gather, p->m, columns, terms, p->a + l * (p->transpose_a ? p->lda : 1), b, ldb,
                        l > 0 || p->beta == 1 ? c : NULL, c, p->ldc);
}

/* Where the copies lie in the thread's scratch; b may be the first when the second is made. */
enum { SLICE_AT = 0, THIN_AT = SLICE_TERMS * SLICE_COLUMNS };
_Static_assert(THIN_AT + MOST_TERMS * LANES <= STOA_SCRATCH_FLOATS, "the copies fit a thread's scratch");

/* A panel less than a vector wide, from a copy whose rows have numbers behind them. */
static void run_thin_step(const struct stoa_gemm *p, const size_t *term, size_t l, size_t terms,
                          size_t columns) {
    float *copy = stoa_scratch() + THIN_AT;
    p->kernels->copy_rows(p->b + l * p->ldb, terms, columns, p->ldb, copy, LANES);
    run_step(p, term, l, terms, 0, columns, copy, LANES);
}

/* Terms that are added up at once. */
static size_t step_terms(const struct stoa_gemm *p, bool distant) {
    /* Of a small gradient, which is cheap to add to, so many that what is fetched stays in L1. */
    enum { SMALL_STRIDE = 256, SMALL_TERMS = 64 };
    if (!p->transpose_a) {
        return equal_part(p->k, MOST_TERMS, LANES);
    }
    if (p->n % LANES != 0 && p->k <= MOST_TERMS) { /* such columns are slow to add to */
        return p->k;
    }
    return p->lda <= SMALL_STRIDE && !distant ? SMALL_TERMS : STEP_TERMS;
}

/* The slice of b in columns [j, j + columns), from term l on. */
static const float *slice_at(const struct stoa_gemm *p, size_t l, size_t j, size_t ldb) {
    return p->panels ? p->b + j * p->k + l * ldb : p->b + l * ldb + j;
}

static void run_steps(const struct stoa_gemm *p) {
    /* Where the rows of both operands of a gradient lie apart a whole slice of b would not stay in L1
     * (measured: half a slice
     * 1.02 to 1.25 times as fast). */
    enum { FAR_COLUMNS = 32 };
    bool distant = p->transpose_a && p->ldb > SLICE_COLUMNS && p->m >= SLICE_LEAST_ROWS;
    size_t most = distant ? FAR_COLUMNS : SLICE_COLUMNS;
    size_t step = step_terms(p, distant);
    size_t term[MOST_TERMS];
    for (size_t l = 0; l < stoa_min(step, p->k); l++) {
        term[l] = p->transpose_a ? l * p->lda : l;
    }
    for (size_t l = 0; l < p->k; l += step) {
        size_t terms = stoa_min(step, p->k - l);
        for (size_t j = 0, columns; j < p->n; j += columns) {
            columns = stoa_min(most, p->n - j);
            /* No slice but a single one is less than a vector wide. */
            if (!p->panels && columns < p->n - j && p->n - j - columns < LANES) {
                columns -= LANES;
            }
            size_t ldb = p->panels ? stoa_round_up(columns, LANES) : p->ldb;
            if (columns >= STOA_PRODUCT_LANES || p->panels) {
                run_step(p, term, l, terms, j, columns, slice_at(p, l, j, ldb), ldb);
            } else {
                run_thin_step(p, term, l, terms, columns);
            }
        }
    }
}

/* So many rows at a time that those and the ones below stay in L2: STEP_ROWS or a block more, and no few ones
 * at the end. */
static void run_kernel(const struct stoa_gemm *p) {
    size_t rows = p->transpose_a ? p->m : equal_part(p->m, STEP_ROWS + KERNEL_ROWS, KERNEL_ROWS);
    for (size_t i = 0; i < p->m; i += rows) {
        struct stoa_gemm part = piece_of(p, (struct piece){i, 0, 0, stoa_min(rows, p->m - i), p->n, p->k});
        part.below = stoa_min(p->m + p->below - i - part.m, STEP_ROWS);
        run_steps(&part);
    }
}

/* All rows of one slice of b, `rows` at a time. */
static void run_rows(const struct stoa_gemm *p, size_t rows) {
    for (size_t i = 0; i < p->m; i += rows) {
        struct stoa_gemm piece = piece_of(p, (struct piece){i, 0, 0, stoa_min(p->m - i, rows), p->n, p->k});
        call_direct(&piece);
    }
}

static void run_rows_on_copy(const struct stoa_gemm *p, size_t rows) {
    float *copy = stoa_scratch() + SLICE_AT;
    struct stoa_gemm slice = *p;
    slice.b = copy;
    slice.ldb = stoa_round_up(p->n, LANES);
    slice.transpose_b = false;
    if (p->transpose_b) {
        p->kernels->transpose(p->b, p->n, p->k, p->ldb, copy, slice.ldb);
    } else {
        for (size_t l = 0; l < p->k; l++) {
            memcpy(copy + l * slice.ldb, p->b + l * p->ldb, p->n * sizeof *copy);
        }
    }
    if (outruns_blas(p) || suits_kernel(&slice, true)) {
        run_kernel(&slice);
    } else {
        run_rows(&slice, rows);
    }
}

static void run_slices(const struct stoa_gemm *p) {
    struct blocks blocks = choose_blocks(p);
    for (size_t j = 0; j < p->n; j += blocks.n) {
        for (size_t l = 0; l < p->k; l += blocks.k) {
            struct piece at = {0, j, l, p->m, stoa_min(p->n - j, blocks.n), stoa_min(p->k - l, blocks.k)};
            struct stoa_gemm slice = piece_of(p, at);
            if (blocks.copies) {
                run_rows_on_copy(&slice, blocks.m);
            } else {
                run_rows(&slice, blocks.m);
            }
        }
    }
}

/* Every slice of b passes over a again, which must come from L2 for that: so many rows and terms of a at a
 * time. */
static void run_direct(const struct stoa_gemm *p) {
    enum { ROWS = 192, TERMS = 1024 };
    bool once = p->n <= SLICE_COLUMNS || p->transpose_a;
    size_t rows = once ? p->m : ROWS;
    size_t terms = once || p->m < SLICE_LEAST_ROWS ? p->k : TERMS;
    for (size_t l = 0; l < p->k; l += terms) {
        for (size_t i = 0; i < p->m; i += rows) {
            struct piece at = {i, 0, l, stoa_min(rows, p->m - i), p->n, stoa_min(terms, p->k - l)};
            struct stoa_gemm part = piece_of(p, at);
            run_slices(&part);
        }
    }
}

/* Without the BLAS. */
static void run_alone(const struct stoa_gemm *p) {
    if (!p->transpose_b) {
        run_kernel(p);
        return;
    }
    for (size_t j = 0; j < p->n; j += SLICE_COLUMNS) {
        for (size_t l = 0; l < p->k; l += SLICE_TERMS) {
            struct piece at = {
                0, j, l, p->m, stoa_min(SLICE_COLUMNS, p->n - j), stoa_min(SLICE_TERMS, p->k - l)};
            struct stoa_gemm slice = piece_of(p, at);
            run_rows_on_copy(&slice, p->m);
        }
    }
}

/* Sizes beyond cblas's integer in parts. */
static void run_whole(const struct stoa_gemm *p) {
    for (size_t j = 0; j < p->n; j += STOA_MAX_DIMENSION) {
        for (size_t l = 0; l < p->k; l += STOA_MAX_DIMENSION) {
            for (size_t i = 0; i < p->m; i += STOA_MAX_DIMENSION) {
                call_piece(p, (struct piece){i, j, l, stoa_min(p->m - i, STOA_MAX_DIMENSION),
                                             stoa_min(p->n - j, STOA_MAX_DIMENSION),
                                             stoa_min(p->k - l, STOA_MAX_DIMENSION)});
            }
        }
    }
}

void stoa_gemm_run(const struct stoa_gemm *p) {
    if (p->m == 0 || p->n == 0) {
        return;
    }
    if (p->k == 0) {
        scale(p);
        return;
    }
    if (!stoa_blas_overwrites() && p->beta == 0) {
        fill_zero(p);
    }
    if (p->by_kernel) {
        run_kernel(p);
        return;
    }
    double limit = (double)atomic_load_explicit(&small_limit, memory_order_relaxed);
    if (outruns_blas(p)) {
        run_alone(p);
    } else if (limit == 0 || p->whole || (p->transpose_b && !p->kernels)) {
        run_whole(p); /* no direct path is known, or the order of the sums is not ours to choose */
    } else if (!p->next_a && !p->transpose_a && !p->transpose_b && !is_odd(p) &&
               (double)p->m * (double)p->n * (double)p->k <= limit) {
        call_direct(p);
    } else if (suits_kernel(p, false)) {
        run_kernel(p);
    } else {
        run_direct(p);
    }
}
