/* SPDX-License-Identifier: MIT */
/* The weight gradient of a convolution by Winograd's minimal filtering.
 *
 * The forward pass is linear in the weights, so its adjoint serves: for each point the matrices of
 * transformed inputs, V [tiles][C], and of transformed output gradients, Z [tiles][K], give S = V^T Z, and
 * dw = G^T S G. In narrow layers each block of tiles has an S of its own, which stays in a core's L2 while
 * the tiles pass, and the blocks' gradients are summed in a fixed tree. In wide layers each thread takes
 * ranges of channels and filters, for which S of a chunk of tiles stays in its L2; there are no partial
 * sums, and later chunks add to the gradient. */
#include <string.h>

#include "base/size.h"
#include "conv/winograd_pass.h"

/* The sums of 36 points for a range of 64 x 64 are 576 KiB; narrow layers have no more. */
enum { LEAST_RANGE = 16, LEAST_TASKS = 8, SUM_UNIT = 4 };

static bool is_narrow(const stoa_context *context, const struct stoa_winograd *p) {
    size_t range = context->tuning->winograd_range;
    return p->in.channels * p->filters <= range * range;
}

/* Tiles are shared evenly. S may take three quarters of what a thread has, and the tiles the rest. */
static bool cut_narrow(const stoa_context *context, const struct stoa_conv *conv, struct stoa_winograd *p) {
    p->narrow = p->own_inputs = p->own_right = true;
    p->partials = 1;
    p->range_channels = p->in.channels;
    p->range_filters = p->filters;
    size_t fixed = stoa_winograd_size(p, 0);
    size_t left = context->workspace_limit - stoa_min(context->workspace_limit, fixed);
    size_t tiles = stoa_min(context->tuning->winograd_step_tiles, stoa_winograd_fitting(p, left));
    tiles = stoa_min(tiles > SUM_UNIT ? tiles / SUM_UNIT * SUM_UNIT : tiles, p->grid.end);
    if (tiles == 0) {
        return false;
    }
    p->partials = stoa_reduction_blocks(context, stoa_conv_weights(conv), stoa_ceil_div(p->grid.end, tiles));
    stoa_winograd_cut_full(&p->grid, stoa_min(tiles, stoa_ceil_div(p->grid.end, p->partials)), false);
    return true;
}

/* Cut into ranges until S fits and there are tasks enough; false when it does not fit. */
static bool cut_ranges(const stoa_context *context, struct stoa_winograd *p) {
    size_t range = context->tuning->winograd_range;
    p->range_channels = stoa_min(range, p->in.channels);
    p->range_filters = stoa_min(range, p->filters);
    while (stoa_winograd_size(p, 0) > context->workspace_limit && p->range_channels > LEAST_RANGE) {
        p->range_channels /= 2;
    }
    while (stoa_winograd_size(p, 0) > context->workspace_limit && p->range_filters > LEAST_RANGE) {
        p->range_filters /= 2;
    }
    bool fits = stoa_winograd_size(p, 0) <= context->workspace_limit;
    if (stoa_winograd_channel_ranges(p) * stoa_winograd_filter_ranges(p) < LEAST_TASKS &&
        p->range_filters > range / 2 && range > LEAST_RANGE) {
        p->range_filters = range / 2;
    }
    return fits;
}

/* Few ranges would each read all tiles again, which the largest tiles do not pay for. Patches that must be
 * put together are put together once, for all ranges. */
static bool cut_wide(const stoa_context *context, struct stoa_winograd *p) {
    p->chunk = 1;
    if (!cut_ranges(context, p) || (is_narrow(context, p) && p->grid.points == STOA_WINOGRAD_POINTS)) {
        return false;
    }
    size_t limit = STOA_WINOGRAD_CHUNK_LIMITS * context->workspace_limit;
    size_t tiles = stoa_min(context->tuning->winograd_chunk_tiles, stoa_winograd_fitting(p, limit));
    if (tiles == 0) {
        return false;
    }
    stoa_winograd_cut_even(&p->grid, tiles, false);
    (void)stoa_winograd_size(p, stoa_winograd_block_tiles(p));
    size_t floats = p->shared.inputs + p->shared.right;
    p->own_inputs = p->own_right =
        p->in.patch == 0 && stoa_conv_shared_fits(context, context->threads * floats * sizeof(float));
    return true;
}

