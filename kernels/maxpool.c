/* SPDX-License-Identifier: MIT */
/* Max pooling and its gradient; vectors lie along the channels.
 *
 * A pixel's channels are taken in vectors. Where their number is no multiple, the last vector overshoots
 * into the next pixel, which is written later. Pixels at the end of the rows are finished channel by
 * channel. A window without any pixel of the image gives -infinity and index 0, which backward ignores. */
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t eight_int __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint16_t eight_half __attribute__((vector_size(16), aligned(2), may_alias));

/* The taps of one output pixel that lie in the image. */
struct taps {
    const float *from;
    size_t line_stride, tap_stride;
    size_t lines, width;
    int32_t index, index_step; /* of the first tap, and from one row of taps to the next */
};

/* !(v <= best) also holds when v is NaN, and then only the first one counts. */
#define STOA_POOL_MAX(type, int_type, half_type, t, to, index_to)                                            \
    do {                                                                                                     \
        type best = STOA_LOAD(type, (t)->from);                                                              \
        int_type at = (int_type){0} + (t)->index;                                                            \
        for (size_t i = 0; i < (t)->lines; i++) {                                                            \
            const float *tap = (t)->from + i * (t)->line_stride;                                             \
            int32_t number = (t)->index + (int32_t)i * (t)->index_step;                                      \
            for (size_t j = 0; j < (t)->width; j++, tap += (t)->tap_stride, number++) {                      \
                type v = STOA_LOAD(type, tap);                                                               \
                int_type better = ~(int_type)(v <= best) & (int_type)(best == best);                         \
                best = (type)(((int_type)v & better) | ((int_type)best & ~better));                          \
                at = (((int_type){0} + number) & better) | (at & ~better);                                   \
            }                                                                                                \
        }                                                                                                    \
        STOA_STORE(type, to, best);                                                                          \
        if (index_to) {                                                                                      \
            STOA_STORE(half_type, index_to, __builtin_convertvector(at, half_type));                         \
        }                                                                                                    \
    } while (0)

STOA_INLINE void pixel_exact(const struct taps *t, size_t channels, float *restrict y,
                             uint16_t *restrict index) {
    for (size_t c = 0; c < channels; c++) {
        float best = t->from[c];
        int32_t at = t->index;
        for (size_t i = 0; i < t->lines; i++) {
            for (size_t j = 0; j < t->width; j++) {
                float v = t->from[i * t->line_stride + j * t->tap_stride + c];
                bool better = !(v <= best) && best == best;
                best = better ? v : best;
                at = better ? t->index + (int32_t)i * t->index_step + (int32_t)j : at;
            }
        }
        y[c] = best;
        if (index) {
            index[c] = (uint16_t)at;
        }
    }
}

STOA_INLINE uint16_t *index_at(uint16_t *index, size_t at) {
    return index ? index + at : NULL;
}

/* Find the largest of one output pixel's window; `room` floats from y on may be written, and the last tap
 * may be read that far too. */
STOA_INLINE void pool_pixel(struct taps t, size_t channels, size_t room, float *restrict y,
                            uint16_t *restrict index) {
    size_t c = 0;
    for (; c + STOA_LANES <= channels; c += STOA_LANES, t.from += STOA_LANES) {
        STOA_POOL_MAX(stoa_vec, stoa_ivec, stoa_hvec, &t, y + c, index_at(index, c));
    }
    for (; c < channels && c + 8 <= room; c += 8, t.from += 8) {
        STOA_POOL_MAX(eight, eight_int, eight_half, &t, y + c, index_at(index, c));
    }
    if (c < channels) {
        pixel_exact(&t, channels - c, y + c, index_at(index, c));
    }
}

/* Pool `count` output pixels whose taps lie alike, `step` floats apart. `image_left` and `row_left` floats
 * from the last tap of the first of them and from its result on may be read and written. */
STOA_INLINE void pool_pixels(struct taps t, size_t channels, size_t count, size_t step, size_t image_left,
                             size_t row_left, float *restrict y, uint16_t *restrict index) {
    for (size_t i = 0; i < count; i++) {
        size_t at = i * channels;
        pool_pixel(t, channels, stoa_min(image_left - i * step, row_left - at), y + at, index_at(index, at));
        t.from += step;
    }
}

