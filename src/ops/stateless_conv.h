/* SPDX-License-Identifier: MIT */
/* What the stateless calls of convolutions and their plans share: a caller's description, checked. */
#ifndef STOA_OPS_STATELESS_CONV_H
#define STOA_OPS_STATELESS_CONV_H

#include "conv/conv.h"
#include "ops/stateless.h"

/* The caller's description as the algorithms take it, operands lying dense. */
stoa_status stoa_read_conv(stoa_context *context, const char *function, const stoa_conv2d *c,
                           struct stoa_conv *conv);

/* Arrays that can be addressed; the weights of one convolution and one sample of x and y also fit cblas's
 * integer. */
stoa_status stoa_check_conv_arrays(stoa_context *context, const char *function, const struct stoa_conv *conv);

/* A pass that is one of them. */
enum stoa_conv_pass stoa_conv_pass_of(stoa_conv2d_pass pass);

/* Prepared weights are large enough, aligned and of this plan. */
stoa_status stoa_check_prepared(stoa_context *context, const char *function,
                                const struct stoa_conv_plan *plan, const void *prepared,
                                size_t prepared_bytes);

#endif
