/* SPDX-License-Identifier: MIT */
/* Depthwise convolution, one filter a channel, and its gradients; vectors lie along the channels.
 *
 * Kernels of three columns and at most three rows, the usual ones, have paths of their own. For each vector
 * of channels they keep all taps in registers and sweep along some rows of outputs at once, so that every
 * pixel is loaded once for all the outputs that it belongs to. They count columns with the padding: column q
 * is pixel q - pad_left. */
#include "kernels/depthwise.h"
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

/* Some neighbouring rows of outputs, or going back of inputs, and the image rows that they meet, counted
 * from the first that their taps would meet, which begins at x[start]. Rows before `line_from` or from
 * `line_end` on, and columns before `first` or from `end` on, are padding. */
struct block {
    const float *x, *weight, *bias;
    ptrdiff_t start, x_line;
    size_t line_from, line_end;
    ptrdiff_t weight_line, weight_tap;
    size_t channels;
    size_t first, end;
    size_t outputs;
};

/* The taps of one vector of channels. A single output row may belong to a kernel of fewer rows; the missing
 * ones are padding then. */
STOA_INLINE void load_taps(const struct block *b, size_t c, const size_t rows, stoa_vec *tap) {
    STOA_UNROLL
    for (size_t i = 0; i < STOA_SIDE; i++) {
        const bool exists = rows > 1 || (i >= b->line_from && i < b->line_end);
        STOA_UNROLL
        for (size_t j = 0; j < STOA_SIDE; j++) {
            tap[STOA_SIDE * i + j] = (stoa_vec){0};
            if (exists) {
                const ptrdiff_t at = (ptrdiff_t)i * b->weight_line + (ptrdiff_t)j * b->weight_tap;
                tap[STOA_SIDE * i + j] = STOA_LOAD(stoa_vec, b->weight + (at + (ptrdiff_t)c));
            }
        }
    }
}

STOA_INLINE stoa_vec load_bias(const struct block *b, size_t c) {
    stoa_vec bias = {0};
    if (b->bias != NULL) {
        bias = STOA_LOAD(stoa_vec, b->bias + c);
    }
    return bias;
}

STOA_INLINE void set_column(const size_t rows, const stoa_vec from, stoa_vec *to) {
    STOA_UNROLL
    for (size_t r = 0; r < rows; r++) {
        to[r] = from;
    }
}

STOA_INLINE void move_column(const size_t rows, const stoa_vec *from, stoa_vec *to) {
    STOA_UNROLL
    for (size_t r = 0; r < rows; r++) {
        to[r] = from[r];
    }
}

/* Add the column of pixels that begins at x[at] to up to three columns of outputs, of which it is tap 0, 1
 * and 2; NULL: none. */
STOA_INLINE void add_column(const struct block *b, ptrdiff_t at, const size_t stride, const size_t rows,
                            const stoa_vec *tap, stoa_vec *y0, stoa_vec *y1, stoa_vec *y2) {
    const size_t lines = (rows - 1) * stride + STOA_SIDE;
    STOA_UNROLL
    for (size_t i = 0; i < lines; i++) {
        if (stoa_depthwise_outside(i, lines, b->line_from, b->line_end)) {
            continue;
        }
        const stoa_vec x = STOA_LOAD(stoa_vec, b->x + (at + (ptrdiff_t)i * b->x_line));
        STOA_UNROLL
        for (size_t r = 0; r < rows; r++) {
            const size_t k = i - r * stride;
            if (r * stride > i || k >= STOA_SIDE) {
                continue;
            }
            if (y0 != NULL) {
                y0[r] += x * tap[STOA_SIDE * k];
            }
            if (y1 != NULL) {
                y1[r] += x * tap[STOA_SIDE * k + 1];
            }
            if (y2 != NULL) {
                y2[r] += x * tap[STOA_SIDE * k + 2];
            }
        }
    }
}

/* Three columns of sums: the outputs that a column completes, the next ones, and with stride 1 those
 * after. */
struct sums {
    stoa_vec complete[STOA_MOST_ROWS], next[STOA_MOST_ROWS], after[STOA_MOST_ROWS];
};

/* Stride 1: the column that begins at x[at] is tap 2 of the outputs that it completes, tap 1 of the next
 * ones and tap 0 of those after. */
STOA_INLINE void step_dense(const struct block *b, const bool inside, ptrdiff_t at, const size_t rows,
                            const stoa_vec *tap, const stoa_vec bias, struct sums *s) {
    move_column(rows, s->next, s->complete);
    move_column(rows, s->after, s->next);
    set_column(rows, bias, s->after);
    if (inside) {
        add_column(b, at, 1, rows, tap, s->after, s->next, s->complete);
    }
}

