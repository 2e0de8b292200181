/* SPDX-License-Identifier: MIT */
/* What operators of one element at a time share: the loops over the batch around a kernel of kernels.h's
 * activations. */
#ifndef STOA_OPS_MAP_H
#define STOA_OPS_MAP_H

#include "ops/op.h"

/* A kernel for y = f(x), and one for dx = dy * f', where z is x or y; `parameter` goes to the kernel. */
typedef void stoa_map_fn(const float *x, float *y, size_t n, float parameter);
typedef void stoa_map_backward_fn(const float *z, const float *dy, float *dx, size_t n, float parameter);

void stoa_map_forward(const struct stoa_op_run *run, stoa_map_fn *kernel, float parameter);
/* Does nothing where nobody asks for the gradient. */
void stoa_map_backward(const struct stoa_op_run *run, stoa_map_backward_fn *kernel, const float *z,
                       float parameter);

/* The same over double. Backward from y computes y again. */
typedef void stoa_map_reference_fn(const double *x, double *y, size_t n, double parameter);
typedef void stoa_map_reference_backward_fn(const double *z, const double *dy, double *dx, size_t n,
                                            double parameter);

void stoa_map_reference(const struct stoa_op_reference *run, stoa_map_reference_fn *kernel, double parameter);
void stoa_map_reference_from_x(const struct stoa_op_reference *run, stoa_map_reference_backward_fn *backward,
                               double parameter);
void stoa_map_reference_from_y(const struct stoa_op_reference *run, stoa_map_reference_fn *forward,
                               stoa_map_reference_backward_fn *backward, double parameter);

#endif
