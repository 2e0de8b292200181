/* SPDX-License-Identifier: MIT */
/* Tiles of the implicit algorithm, and the images under them. */
#include <string.h>

#include "base/size.h"
#include "conv/cost.h"
#include "conv/implicit.h"

/* Pixels of a tile; bytes of its copy, which shares L2 with the weight; pixels of an image so small that
 * several fill a tile before tasks count. */
enum { TILE_PIXELS = 512, TILE_BYTES = 1 << 19, LEAST_PIXELS = 48, MOST_GROUP = 4 };
/* Where columns have few terms: more pixels, as long as their lines stay in L2 and there are many tiles.
 * Measured in first layers: 1.02 to 1.05 times as fast, and no gain with more terms or in gradients. */
enum { LONG_PIXELS = 2400, LONG_FLOATS = 28 << 10, MANY_TILES = 32 };

double stoa_implicit_useful(const stoa_context *context, const struct stoa_conv *conv, size_t group) {
    const struct stoa_window *w = &conv->window;
    double columns = (double)(group * conv->filters);
    return columns / (double)stoa_round_up(group * conv->filters, stoa_cost_lanes(context)) *
           (double)w->kernel_width / (double)(w->kernel_width + (group - 1) * w->stride_width);
}

size_t stoa_implicit_group(const stoa_context *context, const struct stoa_conv *conv) {
    size_t best = 1;
    for (size_t group = 2; group <= MOST_GROUP; group++) {
        if (conv->window.out_width % group == 0 && conv->window.dilation_width == 1 &&
            group * conv->filters <= STOA_IMPLICIT_PANEL &&
            stoa_implicit_useful(context, conv, group) > 1.1 * stoa_implicit_useful(context, conv, best)) {
            best = group;
        }
    }
    return best;
}

