/* SPDX-License-Identifier: MIT */
/* What single versions of OpenBLAS do that others do not, each with the versions that it is for and the
 * command that shows it. */
#include "blas/workarounds.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "blas/blas.h"
#include "blas/vendor.h"

enum { LANES = 16 };

/* What is known of the BLAS's ways with products; found on first use and again after a change of core. */
static pthread_once_t look_once = PTHREAD_ONCE_INIT;
static bool multiplies_by_zero;
static atomic_size_t small_limit; /* largest m * n * k that is not packed; 0: all are */
static atomic_int core_rank;      /* what its kernels are made for; STOA_CORE_UNKNOWN where it does not say */

/* The BLAS standard lets C be overwritten when beta is 0, but some implementations multiply: 0 * NaN is NaN.
 * Whether this one does is tried on a small and on a larger product; `stoa doctor` shows it. */
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

/* OpenBLAS 0.3.17 and later, its AVX-512 cores: products up to 100^3 are not packed; versions before have no
 * such path. Measured with 0.3.21 and 0.3.34 in November 2026: `stoa doctor` shows the limit. */
void stoa_gemm_look_at_core(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    int release = 0;
    bool known = blas->core && blas->version && stoa_blas_core_rank(blas->core()) == STOA_CORE_AVX512 &&
                 sscanf(blas->version(), "OpenBLAS 0.3.%d", &release) == 1 && release >= 17;
    atomic_store(&small_limit, known ? (size_t)1000000 : 0);
    atomic_store(&core_rank, blas->core ? stoa_blas_core_rank(blas->core()) : STOA_CORE_UNKNOWN);
}

static void look(void) {
    try_zero();
    stoa_gemm_look_at_core();
}

bool stoa_blas_overwrites(void) {
    (void)pthread_once(&look_once, look);
    return !multiplies_by_zero;
}

size_t stoa_blas_small_limit(void) {
    (void)pthread_once(&look_once, look);
    return atomic_load_explicit(&small_limit, memory_order_relaxed);
}

int stoa_blas_rank(void) {
    (void)pthread_once(&look_once, look);
    return atomic_load_explicit(&core_rank, memory_order_relaxed);
}

/* OpenBLAS's small kernels take a buffer from malloc for their last columns when there are 1 to 8 beyond a
 * multiple of 16 and the sums have 32 terms or more, unless a or b is transposed: 0.3.21 and 0.3.34, counted
 * in November 2026 by a malloc of the program's own.
 * Running a plan allocates nothing: such products are cut so that no piece is of that kind. */
bool stoa_blas_takes_buffer(size_t n, size_t k) {
    return n % LANES >= 1 && n % LANES <= STOA_BUFFERED_COLUMNS && k >= STOA_BUFFERED_TERMS;
}

/* Columns from `first` on, a few terms at a time. */
static void call_columns(const struct stoa_gemm *p, size_t first, size_t columns, size_t terms) {
    struct stoa_gemm piece = *p;
    piece.n = columns;
    piece.c += first;
    for (size_t l = 0; l < p->k; l += terms) {
        piece.k = p->k - l < terms ? p->k - l : terms;
        piece.a = p->a + l;
        piece.b = p->b + l * p->ldb + first;
        piece.beta = l == 0 ? p->beta : 1;
        stoa_blas_sgemm(&piece);
    }
}

void stoa_blas_small(const struct stoa_gemm *p) {
    enum { APART = STOA_BUFFERED_COLUMNS + 1 };
    if (p->transpose_a || p->transpose_b || !stoa_blas_takes_buffer(p->n, p->k)) {
        stoa_blas_sgemm(p);
    } else if (p->n > APART && !stoa_blas_takes_buffer(p->n - APART, p->k)) {
        call_columns(p, 0, p->n - APART, p->k);
        call_columns(p, p->n - APART, APART, p->k);
    } else {
        /* Up to 8 columns, or 1 beyond a multiple. */
        size_t last = p->n % LANES;
        if (p->n > last) {
            call_columns(p, 0, p->n - last, p->k);
        }
        call_columns(p, p->n - last, last, STOA_BUFFERED_TERMS - 1);
    }
}
