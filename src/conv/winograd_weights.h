/* SPDX-License-Identifier: MIT */
/* The weight gradient of a convolution by Winograd's minimal filtering.
 *
 * The forward pass is linear in the weights, so its adjoint serves: for each point the matrices of
 * transformed inputs, V [tiles][C], and of transformed output gradients, Z [tiles][K], give S = V^T Z, and
 * dw = G^T S G. Two ways:
 *
 *   apart     narrow layers: blocks of tiles, each with S of its own, which stays in a core's L2 while the
 *             block's tiles pass; the blocks' gradients are summed in a fixed tree
 *   together  wide layers: each thread takes ranges of channels and filters, for which S of a chunk of tiles
 *             stays in its L2; no partial sums. Later chunks add to the gradient. A thread transforms what of
 *             the chunk its ranges need for itself: that takes less time than the lines take from another
 *             core. Where there is no memory for that, or patches must be put together, all threads transform
 *             the chunk first. */
#ifndef STOA_CONV_WINOGRAD_WEIGHTS_H
#define STOA_CONV_WINOGRAD_WEIGHTS_H

#include "conv/conv.h"

/* The functions of an algorithm, for a plan whose cut begins with the pass. */
bool stoa_winograd_weights_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_weights_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);
void stoa_winograd_weights_describe(const struct stoa_conv_plan *plan, char *out, size_t size);

#endif
