/* Moments of rows, normalised rows and the gradients of layer normalisation. Floor 1.
 *
 * Moments are taken over chunks that stay in the cache, as those of columns in batchnorm.c: first the mean, then the
 * squares of distances to it; chunks merge after Chan, Golub and LeVeque (1979). */
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

/* Mean of `n` numbers and the squares of distances to it. The sum of the distances, which would be 0, corrects both
 * for the mean's rounding. Rows are short: explicit vectors spare the loops' preparations. */
STOA_INLINE void chunk_moments(const float *x, size_t n, double *mean, double *m2) {
    size_t whole = n / STOA_LANES * STOA_LANES;
    stoa_vec sums = {0};
    for (size_t i = 0; i < whole; i += STOA_LANES) {
        sums += STOA_LOAD(stoa_vec, x + i);
    }
    float sum = lane_sum((const float *)&sums);
    for (size_t i = whole; i < n; i++) {
        sum += x[i];
    }
    double share = 1.0 / (double)n; /* a constant of the loop over rows */
    float first = sum * (float)share;
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
    double off = (double)rest * share;
    *mean = (double)first + off;
    *m2 = (double)square - (double)rest * off;
}

void STOA_KERNEL(row_moments)(const float *x, size_t rows, size_t columns, float *mean, float *m2) {
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
        mean[r] = (float)total_mean;
        m2[r] = total_m2 < 0 ? 0 : (float)total_m2;
    }
}

void STOA_KERNEL(normalize_rows)(const float *x, size_t rows, size_t columns, const float *mean,
                                 const float *scale, const float *weight, const float *bias, float *y) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        float from = mean[r];
        float factor = scale[r];
        if (weight) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                y[c] = (x[c] - from) * factor * weight[c] + bias[c];
            }
        } else {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                y[c] = (x[c] - from) * factor;
            }
        }
    }
}

/* One row of the gradient. The compiler makes a loop with weights and one without. */
static void backward_row(const float *x, const float *dy, size_t columns, float mean, float inv_std,
                         const float *weight, float *dx) {
    float sum = 0;
    float sum_xhat = 0;
#pragma omp simd reduction(+ : sum, sum_xhat)
    for (size_t c = 0; c < columns; c++) {
        float g = weight ? dy[c] * weight[c] : dy[c];
        sum += g;
        sum_xhat += g * ((x[c] - mean) * inv_std);
    }
    float share = sum / (float)columns;
    float share_xhat = sum_xhat / (float)columns * inv_std;
#pragma omp simd
    for (size_t c = 0; c < columns; c++) {
        float g = weight ? dy[c] * weight[c] : dy[c];
        dx[c] = inv_std * (g - share - (x[c] - mean) * share_xhat);
    }
}

void STOA_KERNEL(layernorm_backward)(const float *x, const float *dy, size_t rows, size_t columns,
                                     const float *mean, const float *inv_std, const float *weight,
                                     float *dx) {
    for (size_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
        backward_row(x, dy, columns, mean[r], inv_std[r], weight, dx);
    }
}

/* Both sums for up to COLUMNS columns: chunks of rows, their totals in double. */
STOA_INLINE void block_sums(const float *restrict x, const float *restrict dy, size_t rows, size_t stride,
                            size_t columns, const float *restrict mean, const float *restrict inv_std,
                            float *restrict dweight, float *restrict dbias) {
    double total[COLUMNS] = {0};
    double total_xhat[COLUMNS] = {0};
    for (size_t done = 0; done < rows; done += CHUNK_ROWS) {
        size_t end = stoa_min(rows, done + CHUNK_ROWS);
        float part[COLUMNS] = {0};
        float part_xhat[COLUMNS] = {0};
        for (size_t r = done; r < end; r++) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                float g = dy[r * stride + c];
                part[c] += g;
                part_xhat[c] += g * ((x[r * stride + c] - mean[r]) * inv_std[r]);
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
                                             const float *mean, const float *inv_std, float *dweight,
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
