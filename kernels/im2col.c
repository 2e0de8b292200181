/* SPDX-License-Identifier: MIT */
/* Images to columns: the patches of a convolution become the rows of a matrix, for one matrix product.
 *
 * With channels last and no horizontal dilation, one kernel row of a patch is one contiguous run of
 * kernel_width * channels floats. Runs are short in first layers (5 floats for one channel and a 5x5
 * kernel), and then everything but the copy itself costs more than the copy. So there are three ways:
 *   plain    nothing is padded and all channels are wanted: runs come straight from the image
 *   lined    the image rows that a few output rows need are copied, padded and cut to the wanted channels,
 *            into a small buffer, from which the runs come without a single condition
 *   general  windows are large or dilated: padding is decided for each pixel
 * Runs of fewer than 8 floats are copied as one vector that overshoots into the next run, which is written
 * later. The last pixels are copied exactly, so nothing outside either buffer is touched. Longer runs end in
 * a vector that overlaps the one before. */
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

enum {
    LINE_FLOATS = STOA_IM2COL_LINES - 8,         /* 8 more floats are there to overshoot into when reading */
    LINED_RUN = 96,                              /* runs from here on are long enough for the general way */
    UNIT = STOA_LANES + (STOA_LANES < 8 ? 4 : 0) /* at least 8 */
};

typedef float unit_vec __attribute__((vector_size(4 * UNIT), aligned(4), may_alias));

/* Where runs come from and go to: `lines` runs of `run` floats for each pixel, whose image rows are
 * `line_stride` floats apart, and whose pixels are `step` apart. */
struct runs {
    size_t run, lines, line_stride, step;
    const float *source_end;
    float *columns_end;
};

STOA_INLINE void copy_exact(float *restrict to, const float *restrict from, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        STOA_STORE(stoa_vec8, to + i, STOA_LOAD(stoa_vec8, from + i));
    }
    for (; i < n; i++) {
        to[i] = from[i];
    }
}

/* Copy each run as one overshooting vector of `width` (4 or 8) floats; `lines` and `run` are t's, as
 * constants where that pays. */
STOA_INLINE float *emit_short(const struct runs *t, float *restrict to, const float *restrict from,
                              size_t pixels, size_t width, size_t lines, size_t run) {
    size_t line_stride = t->line_stride;
    size_t step = t->step;
    for (size_t p = 0; p < pixels; p++, from += step) {
        const float *line = from;
        for (size_t k = 0; k < lines; k++, line += line_stride, to += run) {
            if (width == 4) {
                STOA_STORE(stoa_vec4, to, STOA_LOAD(stoa_vec4, line));
            } else {
                STOA_STORE(stoa_vec8, to, STOA_LOAD(stoa_vec8, line));
            }
        }
    }
    return to;
}

/* Copy each run as `count` vectors of UNIT floats, the last one ending where the run ends. */
STOA_INLINE float *emit_units(const struct runs *t, float *restrict to, const float *restrict from,
                              size_t pixels, size_t count) {
    size_t run = t->run;
    size_t lines = t->lines;
    size_t line_stride = t->line_stride;
    size_t step = t->step;
    size_t last = run - UNIT;
    for (size_t p = 0; p < pixels; p++, from += step) {
        const float *line = from;
        for (size_t k = 0; k < lines; k++, line += line_stride, to += run) {
            for (size_t i = 0; i + 1 < count; i++) {
                STOA_STORE(unit_vec, to + i * UNIT, STOA_LOAD(unit_vec, line + i * UNIT));
            }
            STOA_STORE(unit_vec, to + last, STOA_LOAD(unit_vec, line + last));
        }
    }
    return to;
}

/* Copy runs of 8 to 16 floats as two vectors of 8 that overlap. */
static float *emit_eights(const struct runs *t, float *restrict to, const float *restrict from,
                          size_t pixels) {
    size_t run = t->run;
    for (size_t p = 0; p < pixels; p++, from += t->step) {
        const float *line = from;
        for (size_t k = 0; k < t->lines; k++, line += t->line_stride, to += run) {
            STOA_STORE(stoa_vec8, to, STOA_LOAD(stoa_vec8, line));
            STOA_STORE(stoa_vec8, to + run - 8, STOA_LOAD(stoa_vec8, line + run - 8));
        }
    }
    return to;
}

/* How many of `pixels` may overshoot by up to `width` - run floats on both sides. */
static size_t safe_pixels(const struct runs *t, const float *to, const float *from, size_t pixels,
                          size_t width) {
    size_t patch = t->lines * t->run;
    size_t over = width - t->run;
    size_t room = (size_t)(t->columns_end - to);
    size_t by_room = room < patch + over ? 0 : (room - over) / patch;
    size_t reach = (t->lines - 1) * t->line_stride + width;
    size_t left = (size_t)(t->source_end - from);
    size_t by_source = left < reach ? 0 : (left - reach) / t->step + 1;
    return stoa_min(pixels, stoa_min(by_room, by_source));
}

