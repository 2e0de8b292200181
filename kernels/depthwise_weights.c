/* Weight gradient of a depthwise convolution; vectors along the channels. Floor 1.
 *
 * Kernels of 3 x 3 taps have a path of their own: for each vector of channels all nine sums stay in registers while
 * it sweeps over some rows, so that every line is loaded once a row. It counts columns with the padding: column q is
 * pixel q - pad_left. */
#include "base/size.h"
#include "kernels/isa.h"
#include "kernels/span.h"

/* Sums of at least PIXELS pixels (ROWS rows at most) before they are added: long ones would lose accuracy. */
enum { SIDE = 3, ROWS = 16, PIXELS = 64 };

/* One output row: the first line that the taps meet, the first of these taps, how many lines. */
struct row {
    const float *x, *dy;
    size_t tap, lines;
};

/* Some rows; columns before `first` or from `end` on are padding. */
struct sweep {
    struct row row[ROWS];
    size_t rows;
    ptrdiff_t x_line;
    size_t channels;
    size_t first, end;
    size_t outputs;
};

/* sum[i][0] += x[i] * dy, one column of the taps. */
STOA_INLINE void add_column(stoa_vec *sum, const float *x, ptrdiff_t x_line, size_t lines, stoa_vec dy) {
    for (size_t i = 0; i < lines; i++) {
        sum[SIDE * i] += STOA_LOAD(stoa_vec, x + (ptrdiff_t)i * x_line) * dy;
    }
}

/* Start to fetch what the next row will read first. */
STOA_INLINE void fetch_below(const float *x, ptrdiff_t x_line, size_t lines) {
    __builtin_prefetch(x + (ptrdiff_t)lines * x_line);
}

/* Stride 1, at least two outputs: column q met output q in tap 0, q - 1 in tap 1 and q - 2 in tap 2. */
STOA_INLINE void sweep_dense(const struct sweep *s, const float *x, const float *dy, size_t lines,
                             stoa_vec *sum) {
    const size_t step = s->channels;
    const ptrdiff_t line = s->x_line;
    stoa_vec before = STOA_LOAD(stoa_vec, dy);
    stoa_vec last = STOA_LOAD(stoa_vec, dy + step);
    if (s->first == 0) {
        add_column(sum, x, line, lines, before);
        x += step;
    }
    if (s->first <= 1 && s->end > 1) {
        add_column(sum, x, line, lines, last);
        add_column(sum + 1, x, line, lines, before);
        x += step;
    }
    size_t q = 2;
    size_t full = stoa_min(s->end, s->outputs);
    for (; q < full; q++, x += step) {
        fetch_below(x, line, lines);
        stoa_vec now = STOA_LOAD(stoa_vec, dy + q * step);
        add_column(sum, x, line, lines, now);
        add_column(sum + 1, x, line, lines, last);
        add_column(sum + 2, x, line, lines, before);
        before = last;
        last = now;
    }
    if (s->end > s->outputs) {
        add_column(sum + 1, x, line, lines, last);
        add_column(sum + 2, x, line, lines, before);
        x += step;
    }
    if (s->end > s->outputs + 1) {
        add_column(sum + 2, x, line, lines, last);
    }
}

/* Stride 2: column 2 u met output u in tap 0 and u - 1 in tap 2, column 2 u + 1 output u in tap 1. */
STOA_INLINE void sweep_every_other(const struct sweep *s, const float *x, const float *dy, size_t lines,
                                   stoa_vec *sum) {
    const size_t step = s->channels;
    const ptrdiff_t line = s->x_line;
    stoa_vec last = STOA_LOAD(stoa_vec, dy);
    if (s->first == 0) {
        add_column(sum, x, line, lines, last);
        x += step;
    }
    if (s->first <= 1 && s->end > 1) {
        add_column(sum + 1, x, line, lines, last);
        x += step;
    }
    size_t u = 1;
    for (; 2 * u + 1 < s->end; u++, x += 2 * step) {
        fetch_below(x, line, lines);
        fetch_below(x + step, line, lines);
        stoa_vec now = STOA_LOAD(stoa_vec, dy + u * step);
        add_column(sum, x, line, lines, now);
        add_column(sum + 2, x, line, lines, last);
        add_column(sum + 1, x + step, line, lines, now);
        last = now;
    }
    if (2 * u < s->end) {
        if (u < s->outputs) {
            add_column(sum, x, line, lines, STOA_LOAD(stoa_vec, dy + u * step));
        }
        add_column(sum + 2, x, line, lines, last);
    }
}

STOA_INLINE void sweep_lines(const struct sweep *s, size_t stride, const float *x, const float *dy,
                             size_t lines, stoa_vec *sum) {
    if (stride == 1) {
        sweep_dense(s, x, dy, lines, sum);
    } else {
        sweep_every_other(s, x, dy, lines, sum);
    }
}

