/* SPDX-License-Identifier: MIT */
/* The double references of operators of one number at a time, around a reference of kernels.h's activations;
 * `parameter` goes to it. */
#ifndef STOA_OPS_MAP_H
#define STOA_OPS_MAP_H

#include "ops/op.h"

/* y = f(x), and dx = dy * f', where z is x or y. */
typedef void stoa_map_reference_fn(const double *x, double *y, size_t n, double parameter);
typedef void stoa_map_reference_backward_fn(const double *z, const double *dy, double *dx, size_t n,
                                            double parameter);

/* Backward from y computes y again. */
void stoa_map_reference(const struct stoa_op_reference *run, stoa_map_reference_fn *kernel, double parameter);
void stoa_map_reference_from_x(const struct stoa_op_reference *run, stoa_map_reference_backward_fn *backward,
                               double parameter);
void stoa_map_reference_from_y(const struct stoa_op_reference *run, stoa_map_reference_fn *forward,
                               stoa_map_reference_backward_fn *backward, double parameter);

#endif
