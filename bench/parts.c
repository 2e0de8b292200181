/* Counting and timing products and columns from outside the library, and breaking them on purpose. */
#include "bench/parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "blas/gemm.h"
#include "core/context.h"

/* The names that --wrap=stoa_gemm_run gives the caller's and the library's function. */
void bench_gemm_called(const struct stoa_gemm *product) __asm__("__wrap_stoa_gemm_run");
void bench_gemm_library(const struct stoa_gemm *product) __asm__("__real_stoa_gemm_run");

static struct {
    atomic_bool watching, broken;
    atomic_size_t calls;
    _Atomic uint64_t product_ns, column_ns;
    pthread_mutex_t lock; /* of the largest product */
    size_t m, n, k;
    const struct stoa_kernels *original;
    struct stoa_kernels kernels;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t now_ns(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void note_product(const struct stoa_gemm *product) {
    (void)pthread_mutex_lock(&state.lock);
    if ((double)product->m * (double)product->n * (double)product->k >
        (double)state.m * (double)state.n * (double)state.k) {
        state.m = product->m;
        state.n = product->n;
        state.k = product->k;
    }
    (void)pthread_mutex_unlock(&state.lock);
}

void bench_gemm_called(const struct stoa_gemm *product) {
    if (!atomic_load_explicit(&state.watching, memory_order_relaxed)) {
        bench_gemm_library(product);
        /* The whole first row: single numbers may belong to padding. */
        bool broken = atomic_load_explicit(&state.broken, memory_order_relaxed) && product->m;
        for (size_t i = 0; broken && i < product->n; i++) {
            product->c[i] += 1;
        }
        return;
    }
    uint64_t start = now_ns();
    bench_gemm_library(product);
    atomic_fetch_add(&state.product_ns, now_ns() - start);
    atomic_fetch_add(&state.calls, 1);
    note_product(product);
}

static void im2col(const struct stoa_window *w, const float *x, size_t channel0, size_t channels,
                   size_t first_row, size_t rows, float *columns) {
    uint64_t start = now_ns();
    state.original->im2col(w, x, channel0, channels, first_row, rows, columns);
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
                                .k = state.k};
}

struct bench_parts bench_parts_of(stoa_context *context, const struct bench_case *one) {
    enum { RUNS = 5 };
    state.original = context->kernels;
    state.kernels = *context->kernels;
    state.kernels.im2col = im2col;
    state.kernels.col2im = col2im;
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

static void broken_forward(const struct stoa_window *w, const float *x, const float *weight,
                           const float *bias, size_t first_row, size_t rows, float *y) {
    state.original->depthwise(w, x, weight, bias, first_row, rows, y);
    y[0] += 1;
}

static void broken_data(const struct stoa_window *w, const float *dy, const float *weight, float *dx) {
    state.original->depthwise_backward_data(w, dy, weight, dx);
    dx[0] += 1;
}

static void broken_weights(const struct stoa_window *w, const float *x, const float *dy, size_t first_row,
                           size_t rows, float *dweight) {
    state.original->depthwise_backward_weights(w, x, dy, first_row, rows, dweight);
    dweight[0] += 1;
}

void bench_break_products(stoa_context *context, bool broken) {
    atomic_store(&state.broken, broken);
    if (!broken) {
        context->kernels = state.original;
        return;
    }
    state.original = context->kernels;
    state.kernels = *context->kernels;
    state.kernels.depthwise = broken_forward;
    state.kernels.depthwise_backward_data = broken_data;
    state.kernels.depthwise_backward_weights = broken_weights;
    context->kernels = &state.kernels;
}
