/* SPDX-License-Identifier: MIT */
/* Moments of rows, normalised rows and the gradients of layer normalisation.
 *
 * Moments are taken over chunks that stay in the cache, as those of columns in batchnorm.c: first the mean,
 * then the squares of distances to it; chunks merge after Chan, Golub and LeVeque (1979). A chunk whose
 * squares leave the range of floats, upwards or downwards, is taken again in double. */
#include <float.h>
#include <math.h>

#include "base/size.h"
#include "kernels/isa.h"

enum { CHUNK = 1024, CHUNK_ROWS = 64, COLUMNS = 4 * STOA_LANES };

/* The sum of a vector's lanes, in a fixed order. */
STOA_INLINE float lane_sum(const float *lane) {
    float part[STOA_LANES];
    memcpy(part, lane, sizeof part);
    for (size_t half = STOA_LANES / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            part[i] += part[i + half];
        }
    }
    return part[0];
}

/* Whether all of `n` numbers are the same, and none is NaN. */
static bool is_constant(const float *x, size_t n) {
    unsigned differ = 0;
#pragma omp simd reduction(| : differ)
    for (size_t i = 0; i < n; i++) {
        differ |= x[i] == x[0] ? 0U : 1U;
    }
    return !differ;
}

/* Mean of `n` numbers and the squares of distances to it, in double throughout. */
static void wide_moments(const float *x, size_t n, double *mean, double *m2) {
    double sum = 0;
    double squares = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
    }
    sum /= (double)n;
#pragma omp simd reduction(+ : squares)
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - sum;
        squares += d * d;
    }
    *mean = sum;
    *m2 = squares;
}

/* Below this, a sum of CHUNK squares may hold some that have left the range of normal numbers. */
static const float least_squares = 0x1p-90F;

/* The same with sums in float: of distances to the first number, which are exact far from zero, and then to
 * the mean of those, whose own sum, which would be 0, corrects both for that mean's rounding. Rows are short:
 * explicit vectors spare the loops' preparations. */
STOA_INLINE void chunk_moments(const float *x, size_t n, double *mean, double *m2) {
    size_t whole = n / STOA_LANES * STOA_LANES;
    stoa_vec sums = {0};
    for (size_t i = 0; i < whole; i += STOA_LANES) {
        sums += STOA_LOAD(stoa_vec, x + i) - x[0];
    }
    float sum = lane_sum((const float *)&sums);
    for (size_t i = whole; i < n; i++) {
        sum += x[i] - x[0];
    }
    double share = 1.0 / (double)n; /* a constant of the loop over rows */
    float first = x[0] + sum * (float)share;
    stoa_vec rests = {0};
    stoa_vec squares = {0};
    for (size_t i = 0; i < whole; i += STOA_LANES) {
        stoa_vec d = STOA_LOAD(stoa_vec, x + i) - first;
        rests += d;
        squares += d * d;
    }
    float rest = lane_sum((const float *)&rests);
    float square = lane_sum((const float *)&squares);
    for (size_t i = whole; i < n; i++) {
        float d = x[i] - first;
        rest += d;
        square += d * d;
    }
    if (!(square >= least_squares && square <= FLT_MAX)) {
        if (square < least_squares && is_constant(x, n)) { /* common, such as the pixels of a black border */
            *mean = (double)x[0];
            *m2 = 0;
        } else {
            wide_moments(x, n, mean, m2);
        }
        return;
    }
    double off = (double)rest * share;
    *mean = (double)first + off;
    *m2 = (double)square - (double)rest * off;
}

void STOA_KERNEL(row_moments)(const float *x, size_t rows, size_t columns, double *mean, double *m2) {
    for (size_t r = 0; r < rows; r++, x += columns) {
        double total_mean;
        double total_m2;
        chunk_moments(x, stoa_min(CHUNK, columns), &total_mean, &total_m2);
        for (size_t done = CHUNK; done < columns; done += CHUNK) {
            size_t n = stoa_min(CHUNK, columns - done);
            double chunk_mean;
            double chunk_m2;
            chunk_moments(x + done, n, &chunk_mean, &chunk_m2);
            double apart = chunk_mean - total_mean;
            double share = (double)n / (double)(done + n);
            total_mean += apart * share;
            total_m2 += chunk_m2 + apart * apart * ((double)done * share);
        }
        mean[r] = total_mean;
        m2[r] = total_m2 < 0 ? 0 : total_m2;
    }
}

/* How a row is normalised: xhat = (x * unit - from) * factor + rest. */
struct row_norm {
    float unit, from, factor, rest;
};

