/* SPDX-License-Identifier: MIT */
/* Rates of this machine: multiply-adds, products, memory. */
#include "core/machine.h"

#include <unistd.h>

#include "base/size.h"
#include "blas/blas.h"
#include "core/threads.h"

/* The number of threads to measure on, 0 standing for the context's. */
static stoa_status check_threads(stoa_context *context, const char *what, size_t *threads) {
    if (*threads > context->threads) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: found %zu threads, the context has %zu", what,
                         *threads, context->threads);
    }
    *threads = *threads ? *threads : context->threads;
    return STOA_OK;
}

/* About 100 microseconds at one step of all chains in six cycles: long beside the start of a loop. */
enum { FMA_STEPS = 100000 };

static void run_chains(void *argument, size_t task, size_t thread) {
    (void)task;
    (void)thread;
    const stoa_context *context = argument;
    float x[STOA_FMA_CHAINS];
    float y[STOA_FMA_CHAINS];
    for (size_t i = 0; i < STOA_FMA_CHAINS; i++) {
        x[i] = (float)i;
    }
    /* Towards 2: neither large nor denormal, which would take longer. */
    context->kernels->fma_chain(x, FMA_STEPS, 0.5F, 1.0F, y);
}

stoa_status stoa_measure_fma(stoa_context *context, size_t threads, double seconds, double *gflops) {
    stoa_status status = stoa_check_seconds(context, "fma", seconds);
    if (status == STOA_OK) {
        status = check_threads(context, "fma", &threads);
    }
    if (status != STOA_OK) {
        return status;
    }
    stoa_context team;
    stoa_team_open(context, threads, &team);
    double best = stoa_best_time(&team, seconds, run_chains, context);
    stoa_team_close(&team);
    *gflops = 2e-9 * STOA_FMA_CHAINS * FMA_STEPS * (double)threads / best;
    return STOA_OK;
}

/* A product in one panel a thread: rows of c, or columns where there are more of them. */
struct panels {
    struct stoa_gemm whole;
    size_t count;
};

static void run_panel(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct panels *panels = argument;
    struct stoa_gemm part = panels->whole;
    bool down = part.m >= part.n;
    size_t all = down ? part.m : part.n;
    /* Whole groups of rows that kernels work on together. */
    size_t width = stoa_round_up(stoa_ceil_div(all, panels->count), STOA_ALIGN_FLOATS);
    size_t first = stoa_min(task * width, all);
    size_t size = stoa_min(width, all - first);
    if (down) {
        part.m = size;
        part.a += first * part.lda;
        part.c += first * part.ldc;
    } else {
        part.n = size;
        part.b += first;
        part.c += first;
    }
    stoa_blas_sgemm(&part);
}

/* Bytes of a, b and c; false for dimensions out of range. */
static bool product_bytes(size_t m, size_t n, size_t k, size_t bytes[3]) {
    const size_t rows[3] = {m, k, m};
    const size_t columns[3] = {k, n, n};
    for (size_t i = 0; i < 3; i++) {
        size_t count;
        if (rows[i] == 0 || columns[i] == 0 || rows[i] > STOA_MAX_DIMENSION ||
            columns[i] > STOA_MAX_DIMENSION || !stoa_size_mul(rows[i], columns[i], &count) ||
            !stoa_float_bytes(count, &bytes[i])) {
            return false;
        }
    }
    return true;
}

/* Least seconds of one product on a team of its own. */
static double time_product(stoa_context *context, struct panels *panels, double seconds) {
    stoa_context team;
    stoa_team_open(context, panels->count, &team);
    stoa_blas_enter();
    double best = stoa_best_time(&team, seconds, run_panel, panels);
    stoa_blas_leave();
    stoa_team_close(&team);
    return best;
}

