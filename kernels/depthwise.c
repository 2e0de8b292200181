/* Depthwise convolution, one filter a channel, and its gradients; vectors along the channels. Floor 1.
 *
 * Kernels of three columns and at most three lines, the usual ones, have paths of their own: for each vector of
 * channels they keep all taps in registers and sweep along a row, so that every line of the image is loaded once a
 * row. They count columns with the padding: column q is pixel q - pad_left. */
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

enum { SIDE = 3 };

/* The taps of one pixel: x advances with the image, the weights with the kernel. */
struct taps {
    const float *x, *weight;
    ptrdiff_t x_line, x_tap;
    ptrdiff_t weight_line, weight_tap;
    size_t lines, width;
};

/* y[c] = bias[c] + sum over taps, for `channels` channels. */
STOA_INLINE void sum_taps(struct taps t, size_t channels, const float *bias, float *restrict y) {
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

/* A row of outputs or, going back, of inputs: `x` is the first line that the taps meet, `weight` their first tap, and
 * columns before `first` or from `end` on are padding. */
struct sweep {
    const float *x, *weight;
    ptrdiff_t x_line;
    ptrdiff_t weight_line, weight_tap;
    size_t channels;
    size_t first, end;
    size_t outputs;
};

/* sum + x * the taps of one column. */
STOA_INLINE stoa_vec add_column(stoa_vec sum, const float *x, ptrdiff_t x_line, const stoa_vec *tap,
                                size_t lines) {
    for (size_t i = 0; i < lines; i++) {
        sum += STOA_LOAD(stoa_vec, x + (ptrdiff_t)i * x_line) * tap[SIDE * i];
    }
    return sum;
}

STOA_INLINE void load_taps(const struct sweep *s, size_t c, size_t lines, stoa_vec *tap) {
    for (size_t i = 0; i < lines; i++) {
        for (size_t j = 0; j < SIDE; j++) {
            tap[SIDE * i + j] = STOA_LOAD(stoa_vec, s->weight + (ptrdiff_t)i * s->weight_line +
                                                        (ptrdiff_t)j * s->weight_tap + c);
        }
    }
}

/* Start to fetch what the next row will read first. */
STOA_INLINE void fetch_below(const float *x, ptrdiff_t x_line, size_t lines) {
    __builtin_prefetch(x + (ptrdiff_t)lines * x_line);
}

/* Stride 1. A column is tap 2 of the output that it completes, tap 1 of the next one and tap 0 of the one after. */
STOA_INLINE void sweep_dense(const struct sweep *s, size_t c, size_t lines, stoa_vec bias, float *y) {
    stoa_vec tap[SIDE * SIDE];
    load_taps(s, c, lines, tap);
    const size_t step = s->channels;
    const ptrdiff_t line = s->x_line;
    const float *x = s->x + c;
    stoa_vec next = bias;
    stoa_vec after = bias;
    if (s->first == 0) {
        next = add_column(next, x, line, tap, lines);
        x += step;
    }
    if (s->first <= 1 && s->end > 1) {
        next = add_column(next, x, line, tap + 1, lines);
        after = add_column(after, x, line, tap, lines);
        x += step;
    }
    size_t q = 2;
    for (; q < s->end; q++, x += step, y += step) {
        fetch_below(x, line, lines);
        stoa_vec complete = add_column(next, x, line, tap + 2, lines);
        next = add_column(after, x, line, tap + 1, lines);
        after = add_column(bias, x, line, tap, lines);
        STOA_STORE(stoa_vec, y, complete);
    }
    for (; q < s->outputs + 2; q++, y += step) {
        STOA_STORE(stoa_vec, y, next);
        next = after;
        after = bias;
    }
}

/* Stride 2. Even columns are tap 2 of an output and tap 0 of the next one, odd columns tap 1. */
STOA_INLINE void sweep_every_other(const struct sweep *s, size_t c, size_t lines, stoa_vec bias, float *y) {
    stoa_vec tap[SIDE * SIDE];
    load_taps(s, c, lines, tap);
    const size_t step = s->channels;
    const ptrdiff_t line = s->x_line;
    const float *x = s->x + c;
    stoa_vec next = bias;
    if (s->first == 0) {
        next = add_column(next, x, line, tap, lines);
        x += step;
    }
    if (s->first <= 1 && s->end > 1) {
        next = add_column(next, x, line, tap + 1, lines);
        x += step;
    }
    size_t q = 2;
    for (; q + 1 < s->end; q += 2, x += 2 * step, y += step) {
        fetch_below(x, line, lines);
        fetch_below(x + step, line, lines);
        stoa_vec complete = add_column(next, x, line, tap + 2, lines);
        next = add_column(bias, x, line, tap, lines);
        next = add_column(next, x + step, line, tap + 1, lines);
        STOA_STORE(stoa_vec, y, complete);
    }
    for (; q <= 2 * s->outputs; q += 2, y += step) {
        stoa_vec complete = next;
        next = bias;
        if (q < s->end) {
            complete = add_column(complete, x, line, tap + 2, lines);
            next = add_column(next, x, line, tap, lines);
        }
        STOA_STORE(stoa_vec, y, complete);
    }
}

/* Where a vector of channels begins: the last one overlaps the one before rather than pass the end. */
STOA_INLINE size_t vector_start(size_t c, size_t channels) {
    return stoa_min(c, channels - STOA_LANES);
}

STOA_INLINE void sweep_channels(const struct sweep *s, size_t stride, size_t lines, const float *bias,
                                float *y) {
    for (size_t at = 0; at < s->channels; at += STOA_LANES) {
        size_t c = vector_start(at, s->channels);
        stoa_vec start = {0};
        if (bias != NULL) {
            start = STOA_LOAD(stoa_vec, bias + c);
        }
        if (stride == 1) {
            sweep_dense(s, c, lines, start, y + c);
        } else {
            sweep_every_other(s, c, lines, start, y + c);
        }
    }
}

STOA_INLINE void sweep_lines(const struct sweep *s, size_t stride, size_t lines, const float *bias,
                             float *y) {
    switch (lines) {
    case 1:
        sweep_channels(s, stride, 1, bias, y);
        break;
    case 2:
        sweep_channels(s, stride, 2, bias, y);
        break;
    default:
        sweep_channels(s, stride, 3, bias, y);
        break;
    }
}

static void sweep_row(const struct sweep *s, size_t stride, size_t lines, const float *bias, float *y) {
    if (stride == 1) {
        sweep_lines(s, 1, lines, bias, y);
    } else {
        sweep_lines(s, 2, lines, bias, y);
    }
}

static bool can_sweep(const struct stoa_window *w) {
    return w->kernel_width == SIDE && w->kernel_height <= SIDE && w->stride_width <= 2 &&
           w->dilation_width == 1 && w->pad_left < SIDE && w->channels >= STOA_LANES;
}

/* Rows of y; the steps of the weights are negative where the kernel is turned. */
static void forward(const struct stoa_window *w, const float *x, const float *weight, ptrdiff_t weight_line,
                    ptrdiff_t weight_tap, const float *bias, size_t first_row, size_t rows, float *y) {
    size_t channels = w->channels;
    size_t line_floats = w->width * channels;
    const ptrdiff_t x_line = (ptrdiff_t)(w->dilation_height * line_floats);
    const bool sweeps = can_sweep(w);
    for (size_t r = first_row; r < first_row + rows; r++) {
        const float *image = x + r / w->out_height * w->height * line_floats;
        struct stoa_span v = stoa_span_of(r % w->out_height, w->stride_height, w->pad_top, w->kernel_height,
                                          w->dilation_height, w->height);
        const float *line = image + v.start * line_floats;
        const float *taps = weight + (ptrdiff_t)v.first * weight_line;
        if (sweeps && v.first < v.end) {
            size_t columns = (w->out_width - 1) * w->stride_width + SIDE;
            struct sweep s = {line,     taps,        x_line,  weight_line, weight_tap,
                              channels, w->pad_left, columns, w->out_width};
            s.end = stoa_min(columns, w->pad_left + w->width);
            sweep_row(&s, w->stride_width, v.end - v.first, bias, y);
            y += w->out_width * channels;
            continue;
        }
        for (size_t ow = 0; ow < w->out_width; ow++, y += channels) {
            struct stoa_span h =
                stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
            struct taps t = {
                .x = line + h.start * channels,
                .weight = taps + (ptrdiff_t)h.first * weight_tap,
                .x_line = x_line,
                .x_tap = (ptrdiff_t)(w->dilation_width * channels),
                .weight_line = weight_line,
                .weight_tap = weight_tap,
                .lines = v.end - v.first,
                .width = h.end - h.first,
            };
            sum_taps(t, channels, bias, y);
        }
    }
}

void STOA_KERNEL(depthwise)(const struct stoa_window *w, const float *x, const float *weight,
                            const float *bias, size_t first_row, size_t rows, float *y) {
    forward(w, x, weight, (ptrdiff_t)(w->kernel_width * w->channels), (ptrdiff_t)w->channels, bias, first_row,
            rows, y);
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
    const float *last = weight + (w->kernel_height * w->kernel_width - 1) * w->channels;
    forward(&turned, dy, last, -(ptrdiff_t)(w->kernel_width * w->channels), -(ptrdiff_t)w->channels, NULL, 0,
            w->height, dx);
}

/* The taps first, first + stride ... through which one input pixel reached outputs, `count` of them; the first
 * reached output `start`, each further one the output before. */
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
        struct taps t = {
            .x = dy + (v.start * w->out_width + h.start) * channels,
            .weight = weight + (v.first * w->kernel_width + h.first) * channels,
            .x_line = -(ptrdiff_t)(w->out_width * channels),
            .x_tap = -(ptrdiff_t)channels,
            .weight_line = (ptrdiff_t)(w->stride_height * w->kernel_width * channels),
            .weight_tap = (ptrdiff_t)(w->stride_width * channels),
            .lines = v.count,
            .width = h.count,
        };
        sum_taps(t, channels, NULL, dx + iw * channels);
    }
}

