/* SPDX-License-Identifier: MIT */
/* Gradient of a depthwise convolution's input where outputs lie apart; vectors lie along the channels. */
#include "base/size.h"
#include "kernels/depthwise.h"
#include "kernels/isa.h"
#include "kernels/span.h"

/* The taps first, first + stride ... through which one input pixel reached outputs, `count` of them; the
 * first reached output `start`, each further one the output before. */
struct reach {
    size_t first, count, start;
};

static struct reach reach_of(size_t input, size_t stride, size_t pad, size_t kernel, size_t outputs) {
    size_t base = input + pad;
    size_t first = base % stride;
    if (base / stride >= outputs) {
        first += (base / stride - outputs + 1) * stride;
    }
    size_t end = stoa_min(kernel, base + 1);
    if (first >= end) {
        return (struct reach){0, 0, 0};
    }
    return (struct reach){first, (end - first - 1) / stride + 1, (base - first) / stride};
}

/* Compute pixels [from, end) of a row of dx. */
static void gather_pixels(const struct stoa_window *w, struct reach v, const float *dy, const float *weight,
                          size_t from, size_t end, float *dx) {
    size_t channels = w->channels;
    for (size_t iw = from; iw < end; iw++) {
        struct reach h = reach_of(iw, w->stride_width, w->pad_left, w->kernel_width, w->out_width);
        struct stoa_depthwise_taps t = {
            .x = dy + (v.start * w->out_width + h.start) * channels,
            .weight = weight + (v.first * w->kernel_width + h.first) * channels,
            .x_line = -(ptrdiff_t)(w->out_width * channels),
            .x_tap = -(ptrdiff_t)channels,
            .weight_line = (ptrdiff_t)(w->stride_height * w->kernel_width * channels),
            .weight_tap = (ptrdiff_t)(w->stride_width * channels),
            .lines = v.count,
            .width = h.count,
        };
        stoa_depthwise_sum(t, channels, NULL, dx + iw * channels);
    }
}

/* This path is for strides of 2 and 3 x 3 taps. Counted with the padding, row 2 v of dx comes from tap 0 of
 * output row v and tap 2 of row v - 1, row 2 v + 1 from tap 1 of row v; columns likewise. A sweep works on
 * the rows of some v at once, for one vector of channels: what it loads of dy in a column it keeps for the
 * next. */
#if STOA_REGISTERS >= 32
enum { MOST_LINES = 3 };
#define STOA_SPREAD_CASES STOA_SPREAD_CASE(1) STOA_SPREAD_CASE(2) STOA_SPREAD_CASE(3)
#else
enum { MOST_LINES = 1 };
#define STOA_SPREAD_CASES STOA_SPREAD_CASE(1)
#endif

struct spread {
    const float *dy, *weight; /* of the image; the taps */
    float *dx;                /* of the image */
    ptrdiff_t from, to;       /* where row v - 1 of dy begins, and row 2 v of dx with its padding */
    size_t channels, width;   /* width: of dx and its padding on the left */
    size_t outputs, pad;
    bool above, below; /* whether the first row of dy and the last one exist */
    bool first, last;  /* whether the first row of dx and the last one do */
};

/* A column of dy, which has one row more than `lines`. */
STOA_INLINE void load_lines(const struct spread *s, ptrdiff_t from, const size_t lines, stoa_vec *dy) {
    const ptrdiff_t line = (ptrdiff_t)(s->outputs * s->channels);
    STOA_UNROLL
    for (size_t i = 0; i <= lines; i++) {
        dy[i] = (stoa_vec){0};
        if ((i > 0 || s->above) && (i < lines || s->below)) {
            dy[i] = STOA_LOAD(stoa_vec, s->dy + (from + (ptrdiff_t)i * line));
        }
    }
}

STOA_INLINE void move_lines(const size_t lines, const stoa_vec *from, stoa_vec *to) {
    STOA_UNROLL
    for (size_t i = 0; i <= lines; i++) {
        to[i] = from[i];
    }
}

/* sum + dy * a tap of this row and one, two rows of taps further down, of the row above. */
STOA_INLINE stoa_vec add_lines(stoa_vec sum, const struct spread *s, size_t i, const size_t lines,
                               const stoa_vec *dy, const stoa_vec *tap) {
    if (i + 1 < lines || s->below) {
        sum += dy[i + 1] * tap[0];
    }
    if (i > 0 || s->above) {
        sum += dy[i] * tap[2 * STOA_SIDE];
    }
    return sum;
}

