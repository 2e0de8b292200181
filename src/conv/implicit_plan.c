/* SPDX-License-Identifier: MIT */
/* How the implicit algorithm cuts a pass: the tiles, and which taps see which outputs. */
#include "base/size.h"
#include "conv/implicit.h"

/* Tiles of a large batch. */
enum { LEAST_TILES = 16 };

/* Channels of which a tap has terms enough for a product of its own, which then needs no copy of the image:
 * it leaves the padding out. */
enum { TAP_CHANNELS = 256 };

static bool is_by_taps(const struct stoa_implicit *l) {
    return l->pads && l->group == 1 && l->conv.window.channels >= TAP_CHANNELS;
}

static struct stoa_implicit_span inside(size_t from, size_t size, size_t pad, size_t stride, size_t begin,
                                        size_t end) {
    size_t first = from < pad ? stoa_ceil_div(pad - from, stride) : 0;
    size_t behind = from < size + pad ? (size + pad - from - 1) / stride + 1 : 0;
    first = stoa_max(first, begin);
    return (struct stoa_implicit_span){first, stoa_max(first, stoa_min(behind, end)) - first};
}

struct stoa_implicit_span stoa_implicit_rows_inside(const struct stoa_implicit_plan *p,
                                                    const struct stoa_implicit_phase *f, size_t i,
                                                    size_t begin, size_t end) {
    const struct stoa_window *w = &p->layout.conv.window;
    return inside(f->top + i * p->dilation_height, w->height, w->pad_top, w->stride_height, begin,
                  stoa_min(end, f->rows));
}

struct stoa_implicit_span stoa_implicit_columns_inside(const struct stoa_implicit_plan *p,
                                                       const struct stoa_implicit_phase *f, size_t j) {
    const struct stoa_window *w = &p->layout.conv.window;
    return inside(f->left + j * p->dilation_width, w->width, w->pad_left, w->stride_width, 0, f->columns);
}

static struct stoa_implicit_plan plan_forward(const stoa_context *context, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    size_t group = stoa_implicit_group(context, conv);
    struct stoa_implicit_plan p = {.layout = stoa_implicit_cut(context, conv, group, w->channels, LEAST_TILES,
                                                               stoa_implicit_tile_pixels(conv, false)),
                                   .stride_height = 1,
                                   .stride_width = 1,
                                   .dilation_height = w->dilation_height,
                                   .dilation_width = w->dilation_width,
                                   .out_height = w->out_height,
                                   .out_width = w->out_width,
                                   .phases = 1,
                                   .kernel_width = w->kernel_width};
    p.packs = conv->filters % STOA_PRODUCT_LANES != 0;
    p.inside = stoa_implicit_is_inside(&p.layout);
    p.by_taps = is_by_taps(&p.layout);
    if (p.inside || p.by_taps) {
        stoa_implicit_read_inside(&p.layout);
    }
    p.stride = stoa_round_up(p.layout.columns, STOA_PRODUCT_LANES);
    p.phase[0] = (struct stoa_implicit_phase){.rows = w->out_height,
                                              .columns = w->out_width,
                                              .down = w->kernel_height,
                                              .across = w->kernel_width + (group - 1) * w->stride_width};
    p.phase[0].terms = p.phase[0].down * p.phase[0].across * w->channels;
    p.terms = p.phase[0].terms;
    return p;
}

/* One axis of a phase: output `at` and those a stride further see `taps` taps of the kernel, `first` and
 * those a stride further; the last of them at pixel at/stride + `from` of dy (which may be negative) and the
 * others behind it. */
struct axis {
    size_t first, taps;
    ptrdiff_t from;
};

static struct axis axis_of(size_t at, size_t pad, size_t stride, size_t kernel, size_t dilation) {
    struct axis a = {.first = (at + pad) % stride};
    a.taps = a.first < kernel ? stoa_ceil_div(kernel - a.first, stride) : 0;
    a.from = (ptrdiff_t)((at + pad - a.first) / stride) - (ptrdiff_t)((a.taps - (a.taps > 0)) * dilation);
    return a;
}

/* How far the phases of an axis reach: pixels before dy's first, and from there to behind the last that
 * output 0 sees. */
