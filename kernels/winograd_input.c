/* SPDX-License-Identifier: MIT */
/* Winograd's transform of input patches, B^T X B; vectors lie along the channels.
 *
 * A patch is transformed column by column into a small buffer and from there row by row, because 36 or 64
 * vectors and what they are made of do not fit the registers. */
#include "base/size.h"
#include "kernels/winograd_lines.h"

enum { POINTS = STOA_WINOGRAD_POINTS, BUFFER = POINTS * POINTS * STOA_LANES };

/* A patch in an image, and which of its rows and columns lie inside: [top, bottom) and [left, right), both
 * empty where one is. Where rows lie outside, each row reads one inside and is masked. */
struct patch {
    const float *first; /* pixel (top, left) of the patch */
    size_t line, pixel; /* floats between neighbours */
    size_t top, bottom, left, right;
    size_t from[POINTS]; /* for each row one that lies inside */
    int32_t mask[POINTS];
};

/* Transform patch columns of n pixels into rows of `buffer`, buffer[point][column]. `cut`: rows lie
 * outside. */
STOA_INLINE void transform_columns(const struct patch *p, size_t c, size_t set, size_t n, bool cut,
                                   size_t columns, float *buffer) {
    const float *x = p->first + c;
    size_t line = p->line;
    for (size_t j = 0; j < columns; j++, buffer += STOA_LANES) {
        stoa_vec d[POINTS];
        stoa_vec v[POINTS] = {{0}};
        if (j >= p->left && j < p->right) {
            for (size_t i = 0; i < n; i++) {
                if (cut) {
                    d[i] = (stoa_vec)(STOA_LOAD(stoa_ivec, x + p->from[i]) & p->mask[i]);
                } else {
                    d[i] = STOA_LOAD(stoa_vec, x + i * line);
                    __builtin_prefetch(x + i * line + (set - 2) * p->pixel); /* the next tile */
                }
            }
            winograd_input_line(set, n, d, v);
            x += p->pixel;
        }
        for (size_t i = 0; i < n; i++) {
            STOA_STORE(stoa_vec, buffer + i * POINTS * STOA_LANES, v[i]);
        }
    }
}

/* Transform `lines` rows of the buffer, each of n vectors, to their places. */
STOA_INLINE void transform_lines(const float *buffer, size_t set, size_t lines, size_t n, size_t points,
                                 float *restrict to, size_t point_step) {
    for (size_t i = 0; i < lines; i++) {
        stoa_vec d[POINTS];
        stoa_vec v[POINTS];
        for (size_t j = 0; j < n; j++) {
            d[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_input_line(set, n, d, v);
        for (size_t j = 0; j < n; j++) {
            STOA_STORE(stoa_vec, to + (i * points + j) * point_step, v[j]);
        }
    }
}

/* `set`: the points of the set, a constant; `points`: those of the tile's rows in v. */
STOA_INLINE void transform_vector(const struct patch *p, const struct stoa_winograd_tile *t, size_t c,
                                  bool cut, const size_t set, size_t points, float *restrict v,
                                  size_t v_step) {
    _Alignas(4 * STOA_LANES) float buffer[BUFFER];
#define COLUMNS(n) transform_columns(p, c, set, n, cut, stoa_winograd_columns(t), buffer)
#define LINES(n) transform_lines(buffer, set, stoa_winograd_lines(t), n, points, v, v_step)
    WINOGRAD_SWITCH(STOA_WINOGRAD_LEAST_TAPS, set, stoa_winograd_lines(t), COLUMNS)
    WINOGRAD_SWITCH(STOA_WINOGRAD_LEAST_TAPS, set, stoa_winograd_columns(t), LINES)
#undef COLUMNS
#undef LINES
}

/* The part of [start - pad, start - pad + size) inside [0, limit), counted from its start. */
static void inside(size_t start, size_t pad, size_t size, size_t limit, size_t *first, size_t *end) {
    *first = start < pad ? stoa_min(pad - start, size) : 0;
    *end = stoa_min(size, limit + pad > start ? limit + pad - start : 0);
    *end = stoa_max(*first, *end);
}

static struct patch patch_of(const struct stoa_window *w, const struct stoa_winograd_tile *t,
                             const float *x) {
    struct patch p = {.line = w->width * w->channels, .pixel = w->channels};
    inside(t->row, w->pad_top, stoa_winograd_lines(t), w->height, &p.top, &p.bottom);
    inside(t->column, w->pad_left, stoa_winograd_columns(t), w->width, &p.left, &p.right);
    if (p.top == p.bottom || p.left == p.right) {
        p.first = x;
        p.bottom = p.top;
        p.right = p.left;
        return p;
    }
    p.first = x + (t->row + p.top - w->pad_top) * p.line + (t->column + p.left - w->pad_left) * p.pixel;
    for (size_t i = 0; i < stoa_winograd_lines(t); i++) {
        size_t from = i < p.top ? p.top : i < p.bottom ? i : p.bottom - 1;
        p.from[i] = (from - p.top) * p.line;
        p.mask[i] = i == from ? -1 : 0;
    }
    return p;
}

STOA_INLINE void transform(const struct patch *p, const struct stoa_winograd_tile *t, const size_t set,
                           size_t points, size_t channels, float *v, size_t v_step) {
    bool cut = p->bottom - p->top < stoa_winograd_lines(t);
    /* The last vector ends where the channels end, and may overlap the one before. Only a single one may go
     * beyond. */
    for (size_t c = 0; c < channels;) {
        if (cut) {
            transform_vector(p, t, c, true, set, points, v + c, v_step);
        } else {
            transform_vector(p, t, c, false, set, points, v + c, v_step);
        }
        c = c + STOA_LANES < channels ? stoa_min(c + STOA_LANES, channels - STOA_LANES) : channels;
    }
}

void STOA_KERNEL(winograd_input)(const struct stoa_window *w, const struct stoa_winograd_tile *t,
                                 size_t points, size_t channels, const float *x, float *v, size_t v_step) {
    const struct patch p = patch_of(w, t, x);
    if (points == 8) {
        transform(&p, t, 8, points, channels, v, v_step);
    } else {
        transform(&p, t, 6, points, channels, v, v_step);
    }
}
