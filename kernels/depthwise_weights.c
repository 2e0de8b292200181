/* SPDX-License-Identifier: MIT */
/* Weight gradient of a depthwise convolution; vectors lie along the channels.
 *
 * Kernels of 3 x 3 taps have a path of their own. For each vector of channels all nine sums stay in
 * registers while it sweeps along some output rows at once, so that every pixel is loaded once for as many
 * of their taps as meet it. It counts columns with the padding: column q is pixel q - pad_left. */
#include "base/size.h"
#include "kernels/depthwise.h"
#include "kernels/isa.h"
#include "kernels/span.h"

/* The sums of so many channels are contiguous until all rows are done: in dweight those of one channel may
 * lie in the same few sets of a cache. */
enum { GROUP = 128 };

/* So many products are added up in registers before they join the sums: many more would lose accuracy. */
enum { CHAIN = 112 };

/* Where registers allow it, an image of no more than ALL_ROWS rows is one block, so its sums are joined
 * once. */
#if STOA_REGISTERS >= 32
enum { ALL_ROWS = 7 };
#define ALL_CASES STOA_CASE(1, 6) STOA_CASE(1, 7)
#else
enum { ALL_ROWS = STOA_MOST_ROWS };
#define ALL_CASES
#endif

/* Some neighbouring output rows and the image rows that they meet, counted from the first that their taps
 * would meet, which begins at x[start]. Rows before `line_from` or from `line_end` on, and columns before
 * `first` or from `end` on, are padding. */
struct block {
    const float *x, *dy;
    ptrdiff_t start, x_line;
    size_t line_from, line_end;
    size_t channels;
    size_t first, end;
    size_t outputs;
    ptrdiff_t x_ahead, dy_ahead; /* from what is loaded to what is fetched */
};

/* dy of one column of outputs. */
STOA_INLINE void load_column(const struct block *b, const float *dy, const size_t rows, stoa_vec *column) {
    STOA_UNROLL
    for (size_t r = 0; r < rows; r++) {
        column[r] = STOA_LOAD(stoa_vec, dy + r * b->outputs * b->channels);
    }
}

/* sum[tap] += x * dy for the pixels of one column, which begins at x[at], and one column of outputs. */
STOA_INLINE void add_column(const struct block *b, ptrdiff_t at, const size_t stride, const size_t rows,
                            const stoa_vec *dy0, const stoa_vec *dy1, const stoa_vec *dy2, stoa_vec *sum) {
    const size_t lines = (rows - 1) * stride + STOA_SIDE;
    STOA_UNROLL
    for (size_t i = 0; i < lines; i++) {
        if (stoa_depthwise_outside(i, lines, b->line_from, b->line_end)) {
            continue;
        }
        const stoa_vec x = STOA_LOAD(stoa_vec, b->x + (at + (ptrdiff_t)i * b->x_line));
        STOA_UNROLL
        for (size_t r = 0; r < rows; r++) {
            const size_t tap = i - r * stride;
            if (r * stride > i || tap >= STOA_SIDE) {
                continue;
            }
            if (dy0 != NULL) {
                sum[STOA_SIDE * tap] += x * dy0[r];
            }
            if (dy1 != NULL) {
                sum[STOA_SIDE * tap + 1] += x * dy1[r];
            }
            if (dy2 != NULL) {
                sum[STOA_SIDE * tap + 2] += x * dy2[r];
            }
        }
    }
}

STOA_INLINE void keep_column(const size_t rows, const stoa_vec *from, stoa_vec *to) {
    STOA_UNROLL
    for (size_t r = 0; r < rows; r++) {
        to[r] = from[r];
    }
}

STOA_INLINE void clear(stoa_vec *sum) {
    STOA_UNROLL
    for (size_t i = 0; i < STOA_TAPS; i++) {
        sum[i] = (stoa_vec){0};
    }
}

/* sums[tap] += sum[tap]. */
STOA_INLINE void join(const stoa_vec *sum, float *sums) {
    STOA_UNROLL
    for (size_t i = 0; i < STOA_TAPS; i++, sums += STOA_LANES) {
        STOA_STORE(stoa_vec, sums, STOA_LOAD(stoa_vec, sums) + sum[i]);
    }
}

