/* SPDX-License-Identifier: MIT */
/* The limit of the BLAS's path for small products, found by the step in its rate. */
#include <math.h>

#include "base/clock.h"
#include "blas/blas.h"
#include "core/machine.h"

/* Products of m x n that fit every register tile; only the depth k varies, so that rates change slowly
 * but for the step. Known limits lie near 1e6. */
enum { SMALL_M = 24, SMALL_N = 64, LEAST_K = 326, MOST_K = 1302, REPEATS = 8, LEAST_ROUNDS = 15 };

struct probe {
    struct stoa_gemm product;
    double seconds; /* for one pair of depths */
};

static double seconds_each(struct stoa_gemm *product, size_t k) {
    product->k = product->lda = k;
    double start = stoa_clock();
    for (size_t i = 0; i < REPEATS; i++) {
        stoa_blas_sgemm(product);
    }
    return (stoa_clock() - start) / REPEATS / (double)k;
}

/* Rate at depth `low` over the rate at depth `high`, in turns, so that what disturbs one disturbs both. */
static double fall(struct probe *probe, size_t low, size_t high) {
    double end = stoa_clock() + probe->seconds;
    double best[2] = {HUGE_VAL, HUGE_VAL};
    for (size_t round = 0; round < LEAST_ROUNDS || stoa_clock() < end; round++) {
        best[0] = fmin(best[0], seconds_each(&probe->product, low));
        best[1] = fmin(best[1], seconds_each(&probe->product, high));
    }
    return best[1] / fmax(best[0], 1e-12);
}

static size_t find_step(struct probe *probe) {
    static const double step = 1.08; /* steps seen are 1.15 and more, noise is a few percent */
    size_t low = LEAST_K;
    size_t high = MOST_K;
    if (fall(probe, low, high) < step) {
        return 0;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (fall(probe, LEAST_K, middle) < step) {
            low = middle;
        } else {
            high = middle;
        }
    }
    /* A step that is real shows between neighbours too. */
    return fall(probe, low, high) < step ? 0 : (size_t)SMALL_M * SMALL_N * low;
}

stoa_status stoa_measure_small_limit(stoa_context *context, double seconds, size_t *limit) {
    stoa_status status = stoa_check_seconds(context, "small limit", seconds);
    if (status != STOA_OK) {
        return status;
    }
    const size_t floats = (size_t)SMALL_M * MOST_K + (size_t)MOST_K * SMALL_N + (size_t)SMALL_M * SMALL_N;
    float *memory = stoa_allocate(context, floats * sizeof(float), "small limit");
    if (!memory) {
        return STOA_ERR_MEMORY;
    }
    stoa_fill(memory, floats);
    const float *b = memory + (size_t)SMALL_M * MOST_K;
    struct probe probe = {.product = {.m = SMALL_M,
                                      .n = SMALL_N,
                                      .alpha = 1,
                                      .a = memory,
                                      .b = b,
                                      .ldb = SMALL_N,
                                      .c = memory + floats - (size_t)SMALL_M * SMALL_N,
                                      .ldc = SMALL_N},
                          .seconds = seconds / 12};
    stoa_blas_enter();
    *limit = find_step(&probe);
    stoa_blas_leave();
    stoa_release(context, memory, floats * sizeof(float));
    return STOA_OK;
}
