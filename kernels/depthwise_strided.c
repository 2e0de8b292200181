/* SPDX-License-Identifier: MIT */
/* Gradient of a depthwise convolution's input where outputs lie apart; vectors along the channels. */
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

/* Pixels [from, end) of a line of dx. */
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

/* A row of outputs' gradients: `x` is the first line that the taps meet, `weight` their first tap. */
struct sweep {
    const float *x, *weight;
    ptrdiff_t x_line;
    ptrdiff_t weight_line, weight_tap;
    size_t channels;
    size_t first, end;
};

/* sum + x * the taps of one column. */
STOA_INLINE stoa_vec add_taps(stoa_vec sum, const float *x, ptrdiff_t x_line, const stoa_vec *tap,
                              size_t lines) {
    for (size_t i = 0; i < lines; i++) {
        sum += STOA_LOAD(stoa_vec, x + (ptrdiff_t)i * x_line) * tap[STOA_SIDE * i];
    }
    return sum;
}

STOA_INLINE void load_lines(const struct sweep *s, size_t c, size_t lines, stoa_vec *tap) {
    for (size_t i = 0; i < lines; i++) {
        for (size_t j = 0; j < STOA_SIDE; j++) {
            tap[STOA_SIDE * i + j] = STOA_LOAD(stoa_vec, s->weight + (ptrdiff_t)i * s->weight_line +
                                                             (ptrdiff_t)j * s->weight_tap + c);
        }
    }
}

/* Pixels from the one that is written to the one whose line of cache is fetched: half a line of the image,
 * whose few sums would wait for it otherwise. */
enum { AHEAD = 64 };

/* Stride 2: output u reached column 2 u through tap 0, 2 u + 1 through tap 1 and 2 u + 2 through tap 2.
 * Columns 2 first .. 2 end - 1, two at a time; dx begins with column 2 first, and output first - 1 exists. */
STOA_INLINE void spread_pairs(const struct sweep *s, size_t lines, float *dx) {
    const size_t step = s->channels;
    const ptrdiff_t line = s->x_line;
    for (size_t at = 0; at < step; at += STOA_LANES) {
        size_t c = stoa_depthwise_vector(at, step);
        stoa_vec tap[STOA_SIDE * STOA_SIDE];
        load_lines(s, c, lines, tap);
        const float *dy = s->x + s->first * step + c;
        float *to = dx + c;
        for (size_t u = s->first; u < s->end; u++, dy += step, to += 2 * step) {
            const stoa_vec zero = {0};
            stoa_vec even = add_taps(zero, dy, line, tap, lines);
            stoa_vec odd = add_taps(zero, dy, line, tap + 1, lines);
            even = add_taps(even, dy - step, line, tap + 2, lines);
            __builtin_prefetch(to + AHEAD * step, 1);
            __builtin_prefetch(to + (AHEAD + 1) * step, 1);
            STOA_STORE(stoa_vec, to, even);
            STOA_STORE(stoa_vec, to + step, odd);
        }
    }
}

static void spread_row(const struct sweep *s, size_t lines, float *dx) {
    switch (lines) {
    case 1:
        spread_pairs(s, 1, dx);
        break;
    case 2:
        spread_pairs(s, 2, dx);
        break;
    default:
        spread_pairs(s, 3, dx);
        break;
    }
}

/* With strides an input pixel's gradient is a sum over every stride-th tap. */
static void gather(const struct stoa_window *w, const float *dy, const float *weight, float *dx) {
    size_t channels = w->channels;
    size_t end = stoa_min(w->out_width, (w->width + w->pad_left) / 2);
    const bool sweeps = w->kernel_width == STOA_SIDE && w->kernel_height <= STOA_SIDE &&
                        w->stride_width == 2 && w->pad_left < STOA_SIDE && w->channels >= STOA_LANES &&
                        end > 1;
    for (size_t ih = 0; ih < w->height; ih++, dx += w->width * channels) {
        struct reach v = reach_of(ih, w->stride_height, w->pad_top, w->kernel_height, w->out_height);
        if (!sweeps || v.count == 0) {
            gather_pixels(w, v, dy, weight, 0, w->width, dx);
            continue;
        }
        struct sweep s = {
            .x = dy + v.start * w->out_width * channels,
            .weight = weight + v.first * w->kernel_width * channels,
            .x_line = -(ptrdiff_t)(w->out_width * channels),
            .weight_line = (ptrdiff_t)(w->stride_height * w->kernel_width * channels),
            .weight_tap = (ptrdiff_t)channels,
            .channels = channels,
            .first = 1,
            .end = end,
        };
        gather_pixels(w, v, dy, weight, 0, 2 - w->pad_left, dx);
        spread_row(&s, v.count, dx + (2 - w->pad_left) * channels);
        gather_pixels(w, v, dy, weight, 2 * end - w->pad_left, w->width, dx);
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
