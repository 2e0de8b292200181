/* SPDX-License-Identifier: MIT */
/* Products against the double reference, by every table and instruction set; the same bits on any number of
 * threads and from packed operands; on a small stack; and which of them reach the BLAS. */
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "base/random.h"
#include "base/size.h"
#include "core/tuning.h"
#include "kernels/kernels.h"
#include "product/way.h"
#include "tests/blas/forced.h"

static stoa_context *make_context(size_t threads, stoa_policy policy) {
    stoa_context_options options = {.threads = threads, .policy = policy};
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    return context;
}

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

/* The machine's own choices; those of tables that choose otherwise; all copies in blocks as small as a
 * table may ask for; large products as calls of the BLAS; another instruction set; the BLAS's own sums. */
enum { CONTEXTS = 7 };
static struct stoa_tuning small_blocks, large_calls;

static void make_contexts(stoa_context **contexts) {
    for (size_t i = 0; i < CONTEXTS; i++) {
        contexts[i] = make_context(1, i == 6 ? STOA_POLICY_BLAS : STOA_POLICY_DEFAULT);
        if (i > 0) {
            contexts[i]->tuning = stoa_tuning_find(i == 1 ? "zen4" : "generic-avx512");
        }
    }
    small_blocks = *stoa_tuning_find("zen4");
    small_blocks.product_far = small_blocks.product_terms = small_blocks.product_gradient_terms = 16;
    small_blocks.product_rows = 12;
    contexts[3]->tuning = &small_blocks;
    large_calls = *stoa_tuning_find("generic-avx512");
    large_calls.product_whole = 1e6;
    large_calls.product_far = 16;
    contexts[4]->tuning = &large_calls;
    if (contexts[5]->isa > STOA_ISA_AVX2) {
        contexts[5]->isa = STOA_ISA_AVX2;
        contexts[5]->kernels = stoa_kernels_for(STOA_ISA_AVX2);
    }
    for (size_t i = 0; i < CONTEXTS; i++) {
        (void)stoa_scratch_use(contexts[i]->scratch);
    }
}

static void free_contexts(stoa_context **contexts) {
    (void)stoa_scratch_use(NULL);
    for (size_t i = 0; i < CONTEXTS; i++) {
        stoa_context_free(contexts[i]);
    }
}

struct product {
    bool transpose_a, transpose_b;
    size_t m, n, k, extra;
    float alpha, beta;
};

/* What lies behind the rows of c stays; with beta 0 what c held does not matter. */
static void check(const stoa_context *context, const struct product *p) {
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
    stoa_gemm_run(context, &(struct stoa_gemm){.transpose_a = p->transpose_a,
                                               .transpose_b = p->transpose_b,
                                               .m = p->m,
                                               .n = p->n,
                                               .k = p->k,
                                               .alpha = p->alpha,
                                               .a = a.f,
                                               .lda = lda,
                                               .b = b.f,
                                               .ldb = ldb,
                                               .beta = p->beta,
                                               .c = c.f,
                                               .ldc = ldc});
    stoa_reference_f64.gemm(p->transpose_a, p->transpose_b, p->m, p->n, p->k, (double)p->alpha, a.d, lda, b.d,
                            ldb, (double)p->beta, c.d, ldc);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double error = fabs((double)c.f[i * c.stride + j] - c.d[i * c.stride + j]);
            if (!(error <= 1e-6 * (double)(p->k + 2))) {
                fail_msg("%s %d%d %zux%zux%zu alpha %g beta %g: c[%zu][%zu] is off by %g",
                         context->tuning->name, p->transpose_a, p->transpose_b, p->m, p->n, p->k,
                         (double)p->alpha, (double)p->beta, i, j, error);
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
        {40, 1200, 70},
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
    enum { SCALES = sizeof scales / sizeof *scales };
    stoa_context *contexts[CONTEXTS];
    make_contexts(contexts);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (unsigned t = 0; t < 4; t++) {
            for (size_t e = 0; e < SCALES + CONTEXTS; e++) {
                size_t scale = e < SCALES ? e : e % 2;
                check(contexts[e < SCALES ? 0 : e - SCALES],
                      &(struct product){t & 1, t & 2, sizes[s][0], sizes[s][1], sizes[s][2], e % 3,
                                        scales[scale][0], scales[scale][1]});
            }
        }
    }
    free_contexts(contexts);
}