bool stoa_winograd_weights_plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    struct stoa_winograd *p = (void *)plan->cut.bytes;
    size_t sums = p->points * stoa_winograd_step(p->in.channels * p->filters) * sizeof(float);
    bool narrow = is_narrow(context, p) && sums <= context->workspace_limit / 4 * 3;
    if (narrow ? !cut_narrow(context, &plan->conv, p) : !cut_wide(context, p)) {
        return false;
    }
    p->transforms = 2 * stoa_max(1, p->partials);
    return stoa_winograd_place(context, plan);
}

/* Set S of a range to V^T Z over the tiles of a block, or add it. `begun` has a bit for each point with a
 * sum; returns it with those of this call. */
static uint64_t add_products(const struct stoa_winograd_run *r, const struct stoa_winograd_part *part,
                             size_t number, size_t channel, size_t filter, uint64_t begun) {
    const struct stoa_winograd *p = r->p;
    const struct stoa_winograd_block block = stoa_winograd_block_of(&r->grid, number);
    const struct stoa_winograd_matrix v = stoa_winograd_inputs(r, part, &block, channel);
    const struct stoa_winograd_matrix z = stoa_winograd_gradients(r, part, &block, filter);
    size_t filters = stoa_min(p->range_filters, p->filters - filter);
    for (size_t point = 0; point < p->points; point++) {
        const struct stoa_winograd_span rows = stoa_winograd_span_of(&r->grid, &block, point);
        size_t row = rows.begin - block.first;
        if (rows.begin == rows.stop) {
            continue;
        }
        stoa_gemm_run(r->context,
                      &(struct stoa_gemm){.transpose_a = true,
                                          .m = stoa_min(p->range_channels, p->in.channels - channel),
                                          .n = filters,
                                          .k = rows.stop - rows.begin,
                                          .alpha = 1,
                                          .a = v.at + point * p->input_step + row * v.row,
                                          .lda = v.row,
                                          .b = z.at + point * p->right_step + row * z.row,
                                          .ldb = z.row,
                                          .beta = begun >> point & 1 ? 1.0F : 0.0F,
                                          .c = part->sums + point * p->sums_step,
                                          .ldc = filters});
        begun |= (uint64_t)1 << point;
    }
    return begun;
}

/* Write G^T S G of the range of channels and filters from (channel, filter) on: to `gradient`, the start of
 * a whole one, or added to it by way of `more` (else NULL). */
static void write_gradient(const struct stoa_winograd_run *r, size_t channel, size_t filter,
                           const float *sums, float *more, float *gradient) {
    const struct stoa_winograd *p = r->p;
    const struct stoa_kernels *kernels = r->context->kernels;
    size_t filters = stoa_min(p->range_filters, p->filters - filter);
    size_t end = stoa_min(p->in.channels, channel + p->range_channels);
    while (channel < end) {
        struct stoa_winograd_taps taps;
        size_t at;
        size_t together = stoa_winograd_phase(&p->in, p->filters, channel, end - channel, &taps, &at);
        struct stoa_winograd_taps dense = taps;
        dense.tap = together * filters;
        dense.line = taps.columns * dense.tap;
        float *to = gradient + at + filter;
        kernels->winograd_weights_gradient(p->grid.points, sums, filters, p->sums_step, together, filters,
                                           more ? more : to, more ? &dense : &taps,
                                           more ? filters : p->filters);
        for (size_t row = 0; more && row < taps.lines * taps.columns * together; row++) {
            size_t tap = row / together;
            kernels->accumulate(more + row * filters,
                                to + (tap / taps.columns) * taps.line + (tap % taps.columns) * taps.tap +
                                    row % together * p->filters,
                                filters);
        }
        sums += together * filters;
        channel += together;
    }
}

