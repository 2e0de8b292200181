/* SPDX-License-Identifier: MIT */
/* Winograd's convolution for wide layers, whose transformed weights would not stay in a core's caches.
 *
 * A thread takes a block of tiles, transforms it, and then takes ranges of filters: for each it goes through
 * the channels in ranges, and through the points a few lines at a time, whose weights are transformed where
 * they are needed, [points of the lines][channels][filters] in L2, and their products added to sums in L2 or
 * near it. So transformed weights, 4 to 7 times as large as the weights, are never written to memory. Threads
 * that share a block transform it each for itself, which takes less time than the lines take from another
 * core; where there is no memory for that, all threads transform a chunk of blocks first.
 *
 * The weights of a range are gathered first, each tap's side by side: in the whole weight those of one
 * channel lie far apart, often by a power of two, and share few sets of the caches. Prepared weights are all
 * ranges gathered. */
#ifndef STOA_CONV_WINOGRAD_WIDE_H
#define STOA_CONV_WINOGRAD_WIDE_H

#include "conv/conv.h"

/* The functions of an algorithm, for a plan whose cut begins with the pass: plan() cuts its grid and counts
 * its transforms. */
bool stoa_winograd_wide_plan(const stoa_context *context, struct stoa_conv_plan *plan);
void stoa_winograd_wide_prepare(const stoa_context *context, const struct stoa_conv_plan *plan,
                                const float *weight, float *prepared);
void stoa_winograd_wide_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run);

#endif
