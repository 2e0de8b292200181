/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/size.h"
#include "conv/cost.h"
#include "conv/implicit_pass.h"
#include "core/tuning.h"
#include "product/product.h"

/* Several images fill a tile, whatever the number of tasks, where they have fewer pixels than this. */
enum { LEAST_PIXELS = 48, MOST_GROUP = 4 };

/* A side of a forward pass has one axis. Backward data is a forward pass over dy for each phase, whose
 * outputs see every stride-th tap from `first` on: the last tap at pixel `last`, the others behind it. */
static struct stoa_implicit_side side_of(size_t size, size_t pad, size_t kernel, size_t stride,
                                         size_t dilation, size_t out, bool back) {
    if (!back) {
        return (struct stoa_implicit_side){size, pad, stride, dilation, (kernel - 1) * dilation + 1,
                                           out,  1,   1,      kernel,   {{.outputs = out, .taps = kernel}}};
    }
    struct stoa_implicit_side s = {out, 0, 1, dilation, .out = size, .step = stride};
    STOA_ASSUME(stride > 0);
    for (; s.axes < stoa_min(stride, size); s.axes++) {
        size_t first = (s.axes + pad) % stride;
        size_t last = (s.axes + pad) / stride;
        size_t taps = first < kernel ? stoa_ceil_div(kernel - first, stride) : 0;
        size_t reach = (taps - (taps > 0)) * dilation;
        s.axis[s.axes] = (struct stoa_implicit_axis){
            s.axes, stoa_ceil_div(size - s.axes, stride), last - reach /* this may wrap */, taps, s.taps,
            first};
        s.taps += taps;
        s.pad = stoa_max(s.pad, reach - stoa_min(reach, last));
        s.extent = stoa_max(s.extent, last + 1);
    }
    s.extent += s.pad;
    for (size_t at = 0; at < s.axes; at++) {
        s.axis[at].begin += s.pad;
    }
    return s;
}

/* The share of the multiplications whose results are used. */
static double useful(const stoa_context *context, const struct stoa_implicit_view *v, size_t group) {
    double columns = (double)(group * v->filters);
    return columns / (double)stoa_round_up(group * v->filters, stoa_cost_lanes(context)) *
           (double)v->across.extent / (double)(v->across.extent + (group - 1) * v->across.stride);
}

/* How many pixels are worth being one row of the product. */
static size_t group_of(const stoa_context *context, const struct stoa_implicit_view *v) {
    size_t best = 1;
    for (size_t group = 2; group <= MOST_GROUP && v->down.step * v->across.step == 1; group++) {
        if (v->across.out % group == 0 && v->across.dilation == 1 && group * v->filters <= STOA_GEMM_PANEL &&
            useful(context, v, group) > 1.1 * useful(context, v, best)) {
            best = group;
        }
    }
    return best;
}

/* How many image rows, or pixels of one, lie under so many outputs of one axis. */
static size_t under(const struct stoa_implicit_side *side, size_t outputs) {
    return (outputs - 1) * side->stride + side->extent;
}

static bool is_padded(const struct stoa_implicit_side *side) {
    return side->pad > 0 || under(side, side->axis[0].outputs) > side->size;
}

bool stoa_implicit_view_of(const stoa_context *context, struct stoa_conv_plan *plan,
                           struct stoa_implicit_view *v) {
    const struct stoa_conv *conv = &plan->conv;
    const struct stoa_window *w = &conv->window;
    const bool back = plan->pass == STOA_CONV_BACKWARD_DATA;
    if (back && (w->stride_height > 1 || w->stride_width > 1) &&
        (w->dilation_height > 1 || w->dilation_width > 1 || w->stride_height > STOA_IMPLICIT_PHASES ||
         w->stride_height * w->stride_width > STOA_IMPLICIT_PHASES)) {
        return false;
    }
    *v = (struct stoa_implicit_view){.batch = conv->batch,
                                     .channels = back ? conv->filters : w->channels,
                                     .filters = back ? w->channels : conv->filters};
    v->down = side_of(w->height, w->pad_top, w->kernel_height, w->stride_height, w->dilation_height,
                      w->out_height, back);
    v->across = side_of(w->width, w->pad_left, w->kernel_width, w->stride_width, w->dilation_width,
                        w->out_width, back);
    v->pads = is_padded(&v->down) || is_padded(&v->across);
    v->group = group_of(context, v);
    v->columns = v->group * v->filters;
    v->stride = stoa_round_up(v->columns, STOA_PRODUCT_LANES);
    v->across.taps += (v->group - 1) * v->across.stride;
    v->across.axis[0].taps += (v->group - 1) * v->across.stride;
    /* The pixels of a group are written as one, and a gradient whose rows are others is folded. */
    const bool folds = plan->pass == STOA_CONV_BACKWARD_WEIGHTS && (v->group > 1 || v->stride != v->columns);
    const unsigned written = back ? STOA_CONV_X_PIXEL : STOA_CONV_Y_PIXEL;
    stoa_conv_take(plan, (back ? STOA_CONV_Y_PIXEL : STOA_CONV_X_PIXEL) | (v->group > 1 ? 0 : written) |
                             (folds ? 0 : STOA_CONV_ADDS));
    v->x_pixel = back ? stoa_conv_y_pixel(conv) : stoa_conv_x_pixel(conv);
    v->y_pixel = back ? stoa_conv_x_pixel(conv) : stoa_conv_y_pixel(conv);
    v->y_row = v->group * v->y_pixel;
    return true;
}