/* No rows or columns: nothing is touched. No inner dimension: beta * c. */
static void takes_empty_sizes(void **state) {
    (void)state;
    const float betas[] = {0, 1, 0.5F};
    stoa_context *context = make_context(1, STOA_POLICY_DEFAULT);
    (void)stoa_scratch_use(context->scratch);
    for (size_t i = 0; i < 3; i++) {
        for (unsigned t = 0; t < 4; t++) {
            check(context, &(struct product){t & 1, t & 2, 0, 5, 7, 1, 1, betas[i]});
            check(context, &(struct product){t & 1, t & 2, 5, 0, 7, 1, 1, betas[i]});
            check(context, &(struct product){t & 1, t & 2, 5, 7, 0, 1, 1, betas[i]});
            check(context, &(struct product){t & 1, t & 2, 0, 0, 0, 0, 1, betas[i]});
        }
    }
    stoa_context_free(context);
}

/* By all threads: right values in a sample, and the same bits on any number of threads. */
static void check_threads(size_t m, size_t n, size_t k, bool ta, bool tb) {
    const size_t threads[] = {1, 2, 3, 7};
    size_t bytes = (m * n + 1) * sizeof(float);
    float *a = malloc((m * k + 1) * sizeof *a);
    float *b = malloc((k * n + 1) * sizeof *b);
    float *c[4];
    assert_true(a && b);
    fill(a, m * k, 1);
    fill(b, k * n, 2);
    for (size_t t = 0; t < 4; t++) {
        stoa_context *context = make_context(threads[t], STOA_POLICY_DEFAULT);
        c[t] = malloc(bytes);
        assert_non_null(c[t]);
        memset(c[t], 0xFF, bytes); /* NaN */
        stoa_blas_enter();
        stoa_product(context, &(struct stoa_gemm){.transpose_a = ta,
                                                  .transpose_b = tb,
                                                  .m = m,
                                                  .n = n,
                                                  .k = k,
                                                  .alpha = 1,
                                                  .a = a,
                                                  .lda = ta ? m : k,
                                                  .b = b,
                                                  .ldb = tb ? k : n,
                                                  .c = c[t],
                                                  .ldc = n});
        stoa_blas_leave();
        stoa_context_free(context);
        assert_memory_equal(c[t], c[0], bytes);
    }
    enum { SAMPLES = 20000 };
    for (size_t s = 0; s < stoa_min(m * n, SAMPLES); s++) {
        size_t i = m * n <= SAMPLES ? s : s * 7919 % (m * n);
        double sum = 0;
        for (size_t l = 0; l < k; l++) {
            sum +=
                (double)a[ta ? l * m + i / n : i / n * k + l] * (double)b[tb ? i % n * k + l : l * n + i % n];
        }
        assert_true(fabs((double)c[0][i] - sum) <= 1e-6 * (double)(k + 1));
    }
    for (size_t t = 0; t < 4; t++) {
        free(c[t]);
    }
    free(a);
    free(b);
}

static void multiplies_the_same_on_any_threads(void **state) {
    (void)state;
    const size_t sizes[][3] = {{1, 1, 1},    {128, 64, 9},   {129, 65, 33}, {500, 10, 40},
                               {10, 700, 6}, {1500, 900, 5}, {2, 9000, 3},  {20000, 3, 4}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_threads(sizes[i][0], sizes[i][1], sizes[i][2], i % 2 == 1, i % 3 == 1);
    }
    /* Large ones: a row, squares with rows far apart, batches of a dense layer, a long sum. */
    const size_t large[][3] = {{1, 2100, 1300}, {1030, 1100, 600}, {64, 2048, 1024}, {48, 144, 9000}};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        for (unsigned t = 0; t < 3; t++) {
            check_threads(large[i][0], large[i][1], large[i][2], t == 1, t == 2);
        }
    }
}

/* From b in panels, packed from b or its transpose: right values, and the bits of the same kernel on b as it
 * lies. */
