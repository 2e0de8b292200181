/* SPDX-License-Identifier: MIT */
/* Dense layers on a single row. sgemm would pack a matrix that is used once and copy it transposed; here each
 * pass reads or writes it once, where it lies, cut by its shape alone. */
#include "product/product.h"

#include "base/size.h"
#include "core/threads.h"

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
    struct row row = {.kernels = context->kernels,
                      .x = x,
                      .w = w,
                      .dy = dy,
                      .k = k,
                      .n = n,
                      .grain = stoa_max(1, FLOATS / stoa_max(1, n)),
                      .dx = dx,
                      .dw = dw};
    stoa_parallel(context, stoa_ceil_div(k, row.grain), multiply_back, &row);
}