STOA_INLINE stoa_vec add_line(stoa_vec sum, const struct spread *s, size_t i, const size_t lines,
                              const stoa_vec *dy, const stoa_vec *tap) {
    if (i + 1 < lines || s->below) {
        sum += dy[i + 1] * tap[STOA_SIDE];
    }
    return sum;
}

/* Compute columns 2 u and 2 u + 1 from column u of dy, `now`, and the one before, where they exist (NULL:
 * not). */
STOA_INLINE void spread_column(const struct spread *s, const size_t lines, const stoa_vec *before,
                               const stoa_vec *now, const stoa_vec *tap, bool even, bool odd, ptrdiff_t at) {
    const ptrdiff_t line = (ptrdiff_t)((s->width - s->pad) * s->channels);
    const ptrdiff_t step = (ptrdiff_t)s->channels;
    STOA_UNROLL
    for (size_t i = 0; i < lines; i++) {
        stoa_vec sum[4] = {{0}, {0}, {0}, {0}};
        if (now != NULL) {
            sum[0] = add_lines(sum[0], s, i, lines, now, tap);
            sum[1] = add_lines(sum[1], s, i, lines, now, tap + 1);
            sum[2] = add_line(sum[2], s, i, lines, now, tap);
            sum[3] = add_line(sum[3], s, i, lines, now, tap + 1);
        }
        if (before != NULL) {
            sum[0] = add_lines(sum[0], s, i, lines, before, tap + 2);
            sum[2] = add_line(sum[2], s, i, lines, before, tap + 2);
        }
        ptrdiff_t to = at + 2 * (ptrdiff_t)i * line;
        STOA_UNROLL
        for (size_t odd_line = 0; odd_line < 2; odd_line++, to += line) {
            if (odd_line == 0 ? i == 0 && !s->first : i + 1 == lines && !s->last) {
                continue;
            }
            if (even) {
                STOA_STORE(stoa_vec, s->dx + to, sum[2 * odd_line]);
            }
            if (odd) {
                STOA_STORE(stoa_vec, s->dx + (to + step), sum[2 * odd_line + 1]);
            }
        }
    }
}

/* Sweep over all columns of one vector of channels; `inside`: all rows exist. */
STOA_INLINE void spread_columns(const struct spread *all, size_t c, const size_t lines, const bool inside) {
    const struct spread own = {.dy = all->dy,
                               .dx = all->dx,
                               .channels = all->channels,
                               .width = all->width,
                               .outputs = all->outputs,
                               .pad = all->pad,
                               .above = inside || all->above,
                               .below = inside || all->below,
                               .first = inside || all->first,
                               .last = inside || all->last};
    const struct spread *s = &own;
    const ptrdiff_t step = (ptrdiff_t)s->channels;
    const size_t full = stoa_min(s->outputs, s->width / 2);
    const size_t end = stoa_min(s->outputs + 1, stoa_ceil_div(s->width, 2));
    ptrdiff_t from = all->from + (ptrdiff_t)c;
    ptrdiff_t to = all->to + (ptrdiff_t)c;
    stoa_vec tap[STOA_TAPS];
    stoa_vec before[MOST_LINES + 1];
    stoa_vec now[MOST_LINES + 1];
    STOA_UNROLL
    for (size_t i = 0; i < STOA_TAPS; i++) {
        tap[i] = STOA_LOAD(stoa_vec, all->weight + i * s->channels + c);
    }
    load_lines(s, from, lines, before);
    spread_column(s, lines, NULL, before, tap, s->pad == 0, s->pad <= 1 && s->width > 1, to);
    size_t u = 1;
    for (; u < full; u++) {
        from += step;
        to += 2 * step;
        load_lines(s, from, lines, now);
        spread_column(s, lines, before, now, tap, true, true, to);
        move_lines(lines, now, before);
    }
    for (; u < end; u++) {
        const bool odd = 2 * u + 1 < s->width;
        from += step;
        to += 2 * step;
        if (u < s->outputs) {
            load_lines(s, from, lines, now);
            spread_column(s, lines, before, now, tap, true, odd, to);
            move_lines(lines, now, before);
        } else {
            spread_column(s, lines, before, NULL, tap, true, odd, to);
        }
    }
}

