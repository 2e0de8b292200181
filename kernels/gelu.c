/* SPDX-License-Identifier: MIT */
/* Gaussian error linear unit and its gradient, exact and with the tanh form (Hendrycks and Gimpel 2016).
 *
 * 0.5 * (1 + tanh(u)) is sigmoid(2 u), u = sqrt(2 / pi) * (x + 0.044715 x^3); beyond 64 it does not change
 * any more, and the cube must not overflow. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"

STOA_INLINE float bounded(float x) {
    float above = x < -64.0F ? -64.0F : x;
    return above > 64.0F ? 64.0F : above;
}

/* Twice sqrt(2 / pi) * (x + 0.044715 x^3). */
STOA_INLINE float twice_u(float x) {
    return x * (0x1.988454p0F + 0x1.2444f2p-4F * x * x);
}

void STOA_KERNEL(gelu)(const float *x, float *y, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float density;
        y[i] = x[i] * stoa_normal(x[i], &density);
    }
}

void STOA_KERNEL(gelu_backward)(const float *x, const float *dy, float *dx, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float density;
        float share = stoa_normal(x[i], &density);
        dx[i] = dy[i] * (share + x[i] * density);
    }
}

void STOA_KERNEL(gelu_tanh)(const float *x, float *y, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * stoa_fast_sigmoid(twice_u(bounded(x[i])));
    }
}

void STOA_KERNEL(gelu_tanh_backward)(const float *x, const float *dy, float *dx, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float v = bounded(x[i]);
        float u = twice_u(v);
        float e = stoa_exp_nonpositive(u < 0 ? u : -u);
        float d = 1.0F / (1.0F + e);
        float s = u < 0 ? e * d : d;
        float du = 0x1.988454p0F + 0x1.b6676cp-3F * v * v;
        dx[i] = dy[i] * (s + v * (e * d * d) * du);
    }
}