STOA_INLINE void sweep_rows(const struct sweep *s, size_t stride, float *dweight) {
    for (size_t c = 0; c + STOA_LANES <= s->channels; c += STOA_LANES) {
        stoa_vec sum[SIDE * SIDE] = {{0}};
        for (size_t r = 0; r < s->rows; r++) {
            const float *x = s->row[r].x + c;
            const float *dy = s->row[r].dy + c;
            switch (SIDE * s->row[r].lines + s->row[r].tap) {
            case SIDE * 3:
                sweep_lines(s, stride, x, dy, 3, sum);
                break;
            case SIDE * 2:
                sweep_lines(s, stride, x, dy, 2, sum);
                break;
            case SIDE * 2 + 1:
                sweep_lines(s, stride, x, dy, 2, sum + SIDE);
                break;
            case SIDE:
                sweep_lines(s, stride, x, dy, 1, sum);
                break;
            case SIDE + 1:
                sweep_lines(s, stride, x, dy, 1, sum + SIDE);
                break;
            case SIDE + 2:
                sweep_lines(s, stride, x, dy, 1, sum + 2 * SIDE);
                break;
            default: /* nothing but padding */
                break;
            }
        }
        for (size_t i = 0; i < SIDE * SIDE; i++) {
            float *to = dweight + i * s->channels + c;
            STOA_STORE(stoa_vec, to, STOA_LOAD(stoa_vec, to) + sum[i]);
        }
    }
}

static bool can_sweep(const struct stoa_window *w) {
    return w->kernel_width == SIDE && w->kernel_height == SIDE && w->dilation_width == 1 &&
           w->pad_left < SIDE && (w->stride_width == 2 || (w->stride_width == 1 && w->out_width > 1));
}

/* The channels that fill vectors. */
static void sweep(const struct stoa_window *w, const float *x, const float *dy, size_t first_row, size_t rows,
                  float *dweight) {
    const size_t line_floats = w->width * w->channels;
    struct sweep s = {
        .x_line = (ptrdiff_t)(w->dilation_height * line_floats),
        .channels = w->channels,
        .first = w->pad_left,
        .end = stoa_min(w->pad_left + w->width, (w->out_width - 1) * w->stride_width + SIDE),
        .outputs = w->out_width,
    };
    const size_t most = stoa_min(ROWS, stoa_ceil_div(PIXELS, w->out_width));
    for (size_t r = first_row; r < first_row + rows; r++, dy += w->out_width * w->channels) {
        const float *image = x + r / w->out_height * w->height * line_floats;
        struct stoa_span v = stoa_span_of(r % w->out_height, w->stride_height, w->pad_top, w->kernel_height,
                                          w->dilation_height, w->height);
        s.row[s.rows++] = (struct row){image + v.start * line_floats, dy, v.first, v.end - v.first};
        if (s.rows == most || r + 1 == first_row + rows) {
            if (w->stride_width == 1) {
                sweep_rows(&s, 1, dweight);
            } else {
                sweep_rows(&s, 2, dweight);
            }
            s.rows = 0;
        }
    }
}

/* to[c] += sum over `pixels` of x[c] * dy[c] for channels c .. channels - 1: the tap's gradient from one output row. */
STOA_INLINE void tap_gradient(const float *restrict x, size_t x_step, const float *restrict dy, size_t pixels,
                              size_t c, size_t channels, float *restrict to) {
    for (; c + STOA_LANES <= channels; c += STOA_LANES) {
        stoa_vec sum = {0};
        for (size_t p = 0; p < pixels; p++) {
            sum += STOA_LOAD(stoa_vec, x + p * x_step + c) * STOA_LOAD(stoa_vec, dy + p * channels + c);
        }
        STOA_STORE(stoa_vec, to + c, STOA_LOAD(stoa_vec, to + c) + sum);
    }
    for (; c < channels; c++) {
        float sum = 0;
        for (size_t p = 0; p < pixels; p++) {
            sum += x[p * x_step + c] * dy[p * channels + c];
        }
        to[c] += sum;
    }
}

void STOA_KERNEL(depthwise_backward_weights)(const struct stoa_window *w, const float *x, const float *dy,
                                             size_t first_row, size_t rows, float *dweight) {
    size_t channels = w->channels;
    size_t line_floats = w->width * channels;
    size_t done = 0; /* channels */
    if (can_sweep(w)) {
        done = channels / STOA_LANES * STOA_LANES;
        sweep(w, x, dy, first_row, rows, dweight);
    }
    if (done == channels) {
        return;
    }
    for (size_t r = first_row; r < first_row + rows; r++, dy += w->out_width * channels) {
        const float *image = x + r / w->out_height * w->height * line_floats;
        struct stoa_span v = stoa_span_of(r % w->out_height, w->stride_height, w->pad_top, w->kernel_height,
                                          w->dilation_height, w->height);
        for (size_t kh = v.first; kh < v.end; kh++) {
            const float *line = image + (v.start + (kh - v.first) * w->dilation_height) * line_floats;
            for (size_t kw = 0; kw < w->kernel_width; kw++) {
                /* Output pixels whose tap kw lies inside the image: the same question with the roles of
                 * kernel and output exchanged. */
                struct stoa_span o =
                    stoa_span_of(kw, w->dilation_width, w->pad_left, w->out_width, w->stride_width, w->width);
                tap_gradient(line + o.start * channels, w->stride_width * channels, dy + o.first * channels,
                             o.end - o.first, done, channels,
                             dweight + (kh * w->kernel_width + kw) * channels);
            }
        }
    }
}
