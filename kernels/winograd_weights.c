/* SPDX-License-Identifier: MIT */
/* Winograd's transform of weights, G W G^T, and its adjoint for their gradients, G^T S G; vectors lie along
 * the filters. */
#include "base/size.h"
#include "kernels/winograd_lines.h"

/* A range of a wide layer's filters is a short piece of each channel's row, so the pieces of so many rows
 * ahead are fetched, a share with each row of points that is made of a channel. */
enum { TAPS = STOA_WINOGRAD_MOST_TAPS, POINTS = STOA_WINOGRAD_POINTS, AHEAD = 32 };

/* Some rows of G, by taps. */
struct rows {
    size_t lines;
    float of[POINTS][TAPS];
};

/* The taps of one channel and a vector of filters, `tap` floats apart; `points` and `count`, of the taps a
 * side, are constants. A row's own sums take no more than sharing them between a and -a would, so any rows
 * may be made. */
STOA_INLINE void weights_vector(const size_t points, const size_t count, const struct rows *rows,
                                const float *w, size_t tap, size_t ahead, float *restrict u, size_t u_step) {
    stoa_vec g[TAPS][TAPS];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            const float *at = w + (i * count + j) * tap;
            g[i][j] = STOA_LOAD(stoa_vec, at);
            __builtin_prefetch(at + ahead);
        }
    }
    for (size_t line = 0; line < rows->lines; line++, u += points * u_step) {
        stoa_vec sums[TAPS] = {{0}};
        stoa_vec v[POINTS];
        for (size_t j = 0; j < count; j++) {
            sums[j] = rows->of[line][0] * g[0][j];
            for (size_t i = 1; i < count; i++) {
                sums[j] += rows->of[line][i] * g[i][j];
            }
        }
        winograd_weights_line(points, count, sums, v);
        for (size_t j = 0; j < points; j++) {
            STOA_STORE(stoa_vec, u + j * u_step, v[j]);
        }
    }
}

/* Fewer filters than a vector has are made from this and into it. There is one for all forms, each of which
 * would otherwise have its own on the stack. */
struct few {
    float in[TAPS * TAPS * STOA_LANES], out[POINTS * POINTS * STOA_LANES];
};

STOA_INLINE void weights_of_few(const size_t points, const size_t count, const struct rows *rows,
                                const float *w, size_t tap, size_t filters, struct few *few,
                                float *restrict u, size_t u_step) {
    memset(few->in, 0, sizeof few->in);
    for (size_t i = 0; i < count * count; i++) {
        memcpy(few->in + i * STOA_LANES, w + i * tap, filters * sizeof(float));
    }
    weights_vector(points, count, rows, few->in, STOA_LANES, 0, few->out, STOA_LANES);
    for (size_t i = 0; i < rows->lines * points; i++) {
        memcpy(u + i * u_step, few->out + i * STOA_LANES, filters * sizeof *u);
    }
}

/* The last vector ends where the filters end, and may overlap the one before. */
STOA_INLINE void weights_of_points(const size_t points, const size_t count, const struct rows *rows,
                                   const float *w, size_t channels, size_t filters, struct few *few,
                                   float *restrict u, size_t u_stride, size_t u_step) {
    const size_t ahead = AHEAD / stoa_max(1, rows->lines) * filters;
    const size_t tap = channels * filters;
    for (size_t c = 0; c < channels; c++, w += filters, u += u_stride) {
        if (filters < STOA_LANES) {
            weights_of_few(points, count, rows, w, tap, filters, few, u, u_step);
            continue;
        }
        for (size_t k = 0; k < filters;) {
            weights_vector(points, count, rows, w + k, tap, ahead, u + k, u_step);
            k = k + STOA_LANES < filters ? stoa_min(k + STOA_LANES, filters - STOA_LANES) : filters;
        }
    }
}

