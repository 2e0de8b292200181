/* SPDX-License-Identifier: MIT */
/* exp, log and what activations make of them, as polynomials without branches or calls, so that loops over
 * them vectorise. NaN passes through all of them. */
#ifndef STOA_KERNELS_POLYNOMIAL_H
#define STOA_KERNELS_POLYNOMIAL_H

#include <stdint.h>
#include <string.h>

/* exp(x) = 2^n (1 + *fraction) for -87.3 <= x <= 0 or NaN; returns 2^n.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) by its Taylor series to r^7 (next term below 5e-9), ln 2 in two
 * parts so that n ln 2 is exact in the first. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low
 * bits. */
static inline float stoa_exp_parts(float x, float *fraction) {
    const float round = 0x1.8p23F;
    float shifted = x * 0x1.715476p0F + round;
    float n = shifted - round;
    float r = x - n * 0x1.62e4p-1F;
    r = r - n * 0x1.7f7d1cp-20F;
    float p = 0x1.a01a02p-13F;
    p = p * r + 0x1.6c16c2p-10F;
    p = p * r + 0x1.111112p-7F;
    p = p * r + 0x1.555556p-5F;
    p = p * r + 0x1.555556p-3F;
    p = p * r + 0.5F;
    *fraction = r * r * p + r;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    /* The low byte of `shifted` is n modulo 256: enough, as -126 <= n <= 0. */
    bits = (int32_t)(((uint32_t)bits + 127U) << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* exp(x) for x <= 0, error below 2 units in the last place; 0 where the result would be subnormal. */
static inline float stoa_exp_nonpositive(float x) {
    float fraction;
    float power = stoa_exp_parts(x < -87.3F ? -87.3F : x, &fraction);
    return x < -87.3F ? 0.0F : (fraction + 1.0F) * power;
}

/* exp(x) - 1 for x <= 0, error below 3 units in the last place. */
static inline float stoa_expm1_nonpositive(float x) {
    float fraction;
    float power = stoa_exp_parts(x < -87.3F ? -87.3F : x, &fraction);
    return power * fraction + (power - 1.0F);
}

/* log(x) for a normal x > 0; NaN gives NaN.
 *
 * x = 2^n f with f in [sqrt(1/2), sqrt(2)); log f = 2 atanh(z), z = (f - 1) / (f + 1), |z| < 0.172. */
static inline float stoa_log_positive(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t above = bits - 0x3F3504F3U; /* the bits of sqrt(1/2) */
    int32_t n = (int32_t)above >> 23;
    bits = (above & 0x007FFFFFU) + 0x3F3504F3U;
    float f;
    memcpy(&f, &bits, sizeof f);
    float z = (f - 1.0F) / (f + 1.0F);
    float s = z * z;
    float p = 2.0F / 11.0F;
    p = p * s + 2.0F / 9.0F;
    p = p * s + 2.0F / 7.0F;
    p = p * s + 2.0F / 5.0F;
    p = p * s + 2.0F / 3.0F;
    float log_f = z * s * p + 2.0F * z;
    float whole = (float)n;
    float result = whole * 0x1.62e4p-1F + (whole * 0x1.7f7d1cp-20F + log_f);
    return x == x ? result : x;
}

/* log(1 + x) for 0 <= x <= 1, error below 3 units in the last place.
 *
 * 2 atanh(z), z = x / (2 + x) <= 1/3; (atanh(z) / z - 1) / z^2 as the polynomial of least largest error. */
static inline float stoa_log1p_unit(float x) {
    float z = x / (2.0F + x);
    float s = z * z;
    float p = 0x1.1ed7c0p-3F;
    p = p * s + 0x1.1ebd0cp-3F;
    p = p * s + 0x1.99d208p-3F;
    p = p * s + 0x1.555502p-2F;
    return 2.0F * (z * s * p + z);
}

/* 1 / (1 + exp(-x)), error below 4 units in the last place. */
static inline float stoa_fast_sigmoid(float x) {
    float e = stoa_exp_nonpositive(x < 0 ? x : -x);
    float d = 1.0F / (1.0F + e);
    return x < 0 ? e * d : d;
}

/* Error below 4 units in the last place. */
static inline float stoa_fast_tanh(float x) {
    float m = stoa_expm1_nonpositive(x < 0 ? 2.0F * x : -2.0F * x);
    float t = m / (m + 2.0F);
    return x < 0 ? t : -t;
}

/* log(1 + exp(-|x|)): what softplus lies above max(0, x). Error below 4 units in the last place. */
static inline float stoa_fast_softplus_rise(float x) {
    return stoa_log1p_unit(stoa_exp_nonpositive(x < 0 ? x : -x));
}

/* Distribution function of the normal distribution, 0.5 * (1 + erf(x / sqrt 2)), and its density in *density.
 * Relative error below 4e-7 + 1e-7 x^2 on the left, below 2e-7 on the right.
 *
 * The tail is exp(-x^2 / 2) R(|x|), R without large changes: with t = 1 / (1 + |x| / 4), R / t is the
 * polynomial in t of least largest relative error (3.4e-8) on all of (0, 1]. */
static inline float stoa_normal(float x, float *density) {
    float far = x < 0 ? -x : x;
    float e = stoa_exp_nonpositive(-0.5F * far * far);
    float t = 1.0F / (1.0F + 0.25F * far);
    float p = 0x1.441be6p-6F;
    p = p * t - 0x1.4b4628p-4F;
    p = p * t + 0x1.879114p-4F;
    p = p * t - 0x1.03d4fep-5F;
    p = p * t + 0x1.04e982p-4F;
    p = p * t + 0x1.e31fc0p-5F;
    p = p * t + 0x1.4e3f12p-4F;
    p = p * t + 0x1.7ed694p-4F;
    p = p * t + 0x1.98853ap-4F;
    p = p * t + 0x1.988452p-4F;
    float tail = e * (t * p);
    *density = 0x1.988454p-2F * e; /* 1 / sqrt(2 pi) */
    return x < 0 ? tail : 1.0F - tail;
}

#endif
