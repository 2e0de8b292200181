/* SPDX-License-Identifier: MIT */
/* The transforms of kernels/winograd.h along one direction, over vectors.
 *
 * Each takes the number of values as a constant, so that after inlining only arithmetic is left. The points
 * a and -a, b and -b share the even and the odd part of a polynomial. */
#ifndef STOA_KERNELS_WINOGRAD_LINES_H
#define STOA_KERNELS_WINOGRAD_LINES_H

#include "kernels/isa.h"
#include "kernels/winograd_tile.h"

/* The points of a set of `points`: 8, or 6 (also where only the first four are used). */
#define WINOGRAD_A(points) ((points) == 8 ? 0.5625F : 0.75F)
#define WINOGRAD_B(points) ((points) == 8 ? 1.0F : 1.5F)
#define WINOGRAD_C 1.75F
#define WINOGRAD_C2 (WINOGRAD_C * WINOGRAD_C)

/* The product of p - c and p + c, for a point p of square `square`: what F(p) of eight points has more than
 * that of six. */
#define WINOGRAD_MORE(points, square) ((points) == 8 ? (square)-WINOGRAD_C2 : 1.0F)

/* CALL(n) with the length n, of `least` to `most`, as a constant. Branches for other lengths never run but
 * are compiled, so they get one that makes sense. */
#define WINOGRAD_CASE(least, most, n, CALL)                                                                  \
    case n:                                                                                                  \
        if ((least) <= (n) && (n) <= (most)) {                                                               \
            CALL(((n) < (least) ? (least) : (n) > (most) ? (most) : (n)));                                   \
        }                                                                                                    \
        break;
#define WINOGRAD_SWITCH(least, most, length, CALL)                                                           \
    switch (length) {                                                                                        \
        WINOGRAD_CASE(least, most, 3, CALL)                                                                  \
        WINOGRAD_CASE(least, most, 4, CALL)                                                                  \
        WINOGRAD_CASE(least, most, 5, CALL)                                                                  \
        WINOGRAD_CASE(least, most, 6, CALL)                                                                  \
        WINOGRAD_CASE(least, most, 7, CALL)                                                                  \
        WINOGRAD_CASE(least, most, 8, CALL)                                                                  \
    default:                                                                                                 \
        break;                                                                                               \
    }

/* CALL(set, taps) with the set of a grid of `points` points a side and the taps as constants. */
#define WINOGRAD_FORM_SWITCH(points, taps, CALL)                                                             \
    switch ((taps) + ((points) == 8 ? 8 : 0)) {                                                              \
    case 3:                                                                                                  \
        CALL(6, 3);                                                                                          \
        break;                                                                                               \
    case 4:                                                                                                  \
        CALL(6, 4);                                                                                          \
        break;                                                                                               \
    case 5:                                                                                                  \
        CALL(6, 5);                                                                                          \
        break;                                                                                               \
    case 11:                                                                                                 \
        CALL(8, 3);                                                                                          \
        break;                                                                                               \
    case 12:                                                                                                 \
        CALL(8, 4);                                                                                          \
        break;                                                                                               \
    case 13:                                                                                                 \
        CALL(8, 5);                                                                                          \
        break;                                                                                               \
    default:                                                                                                 \
        break;                                                                                               \
    }

/* winograd_input_line() of more than six points: without -c, and with it. */
STOA_INLINE void winograd_input_long(size_t n, const stoa_vec *d, stoa_vec *v) {
    const float a = WINOGRAD_A(8);
    const float b = WINOGRAD_B(8);
    const float c = WINOGRAD_C;
    const float a2 = a * a;
    const float b2 = b * b;
    const float c2 = c * c;
    if (n == 7) {
        stoa_vec e[6];
        for (size_t i = 0; i < 6; i++) {
            e[i] = d[i + 1] - c * d[i];
        }
        stoa_vec even_a = e[4] - b2 * e[2];
        stoa_vec odd_a = a * (e[3] - b2 * e[1]);
        stoa_vec even_b = e[4] - a2 * e[2];
        stoa_vec odd_b = b * (e[3] - a2 * e[1]);
        v[0] = e[5] - (a2 + b2) * e[3] + (a2 * b2) * e[1];
        v[1] = c * e[4] - (c * (a2 + b2)) * e[2] + (c * a2 * b2) * e[0];
        v[2] = (c + a) * (even_a + odd_a);
        v[3] = (c - a) * (even_a - odd_a);
        v[4] = (c + b) * (even_b + odd_b);
        v[5] = (c - b) * (even_b - odd_b);
        v[6] = (2 * c) * d[5] - (2 * c * (a2 + b2)) * d[3] + (2 * c * a2 * b2) * d[1];
        return;
    }
    stoa_vec even_a = d[6] - (b2 + c2) * d[4] + (b2 * c2) * d[2];
    stoa_vec odd_a = d[5] - (b2 + c2) * d[3] + (b2 * c2) * d[1];
    stoa_vec even_b = d[6] - (a2 + c2) * d[4] + (a2 * c2) * d[2];
    stoa_vec odd_b = d[5] - (a2 + c2) * d[3] + (a2 * c2) * d[1];
    stoa_vec even_c = d[6] - (a2 + b2) * d[4] + (a2 * b2) * d[2];
    stoa_vec odd_c = d[5] - (a2 + b2) * d[3] + (a2 * b2) * d[1];
    v[0] = d[7] - (a2 + b2 + c2) * d[5] + (a2 * b2 + a2 * c2 + b2 * c2) * d[3] - (a2 * b2 * c2) * d[1];
    v[1] = d[6] - (a2 + b2 + c2) * d[4] + (a2 * b2 + a2 * c2 + b2 * c2) * d[2] - (a2 * b2 * c2) * d[0];
    v[2] = even_a + a * odd_a;
    v[3] = even_a - a * odd_a;
    v[4] = even_b + b * odd_b;
    v[5] = even_b - b * odd_b;
    v[6] = even_c + c * odd_c;
    v[7] = even_c - c * odd_c;
}

