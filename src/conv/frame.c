/* SPDX-License-Identifier: MIT */
/* What several algorithms do after their products: bias and ReLU, and sums over blocks of samples in a fixed
 * tree, so that the bits do not depend on who computed which block. */
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "core/threads.h"

enum { MOST_BLOCKS = 16, RANGE = 4096 };

size_t stoa_reduction_blocks(const stoa_context *context, size_t floats, size_t items) {
    size_t most = floats <= (size_t)64 << 10 ? MOST_BLOCKS : floats <= (size_t)256 << 10 ? 4 : 1;
    size_t blocks = 1;
    /* Nothing overflows, because floats is small where there is more than one block. */
    while (blocks * 2 <= stoa_min(most, items) &&
           stoa_conv_shared_fits(context, 2 * blocks * floats * sizeof(float))) {
        blocks *= 2;
    }
    return blocks;
}

struct reduction {
    const stoa_context *context;
    float *parts;
    size_t stride, blocks, floats;
    bool adds;
    float *out;
};

static void reduce_range(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct reduction *r = argument;
    size_t first = task * RANGE;
    size_t count = stoa_min(RANGE, r->floats - first);
    for (size_t half = r->blocks / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            r->context->kernels->accumulate(r->parts + (i + half) * r->stride + first,
                                            r->parts + i * r->stride + first, count);
        }
    }
    if (r->adds) {
        r->context->kernels->accumulate(r->parts + first, r->out + first, count);
    } else if (r->out != r->parts) {
        memcpy(r->out + first, r->parts + first, count * sizeof(float));
    }
}

void stoa_reduce_blocks(const stoa_context *context, float *parts, size_t stride, size_t blocks,
                        size_t floats, bool adds, float *out) {
    struct reduction r = {context, parts, stride, blocks, floats, adds, out};
    stoa_parallel(context, stoa_ceil_div(floats, RANGE), reduce_range, &r);
}

struct stoa_partials stoa_partials_of(const stoa_context *context, const struct stoa_conv *conv) {
    size_t weights = stoa_conv_weights(conv);
    size_t bias_at = stoa_round_up(weights, STOA_ALIGN_FLOATS);
    size_t stride = bias_at + stoa_round_up(conv->filters, STOA_ALIGN_FLOATS);
    size_t blocks = stoa_reduction_blocks(context, weights, stoa_conv_rows(conv));
    /* The gaps between the sums count as well. */
    while (blocks > 1 && !stoa_conv_shared_fits(context, blocks * stride * sizeof(float))) {
        blocks /= 2;
    }
    return (struct stoa_partials){
        .blocks = blocks, .weights = weights, .filters = conv->filters, .bias_at = bias_at, .stride = stride};
}

float *stoa_partials_carve(const struct stoa_partials *p, struct stoa_carve *carve) {
    return stoa_carve_floats(carve, p->blocks > 1 ? p->blocks * p->stride : p->adds ? p->filters : 0);
}

struct stoa_partials stoa_partials_begin(const struct stoa_partials *planned, size_t items,
                                         const struct stoa_conv_run *run, float *memory) {
    struct stoa_partials p = *planned;
    while (p.blocks > stoa_max(1, items)) {
        p.blocks /= 2;
    }
    p.sums = memory;
    p.dweight = run->dweight;
    p.dbias = run->dbias;
    return p;
}

void stoa_partial_rows(const struct stoa_partials *partials, const struct stoa_conv *conv, size_t block,
                       size_t *row, size_t *end) {
    size_t unit = conv->batch >= partials->blocks ? conv->window.out_height : 1;
    size_t units = stoa_conv_rows(conv) / unit;
    *row = block * units / partials->blocks * unit;
    *end = (block + 1) * units / partials->blocks * unit;
}

void stoa_partials_reduce(const stoa_context *context, const struct stoa_partials *p) {
    if (p->blocks > 1) {
        stoa_reduce_blocks(context, p->sums, p->stride, p->blocks, p->weights, p->adds, p->dweight);
    }
    if (p->dbias && (p->blocks > 1 || p->adds)) {
        stoa_reduce_blocks(context, stoa_partial_bias(p, 0), p->stride, p->blocks, p->filters, p->adds,
                           p->dbias);
    }
}

void stoa_conv_finish(const struct stoa_conv_run *run, const struct stoa_conv *conv, const float *bias,
                      size_t first, size_t count) {
    const struct stoa_kernels *kernels = run->context->kernels;
    size_t pixel = stoa_conv_y_pixel(conv);
    size_t together = pixel == conv->filters ? count : 1; /* pixels are contiguous */
    float *y = run->y + first * pixel;
    if (bias) {
        kernels->bias_act(y, count, conv->filters, pixel, bias, run->relu);
    } else if (run->relu) {
        for (size_t i = 0; i < count; i += together, y += together * pixel) {
            kernels->relu(y, y, together * conv->filters);
        }
    }
    stoa_finish_pixels(&run->finish, run->y, conv->filters, pixel, first, count, 0, conv->filters);
}
