/* SPDX-License-Identifier: MIT */
/* What losses of targets that have the output's shape share: the reduction of a sample's terms to one number,
 * and the loops over the batch around a kernel of kernels.h's losses of rows. */
#ifndef STOA_OPS_ROW_LOSS_H
#define STOA_OPS_ROW_LOSS_H

#include "ops/op.h"

enum stoa_reduction { STOA_MEAN, STOA_SUM, STOA_HALF_SUM };
extern const char *const stoa_reductions[];      /* texts of mean and sum */
extern const char *const stoa_reductions_half[]; /* and of half_sum */

struct stoa_row_loss_options {
    size_t reduction;
    float parameter; /* the kernel's */
};

#define STOA_REDUCTION_OPTION(choices)                                                                       \
    {                                                                                                        \
        "reduction", STOA_OPTION_CHOICE, offsetof(struct stoa_row_loss_options, reduction), "mean", 0, 0,    \
            choices                                                                                          \
    }

/* One number a sample. */
stoa_status stoa_row_loss_infer(struct stoa_error *error, struct stoa_layer *layer);

/* 1 / K, 1 or 1 / 2: what a sample's K terms are scaled by. */
double stoa_row_loss_scale(const struct stoa_layer *layer);
float stoa_row_loss_parameter(const struct stoa_layer *layer);

typedef void stoa_row_loss_fn(const float *x, const float *t, size_t rows, size_t columns, float parameter,
                              float scale, float *loss);
typedef void stoa_row_loss_backward_fn(const float *x, const float *t, const float *dloss, size_t rows,
                                       size_t columns, float parameter, float scale, float *dx);

void stoa_row_loss_forward(const struct stoa_op_run *run, stoa_row_loss_fn *kernel, double scale);
void stoa_row_loss_backward(const struct stoa_op_run *run, stoa_row_loss_backward_fn *kernel, double scale);

/* The same over double. */
typedef void stoa_row_loss_reference_fn(const double *x, const double *t, size_t rows, size_t columns,
                                        double parameter, double scale, double *loss);
typedef void stoa_row_loss_reference_backward_fn(const double *x, const double *t, const double *dloss,
                                                 size_t rows, size_t columns, double parameter, double scale,
                                                 double *dx);

void stoa_row_loss_reference(const struct stoa_op_reference *run, stoa_row_loss_reference_fn *kernel,
                             double scale);
void stoa_row_loss_reference_backward(const struct stoa_op_reference *run,
                                      stoa_row_loss_reference_backward_fn *kernel, double scale);

#endif