/* v = B^T d: n values each. */
STOA_INLINE void winograd_input_line(size_t points, size_t n, const stoa_vec *d, stoa_vec *v) {
    const float a = WINOGRAD_A(points);
    const float b = WINOGRAD_B(points);
    const float a2 = a * a;
    const float b2 = b * b;
    if (n > 6) {
        winograd_input_long(n, d, v);
        return;
    }
    if (n == 3) {
        v[0] = d[2] - a * d[1];
        v[1] = (a2 * b2) * d[0] - (a * b2) * d[1];
        v[2] = (2 * a * (a2 - b2)) * d[1];
    } else if (n == 4) {
        stoa_vec even = (a2 - b2) * d[2];
        stoa_vec odd = (a2 - b2) * d[1];
        v[0] = d[3] - a2 * d[1];
        v[1] = (a2 * b2) * d[0] - b2 * d[2];
        v[2] = even + a * odd;
        v[3] = even - a * odd;
    } else if (n == 5) {
        v[0] = d[4] - b * d[3] - a2 * (d[2] - b * d[1]);
        v[1] = b * d[3] - b2 * d[2] - (a2 * b) * (d[1] - b * d[0]);
        v[2] = (a + b) * d[3] + (a2 - b2) * d[2] - (a * b * (a + b)) * d[1];
        v[3] = (b - a) * d[3] + (a2 - b2) * d[2] + (a * b * (b - a)) * d[1];
        v[4] = (2 * b) * (d[3] - a2 * d[1]);
    } else {
        stoa_vec even_a = d[4] - b2 * d[2];
        stoa_vec odd_a = d[3] - b2 * d[1];
        stoa_vec even_b = d[4] - a2 * d[2];
        stoa_vec odd_b = d[3] - a2 * d[1];
        v[0] = d[5] - (a2 + b2) * d[3] + (a2 * b2) * d[1];
        v[1] = d[4] - (a2 + b2) * d[2] + (a2 * b2) * d[0];
        v[2] = even_a + a * odd_a;
        v[3] = even_a - a * odd_a;
        v[4] = even_b + b * odd_b;
        v[5] = even_b - b * odd_b;
    }
    if (points == 8) {
        v[1] *= WINOGRAD_MORE(points, 0);
        for (size_t p = 2; p < n; p++) {
            v[p] *= WINOGRAD_MORE(points, p < 4 ? a2 : b2);
        }
    }
}

/* y = A^T s: m = n + 1 - taps values of n. */
STOA_INLINE void winograd_output_line(size_t points, size_t taps, size_t n, const stoa_vec *s, stoa_vec *y) {
    const float point[] = {WINOGRAD_A(points), WINOGRAD_B(points), WINOGRAD_C};
    float power[] = {1, 1, 1};
    size_t m = n + 1 - taps;
    stoa_vec sum[3];
    stoa_vec difference[3];
    for (size_t p = 0; p < (n - 1) / 2; p++) {
        sum[p] = s[2 * p + 2];
        difference[p] = s[2 * p + 2];
        if (2 * p + 3 < n) { /* an odd number of points has the last one without its opposite */
            sum[p] += s[2 * p + 3];
            difference[p] -= s[2 * p + 3];
        }
    }
    for (size_t k = 0; k < m; k++) {
        stoa_vec y_k = {0};
        if (m == 1) {
            y_k = s[0] + s[1];
        } else if (k == 0) {
            y_k = s[1];
        } else if (k == m - 1) {
            y_k = s[0];
        }
        for (size_t p = 0; p < (n - 1) / 2; p++) {
            if (k % 2) {
                y_k += power[p] * difference[p];
            } else {
                y_k += power[p] * sum[p];
            }
            power[p] *= point[p];
        }
        y[k] = y_k;
    }
}

