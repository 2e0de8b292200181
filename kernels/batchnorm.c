/* SPDX-License-Identifier: MIT */
/* Batch normalisation: moments, normalised columns, and the gradient.
 *
 * Moments are taken over chunks of rows that stay in the cache: first the mean of the chunk, then the squares
 * of distances to it; chunks merge after Chan, Golub and LeVeque (1979). No difference of large squares
 * appears. Columns go in blocks of a few vectors, whose sums stay in registers. A chunk whose sums leave the
 * range of floats is taken again in double. */
#include <float.h>

#include "base/size.h"
#include "kernels/isa.h"

enum { COLUMNS = 4 * STOA_LANES, CHUNK = 128 };

/* Mean of `n` rows of up to COLUMNS columns and the squares of distances to it, in double throughout. */
static void wide_moments(const float *restrict x, size_t n, size_t stride, size_t columns,
                         double *restrict mean, double *restrict m2) {
    for (size_t c = 0; c < columns; c++) {
        mean[c] = 0;
        m2[c] = 0;
    }
    for (size_t r = 0; r < n; r++) {
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            mean[c] += (double)x[r * stride + c];
        }
    }
    for (size_t c = 0; c < columns; c++) {
        mean[c] /= (double)n;
    }
    for (size_t r = 0; r < n; r++) {
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            double d = (double)x[r * stride + c] - mean[c];
            m2[c] += d * d;
        }
    }
}

/* The same with sums in float: of distances to the first row, which are exact far from zero, and then to the
 * mean of those. That mean is rounded; the sum of the distances to it, which would be 0, tells how much, and
 * corrects both. Called with a constant number of columns where possible, so that the sums stay in
 * registers. */
STOA_INLINE void chunk_moments(const float *restrict x, size_t n, size_t stride, size_t columns,
                               double *restrict mean, double *restrict m2) {
    float first[COLUMNS] = {0};
    float rest[COLUMNS] = {0};
    float squares[COLUMNS] = {0};
    for (size_t r = 0; r < n; r++) {
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            first[c] += x[r * stride + c] - x[c];
        }
    }
    for (size_t c = 0; c < columns; c++) {
        first[c] = x[c] + first[c] / (float)n;
    }
    for (size_t r = 0; r < n; r++) {
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            float d = x[r * stride + c] - first[c];
            rest[c] += d;
            squares[c] += d * d;
        }
    }
    bool fits = true;
    for (size_t c = 0; c < columns; c++) {
        fits &=
            squares[c] <= FLT_MAX; /* where the mean left the range, so did the squares, or they are NaN */
    }
    if (!fits) {
        wide_moments(x, n, stride, columns, mean, m2);
        return;
    }
    for (size_t c = 0; c < columns; c++) {
        double off = (double)rest[c] / (double)n;
        mean[c] = (double)first[c] + off;
        m2[c] = (double)squares[c] - (double)rest[c] * off;
    }
}

STOA_INLINE void block_moments(const float *restrict x, size_t rows, size_t stride, size_t columns,
                               double *restrict mean, double *restrict m2) {
    double total_mean[COLUMNS] = {0};
    double total_m2[COLUMNS] = {0};
    double chunk_mean[COLUMNS];
    double chunk_m2[COLUMNS];
    for (size_t done = 0; done < rows;) {
        size_t n = stoa_min(CHUNK, rows - done);
        chunk_moments(x + done * stride, n, stride, columns, chunk_mean, chunk_m2);
        double share = (double)n / (double)(done + n);
        double weight = (double)done * share;
        for (size_t c = 0; c < columns; c++) {
            double apart = chunk_mean[c] - total_mean[c];
            total_mean[c] += apart * share;
            total_m2[c] += chunk_m2[c] + apart * apart * weight;
        }
        done += n;
    }
    for (size_t c = 0; c < columns; c++) {
        mean[c] = total_mean[c];
        m2[c] = total_m2[c] < 0 ? 0 : total_m2[c];
    }
}

void STOA_KERNEL(bn_moments)(const float *x, size_t rows, size_t channels, double *mean, double *m2) {
    size_t c = 0;
    for (; c + COLUMNS <= channels; c += COLUMNS) {
        block_moments(x + c, rows, channels, COLUMNS, mean + c, m2 + c);
    }
    for (; c + STOA_LANES <= channels; c += STOA_LANES) {
        block_moments(x + c, rows, channels, STOA_LANES, mean + c, m2 + c);
    }
    if (c < channels) {
        block_moments(x + c, rows, channels, channels - c, mean + c, m2 + c);
    }
}

STOA_INLINE void normalize(const float *x, size_t rows, size_t channels, float unit, const float *mean,
                           const float *scale, const float *shift, bool relu, float *y) {
    for (size_t r = 0; r < rows; r++, x += channels, y += channels) {
#pragma omp simd
        for (size_t c = 0; c < channels; c++) {
            float v = (x[c] * unit - mean[c]) * scale[c] + shift[c];
            y[c] = relu && v < 0 ? 0 : v;
        }
    }
}

