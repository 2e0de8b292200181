/* The transforms of kernels/winograd.h along one line, over vectors. Floor 1.
 *
 * Each takes the line's length as a constant, so that after inlining only arithmetic is left. The points a and -a, b and
 * -b share the even and the odd part of a polynomial. */
#ifndef STOA_KERNELS_WINOGRAD_LINES_H
#define STOA_KERNELS_WINOGRAD_LINES_H

#include "kernels/isa.h"
#include "kernels/winograd.h"

/* The points, and F(p) of 0, +-a, +-b. */
#define WINOGRAD_A 0.75F
#define WINOGRAD_B 1.5F
#define WINOGRAD_A2 (WINOGRAD_A * WINOGRAD_A)
#define WINOGRAD_B2 (WINOGRAD_B * WINOGRAD_B)
#define WINOGRAD_F0 (WINOGRAD_A2 * WINOGRAD_B2)
#define WINOGRAD_FA (2 * WINOGRAD_A2 * (WINOGRAD_A2 - WINOGRAD_B2))
#define WINOGRAD_FB (2 * WINOGRAD_B2 * (WINOGRAD_B2 - WINOGRAD_A2))

/* v = B_m^T d: m + 2 values each. */
STOA_INLINE void winograd_input_line(size_t m, const stoa_vec *d, stoa_vec *v) {
    const float a = WINOGRAD_A;
    const float b = WINOGRAD_B;
    const float a2 = WINOGRAD_A2;
    const float b2 = WINOGRAD_B2;
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
}

/* y = A_m^T s: m values of m + 2. */
STOA_INLINE void winograd_output_line(size_t m, const stoa_vec *s, stoa_vec *y) {
    const float a = WINOGRAD_A;
    const float b = WINOGRAD_B;
    if (m == 1) {
        y[0] = s[0] + s[1] + s[2];
        return;
    }
    stoa_vec sum_a = s[2] + s[3];
    stoa_vec difference_a = s[2] - s[3];
    if (m == 2) {
        y[0] = s[1] + sum_a;
        y[1] = s[0] + a * difference_a;
    } else if (m == 3) {
        y[0] = s[1] + sum_a + s[4];
        y[1] = a * difference_a + b * s[4];
        y[2] = s[0] + WINOGRAD_A2 * sum_a + WINOGRAD_B2 * s[4];
    } else {
        stoa_vec sum_b = s[4] + s[5];
        stoa_vec difference_b = s[4] - s[5];
        y[0] = s[1] + sum_a + sum_b;
        y[1] = a * difference_a + b * difference_b;
        y[2] = WINOGRAD_A2 * sum_a + WINOGRAD_B2 * sum_b;
        y[3] = s[0] + (a * WINOGRAD_A2) * difference_a + (b * WINOGRAD_B2) * difference_b;
    }
}

/* z = A_m dy, the adjoint of the output's: m + 2 values of m. */
STOA_INLINE void winograd_gradient_line(size_t m, const stoa_vec *dy, stoa_vec *z) {
    const float a = WINOGRAD_A;
    const float b = WINOGRAD_B;
    z[0] = dy[m - 1];
    z[1] = dy[0];
    if (m == 1) {
        z[2] = dy[0];
        return;
    }
    stoa_vec even_a = dy[0];
    stoa_vec odd_a = a * dy[1];
    if (m > 2) {
        even_a += WINOGRAD_A2 * dy[2];
    }
    if (m > 3) {
        odd_a += (a * WINOGRAD_A2) * dy[3];
    }
    z[2] = even_a + odd_a;
    z[3] = even_a - odd_a;
    if (m > 2) {
        stoa_vec even_b = dy[0] + WINOGRAD_B2 * dy[2];
        stoa_vec odd_b = b * dy[1];
        if (m > 3) {
            odd_b += (b * WINOGRAD_B2) * dy[3];
            z[5] = even_b - odd_b;
        }
        z[4] = even_b + odd_b;
    }
}

/* u = G g: `points` (4 or 6) values of 3. */
STOA_INLINE void winograd_weights_line(size_t points, const stoa_vec *g, stoa_vec *u) {
    stoa_vec even_a = (1 / WINOGRAD_FA) * g[0] + (WINOGRAD_A2 / WINOGRAD_FA) * g[2];
    stoa_vec odd_a = (WINOGRAD_A / WINOGRAD_FA) * g[1];
    u[0] = g[2];
    u[1] = (1 / WINOGRAD_F0) * g[0];
    u[2] = even_a + odd_a;
    u[3] = even_a - odd_a;
    if (points > 4) {
        stoa_vec even_b = (1 / WINOGRAD_FB) * g[0] + (WINOGRAD_B2 / WINOGRAD_FB) * g[2];
        stoa_vec odd_b = (WINOGRAD_B / WINOGRAD_FB) * g[1];
        u[4] = even_b + odd_b;
        u[5] = even_b - odd_b;
    }
}

/* g = G^T u, the adjoint: 3 values of `points`. */
STOA_INLINE void winograd_weights_gradient_line(size_t points, const stoa_vec *u, stoa_vec *g) {
    stoa_vec sum_a = u[2] + u[3];
    stoa_vec difference_a = u[2] - u[3];
    g[0] = (1 / WINOGRAD_F0) * u[1] + (1 / WINOGRAD_FA) * sum_a;
    g[1] = (WINOGRAD_A / WINOGRAD_FA) * difference_a;
    g[2] = u[0] + (WINOGRAD_A2 / WINOGRAD_FA) * sum_a;
    if (points > 4) {
        stoa_vec sum_b = u[4] + u[5];
        stoa_vec difference_b = u[4] - u[5];
        g[0] += (1 / WINOGRAD_FB) * sum_b;
        g[1] += (WINOGRAD_B / WINOGRAD_FB) * difference_b;
        g[2] += (WINOGRAD_B2 / WINOGRAD_FB) * sum_b;
    }
}

#endif
