/* SPDX-License-Identifier: MIT */
/* Winograd's transform to outputs, A^T M A, and its adjoint for output gradients, A DY A^T; vectors lie
 * along the filters. */
#include "base/size.h"
#include "kernels/winograd_lines.h"

enum {
    OUTPUTS = STOA_WINOGRAD_OUTPUTS,
    POINTS = STOA_WINOGRAD_POINTS,
    BUFFER = POINTS * POINTS * STOA_LANES,
};

/* The bias and ReLU of outputs. */
struct finish {
    const float *bias; /* NULL: none */
    bool relu;
};

/* Transform columns of n sums into rows of `buffer`, buffer[output row][column]. */
STOA_INLINE void output_columns(const float *from, size_t step, size_t set, size_t taps, size_t points,
                                size_t n, size_t columns, float *buffer) {
    size_t m = n + 1 - taps;
    for (size_t j = 0; j < columns; j++) {
        stoa_vec s[POINTS];
        stoa_vec y[OUTPUTS];
        for (size_t i = 0; i < n; i++) {
            s[i] = STOA_LOAD(stoa_vec, from + (i * points + j) * step);
        }
        winograd_output_line(set, taps, n, s, y);
        for (size_t i = 0; i < m; i++) {
            STOA_STORE(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES, y[i]);
        }
    }
}