/* Numbers are scaled first, by a power of two, where deviations are so large that the factor, or it times a
 * weight, would be no normal number. What the mean loses when it becomes a float comes back as `rest`. */
STOA_INLINE struct row_norm norm_of(double mean, double scale) {
    struct row_norm norm = {.unit = fabs(scale) < 0x1p-64 ? 0x1p-64F : 1};
    double wide = scale / (double)norm.unit;
    mean *= (double)norm.unit;
    norm.from = (float)mean;
    norm.factor = (float)wide;
    norm.rest = (float)(((double)norm.from - mean) * wide);
    return norm;
}

STOA_INLINE float normalized(const struct row_norm *norm, float x) {
    return (x * norm->unit - norm->from) * norm->factor + norm->rest;
}

void STOA_KERNEL(normalize_rows)(const float *x, size_t rows, size_t columns, const double *mean,
                                 const double *scale, const float *weight, const float *bias, float *y) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        const struct row_norm norm = norm_of(mean[r], scale[r]);
        if (weight) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                y[c] = normalized(&norm, x[c]) * weight[c] + bias[c];
            }
        } else {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                y[c] = normalized(&norm, x[c]);
            }
        }
    }
}

/* Compute one row of the gradient. The compiler makes a loop with weights and one without. */
static void backward_row(const float *x, const float *dy, size_t columns, double mean, double inv_std,
                         const float *weight, float *dx) {
    const struct row_norm norm = norm_of(mean, inv_std);
    float sum = 0;
    float sum_xhat = 0;
#pragma omp simd reduction(+ : sum, sum_xhat)
    for (size_t c = 0; c < columns; c++) {
        float g = weight ? dy[c] * weight[c] : dy[c];
        sum += g;
        sum_xhat += g * normalized(&norm, x[c]);
    }
    float inverse = (float)inv_std;
    float mean_xhat = sum_xhat / (float)columns;
    float share = sum / (float)columns + norm.rest * mean_xhat;
    float share_xhat = norm.factor * mean_xhat;
#pragma omp simd
    for (size_t c = 0; c < columns; c++) {
        float g = weight ? dy[c] * weight[c] : dy[c];
        dx[c] = inverse * (g - share - (x[c] * norm.unit - norm.from) * share_xhat);
    }
}

void STOA_KERNEL(layernorm_backward)(const float *x, const float *dy, size_t rows, size_t columns,
                                     const double *mean, const double *inv_std, const float *weight,
                                     float *dx) {
    for (size_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
        backward_row(x, dy, columns, mean[r], inv_std[r], weight, dx);
    }
}

/* Both sums for up to COLUMNS columns: chunks of rows, their totals in double. */
STOA_INLINE void block_sums(const float *restrict x, const float *restrict dy, size_t rows, size_t stride,
                            size_t columns, const double *restrict mean, const double *restrict inv_std,
                            float *restrict dweight, float *restrict dbias) {
    double total[COLUMNS] = {0};
    double total_xhat[COLUMNS] = {0};
    for (size_t done = 0; done < rows; done += CHUNK_ROWS) {
        size_t end = stoa_min(rows, done + CHUNK_ROWS);
        float part[COLUMNS] = {0};
        float part_xhat[COLUMNS] = {0};
        for (size_t r = done; r < end; r++) {
            const struct row_norm norm = norm_of(mean[r], inv_std[r]);
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                float g = dy[r * stride + c];
                part[c] += g;
                part_xhat[c] += g * normalized(&norm, x[r * stride + c]);
            }
        }
        for (size_t c = 0; c < columns; c++) {
            total[c] += (double)part[c];
            total_xhat[c] += (double)part_xhat[c];
        }
    }
    for (size_t c = 0; c < columns; c++) {
        dweight[c] = (float)total_xhat[c];
        dbias[c] = (float)total[c];
    }
}

void STOA_KERNEL(layernorm_backward_weights)(const float *x, const float *dy, size_t rows, size_t columns,
                                             const double *mean, const double *inv_std, float *dweight,
                                             float *dbias) {
    size_t c = 0;
    for (; c + COLUMNS <= columns; c += COLUMNS) {
        block_sums(x + c, dy + c, rows, columns, COLUMNS, mean, inv_std, dweight + c, dbias + c);
    }
    for (; c + STOA_LANES <= columns; c += STOA_LANES) {
        block_sums(x + c, dy + c, rows, columns, STOA_LANES, mean, inv_std, dweight + c, dbias + c);
    }
    if (c < columns) {
        block_sums(x + c, dy + c, rows, columns, columns - c, mean, inv_std, dweight + c, dbias + c);
    }
}