static void check_panels(size_t m, size_t n, size_t k, size_t threads) {
    float *a = malloc(m * k * sizeof *a);
    float *b = malloc(k * n * sizeof *b);
    float *turned = malloc(k * n * sizeof *turned);
    float *panels = malloc(stoa_panel_floats(k, n) * sizeof *panels);
    float *c[3];
    assert_true(a && b && turned && panels);
    fill(a, m * k, 3);
    fill(b, k * n, 4);
    for (size_t i = 0; i < k * n; i++) {
        turned[i % n * k + i / n] = b[i];
    }
    stoa_context_options options = {.threads = threads};
    stoa_context *context = NULL;
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    for (size_t way = 0; way < 3; way++) {
        struct stoa_gemm p = {.transpose_b = way == 2, .m = m, .n = n, .k = k, .alpha = 1, .a = a, .lda = k};
        p.b = way == 2 ? turned : b;
        p.ldb = way == 2 ? k : n;
        p.c = c[way] = malloc(m * n * sizeof(float));
        p.ldc = n;
        assert_non_null(p.c);
        if (way > 0) {
            stoa_pack_panels(context, &p, panels);
            p.b = panels;
            p.transpose_b = false;
        }
        p.by_kernel = true;
        p.panels = way > 0;
        stoa_product(context, &p);
        assert_memory_equal(c[way], c[0], m * n * sizeof(float));
    }
    for (size_t i = 0; i < m * n; i++) {
        double sum = 0;
        for (size_t l = 0; l < k; l++) {
            sum += (double)a[i / n * k + l] * (double)b[l * n + i % n];
        }
        assert_true(fabs((double)c[0][i] - sum) <= 1e-6 * (double)(k + 1));
    }
    stoa_context_free(context);
    for (size_t way = 0; way < 3; way++) {
        free(c[way]);
    }
    free(panels);
    free(turned);
    free(b);
    free(a);
}

static void multiplies_the_same_from_panels(void **state) {
    (void)state;
    const size_t sizes[][3] = {{1, 16, 1},    {30, 100, 600}, {130, 200, 1100}, {7, 77, 48},
                               {500, 64, 33}, {3, 150, 513},  {40, 5, 700}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_panels(sizes[i][0], sizes[i][1], sizes[i][2], 1 + i % 3);
    }
}

/* b kept in panels: the bits of b as it lies, on one thread from the panels alone, and on several where
 * single tiles may go another way. Returns whether the product can. */
static bool check_kept(const stoa_context *one, stoa_context *const *several, size_t m, size_t n, size_t k) {
    struct stoa_gemm p = {.m = m, .n = n, .k = k, .alpha = 1, .lda = k, .ldb = n, .ldc = n};
    size_t panel = stoa_way_of(one, &p).panel;
    if (panel == 0) {
        return false;
    }
    float *numbers = malloc((m * k + k * n + m * n) * sizeof *numbers);
    float *panels = malloc(stoa_panel_floats(k, n) * sizeof *panels);
    float *got = malloc(m * n * sizeof *got);
    assert_true(numbers && panels && got);
    fill(numbers, m * k + k * n, 8);
    p.a = numbers;
    p.b = numbers + m * k;
    p.packed_columns = panel;
    stoa_pack_panels(one, &p, panels);
    struct stoa_gemm kept = p;
    kept.packed = panels;
    kept.c = got;
    p.c = numbers + m * k + k * n;
    for (size_t t = 0; t < 3; t++) {
        several[t]->tuning = one->tuning;
        several[t]->isa = one->isa;
        several[t]->kernels = one->kernels;
        stoa_product(several[t], &p);
        stoa_product(several[t], &kept);
        assert_memory_equal(got, p.c, m * n * sizeof *got);
    }
    stoa_gemm_run(one, &p);
    memset(numbers + m * k, 0xFF, k * n * sizeof *numbers); /* NaN */
    memset(got, 0xFF, m * n * sizeof *got);
    stoa_gemm_run(one, &kept);
    assert_memory_equal(got, p.c, m * n * sizeof *got);
    free(got);
    free(panels);
    free(numbers);
    return true;
}

