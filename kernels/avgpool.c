/* SPDX-License-Identifier: MIT */
/* Average pooling, over windows and over whole images, and the gradients. */
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));

/* The taps of one output pixel that lie in the image. */
struct taps {
    const float *from;
    size_t line_stride, tap_stride;
    size_t lines, width;
    float scale;
};

/* How much every tap counts: 1 over the divisor; 0 where no pixel of the image is in the window. */
static float tap_scale(const struct stoa_window *w, bool include_pad, size_t oh, size_t ow, size_t lines,
                       size_t width) {
    size_t count = lines * width;
    if (include_pad && (lines < w->kernel_height || width < w->kernel_width)) {
        /* Taps beyond the padding do not count. */
        struct stoa_span v = stoa_span_of(oh, w->stride_height, 0, w->kernel_height, w->dilation_height,
                                          w->pad_top + w->height + w->pad_bottom);
        struct stoa_span h = stoa_span_of(ow, w->stride_width, 0, w->kernel_width, w->dilation_width,
                                          w->pad_left + w->width + w->pad_right);
        count = (v.end - v.first) * (h.end - h.first);
    }
    return lines == 0 || width == 0 ? 0 : 1.0F / (float)count;
}

#define STOA_POOL_MEAN(type, t, to)                                                                          \
    do {                                                                                                     \
        type sum = {0};                                                                                      \
        for (size_t i = 0; i < (t)->lines; i++) {                                                            \
            const float *tap = (t)->from + i * (t)->line_stride;                                             \
            for (size_t j = 0; j < (t)->width; j++, tap += (t)->tap_stride) {                                \
                sum += STOA_LOAD(type, tap);                                                                 \
            }                                                                                                \
        }                                                                                                    \
        STOA_STORE(type, to, sum *(t)->scale);                                                               \
    } while (0)

/* Average one output pixel. `room` floats from y on may be written, and the last tap may be read that far
 * too: a last vector may overshoot into the next pixel, which is written later. */
STOA_INLINE void pool_pixel(struct taps t, size_t channels, size_t room, float *restrict y) {
    size_t c = 0;
    for (; c + STOA_LANES <= channels; c += STOA_LANES, t.from += STOA_LANES) {
        STOA_POOL_MEAN(stoa_vec, &t, y + c);
    }
    for (; c < channels && c + 8 <= room; c += 8, t.from += 8) {
        STOA_POOL_MEAN(eight, &t, y + c);
    }
    for (; c < channels; c++, t.from++) {
        float sum = 0;
        for (size_t i = 0; i < t.lines; i++) {
            for (size_t j = 0; j < t.width; j++) {
                sum += t.from[i * t.line_stride + j * t.tap_stride];
            }
        }
        y[c] = sum * t.scale;
    }
}

/* Pool `count` output pixels whose taps lie alike, `step` floats apart. `image_left` and `row_left` floats
 * from the last tap of the first of them and from its result on may be read and written. */
STOA_INLINE void pool_pixels(struct taps t, size_t channels, size_t count, size_t step, size_t image_left,
                             size_t row_left, float *restrict y) {
    for (size_t i = 0; i < count; i++) {
        pool_pixel(t, channels, stoa_min(image_left - i * step, row_left - i * channels), y + i * channels);
        t.from += step;
    }
}

static void pool_row(const struct stoa_window *w, bool include_pad, const float *x, size_t image_left,
                     size_t row_left, size_t oh, float *restrict y) {
    size_t channels = w->channels;
    size_t line_floats = w->width * channels;
    struct stoa_span v =
        stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
    for (size_t ow = 0, count; ow < w->out_width; ow += count) {
        struct stoa_span h =
            stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
        size_t lines = v.end - v.first;
        size_t width = h.end - h.first;
        float *to = y + ow * channels;
        count = stoa_span_run(&h, ow, w->out_width, w->stride_width, w->kernel_width, w->dilation_width,
                              w->width);
        if (lines == 0 || width == 0) {
            memset(to, 0, count * channels * sizeof *to);
            continue;
        }
        struct taps t = {
            .from = x + v.start * line_floats + h.start * channels,
            .line_stride = w->dilation_height * line_floats,
            .tap_stride = w->dilation_width * channels,
            .lines = lines,
            .width = width,
            .scale = tap_scale(w, include_pad, oh, ow, lines, width),
        };
        size_t last = v.start * line_floats + h.start * channels + (lines - 1) * t.line_stride +
                      (width - 1) * t.tap_stride;
        size_t step = w->stride_width * channels;
        if (lines == 2 && width == 2) {
            t.lines = t.width = 2; /* constants for the compiler */
            pool_pixels(t, channels, count, step, image_left - last, row_left - ow * channels, to);
        } else {
            pool_pixels(t, channels, count, step, image_left - last, row_left - ow * channels, to);
        }
    }
}

