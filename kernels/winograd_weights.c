/* Winograd's transform of weights, G W G^T, and its adjoint for their gradients, G^T S G; vectors along the filters.
 * Floor 1. */
#include "base/size.h"
#include "kernels/winograd_lines.h"

/* A range of a wide layer's filters is a short piece of each channel's row: rows are fetched AHEAD. */
enum { TAPS = 3, POINTS = STOA_WINOGRAD_POINTS, AHEAD = 4 };

/* The taps of one channel and a vector of filters. */
STOA_INLINE void weights_vector(size_t points, const float *w, ptrdiff_t line, ptrdiff_t tap, size_t ahead,
                                float *restrict u, size_t u_step) {
    _Alignas(4 * STOA_LANES) float buffer[TAPS * POINTS * STOA_LANES];
    for (size_t j = 0; j < TAPS; j++) {
        stoa_vec g[TAPS];
        stoa_vec v[POINTS];
        for (size_t i = 0; i < TAPS; i++) {
            const float *at = w + (ptrdiff_t)i * line + (ptrdiff_t)j * tap;
            g[i] = STOA_LOAD(stoa_vec, at);
            __builtin_prefetch(at + ahead);
        }
        winograd_weights_line(points, g, v);
        for (size_t i = 0; i < points; i++) {
            STOA_STORE(stoa_vec, buffer + (i * TAPS + j) * STOA_LANES, v[i]);
        }
    }
    for (size_t i = 0; i < points; i++) {
        stoa_vec g[TAPS];
        stoa_vec v[POINTS];
        for (size_t j = 0; j < TAPS; j++) {
            g[j] = STOA_LOAD(stoa_vec, buffer + (i * TAPS + j) * STOA_LANES);
        }
        winograd_weights_line(points, g, v);
        for (size_t j = 0; j < points; j++) {
            STOA_STORE(stoa_vec, u + (i * points + j) * u_step, v[j]);
        }
    }
}

STOA_INLINE void weights_of_points(size_t points, const float *w, ptrdiff_t line, ptrdiff_t tap, size_t ahead,
                                   size_t filters, float *restrict u, size_t u_step) {
    if (filters < STOA_LANES) {
        float in[TAPS * TAPS * STOA_LANES] = {0};
        float out[POINTS * POINTS * STOA_LANES];
        for (size_t i = 0; i < (size_t)TAPS * TAPS; i++) {
            memcpy(in + i * STOA_LANES, w + (ptrdiff_t)(i / TAPS) * line + (ptrdiff_t)(i % TAPS) * tap,
                   filters * sizeof *in);
        }
        weights_vector(points, in, TAPS * STOA_LANES, STOA_LANES, 0, out, STOA_LANES);
        for (size_t i = 0; i < points * points; i++) {
            memcpy(u + i * u_step, out + i * STOA_LANES, filters * sizeof *u);
        }
        return;
    }
    /* The last vector ends where the filters end, and may overlap the one before. */
    for (size_t k = 0; k < filters;) {
        weights_vector(points, w + k, line, tap, ahead, u + k, u_step);
        k = k + STOA_LANES < filters ? stoa_min(k + STOA_LANES, filters - STOA_LANES) : filters;
    }
}

void STOA_KERNEL(winograd_weights)(size_t points, const float *w, ptrdiff_t line, ptrdiff_t tap,
                                   size_t channels, size_t filters, size_t w_stride, float *u,
                                   size_t u_stride, size_t u_step) {
    for (size_t c = 0; c < channels; c++, w += w_stride, u += u_stride) {
        if (points == 8) {
            weights_of_points(8, w, line, tap, AHEAD * w_stride, filters, u, u_step);
        } else if (points == 6) {
            weights_of_points(6, w, line, tap, AHEAD * w_stride, filters, u, u_step);
        } else {
            weights_of_points(4, w, line, tap, AHEAD * w_stride, filters, u, u_step);
        }
    }
}

STOA_INLINE void gradient_vector(size_t points, const float *s, size_t s_step, float *restrict dw,
                                 size_t tap) {
    _Alignas(4 * STOA_LANES) float buffer[TAPS * POINTS * STOA_LANES];
    for (size_t j = 0; j < points; j++) {
        stoa_vec u[POINTS];
        stoa_vec g[TAPS];
        for (size_t i = 0; i < points; i++) {
            u[i] = STOA_LOAD(stoa_vec, s + (i * points + j) * s_step);
        }
        winograd_weights_gradient_line(points, u, g);
        for (size_t i = 0; i < TAPS; i++) {
            STOA_STORE(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES, g[i]);
        }
    }
    for (size_t i = 0; i < TAPS; i++) {
        stoa_vec u[POINTS];
        stoa_vec g[TAPS];
        for (size_t j = 0; j < points; j++) {
            u[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_weights_gradient_line(points, u, g);
        for (size_t j = 0; j < TAPS; j++) {
            STOA_STORE(stoa_vec, dw + (i * TAPS + j) * tap, g[j]);
        }
    }
}

STOA_INLINE void gradient_of_points(size_t points, const float *s, size_t s_step, size_t filters,
                                    float *restrict dw, size_t tap) {
    if (filters < STOA_LANES) {
        float in[POINTS * POINTS * STOA_LANES] = {0};
        float out[TAPS * TAPS * STOA_LANES];
        for (size_t i = 0; i < points * points; i++) {
            memcpy(in + i * STOA_LANES, s + i * s_step, filters * sizeof *in);
        }
        gradient_vector(points, in, STOA_LANES, out, STOA_LANES);
        for (size_t i = 0; i < (size_t)TAPS * TAPS; i++) {
            memcpy(dw + i * tap, out + i * STOA_LANES, filters * sizeof *dw);
        }
        return;
    }
    for (size_t k = 0; k < filters;) {
        gradient_vector(points, s + k, s_step, dw + k, tap);
        k = k + STOA_LANES < filters ? stoa_min(k + STOA_LANES, filters - STOA_LANES) : filters;
    }
}

void STOA_KERNEL(winograd_weights_gradient)(size_t points, const float *s, size_t s_stride, size_t s_step,
                                            size_t channels, size_t filters, float *dw, size_t dw_stride,
                                            size_t tap) {
    for (size_t c = 0; c < channels; c++, s += s_stride, dw += dw_stride) {
        if (points == 8) {
            gradient_of_points(8, s, s_step, filters, dw, tap);
        } else if (points == 6) {
            gradient_of_points(6, s, s_step, filters, dw, tap);
        } else {
            gradient_of_points(4, s, s_step, filters, dw, tap);
        }
    }
}
