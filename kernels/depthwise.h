/* SPDX-License-Identifier: MIT */
/* What the sweeps of depthwise convolutions with 3 x 3 taps share. They work on several rows of outputs at
 * once; a block of rows is compiled for every height. */
#ifndef STOA_KERNELS_DEPTHWISE_H
#define STOA_KERNELS_DEPTHWISE_H

#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

/* With 16 registers the taps come from memory, and fewer rows would wait for their sums. With 32, taps or
 * sums and three vectors a row leave room for what is loaded. Seven rows would fit as well, but where image
 * rows lie a multiple of 4096 bytes apart, more of them than a set of the inner cache has ways drive each
 * other out. */
#define STOA_DEPTHWISE_FOUR(stride)                                                                          \
    STOA_CASE(stride, 1) STOA_CASE(stride, 2) STOA_CASE(stride, 3) STOA_CASE(stride, 4)
#if STOA_REGISTERS >= 32
enum { STOA_MOST_ROWS = 5 };
#define STOA_DEPTHWISE_CASES(stride) STOA_DEPTHWISE_FOUR(stride) STOA_CASE(stride, 5)
#else
enum { STOA_MOST_ROWS = 4 };
#define STOA_DEPTHWISE_CASES(stride) STOA_DEPTHWISE_FOUR(stride)
#endif

enum { STOA_SIDE = 3, STOA_TAPS = STOA_SIDE * STOA_SIDE };

/* Whether row i of a block's `lines` image rows is padding: only the outer two of each side can be. */
STOA_INLINE bool stoa_depthwise_outside(size_t i, size_t lines, size_t from, size_t end) {
    return (i < STOA_SIDE - 1 && i < from) || (i + STOA_SIDE > lines && i >= end);
}

/* How many of `rows` output rows from row oh on make one block, at most `most`: all heights are nearly the
 * same, and all image rows but the outer two lie inside the image. */
static inline size_t stoa_depthwise_block(const struct stoa_window *w, size_t oh, size_t rows, size_t most) {
    rows = stoa_min(rows, w->out_height - oh);
    if (w->kernel_height != STOA_SIDE || w->stride_height != w->stride_width || w->dilation_height != 1 ||
        w->pad_top >= STOA_SIDE) {
        return 1;
    }
    rows = stoa_ceil_div(rows, stoa_ceil_div(rows, most));
    return (oh + rows - 1) * w->stride_height + 1 <= w->height + w->pad_top ? rows : 1;
}

/* The image rows that some output rows meet, counted from the first that their taps would meet, row `start`
 * of the image: those from `from` to `end` exist. */
struct stoa_depthwise_lines {
    ptrdiff_t start;
    size_t from, end;
};

static inline struct stoa_depthwise_lines stoa_depthwise_lines_of(const struct stoa_window *w, size_t oh,
                                                                  size_t rows) {
    const size_t last = oh + rows - 1;
    const struct stoa_span top =
        stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
    const struct stoa_span bottom =
        stoa_span_of(last, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
    return (struct stoa_depthwise_lines){
        .start = (ptrdiff_t)(oh * w->stride_height) - (ptrdiff_t)w->pad_top,
        .from = top.first,
        .end = (rows - 1) * w->stride_height + bottom.end,
    };
}

/* The first column after the last that both the image and the taps of an output row have. */
static inline size_t stoa_depthwise_end(const struct stoa_window *w) {
    return stoa_min(w->pad_left + w->width, (w->out_width - 1) * w->stride_width + STOA_SIDE);
}

/* Where a vector of channels begins: the last one overlaps the one before rather than pass the end. */
STOA_INLINE size_t stoa_depthwise_vector(size_t c, size_t channels) {
    return stoa_min(c, channels - STOA_LANES);
}

/* The cache lines that a sweep for one vector of channels meets lie a pixel apart, which hardware seldom
 * foresees. While it meets those of some channels, it fetches into the outer of the core's own caches those
 * of the channels AHEAD floats on, or after the last channel those of the rows that follow. Only vectors as
 * long as a cache line do so: of shorter ones two meet the same one. */
enum { STOA_DEPTHWISE_AHEAD = 32, STOA_DEPTHWISE_LINE = 16 };

/* The distance from what a sweep meets to what it fetches: `left` channels remain of `channels`, and the
 * next rows lie `rows` floats on. */
STOA_INLINE ptrdiff_t stoa_depthwise_ahead(size_t left, size_t channels, ptrdiff_t rows) {
    const ptrdiff_t ahead = STOA_DEPTHWISE_AHEAD;
    return left > STOA_DEPTHWISE_AHEAD ? ahead : ahead - (ptrdiff_t)channels + rows;
}

/* Fetch `count` of them, `step` floats apart. */
STOA_INLINE void stoa_depthwise_fetch(const float *from, ptrdiff_t step, const size_t count) {
    STOA_UNROLL
    for (size_t i = 0; STOA_LANES == STOA_DEPTHWISE_LINE && i < count; i++) {
        __builtin_prefetch(from + (ptrdiff_t)i * step, 0, 2);
    }
}

/* Add the taps of one pixel, with any window. x advances with the image, the weights with the kernel. */
struct stoa_depthwise_taps {
    const float *x, *weight;
    ptrdiff_t x_line, x_tap;
    ptrdiff_t weight_line, weight_tap;
    size_t lines, width;
};

/* y[c] = bias[c] + sum over taps, for `channels` channels. */
STOA_INLINE void stoa_depthwise_sum(struct stoa_depthwise_taps t, size_t channels, const float *bias,
                                    float *restrict y) {
    size_t c = 0;
    for (; c + STOA_LANES <= channels; c += STOA_LANES) {
        stoa_vec sum = {0};
        if (bias != NULL) {
            sum = STOA_LOAD(stoa_vec, bias + c);
        }
        for (size_t i = 0; i < t.lines; i++) {
            const float *x = t.x + (ptrdiff_t)i * t.x_line + c;
            const float *weight = t.weight + (ptrdiff_t)i * t.weight_line + c;
            for (size_t j = 0; j < t.width; j++, x += t.x_tap, weight += t.weight_tap) {
                sum += STOA_LOAD(stoa_vec, x) * STOA_LOAD(stoa_vec, weight);
            }
        }
        STOA_STORE(stoa_vec, y + c, sum);
    }
    for (; c < channels; c++) {
        float sum = bias != NULL ? bias[c] : 0;
        for (size_t i = 0; i < t.lines; i++) {
            const float *x = t.x + (ptrdiff_t)i * t.x_line + c;
            const float *weight = t.weight + (ptrdiff_t)i * t.weight_line + c;
            for (size_t j = 0; j < t.width; j++, x += t.x_tap, weight += t.weight_tap) {
                sum += *x * *weight;
            }
        }
        y[c] = sum;
    }
}

/* backward_data with strides or dilation. */
void STOA_KERNEL(depthwise_backward_strided)(const struct stoa_window *w, const float *dy,
                                             const float *weight, float *dx);

#endif