/* Copy the patches of `pixels` neighbouring pixels; returns the end of what was written. */
static float *emit(const struct runs *t, float *restrict to, const float *restrict from, size_t pixels) {
    size_t done = 0;
    if (t->run < 8) {
        if (t->run <= 4) {
            done = safe_pixels(t, to, from, pixels, 4);
            if (t->run == 3 && t->lines == 3) {
                to = emit_short(t, to, from, done, 4, 3, 3);
            } else {
                to = emit_short(t, to, from, done, 4, t->lines, t->run);
            }
        } else {
            done = safe_pixels(t, to, from, pixels, 8);
            if (t->run == 5 && t->lines == 5) {
                to = emit_short(t, to, from, done, 8, 5, 5);
            } else if (t->run == 6 && t->lines == 2) { /* three channels by 2, as one pixel of 12 */
                to = emit_short(t, to, from, done, 8, 2, 6);
            } else {
                to = emit_short(t, to, from, done, 8, t->lines, t->run);
            }
        }
    } else if (t->run <= 16) {
        return emit_eights(t, to, from, pixels);
    } else {
        switch ((t->run + UNIT - 1) / UNIT) {
        case 2:
            return emit_units(t, to, from, pixels, 2);
        case 3:
            return emit_units(t, to, from, pixels, 3);
        case 4:
            return emit_units(t, to, from, pixels, 4);
        case 5:
            return emit_units(t, to, from, pixels, 5);
        case 6:
            return emit_units(t, to, from, pixels, 6);
        default:
            return emit_units(t, to, from, pixels, (t->run + UNIT - 1) / UNIT);
        }
    }
    for (from += done * t->step; done < pixels; done++, from += t->step) {
        for (size_t k = 0; k < t->lines; k++, to += t->run) {
            copy_exact(to, from + k * t->line_stride, t->run);
        }
    }
    return to;
}

/* Write one row of the buffer: image row `x` (NULL: outside the image) with its padding, the wanted channels
 * only, from what the first wanted output pixel reads on. */
static void fill_line(const struct stoa_window *w, const float *x, size_t channels, size_t pixels,
                      float *restrict line) {
    size_t skip = w->out_left * w->stride_width;
    size_t start = skip > w->pad_left ? skip - w->pad_left : 0;
    size_t left = x == NULL ? pixels : stoa_min(skip < w->pad_left ? w->pad_left - skip : 0, pixels);
    size_t inside = x == NULL || start >= w->width ? 0 : stoa_min(w->width - start, pixels - left);
    x = inside > 0 ? x + start * w->channels : x;
    memset(line, 0, left * channels * sizeof *line);
    line += left * channels;
    if (channels == w->channels) {
        copy_exact(line, x, inside * channels);
    } else {
        for (size_t i = 0; i < inside; i++) {
            copy_exact(line + i * channels, x + i * w->channels, channels);
        }
    }
    memset(line + inside * channels, 0, (pixels - left - inside) * channels * sizeof *line);
}

/* Copy rows oh .. oh+rows-1 of one image `x` by the lined way; the buffer holds `capacity` image rows. */
static float *lined_rows(const struct stoa_window *w, const float *x, size_t channels, size_t oh, size_t rows,
                         size_t capacity, struct runs t, float *restrict buffer, float *restrict to) {
    size_t pixels = (w->out_width - 1) * w->stride_width + w->kernel_width;
    size_t reach = (w->kernel_height - 1) * w->dilation_height + 1;
    size_t line_floats = pixels * channels;
    size_t group = (capacity - reach) / w->stride_height + 1;
    memset(buffer + LINE_FLOATS, 0, 8 * sizeof *buffer);
    t.line_stride = w->dilation_height * line_floats;
    t.source_end = buffer + LINE_FLOATS + 8;
    while (rows > 0) {
        size_t now = stoa_min(rows, group);
        size_t lines = (now - 1) * w->stride_height + reach;
        for (size_t i = 0; i < lines; i++) {
            size_t ih = oh * w->stride_height + i; /* rows count from the top of the padding */
            bool inside = ih >= w->pad_top && ih - w->pad_top < w->height;
            fill_line(w, inside ? x + (ih - w->pad_top) * w->width * w->channels : NULL, channels, pixels,
                      buffer + i * line_floats);
        }
        memset(buffer + lines * line_floats, 0,
               stoa_min(8, LINE_FLOATS - lines * line_floats) * sizeof *buffer);
        for (size_t i = 0; i < now; i++) {
            to = emit(&t, to, buffer + i * w->stride_height * line_floats, w->out_width);
        }
        oh += now;
        rows -= now;
    }
    return to;
}