stoa_status stoa_measure_gemm(stoa_context *context, size_t m, size_t n, size_t k, size_t threads,
                              double seconds, double *gflops) {
    stoa_status status = stoa_check_seconds(context, "gemm", seconds);
    if (status == STOA_OK) {
        status = check_threads(context, "gemm", &threads);
    }
    if (status != STOA_OK) {
        return status;
    }
    size_t bytes[3] = {0};
    if (!product_bytes(m, n, k, bytes)) {
        return stoa_fail(context, STOA_ERR_ARGUMENT,
                         "gemm: found %zux%zux%zu, expected dimensions of 1 to %zu", m, n, k,
                         STOA_MAX_DIMENSION);
    }
    float *a = stoa_allocate(context, bytes[0], "gemm");
    float *b = a ? stoa_allocate(context, bytes[1], "gemm") : NULL;
    float *c = b ? stoa_allocate(context, bytes[2], "gemm") : NULL;
    if (c) {
        stoa_fill(a, m * k);
        stoa_fill(b, k * n);
        stoa_fill(c, m * n);
        struct stoa_gemm product = {
            .m = m, .n = n, .k = k, .alpha = 1, .a = a, .lda = k, .b = b, .ldb = n, .c = c, .ldc = n};
        struct panels panels = {product, threads};
        *gflops = 2e-9 * (double)m * (double)n * (double)k / time_product(context, &panels, seconds);
    }
    stoa_release(context, a, bytes[0]);
    stoa_release(context, b, bytes[1]);
    stoa_release(context, c, bytes[2]);
    return c ? STOA_OK : STOA_ERR_MEMORY;
}

/* Floats of each of the two arrays: four times the last cache, within reason. */
static size_t stream_floats(void) {
    const size_t least = (size_t)64 << 20;
    size_t bytes = least;
#ifdef _SC_LEVEL3_CACHE_SIZE
    const size_t most = (size_t)256 << 20;
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (cache > 0) {
        bytes = stoa_min(stoa_max(4 * (size_t)cache, least), most);
    }
#endif
    return bytes / sizeof(float);
}

struct stream {
    const stoa_context *context;
    float *x, *y;
    size_t floats, parts;
};

/* Start and length of a thread's part. */
static size_t part_of(const struct stream *stream, size_t task, size_t *length) {
    size_t width = stoa_round_up(stoa_ceil_div(stream->floats, stream->parts), STOA_ALIGN_FLOATS);
    size_t first = stoa_min(task * width, stream->floats);
    *length = stoa_min(width, stream->floats - first);
    return first;
}

/* By the threads that use it, so that it lies in their memory. */
static void fill_part(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct stream *stream = argument;
    size_t length;
    size_t first = part_of(stream, task, &length);
    stoa_fill(stream->x + first, length);
    stoa_fill(stream->y + first, length);
}

static void add_part(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct stream *stream = argument;
    size_t length;
    size_t first = part_of(stream, task, &length);
    stream->context->kernels->accumulate(stream->x + first, stream->y + first, length);
}

stoa_status stoa_measure_bandwidth(stoa_context *context, double seconds, double *gigabytes_per_second) {
    stoa_status status = stoa_check_seconds(context, "bandwidth", seconds);
    if (status != STOA_OK) {
        return status;
    }
    struct stream stream = {.context = context, .floats = stream_floats(), .parts = context->threads};
    size_t bytes = stream.floats * sizeof(float);
    stream.x = stoa_allocate(context, bytes, "bandwidth");
    stream.y = stream.x ? stoa_allocate(context, bytes, "bandwidth") : NULL;
    if (stream.y) {
        stoa_parallel(context, stream.parts, fill_part, &stream);
        double best = stoa_best_time(context, seconds, add_part, &stream);
        *gigabytes_per_second = 3e-9 * (double)bytes / best; /* x read, y read and written */
    } else {
        status = STOA_ERR_MEMORY;
    }
    stoa_release(context, stream.x, bytes);
    stoa_release(context, stream.y, bytes);
    return status;
}