static void multiplies_the_same_from_kept_panels(void **state) {
    (void)state;
    const size_t sizes[][3] = {{1, 300, 500},   {1, 1040, 260},  {1, 145, 3},      {9, 1100, 300},
                               {140, 150, 200}, {300, 340, 530}, {600, 1200, 280}, {40, 100, 90}};
    const size_t count = sizeof sizes / sizeof *sizes;
    stoa_context *contexts[CONTEXTS];
    stoa_context *several[3];
    size_t kept = 0;
    for (size_t t = 0; t < 3; t++) {
        several[t] = make_context(t + 1, STOA_POLICY_DEFAULT);
    }
    make_contexts(contexts);
    for (size_t i = 0; i < CONTEXTS; i++) {
        for (size_t j = 0; j < count; j++) {
            bool policy = contexts[i]->policy != STOA_POLICY_BLAS;
            bool did = check_kept(contexts[i], several, sizes[j][0], sizes[j][1], sizes[j][2]);
            assert_true(did ? policy : !policy || sizes[j][0] > 1); /* a single row can */
            kept += did && sizes[j][0] > 1;
        }
    }
    assert_true(kept > 0 || stoa_isa_best() == STOA_ISA_BASE);
    free_contexts(contexts);
    for (size_t t = 0; t < 3; t++) {
        stoa_context_free(several[t]);
    }
}

/* Kept are what is copied for each product, and rows' matrices that L2 does not hold. */
static void keeps_what_pays(void **state) {
    (void)state;
    stoa_context *context = make_context(1, STOA_POLICY_DEFAULT);
    struct stoa_tuning table = *context->tuning;
    context->tuning = &table;
    struct stoa_gemm row = {.m = 1, .n = 256, .k = 64, .alpha = 1, .lda = 64, .ldb = 256, .ldc = 256};
    table.l2_bytes = 64 * 256 * sizeof(float);
    assert_int_equal(stoa_kept_columns(context, &row), 0);
    table.l2_bytes--;
    assert_int_equal(stoa_kept_columns(context, &row), STOA_ROW_PANEL);
    row.n = 264; /* a last panel of less than a vector has other sums */
    assert_int_equal(stoa_kept_columns(context, &row), 0);
    row.n = 256;
    row.transpose_b = true;
    assert_int_equal(stoa_kept_columns(context, &row), 0);
    stoa_context_free(context);
}

/* A dense layer on one row, on both sides of what is a task: against sums in double, and the same bits on any
 * number of threads. */
static void check_row(size_t k, size_t n) {
    float *w = malloc((k * n + k + n) * sizeof *w);
    float *sums = malloc((k * n + k + n) * 2 * sizeof *sums);
    assert_true(w && sums);
    float *x = w + k * n;
    fill(w, k * n + k + n, 7);
    float *dy = x + k;
    for (size_t threads = 1; threads <= 3; threads++) {
        stoa_context *context = make_context(threads, STOA_POLICY_DEFAULT);
        float *y = sums + (threads > 1) * (k * n + k + n);
        float *dx = y + n;
        float *dw = dx + k;
        memset(y, 0xFF, (k * n + k + n) * sizeof *y); /* NaN */
        stoa_product(
            context,
            &(struct stoa_gemm){
                .m = 1, .n = n, .k = k, .alpha = 1, .a = x, .lda = k, .b = w, .ldb = n, .c = y, .ldc = n});
        stoa_product(context, &(struct stoa_gemm){.transpose_b = true,
                                                  .m = 1,
                                                  .n = k,
                                                  .k = n,
                                                  .alpha = 1,
                                                  .a = dy,
                                                  .lda = n,
                                                  .b = w,
                                                  .ldb = n,
                                                  .c = dx,
                                                  .ldc = k});
        stoa_product(context, &(struct stoa_gemm){.transpose_a = true,
                                                  .m = k,
                                                  .n = n,
                                                  .k = 1,
                                                  .alpha = 1,
                                                  .a = x,
                                                  .lda = k,
                                                  .b = dy,
                                                  .ldb = n,
                                                  .c = dw,
                                                  .ldc = n});
        assert_memory_equal(y, sums, (k * n + k + n) * sizeof *y);
        stoa_context_free(context);
    }
    for (size_t j = 0; j < n; j++) {
        double sum = 0;
        for (size_t i = 0; i < k; i++) {
            sum += (double)x[i] * (double)w[i * n + j];
            assert_true(sums[n + k + i * n + j] == x[i] * dy[j]);
        }
        assert_true(fabs((double)sums[j] - sum) <= 1e-6 * (double)(k + 1));
    }
    for (size_t i = 0; i < k; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            sum += (double)dy[j] * (double)w[i * n + j];
        }
        assert_true(fabs((double)sums[n + i] - sum) <= 1e-6 * (double)(n + 1));
    }
    free(sums);
    free(w);
}

static void multiplies_rows(void **state) {
    (void)state;
    const size_t sizes[][2] = {{1, 1}, {84, 10}, {120, 84}, {3, 500}, {1000, 150}, {700, 1030}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_row(sizes[i][0], sizes[i][1]);
    }
}