void stoa_implicit_cut_tiles(const stoa_context *context, size_t channels, size_t least, size_t pixels,
                             struct stoa_implicit_view *v) {
    size_t height = v->down.axis[0].outputs;
    size_t width = v->across.axis[0].outputs;
    size_t line = under(&v->across, width) * channels;
    size_t limit = stoa_min(context->tuning->implicit_tile_bytes, context->workspace_limit) / sizeof(float);
    pixels = stoa_max(pixels, context->tuning->implicit_tile_pixels);
    double products =
        (double)(v->down.taps * v->across.taps * v->channels) * (double)(height * v->filters * width);
    size_t parts = stoa_conv_least_tasks(context, v->batch, products);
    v->rows = stoa_min(stoa_ceil_div(height, parts), stoa_ceil_div(pixels, width));
    v->rows = stoa_ceil_div(height, stoa_ceil_div(height, v->rows));
    while (v->rows > 1 && under(&v->down, v->rows) * line > limit) {
        v->rows = stoa_ceil_div(v->rows, 2);
    }
    size_t lines = under(&v->down, v->rows);
    v->images = 1;
    if (v->rows == height) {
        size_t image = height * width;
        size_t wanted = stoa_max(stoa_ceil_div(v->batch, least), stoa_ceil_div(LEAST_PIXELS, image));
        wanted = stoa_min(stoa_min(pixels / image, wanted), v->batch);
        v->images = stoa_max(1, stoa_min(wanted, limit / (lines * line)));
    }
    v->groups = v->images * v->rows * width / v->group;
    v->pixel = v->pads ? channels : v->x_pixel;
    v->line = v->pads ? line : v->across.size * v->pixel;
    v->image = (v->pads ? lines : v->down.size) * v->line;
    v->step = v->group * v->across.stride * v->pixel;
    v->floats = v->pads ? stoa_round_up(v->images * v->image, STOA_ALIGN_FLOATS) : 0;
}

static size_t tiles_down(const struct stoa_implicit_view *v) {
    return stoa_ceil_div(v->down.axis[0].outputs, v->rows);
}

size_t stoa_implicit_tiles(const struct stoa_implicit_view *v) {
    return stoa_ceil_div(v->batch, v->images) * tiles_down(v);
}

struct stoa_implicit_tile stoa_implicit_tile_at(const struct stoa_implicit_view *v, size_t number) {
    size_t height = v->down.axis[0].outputs;
    size_t width = v->across.axis[0].outputs;
    struct stoa_implicit_tile t = {.image = number / tiles_down(v) * v->images,
                                   .row = number % tiles_down(v) * v->rows};
    t.images = stoa_min(v->images, v->batch - t.image);
    t.rows = stoa_min(v->rows, height - t.row);
    t.first = (t.image * height + t.row) * width;
    t.groups = t.images * t.rows * width / v->group;
    return t;
}

/* Copy one image row; `line` counts from the top of the padding and may lie outside the image. */
static void copy_line(const struct stoa_implicit_view *v, const struct stoa_kernels *kernels,
                      const float *image, size_t line, float *out) {
    const bool exists = line >= v->down.pad && line - v->down.pad < v->down.size;
    size_t left = stoa_min(v->across.pad * v->pixel, v->line);
    size_t inside = exists ? stoa_min(v->across.size * v->pixel, v->line - left) : 0;
    size_t run = v->pixel == v->x_pixel ? stoa_max(inside, 1) : v->pixel;
    image += exists ? (line - v->down.pad) * v->across.size * v->x_pixel : 0;
    memset(out, 0, left * sizeof *out);
    kernels->copy_rows(image, inside / run, run, v->x_pixel, out + left, v->pixel);
    memset(out + left + inside, 0, (v->line - left - inside) * sizeof *out);
}

void stoa_implicit_look(const struct stoa_implicit_view *v, const struct stoa_kernels *kernels,
                        const float *x, size_t first, float *copy, struct stoa_implicit_tile *t) {
    size_t image = v->down.size * v->across.size * v->x_pixel;
    x += t->image * image + first;
    t->view = v->pads ? copy : x;
    t->top = v->pads ? t->row * v->down.stride : v->down.pad;
    t->left = v->pads ? 0 : v->across.pad;
    for (size_t i = 0; v->pads && i < t->images; i++, x += image) {
        for (size_t line = 0; line < under(&v->down, t->rows); line++) {
            copy_line(v, kernels, x, t->top + line, copy + i * v->image + line * v->line);
        }
    }
}

struct stoa_fetch stoa_implicit_fetch(const struct stoa_implicit_view *v, const float *x, size_t number,
                                      size_t terms) {
    if (number >= stoa_implicit_tiles(v) || terms == 0) {
        return (struct stoa_fetch){.lines = 0};
    }
    struct stoa_implicit_tile t = stoa_implicit_tile_at(v, number);
    size_t line = v->across.size * v->x_pixel;
    size_t top = t.row * v->down.stride - stoa_min(t.row * v->down.stride, v->down.pad);
    size_t lines = stoa_min(under(&v->down, t.rows), v->down.size - stoa_min(top, v->down.size));
    size_t floats = ((t.images - 1) * v->down.size + lines) * line;
    return (struct stoa_fetch){.start = x + (t.image * v->down.size + top) * line,
                               .stride = STOA_ALIGN_FLOATS,
                               .lines = 1,
                               .more = floats / STOA_ALIGN_FLOATS / terms};
}