void STOA_KERNEL(avgpool)(const struct stoa_window *w, bool include_pad, const float *x, size_t first_row,
                          size_t rows, float *y) {
    size_t image_floats = w->height * w->width * w->channels;
    size_t row_floats = w->out_width * w->channels;
    for (size_t i = 0; i < rows; i++) {
        size_t r = first_row + i;
        pool_row(w, include_pad, x + r / w->out_height * image_floats, image_floats, (rows - i) * row_floats,
                 r % w->out_height, y + i * row_floats);
    }
}

/* dx += dy * scale over the pixels of one output pixel's window. */
STOA_INLINE void spread(const float *restrict dy, size_t channels, size_t line_stride, size_t tap_stride,
                        size_t lines, size_t width, float scale, float *restrict dx) {
    for (size_t i = 0; i < lines; i++) {
        for (size_t j = 0; j < width; j++) {
            float *restrict to = dx + i * line_stride + j * tap_stride;
#pragma omp simd
            for (size_t c = 0; c < channels; c++) {
                to[c] += dy[c] * scale;
            }
        }
    }
}

/* Where windows touch without overlap every input pixel has one window, so gradients are written once
 * instead of added. */
static bool windows_tile(const struct stoa_window *w) {
    return w->stride_height == w->kernel_height && w->stride_width == w->kernel_width && w->pad_top == 0 &&
           w->pad_left == 0 && w->dilation_height == 1 && w->dilation_width == 1 &&
           w->out_height * w->kernel_height <= w->height && w->out_width * w->kernel_width <= w->width;
}

/* Write one input row of windows that tile it. Fewer channels than a vector are stored as whole vectors: the
 * next pixel overwrites what is too much. */
static void spread_line(const struct stoa_window *w, const float *restrict dy, float scale,
                        float *restrict dx) {
    size_t channels = w->channels;
    size_t window = w->kernel_width * channels;
    for (size_t ow = 0; ow < w->out_width; ow++, dy += channels, dx += window) {
        size_t left = w->out_width - ow;
        if (channels < STOA_LANES && left * channels >= STOA_LANES && (left - 1) * window >= STOA_LANES) {
            stoa_vec value = STOA_LOAD(stoa_vec, dy) * scale;
            for (size_t j = 0; j < window; j += channels) {
                STOA_STORE(stoa_vec, dx + j, value);
            }
            continue;
        }
        for (size_t j = 0; j < window; j += channels) {
#pragma omp simd
            for (size_t c = 0; c < channels; c++) {
                dx[j + c] = dy[c] * scale;
            }
        }
    }
    memset(dx, 0, (w->width * channels - w->out_width * window) * sizeof *dx);
}

static void spread_tiles(const struct stoa_window *w, const float *dy, float *dx) {
    float scale = 1.0F / (float)(w->kernel_height * w->kernel_width);
    size_t line = w->width * w->channels;
    for (size_t oh = 0; oh < w->out_height; oh++, dy += w->out_width * w->channels) {
        float *first = dx;
        spread_line(w, dy, scale, first);
        dx += line;
        for (size_t i = 1; i < w->kernel_height; i++, dx += line) {
            memcpy(dx, first, line * sizeof *dx);
        }
    }
    memset(dx, 0, (w->height - w->out_height * w->kernel_height) * line * sizeof *dx);
}

void STOA_KERNEL(avgpool_backward)(const struct stoa_window *w, bool include_pad, const float *dy,
                                   float *dx) {
    if (windows_tile(w)) {
        spread_tiles(w, dy, dx);
        return;
    }
    size_t channels = w->channels;
    memset(dx, 0, w->height * w->width * channels * sizeof *dx);
    for (size_t oh = 0; oh < w->out_height; oh++) {
        struct stoa_span v =
            stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
        for (size_t ow = 0; ow < w->out_width; ow++, dy += channels) {
            struct stoa_span h =
                stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
            size_t lines = v.end - v.first;
            size_t width = h.end - h.first;
            spread(dy, channels, w->dilation_height * w->width * channels, w->dilation_width * channels,
                   lines, width, tap_scale(w, include_pad, oh, ow, lines, width),
                   dx + (v.start * w->width + h.start) * channels);
        }
    }
}

void STOA_KERNEL(global_avgpool)(const float *restrict x, size_t pixels, size_t channels, float *restrict y) {
    memset(y, 0, channels * sizeof *y);
    for (size_t p = 0; p < pixels; p++, x += channels) {
#pragma omp simd
        for (size_t c = 0; c < channels; c++) {
            y[c] += x[c];
        }
    }
    float scale = 1.0F / (float)pixels;
    for (size_t c = 0; c < channels; c++) {
        y[c] *= scale;
    }
}

void STOA_KERNEL(global_avgpool_backward)(const float *restrict dy, size_t pixels, size_t channels,
                                          float *restrict dx) {
    float scale = 1.0F / (float)pixels;
    for (size_t p = 0; p < pixels; p++, dx += channels) {
#pragma omp simd
        for (size_t c = 0; c < channels; c++) {
            dx[c] = dy[c] * scale;
        }
    }
}
