/* Winograd's transform to outputs, A^T M A, and its adjoint for output gradients, A DY A^T; vectors along the filters.
 * Floor 1. */
#include "base/size.h"
#include "kernels/winograd_lines.h"

enum {
    OUTPUTS = STOA_WINOGRAD_OUTPUTS,
    POINTS = STOA_WINOGRAD_POINTS,
    BUFFER = POINTS * POINTS * STOA_LANES,
};

/* Bias and ReLU of outputs. */
struct finish {
    const float *bias; /* NULL: none */
    bool relu;
};

/* Columns of m + 2 sums into rows of `buffer`: buffer[output line][column]. */
STOA_INLINE void output_columns(const float *from, size_t step, size_t points, size_t m, size_t columns,
                                float *buffer) {
    for (size_t j = 0; j < columns; j++) {
        stoa_vec s[POINTS];
        stoa_vec y[OUTPUTS];
        for (size_t i = 0; i < m + 2; i++) {
            s[i] = STOA_LOAD(stoa_vec, from + (i * points + j) * step);
        }
        winograd_output_line(m, s, y);
        for (size_t i = 0; i < m; i++) {
            STOA_STORE(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES, y[i]);
        }
    }
}

/* `lines` rows of the buffer, each of m + 2 vectors, to m pixels each. */
STOA_INLINE void output_lines(const float *buffer, size_t lines, size_t m, struct finish finish,
                              float *restrict to, size_t line, size_t pixel) {
    stoa_vec bias = {0};
    if (finish.bias != NULL) {
        bias = STOA_LOAD(stoa_vec, finish.bias);
    }
    for (size_t i = 0; i < lines; i++) {
        stoa_vec s[POINTS];
        stoa_vec y[OUTPUTS];
        for (size_t j = 0; j < m + 2; j++) {
            s[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_output_line(m, s, y);
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

STOA_INLINE void output_vector(const struct stoa_winograd_tile *t, size_t points, const float *s,
                               size_t s_step, struct finish finish, float *restrict y, size_t line,
                               size_t pixel) {
    _Alignas(4 * STOA_LANES) float buffer[BUFFER];
    switch (t->height) {
    case 1:
        output_columns(s, s_step, points, 1, t->width + 2, buffer);
        break;
    case 2:
        output_columns(s, s_step, points, 2, t->width + 2, buffer);
        break;
    case 3:
        output_columns(s, s_step, points, 3, t->width + 2, buffer);
        break;
    default:
        output_columns(s, s_step, points, 4, t->width + 2, buffer);
    }
    switch (t->width) {
    case 1:
        output_lines(buffer, t->height, 1, finish, y, line, pixel);
        break;
    case 2:
        output_lines(buffer, t->height, 2, finish, y, line, pixel);
        break;
    case 3:
        output_lines(buffer, t->height, 3, finish, y, line, pixel);
        break;
    default:
        output_lines(buffer, t->height, 4, finish, y, line, pixel);
    }
}

/* Fewer filters than a vector has lanes: through padded copies. */
static void output_few(const struct stoa_winograd_tile *t, size_t points, const float *s, size_t s_step,
                       size_t filters, struct finish finish, float *restrict y, size_t line, size_t pixel) {
    _Alignas(4 * STOA_LANES) float in[BUFFER];
    _Alignas(4 * STOA_LANES) float out[OUTPUTS * OUTPUTS * STOA_LANES];
    float bias[STOA_LANES] = {0};
    memset(in, 0, sizeof in);
    for (size_t i = 0; i < t->height + 2; i++) {
        for (size_t j = 0; j < t->width + 2; j++) {
            memcpy(in + (i * POINTS + j) * STOA_LANES, s + (i * points + j) * s_step, filters * sizeof *in);
        }
    }
    if (finish.bias != NULL) {
        memcpy(bias, finish.bias, filters * sizeof *bias);
        finish.bias = bias;
    }
    output_vector(t, POINTS, in, STOA_LANES, finish, out, OUTPUTS * STOA_LANES, STOA_LANES);
    for (size_t i = 0; i < t->height; i++) {
        for (size_t j = 0; j < t->width; j++) {
            memcpy(y + i * line + j * pixel, out + (i * OUTPUTS + j) * STOA_LANES, filters * sizeof *y);
        }
    }
}

void STOA_KERNEL(winograd_output)(const struct stoa_winograd_tile *t, size_t points, const float *s,
                                  size_t s_step, size_t filters, const float *bias, bool relu, float *y,
                                  size_t line, size_t pixel) {
    struct finish finish = {.bias = bias, .relu = relu};
    y += t->row * line + t->column * pixel;
    if (filters < STOA_LANES) {
        output_few(t, points, s, s_step, filters, finish, y, line, pixel);
        return;
    }
    /* The last vector ends where the filters end, and may overlap the one before. */
    for (size_t k = 0; k < filters;) {
        finish.bias = bias != NULL ? bias + k : NULL;
        output_vector(t, points, s + k, s_step, finish, y + k, line, pixel);
        k = k + STOA_LANES < filters ? stoa_min(k + STOA_LANES, filters - STOA_LANES) : filters;
    }
}

/* Columns of m gradients into rows of `buffer`: buffer[point][column]. */
STOA_INLINE void gradient_columns(const float *from, size_t line, size_t pixel, size_t m, size_t columns,
                                  float *buffer) {
    for (size_t j = 0; j < columns; j++) {
        stoa_vec dy[OUTPUTS];
        stoa_vec z[POINTS];
        for (size_t i = 0; i < m; i++) {
            dy[i] = STOA_LOAD(stoa_vec, from + i * line + j * pixel);
            __builtin_prefetch(from + i * line + (j + m) * pixel); /* the next tile */
        }
        winograd_gradient_line(m, dy, z);
        for (size_t i = 0; i < m + 2; i++) {
            STOA_STORE(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES, z[i]);
        }
    }
}

/* `lines` rows of the buffer, each of m vectors, to m + 2 places each. */
STOA_INLINE void gradient_lines(const float *buffer, size_t lines, size_t m, size_t points,
                                float *restrict to, size_t step) {
    for (size_t i = 0; i < lines; i++) {
        stoa_vec dy[OUTPUTS];
        stoa_vec z[POINTS];
        for (size_t j = 0; j < m; j++) {
            dy[j] = STOA_LOAD(stoa_vec, buffer + (i * POINTS + j) * STOA_LANES);
        }
        winograd_gradient_line(m, dy, z);
        for (size_t j = 0; j < m + 2; j++) {
            STOA_STORE(stoa_vec, to + (i * points + j) * step, z[j]);
        }
    }
}

STOA_INLINE void gradient_vector(const struct stoa_winograd_tile *t, size_t points, const float *dy,
                                 size_t line, size_t pixel, float *restrict z, size_t z_step) {
    _Alignas(4 * STOA_LANES) float buffer[BUFFER];
    switch (t->height) {
    case 1:
        gradient_columns(dy, line, pixel, 1, t->width, buffer);
        break;
    case 2:
        gradient_columns(dy, line, pixel, 2, t->width, buffer);
        break;
    case 3:
        gradient_columns(dy, line, pixel, 3, t->width, buffer);
        break;
    default:
        gradient_columns(dy, line, pixel, 4, t->width, buffer);
    }
    switch (t->width) {
    case 1:
        gradient_lines(buffer, t->height + 2, 1, points, z, z_step);
        break;
    case 2:
        gradient_lines(buffer, t->height + 2, 2, points, z, z_step);
        break;
    case 3:
        gradient_lines(buffer, t->height + 2, 3, points, z, z_step);
        break;
    default:
        gradient_lines(buffer, t->height + 2, 4, points, z, z_step);
    }
}

static void gradient_few(const struct stoa_winograd_tile *t, size_t points, const float *dy, size_t line,
                         size_t pixel, size_t filters, float *restrict z, size_t z_step) {
    _Alignas(4 * STOA_LANES) float in[OUTPUTS * OUTPUTS * STOA_LANES] = {0};
    _Alignas(4 * STOA_LANES) float out[BUFFER];
    for (size_t i = 0; i < t->height; i++) {
        for (size_t j = 0; j < t->width; j++) {
            memcpy(in + (i * OUTPUTS + j) * STOA_LANES, dy + i * line + j * pixel, filters * sizeof *in);
        }
    }
    gradient_vector(t, POINTS, in, OUTPUTS * STOA_LANES, STOA_LANES, out, STOA_LANES);
    for (size_t i = 0; i < t->height + 2; i++) {
        for (size_t j = 0; j < t->width + 2; j++) {
            memcpy(z + (i * points + j) * z_step, out + (i * POINTS + j) * STOA_LANES, filters * sizeof *z);
        }
    }
}

void STOA_KERNEL(winograd_gradient)(const struct stoa_winograd_tile *t, size_t points, const float *dy,
                                    size_t line, size_t pixel, size_t filters, float *z, size_t z_step) {
    dy += t->row * line + t->column * pixel;
    if (filters < STOA_LANES) {
        gradient_few(t, points, dy, line, pixel, filters, z, z_step);
        return;
    }
    for (size_t k = 0; k < filters;) {
        gradient_vector(t, points, dy + k, line, pixel, z + k, z_step);
        k = k + STOA_LANES < filters ? stoa_min(k + STOA_LANES, filters - STOA_LANES) : filters;
    }
}