/* Stride 2: output u reached column 2 u through tap 0, 2 u + 1 through tap 1 and 2 u + 2 through tap 2. Columns
 * 2 first .. 2 end - 1, two at a time; dx begins with column 2 first, and output first - 1 exists. */
STOA_INLINE void spread_pairs(const struct sweep *s, size_t lines, float *dx) {
    const size_t step = s->channels;
    const ptrdiff_t line = s->x_line;
    for (size_t at = 0; at < step; at += STOA_LANES) {
        size_t c = vector_start(at, step);
        stoa_vec tap[SIDE * SIDE];
        load_taps(s, c, lines, tap);
        const float *dy = s->x + s->first * step + c;
        float *to = dx + c;
        for (size_t u = s->first; u < s->end; u++, dy += step, to += 2 * step) {
            const stoa_vec zero = {0};
            stoa_vec even = add_column(zero, dy, line, tap, lines);
            stoa_vec odd = add_column(zero, dy, line, tap + 1, lines);
            even = add_column(even, dy - step, line, tap + 2, lines);
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
static void backward_data_gather(const struct stoa_window *w, const float *dy, const float *weight,
                                 float *dx) {
    size_t channels = w->channels;
    size_t end = stoa_min(w->out_width, (w->width + w->pad_left) / 2);
    const bool sweeps = can_sweep(w) && w->stride_width == 2 && end > 1;
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

static void backward_data_scatter(const struct stoa_window *w, const float *dy, const float *weight,
                                  float *restrict dx) {
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

void STOA_KERNEL(depthwise_backward_data)(const struct stoa_window *w, const float *dy, const float *weight,
                                          float *dx) {
    if (w->dilation_height != 1 || w->dilation_width != 1) {
        backward_data_scatter(w, dy, weight, dx);
    } else if (w->stride_height == 1 && w->stride_width == 1 && w->pad_top < w->kernel_height &&
               w->pad_left < w->kernel_width) {
        backward_data_turned(w, dy, weight, dx);
    } else {
        backward_data_gather(w, dy, weight, dx);
    }
}
