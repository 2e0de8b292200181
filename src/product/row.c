/* SPDX-License-Identifier: MIT */
/* Dense layers on a single row. sgemm would pack a matrix that is used once and copy it transposed; here each
 * pass reads or writes it once, where it lies, cut by its shape alone. */
#include "product/product.h"

#include "base/size.h"
#include "blas/workarounds.h"
#include "core/threads.h"

/* A small row is one call of the BLAS where that does not pack its operands: a loop over threads would cost
 * as much as the product. */
enum { LEAST_WORK = 1 << 17 };

static bool is_call(size_t k, size_t n) {
    return k * n <= stoa_min(LEAST_WORK, stoa_blas_small_limit());
}

/* Columns of a task forward, and floats of the matrix of a task backward: enough to hide what a task
 * costs. */
enum { COLUMNS = 128, FLOATS = 16384 };

struct row {
    const struct stoa_kernels *kernels;
    const float *x, *w, *dy;
    size_t k, n, grain;
    float *y, *dx, *dw;
};

static void multiply_columns(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct row *r = argument;
    size_t first = task * COLUMNS;
    r->kernels->row_times_matrix(r->x, r->w + first, r->k, stoa_min(COLUMNS, r->n - first), r->n,
                                 r->y + first);
}

void stoa_row_product(const stoa_context *context, const float *x, const float *w, size_t k, size_t n,
                      float *y) {
    if (is_call(k, n)) {
        stoa_blas_small(&(struct stoa_gemm){
            .m = 1, .n = n, .k = k, .alpha = 1, .a = x, .lda = k, .b = w, .ldb = n, .c = y, .ldc = n});
        return;
    }
    struct row row = {.kernels = context->kernels, .x = x, .w = w, .k = k, .n = n, .y = y};
    stoa_parallel(context, stoa_ceil_div(n, COLUMNS), multiply_columns, &row);
}

static void multiply_back(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct row *r = argument;
    size_t first = task * r->grain;
    size_t rows = stoa_min(r->grain, r->k - first);
    if (r->dx) {
        r->kernels->matrix_times_column(r->w + first * r->n, rows, r->n, r->dy, r->dx + first);
    }
    if (r->dw) {
        r->kernels->outer(r->x + first, rows, r->dy, r->n, r->dw + first * r->n);
    }
}

void stoa_row_product_backward(const stoa_context *context, const float *x, const float *w, const float *dy,
                               size_t k, size_t n, float *dx, float *dw) {
    if (dx && is_call(k, n)) {
        stoa_blas_sgemm(&(struct stoa_gemm){.transpose_b = true,
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
        dx = NULL;
    }
    struct row row = {.kernels = context->kernels,
                      .x = x,
                      .w = w,
                      .dy = dy,
                      .k = k,
                      .n = n,
                      .grain = stoa_max(1, FLOATS / stoa_max(1, n)),
                      .dx = dx,
                      .dw = dw};
    if (dx || dw) {
        stoa_parallel(context, stoa_ceil_div(k, row.grain), multiply_back, &row);
    }
}
