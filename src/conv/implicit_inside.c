/* SPDX-License-Identifier: MIT */
/* Tiles of the implicit algorithm without a copy: their sums leave the padding out.
 *
 * Outputs whose patches lie inside the image read all of it where it lies. At its edges a patch lacks lines,
 * which are the first or last terms of the sums, or columns: then each line of it is a product of its own. */
#include "base/size.h"
#include "conv/implicit.h"

/* Outputs along one side, from the first on, that read the same taps inside the image. */
struct span {
    size_t count;     /* 1 at the edges */
    size_t tap, taps; /* the first that lies inside, and how many do */
    size_t input;     /* that this tap of the first output reads */
};

/* Taps of one output inside the image. */
static struct span taps_at(size_t output, size_t size, size_t pad, size_t stride, size_t kernel,
                           size_t dilation) {
    size_t from = output * stride; /* counted from the padding's beginning */
    size_t tap = from < pad ? stoa_min(kernel, stoa_ceil_div(pad - from, dilation)) : 0;
    size_t end = size + pad > from ? stoa_min(kernel, stoa_ceil_div(size + pad - from, dilation)) : 0;
    struct span span = {.count = 1, .tap = tap, .taps = end - stoa_min(end, tap)};
    span.input = span.taps > 0 ? from + tap * dilation - pad : 0;
    return span;
}

static struct span span_at(size_t output, size_t end, size_t size, size_t pad, size_t stride, size_t kernel,
                           size_t dilation) {
    struct span span = taps_at(output, size, pad, stride, kernel, dilation);
    size_t reach = (kernel - 1) * dilation + 1;
    if (span.taps == kernel) { /* as are all outputs up to the last whose patch ends inside */
        span.count = stoa_min(end, (size + pad - reach) / stride + 1) - output;
    }
    return span;
}

/* Products of an edge's few numbers pay for themselves where lines are long: measured 1.03 to 1.05 times as
 * fast with 112 outputs of 27 terms, 0.7 times with 28 of 9. */
bool stoa_implicit_is_inside(const struct stoa_implicit *l) {
    enum { LEAST_NUMBERS = 500 };
    const struct stoa_window *w = &l->conv.window;
    size_t numbers = w->out_width * w->kernel_width * w->channels;
    return l->pads && l->group == 1 && l->conv.filters % STOA_PRODUCT_LANES == 0 &&
           stoa_conv_column(&l->conv) <= STOA_IMPLICIT_FEW_TERMS &&
           numbers >= LEAST_NUMBERS * (w->kernel_width - 1);
}

void stoa_implicit_read_inside(struct stoa_implicit *l) {
    const struct stoa_window *w = &l->conv.window;
    l->pads = false;
    l->line = w->width * w->channels;
    l->image = w->height * l->line;
    l->view_floats = 0;
}

/* The outputs of some lines and columns of an image; x: what their first tap reads, y: where the first
 * goes. */
static void multiply(const struct stoa_implicit *l, const struct stoa_kernels *kernels,
                     const struct stoa_implicit_product *p, struct stoa_gather *gather,
                     const struct span *lines, const struct span *columns, const float *x, float *y) {
    const struct stoa_window *w = &l->conv.window;
    size_t filters = l->conv.filters;
    size_t rows = lines->count * columns->count;
    size_t terms = columns->taps * w->channels; /* of one line */
    bool whole = columns->taps == w->kernel_width;
    size_t pieces = whole || terms == 0 || lines->taps == 0 ? 1 : lines->taps;
    size_t count = lines->taps * terms / pieces;
    for (size_t i = 0; i < pieces; i++) {
        const float *weight =
            p->weight + ((lines->tap + i) * w->kernel_width + columns->tap) * w->channels * filters;
        kernels->product(gather, rows, filters, count, x + i * w->dilation_height * l->line, weight, filters,
                         i == 0 ? p->start : y, y, filters);
    }
}

void stoa_implicit_multiply_inside(const struct stoa_implicit *l, const struct stoa_kernels *kernels,
                                   const struct stoa_implicit_product *p, const struct stoa_implicit_tile *t,
                                   const struct stoa_fetch *next) {
    const struct stoa_window *w = &l->conv.window;
    struct stoa_gather gather = {
        .row = p->row, .step = stoa_implicit_step(l), .term = p->term, .result = p->result};
    gather.next[0] = next[0];
    gather.next[1] = next[1];
    for (size_t image = t->image; image < t->image + t->images; image++) {
        struct span lines;
        for (size_t row = t->row; row < t->row + t->rows; row += lines.count) {
            lines = span_at(row, t->row + t->rows, w->height, w->pad_top, w->stride_height, w->kernel_height,
                            w->dilation_height);
            struct span columns;
            for (size_t column = 0; column < w->out_width; column += columns.count) {
                columns = span_at(column, w->out_width, w->width, w->pad_left, w->stride_width,
                                  w->kernel_width, w->dilation_width);
                gather.run = columns.count;
                multiply(l, kernels, p, &gather, &lines, &columns,
                         p->x + image * l->image + lines.input * l->line + columns.input * w->channels,
                         p->y + ((image * w->out_height + row) * w->out_width + column) * l->conv.filters);
                if (columns.count > 1) { /* once is enough */
                    gather.next[0].lines = gather.next[1].lines = 0;
                }
            }
        }
    }
}