void STOA_KERNEL(winograd_weights)(size_t points, size_t taps, size_t line, size_t lines, const float *w,
                                   size_t channels, size_t filters, float *u, size_t u_stride,
                                   size_t u_step) {
    struct rows rows = {.lines = lines};
    struct few few;
    for (size_t i = 0; i < lines; i++) {
        winograd_weights_row(points, taps, line + i, rows.of[i]);
    }
#define WEIGHTS(points, count)                                                                               \
    weights_of_points(points, count, &rows, w, channels, filters, &few, u, u_stride, u_step)
    if (points == 4) {
        WEIGHTS(4, 3);
        return;
    }
    WINOGRAD_FORM_SWITCH(points, taps, WEIGHTS)
#undef WEIGHTS
}

STOA_INLINE void gradient_vector(const size_t points, const size_t count, const float *s, size_t s_step,
                                 float *restrict dw, const struct stoa_winograd_taps *t) {
    _Alignas(4 * STOA_LANES) float buffer[TAPS * POINTS * STOA_LANES];
    for (size_t j = 0; j < points; j++) {
        stoa_vec u[POINTS] = {{0}};
        stoa_vec g[TAPS] = {{0}};
        for (size_t i = 0; i < points; i++) {
            u[i] = STOA_LOAD(stoa_vec, s + (i * points + j) * s_step);
        }
        winograd_weights_gradient_line(points, count, u, g);
        for (size_t i = 0; i < count; i++) {
            STOA_STORE(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES, g[i]);
        }
    }
    for (size_t i = 0; i < count && i < t->lines; i++) {
        stoa_vec u[POINTS] = {{0}};
        stoa_vec g[TAPS] = {{0}};
        for (size_t j = 0; j < points; j++) {
            u[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_weights_gradient_line(points, count, u, g);
        for (size_t j = 0; j < count && j < t->columns; j++) {
            STOA_STORE(stoa_vec, dw + i * t->line + j * t->tap, g[j]);
        }
    }
}

STOA_INLINE void gradient_of_points(const size_t points, const size_t count, const float *s, size_t s_step,
                                    size_t filters, float *restrict dw, const struct stoa_winograd_taps *t) {
    if (filters < STOA_LANES) {
        float in[POINTS * POINTS * STOA_LANES] = {0};
        float out[TAPS * TAPS * STOA_LANES];
        for (size_t i = 0; i < points * points; i++) {
            memcpy(in + i * STOA_LANES, s + i * s_step, filters * sizeof *in);
        }
        const struct stoa_winograd_taps dense = {
            .lines = count, .columns = count, .line = TAPS * STOA_LANES, .tap = STOA_LANES};
        gradient_vector(points, count, in, STOA_LANES, out, &dense);
        for (size_t i = 0; i < t->lines * t->columns; i++) {
            size_t row = i / t->columns;
            size_t column = i % t->columns;
            memcpy(dw + row * t->line + column * t->tap, out + (row * TAPS + column) * STOA_LANES,
                   filters * sizeof *dw);
        }
        return;
    }
    for (size_t k = 0; k < filters;) {
        gradient_vector(points, count, s + k, s_step, dw + k, t);
        k = k + STOA_LANES < filters ? stoa_min(k + STOA_LANES, filters - STOA_LANES) : filters;
    }
}

void STOA_KERNEL(winograd_weights_gradient)(size_t points, const float *s, size_t s_stride, size_t s_step,
                                            size_t channels, size_t filters, float *dw,
                                            const struct stoa_winograd_taps *taps, size_t dw_stride) {
#define GRADIENT(points, count) gradient_of_points(points, count, s, s_step, filters, dw, taps)
    for (size_t c = 0; c < channels; c++, s += s_stride, dw += dw_stride) {
        if (points == 4) {
            GRADIENT(4, 3);
            continue;
        }
        WINOGRAD_FORM_SWITCH(points, taps->count, GRADIENT)
    }
#undef GRADIENT
}
