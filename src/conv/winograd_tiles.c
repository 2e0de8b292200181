/* SPDX-License-Identifier: MIT */
#include "conv/winograd_tiles.h"

#include <assert.h>

#include "base/scratch.h"
#include "base/size.h"

struct stoa_winograd_input stoa_winograd_input_of(const struct stoa_window *window, size_t points) {
    size_t stride = window->stride_height;
    size_t channels = window->channels * stride * stride;
    bool in_place = stride == 1 && channels >= STOA_WINOGRAD_LANES;
    size_t patch = points * points * channels + STOA_WINOGRAD_LANES;
    return (struct stoa_winograd_input){.window = *window,
                                        .taps = stoa_ceil_div(window->kernel_height, stride),
                                        .stride = stride,
                                        .channels = channels,
                                        .row = stoa_max(channels, STOA_WINOGRAD_LANES),
                                        .patch = in_place ? 0 : stoa_round_up(patch, STOA_ALIGN_FLOATS)};
}

struct stoa_winograd_run stoa_winograd_run_of(const struct stoa_winograd *p,
                                              const struct stoa_conv_run *run) {
    return (struct stoa_winograd_run){.context = run->context,
                                      .p = p,
                                      .grid = stoa_winograd_grid_with(&p->grid, run->batch),
                                      .x = p->to_data ? run->dy : run->x,
                                      .weight = run->weight,
                                      .prepared = run->prepared,
                                      .bias = run->bias,
                                      .relu = run->relu,
                                      .y = p->to_data ? run->dx : run->y};
}

size_t stoa_winograd_phase(const struct stoa_winograd_input *in, size_t filters, size_t channel,
                           struct stoa_winograd_taps *taps, size_t *at) {
    size_t channels = in->window.channels;
    size_t kernel = in->window.kernel_height;
    size_t line = channel / channels / in->stride;
    size_t column = channel / channels % in->stride;
    size_t tap = channels * filters;
    *taps = (struct stoa_winograd_taps){.count = in->taps,
                                        .lines = stoa_ceil_div(kernel - line, in->stride),
                                        .columns = stoa_ceil_div(kernel - column, in->stride),
                                        .line = in->stride * kernel * tap,
                                        .tap = in->stride * tap};
    *at = (line * kernel + column) * tap + channel % channels * filters;
    return channels - channel % channels;
}

/* What the tile to the right reads beyond this one's patch: columns too few for a hardware prefetcher to
 * follow. */
static void fetch_next(const struct stoa_winograd_input *in, const struct stoa_winograd_tile *tile,
                       const float *image) {
    const struct stoa_window *w = &in->window;
    size_t top = tile->row * in->stride;
    size_t first = top - stoa_min(top, w->pad_top);
    size_t end = top + stoa_winograd_lines(tile) * in->stride;
    end = stoa_min(w->height, end - stoa_min(end, w->pad_top));
    size_t left = (tile->column + stoa_winograd_columns(tile)) * in->stride;
    left = stoa_min(w->width, left - stoa_min(left, w->pad_left));
    size_t right = stoa_min(w->width, left + tile->width * in->stride);
    for (size_t line = first; line < end; line++) {
        const float *at = image + line * w->width * w->channels;
        for (size_t i = left * w->channels; i < right * w->channels; i += STOA_ALIGN_FLOATS) {
            __builtin_prefetch(at + i);
        }
    }
}

/* The patch of a tile put together: columns of a window as large as its step. */
static void gather(const stoa_context *context, const struct stoa_winograd_input *in,
                   const struct stoa_winograd_tile *tile, const float *image, float *patch) {
    struct stoa_window steps = in->window;
    steps.kernel_height = steps.kernel_width = in->stride;
    steps.out_height = tile->row + stoa_winograd_lines(tile);
    steps.out_width = stoa_winograd_columns(tile);
    steps.out_left = tile->column;
    context->kernels->im2col(&steps, image, 0, steps.channels, tile->row, stoa_winograd_lines(tile),
                             stoa_scratch(), patch);
}

void stoa_winograd_inputs(const struct stoa_winograd_run *r, size_t channel, size_t channels, size_t first,
                          size_t end, float *patch, float *v, size_t row, size_t v_step) {
    const struct stoa_winograd_input *in = &r->p->in;
    const struct stoa_window *w = &in->window;
    const struct stoa_kernels *kernels = r->context->kernels;
    const struct stoa_winograd_group group = stoa_winograd_group_of(&r->grid, first);
    assert(in->patch > 0 || channels >= STOA_WINOGRAD_LANES);
    for (size_t i = first; i < end; i++, v += row) {
        struct stoa_winograd_tile tile;
        size_t number = stoa_winograd_locate(&r->grid, &group, i, &tile);
        const float *image = r->x + number * w->height * w->width * w->channels;
        if (in->patch == 0) {
            kernels->winograd_input(w, &tile, r->grid.points, channels, image + channel, v, v_step);
            continue;
        }
        gather(r->context, in, &tile, image, patch);
        fetch_next(in, &tile, image);
        struct stoa_window dense = {.height = stoa_winograd_lines(&tile),
                                    .width = stoa_winograd_columns(&tile),
                                    .channels = in->channels};
        tile.row = tile.column = 0;
        kernels->winograd_input(&dense, &tile, r->grid.points, channels, patch + channel, v, v_step);
    }
}

void stoa_winograd_multiply(const stoa_context *context, const struct stoa_winograd_ranges *rows,
                            size_t first, size_t point, struct stoa_gemm product) {
    size_t begin = rows->begin[rows->kind[point]];
    product.m = rows->stop[rows->kind[point]] - begin;
    product.a += (begin - first) * product.lda;
    product.c += (begin - first) * product.ldc;
    stoa_gemm_run(context, &product);
}

void stoa_winograd_outputs(const struct stoa_winograd_run *r, size_t first, size_t end, size_t filter,
                           size_t filters, const float *sums, size_t sums_step) {
    const struct stoa_window *w = &r->p->in.window;
    const float *bias = r->bias ? r->bias + filter : NULL;
    size_t pixel = r->p->filters;
    const struct stoa_winograd_group group = stoa_winograd_group_of(&r->grid, first);
    for (size_t i = first; i < end; i++, sums += filters) {
        struct stoa_winograd_tile tile;
        size_t image = stoa_winograd_locate(&r->grid, &group, i, &tile);
        float *y = r->y + image * w->out_height * w->out_width * pixel + filter;
        r->context->kernels->winograd_output(&tile, r->grid.points, sums, sums_step, filters, bias, r->relu,
                                             y, w->out_width * pixel, pixel);
    }
}
