/* SPDX-License-Identifier: MIT */
/* Counting and timing products and columns from outside the library. */
#include "bench/parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "blas/blas.h"
#include "product/way.h"

/* The names that --wrap gives the callers' and the library's functions. */
void bench_gemm_called(const stoa_context *context, const struct stoa_gemm *product,
                       const struct stoa_way *way) __asm__("__wrap_stoa_way_run");
void bench_gemm_library(const stoa_context *context, const struct stoa_gemm *product,
                        const struct stoa_way *way) __asm__("__real_stoa_way_run");

void bench_blas_called(const struct stoa_gemm *product) __asm__("__wrap_stoa_blas_sgemm");
void bench_blas_library(const struct stoa_gemm *product) __asm__("__real_stoa_blas_sgemm");

static struct {
    atomic_bool watching;
    atomic_size_t calls;
    _Atomic uint64_t product_ns, column_ns, flops, blas_flops;
    pthread_mutex_t lock; /* of the largest product */
    size_t m, n, k;
    const struct stoa_kernels *original;
    struct stoa_kernels kernels;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The door may use the kernel that layers call themselves: one product, not two. */
static _Thread_local bool inside;

static uint64_t now_ns(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static uint64_t flops_of(size_t m, size_t n, size_t k) {
    return 2 * (uint64_t)m * n * k;
}

static void note_product(uint64_t start, size_t m, size_t n, size_t k) {
    atomic_fetch_add(&state.flops, flops_of(m, n, k));
    atomic_fetch_add(&state.product_ns, now_ns() - start);
    atomic_fetch_add(&state.calls, 1);
    (void)pthread_mutex_lock(&state.lock);
    if ((double)m * (double)n * (double)k > (double)state.m * (double)state.n * (double)state.k) {
        state.m = m;
        state.n = n;
        state.k = k;
    }
    (void)pthread_mutex_unlock(&state.lock);
}

void bench_gemm_called(const stoa_context *context, const struct stoa_gemm *product,
                       const struct stoa_way *way) {
    if (inside || !atomic_load_explicit(&state.watching, memory_order_relaxed)) {
        bench_gemm_library(context, product, way);
        return;
    }
    uint64_t start = now_ns();
    inside = true;
    bench_gemm_library(context, product, way);
    inside = false;
    note_product(start, product->m, product->n, product->k);
}

/* Some products go to the BLAS without the door. */
void bench_blas_called(const struct stoa_gemm *product) {
    if (!atomic_load_explicit(&state.watching, memory_order_relaxed)) {
        bench_blas_library(product);
        return;
    }
    uint64_t start = now_ns();
    bench_blas_library(product);
    atomic_fetch_add(&state.blas_flops, flops_of(product->m, product->n, product->k));
    if (!inside) {
        note_product(start, product->m, product->n, product->k);
    }
}

static void multiply(const struct stoa_gather *gather, size_t m, size_t n, size_t k, const float *a,
                     const float *b, size_t ldb, const float *begin, float *c, size_t ldc) {
    uint64_t start = now_ns();
    state.original->product(gather, m, n, k, a, b, ldb, begin, c, ldc);
    if (!inside) {
        note_product(start, m, n, k);
    }
}

static void multiply_planes(const float *x, const size_t *term, size_t terms, const float *weight,
                            size_t filters, const float *begin, size_t n, float *y, size_t y_stride) {
    uint64_t start = now_ns();
    state.original->planes(x, term, terms, weight, filters, begin, n, y, y_stride);
    note_product(start, n, filters, terms);
}

static void sum_planes(const float *x, const size_t *term, size_t terms, const float *dy, size_t dy_stride,
                       size_t filters, size_t n, float *sums) {
    uint64_t start = now_ns();
    state.original->planes_gradient(x, term, terms, dy, dy_stride, filters, n, sums);
    note_product(start, terms, filters, n);
}

static void im2col(const struct stoa_window *w, const float *x, size_t channel0, size_t channels,
                   size_t first_row, size_t rows, float *lines, float *columns) {
    uint64_t start = now_ns();
    state.original->im2col(w, x, channel0, channels, first_row, rows, lines, columns);
    atomic_fetch_add(&state.column_ns, now_ns() - start);
}

static void col2im(const struct stoa_window *w, const float *columns, size_t channel0, size_t channels,
                   size_t first_row, size_t rows, float *dx) {
    uint64_t start = now_ns();
    state.original->col2im(w, columns, channel0, channels, first_row, rows, dx);
    atomic_fetch_add(&state.column_ns, now_ns() - start);
}

static struct bench_parts watch_once(const stoa_context *context, const struct bench_case *one) {
    atomic_store(&state.calls, 0);
    atomic_store(&state.product_ns, 0);
    atomic_store(&state.column_ns, 0);
    atomic_store(&state.flops, 0);
    atomic_store(&state.blas_flops, 0);
    state.m = state.n = state.k = 0;
    uint64_t start = now_ns();
    one->run(one->argument);
    double elapsed = (double)(now_ns() - start);
    double all = elapsed * (double)context->threads;
    return (struct bench_parts){.seconds = 1e-9 * elapsed,
                                .columns = (double)atomic_load(&state.column_ns) / all,
                                .products = (double)atomic_load(&state.product_ns) / all,
                                .calls = atomic_load(&state.calls),
                                .m = state.m,
                                .n = state.n,
                                .k = state.k,
                                .flops = (double)atomic_load(&state.flops),
                                .blas_flops = (double)atomic_load(&state.blas_flops)};
}

double bench_parts_in_blas(const struct bench_parts *parts) {
    return parts->flops > 0 ? parts->blas_flops / parts->flops : 0;
}

struct bench_parts bench_parts_of(stoa_context *context, const struct bench_case *one) {
    enum { RUNS = 5 };
    state.original = context->kernels;
    state.kernels = *context->kernels;
    state.kernels.im2col = im2col;
    state.kernels.col2im = col2im;
    state.kernels.product = multiply;
    state.kernels.planes = multiply_planes;
    state.kernels.planes_gradient = sum_planes;
    context->kernels = &state.kernels;
    atomic_store(&state.watching, true);
    struct bench_parts best = {0};
    for (int i = 0; i < RUNS; i++) {
        struct bench_parts parts = watch_once(context, one);
        if (i == 0 || parts.seconds < best.seconds) {
            best = parts;
        }
    }
    atomic_store(&state.watching, false);
    context->kernels = state.original;
    return best;
}