/* Stride 2: the even column q, which begins at x[at], is tap 2 of the outputs that it completes and tap 0 of
 * the next ones, of which the odd column after it is tap 1. */
STOA_INLINE void step_every_other(const struct block *b, size_t q, ptrdiff_t at, const size_t rows,
                                  const stoa_vec *tap, const stoa_vec bias, struct sums *s) {
    move_column(rows, s->next, s->complete);
    set_column(rows, bias, s->next);
    if (q >= b->first && q < b->end) {
        add_column(b, at, 2, rows, tap, s->next, NULL, s->complete);
    }
    if (q + 1 >= b->first && q + 1 < b->end) {
        add_column(b, at + (ptrdiff_t)b->channels, 2, rows, tap, NULL, s->next, NULL);
    }
}

/* Write what is complete, in one column of y. */
STOA_INLINE void store_column(const size_t rows, const stoa_vec *sum, ptrdiff_t line, float *y) {
    STOA_UNROLL
    for (size_t r = 0; r < rows; r++) {
        STOA_STORE(stoa_vec, y + (ptrdiff_t)r * line, sum[r]);
    }
}

/* Sweep over all columns of one vector of channels. The outputs complete at the first two do not exist. */
STOA_INLINE void sweep(const struct block *b, size_t c, const size_t stride, const size_t rows, float *y) {
    const ptrdiff_t step = (ptrdiff_t)b->channels;
    const ptrdiff_t line = (ptrdiff_t)b->outputs * step;
    const size_t lines = (rows - 1) * stride + STOA_SIDE;
    const size_t end = (b->outputs - 1) * stride + STOA_SIDE;
    const ptrdiff_t x_ahead =
        stoa_depthwise_ahead(b->channels - c, b->channels, (ptrdiff_t)(rows * stride) * b->x_line);
    const ptrdiff_t y_ahead = stoa_depthwise_ahead(b->channels - c, b->channels, (ptrdiff_t)rows * line);
    const stoa_vec bias = load_bias(b, c);
    stoa_vec tap[STOA_TAPS];
    struct sums s;
    load_taps(b, c, rows, tap);
    set_column(rows, bias, s.next);
    set_column(rows, bias, s.after);
    size_t q = stride == 1 ? b->first : 0;
    ptrdiff_t at = b->start + ((ptrdiff_t)q - (ptrdiff_t)b->first) * step + (ptrdiff_t)c;
    for (; stride == 1 && q < b->end; q++, at += step) {
        stoa_depthwise_fetch(b->x + (at + x_ahead), b->x_line, lines);
        step_dense(b, true, at, rows, tap, bias, &s);
        if (q >= STOA_SIDE - 1) {
            stoa_depthwise_fetch(y + y_ahead, line, rows);
            store_column(rows, s.complete, line, y);
            y += step;
        }
    }
    for (; q < end; q += stride, at += (ptrdiff_t)stride * step) {
        if (stride == 1) {
            step_dense(b, false, at, rows, tap, bias, &s);
        } else {
            stoa_depthwise_fetch(b->x + (at + x_ahead), b->x_line, lines);
            stoa_depthwise_fetch(b->x + (at + step + x_ahead), b->x_line, lines);
            step_every_other(b, q, at, rows, tap, bias, &s);
        }
        if (q >= STOA_SIDE - 1) {
            store_column(rows, s.complete, line, y);
            y += step;
        }
    }
}

STOA_INLINE void sweep_channels(const struct block *b, const size_t stride, const size_t rows, float *y) {
    for (size_t at = 0; at < b->channels; at += STOA_LANES) {
        const size_t c = stoa_depthwise_vector(at, b->channels);
        sweep(b, c, stride, rows, y + c);
    }
}

#define STOA_CASE(stride, rows)                                                                              \
    case rows:                                                                                               \
        sweep_channels(b, stride, rows, y);                                                                  \
        break;

static void sweep_block(const struct block *b, size_t stride, size_t rows, float *y) {
    if (stride == 1) {
        switch (rows) { STOA_DEPTHWISE_CASES(1) default : break; }
    } else {
        switch (rows) { STOA_DEPTHWISE_CASES(2) default : break; }
    }
}

static bool can_sweep(const struct stoa_window *w) {
    return w->kernel_width == STOA_SIDE && w->kernel_height <= STOA_SIDE && w->stride_width <= 2 &&
           w->dilation_width == 1 && w->pad_left < STOA_SIDE && w->channels >= STOA_LANES;
}

