/* SPDX-License-Identifier: MIT */
/* Reference softmax and losses. */
#include <tgmath.h>

#include "kernels/ref/ref.h"

static real row_max(const real *x, size_t n) {
    real top = x[0];
    for (size_t i = 1; i < n; i++) {
        top = x[i] > top ? x[i] : top;
    }
    return top;
}

void STOA_REFERENCE(softmax)(const real *x, size_t rows, size_t columns, real *y) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        real top = row_max(x, columns);
        real sum = 0;
        for (size_t c = 0; c < columns; c++) {
            y[c] = exp(x[c] - top);
            sum += y[c];
        }
        for (size_t c = 0; c < columns; c++) {
            y[c] /= sum;
        }
    }
}

void STOA_REFERENCE(softmax_backward)(const real *y, const real *dy, size_t rows, size_t columns, real *dx) {
    for (size_t r = 0; r < rows; r++, y += columns, dy += columns, dx += columns) {
        real dot = 0;
        for (size_t c = 0; c < columns; c++) {
            dot += y[c] * dy[c];
        }
        for (size_t c = 0; c < columns; c++) {
            dx[c] = y[c] * (dy[c] - dot);
        }
    }
}

void STOA_REFERENCE(log_softmax)(const real *x, size_t rows, size_t columns, real *y) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        real top = row_max(x, columns);
        real sum = 0;
        for (size_t c = 0; c < columns; c++) {
            sum += exp(x[c] - top);
        }
        for (size_t c = 0; c < columns; c++) {
            y[c] = x[c] - top - log(sum);
        }
    }
}

void STOA_REFERENCE(log_softmax_backward)(const real *y, const real *dy, size_t rows, size_t columns,
                                          real *dx) {
    for (size_t r = 0; r < rows; r++, y += columns, dy += columns, dx += columns) {
        real sum = 0;
        for (size_t c = 0; c < columns; c++) {
            sum += dy[c];
        }
        for (size_t c = 0; c < columns; c++) {
            dx[c] = dy[c] - exp(y[c] > 0 ? 0 : y[c]) * sum;
        }
    }
}

/* t[c] of the cross entropies. */
static real target(size_t c, int32_t label, size_t columns, const real *weight, real smoothing) {
    real share = smoothing / (real)columns + (c == (size_t)label ? 1 - smoothing : 0);
    return weight ? share * weight[c] : share;
}

void STOA_REFERENCE(softmax_xent)(const real *x, const int32_t *label, size_t rows, size_t columns,
                                  const real *weight, real smoothing, real *probability, real *loss) {
    if (probability) { /* who wants the loss alone has no place for it */
        STOA_REFERENCE(softmax)(x, rows, columns, probability);
    }
    for (size_t r = 0; r < rows; r++, x += columns) {
        real top = row_max(x, columns);
        real sum = 0;
        for (size_t c = 0; c < columns; c++) {
            sum += exp(x[c] - top);
        }
        loss[r] = 0;
        for (size_t c = 0; c < columns; c++) {
            real t = target(c, label[r], columns, weight, smoothing);
            /* There is at least one column, and the largest term of the sum is 1. */
            /* cppcheck-suppress invalidFunctionArg */
            loss[r] += t == 0 ? 0 : t * (log(sum) - (x[c] - top));
        }
    }
}

void STOA_REFERENCE(softmax_xent_backward)(const real *probability, const int32_t *label, const real *dloss,
                                           size_t rows, size_t columns, const real *weight, real smoothing,
                                           real *dx) {
    for (size_t r = 0; r < rows; r++) {
        real total = 0;
        for (size_t c = 0; c < columns; c++) {
            total += target(c, label[r], columns, weight, smoothing);
        }
        for (size_t c = 0; c < columns; c++) {
            real t = target(c, label[r], columns, weight, smoothing);
            dx[r * columns + c] = (probability[r * columns + c] * total - t) * dloss[r];
        }
    }
}

void STOA_REFERENCE(xent)(const real *p, const int32_t *label, size_t rows, size_t columns,
                          const real *weight, real smoothing, real least, real *loss) {
    for (size_t r = 0; r < rows; r++, p += columns) {
        loss[r] = 0;
        for (size_t c = 0; c < columns; c++) {
            real t = target(c, label[r], columns, weight, smoothing);
            /* cppcheck-suppress invalidFunctionArg ; least is above 0 */
            loss[r] -= t == 0 ? 0 : t * log(p[c] < least ? least : p[c]);
        }
    }
}

void STOA_REFERENCE(xent_backward)(const real *p, const int32_t *label, const real *dloss, size_t rows,
                                   size_t columns, const real *weight, real smoothing, real least, real *dx) {
    for (size_t r = 0; r < rows; r++, p += columns, dx += columns) {
        for (size_t c = 0; c < columns; c++) {
            real t = target(c, label[r], columns, weight, smoothing);
            dx[c] = t == 0 || p[c] < least ? 0 : -t / p[c] * dloss[r];
        }
    }
}

/* Each loss of rows as a function of x and t, or of their difference d, and its derivative. */
#define ROW_LOSS(slot, value, derivative)                                                                    \
    void STOA_REFERENCE(slot)(const real *x_, const real *t_, size_t rows, size_t columns, real parameter,   \
                              real scale, real *loss) {                                                      \
        (void)parameter;                                                                                     \
        for (size_t r = 0; r < rows; r++) {                                                                  \
            loss[r] = 0;                                                                                     \
            for (size_t c = 0; c < columns; c++) {                                                           \
                real x = x_[r * columns + c];                                                                \
                real t = t_[r * columns + c];                                                                \
                real d = x - t;                                                                              \
                (void)d;                                                                                     \
                loss[r] += scale * (value);                                                                  \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
    void STOA_REFERENCE(slot##_backward)(const real *x_, const real *t_, const real *dloss, size_t rows,     \
                                         size_t columns, real parameter, real scale, real *dx) {             \
        (void)parameter;                                                                                     \
        for (size_t i = 0; i < rows * columns; i++) {                                                        \
            real x = x_[i];                                                                                  \
            real t = t_[i];                                                                                  \
            real d = x - t;                                                                                  \
            (void)d;                                                                                         \
            dx[i] = scale * dloss[i / columns] * (derivative);                                               \
        }                                                                                                    \
    }

/* log(1 + exp(x)) without overflow. */
static real softplus(real x) {
    return (x < 0 ? 0 : x) + log1p(exp(-fabs(x)));
}

/* clang-format off */
ROW_LOSS(squared_error, d * d, 2 * d)
ROW_LOSS(absolute_error, fabs(d), d < 0 ? -1 : d > 0 ? 1 : d)
ROW_LOSS(huber, fabs(d) > parameter ? parameter * (fabs(d) - parameter / 2) : d * d / 2,
         d < -parameter ? -parameter : d > parameter ? parameter : d)
ROW_LOSS(bce, parameter * t * softplus(-x) + (1 - t) * softplus(x),
         (1 - t) / (1 + exp(-x)) - parameter * t / (1 + exp(x)))
/* clang-format on */
