/* SPDX-License-Identifier: MIT */
/* The weight gradient of a convolution by Winograd's minimal filtering.
 *
 * The forward pass is linear in the weights, so its adjoint serves: for each point the matrices of
 * transformed inputs, V [tiles][C], and of transformed output gradients, Z [tiles][K], give S = V^T Z, and
 * dw = G^T S G. Of narrow layers blocks of tiles each have an S of their own, which stays in a core's L2
 * while the tiles pass; the blocks' gradients are summed in a fixed tree. Of wide ones each thread takes
 * ranges of channels and filters, for which S of a chunk of tiles stays in its L2; there are no partial sums,
 * later chunks add to the gradient. */
#ifndef STOA_CONV_WINOGRAD_WEIGHTS_H
#define STOA_CONV_WINOGRAD_WEIGHTS_H

#include "conv/conv.h"

/* The functions of an algorithm, for a plan whose cut is the pass with one block of all tiles. */
bool stoa_winograd_weights_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_weights_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

#endif
