/* SPDX-License-Identifier: MIT */
/* Columns to images: the adjoint of im2col, which adds every patch where it came from.
 *
 * Without strides and dilation the sum is gathered: each input pixel reads the (at most kernel_height *
 * kernel_width) patches that contain it and is written once. Adding patch after patch instead would reload
 * floats that are still on their way to the cache. Otherwise, and where no two patches of a row overlap,
 * patches are scattered one by one. */
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

/* The terms of one input pixel are `lines` x `taps` groups of floats in the columns. One kernel row further
 * down is one output row further up, so distances are signed. */
struct terms {
    const float *from;
    ptrdiff_t line_stride, tap_stride;
    size_t lines, taps;
};

STOA_INLINE void gather_wide(struct terms s, float *restrict to) {
    stoa_vec sum = STOA_LOAD(stoa_vec, to);
    for (size_t j = 0; j < s.lines; j++, s.from += s.line_stride) {
        const float *from = s.from;
        for (size_t i = 0; i < s.taps; i++, from += s.tap_stride) {
            sum += STOA_LOAD(stoa_vec, from);
        }
    }
    STOA_STORE(stoa_vec, to, sum);
}

/* Add up to 8 channels. 8 floats of every term are read whatever `channels` is, and `channels` are
 * written. */
STOA_INLINE void gather_eight(struct terms s, size_t channels, float *restrict to) {
    stoa_vec8 sum = {0};
    for (size_t j = 0; j < s.lines; j++, s.from += s.line_stride) {
        const float *from = s.from;
        for (size_t i = 0; i < s.taps; i++, from += s.tap_stride) {
            sum += STOA_LOAD(stoa_vec8, from);
        }
    }
    float part[8];
    STOA_STORE(stoa_vec8, part, sum);
    for (size_t c = 0; c < channels; c++) {
        to[c] += part[c];
    }
}

STOA_INLINE void gather_exact(struct terms s, size_t channels, float *restrict to) {
    for (size_t j = 0; j < s.lines; j++, s.from += s.line_stride) {
        const float *from = s.from;
        for (size_t i = 0; i < s.taps; i++, from += s.tap_stride) {
            for (size_t c = 0; c < channels; c++) {
                to[c] += from[c];
            }
        }
    }
}

/* Add all channels of one input pixel; `overshoots` when 8 floats may be read where fewer are left. `rest`
 * is channels % 8, a constant, so that the last store is one of a known size. */
STOA_INLINE void gather_pixel(struct terms s, size_t channels, size_t rest, bool overshoots,
                              float *restrict to) {
    size_t c = 0;
    for (; STOA_LANES >= 8 && c + STOA_LANES <= channels; c += STOA_LANES, s.from += STOA_LANES) {
        gather_wide(s, to + c);
    }
    if (!overshoots) {
        gather_exact(s, channels - c, to + c);
        return;
    }
    for (; c + 8 <= channels; c += 8, s.from += 8) {
        gather_eight(s, 8, to + c);
    }
    if (c < channels) {
        gather_eight(s, rest, to + c);
    }
}

/* Compute input row `dx` of an image. `from`: the patches of the first output row that holds it, at its
 * kernel row. */
STOA_INLINE void gather_line(const struct stoa_window *w, const float *from, size_t lines, size_t channels,
                             size_t rest, const float *columns_end, float *restrict dx) {
    size_t run = w->kernel_width * channels;
    size_t patch = w->kernel_height * run;
    struct terms s = {
        .line_stride = (ptrdiff_t)run - (ptrdiff_t)(w->out_width * patch),
        .tap_stride = (ptrdiff_t)channels - (ptrdiff_t)patch,
        .lines = lines,
    };
    for (size_t iw = 0; iw < w->width; iw++, dx += w->channels) {
        size_t right = iw + w->pad_left; /* output pixel of tap 0 */
        if (right < w->out_left) {
            continue;
        }
        right -= w->out_left;
        size_t first = right >= w->out_width ? right - w->out_width + 1 : 0;
        size_t end = stoa_min(w->kernel_width, right + 1);
        if (first >= end) {
            continue;
        }
        s.from = from + (right - first) * patch + first * channels;
        s.taps = end - first;
        /* The first term has the highest address, because kernel rows and taps go down. */
        bool overshoots = (size_t)(columns_end - s.from) >= channels + 8;
        gather_pixel(s, channels, rest, overshoots, dx);
    }
}