void STOA_KERNEL(normalize_columns)(const float *x, size_t rows, size_t channels, float unit,
                                    const float *mean, const float *scale, const float *shift, bool relu,
                                    float *y) {
    if (relu) {
        normalize(x, rows, channels, unit, mean, scale, shift, true, y);
    } else {
        normalize(x, rows, channels, unit, mean, scale, shift, false, y);
    }
}

/* What a ReLU behind lets through of dy: `v` is what normalize() has made, computed by the same
 * operations. */
STOA_INLINE float masked(bool masks, float v, float dy) {
    return !masks || v > 0 ? dy : 0;
}

/* Both sums of the gradient for up to COLUMNS columns: chunks of rows, their totals in double. */
STOA_INLINE void block_backward_sums(const float *restrict x, const float *restrict dy, size_t rows,
                                     size_t stride, size_t columns, float unit, const float *restrict mean,
                                     const float *restrict scale, bool masks,
                                     const float *restrict mask_scale, const float *restrict mask_shift,
                                     float *restrict sum_dy, float *restrict sum_dy_xhat) {
    double total[COLUMNS] = {0};
    double total_xhat[COLUMNS] = {0};
    for (size_t done = 0; done < rows;) {
        size_t n = stoa_min(CHUNK, rows - done);
        float part[COLUMNS] = {0};
        float part_xhat[COLUMNS] = {0};
        for (size_t r = 0; r < n; r++, x += stride, dy += stride) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                float d = x[c] * unit - mean[c];
                float g = masked(masks, masks ? d * mask_scale[c] + mask_shift[c] : 0, dy[c]);
                part[c] += g;
                part_xhat[c] += g * d;
            }
        }
        for (size_t c = 0; c < columns; c++) {
            total[c] += (double)part[c];
            total_xhat[c] += (double)part_xhat[c];
        }
        done += n;
    }
    for (size_t c = 0; c < columns; c++) {
        sum_dy[c] = (float)total[c];
        sum_dy_xhat[c] = (float)(total_xhat[c] * (double)scale[c]);
    }
}

STOA_INLINE void backward_sums(const float *x, const float *dy, size_t rows, size_t channels, float unit,
                               const float *mean, const float *scale, bool masks, const float *mask_scale,
                               const float *mask_shift, float *sum_dy, float *sum_dy_xhat) {
    for (size_t c = 0, n; c < channels; c += n) {
        const float *by = masks ? mask_scale + c : NULL;
        const float *to = masks ? mask_shift + c : NULL;
        n = stoa_min(channels - c, COLUMNS);
        if (n == COLUMNS) {
            block_backward_sums(x + c, dy + c, rows, channels, COLUMNS, unit, mean + c, scale + c, masks, by,
                                to, sum_dy + c, sum_dy_xhat + c);
        } else if (n >= STOA_LANES) {
            n = STOA_LANES;
            block_backward_sums(x + c, dy + c, rows, channels, STOA_LANES, unit, mean + c, scale + c, masks,
                                by, to, sum_dy + c, sum_dy_xhat + c);
        } else {
            block_backward_sums(x + c, dy + c, rows, channels, n, unit, mean + c, scale + c, masks, by, to,
                                sum_dy + c, sum_dy_xhat + c);
        }
    }
}

void STOA_KERNEL(bn_backward_sums)(const float *x, const float *dy, size_t rows, size_t channels, float unit,
                                   const float *mean, const float *scale, const float *mask_scale,
                                   const float *mask_shift, float *sum_dy, float *sum_dy_xhat) {
    if (mask_scale) {
        backward_sums(x, dy, rows, channels, unit, mean, scale, true, mask_scale, mask_shift, sum_dy,
                      sum_dy_xhat);
    } else {
        backward_sums(x, dy, rows, channels, unit, mean, scale, false, mask_scale, mask_shift, sum_dy,
                      sum_dy_xhat);
    }
}

STOA_INLINE void backward(const float *x, const float *dy, size_t rows, size_t channels, float unit,
                          const float *mean, const float *a, const float *b, const float *d, bool masks,
                          const float *mask_scale, const float *mask_shift, float *dx) {
    for (size_t r = 0; r < rows; r++, x += channels, dy += channels, dx += channels) {
#pragma omp simd
        for (size_t c = 0; c < channels; c++) {
            float off = x[c] * unit - mean[c];
            float g = masked(masks, masks ? off * mask_scale[c] + mask_shift[c] : 0, dy[c]);
            dx[c] = a[c] * (g - b[c] - off * d[c]);
        }
    }
}

void STOA_KERNEL(bn_backward)(const float *x, const float *dy, size_t rows, size_t channels, float unit,
                              const float *mean, const float *a, const float *b, const float *d,
                              const float *mask_scale, const float *mask_shift, float *dx) {
    if (mask_scale) {
        backward(x, dy, rows, channels, unit, mean, a, b, d, true, mask_scale, mask_shift, dx);
    } else {
        backward(x, dy, rows, channels, unit, mean, a, b, d, false, mask_scale, mask_shift, dx);
    }
}
