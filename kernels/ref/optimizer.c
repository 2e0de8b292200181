/* Reference optimiser steps. Floor 1. */
#include <tgmath.h>

#include "kernels/ref/ref.h"

void STOA_REFERENCE(sgd)(real *p, const real *g, real *v, size_t n, real lr, real momentum, real decay) {
    for (size_t i = 0; i < n; i++) {
        real step = g[i] + decay * p[i];
        if (momentum != 0) {
            v[i] = momentum * v[i] + step;
            step = v[i];
        }
        p[i] -= lr * step;
    }
}

void STOA_REFERENCE(adam)(real *p, const real *g, real *m, real *v, size_t n, real step_size, real beta1,
                          real beta2, real epsilon, real inv_sqrt_correction2, real decay) {
    for (size_t i = 0; i < n; i++) {
        real gradient = g[i] + decay * p[i];
        m[i] = beta1 * m[i] + (1 - beta1) * gradient;
        v[i] = beta2 * v[i] + (1 - beta2) * gradient * gradient;
        p[i] -= step_size * m[i] / (sqrt(v[i]) * inv_sqrt_correction2 + epsilon);
    }
}
