/* Winograd's transform of input patches, B^T X B; vectors along the channels. Floor 1.
 *
 * A patch is transformed column by column into a small buffer and from there line by line: 36 vectors and what they are
 * made of do not fit the registers. */
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
STOA_INLINE void transform_columns(const struct patch *p, size_t c, size_t m, bool cut, size_t columns,
                                   float *buffer) {
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
                    __builtin_prefetch(x + i * line + STOA_WINOGRAD_OUTPUTS * p->pixel); /* the next tile */
                }
            }
            winograd_input_line(m, d, v);
            x += p->pixel;
        }
        for (size_t i = 0; i < m + 2; i++) {
            STOA_STORE(stoa_vec, buffer + i * POINTS * STOA_LANES, v[i]);
        }
    }
}

/* `lines` rows of the buffer, each of m + 2 vectors, to their places. */
STOA_INLINE void transform_lines(const float *buffer, size_t lines, size_t m, size_t points,
                                 float *restrict to, size_t point_step) {
    for (size_t i = 0; i < lines; i++) {
        stoa_vec d[POINTS];
        stoa_vec v[POINTS];
        for (size_t j = 0; j < m + 2; j++) {
            d[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_input_line(m, d, v);
        for (size_t j = 0; j < m + 2; j++) {
            STOA_STORE(stoa_vec, to + (i * points + j) * point_step, v[j]);
        }
    }
}

STOA_INLINE void transform_vector(const struct patch *p, const struct stoa_winograd_tile *t, size_t c,
                                  bool cut, size_t points, float *restrict v, size_t v_step) {
    _Alignas(4 * STOA_LANES) float buffer[BUFFER];
    switch (t->height) {
    case 1:
        transform_columns(p, c, 1, cut, t->width + 2, buffer);
        break;
    case 2:
        transform_columns(p, c, 2, cut, t->width + 2, buffer);
        break;
    case 3:
        transform_columns(p, c, 3, cut, t->width + 2, buffer);
        break;
    default:
        transform_columns(p, c, 4, cut, t->width + 2, buffer);
    }
    switch (t->width) {
    case 1:
        transform_lines(buffer, t->height + 2, 1, points, v, v_step);
        break;
    case 2:
        transform_lines(buffer, t->height + 2, 2, points, v, v_step);
        break;
    case 3:
        transform_lines(buffer, t->height + 2, 3, points, v, v_step);
        break;
    default:
        transform_lines(buffer, t->height + 2, 4, points, v, v_step);
    }
}

/* Fewer channels than a vector has lanes: through padded copies. */
static void transform_few(const struct patch *p, const struct stoa_winograd_tile *t, size_t channels,
                          size_t points, float *restrict v, size_t v_step) {
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
    transform_vector(&padded, t, 0, false, POINTS, out, STOA_LANES);
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

void STOA_KERNEL(winograd_input)(const struct stoa_window *w, const struct stoa_winograd_tile *t,
                                 size_t points, const float *x, float *v, size_t v_step) {
    size_t channels = w->channels;
    const struct patch p = patch_of(w, t, x);
    if (channels < STOA_LANES) {
        transform_few(&p, t, channels, points, v, v_step);
        return;
    }
    bool cut = p.bottom - p.top < t->height + 2;
    /* The last vector ends where the channels end, and may overlap the one before. */
    for (size_t c = 0; c < channels;) {
        if (cut) {
            transform_vector(&p, t, c, true, points, v + c, v_step);
        } else {
            transform_vector(&p, t, c, false, points, v + c, v_step);
        }
        c = c + STOA_LANES < channels ? stoa_min(c + STOA_LANES, channels - STOA_LANES) : channels;
    }
}
