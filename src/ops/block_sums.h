/* SPDX-License-Identifier: MIT */
/* Sums over the batch that do not depend on the number of threads: a vector a block of samples, summed in a
 * fixed tree. */
#ifndef STOA_OPS_BLOCK_SUMS_H
#define STOA_OPS_BLOCK_SUMS_H

#include "ops/op.h"

/* Write the vector of `samples` samples from `first`. */
typedef void stoa_block_fn(const struct stoa_op_run *run, size_t first, size_t samples, float *sum);

/* Bytes of workspace for vectors of `floats` numbers, for run->planned_batch; false when they overflow. */
bool stoa_block_sums_bytes(const struct stoa_op_run *run, size_t floats, size_t *bytes);

/* The vectors' sum; it lies in run->workspace until that is used again. */
const float *stoa_block_sums(const struct stoa_op_run *run, size_t floats, stoa_block_fn *body);

#endif
