/* Products through cblas, and the guard that keeps the BLAS to one thread while the engine's own threads
 * work.
 *
 * The guard counts the regions of all threads of the process: OpenBLAS has one thread count for the process,
 * so the first region saves it and the last one puts it back. Floor 2. */
#include "blas/gemm.h"

#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/size.h"
#include "blas/vendor.h"

static struct {
    pthread_mutex_t lock;
    size_t regions;
    int callers_threads;
} guard = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* An OpenBLAS on OpenMP asks OpenMP for its thread count instead, which every thread has for itself. */
static _Thread_local struct {
    size_t regions;
    int callers_threads;
} openmp_guard;

static bool has_count(const struct stoa_blas_vendor *blas) {
    return blas->set_threads && blas->get_threads;
}

static void enter_process(const struct stoa_blas_vendor *blas) {
    (void)pthread_mutex_lock(&guard.lock);
    if (guard.regions++ == 0) {
        guard.callers_threads = blas->get_threads();
        if (guard.callers_threads != 1) {
            blas->set_threads(1);
        }
    }
    (void)pthread_mutex_unlock(&guard.lock);
}

static void leave_process(const struct stoa_blas_vendor *blas) {
    (void)pthread_mutex_lock(&guard.lock);
    if (--guard.regions == 0 && guard.callers_threads != 1) {
        blas->set_threads(guard.callers_threads);
    }
    (void)pthread_mutex_unlock(&guard.lock);
}

void stoa_blas_enter(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (!has_count(blas)) {
        return;
    }
    if (!blas->count_is_per_thread) {
        enter_process(blas);
    } else if (openmp_guard.regions++ == 0) {
        openmp_guard.callers_threads = blas->get_threads();
        blas->set_threads(1);
    }
}

void stoa_blas_leave(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (!has_count(blas)) {
        return;
    }
    if (!blas->count_is_per_thread) {
        leave_process(blas);
    } else if (--openmp_guard.regions == 0) {
        blas->set_threads(openmp_guard.callers_threads);
    }
}

void stoa_blas_own_thread(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (has_count(blas) && blas->count_is_per_thread) {
        blas->set_threads(1);
    }
}

static void cblas_piece(const struct stoa_gemm *p, size_t m, size_t n, size_t k, const float *a,
                        const float *b, float beta, float *c) {
    cblas_sgemm(CblasRowMajor, p->transpose_a ? CblasTrans : CblasNoTrans,
                p->transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, p->alpha, a, (int)p->lda,
                b, (int)p->ldb, beta, c, (int)p->ldc);
}

/* The BLAS standard lets C be overwritten when beta is 0, but some implementations multiply: 0 * NaN is NaN.
 * Whether this one does is tried once, on a small and on a larger product. */
static bool multiplies_by_zero;
static pthread_once_t zero_once = PTHREAD_ONCE_INIT;

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
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)n, (int)n, 1, a, (int)n, a,
                    (int)n, 0, c, (int)n);
        for (size_t i = 0; i < n * n; i++) {
            multiplies_by_zero = multiplies_by_zero || isnan(c[i]);
        }
    }
}

bool stoa_blas_overwrites(void) {
    (void)pthread_once(&zero_once, try_zero);
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

void stoa_gemm_run(const struct stoa_gemm *p) {
    if (p->m == 0 || p->n == 0) {
        return;
    }
    if (p->k == 0) {
        scale(p);
        return;
    }
    if (p->beta == 0) {
        if (!stoa_blas_overwrites()) {
            fill_zero(p);
        }
    }
    for (size_t i = 0; i < p->m; i += STOA_MAX_DIMENSION) {
        for (size_t j = 0; j < p->n; j += STOA_MAX_DIMENSION) {
            float beta = p->beta;
            for (size_t l = 0; l < p->k; l += STOA_MAX_DIMENSION) {
                cblas_piece(p, stoa_min(p->m - i, STOA_MAX_DIMENSION), stoa_min(p->n - j, STOA_MAX_DIMENSION),
                            stoa_min(p->k - l, STOA_MAX_DIMENSION),
                            p->a + (p->transpose_a ? l * p->lda + i : i * p->lda + l),
                            p->b + (p->transpose_b ? j * p->ldb + l : l * p->ldb + j), beta,
                            p->c + i * p->ldc + j);
                beta = 1;
            }
        }
    }
}