#define STOA_SPREAD_CASE(lines)                                                                              \
    case lines:                                                                                              \
        if (inside) {                                                                                        \
            spread_columns(s, c, lines, true);                                                               \
        } else {                                                                                             \
            spread_columns(s, c, lines, false);                                                              \
        }                                                                                                    \
        break;

static void spread_lines(const struct spread *s, size_t lines) {
    const bool inside = s->above && s->below && s->first && s->last;
    for (size_t at = 0; at < s->channels; at += STOA_LANES) {
        const size_t c = stoa_depthwise_vector(at, s->channels);
        switch (lines) { STOA_SPREAD_CASES default : break; }
    }
}

static bool can_spread(const struct stoa_window *w) {
    return w->kernel_height == STOA_SIDE && w->kernel_width == STOA_SIDE && w->stride_height == 2 &&
           w->stride_width == 2 && w->pad_top < STOA_SIDE && w->pad_left < STOA_SIDE &&
           w->channels >= STOA_LANES;
}

/* Count the rows and columns that meet outputs; returns how many rows. */
static size_t spread_image(const struct stoa_window *w, const float *dy, const float *weight, float *dx) {
    const size_t height = w->pad_top + w->height;
    const size_t end = stoa_min(stoa_ceil_div(height, 2), w->out_height + 1);
    const size_t line = w->width * w->channels;
    size_t lines;
    for (size_t v = w->pad_top / 2; v < end; v += lines) {
        lines = stoa_min(MOST_LINES, end - v);
        const struct spread s = {
            .dy = dy,
            .weight = weight,
            .dx = dx,
            .from = ((ptrdiff_t)v - 1) * (ptrdiff_t)(w->out_width * w->channels),
            .to = ((ptrdiff_t)(2 * v) - (ptrdiff_t)w->pad_top) * (ptrdiff_t)line -
                  (ptrdiff_t)(w->pad_left * w->channels),
            .channels = w->channels,
            .width = w->pad_left + w->width,
            .outputs = w->out_width,
            .pad = w->pad_left,
            .above = v > 0,
            .below = v + lines <= w->out_height,
            .first = 2 * v >= w->pad_top,
            .last = 2 * (v + lines) <= height,
        };
        spread_lines(&s, lines);
    }
    return stoa_min(2 * end - w->pad_top, w->height);
}

/* With strides an input pixel's gradient is a sum over every stride-th tap. */
static void gather(const struct stoa_window *w, const float *dy, const float *weight, float *dx) {
    const bool spreads = can_spread(w);
    const size_t lines = spreads ? spread_image(w, dy, weight, dx) : 0;
    const size_t columns = spreads ? stoa_min(2 * w->out_width + 2 - w->pad_left, w->width) : 0;
    for (size_t ih = 0; ih < w->height; ih++) {
        const size_t from = ih < lines ? columns : 0;
        struct reach v = reach_of(ih, w->stride_height, w->pad_top, w->kernel_height, w->out_height);
        gather_pixels(w, v, dy, weight, from, w->width, dx + ih * w->width * w->channels);
    }
}

static void scatter(const struct stoa_window *w, const float *dy, const float *weight, float *restrict dx) {
    size_t channels = w->channels;
    memset(dx, 0, w->height * w->width * channels * sizeof *dx);
    for (size_t oh = 0; oh < w->out_height; oh++) {
        struct stoa_span v =
            stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
        for (size_t ow = 0; ow < w->out_width; ow++, dy += channels) {
            struct stoa_span h =
                stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
            for (size_t kh = v.first; kh < v.end; kh++) {
                for (size_t kw = h.first; kw < h.end; kw++) {
                    size_t ih = v.start + (kh - v.first) * w->dilation_height;
                    size_t iw = h.start + (kw - h.first) * w->dilation_width;
                    float *restrict to = dx + (ih * w->width + iw) * channels;
                    const float *restrict tap = weight + (kh * w->kernel_width + kw) * channels;
#pragma omp simd
                    for (size_t c = 0; c < channels; c++) {
                        to[c] += dy[c] * tap[c];
                    }
                }
            }
        }
    }
}

void STOA_KERNEL(depthwise_backward_strided)(const struct stoa_window *w, const float *dy,
                                             const float *weight, float *dx) {
    if (w->dilation_height != 1 || w->dilation_width != 1) {
        scatter(w, dy, weight, dx);
    } else {
        gather(w, dy, weight, dx);
    }
}
