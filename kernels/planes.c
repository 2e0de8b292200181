/* SPDX-License-Identifier: MIT */
/* Convolution with pixels in the lanes, for few filters: a vector holds neighbouring pixels of one channel.
 *
 * As many sums stay in registers as there are: in the forward pass of all filters by some vectors of pixels,
 * in the gradient of some terms by all filters. */
#include "kernels/isa.h"

/* For each number of filters, how many vectors of pixels, or terms, have sums that stay in registers
 * together. */
#if STOA_REGISTERS >= 32
#define TOGETHER(filters)                                                                                    \
    ((filters) <= 2 ? 8 : (filters) == 3 ? 6 : (filters) == 4 ? 5 : (filters) <= 6 ? 4 : 3)
#else
#define TOGETHER(filters)                                                                                    \
    ((filters) == 1 ? 6 : (filters) == 2 ? 4 : (filters) <= 4 ? 3 : (filters) <= 6 ? 2 : 1)
#endif
enum { MOST_TOGETHER = 8 };

/* Compute `vectors` vectors of pixels. The sums stay in registers only if every loop over them is unrolled
 * early. */
STOA_INLINE void multiply(const float *x, const size_t *term, size_t terms, const float *weight,
                          const float *start, float *y, size_t y_stride, const size_t filters,
                          const size_t vectors) {
    stoa_vec sum[STOA_PLANES_FILTERS][MOST_TOGETHER];
    STOA_UNROLL
    for (size_t f = 0; f < filters; f++) {
        const stoa_vec begin = (start != NULL ? start[f] : 0) - (stoa_vec){0};
        STOA_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            sum[f][v] = begin;
        }
    }
    for (size_t l = 0; l < terms; l++, weight += filters) {
        stoa_vec pixels[MOST_TOGETHER];
        STOA_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            pixels[v] = STOA_LOAD(stoa_vec, x + term[l] + v * STOA_LANES);
        }
        STOA_UNROLL
        for (size_t f = 0; f < filters; f++) {
            const stoa_vec w = weight[f] - (stoa_vec){0};
            STOA_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                sum[f][v] += w * pixels[v];
            }
        }
    }
    STOA_UNROLL
    for (size_t f = 0; f < filters; f++) {
        STOA_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            STOA_STORE(stoa_vec, y + f * y_stride + v * STOA_LANES, sum[f][v]);
        }
    }
}

STOA_INLINE void multiply_all(const float *x, const size_t *term, size_t terms, const float *weight,
                              const float *start, size_t n, float *y, size_t y_stride, const size_t filters) {
    const size_t vectors = TOGETHER(filters);
    size_t j = 0;
    for (; j + vectors * STOA_LANES <= n; j += vectors * STOA_LANES) {
        multiply(x + j, term, terms, weight, start, y + j, y_stride, filters, vectors);
    }
    for (; j < n; j += STOA_LANES) {
        multiply(x + j, term, terms, weight, start, y + j, y_stride, filters, 1);
    }
}

/* Add `terms` terms, lanes [lane, lane + STOA_LANES) of each STOA_PRODUCT_LANES pixels. */
STOA_INLINE void sum_terms(const float *x, const size_t *term, const float *dy, size_t dy_stride, size_t n,
                           size_t lane, float *sums, const size_t filters, const size_t terms) {
    stoa_vec sum[MOST_TOGETHER][STOA_PLANES_FILTERS];
    float *to = sums + lane;
    STOA_UNROLL
    for (size_t l = 0; l < terms; l++) {
        STOA_UNROLL
        for (size_t f = 0; f < filters; f++) {
            sum[l][f] = (stoa_vec){0};
        }
    }
    for (size_t j = lane; j < n; j += STOA_PRODUCT_LANES) {
        stoa_vec d[STOA_PLANES_FILTERS];
        STOA_UNROLL
        for (size_t f = 0; f < filters; f++) {
            d[f] = STOA_LOAD(stoa_vec, dy + f * dy_stride + j);
            STOA_KEEP(d[f]);
        }
        STOA_UNROLL
        for (size_t l = 0; l < terms; l++) {
            stoa_vec pixels = STOA_LOAD(stoa_vec, x + term[l] + j);
            STOA_KEEP(pixels);
            STOA_UNROLL
            for (size_t f = 0; f < filters; f++) {
                sum[l][f] += pixels * d[f];
            }
        }
    }
    STOA_UNROLL
    for (size_t l = 0; l < terms; l++) {
        STOA_UNROLL
        for (size_t f = 0; f < filters; f++) {
            float *at = to + (l * filters + f) * STOA_PRODUCT_LANES;
            STOA_STORE(stoa_vec, at, STOA_LOAD(stoa_vec, at) + sum[l][f]);
        }
    }
}

STOA_INLINE void sum_all(const float *x, const size_t *term, size_t terms, const float *dy, size_t dy_stride,
                         size_t n, float *sums, const size_t filters) {
    const size_t together = TOGETHER(filters);
    for (size_t lane = 0; lane < STOA_PRODUCT_LANES; lane += STOA_LANES) {
        size_t l = 0;
        for (; l + together <= terms; l += together) {
            sum_terms(x, term + l, dy, dy_stride, n, lane, sums + l * filters * STOA_PRODUCT_LANES, filters,
                      together);
        }
        for (; l < terms; l++) {
            sum_terms(x, term + l, dy, dy_stride, n, lane, sums + l * filters * STOA_PRODUCT_LANES, filters,
                      1);
        }
    }
}

#define STOA_FILTERS(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)

void STOA_KERNEL(planes)(const float *x, const size_t *term, size_t terms, const float *weight,
                         size_t filters, const float *start, size_t n, float *y, size_t y_stride) {
#define CASE(count)                                                                                          \
    case count:                                                                                              \
        multiply_all(x, term, terms, weight, start, n, y, y_stride, count);                                  \
        break;
    switch (filters) { STOA_FILTERS(CASE) default : break; }
#undef CASE
}

void STOA_KERNEL(planes_gradient)(const float *x, const size_t *term, size_t terms, const float *dy,
                                  size_t dy_stride, size_t filters, size_t n, float *sums) {
#define CASE(count)                                                                                          \
    case count:                                                                                              \
        sum_all(x, term, terms, dy, dy_stride, n, sums, count);                                              \
        break;
    switch (filters) { STOA_FILTERS(CASE) default : break; }
#undef CASE
}
