/* Winograd's transform of input patches, B^T X B; vectors along the channels. Floor 1.
 *
 * A patch is transformed column by column into a small buffer and from there line by line: 36 or 64 vectors and what
 * they are made of do not fit the registers. */
#include "base/size.h"
#include "kernels/winograd_lines.h"

enum { POINTS = STOA_WINOGRAD_POINTS, BUFFER = POINTS * POINTS * STOA_LANES };

/* A patch in an image, and which of its lines and columns lie inside: [top, bottom) and [left, right), both empty where
 * one is. Where lines lie outside, each line reads one inside and is masked. */
struct patch {
    const float *first; /* pixel (top, left) of the patch */
    size_t line, pixel; /* floats between neighbours */
    size_t top, bottom, left, right;
    size_t from[POINTS]; /* a line inside for each line */
    int32_t mask[POINTS];
};

/* Patch columns of m + 2 pixels into rows of `buffer`: buffer[point][column]. `cut`: lines lie outside. */
STOA_INLINE void transform_columns(const struct patch *p, size_t c, size_t set, size_t m, bool cut,
                                   size_t columns, float *buffer) {
    const float *x = p->first + c;
    size_t line = p->line;
    for (size_t j = 0; j < columns; j++, buffer += STOA_LANES) {
        stoa_vec d[POINTS];
        stoa_vec v[POINTS] = {{0}};
        if (j >= p->left && j < p->right) {
            for (size_t i = 0; i < m + 2; i++) {
                if (cut) {
                    d[i] = (stoa_vec)(STOA_LOAD(stoa_ivec, x + p->from[i]) & p->mask[i]);
                } else {
                    d[i] = STOA_LOAD(stoa_vec, x + i * line);
                    __builtin_prefetch(x + i * line + (set - 2) * p->pixel); /* the next tile */
                }
            }
            winograd_input_line(set, m, d, v);
            x += p->pixel;
        }
        for (size_t i = 0; i < m + 2; i++) {
            STOA_STORE(stoa_vec, buffer + i * POINTS * STOA_LANES, v[i]);
        }
    }
}

/* `lines` rows of the buffer, each of m + 2 vectors, to their places. */
STOA_INLINE void transform_lines(const float *buffer, size_t set, size_t lines, size_t m, size_t points,
                                 float *restrict to, size_t point_step) {
    for (size_t i = 0; i < lines; i++) {
        stoa_vec d[POINTS];
        stoa_vec v[POINTS];
        for (size_t j = 0; j < m + 2; j++) {
            d[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_input_line(set, m, d, v);
        for (size_t j = 0; j < m + 2; j++) {
            STOA_STORE(stoa_vec, to + (i * points + j) * point_step, v[j]);
        }
    }
}

/* `set`: the points of the set, a constant; `points`: those of the tile's rows in v. */
STOA_INLINE void transform_vector(const struct patch *p, const struct stoa_winograd_tile *t, size_t c,
                                  bool cut, const size_t set, size_t points, float *restrict v,
                                  size_t v_step) {
    _Alignas(4 * STOA_LANES) float buffer[BUFFER];
#define COLUMNS(m) transform_columns(p, c, set, m, cut, t->width + 2, buffer)
#define LINES(m) transform_lines(buffer, set, t->height + 2, m, points, v, v_step)
    WINOGRAD_SWITCH(set, t->height, COLUMNS)
    WINOGRAD_SWITCH(set, t->width, LINES)
#undef COLUMNS
#undef LINES
}

/* Fewer channels than a vector has lanes: through padded copies. */
STOA_INLINE void transform_few(const struct patch *p, const struct stoa_winograd_tile *t, size_t channels,
                               const size_t set, size_t points, float *restrict v, size_t v_step) {
    _Alignas(4 * STOA_LANES) float in[BUFFER] = {0};
    _Alignas(4 * STOA_LANES) float out[BUFFER];
    struct patch padded = {
        .first = in, .line = POINTS * STOA_LANES, .pixel = STOA_LANES, .right = t->width + 2};
    for (size_t i = p->top; i < p->bottom; i++) {
        for (size_t j = p->left; j < p->right; j++) {
            memcpy(in + (i * POINTS + j) * STOA_LANES,
                   p->first + (i - p->top) * p->line + (j - p->left) * p->pixel, channels * sizeof *in);
        }
    }
    transform_vector(&padded, t, 0, false, set, POINTS, out, STOA_LANES);
    for (size_t i = 0; i < t->height + 2; i++) {
        for (size_t j = 0; j < t->width + 2; j++) {
            memcpy(v + (i * points + j) * v_step, out + (i * POINTS + j) * STOA_LANES, channels * sizeof *v);
        }
    }
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
    inside(t->row, w->pad_top, t->height + 2, w->height, &p.top, &p.bottom);
    inside(t->column, w->pad_left, t->width + 2, w->width, &p.left, &p.right);
    if (p.top == p.bottom || p.left == p.right) {
        p.first = x;
        p.bottom = p.top;
        p.right = p.left;
        return p;
    }
    p.first = x + (t->row + p.top - w->pad_top) * p.line + (t->column + p.left - w->pad_left) * p.pixel;
    for (size_t i = 0; i < t->height + 2; i++) {
        size_t from = i < p.top ? p.top : i < p.bottom ? i : p.bottom - 1;
        p.from[i] = (from - p.top) * p.line;
        p.mask[i] = i == from ? -1 : 0;
    }
    return p;
}

STOA_INLINE void transform(const struct patch *p, const struct stoa_winograd_tile *t, const size_t set,
                           size_t points, size_t channels, float *v, size_t v_step) {
    if (channels < STOA_LANES) {
        transform_few(p, t, channels, set, points, v, v_step);
        return;
    }
    bool cut = p->bottom - p->top < t->height + 2;
    /* The last vector ends where the channels end, and may overlap the one before. */
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
                                 size_t points, const float *x, float *v, size_t v_step) {
    const struct patch p = patch_of(w, t, x);
    if (points == 8) {
        transform(&p, t, 8, points, w->channels, v, v_step);
    } else {
        transform(&p, t, 6, points, w->channels, v, v_step);
    }
}
