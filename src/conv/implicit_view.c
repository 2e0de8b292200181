/* SPDX-License-Identifier: MIT */
#include "conv/implicit_view.h"

#include <string.h>

#include "base/size.h"
#include "conv/cost.h"
#include "core/tuning.h"
#include "product/product.h"

/* Several images fill a tile before tasks count where they have fewer pixels than this. */
enum { LEAST_PIXELS = 48, MOST_GROUP = 4 };

/* The part of the multiplications that counts. */
static double useful(const stoa_context *context, const struct stoa_conv *conv, size_t group) {
    const struct stoa_window *w = &conv->window;
    double columns = (double)(group * conv->filters);
    return columns / (double)stoa_round_up(group * conv->filters, stoa_cost_lanes(context)) *
           (double)w->kernel_width / (double)(w->kernel_width + (group - 1) * w->stride_width);
}

size_t stoa_implicit_group(const stoa_context *context, const struct stoa_conv *conv) {
    size_t best = 1;
    for (size_t group = 2; group <= MOST_GROUP; group++) {
        if (conv->window.out_width % group == 0 && conv->window.dilation_width == 1 &&
            group * conv->filters <= STOA_GEMM_PANEL &&
            useful(context, conv, group) > 1.1 * useful(context, conv, best)) {
            best = group;
        }
    }
    return best;
}

