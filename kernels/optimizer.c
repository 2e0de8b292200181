/* Optimiser steps: stochastic gradient descent with momentum, and Adam. Floor 1. */
#include <math.h>

#include "kernels/isa.h"

void STOA_KERNEL(sgd)(float *restrict p, const float *restrict g, float *restrict v, size_t n, float lr,
                      float momentum, float decay) {
    if (momentum == 0) {
#pragma omp simd
        for (size_t i = 0; i < n; i++) {
            p[i] -= lr * (g[i] + decay * p[i]);
        }
        return;
    }
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float moved = momentum * v[i] + (g[i] + decay * p[i]);
        v[i] = moved;
        p[i] -= lr * moved;
    }
}

void STOA_KERNEL(adam)(float *restrict p, const float *restrict g, float *restrict m, float *restrict v,
                       size_t n, float step_size, float beta1, float beta2, float epsilon,
                       float inv_sqrt_correction2, float decay) {
    float fresh1 = 1 - beta1;
    float fresh2 = 1 - beta2;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] + decay * p[i];
        float first = beta1 * m[i] + fresh1 * gradient;
        float second = beta2 * v[i] + fresh2 * gradient * gradient;
        m[i] = first;
        v[i] = second;
        p[i] -= step_size * first / (sqrtf(second) * inv_sqrt_correction2 + epsilon);
    }
}
