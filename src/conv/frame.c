/* SPDX-License-Identifier: MIT */
/* What several algorithms do around their products: transposes, bias and ReLU. */
#include "base/size.h"
#include "conv/conv.h"
#include "core/threads.h"

/* Rows of a task, which become columns. */
enum { TRANSPOSE_ROWS = 64 };

struct transpose {
    const stoa_context *context;
    const float *from;
    size_t rows, columns, stride;
    float *to;
    size_t to_stride;
};

static void transpose_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct transpose *t = argument;
    size_t row = task * TRANSPOSE_ROWS;
    t->context->kernels->transpose(t->from + row * t->stride, stoa_min(TRANSPOSE_ROWS, t->rows - row),
                                   t->columns, t->stride, t->to + row, t->to_stride);
}

void stoa_conv_transpose(const stoa_context *context, const float *from, size_t rows, size_t columns,
                         size_t stride, float *to, size_t to_stride) {
    struct transpose t = {context, from, rows, columns, stride, to, to_stride};
    stoa_parallel(context, stoa_ceil_div(rows, TRANSPOSE_ROWS), transpose_rows, &t);
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
