/* SPDX-License-Identifier: MIT */
/* The door to sgemm against the double reference, and the guard that holds the BLAS to one thread. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cmocka_prelude.h"
#include "base/random.h"
#include "base/scratch.h"
#include "blas/gemm.h"
#include "blas/vendor.h"
#include "kernels/kernels.h"
#include "tests/blas/forced.h"

static void fill(float *out, size_t count, uint64_t seed) {
    for (size_t i = 0; i < count; i++) {
        out[i] = 2 * stoa_random_unit(stoa_philox(seed, i, 0).word[0]) - 1;
    }
}

/* One matrix as stored, in float and double, with room behind each row. */
struct matrix {
    size_t rows, columns, stride, size;
    float *f;
    double *d;
};

static struct matrix make(size_t rows, size_t columns, size_t extra, uint64_t seed) {
    struct matrix m = {.rows = rows, .columns = columns, .stride = columns + extra};
    m.size = rows * m.stride;
    m.f = malloc((m.size + 1) * sizeof *m.f);
    m.d = malloc((m.size + 1) * sizeof *m.d);
    assert_true(m.f && m.d);
    fill(m.f, m.size, seed);
    for (size_t i = 0; i < m.size; i++) {
        m.d[i] = (double)m.f[i];
    }
    return m;
}

static void drop(struct matrix *m) {
    free(m->f);
    free(m->d);
}

struct product {
    bool transpose_a, transpose_b;
    size_t m, n, k, extra;
    float alpha, beta;
};

/* What lies behind the rows of c stays; with beta 0 what c held does not matter. */
static void check(const struct product *p) {
    struct matrix a = make(p->transpose_a ? p->k : p->m, p->transpose_a ? p->m : p->k, p->extra, 1);
    struct matrix b = make(p->transpose_b ? p->n : p->k, p->transpose_b ? p->k : p->n, 2 * p->extra, 2);
    struct matrix c = make(p->m, p->n, 3 * p->extra, 3);
    float *before = malloc((c.size + 1) * sizeof *before);
    assert_non_null(before);
    for (size_t i = 0; p->beta == 0 && i < c.size; i++) {
        c.f[i] = NAN;
    }
    memcpy(before, c.f, c.size * sizeof *before);
    /* A leading dimension is at least 1, as BLAS has it. */
    size_t lda = a.stride ? a.stride : 1;
    size_t ldb = b.stride ? b.stride : 1;
    size_t ldc = c.stride ? c.stride : 1;
    stoa_gemm_run(&(struct stoa_gemm){p->transpose_a, p->transpose_b, p->m, p->n, p->k, p->alpha, a.f, lda,
                                      b.f, ldb, p->beta, c.f, ldc, .whole = p->m % 2 != 0,
                                      .kernels = p->m % 2 != 0 ? NULL : stoa_kernels_for(stoa_isa_best())});
    stoa_reference_f64.gemm(p->transpose_a, p->transpose_b, p->m, p->n, p->k, (double)p->alpha, a.d, lda, b.d,
                            ldb, (double)p->beta, c.d, ldc);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double error = fabs((double)c.f[i * c.stride + j] - c.d[i * c.stride + j]);
            if (!(error <= 1e-6 * (double)(p->k + 2))) {
                fail_msg("%d%d %zux%zux%zu alpha %g beta %g: c[%zu][%zu] is off by %g", p->transpose_a,
                         p->transpose_b, p->m, p->n, p->k, (double)p->alpha, (double)p->beta, i, j, error);
            }
        }
        assert_memory_equal(c.f + i * c.stride + p->n, before + i * c.stride + p->n,
                            (c.stride - p->n) * sizeof *before);
    }
    free(before);
    drop(&a);
    drop(&b);
    drop(&c);
}

static void equals_the_reference(void **state) {
    (void)state;
    const size_t sizes[][3] = {
        {1, 1, 1},
        {3, 5, 7},
        {16, 16, 16},
        {17, 1, 33},
        {1, 65, 4},
        {64, 6, 25},
        {6, 25, 64},
        {129, 31, 3},
        {40, 120, 70},
        /* over the limit of the direct path: in blocks, and whole (odd m) */
        {130, 150, 700},
        {14, 300, 900},
        {131, 150, 700},
        /* slices of b are copied; long sums with a fetch of either operand */
        {200, 150, 300},
        {32, 144, 1300},
        {144, 32, 1100},
        {20, 80, 2000},
        {390, 80, 1100},
        /* many rows for the engine's kernel: several steps of rows and terms, narrow last columns */
        {400, 112, 530},
        {390, 32, 100},
        /* no whole vectors of columns: overlapping ones, less than one, one column beyond a slice; many terms
         * in steps */
        {64, 84, 120},
        {64, 120, 400},
        {40, 7, 84},
        {40, 65, 33},
        {36, 77, 600}};
    const float scales[][2] = {{1, 0}, {1, 1}, {-0.5F, 0.25F}, {0, 2}, {2, 0}, {0, 0}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (unsigned t = 0; t < 4; t++) {
            for (size_t e = 0; e < sizeof scales / sizeof *scales; e++) {
                check(&(struct product){t & 1, t & 2, sizes[s][0], sizes[s][1], sizes[s][2], e % 3,
                                        scales[e][0], scales[e][1]});
            }
        }
    }
}