/* z = A dy, the adjoint of the output's: n values of m = n + 1 - taps. */
STOA_INLINE void winograd_gradient_line(size_t points, size_t taps, size_t n, const stoa_vec *dy,
                                        stoa_vec *z) {
    const float point[] = {WINOGRAD_A(points), WINOGRAD_B(points), WINOGRAD_C};
    size_t m = n + 1 - taps;
    z[0] = dy[m - 1];
    z[1] = dy[0];
    for (size_t p = 0; p < (n - 1) / 2; p++) {
        stoa_vec even = dy[0];
        stoa_vec odd = {0};
        float power = point[p];
        for (size_t k = 1; k < m; k++, power *= point[p]) {
            if (k == 1) {
                odd = power * dy[k];
            } else if (k % 2) {
                odd += power * dy[k];
            } else {
                even += power * dy[k];
            }
        }
        z[2 * p + 2] = even;
        if (m > 1) {
            z[2 * p + 2] += odd;
        }
        if (2 * p + 3 < n) {
            z[2 * p + 3] = even;
            if (m > 1) {
                z[2 * p + 3] -= odd;
            }
        }
    }
}

/* 1 / F(p): of 0, and of each pair of points p and -p. */
struct winograd_shares {
    float point[3], zero, pair[3];
};

STOA_INLINE struct winograd_shares winograd_shares_of(size_t points) {
    const float a = WINOGRAD_A(points);
    const float b = WINOGRAD_B(points);
    const float a2 = a * a;
    const float b2 = b * b;
    return (struct winograd_shares){
        .point = {a, b, WINOGRAD_C},
        .zero = 1 / (a2 * b2 * WINOGRAD_MORE(points, 0)),
        .pair = {1 / (2 * a2 * (a2 - b2) * WINOGRAD_MORE(points, a2)),
                 1 / (2 * b2 * (b2 - a2) * WINOGRAD_MORE(points, b2)),
                 1 / (2 * WINOGRAD_C2 * (WINOGRAD_C2 - a2) * (WINOGRAD_C2 - b2))},
    };
}

/* u = G g: `points` (4, 6 or 8) values of `taps`. */
STOA_INLINE void winograd_weights_line(size_t points, size_t taps, const stoa_vec *g, stoa_vec *u) {
    const struct winograd_shares f = winograd_shares_of(points);
    u[0] = g[taps - 1];
    u[1] = f.zero * g[0];
    for (size_t p = 0; 2 * p + 3 < points; p++) {
        float power = f.pair[p] * f.point[p];
        stoa_vec even = f.pair[p] * g[0];
        stoa_vec odd = power * g[1];
        for (size_t k = 2; k < taps; k++) {
            power *= f.point[p];
            if (k % 2) {
                odd += power * g[k];
            } else {
                even += power * g[k];
            }
        }
        u[2 * p + 2] = even + odd;
        u[2 * p + 3] = even - odd;
    }
}

/* One row of G. */
static inline void winograd_weights_row(size_t points, size_t taps, size_t row, float *of) {
    const struct winograd_shares f = winograd_shares_of(points);
    const size_t pair = row < 2 ? 0 : row / 2 - 1;
    const float point = row % 2 ? -f.point[pair] : f.point[pair];
    float power = row < 2 ? 0 : f.pair[pair];
    for (size_t k = 0; k < taps; k++, power *= point) {
        of[k] = power;
    }
    if (row == 0) {
        of[taps - 1] = 1;
    } else if (row == 1) {
        of[0] = f.zero;
    }
}

/* g = G^T u, the adjoint: `taps` values of `points`. */
STOA_INLINE void winograd_weights_gradient_line(size_t points, size_t taps, const stoa_vec *u, stoa_vec *g) {
    const struct winograd_shares f = winograd_shares_of(points);
    g[0] = f.zero * u[1];
    for (size_t k = 1; k + 1 < taps; k++) {
        g[k] = (stoa_vec){0};
    }
    g[taps - 1] = u[0];
    for (size_t p = 0; 2 * p + 3 < points; p++) {
        stoa_vec sum = u[2 * p + 2] + u[2 * p + 3];
        stoa_vec difference = u[2 * p + 2] - u[2 * p + 3];
        float power = f.pair[p];
        for (size_t k = 0; k < taps; k++, power *= f.point[p]) {
            if (k % 2) {
                g[k] += power * difference;
            } else {
                g[k] += power * sum;
            }
        }
    }
}

#endif