/* How the weights lie: their steps are negative where the kernel is turned. */
struct kernel {
    const float *weight, *bias;
    ptrdiff_t line, tap;
};

/* Compute one row of outputs, with any window. */
static void sum_row(const struct stoa_window *w, const struct kernel *k, const float *image,
                    struct stoa_span v, float *y) {
    size_t channels = w->channels;
    for (size_t ow = 0; ow < w->out_width; ow++, y += channels) {
        struct stoa_span h =
            stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
        struct stoa_depthwise_taps t = {
            .x = image + (v.start * w->width + h.start) * channels,
            .weight = k->weight + (ptrdiff_t)v.first * k->line + (ptrdiff_t)h.first * k->tap,
            .x_line = (ptrdiff_t)(w->dilation_height * w->width * channels),
            .x_tap = (ptrdiff_t)(w->dilation_width * channels),
            .weight_line = k->line,
            .weight_tap = k->tap,
            .lines = v.end - v.first,
            .width = h.end - h.first,
        };
        stoa_depthwise_sum(t, channels, k->bias, y);
    }
}

/* Compute output rows from row oh of the image on. */
static void sweep_rows(const struct stoa_window *w, const struct kernel *k, const float *image, size_t oh,
                       size_t rows, float *y) {
    const ptrdiff_t line_floats = (ptrdiff_t)(w->width * w->channels);
    const struct stoa_depthwise_lines lines = stoa_depthwise_lines_of(w, oh, rows);
    const struct block b = {
        .x = image,
        .weight = k->weight,
        .bias = k->bias,
        .start = lines.start * line_floats,
        .x_line = (ptrdiff_t)w->dilation_height * line_floats,
        .line_from = lines.from,
        .line_end = lines.end,
        .weight_line = k->line,
        .weight_tap = k->tap,
        .channels = w->channels,
        .first = w->pad_left,
        .end = stoa_depthwise_end(w),
        .outputs = w->out_width,
    };
    sweep_block(&b, w->stride_width, rows, y);
}

/* Rows of y. */
static void forward(const struct stoa_window *w, const struct kernel *k, const float *x, size_t first_row,
                    size_t rows, float *y) {
    const bool sweeps = can_sweep(w);
    while (rows > 0) {
        const size_t oh = first_row % w->out_height;
        const float *image = x + first_row / w->out_height * w->height * w->width * w->channels;
        struct stoa_span v =
            stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
        size_t done = 1;
        if (sweeps && v.first < v.end) {
            done = stoa_depthwise_block(w, oh, rows, STOA_MOST_ROWS);
            sweep_rows(w, k, image, oh, done, y);
        } else {
            sum_row(w, k, image, v, y);
        }
        y += done * w->out_width * w->channels;
        first_row += done;
        rows -= done;
    }
}

void STOA_KERNEL(depthwise)(const struct stoa_window *w, const float *x, const float *weight,
                            const float *bias, size_t first_row, size_t rows, float *y) {
    struct kernel k = {weight, bias, (ptrdiff_t)(w->kernel_width * w->channels), (ptrdiff_t)w->channels};
    forward(w, &k, x, first_row, rows, y);
}

/* Without strides the gradient of x is a convolution of dy with the turned kernel. */
static void backward_data_turned(const struct stoa_window *w, const float *dy, const float *weight,
                                 float *dx) {
    struct stoa_window turned = *w;
    turned.height = w->out_height;
    turned.width = w->out_width;
    turned.out_height = w->height;
    turned.out_width = w->width;
    turned.pad_top = w->kernel_height - 1 - w->pad_top;
    turned.pad_left = w->kernel_width - 1 - w->pad_left;
    struct kernel k = {weight + (w->kernel_height * w->kernel_width - 1) * w->channels, NULL,
                       -(ptrdiff_t)(w->kernel_width * w->channels), -(ptrdiff_t)w->channels};
    forward(&turned, &k, dy, 0, w->height, dx);
}

void STOA_KERNEL(depthwise_backward_data)(const struct stoa_window *w, const float *dy, const float *weight,
                                          float *dx) {
    if (w->stride_height == 1 && w->stride_width == 1 && w->dilation_height == 1 && w->dilation_width == 1 &&
        w->pad_top < w->kernel_height && w->pad_left < w->kernel_width) {
        backward_data_turned(w, dy, weight, dx);
    } else {
        STOA_KERNEL(depthwise_backward_strided)(w, dy, weight, dx);
    }
}
