/* SPDX-License-Identifier: MIT */
/* Winograd's convolution forward, and backward to the input.
 *
 * Narrow layers: all weights are transformed, to [points][C][K], by each thread for itself where that takes
 * less time than lines take from one core to another. A block of tiles is transformed, multiplied by them and
 * transformed to outputs, all while it is in a core's L2.
 *
 * Wide layers: a thread takes a block of tiles, transforms it, and then takes ranges of filters: for each it
 * goes through the channels in ranges, and through the points a few lines at a time, whose weights are
 * transformed where they are needed, [points of the lines][channels][filters] in L2, and their products added
 * to sums in L2 or near it. So transformed weights, 4 to 7 times as large as the weights, are never written
 * to memory.
 *
 * The weights of a range are gathered first, each tap's side by side: in the whole weight those of one
 * channel lie far apart, often by a power of two, and share few sets of the caches. Prepared weights are
 * transformed ones of a narrow layer; of a wide one, for which these would come from an outer cache no faster
 * than a core transforms the weights itself, they are all ranges gathered. */
#ifndef STOA_CONV_WINOGRAD_FORWARD_H
#define STOA_CONV_WINOGRAD_FORWARD_H

#include "conv/conv.h"

/* The functions of an algorithm, for a plan whose cut is the pass with one block of all tiles. */
bool stoa_winograd_forward_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_forward_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                                   const float *weight, float *prepared);
void stoa_winograd_forward_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

#endif