/* Stride 1, at least two outputs: column q met output q in tap 0, q - 1 in tap 1 and q - 2 in tap 2. */
STOA_INLINE void sweep_dense(const struct block *b, size_t c, const size_t rows, float *sums) {
    const size_t step = b->channels;
    const size_t line = b->outputs * b->channels;
    const size_t full = stoa_min(b->end, b->outputs);
    const float *dy = b->dy + c;
    ptrdiff_t at = b->start + (ptrdiff_t)c;
    stoa_vec sum[STOA_TAPS];
    stoa_vec before[ALL_ROWS];
    stoa_vec last[ALL_ROWS];
    clear(sum);
    load_column(b, dy, rows, before);
    load_column(b, dy + step, rows, last);
    if (b->first == 0) {
        add_column(b, at, 1, rows, before, NULL, NULL, sum);
        at += (ptrdiff_t)step;
    }
    if (b->first <= 1 && b->end > 1) {
        add_column(b, at, 1, rows, last, before, NULL, sum);
        at += (ptrdiff_t)step;
    }
    for (size_t q = 2; q < full;) {
        const size_t stop = stoa_min(full, q + CHAIN / stoa_max(rows, 1));
        for (; q < stop; q++, at += (ptrdiff_t)step) {
            stoa_vec now[ALL_ROWS];
            load_column(b, dy + q * step, rows, now);
            stoa_depthwise_fetch(dy + q * step + b->dy_ahead, (ptrdiff_t)line, rows);
            stoa_depthwise_fetch(b->x + (at + b->x_ahead), b->x_line, rows + STOA_SIDE - 1);
            add_column(b, at, 1, rows, now, last, before, sum);
            keep_column(rows, last, before);
            keep_column(rows, now, last);
        }
        if (q < full) {
            join(sum, sums);
            clear(sum);
        }
    }
    if (b->end > b->outputs) {
        add_column(b, at, 1, rows, NULL, last, before, sum);
        at += (ptrdiff_t)step;
    }
    if (b->end > b->outputs + 1) {
        add_column(b, at, 1, rows, NULL, NULL, last, sum);
    }
    join(sum, sums);
}

/* Stride 2: column 2 u met output u in tap 0 and u - 1 in tap 2, column 2 u + 1 output u in tap 1. */
STOA_INLINE void sweep_every_other(const struct block *b, size_t c, const size_t rows, float *sums) {
    const size_t step = b->channels;
    const size_t full = stoa_max(b->end / 2, 1); /* outputs both of whose columns exist */
    const float *dy = b->dy + c;
    ptrdiff_t at = b->start + (ptrdiff_t)c;
    stoa_vec sum[STOA_TAPS];
    stoa_vec last[ALL_ROWS];
    clear(sum);
    load_column(b, dy, rows, last);
    if (b->first == 0) {
        add_column(b, at, 2, rows, last, NULL, NULL, sum);
        at += (ptrdiff_t)step;
    }
    if (b->first <= 1 && b->end > 1) {
        add_column(b, at, 2, rows, NULL, last, NULL, sum);
        at += (ptrdiff_t)step;
    }
    for (size_t u = 1; u < full;) {
        const size_t stop = stoa_min(full, u + CHAIN / stoa_max(rows, 1));
        for (; u < stop; u++, at += 2 * (ptrdiff_t)step) {
            stoa_vec now[ALL_ROWS];
            load_column(b, dy + u * step, rows, now);
            stoa_depthwise_fetch(b->x + (at + b->x_ahead), b->x_line, 2 * rows + 1);
            stoa_depthwise_fetch(b->x + (at + (ptrdiff_t)step + b->x_ahead), b->x_line, 2 * rows + 1);
            add_column(b, at, 2, rows, now, NULL, last, sum);
            add_column(b, at + (ptrdiff_t)step, 2, rows, NULL, now, NULL, sum);
            keep_column(rows, now, last);
        }
        if (u < full) {
            join(sum, sums);
            clear(sum);
        }
    }
    if (2 * full < b->end) {
        add_column(b, at, 2, rows, NULL, NULL, last, sum);
        if (full < b->outputs) {
            load_column(b, dy + full * step, rows, last);
            add_column(b, at, 2, rows, last, NULL, NULL, sum);
        }
    }
    join(sum, sums);
}

/* sums[vector][tap] += the gradient of one block, channels c .. c + channels - 1. */
STOA_INLINE void sweep_block(struct block b, size_t c, size_t channels, const size_t stride,
                             const size_t rows, float *sums) {
    const ptrdiff_t x_rows = (ptrdiff_t)(rows * stride) * b.x_line;
    const ptrdiff_t dy_rows = (ptrdiff_t)(rows * b.outputs * b.channels);
    for (size_t left = channels; left > 0; left -= STOA_LANES, c += STOA_LANES) {
        b.x_ahead = stoa_depthwise_ahead(left, channels, x_rows);
        b.dy_ahead = stoa_depthwise_ahead(left, channels, dy_rows);
        if (stride == 1) {
            sweep_dense(&b, c, rows, sums);
        } else {
            sweep_every_other(&b, c, rows, sums);
        }
        sums += STOA_TAPS * STOA_LANES;
    }
}

#define STOA_CASE(stride, rows)                                                                              \
    case rows:                                                                                               \
        sweep_block(*b, c, channels, stride, rows, sums);                                                    \
        break;

static void sweep(const struct block *b, size_t c, size_t channels, size_t stride, size_t rows, float *sums) {
    if (stride == 1) {
        switch (rows) { STOA_DEPTHWISE_CASES(1) ALL_CASES default : break; }
    } else {
        switch (rows) { STOA_DEPTHWISE_CASES(2) default : break; }
    }
}

/* to[c] += sum over `pixels` of x[c] * dy[c] for channels c .. end - 1: the tap's gradient from one output
 * row. Pixels of x lie x_step apart, those of dy `step`. */
