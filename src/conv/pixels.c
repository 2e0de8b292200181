/* SPDX-License-Identifier: MIT */
/* The pixels that a 1x1 kernel of a larger stride sees. */
#include "conv/pixels.h"

#include <string.h>

#include "base/size.h"

/* Output pixels [column, column + count) of one row, and the input pixels that belong to them alone: from the
 * one that each reads up to the next one's. */
struct run {
    size_t count, columns, lines; /* columns, lines: of the input */
    size_t input;                 /* the first input pixel */
};

/* The run that begins at `pixel` and ends before `end`. */
static struct run run_at(const struct stoa_window *w, size_t pixel, size_t end) {
    size_t row = pixel / w->out_width;
    size_t column = pixel % w->out_width;
    size_t count = stoa_min(end - pixel, w->out_width - column);
    size_t line = row % w->out_height * w->stride_height;
    size_t left = column * w->stride_width;
    size_t right = column + count == w->out_width ? w->width : (column + count) * w->stride_width;
    size_t below = row % w->out_height + 1 == w->out_height ? w->height : line + w->stride_height;
    return (struct run){.count = count,
                        .columns = right - left,
                        .lines = below - line,
                        .input = (row / w->out_height * w->height + line) * w->width + left};
}

void stoa_pixels_gather(const struct stoa_conv *conv, const float *x, size_t pixel, size_t end, float *to) {
    const struct stoa_window *w = &conv->window;
    size_t step = w->stride_width * w->channels;
    while (pixel < end) {
        struct run run = run_at(w, pixel, end);
        const float *from = x + run.input * w->channels;
        for (size_t i = 0; i < run.count; i++, from += step, to += stoa_pixels_stride(conv)) {
            memcpy(to, from, w->channels * sizeof *to);
        }
        pixel += run.count;
    }
}

void stoa_pixels_scatter(const struct stoa_conv *conv, const float *from, size_t pixel, size_t end,
                         float *dx) {
    const struct stoa_window *w = &conv->window;
    size_t channels = w->channels;
    while (pixel < end) {
        struct run run = run_at(w, pixel, end);
        float *to = dx + run.input * channels;
        for (size_t i = 0; i < run.count; i++, from += stoa_pixels_stride(conv)) {
            size_t last = run.columns - i * w->stride_width;
            size_t gap = (i + 1 == run.count ? last : w->stride_width) - 1;
            float *pixel_to = to + i * w->stride_width * channels;
            memcpy(pixel_to, from, channels * sizeof *to);
            memset(pixel_to + channels, 0, gap * channels * sizeof *to);
        }
        for (size_t line = 1; line < run.lines; line++) {
            memset(to + line * w->width * channels, 0, run.columns * channels * sizeof *to);
        }
        pixel += run.count;
    }
}
