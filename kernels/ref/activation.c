/* SPDX-License-Identifier: MIT */
/* Reference activations and their gradients. */
#include <tgmath.h>

#include "kernels/ref/ref.h"

static real logistic(real x) {
    return 1 / (1 + exp(-x));
}

/* Distribution function and density of the normal distribution. */
static real distribution(real x) {
    return erfc(x * (real)-0.70710678118654752440) / 2;
}

static real density(real x) {
    return exp(-x * x / 2) * (real)0.39894228040143267794;
}

/* Of the tanh form of gelu: sqrt(2 / pi) * (x + 0.044715 x^3) and its derivative, at most where they
 * matter. */
static real tanh_argument(real x) {
    return (real)0.79788456080286535588 * (x + (real)0.044715 * x * x * x);
}

static real tanh_argument_slope(real x) {
    return (real)0.79788456080286535588 * (1 + 3 * (real)0.044715 * x * x);
}

/* 0 to 1 between -3 and 3. */
static real gate(real x) {
    return x < -3 ? 0 : x > 3 ? 1 : (x + 3) / 6;
}

/* Each activation as a function of x, and its derivative as one of z, which kernels.h tells. */
#define ACTIVATION(slot, value, derivative)                                                                  \
    void STOA_REFERENCE(slot)(const real *x_, real *y, size_t n, real parameter) {                           \
        (void)parameter;                                                                                     \
        for (size_t i = 0; i < n; i++) {                                                                     \
            real x = x_[i];                                                                                  \
            y[i] = (value);                                                                                  \
        }                                                                                                    \
    }                                                                                                        \
    void STOA_REFERENCE(slot##_backward)(const real *z_, const real *dy, real *dx, size_t n,                 \
                                         real parameter) {                                                   \
        (void)parameter;                                                                                     \
        for (size_t i = 0; i < n; i++) {                                                                     \
            real z = z_[i];                                                                                  \
            dx[i] = dy[i] * (derivative);                                                                    \
        }                                                                                                    \
    }

/* clang-format off */
ACTIVATION(sigmoid, logistic(x), z * (1 - z))
ACTIVATION(tanh, tanh(x), 1 - z * z)
ACTIVATION(leaky_relu, x < 0 ? parameter * x : x, z > 0 ? 1 : parameter)
ACTIVATION(elu, x > 0 ? x : parameter * expm1(x), z > 0 ? 1 : z + parameter)
ACTIVATION(softplus, (x < 0 ? 0 : x) + log1p(exp(-fabs(parameter * x))) / parameter, -expm1(-parameter * z))
ACTIVATION(silu, x * logistic(x), logistic(z) * (1 + z * logistic(-z)))
ACTIVATION(hardswish, x * gate(x), z < -3 ? 0 : z > 3 ? 1 : z / 3 + (real)0.5)
ACTIVATION(gelu, x * distribution(x), distribution(z) + z * density(z))
ACTIVATION(gelu_tanh, x * logistic(2 * tanh_argument(x)),
           logistic(2 * tanh_argument(z)) +
               z * logistic(2 * tanh_argument(z)) * logistic(-2 * tanh_argument(z)) * 2 *
                   tanh_argument_slope(z))
/* clang-format on */

void STOA_REFERENCE(prelu)(const real *x, size_t rows, size_t columns, const real *slope, real *y) {
    for (size_t i = 0; i < rows * columns; i++) {
        y[i] = x[i] < 0 ? slope[i % columns] * x[i] : x[i];
    }
}

void STOA_REFERENCE(prelu_backward)(const real *x, const real *dy, size_t rows, size_t columns,
                                    const real *slope, real *dx) {
    for (size_t i = 0; i < rows * columns; i++) {
        dx[i] = x[i] > 0 ? dy[i] : slope[i % columns] * dy[i];
    }
}

void STOA_REFERENCE(prelu_backward_slope)(const real *x, const real *dy, size_t rows, size_t columns,
                                          real *dslope) {
    for (size_t c = 0; c < columns; c++) {
        dslope[c] = 0;
        for (size_t i = c; i < rows * columns; i += columns) {
            dslope[c] += x[i] > 0 ? 0 : dy[i] * x[i];
        }
    }
}
