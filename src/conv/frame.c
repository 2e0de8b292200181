/* SPDX-License-Identifier: MIT */
/* What several algorithms do around their products: transposed weights, bias and ReLU. */
#include "base/size.h"
#include "conv/conv.h"
#include "core/threads.h"

/* Rows of the weight, which become columns of its transpose. */
enum { TRANSPOSE_ROWS = 64 };

struct transpose {
    const stoa_context *context;
    const float *weight;
    float *transposed;
    size_t column, filters;
};

static void transpose_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct transpose *t = argument;
    size_t row = task * TRANSPOSE_ROWS;
    size_t rows = stoa_min(TRANSPOSE_ROWS, t->column - row);
    t->context->kernels->transpose(t->weight + row * t->filters, rows, t->filters, t->filters,
                                   t->transposed + row, stoa_conv_stride(t->column));
}

void stoa_conv_transpose(const stoa_context *context, const struct stoa_conv *conv, const float *weight,
                         float *transposed) {
    struct transpose t = {context, weight, transposed, stoa_conv_column(conv), conv->filters};
    stoa_parallel(context, stoa_ceil_div(t.column, TRANSPOSE_ROWS), transpose_rows, &t);
}

void stoa_conv_finish(const stoa_context *context, const struct stoa_conv *conv, const float *bias, bool relu,
                      size_t first, size_t count, float *y) {
    size_t pixel = stoa_conv_y_pixel(conv);
    size_t run = pixel == conv->filters ? count : 1; /* pixels that lie side by side */
    y += first * pixel;
    if (bias) {
        context->kernels->bias_act(y, count, conv->filters, pixel, bias, relu);
    } else if (relu) {
        for (size_t i = 0; i < count; i += run, y += run * pixel) {
            context->kernels->relu(y, y, run * conv->filters);
        }
    }
}