/* A thread of a host with little stack multiplies by every way. */
static void *multiply_large(void *argument) {
    stoa_context *context = argument;
    enum { SIDE = 1100 };
    float *a = malloc((size_t)SIDE * SIDE * 3 * sizeof *a);
    if (!a) {
        return NULL;
    }
    fill(a, (size_t)SIDE * SIDE * 2, 5);
    float *c = a + (size_t)SIDE * SIDE * 2;
    stoa_blas_enter();
    for (size_t side = 40; side <= SIDE; side += 530) {
        for (unsigned t = 0; t < 4; t++) {
            stoa_product(context, &(struct stoa_gemm){.transpose_a = t & 1,
                                                      .transpose_b = t & 2,
                                                      .m = side,
                                                      .n = side,
                                                      .k = side,
                                                      .alpha = 1,
                                                      .a = a,
                                                      .lda = SIDE,
                                                      .b = a + (size_t)SIDE * SIDE,
                                                      .ldb = SIDE,
                                                      .c = c,
                                                      .ldc = SIDE});
        }
    }
    stoa_blas_leave();
    free(a);
    return context;
}

static void *do_nothing(void *argument) {
    return argument;
}

static bool run_on_stack(size_t bytes, void *(*work)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    bool ran = pthread_attr_setstacksize(&attributes, bytes) == 0 &&
               pthread_create(&thread, &attributes, work, argument) == 0 &&
               pthread_join(thread, &result) == 0;
    (void)pthread_attr_destroy(&attributes);
    assert_true(!ran || result == argument);
    return ran;
}

/* 64 KiB beside what the C library puts there, the BLAS's thread-local variables among it. */
static void multiplies_on_a_small_stack(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
    skip(); /* in such a build every variable has a place of its own */
#endif
    enum { STACK = 64 << 10, STEP = 16 << 10 };
    size_t taken = STEP;
    while (!run_on_stack(taken, do_nothing, &taken)) {
        taken += STEP;
    }
    stoa_context *contexts[CONTEXTS];
    make_contexts(contexts);
    for (size_t i = 0; i < CONTEXTS; i++) {
        assert_true(run_on_stack(taken + STACK, multiply_large, contexts[i]));
    }
    free_contexts(contexts);
}

/* The policies for sgemm's own sums leave no product to the engine, and a hint does not choose the way. */
static void decides_by_policy_and_shape(void **state) {
    (void)state;
    struct stoa_gemm p = {.alpha = 1, .lda = 4096, .ldb = 4096, .ldc = 4096};
    stoa_context *context = make_context(1, STOA_POLICY_DEFAULT);
    stoa_context *others[] = {make_context(1, STOA_POLICY_EXACT), make_context(1, STOA_POLICY_BLAS)};
    for (p.m = 4; p.m < 3000; p.m *= 5) {
        for (p.n = 10; p.n < 3000; p.n *= 4) {
            for (p.k = 16; p.k < 5000; p.k *= 7) {
                for (size_t i = 0; i < 2; i++) {
                    assert_int_equal(stoa_way_of(others[i], &p).by, STOA_BY_CALL);
                }
                struct stoa_way way = stoa_way_of(context, &p);
                struct stoa_gemm hinted = p;
                hinted.next_a = (const float *)&p;
                hinted.below = 7;
                struct stoa_way same = stoa_way_of(context, &hinted);
                assert_true(way.by == same.by && way.copies_b == same.copies_b && way.rows == same.rows);
                assert_true(way.by <= STOA_BY_SMALL || (way.rows > 0 && way.terms > 0 && way.columns > 0));
            }
        }
    }
    stoa_context_free(context);
    stoa_context_free(others[0]);
    stoa_context_free(others[1]);
}

int main(void) {
    if (forced_core_is_beyond()) {
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_reference),
        cmocka_unit_test(takes_empty_sizes),
        cmocka_unit_test(multiplies_the_same_on_any_threads),
        cmocka_unit_test(multiplies_the_same_from_panels),
        cmocka_unit_test(multiplies_the_same_from_kept_panels),
        cmocka_unit_test(keeps_what_pays),
        cmocka_unit_test(multiplies_rows),
        cmocka_unit_test(multiplies_on_a_small_stack),
        cmocka_unit_test(decides_by_policy_and_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
