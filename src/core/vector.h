/* SPDX-License-Identifier: MIT */
/* Dense layers on a single row, forward and backward: products of a matrix and a vector. */
#ifndef STOA_CORE_VECTOR_H
#define STOA_CORE_VECTOR_H

#include "core/context.h"

/* y (n) = x (k) w (k, n). Nothing overlaps. */
void stoa_row_product(const stoa_context *context, const float *x, const float *w, size_t k, size_t n,
                      float *y);

/* Its adjoint: dx (k) = w dy and dw (k, n) = x^T dy (n), each where it is not NULL. */
void stoa_row_product_backward(const stoa_context *context, const float *x, const float *w, const float *dy,
                               size_t k, size_t n, float *dx, float *dw);

#endif
