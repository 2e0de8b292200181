/* Batch normalisation: moments, scale and shift, and the gradient. Floor 1.
 *
 * Moments are taken over chunks of rows that stay in the cache: first the mean of the chunk, then the squares
 * of distances to it; chunks merge after Chan, Golub and LeVeque (1979). No difference of large squares
 * appears. Columns go in blocks of a few vectors, whose sums stay in registers. */
#include "base/size.h"
#include "kernels/isa.h"

enum { COLUMNS = 4 * STOA_LANES, CHUNK = 128 };

/* Mean of `n` rows of up to COLUMNS columns and the squares of distances to it. The mean of floats far from
 * zero is rounded; the sum of the distances, which would be 0, tells how much, and corrects both. Called with
 * a constant number of columns where possible, so that the sums stay in registers. */
STOA_INLINE void chunk_moments(const float *restrict x, size_t n, size_t stride, size_t columns,
                               double *restrict mean, double *restrict m2) {
    float first[COLUMNS] = {0};
    float rest[COLUMNS] = {0};
    float squares[COLUMNS] = {0};
    for (size_t r = 0; r < n; r++) {
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            first[c] += x[r * stride + c];
        }
    }
    for (size_t c = 0; c < columns; c++) {
        first[c] /= (float)n;
    }
    for (size_t r = 0; r < n; r++) {
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            float d = x[r * stride + c] - first[c];
            rest[c] += d;
            squares[c] += d * d;
        }
    }
    for (size_t c = 0; c < columns; c++) {
        double off = (double)rest[c] / (double)n;
        mean[c] = (double)first[c] + off;
        m2[c] = (double)squares[c] - (double)rest[c] * off;
    }
}

STOA_INLINE void block_moments(const float *restrict x, size_t rows, size_t stride, size_t columns,
                               float *restrict mean, float *restrict m2) {
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
        mean[c] = (float)total_mean[c];
        m2[c] = (float)total_m2[c];
    }
}

void STOA_KERNEL(bn_moments)(const float *x, size_t rows, size_t channels, float *mean, float *m2) {
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

void STOA_KERNEL(scale_shift)(const float *x, size_t rows, size_t channels, const float *scale,
                              const float *shift, float *y) {
    for (size_t r = 0; r < rows; r++, x += channels, y += channels) {
#pragma omp simd
        for (size_t c = 0; c < channels; c++) {
            y[c] = x[c] * scale[c] + shift[c];
        }
    }
}

/* Both sums of the gradient for up to COLUMNS columns: chunks of rows, their totals in double. */
STOA_INLINE void block_backward_sums(const float *restrict x, const float *restrict dy, size_t rows,
                                     size_t stride, size_t columns, const float *restrict mean,
                                     const float *restrict inv_std, float *restrict sum_dy,
                                     float *restrict sum_dy_xhat) {
    double total[COLUMNS] = {0};
    double total_xhat[COLUMNS] = {0};
    for (size_t done = 0; done < rows;) {
        size_t n = stoa_min(CHUNK, rows - done);
        float part[COLUMNS] = {0};
        float part_xhat[COLUMNS] = {0};
        for (size_t r = 0; r < n; r++, x += stride, dy += stride) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                part[c] += dy[c];
                part_xhat[c] += dy[c] * (x[c] - mean[c]);
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
        sum_dy_xhat[c] = (float)(total_xhat[c] * (double)inv_std[c]);
    }
}

void STOA_KERNEL(bn_backward_sums)(const float *x, const float *dy, size_t rows, size_t channels,
                                   const float *mean, const float *inv_std, float *sum_dy,
                                   float *sum_dy_xhat) {
    size_t c = 0;
    for (; c + COLUMNS <= channels; c += COLUMNS) {
        block_backward_sums(x + c, dy + c, rows, channels, COLUMNS, mean + c, inv_std + c, sum_dy + c,
                            sum_dy_xhat + c);
    }
    for (; c + STOA_LANES <= channels; c += STOA_LANES) {
        block_backward_sums(x + c, dy + c, rows, channels, STOA_LANES, mean + c, inv_std + c, sum_dy + c,
                            sum_dy_xhat + c);
    }
    if (c < channels) {
        block_backward_sums(x + c, dy + c, rows, channels, channels - c, mean + c, inv_std + c, sum_dy + c,
                            sum_dy_xhat + c);
    }
}

void STOA_KERNEL(bn_backward)(const float *x, const float *dy, size_t rows, size_t channels,
                              const float *mean, const float *a, const float *b, const float *d, float *dx) {
    for (size_t r = 0; r < rows; r++, x += channels, dy += channels, dx += channels) {
#pragma omp simd
        for (size_t c = 0; c < channels; c++) {
            dx[c] = a[c] * (dy[c] - b[c] - (x[c] - mean[c]) * d[c]);
        }
    }
}