static void gather_line_by_rest(const struct stoa_window *w, const float *from, size_t lines, size_t channels,
                                const float *columns_end, float *restrict dx) {
    switch (channels % 8) {
#define STOA_REST(rest)                                                                                      \
    case rest:                                                                                               \
        gather_line(w, from, lines, channels, rest, columns_end, dx);                                        \
        break;
        STOA_REST(0)
        STOA_REST(1)
        STOA_REST(2)
        STOA_REST(3)
        STOA_REST(4)
        STOA_REST(5)
        STOA_REST(6)
        STOA_REST(7)
#undef STOA_REST
    }
}

/* Add output rows oh .. oh+rows-1 of one image. */
static void gather_image(const struct stoa_window *w, const float *columns, size_t channels, size_t oh,
                         size_t rows, const float *columns_end, float *restrict dx) {
    size_t run = w->kernel_width * channels;
    size_t row_floats = w->out_width * w->kernel_height * run;
    /* Image rows count from the top of the padding: output row r holds rows r .. r + kernel_height - 1. */
    size_t begin = stoa_max(oh, w->pad_top);
    size_t end = stoa_min(oh + rows - 1 + w->kernel_height, w->pad_top + w->height);
    for (size_t line = begin; line < end; line++) {
        size_t last_row = stoa_min(line, oh + rows - 1);
        size_t first_row = line >= w->kernel_height - 1 ? line - (w->kernel_height - 1) : 0;
        first_row = stoa_max(first_row, oh);
        const float *from = columns + (last_row - oh) * row_floats + (line - last_row) * run;
        gather_line_by_rest(w, from, last_row - first_row + 1, channels, columns_end,
                            dx + (line - w->pad_top) * w->width * w->channels);
    }
}

/* Add output row `oh` of one image, patch by patch. */
static void scatter_row(const struct stoa_window *w, const float *columns, size_t channels, size_t oh,
                        float *restrict dx) {
    size_t run = w->kernel_width * channels;
    struct stoa_span v =
        stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
    bool whole = w->dilation_width == 1 && channels == w->channels;
    for (size_t ow = 0; ow < w->out_width; ow++, columns += w->kernel_height * run) {
        struct stoa_span h = stoa_span_of(w->out_left + ow, w->stride_width, w->pad_left, w->kernel_width,
                                          w->dilation_width, w->width);
        for (size_t kh = v.first; kh < v.end; kh++) {
            size_t ih = v.start + (kh - v.first) * w->dilation_height;
            const float *restrict from = columns + kh * run + h.first * channels;
            float *restrict to = dx + (ih * w->width + h.start) * w->channels;
            size_t runs = whole && h.first < h.end ? 1 : h.end - h.first;
            size_t length = whole ? (h.end - h.first) * channels : channels;
            for (size_t i = 0; i < runs; i++) {
#pragma omp simd
                for (size_t c = 0; c < length; c++) {
                    to[c] += from[c];
                }
                from += channels;
                to += w->dilation_width * w->channels;
            }
        }
    }
}

void STOA_KERNEL(col2im)(const struct stoa_window *w, const float *columns, size_t channel0, size_t channels,
                         size_t first_row, size_t rows, float *dx) {
    size_t row_floats = w->out_width * w->kernel_height * w->kernel_width * channels;
    const float *columns_end = columns + rows * row_floats;
    bool gathers = w->out_width > 1 && w->stride_height == 1 && w->stride_width == 1 &&
                   w->dilation_height == 1 && w->dilation_width == 1;
    size_t done = 0;
    while (done < rows) {
        size_t image = (first_row + done) / w->out_height;
        size_t oh = (first_row + done) % w->out_height;
        size_t now = stoa_min(rows - done, w->out_height - oh);
        float *to = dx + image * w->height * w->width * w->channels + channel0;
        const float *from = columns + done * row_floats;
        if (gathers) {
            gather_image(w, from, channels, oh, now, columns_end, to);
        } else {
            for (size_t i = 0; i < now; i++) {
                scatter_row(w, from + i * row_floats, channels, oh + i, to);
            }
        }
        done += now;
    }
}