/* Copy one pixel by the general way: taps outside the image become zeros. */
static float *general_pixel(const struct stoa_window *w, const float *x, size_t channels, struct stoa_span v,
                            size_t ow, float *restrict to) {
    size_t run = w->kernel_width * channels;
    struct stoa_span h =
        stoa_span_of(ow, w->stride_width, w->pad_left, w->kernel_width, w->dilation_width, w->width);
    bool whole = w->dilation_width == 1 && channels == w->channels;
    for (size_t kh = 0; kh < w->kernel_height; kh++, to += run) {
        if (kh < v.first || kh >= v.end || h.first == h.end) {
            memset(to, 0, run * sizeof *to);
            continue;
        }
        size_t ih = v.start + (kh - v.first) * w->dilation_height;
        const float *from = x + (ih * w->width + h.start) * w->channels;
        memset(to, 0, h.first * channels * sizeof *to);
        if (whole) {
            copy_exact(to + h.first * channels, from, (h.end - h.first) * channels);
        } else {
            for (size_t kw = h.first; kw < h.end; kw++, from += w->dilation_width * w->channels) {
                copy_exact(to + kw * channels, from, channels);
            }
        }
        memset(to + h.end * channels, 0, (w->kernel_width - h.end) * channels * sizeof *to);
    }
    return to;
}

/* Copy one row by the general way; pixels whose window lies inside the image go through emit() when they
 * can. */
static float *general_row(const struct stoa_window *w, const float *x, size_t channels, size_t oh,
                          const struct runs *t, float *restrict to) {
    struct stoa_span v =
        stoa_span_of(oh, w->stride_height, w->pad_top, w->kernel_height, w->dilation_height, w->height);
    bool emits = w->dilation_width == 1 && channels == w->channels && v.end - v.first == w->kernel_height;
    size_t right = w->out_left + w->out_width;
    size_t begin = w->out_left;
    size_t end = 0;
    if (emits && w->width + w->pad_left >= w->kernel_width) {
        begin = stoa_min(stoa_max(begin, stoa_ceil_div(w->pad_left, w->stride_width)), right);
        end = stoa_min((w->width + w->pad_left - w->kernel_width) / w->stride_width + 1, right);
    }
    end = stoa_max(begin, end);
    for (size_t ow = w->out_left; ow < begin; ow++) {
        to = general_pixel(w, x, channels, v, ow, to);
    }
    if (begin < end) {
        size_t iw = begin * w->stride_width - w->pad_left;
        to = emit(t, to, x + (v.start * w->width + iw) * w->channels, end - begin);
    }
    for (size_t ow = end; ow < right; ow++) {
        to = general_pixel(w, x, channels, v, ow, to);
    }
    return to;
}

/* Whether rows first_row .. first_row+rows-1 read no padding; where they are of several images, whether none
 * does. */
static bool reads_inside(const struct stoa_window *w, size_t first_row, size_t rows) {
    size_t reach = (w->kernel_height - 1) * w->dilation_height + 1;
    size_t span = (w->out_width - 1) * w->stride_width + w->kernel_width;
    size_t left = w->out_left * w->stride_width;
    size_t oh = first_row % w->out_height;
    bool one = oh + rows <= w->out_height;
    size_t first = one ? oh : 0;
    size_t last = one ? oh + rows - 1 : w->out_height - 1;
    return left >= w->pad_left && left + span <= w->width + w->pad_left &&
           first * w->stride_height >= w->pad_top &&
           last * w->stride_height + reach <= w->height + w->pad_top;
}

void STOA_KERNEL(im2col)(const struct stoa_window *w, const float *x, size_t channel0, size_t channels,
                         size_t first_row, size_t rows, float *lines, float *columns) {
    size_t patch = w->kernel_height * w->kernel_width * channels;
    size_t image_floats = w->height * w->width * w->channels;
    size_t reach = (w->kernel_height - 1) * w->dilation_height + 1;
    size_t span_width = (w->out_width - 1) * w->stride_width + w->kernel_width;
    bool unpadded = channels == w->channels && reads_inside(w, first_row, rows);
    size_t capacity = LINE_FLOATS / (span_width * channels);
    bool lined =
        w->dilation_width == 1 && !unpadded && capacity >= reach && w->kernel_width * channels < LINED_RUN;
    struct runs t = {
        .run = w->kernel_width * channels,
        .lines = w->kernel_height,
        .line_stride = w->dilation_height * w->width * w->channels,
        .step = w->stride_width * channels,
        .columns_end = columns + rows * w->out_width * patch,
    };
    size_t done = 0;
    while (done < rows) {
        size_t image = (first_row + done) / w->out_height;
        size_t oh = (first_row + done) % w->out_height;
        size_t now = stoa_min(rows - done, w->out_height - oh);
        const float *from = x + image * image_floats + channel0;
        if (lined) {
            columns = lined_rows(w, from, channels, oh, now, capacity, t, lines, columns);
        } else {
            /* Reading may run into the next image when rows of it are wanted too, not beyond. */
            t.source_end = x + (image + (done + now < rows ? 2 : 1)) * image_floats;
            for (size_t i = 0; i < now; i++) {
                columns = general_row(w, from, channels, oh + i, &t, columns);
            }
        }
        done += now;
    }
}