STOA_INLINE void pool_row(const struct stoa_window *w, const float *x, size_t image_left, size_t row_left,
                          size_t oh, float *restrict y, uint16_t *restrict index) {
    size_t channels = w->channels;
    size_t line_floats = w->width * channels;
    struct stoa_span v =
        stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
    bool two = w->kernel_height == 2 && w->kernel_width == 2 && w->dilation_width == 1;
    for (size_t ow = 0, count; ow < w->out_width; ow += count) {
        struct stoa_span h =
            stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
        float *to = y + ow * channels;
        uint16_t *index_to = index_at(index, ow * channels);
        count = stoa_span_run(&h, ow, w->out_width, w->stride_width, w->kernel_width, w->dilation_width,
                              w->width);
        if (v.first == v.end || h.first == h.end) {
            for (size_t c = 0; c < count * channels; c++) {
                to[c] = -__builtin_inff();
                if (index) {
                    index_to[c] = 0;
                }
            }
            continue;
        }
        struct taps t = {
            .from = x + v.start * line_floats + h.start * channels,
            .line_stride = w->dilation_height * line_floats,
            .tap_stride = w->dilation_width * channels,
            .lines = v.end - v.first,
            .width = h.end - h.first,
            .index = (int32_t)(v.first * w->kernel_width + h.first),
            .index_step = (int32_t)w->kernel_width,
        };
        size_t last = v.start * line_floats + h.start * channels + (t.lines - 1) * t.line_stride +
                      (t.width - 1) * t.tap_stride;
        size_t step = w->stride_width * channels;
        size_t left = row_left - ow * channels;
        if (two && t.lines == 2 && t.width == 2) {
            t.lines = t.width = 2; /* constants for the compiler */
            t.tap_stride = channels;
            pool_pixels(t, channels, count, step, image_left - last, left, to, index_to);
        } else {
            pool_pixels(t, channels, count, step, image_left - last, left, to, index_to);
        }
    }
}

void STOA_KERNEL(maxpool)(const struct stoa_window *w, const float *x, size_t first_row, size_t rows,
                          float *y, uint16_t *index) {
    size_t image_floats = w->height * w->width * w->channels;
    size_t row_floats = w->out_width * w->channels;
    for (size_t i = 0; i < rows; i++) {
        size_t r = first_row + i;
        const float *image = x + r / w->out_height * image_floats;
        size_t left = (rows - i) * row_floats;
        if (index) {
            pool_row(w, image, image_floats, left, r % w->out_height, y + i * row_floats,
                     index + i * row_floats);
        } else {
            pool_row(w, image, image_floats, left, r % w->out_height, y + i * row_floats, NULL);
        }
    }
}

/* For windows that touch but do not overlap, unpadded: every tap is written once, not added to. */
static void backward_tiles(const struct stoa_window *w, const float *restrict dy,
                           const uint16_t *restrict index, float *restrict dx) {
    size_t channels = w->channels;
    for (size_t oh = 0; oh < w->out_height; oh++) {
        for (size_t ow = 0; ow < w->out_width; ow++, dy += channels, index += channels) {
            for (size_t kh = 0; kh < w->kernel_height; kh++) {
                for (size_t kw = 0; kw < w->kernel_width; kw++) {
                    size_t pixel = (oh * w->kernel_height + kh) * w->width + ow * w->kernel_width + kw;
                    float *restrict to = dx + pixel * channels;
                    uint16_t number = (uint16_t)(kh * w->kernel_width + kw);
#pragma omp simd
                    for (size_t c = 0; c < channels; c++) {
                        float g = dy[c];
                        to[c] = index[c] == number ? g : 0;
                    }
                }
            }
        }
    }
}

/* The pixel that tap `number` of output pixel (oh, ow) reads; false when it is padding. */
STOA_INLINE bool tap_pixel(const struct stoa_window *w, size_t oh, size_t ow, size_t number, size_t *pixel) {
    size_t ih = oh * w->stride_height + number / w->kernel_width * w->dilation_height;
    size_t iw = ow * w->stride_width + number % w->kernel_width * w->dilation_width;
    if (ih < w->pad_top || ih - w->pad_top >= w->height || iw < w->pad_left || iw - w->pad_left >= w->width) {
        return false;
    }
    *pixel = (ih - w->pad_top) * w->width + iw - w->pad_left;
    return true;
}

void STOA_KERNEL(maxpool_backward)(const struct stoa_window *w, const float *dy, const uint16_t *index,
                                   float *dx) {
    size_t channels = w->channels;
    bool tiles = w->kernel_height == w->stride_height && w->kernel_width == w->stride_width &&
                 w->dilation_height == 1 && w->dilation_width == 1 && w->pad_top == 0 && w->pad_left == 0 &&
                 w->out_height * w->kernel_height <= w->height && w->out_width * w->kernel_width <= w->width;
    bool covers =
        tiles && w->out_height * w->kernel_height == w->height && w->out_width * w->kernel_width == w->width;
    if (!covers) {
        memset(dx, 0, w->height * w->width * channels * sizeof *dx);
    }
    if (tiles) {
        backward_tiles(w, dy, index, dx);
        return;
    }
    for (size_t oh = 0; oh < w->out_height; oh++) {
        for (size_t ow = 0; ow < w->out_width; ow++, dy += channels, index += channels) {
            for (size_t c = 0; c < channels; c++) {
                size_t pixel;
                if (tap_pixel(w, oh, ow, index[c], &pixel)) {
                    dx[pixel * channels + c] += dy[c];
                }
            }
        }
    }
}