/* No rows or columns: nothing is touched. No inner dimension: beta * c. */
static void takes_empty_sizes(void **state) {
    (void)state;
    const float betas[] = {0, 1, 0.5F};
    for (size_t i = 0; i < 3; i++) {
        for (unsigned t = 0; t < 4; t++) {
            check(&(struct product){t & 1, t & 2, 0, 5, 7, 1, 1, betas[i]});
            check(&(struct product){t & 1, t & 2, 5, 0, 7, 1, 1, betas[i]});
            check(&(struct product){t & 1, t & 2, 5, 7, 0, 1, 1, betas[i]});
            check(&(struct product){t & 1, t & 2, 0, 0, 0, 0, 1, betas[i]});
        }
    }
}

static int blas_threads(void) {
    return stoa_blas_vendor()->get_threads();
}

static int guard_set_up(void **state) {
    (void)state;
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    if (blas->set_threads && blas->get_threads) {
        blas->set_threads(2);
    }
    return 0;
}

/* A BLAS that cannot count to two threads has nothing to restore. */
static bool can_count(void) {
    const struct stoa_blas_vendor *blas = stoa_blas_vendor();
    return blas->set_threads && blas->get_threads && blas->get_threads() == 2;
}

static void restores_the_callers_threads(void **state) {
    (void)state;
    if (!can_count()) {
        skip();
    }
    stoa_blas_enter();
    assert_int_equal(blas_threads(), 1);
    stoa_blas_enter();
    assert_int_equal(blas_threads(), 1);
    stoa_blas_leave();
    assert_int_equal(blas_threads(), 1);
    stoa_blas_leave();
    assert_int_equal(blas_threads(), 2);
    /* What the caller sets in between is the caller's. */
    stoa_blas_vendor()->set_threads(1);
    stoa_blas_enter();
    stoa_blas_leave();
    assert_int_equal(blas_threads(), 1);
}

static void *enter_and_leave(void *argument) {
    bool *right = argument;
    for (int i = 0; i < 3000; i++) {
        stoa_blas_enter();
        if (i % 3 == 0) {
            stoa_blas_enter();
            stoa_blas_leave();
        }
        *right = *right && blas_threads() == 1;
        stoa_blas_leave();
    }
    return NULL;
}

static void guards_several_threads(void **state) {
    (void)state;
    if (!can_count()) {
        skip();
    }
    pthread_t threads[4];
    bool right[4];
    for (size_t i = 0; i < 4; i++) {
        right[i] = true;
        assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave, &right[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(right[i]);
    }
    assert_int_equal(blas_threads(), 2);
}

static atomic_bool enough;

static void *enter_until_enough(void *argument) {
    while (!atomic_load(&enough)) {
        stoa_blas_enter();
        stoa_blas_leave();
    }
    return argument;
}

static int child_enters(void) {
    (void)alarm(20); /* waiting for a thread that does not exist is a failure */
    stoa_blas_enter();
    bool right = blas_threads() == 1;
    stoa_blas_leave();
    return right && blas_threads() == 2 ? 0 : 1;
}

/* Another thread is anywhere in a region, or on its way in or out, when the program forks. */
static void survives_a_fork_beside_regions(void **state) {
    (void)state;
    if (!can_count()) {
        skip();
    }
    pthread_t thread;
    atomic_store(&enough, false);
    assert_int_equal(pthread_create(&thread, NULL, enter_until_enough, NULL), 0);
    int failed = 0;
    for (int i = 0; i < 40; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(child_enters());
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    atomic_store(&enough, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(failed, 0);
    assert_int_equal(blas_threads(), 2);
}

int main(void) {
    if (forced_core_is_beyond()) {
        return SKIPPED;
    }
    static _Alignas(64) float scratch[STOA_SCRATCH_FLOATS];
    (void)stoa_scratch_use(scratch);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_reference),
        cmocka_unit_test(takes_empty_sizes),
        cmocka_unit_test_setup(restores_the_callers_threads, guard_set_up),
        cmocka_unit_test_setup(guards_several_threads, guard_set_up),
        cmocka_unit_test_setup(survives_a_fork_beside_regions, guard_set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
