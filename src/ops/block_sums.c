/* SPDX-License-Identifier: MIT */
/* Sums over the batch in a fixed tree. */
#include "ops/block_sums.h"

#include "base/size.h"
#include "conv/conv.h"
#include "core/threads.h"

bool stoa_block_sums_bytes(const struct stoa_op_run *run, size_t floats, size_t *bytes) {
    return stoa_float_bytes(floats, bytes) &&
           stoa_size_scale(bytes, stoa_reduction_blocks(run->context, floats, run->planned_batch));
}

struct sums {
    const struct stoa_op_run *run;
    size_t blocks, stride;
    stoa_block_fn *body;
};

static void run_block(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct sums *sums = argument;
    size_t batch = sums->run->batch;
    size_t first = task * batch / sums->blocks;
    size_t end = (task + 1) * batch / sums->blocks;
    sums->body(sums->run, first, end - first, (float *)sums->run->workspace + task * sums->stride);
}

const float *stoa_block_sums(const struct stoa_op_run *run, size_t floats, stoa_block_fn *body) {
    struct sums sums = {run, stoa_reduction_blocks(run->context, floats, run->batch),
                        stoa_round_up(floats, STOA_ALIGN_FLOATS), body};
    stoa_parallel(run->context, sums.blocks, run_block, &sums);
    stoa_reduce_blocks(run->context, run->workspace, sums.stride, sums.blocks, floats, false, run->workspace);
    return run->workspace;
}
