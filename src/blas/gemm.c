/* Products through cblas. Floor 2.
 *
 * OpenBLAS's AVX-512 cores multiply small products, up to a limit of m * n * k, straight from the operands; larger ones
 * are packed first, which costs a fifth to a third of the speed at the sizes that layers have. So a large product is cut
 * into blocks below the limit: a slice of b that stays in L2, passed over by rows of a in multiples of 12, the height of
 * those kernels. Blocks follow from the sizes and the BLAS alone, so results stay reproducible. */
#include "blas/gemm.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "blas/vendor.h"

/* What is known of the BLAS's ways with products; found on first use and again after a change of core. */
static pthread_once_t look_once = PTHREAD_ONCE_INIT;
static bool multiplies_by_zero;
static atomic_size_t small_limit; /* largest m * n * k that is not packed; 0: all are */

/* The BLAS standard lets C be overwritten when beta is 0, but some implementations multiply: 0 * NaN is NaN. Whether this
 * one does is tried on a small and on a larger product. */
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

/* OpenBLAS's interface/gemm.c and its permit function of the AVX-512 cores: 100^3, measured with 0.3.21. Versions before
 * 0.3.17 have no such path. */
void stoa_gemm_look_at_core(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    int release = 0;
    bool known = blas->core && blas->version && stoa_blas_core_rank(blas->core()) == STOA_CORE_AVX512 &&
                 sscanf(blas->version(), "OpenBLAS 0.3.%d", &release) == 1 && release >= 17;
    atomic_store(&small_limit, known ? (size_t)1000000 : 0);
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
};

/* `size` cut into the fewest equal parts of at most `most`, each a multiple of `unit` but the last. */
static size_t equal_part(size_t size, size_t most, size_t unit) {
    size_t part = stoa_ceil_div(size, stoa_ceil_div(size, most));
    return stoa_min(size, stoa_round_up(part, unit));
}

static struct blocks choose_blocks(const struct stoa_gemm *p) {
    enum { UNIT = 16, KERNEL_ROWS = 12, ROWS = 2 * KERNEL_ROWS, COLUMNS = 128, A_FLOATS = 1 << 18 };
    struct blocks whole = {STOA_MAX_DIMENSION, STOA_MAX_DIMENSION, STOA_MAX_DIMENSION};
    size_t limit = atomic_load_explicit(&small_limit, memory_order_relaxed);
    /* The direct path is slow on a transposed b. */
    if (limit == 0 || p->whole || p->transpose_b) {
        return whole;
    }
    /* In double: the product of three sizes may not fit a size_t. */
    if ((double)p->m * (double)p->n * (double)p->k <= (double)limit) {
        return (struct blocks){p->m, p->n, p->k};
    }
    struct blocks blocks;
    blocks.n = equal_part(p->n, COLUMNS, UNIT);
    /* Every slice of b passes over all of a again, which must come from L2 for that. */
    if (blocks.n < p->n && p->m * p->k > A_FLOATS) {
        return whole;
    }
    blocks.k = equal_part(p->k, limit / (blocks.n * stoa_min(p->m, ROWS)), 1);
    blocks.m = stoa_max(KERNEL_ROWS, limit / (blocks.n * blocks.k) / KERNEL_ROWS * KERNEL_ROWS);
    return blocks;
}

/* Rows [i, i + m), columns [j, j + n) of c and terms [l, l + k) of the sums, in one call. */
struct piece {
    size_t i, j, l, m, n, k;
};

static void call_blas(const struct stoa_gemm *p, struct piece at) {
    struct stoa_gemm piece = *p;
    piece.m = at.m;
    piece.n = at.n;
    piece.k = at.k;
    piece.a += p->transpose_a ? at.l * p->lda + at.i : at.i * p->lda + at.l;
    piece.b += p->transpose_b ? at.j * p->ldb + at.l : at.l * p->ldb + at.j;
    piece.c += at.i * p->ldc + at.j;
    piece.beta = at.l == 0 ? p->beta : 1;
    stoa_blas_sgemm(&piece);
}

/* OpenBLAS's direct kernel takes a buffer from malloc for its last columns when there are 1 to 8 beyond a multiple
 * of 16 and the sums have 32 terms or more (0.3.21, found by counting). Running a plan allocates nothing: such
 * products are cut so that no piece is of that kind. */
enum { LANES = 16, BUFFERED_COLUMNS = 8, BUFFERED_TERMS = 32 };

static bool takes_buffer(size_t n, size_t k) {
    return n % LANES >= 1 && n % LANES <= BUFFERED_COLUMNS && k >= BUFFERED_TERMS;
}

static void call_direct(const struct stoa_gemm *p, struct piece at) {
    if (!takes_buffer(at.n, at.k)) {
        call_blas(p, at);
        return;
    }
    struct piece last = at;
    last.n = BUFFERED_COLUMNS + 1;
    if (at.n > last.n && !takes_buffer(at.n - last.n, at.k)) {
        at.n -= last.n;
        last.j += at.n;
        call_blas(p, at);
        call_blas(p, last);
        return;
    }
    /* Up to 8 columns, or 1 beyond a multiple: the last ones with few terms at a time. */
    last.n = at.n % LANES;
    at.n -= last.n;
    last.j += at.n;
    if (at.n > 0) {
        call_blas(p, at);
    }
    for (size_t l = 0; l < at.k; l += BUFFERED_TERMS - 1) {
        last.l = at.l + l;
        last.k = stoa_min(at.k - l, BUFFERED_TERMS - 1);
        call_blas(p, last);
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
    struct blocks blocks = choose_blocks(p);
    /* Only where the direct path is known, and the order of the sums is ours to choose. */
    bool direct = atomic_load_explicit(&small_limit, memory_order_relaxed) > 0 && !p->whole &&
                  !p->transpose_a && !p->transpose_b && blocks.m < STOA_MAX_DIMENSION;
    for (size_t j = 0; j < p->n; j += blocks.n) {
        for (size_t l = 0; l < p->k; l += blocks.k) {
            for (size_t i = 0; i < p->m; i += blocks.m) {
                struct piece at = {i,
                                   j,
                                   l,
                                   stoa_min(p->m - i, blocks.m),
                                   stoa_min(p->n - j, blocks.n),
                                   stoa_min(p->k - l, blocks.k)};
                if (direct) {
                    call_direct(p, at);
                } else {
                    call_blas(p, at);
                }
            }
        }
    }
}