STOA_INLINE void tap_gradient(const float *restrict x, size_t x_step, const float *restrict dy, size_t pixels,
                              size_t step, size_t c, size_t end, float *restrict to) {
    for (; c + STOA_LANES <= end; c += STOA_LANES) {
        stoa_vec sum = {0};
        for (size_t p = 0; p < pixels; p++) {
            sum += STOA_LOAD(stoa_vec, x + p * x_step + c) * STOA_LOAD(stoa_vec, dy + p * step + c);
        }
        STOA_STORE(stoa_vec, to + c, STOA_LOAD(stoa_vec, to + c) + sum);
    }
    for (; c < end; c++) {
        float sum = 0;
        for (size_t p = 0; p < pixels; p++) {
            sum += x[p * x_step + c] * dy[p * step + c];
        }
        to[c] += sum;
    }
}

static bool can_sweep(const struct stoa_window *w) {
    return w->kernel_width == STOA_SIDE && w->kernel_height == STOA_SIDE && w->dilation_width == 1 &&
           w->pad_left < STOA_SIDE && (w->stride_width == 2 || (w->stride_width == 1 && w->out_width > 1));
}

/* Add output rows from row oh of the image on. */
static struct block block_of(const struct stoa_window *w, const float *image, const float *dy, size_t oh,
                             size_t rows) {
    const ptrdiff_t line_floats = (ptrdiff_t)(w->width * w->channels);
    const struct stoa_depthwise_lines lines = stoa_depthwise_lines_of(w, oh, rows);
    return (struct block){
        .x = image,
        .dy = dy,
        .start = lines.start * line_floats,
        .x_line = (ptrdiff_t)w->dilation_height * line_floats,
        .line_from = lines.from,
        .line_end = lines.end,
        .channels = w->channels,
        .first = w->pad_left,
        .end = stoa_depthwise_end(w),
        .outputs = w->out_width,
    };
}

/* Add channels c .. c + channels - 1, which fill vectors. */
static void sweep_rows(const struct stoa_window *w, const float *x, const float *dy, size_t first_row,
                       size_t rows, size_t c, size_t channels, float *dweight) {
    float sums[STOA_TAPS * GROUP] = {0};
    const size_t most = w->out_height <= ALL_ROWS && w->stride_width == 1 ? (size_t)ALL_ROWS : STOA_MOST_ROWS;
    for (size_t done; rows > 0; rows -= done, first_row += done, dy += done * w->out_width * w->channels) {
        const size_t oh = first_row % w->out_height;
        const float *image = x + first_row / w->out_height * w->height * w->width * w->channels;
        done = stoa_depthwise_block(w, oh, rows, most);
        const struct block b = block_of(w, image, dy, oh, done);
        if (b.line_from < b.line_end) {
            sweep(&b, c, channels, w->stride_width, done, sums);
        }
    }
    for (size_t v = 0; v < channels; v += STOA_LANES) {
        for (size_t i = 0; i < STOA_TAPS; i++) {
            float *to = dweight + i * w->channels + c + v;
            const float *from = sums + v * STOA_TAPS + i * STOA_LANES;
            STOA_STORE(stoa_vec, to, STOA_LOAD(stoa_vec, to) + STOA_LOAD(stoa_vec, from));
        }
    }
}

/* Add channels c .. end - 1, with any window. */
static void sum_rows(const struct stoa_window *w, const float *x, const float *dy, size_t first_row,
                     size_t rows, size_t c, size_t end, float *dweight) {
    size_t channels = w->channels;
    size_t line_floats = w->width * channels;
    for (size_t r = first_row; r < first_row + rows; r++, dy += w->out_width * channels) {
        const float *image = x + r / w->out_height * w->height * line_floats;
        struct stoa_span v = stoa_span_of(r % w->out_height, w->stride_height, w->pad_top, w->kernel_height,
                                          w->dilation_height, w->height);
        for (size_t kh = v.first; kh < v.end; kh++) {
            const float *line = image + (v.start + (kh - v.first) * w->dilation_height) * line_floats;
            for (size_t kw = 0; kw < w->kernel_width; kw++) {
                /* The output pixels whose tap kw lies inside the image: the same question as for a pixel's
                 * taps, with kernel and output exchanged. */
                struct stoa_span o =
                    stoa_span_of(kw, w->dilation_width, w->pad_left, w->out_width, w->stride_width, w->width);
                tap_gradient(line + o.start * channels, w->stride_width * channels, dy + o.first * channels,
                             o.end - o.first, channels, c, end,
                             dweight + (kh * w->kernel_width + kw) * channels);
            }
        }
    }
}

void STOA_KERNEL(depthwise_backward_weights)(const struct stoa_window *w, const float *x, const float *dy,
                                             size_t first_row, size_t rows, size_t channel0, size_t channels,
                                             float *dweight) {
    size_t c = channel0;
    size_t end = channel0 + channels;
    while (can_sweep(w) && end - c >= STOA_LANES) {
        size_t group = stoa_min(GROUP, (end - c) / STOA_LANES * STOA_LANES);
        sweep_rows(w, x, dy, first_row, rows, c, group, dweight);
        c += group;
    }
    if (c < end) {
        sum_rows(w, x, dy, first_row, rows, c, end, dweight);
    }
}
