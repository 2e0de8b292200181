/* SPDX-License-Identifier: MIT */
/* Winograd's convolution for narrow layers, whose transformed weights stay in a core's L2 or near it.
 *
 * The weights are transformed to [points][C][K], by each thread for itself where that takes less time than
 * lines take from one core to another. A block of tiles is transformed, [points][tiles][C], multiplied by
 * them and transformed to outputs, all while it is in a core's L2. */
#ifndef STOA_CONV_WINOGRAD_NARROW_H
#define STOA_CONV_WINOGRAD_NARROW_H

#include "conv/conv.h"

/* The functions of an algorithm, for a plan whose cut begins with the pass: plan() cuts its grid and counts
 * its transforms. */
bool stoa_winograd_narrow_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_narrow_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                                  const float *weight, float *prepared);
void stoa_winograd_narrow_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

#endif