/* Transform `lines` rows of the buffer, each of n vectors, to m pixels each. */
STOA_INLINE void output_lines(const float *buffer, size_t set, size_t taps, size_t lines, size_t n,
                              struct finish finish, float *restrict to, size_t line, size_t pixel) {
    size_t m = n + 1 - taps;
    stoa_vec bias = {0};
    if (finish.bias != NULL) {
        bias = STOA_LOAD(stoa_vec, finish.bias);
    }
    for (size_t i = 0; i < lines; i++) {
        stoa_vec s[POINTS];
        stoa_vec y[OUTPUTS];
        for (size_t j = 0; j < n; j++) {
            s[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_output_line(set, taps, n, s, y);
        for (size_t j = 0; j < m; j++) {
            stoa_vec value = y[j] + bias;
            if (finish.relu) {
                value = (stoa_vec)((stoa_ivec)value & ~(stoa_ivec)(value < 0)); /* NaN stays */
            }
            STOA_STORE(stoa_vec, to + i * line + j * pixel, value);
            __builtin_prefetch(to + i * line + (j + m) * pixel, 1); /* the next tile */
        }
    }
}

/* `set`, the points of the set, and taps are constants; `points`: those of the tile's rows in s. */
STOA_INLINE void output_vector(const struct stoa_winograd_tile *t, const size_t set, const size_t taps,
                               size_t points, const float *s, size_t s_step, struct finish finish,
                               float *restrict y, size_t line, size_t pixel) {
    _Alignas(4 * STOA_LANES) float buffer[BUFFER];
#define COLUMNS(n) output_columns(s, s_step, set, taps, points, n, stoa_winograd_columns(t), buffer)
#define LINES(n) output_lines(buffer, set, taps, t->height, n, finish, y, line, pixel)
    WINOGRAD_SWITCH(taps, set, stoa_winograd_lines(t), COLUMNS)
    WINOGRAD_SWITCH(taps, set, stoa_winograd_columns(t), LINES)
#undef COLUMNS
#undef LINES
}

/* Fewer filters than a vector has lanes go through padded copies. */
STOA_INLINE void output_few(const struct stoa_winograd_tile *t, const size_t set, const size_t taps,
                            size_t points, const float *s, size_t s_step, size_t filters,
                            struct finish finish, float *restrict y, size_t line, size_t pixel) {
    _Alignas(4 * STOA_LANES) float in[BUFFER];
    _Alignas(4 * STOA_LANES) float out[OUTPUTS * OUTPUTS * STOA_LANES];
    float bias[STOA_LANES] = {0};
    memset(in, 0, sizeof in);
    for (size_t i = 0; i < stoa_winograd_lines(t); i++) {
        for (size_t j = 0; j < stoa_winograd_columns(t); j++) {
            memcpy(in + (i * POINTS + j) * STOA_LANES, s + (i * points + j) * s_step, filters * sizeof *in);
        }
    }
    if (finish.bias != NULL) {
        memcpy(bias, finish.bias, filters * sizeof *bias);
        finish.bias = bias;
    }
    output_vector(t, set, taps, POINTS, in, STOA_LANES, finish, out, OUTPUTS * STOA_LANES, STOA_LANES);
    for (size_t i = 0; i < t->height; i++) {
        for (size_t j = 0; j < t->width; j++) {
            memcpy(y + i * line + j * pixel, out + (i * OUTPUTS + j) * STOA_LANES, filters * sizeof *y);
        }
    }
}

STOA_INLINE void output(const struct stoa_winograd_tile *t, const size_t set, const size_t taps,
                        size_t points, const float *s, size_t s_step, size_t filters, struct finish finish,
                        float *y, size_t line, size_t pixel) {
    if (filters < STOA_LANES) {
        output_few(t, set, taps, points, s, s_step, filters, finish, y, line, pixel);
        return;
    }
    /* The last vector ends where the filters end, and may overlap the one before. */
    const float *bias = finish.bias;
    for (size_t k = 0; k < filters;) {
        finish.bias = bias != NULL ? bias + k : NULL;
        output_vector(t, set, taps, points, s + k, s_step, finish, y + k, line, pixel);
        k = k + STOA_LANES < filters ? stoa_min(k + STOA_LANES, filters - STOA_LANES) : filters;
    }
}

void STOA_KERNEL(winograd_output)(const struct stoa_winograd_tile *t, size_t points, const float *s,
                                  size_t s_step, size_t filters, const float *bias, bool relu, float *y,
                                  size_t line, size_t pixel) {
    struct finish finish = {.bias = bias, .relu = relu};
    y += t->row * line + t->column * pixel;
#define OUTPUT(set, taps) output(t, set, taps, points, s, s_step, filters, finish, y, line, pixel)
    WINOGRAD_FORM_SWITCH(points, t->taps, OUTPUT)
#undef OUTPUT
}

/* Transform columns of m gradients into rows of `buffer`, buffer[point][column]. */
STOA_INLINE void gradient_columns(const float *from, size_t line, size_t pixel, size_t set, size_t taps,
                                  size_t n, size_t columns, float *buffer) {
    size_t m = n + 1 - taps;
    for (size_t j = 0; j < columns; j++) {
        stoa_vec dy[OUTPUTS];
        stoa_vec z[POINTS];
        for (size_t i = 0; i < m; i++) {
            dy[i] = STOA_LOAD(stoa_vec, from + i * line + j * pixel);
            __builtin_prefetch(from + i * line + (j + m) * pixel); /* the next tile */
        }
        winograd_gradient_line(set, taps, n, dy, z);
        for (size_t i = 0; i < n; i++) {
            STOA_STORE(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES, z[i]);
        }
    }
}

/* Transform `lines` rows of the buffer, each of m vectors, to n places each. */
STOA_INLINE void gradient_lines(const float *buffer, size_t set, size_t taps, size_t lines, size_t n,
                                size_t points, float *restrict to, size_t step) {
    size_t m = n + 1 - taps;
    for (size_t i = 0; i < lines; i++) {
        stoa_vec dy[OUTPUTS];
        stoa_vec z[POINTS];
        for (size_t j = 0; j < m; j++) {
            dy[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_gradient_line(set, taps, n, dy, z);
        for (size_t j = 0; j < n; j++) {
            STOA_STORE(stoa_vec, to + (i * points + j) * step, z[j]);
        }
    }
}

STOA_INLINE void gradient_vector(const struct stoa_winograd_tile *t, const size_t set, const size_t taps,
                                 size_t points, const float *dy, size_t line, size_t pixel, float *restrict z,
                                 size_t z_step) {
    _Alignas(4 * STOA_LANES) float buffer[BUFFER];
#define COLUMNS(n) gradient_columns(dy, line, pixel, set, taps, n, t->width, buffer)
#define LINES(n) gradient_lines(buffer, set, taps, stoa_winograd_lines(t), n, points, z, z_step)
    WINOGRAD_SWITCH(taps, set, stoa_winograd_lines(t), COLUMNS)
    WINOGRAD_SWITCH(taps, set, stoa_winograd_columns(t), LINES)
#undef COLUMNS
#undef LINES
}

STOA_INLINE void gradient_few(const struct stoa_winograd_tile *t, const size_t set, const size_t taps,
                              size_t points, const float *dy, size_t line, size_t pixel, size_t filters,
                              float *restrict z, size_t z_step) {
    _Alignas(4 * STOA_LANES) float in[OUTPUTS * OUTPUTS * STOA_LANES] = {0};
    _Alignas(4 * STOA_LANES) float out[BUFFER];
    for (size_t i = 0; i < t->height; i++) {
        for (size_t j = 0; j < t->width; j++) {
            memcpy(in + (i * OUTPUTS + j) * STOA_LANES, dy + i * line + j * pixel, filters * sizeof *in);
        }
    }
    gradient_vector(t, set, taps, POINTS, in, OUTPUTS * STOA_LANES, STOA_LANES, out, STOA_LANES);
    for (size_t i = 0; i < stoa_winograd_lines(t); i++) {
        for (size_t j = 0; j < stoa_winograd_columns(t); j++) {
            memcpy(z + (i * points + j) * z_step, out + (i * POINTS + j) * STOA_LANES, filters * sizeof *z);
        }
    }
}

STOA_INLINE void gradient(const struct stoa_winograd_tile *t, const size_t set, const size_t taps,
                          size_t points, const float *dy, size_t line, size_t pixel, size_t filters, float *z,
                          size_t z_step) {
    if (filters < STOA_LANES) {
        gradient_few(t, set, taps, points, dy, line, pixel, filters, z, z_step);
        return;
    }
    for (size_t k = 0; k < filters;) {
        gradient_vector(t, set, taps, points, dy + k, line, pixel, z + k, z_step);
        k = k + STOA_LANES < filters ? stoa_min(k + STOA_LANES, filters - STOA_LANES) : filters;
    }
}

void STOA_KERNEL(winograd_gradient)(const struct stoa_winograd_tile *t, size_t points, const float *dy,
                                    size_t line, size_t pixel, size_t filters, float *z, size_t z_step) {
    dy += t->row * line + t->column * pixel;
#define GRADIENT(set, taps) gradient(t, set, taps, points, dy, line, pixel, filters, z, z_step)
    WINOGRAD_FORM_SWITCH(points, t->taps, GRADIENT)
#undef GRADIENT
}