/* Lines or columns of the image under so many output rows or columns. */
static size_t reach(size_t outputs, size_t stride, size_t kernel, size_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

static size_t lines_of(const struct stoa_window *w, size_t rows) {
    return reach(rows, w->stride_height, w->kernel_height, w->dilation_height);
}

static void set_distances(struct stoa_implicit_view *v, size_t pixel, size_t width, size_t height) {
    v->pixel = pixel;
    v->line = width * pixel;
    v->image = height * v->line;
    v->step = v->group * v->conv.window.stride_width * pixel;
}

void stoa_implicit_view_in_place(struct stoa_implicit_view *v) {
    v->pads = false;
    v->floats = 0;
    set_distances(v, stoa_conv_x_pixel(&v->conv), v->conv.window.width, v->conv.window.height);
}

struct stoa_implicit_view stoa_implicit_view_of(const stoa_context *context, const struct stoa_conv *conv,
                                                size_t group, size_t channels, size_t least, size_t pixels) {
    const struct stoa_window *w = &conv->window;
    struct stoa_implicit_view v = {
        .conv = *conv, .group = group, .columns = group * conv->filters, .images = 1};
    size_t width = reach(w->out_width, w->stride_width, w->kernel_width, w->dilation_width);
    size_t limit = stoa_min(context->tuning->implicit_tile_bytes, context->workspace_limit) / sizeof(float);
    pixels = stoa_max(pixels, context->tuning->implicit_tile_pixels);
    v.pads = w->pad_top > 0 || w->pad_left > 0 || width > w->width || lines_of(w, w->out_height) > w->height;
    v.rows = stoa_min(w->out_height, stoa_ceil_div(pixels, w->out_width));
    v.rows = stoa_ceil_div(w->out_height, stoa_ceil_div(w->out_height, v.rows));
    while (v.pads && v.rows > 1 && lines_of(w, v.rows) * width * channels > limit) {
        v.rows = stoa_ceil_div(v.rows, 2);
    }
    size_t image = w->out_height * w->out_width;
    size_t copy = lines_of(w, v.rows) * width * channels;
    if (v.rows == w->out_height) {
        size_t wanted = stoa_max(stoa_ceil_div(conv->batch, least), stoa_ceil_div(LEAST_PIXELS, image));
        wanted = stoa_min(stoa_min(pixels / image, wanted), conv->batch);
        v.images = stoa_max(1, v.pads ? stoa_min(wanted, limit / copy) : wanted);
    }
    v.groups = v.images * v.rows * w->out_width / group;
    if (v.pads) {
        set_distances(&v, channels, width, lines_of(w, v.rows));
        v.floats = stoa_round_up(v.images * v.image, STOA_ALIGN_FLOATS);
    } else {
        stoa_implicit_view_in_place(&v);
    }
    return v;
}

static size_t tiles_down(const struct stoa_implicit_view *v) {
    return stoa_ceil_div(v->conv.window.out_height, v->rows);
}

size_t stoa_implicit_tiles(const struct stoa_implicit_view *v) {
    return stoa_ceil_div(v->conv.batch, v->images) * tiles_down(v);
}

struct stoa_implicit_tile stoa_implicit_tile_at(const struct stoa_implicit_view *v, size_t number) {
    const struct stoa_window *w = &v->conv.window;
    struct stoa_implicit_tile t = {.image = number / tiles_down(v) * v->images,
                                   .row = number % tiles_down(v) * v->rows};
    t.images = stoa_min(v->images, v->conv.batch - t.image);
    t.rows = stoa_min(v->rows, w->out_height - t.row);
    t.first = (t.image * w->out_height + t.row) * w->out_width;
    t.groups = t.images * t.rows * w->out_width / v->group;
    return t;
}

/* One line of the copy; `line` counts from the top of the padding and may lie outside the image. */
static void copy_line(const struct stoa_implicit_view *v, const struct stoa_kernels *kernels,
                      const float *image, size_t line, float *out) {
    const struct stoa_window *w = &v->conv.window;
    if (line < w->pad_top || line - w->pad_top >= w->height) {
        memset(out, 0, v->line * sizeof *out);
        return;
    }
    size_t pixel = stoa_conv_x_pixel(&v->conv);
    size_t left = stoa_min(w->pad_left * v->pixel, v->line);
    size_t inside = stoa_min(w->width * v->pixel, v->line - left);
    memset(out, 0, left * sizeof *out);
    image += (line - w->pad_top) * w->width * pixel;
    if (v->pixel == pixel) {
        memcpy(out + left, image, inside * sizeof *out);
    } else {
        kernels->copy_rows(image, inside / v->pixel, v->pixel, pixel, out + left, v->pixel);
    }
    memset(out + left + inside, 0, (v->line - left - inside) * sizeof *out);
}

const float *stoa_implicit_look(const struct stoa_implicit_view *v, const struct stoa_kernels *kernels,
                                const float *x, const struct stoa_implicit_tile *t, size_t first,
                                float *copy) {
    const struct stoa_window *w = &v->conv.window;
    size_t image = w->height * w->width * stoa_conv_x_pixel(&v->conv);
    size_t top = t->row * w->stride_height;
    x += t->image * image + first;
    if (!v->pads) {
        return x + top * v->line;
    }
    for (size_t i = 0; i < t->images; i++) {
        for (size_t line = 0; line < lines_of(w, t->rows); line++) {
            copy_line(v, kernels, x + i * image, top + line, copy + i * v->image + line * v->line);
        }
    }
    return copy;
}

struct stoa_fetch stoa_implicit_fetch(const struct stoa_implicit_view *v, const float *x, size_t number,
                                      size_t terms) {
    const struct stoa_window *w = &v->conv.window;
    if (number >= stoa_implicit_tiles(v) || terms == 0) {
        return (struct stoa_fetch){.lines = 0};
    }
    struct stoa_implicit_tile t = stoa_implicit_tile_at(v, number);
    size_t line = w->width * stoa_conv_x_pixel(&v->conv);
    size_t top = t.row * w->stride_height;
    size_t end = top + lines_of(w, t.rows);
    top -= stoa_min(top, w->pad_top);
    end = stoa_max(top, stoa_min(w->height, end - stoa_min(end, w->pad_top)));
    size_t floats = ((t.images - 1) * w->height + end - top) * line;
    return (struct stoa_fetch){.start = x + (t.image * w->height + top) * line,
                               .stride = STOA_ALIGN_FLOATS,
                               .lines = 1,
                               .more = floats / STOA_ALIGN_FLOATS / terms};
}