static void span_of(size_t pad, size_t stride, size_t kernel, size_t dilation, size_t *before,
                    size_t *extent) {
    ptrdiff_t least = 0;
    ptrdiff_t most = 1;
    for (size_t at = 0; at < stride; at++) {
        struct axis a = axis_of(at, pad, stride, kernel, dilation);
        ptrdiff_t end = a.from + (ptrdiff_t)((a.taps - (a.taps > 0)) * dilation) + 1;
        least = a.from < least ? a.from : least;
        most = end > most ? end : most;
    }
    *before = (size_t)-least;
    *extent = (size_t)(most - least);
}

/* dx as the result of convolutions over dy. */
static struct stoa_implicit_plan plan_backward(const stoa_context *context, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    struct stoa_conv t = *conv;
    t.filters = w->channels;
    t.window = (struct stoa_window){.height = w->out_height,
                                    .width = w->out_width,
                                    .channels = conv->filters,
                                    .stride_height = 1,
                                    .stride_width = 1,
                                    .dilation_height = 1,
                                    .dilation_width = 1,
                                    .out_height = stoa_ceil_div(w->height, w->stride_height),
                                    .out_width = stoa_ceil_div(w->width, w->stride_width)};
    span_of(w->pad_top, w->stride_height, w->kernel_height, w->dilation_height, &t.window.pad_top,
            &t.window.kernel_height);
    span_of(w->pad_left, w->stride_width, w->kernel_width, w->dilation_width, &t.window.pad_left,
            &t.window.kernel_width);
    bool strided = w->stride_height > 1 || w->stride_width > 1;
    size_t group = strided || w->dilation_width > 1 ? 1 : stoa_implicit_group(context, &t);
    struct stoa_implicit_plan p = {.stride_height = w->stride_height,
                                   .stride_width = w->stride_width,
                                   .dilation_height = w->dilation_height,
                                   .dilation_width = w->dilation_width,
                                   .out_height = w->height,
                                   .out_width = w->width,
                                   .packs = true,
                                   .turned = true,
                                   .kernel_width = w->kernel_width,
                                   .stride = stoa_round_up(group * t.filters, STOA_PRODUCT_LANES)};
    /* A group's patches are wider, and none of them reaches behind the last pixel's. */
    p.layout = stoa_implicit_cut(context, &t, group, conv->filters, LEAST_TILES,
                                 stoa_implicit_tile_pixels(&t, true));
    p.by_taps = is_by_taps(&p.layout);
    if (p.by_taps) {
        stoa_implicit_read_inside(&p.layout);
    }
    for (size_t row = 0; row < stoa_min(w->stride_height, w->height); row++) {
        struct axis down = axis_of(row, w->pad_top, w->stride_height, w->kernel_height, w->dilation_height);
        for (size_t column = 0; column < stoa_min(w->stride_width, w->width); column++) {
            struct axis across =
                axis_of(column, w->pad_left, w->stride_width, w->kernel_width, w->dilation_width);
            struct stoa_implicit_phase *f = &p.phase[p.phases++];
            *f = (struct stoa_implicit_phase){.row = row,
                                              .column = column,
                                              .rows = stoa_ceil_div(w->height - row, w->stride_height),
                                              .columns = stoa_ceil_div(w->width - column, w->stride_width),
                                              .down = down.taps,
                                              .across = across.taps > 0 ? across.taps + group - 1 : 0,
                                              .tap_row = down.first,
                                              .tap_column = across.first,
                                              .begin = p.terms};
            f->top = (size_t)((ptrdiff_t)t.window.pad_top + down.from);
            f->left = (size_t)((ptrdiff_t)t.window.pad_left + across.from);
            f->terms = f->down * f->across * conv->filters;
            p.terms += f->terms;
        }
    }
    return p;
}

struct stoa_implicit_plan stoa_implicit_plan_of(const stoa_context *context, const struct stoa_conv *conv,
                                                enum stoa_conv_pass pass) {
    return pass == STOA_CONV_BACKWARD_DATA ? plan_backward(context, conv) : plan_forward(context, conv);
}
