/* Reference softmax and losses. Floor 1. */
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

void STOA_REFERENCE(softmax_xent)(const real *x, const int32_t *label, size_t rows, size_t columns,
                                  real *probability, real *loss) {
    STOA_REFERENCE(softmax)(x, rows, columns, probability);
    for (size_t r = 0; r < rows; r++, x += columns) {
        real top = row_max(x, columns);
        real sum = 0;
        for (size_t c = 0; c < columns; c++) {
            sum += exp(x[c] - top);
        }
        /* There is at least one column, and the largest term is 1. */
        /* cppcheck-suppress invalidFunctionArg */
        loss[r] = log(sum) - (x[label[r]] - top);
    }
}

void STOA_REFERENCE(softmax_xent_backward)(const real *probability, const int32_t *label, const real *dloss,
                                           size_t rows, size_t columns, real *dx) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            real onehot = c == (size_t)label[r] ? 1 : 0;
            dx[r * columns + c] = (probability[r * columns + c] - onehot) * dloss[r];
        }
    }
}

void STOA_REFERENCE(squared_error)(const real *x, const real *t, size_t rows, size_t columns, real *loss) {
    for (size_t r = 0; r < rows; r++) {
        real sum = 0;
        for (size_t c = 0; c < columns; c++) {
            real d = x[r * columns + c] - t[r * columns + c];
            sum += d * d;
        }
        loss[r] = sum / (real)columns;
    }
}

void STOA_REFERENCE(squared_error_backward)(const real *x, const real *t, const real *dloss, size_t rows,
                                            size_t columns, real *dx) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            dx[r * columns + c] = 2 / (real)columns * (x[r * columns + c] - t[r * columns + c]) * dloss[r];
        }
    }
}
