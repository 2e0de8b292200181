/* SPDX-License-Identifier: MIT */
/* Options of batch norm, for the operator and its stateless form. */
#ifndef STOA_OPS_BATCHNORM_H
#define STOA_OPS_BATCHNORM_H

struct stoa_batchnorm_options {
    float epsilon, momentum;
};

/* The operator's tensors in their order. */
enum { STOA_BATCHNORM_WEIGHT, STOA_BATCHNORM_BIAS, STOA_BATCHNORM_MEAN, STOA_BATCHNORM_VAR };

#endif
