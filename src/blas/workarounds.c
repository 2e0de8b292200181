/* SPDX-License-Identifier: MIT */
/* What single versions of OpenBLAS do that others do not, each with the versions that it is for and the
 * command that shows it. */
#include "blas/workarounds.h"

#include <pthread.h>
#include <stdio.h>

#include "base/size.h"
#include "blas/vendor.h"

enum { LANES = 16 };

static pthread_once_t look_once = PTHREAD_ONCE_INIT;
static struct stoa_blas_ways ways;

/* OpenBLAS 0.3.17 and later, its AVX-512 cores: products up to 100^3 are not packed; versions before have no
 * such path. Measured with 0.3.21 and 0.3.34 in November 2026: `stoa doctor` shows the limit.
 *
 * The BLAS standard lets C be overwritten when beta is 0, but some implementations multiply: 0 * NaN is NaN.
 * Whether this one does is tried on a small and on a larger product; `stoa doctor` shows it. */
void stoa_blas_look(void) {
    enum { SMALL = 5, LARGE = 112 };
    static float memory[3 * LARGE * LARGE];
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    int release = 0;
    ways.core_rank = blas->core ? stoa_blas_core_rank(blas->core()) : STOA_CORE_UNKNOWN;
    bool known = blas->version && ways.core_rank == STOA_CORE_AVX512 &&
                 sscanf(blas->version(), "OpenBLAS 0.3.%d", &release) == 1 && release >= 17;
    ways.small_limit = known ? 1000000 : 0;
    ways.overwrites = stoa_blas_is_right(memory, SMALL, 0, 1) && stoa_blas_is_right(memory, LARGE, 0, 1);
}

const struct stoa_blas_ways *stoa_blas_ways(void) {
    (void)pthread_once(&look_once, stoa_blas_look);
    return &ways;
}

/* OpenBLAS's small kernels take a buffer from malloc for their last columns when there are 1 to 8 beyond a
 * multiple of 16 and the sums have 32 terms or more, unless a or b is transposed: 0.3.21 and 0.3.34, counted
 * in November 2026 by a malloc of the program's own. Running a plan allocates nothing: these columns are
 * multiplied by themselves, as a transposed b. That is small only with as many terms and up to 1200
 * numbers in c. */
enum { MOST_LAST = 8, LEAST_TERMS = 32, MOST_TURNED = 1200, TURNED_TERMS = 256 };

static void call_last(const struct stoa_kernels *kernels, const struct stoa_gemm *p, size_t first) {
    float turned[MOST_LAST * TURNED_TERMS];
    size_t steps = stoa_ceil_div(p->k, TURNED_TERMS);
    size_t columns = p->n - first;
    size_t rows = MOST_TURNED / columns;
    for (size_t step = 0, l = 0, k; step < steps; step++, l += k) {
        k = (step + 1) * p->k / steps - l;
        kernels->transpose(p->b + l * p->ldb + first, k, columns, p->ldb, turned, k);
        for (size_t i = 0; i < p->m; i += rows) {
            struct stoa_gemm piece = stoa_gemm_part(p, i, stoa_min(p->m - i, rows), l, k, first, columns);
            piece.transpose_b = true;
            piece.b = turned;
            piece.ldb = k;
            stoa_blas_sgemm(&piece);
        }
    }
}

void stoa_blas_small(const struct stoa_kernels *kernels, const struct stoa_gemm *p) {
    size_t last = p->n % LANES;
    if (p->transpose_a || p->transpose_b || last == 0 || last > MOST_LAST || p->k < LEAST_TERMS) {
        stoa_blas_sgemm(p);
        return;
    }
    if (p->n > last) {
        struct stoa_gemm whole = stoa_gemm_part(p, 0, p->m, 0, p->k, 0, p->n - last);
        stoa_blas_sgemm(&whole);
    }
    call_last(kernels, p, p->n - last);
}