/* Lines and columns of the image that output rows or columns read. */
static size_t reach(size_t outputs, size_t stride, size_t kernel, size_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

static size_t lines_of(const struct stoa_window *w, size_t rows) {
    return reach(rows, w->stride_height, w->kernel_height, w->dilation_height);
}

size_t stoa_implicit_tile_pixels(const struct stoa_conv *conv, bool gradient) {
    const struct stoa_window *w = &conv->window;
    if (gradient || stoa_conv_column(conv) > STOA_IMPLICIT_FEW_TERMS) {
        return TILE_PIXELS;
    }
    size_t pixels = LONG_FLOATS / w->channels / w->stride_height / w->stride_width;
    pixels = stoa_min(stoa_min(pixels, LONG_PIXELS), stoa_conv_pixels(conv) / MANY_TILES);
    return stoa_max(pixels, TILE_PIXELS);
}

struct stoa_implicit stoa_implicit_cut(const stoa_context *context, const struct stoa_conv *conv,
                                       size_t group, size_t channels, size_t least, size_t most) {
    const struct stoa_window *w = &conv->window;
    struct stoa_implicit l = {.conv = *conv, .group = group, .columns = group * conv->filters};
    size_t pixels = w->out_height * w->out_width;
    size_t width = reach(w->out_width, w->stride_width, w->kernel_width, w->dilation_width);
    l.pads = w->pad_top > 0 || w->pad_left > 0 || width > w->width || lines_of(w, w->out_height) > w->height;
    l.channels = l.pads ? channels : w->channels;
    l.line = (l.pads ? width : w->width) * l.channels;
    l.rows = stoa_min(w->out_height, stoa_ceil_div(most, w->out_width));
    l.rows = stoa_ceil_div(w->out_height, stoa_ceil_div(w->out_height, l.rows));
    size_t limit = stoa_min(TILE_BYTES, context->workspace_limit) / sizeof(float);
    while (l.pads && l.rows > 1 && lines_of(w, l.rows) * l.line > limit) {
        l.rows = stoa_ceil_div(l.rows, 2);
    }
    l.image = (l.pads ? lines_of(w, l.rows) : w->height) * l.line;
    l.images = 1;
    if (l.rows == w->out_height) {
        size_t wanted = stoa_max(stoa_ceil_div(conv->batch, least), stoa_ceil_div(LEAST_PIXELS, pixels));
        l.images = stoa_max(1, stoa_min(stoa_min(most / pixels, wanted), conv->batch));
        l.images = l.pads ? stoa_max(1, stoa_min(l.images, limit / l.image)) : l.images;
    }
    l.view_floats = l.pads ? stoa_round_up(l.images * l.image, STOA_ALIGN_FLOATS) : 0;
    return l;
}

size_t stoa_implicit_tiles(const struct stoa_implicit *l) {
    return stoa_ceil_div(l->conv.batch, l->images) * stoa_ceil_div(l->conv.window.out_height, l->rows);
}

struct stoa_implicit_tile stoa_implicit_tile_at(const struct stoa_implicit *l, size_t number) {
    size_t down = stoa_ceil_div(l->conv.window.out_height, l->rows);
    struct stoa_implicit_tile t = {.image = number / down * l->images, .row = number % down * l->rows};
    t.images = stoa_min(l->images, l->conv.batch - t.image);
    t.rows = stoa_min(l->rows, l->conv.window.out_height - t.row);
    return t;
}

size_t stoa_implicit_first_pixel(const struct stoa_implicit *l, const struct stoa_implicit_tile *t) {
    return (t->image * l->conv.window.out_height + t->row) * l->conv.window.out_width;
}

size_t stoa_implicit_most_groups(const struct stoa_implicit *l) {
    return l->images * l->rows * l->conv.window.out_width / l->group;
}

size_t stoa_implicit_groups(const struct stoa_implicit *l, const struct stoa_implicit_tile *t) {
    return t->images * t->rows * l->conv.window.out_width / l->group;
}

/* One line of the copy; `line` counts from the top of the image and may lie outside. */
static void copy_line(const struct stoa_implicit *l, const struct stoa_kernels *kernels, const float *image,
                      size_t line, float *out) {
    const struct stoa_window *w = &l->conv.window;
    if (line < w->pad_top || line - w->pad_top >= w->height) {
        memset(out, 0, l->line * sizeof *out);
        return;
    }
    size_t left = stoa_min(w->pad_left * l->channels, l->line);
    size_t inside = stoa_min(w->width * l->channels, l->line - left);
    memset(out, 0, left * sizeof *out);
    image += (line - w->pad_top) * w->width * w->channels;
    if (l->channels == w->channels) {
        memcpy(out + left, image, inside * sizeof *out);
    } else {
        kernels->copy_rows(image, inside / l->channels, l->channels, w->channels, out + left, l->channels);
    }
    memset(out + left + inside, 0, (l->line - left - inside) * sizeof *out);
}

const float *stoa_implicit_view(const struct stoa_implicit *l, const struct stoa_kernels *kernels,
                                const float *x, const struct stoa_implicit_tile *t, size_t first,
                                float *copy) {
    const struct stoa_window *w = &l->conv.window;
    size_t image = w->height * w->width * w->channels;
    x += t->image * image;
    if (!l->pads) {
        return x + t->row * w->stride_height * l->line;
    }
    for (size_t i = 0; i < t->images; i++) {
        for (size_t line = 0; line < lines_of(w, t->rows); line++) {
            copy_line(l, kernels, x + i * image + first, t->row * w->stride_height + line,
                      copy + i * l->image + line * l->line);
        }
    }
    return copy;
}

struct stoa_fetch stoa_implicit_fetch(const struct stoa_implicit *l, const float *x, size_t number,
                                      size_t terms) {
    const struct stoa_window *w = &l->conv.window;
    struct stoa_fetch next = {.stride = STOA_ALIGN_FLOATS};
    if (number >= stoa_implicit_tiles(l) || terms == 0) {
        return next;
    }
    struct stoa_implicit_tile t = stoa_implicit_tile_at(l, number);
    size_t line = w->width * w->channels;
    size_t top = t.row * w->stride_height;
    size_t first = top - stoa_min(top, w->pad_top);
    size_t end = top + lines_of(w, t.rows);
    end = stoa_min(w->height, end - stoa_min(end, w->pad_top));
    size_t floats = ((t.images - 1) * w->height + end - stoa_min(end, first)) * line;
    next.start = x + (t.image * w->height + first) * line;
    next.lines = 1;
    next.more = floats / STOA_ALIGN_FLOATS / terms;
    return next;
}

size_t stoa_implicit_row(const struct stoa_implicit *l, size_t row) {
    return row / l->rows * l->image + row % l->rows * l->conv.window.stride_height * l->line;
}

size_t stoa_implicit_step(const struct stoa_implicit *l) {
    return l->group * l->conv.window.stride_width * l->channels;
}
