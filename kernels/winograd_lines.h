/* The transforms of kernels/winograd.h along one line, over vectors. Floor 1.
 *
 * Each takes the line's length as a constant, so that after inlining only arithmetic is left. The points a and -a, b and
 * -b share the even and the odd part of a polynomial. */
#ifndef STOA_KERNELS_WINOGRAD_LINES_H
#define STOA_KERNELS_WINOGRAD_LINES_H

#include "kernels/isa.h"
#include "kernels/winograd.h"

/* The points of a set of `points`: 8, or 6 (also where only the first four are used). */
#define WINOGRAD_A(points) ((points) == 8 ? 0.5F : 0.75F)
#define WINOGRAD_B(points) ((points) == 8 ? 1.0F : 1.5F)
#define WINOGRAD_C 1.75F
#define WINOGRAD_C2 (WINOGRAD_C * WINOGRAD_C)

/* The product of p - c and p + c, for a point p of square `square`: what F(p) of eight points has more than that of six. */
#define WINOGRAD_MORE(points, square) ((points) == 8 ? (square)-WINOGRAD_C2 : 1.0F)

/* CALL(m) with the length m as a constant: up to 4 in a set of six points, to 6 in one of eight. */
#define WINOGRAD_SWITCH(set, length, CALL)                                                                   \
    switch (length) {                                                                                        \
    case 1:                                                                                                  \
        CALL(1);                                                                                             \
        break;                                                                                               \
    case 2:                                                                                                  \
        CALL(2);                                                                                             \
        break;                                                                                               \
    case 3:                                                                                                  \
        CALL(3);                                                                                             \
        break;                                                                                               \
    case 5:                                                                                                  \
        CALL(((set) == 8 ? 5 : 4));                                                                          \
        break;                                                                                               \
    case 6:                                                                                                  \
        CALL(((set) == 8 ? 6 : 4));                                                                          \
        break;                                                                                               \
    default:                                                                                                 \
        CALL(4);                                                                                             \
    }

/* winograd_input_line() of more than four outputs: without one of the points c and -c, and with both. */
STOA_INLINE void winograd_input_long(size_t m, const stoa_vec *d, stoa_vec *v) {
    const float a = WINOGRAD_A(8);
    const float b = WINOGRAD_B(8);
    const float c = WINOGRAD_C;
    const float a2 = a * a;
    const float b2 = b * b;
    const float c2 = c * c;
    if (m == 5) {
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

/* v = B_m^T d: m + 2 values each. */
STOA_INLINE void winograd_input_line(size_t points, size_t m, const stoa_vec *d, stoa_vec *v) {
    const float a = WINOGRAD_A(points);
    const float b = WINOGRAD_B(points);
    const float a2 = a * a;
    const float b2 = b * b;
    if (m > 4) {
        winograd_input_long(m, d, v);
        return;
    }
    if (m == 1) {
        v[0] = d[2] - a * d[1];
        v[1] = (a2 * b2) * d[0] - (a * b2) * d[1];
        v[2] = (2 * a * (a2 - b2)) * d[1];
    } else if (m == 2) {
        stoa_vec even = (a2 - b2) * d[2];
        stoa_vec odd = (a2 - b2) * d[1];
        v[0] = d[3] - a2 * d[1];
        v[1] = (a2 * b2) * d[0] - b2 * d[2];
        v[2] = even + a * odd;
        v[3] = even - a * odd;
    } else if (m == 3) {
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
        for (size_t p = 2; p < m + 2; p++) {
            v[p] *= WINOGRAD_MORE(points, p < 4 ? a2 : b2);
        }
    }
}

/* y = A_m^T s: m values of m + 2. */
STOA_INLINE void winograd_output_line(size_t points, size_t m, const stoa_vec *s, stoa_vec *y) {
    const float point[] = {WINOGRAD_A(points), WINOGRAD_B(points), WINOGRAD_C};
    float power[] = {1, 1, 1};
    if (m == 1) {
        y[0] = s[0] + s[1] + s[2];
        return;
    }
    stoa_vec sum[3];
    stoa_vec difference[3];
    for (size_t p = 0; p < (m + 1) / 2; p++) {
        sum[p] = s[2 * p + 2];
        difference[p] = s[2 * p + 2];
        if (2 * p + 3 < m + 2) { /* an odd number of outputs has the last point without its opposite */
            sum[p] += s[2 * p + 3];
            difference[p] -= s[2 * p + 3];
        }
    }
    for (size_t k = 0; k < m; k++) {
        stoa_vec y_k = {0};
        if (k == 0) {
            y_k = s[1];
        } else if (k == m - 1) {
            y_k = s[0];
        }
        for (size_t p = 0; p < (m + 1) / 2; p++) {
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

/* z = A_m dy, the adjoint of the output's: m + 2 values of m. */
STOA_INLINE void winograd_gradient_line(size_t points, size_t m, const stoa_vec *dy, stoa_vec *z) {
    const float point[] = {WINOGRAD_A(points), WINOGRAD_B(points), WINOGRAD_C};
    z[0] = dy[m - 1];
    z[1] = dy[0];
    if (m == 1) {
        z[2] = dy[0];
        return;
    }
    for (size_t p = 0; p < (m + 1) / 2; p++) {
        stoa_vec even = dy[0];
        stoa_vec odd = point[p] * dy[1];
        float power = point[p] * point[p];
        for (size_t k = 2; k < m; k++, power *= point[p]) {
            if (k % 2) {
                odd += power * dy[k];
            } else {
                even += power * dy[k];
            }
        }
        z[2 * p + 2] = even + odd;
        if (2 * p + 3 < m + 2) {
            z[2 * p + 3] = even - odd;
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

/* u = G g: `points` (4, 6 or 8) values of 3. */
STOA_INLINE void winograd_weights_line(size_t points, const stoa_vec *g, stoa_vec *u) {
    const struct winograd_shares f = winograd_shares_of(points);
    u[0] = g[2];
    u[1] = f.zero * g[0];
    for (size_t p = 0; 2 * p + 3 < points; p++) {
        stoa_vec even = f.pair[p] * g[0] + (f.pair[p] * f.point[p] * f.point[p]) * g[2];
        stoa_vec odd = (f.pair[p] * f.point[p]) * g[1];
        u[2 * p + 2] = even + odd;
        u[2 * p + 3] = even - odd;
    }
}

/* g = G^T u, the adjoint: 3 values of `points`. */
STOA_INLINE void winograd_weights_gradient_line(size_t points, const stoa_vec *u, stoa_vec *g) {
    const struct winograd_shares f = winograd_shares_of(points);
    g[0] = f.zero * u[1];
    g[1] = (stoa_vec){0};
    g[2] = u[0];
    for (size_t p = 0; 2 * p + 3 < points; p++) {
        stoa_vec sum = u[2 * p + 2] + u[2 * p + 3];
        stoa_vec difference = u[2 * p + 2] - u[2 * p + 3];
        g[0] += f.pair[p] * sum;
        g[1] += (f.pair[p] * f.point[p]) * difference;
        g[2] += (f.pair[p] * f.point[p] * f.point[p]) * sum;
    }
}

#endif
