/* SPDX-License-Identifier: MIT */
/* Optimiser steps. Each begins with the two forms of weight decay: `decay` * p is added to the gradient (L2),
 * and p is multiplied with `keep` before the step (decoupled). */
#include <math.h>

#include "kernels/isa.h"

void STOA_KERNEL(sgd)(float *restrict p, const float *restrict g, float *restrict v, size_t n, float lr,
                      float momentum, float decay, float keep) {
    if (momentum == 0) {
#pragma omp simd
        for (size_t i = 0; i < n; i++) {
            p[i] = keep * p[i] - lr * (g[i] + decay * p[i]);
        }
        return;
    }
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float moved = momentum * v[i] + (g[i] + decay * p[i]);
        v[i] = moved;
        p[i] = keep * p[i] - lr * moved;
    }
}

void STOA_KERNEL(nesterov)(float *restrict p, const float *restrict g, float *restrict v, size_t n, float lr,
                           float momentum, float decay, float keep) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] + decay * p[i];
        float moved = momentum * v[i] + gradient;
        v[i] = moved;
        p[i] = keep * p[i] - lr * (gradient + momentum * moved);
    }
}

void STOA_KERNEL(previous_gradient)(float *restrict p, const float *restrict g, float *restrict before,
                                    size_t n, float lr, float momentum, float decay, float keep) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] + decay * p[i];
        p[i] = keep * p[i] - lr * (gradient + momentum * before[i]);
        before[i] = gradient;
    }
}

void STOA_KERNEL(adagrad)(float *restrict p, const float *restrict g, float *restrict sum, size_t n, float lr,
                          float epsilon, float initial, float decay, float keep) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] + decay * p[i];
        float squares = sum[i] + gradient * gradient;
        sum[i] = squares;
        p[i] = keep * p[i] - lr * gradient / (sqrtf(initial + squares) + epsilon);
    }
}

/* Called with constant flags, so that each form is a loop of its own. */
STOA_INLINE void rmsprop_loop(float *restrict p, const float *restrict g, float *restrict square,
                              float *restrict mean, float *restrict v, size_t n, float lr, float alpha,
                              float epsilon, float momentum, float decay, float keep, bool centred,
                              bool moves) {
    float fresh = 1 - alpha;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] + decay * p[i];
        float spread = alpha * square[i] + fresh * gradient * gradient;
        square[i] = spread;
        if (centred) {
            float middle = alpha * mean[i] + fresh * gradient;
            mean[i] = middle;
            /* Rounding may take a variance of zero below it. */
            float variance = spread - middle * middle;
            spread = variance < 0 ? 0 : variance;
        }
        float step = gradient / (sqrtf(spread) + epsilon);
        if (moves) {
            step += momentum * v[i];
            v[i] = step;
        }
        p[i] = keep * p[i] - lr * step;
    }
}

void STOA_KERNEL(rmsprop)(float *p, const float *g, float *square, float *mean, float *v, size_t n, float lr,
                          float alpha, float epsilon, float momentum, float decay, float keep) {
    if (mean && momentum != 0) {
        rmsprop_loop(p, g, square, mean, v, n, lr, alpha, epsilon, momentum, decay, keep, true, true);
    } else if (mean) {
        rmsprop_loop(p, g, square, mean, v, n, lr, alpha, epsilon, momentum, decay, keep, true, false);
    } else if (momentum != 0) {
        rmsprop_loop(p, g, square, mean, v, n, lr, alpha, epsilon, momentum, decay, keep, false, true);
    } else {
        rmsprop_loop(p, g, square, mean, v, n, lr, alpha, epsilon, momentum, decay, keep, false, false);
    }
}

void STOA_KERNEL(adam)(float *restrict p, const float *restrict g, float *restrict m, float *restrict v,
                       size_t n, float step_size, float beta1, float beta2, float epsilon,
                       float inv_sqrt_correction2, float decay, float keep) {
    float fresh1 = 1 - beta1;
    float fresh2 = 1 - beta2;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] + decay * p[i];
        float first = beta1 * m[i] + fresh1 * gradient;
        float second = beta2 * v[i] + fresh2 * gradient * gradient;
        m[i] = first;
        v[i] = second;
        p[i] = keep * p[i] - step_size * first / (sqrtf(second) * inv_sqrt_correction2 + epsilon);
    }
}