/* Sum the gradient of the range from (channel, filter) on over blocks [block, end). The sum of a point that
 * no tile has is 0. `more`: see write_gradient(). */
static void sum_blocks(const struct stoa_winograd_run *r, const struct stoa_winograd_part *part, size_t block,
                       size_t end, size_t channel, size_t filter, float *more, float *gradient) {
    const struct stoa_winograd *p = r->p;
    float *sums = part->sums;
    uint64_t begun = 0;
    STOA_ASSUME(sums);
    for (; block < end; block++) {
        begun = add_products(r, part, block, channel, filter, begun);
    }
    for (size_t point = 0; point < p->points; point++) {
        if (!(begun >> point & 1)) {
            memset(sums + point * p->sums_step, 0, p->range_channels * p->range_filters * sizeof *sums);
        }
    }
    write_gradient(r, channel, filter, sums, more, gradient);
}

/* Sum some blocks to a gradient of their own. */
static void run_partial(void *argument, size_t task, size_t thread) {
    const struct stoa_winograd_run *r = argument;
    const struct stoa_winograd_part part = stoa_winograd_part_of(r, thread);
    size_t blocks = r->grid.blocks;
    sum_blocks(r, &part, task * blocks / r->partials, (task + 1) * blocks / r->partials, 0, 0, NULL,
               r->shared.taps + task * stoa_winograd_gradient_step(r->p));
}

/* Run one task's range of channels and filters: S over the chunk, and its part of the gradient. Neighbours
 * have the same range of the larger tensor, so that a thread needs as little of it as can be. */
static void run_range(void *argument, size_t task, size_t thread) {
    const struct stoa_winograd_run *r = argument;
    const struct stoa_winograd *p = r->p;
    const struct stoa_winograd_part part = stoa_winograd_part_of(r, thread);
    bool by_filters = p->filters > p->in.channels;
    size_t across = by_filters ? stoa_winograd_channel_ranges(p) : stoa_winograd_filter_ranges(p);
    size_t channel = (by_filters ? task % across : task / across) * p->range_channels;
    size_t filter = (by_filters ? task / across : task % across) * p->range_filters;
    sum_blocks(r, &part, r->chunk, r->chunk + 1, channel, filter, r->chunk > 0 ? part.taps : NULL,
               r->run->dweight);
}

static void sum_bias(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct stoa_winograd_run *r = argument;
    const struct stoa_winograd *p = r->p;
    size_t pixels = r->grid.batch * p->in.window.out_height * p->in.window.out_width;
    size_t first = task * pixels / STOA_WINOGRAD_BIAS_BLOCKS;
    size_t end = (task + 1) * pixels / STOA_WINOGRAD_BIAS_BLOCKS;
    r->context->kernels->column_sums(r->run->dy + first * p->filters, end - first, p->filters, p->filters,
                                     r->shared.sums + task * stoa_winograd_bias_step(p));
}

void stoa_winograd_weights_run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    struct stoa_winograd_run r = stoa_winograd_begin(plan, run);
    const struct stoa_winograd *p = r.p;
    if (p->narrow) {
        for (r.partials = p->partials; r.partials > r.grid.blocks;) {
            r.partials /= 2;
        }
        stoa_parallel(run->context, r.partials, run_partial, &r);
        stoa_reduce_blocks(run->context, r.shared.taps, stoa_winograd_gradient_step(p), r.partials,
                           stoa_conv_weights(&plan->conv), false, run->dweight);
    } else {
        size_t ranges = stoa_winograd_channel_ranges(p) * stoa_winograd_filter_ranges(p);
        stoa_winograd_run_chunks(&r, ranges, run_range);
    }
    if (run->dbias) {
        stoa_parallel(run->context, STOA_WINOGRAD_BIAS_BLOCKS, sum_bias, &r);
        stoa_reduce_blocks(run->context, r.shared.sums, stoa_winograd_bias_step(p), STOA_WINOGRAD_BIAS_BLOCKS,
                           p->filters, false, run->dbias);
    }
}
