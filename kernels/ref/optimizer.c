/* SPDX-License-Identifier: MIT */
/* Reference optimiser steps. */
#include <tgmath.h>

#include "kernels/ref/ref.h"

void STOA_REFERENCE(sgd)(real *p, const real *g, real *v, size_t n, real lr, real momentum, real decay,
                         real keep) {
    for (size_t i = 0; i < n; i++) {
        real step = g[i] + decay * p[i];
        if (momentum != 0) {
            v[i] = momentum * v[i] + step;
            step = v[i];
        }
        p[i] = keep * p[i] - lr * step;
    }
}

void STOA_REFERENCE(nesterov)(real *p, const real *g, real *v, size_t n, real lr, real momentum, real decay,
                              real keep) {
    for (size_t i = 0; i < n; i++) {
        real gradient = g[i] + decay * p[i];
        v[i] = momentum * v[i] + gradient;
        p[i] = keep * p[i] - lr * (gradient + momentum * v[i]);
    }
}

void STOA_REFERENCE(previous_gradient)(real *p, const real *g, real *before, size_t n, real lr, real momentum,
                                       real decay, real keep) {
    for (size_t i = 0; i < n; i++) {
        real gradient = g[i] + decay * p[i];
        p[i] = keep * p[i] - (momentum * lr * before[i] + lr * gradient);
        before[i] = gradient;
    }
}

void STOA_REFERENCE(adagrad)(real *p, const real *g, real *sum, size_t n, real lr, real epsilon, real initial,
                             real decay, real keep) {
    for (size_t i = 0; i < n; i++) {
        real gradient = g[i] + decay * p[i];
        sum[i] += gradient * gradient;
        p[i] = keep * p[i] - lr * gradient / (sqrt(initial + sum[i]) + epsilon);
    }
}

void STOA_REFERENCE(rmsprop)(real *p, const real *g, real *square, real *mean, real *v, size_t n, real lr,
                             real alpha, real epsilon, real momentum, real decay, real keep) {
    for (size_t i = 0; i < n; i++) {
        real gradient = g[i] + decay * p[i];
        square[i] = alpha * square[i] + (1 - alpha) * gradient * gradient;
        real variance = square[i];
        if (mean) {
            mean[i] = alpha * mean[i] + (1 - alpha) * gradient;
            variance = square[i] - mean[i] * mean[i];
            variance = variance < 0 ? 0 : variance;
        }
        real step = gradient / (sqrt(variance) + epsilon);
        if (momentum != 0) {
            v[i] = momentum * v[i] + step;
            step = v[i];
        }
        p[i] = keep * p[i] - lr * step;
    }
}

void STOA_REFERENCE(adam)(real *p, const real *g, real *m, real *v, size_t n, real step_size, real beta1,
                          real beta2, real epsilon, real inv_sqrt_correction2, real decay, real keep) {
    for (size_t i = 0; i < n; i++) {
        real gradient = g[i] + decay * p[i];
        m[i] = beta1 * m[i] + (1 - beta1) * gradient;
        v[i] = beta2 * v[i] + (1 - beta2) * gradient * gradient;
        p[i] = keep * p[i] - step_size * m[i] / (sqrt(v[i]) * inv_sqrt_correction2 + epsilon);
    }
}
