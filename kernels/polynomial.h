/* exp and log as polynomials without branches or calls, so that loops over them vectorise. Floor 1. */
#ifndef STOA_KERNELS_POLYNOMIAL_H
#define STOA_KERNELS_POLYNOMIAL_H

#include <stdint.h>
#include <string.h>

/* exp(x) for x <= 0 or NaN, error below 2 units in the last place; 0 where the result would be subnormal.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) by its Taylor series to r^7 (next term below 5e-9), ln 2 in two
 * parts so that n ln 2 is exact in the first. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low
 * bits. */
static inline float stoa_exp_nonpositive(float x) {
    const float round = 0x1.8p23F;
    float bounded = x < -87.3F ? -87.3F : x; /* NaN passes */
    float shifted = bounded * 0x1.715476p0F + round;
    float n = shifted - round;
    float r = bounded - n * 0x1.62e4p-1F;
    r = r - n * 0x1.7f7d1cp-20F;
    float p = 0x1.a01a02p-13F;
    p = p * r + 0x1.6c16c2p-10F;
    p = p * r + 0x1.111112p-7F;
    p = p * r + 0x1.555556p-5F;
    p = p * r + 0x1.555556p-3F;
    p = p * r + 0.5F;
    float e = r * r * p + r + 1.0F;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    /* The low byte of `shifted` is n modulo 256: enough, as -126 <= n <= 0. */
    bits = (int32_t)(((uint32_t)bits + 127U) << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return x < -87.3F ? 0.0F : e * power;
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

#endif
