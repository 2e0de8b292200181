/* Convolution without columns: the engine's own product kernel reads every patch of the image where it lies. Floor 4.
 *
 * In NHWC a line of a patch is one run of KW * C numbers, so a patch is KH segments, a line of the image apart. Where the
 * image needs padding, the lines under a tile of output rows are copied into a padded one first, or, where they are long and
 * have few channels, sums leave the padding out (implicit_inside.c). Few filters would leave lanes of a vector empty: then
 * `group` pixels side by side are one row of the product, against a banded weight:
 *   forward           y[pixels / group][group K] = patches[pixels / group][KH (KW + group - 1) C] * banded weight
 *   backward data     the same over dy with the weight turned by 180 degrees. By a stride of s the pixels of dx fall into
 *                     s * s phases: each sees the taps of its own, and is a convolution of stride 1 with those
 *   backward weights  see implicit_weights.c
 *
 * Zhang, Franchetti and Low, "High Performance Zero-Memory Overhead Direct Convolutions", 2018, for the idea. */
#include "conv/implicit.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/cost.h"
#include "core/threads.h"

/* Terms of the weight that a product takes at once, so that they stay in L2. */
enum { PANEL_TERMS = 320 };

static bool is_strided(const struct stoa_implicit_plan *p) {
    return p->stride_height > 1 || p->stride_width > 1;
}

static size_t tile_rows(const struct stoa_implicit_plan *p) {
    return p->layout.images * p->layout.rows;
}

/* Bytes that all threads share: the bias in rows of the product, the packed weight, and offsets of terms, of rows of a
 * tile and of their results. */
static size_t shared_bytes(const struct stoa_implicit_plan *p) {
    size_t room = stoa_implicit_offsets(p->terms) + 2 * stoa_implicit_offsets(tile_rows(p));
    return room * sizeof(size_t) + (p->packs ? p->terms + 1 : 1) * p->stride * sizeof(float);
}

static bool applicable(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    const struct stoa_window *w = &conv->window;
    /* 1x1 kernels have products of their own, without columns either. */
    if (conv->groups != 1 || stoa_plain_products(context) || w->kernel_height * w->kernel_width == 1) {
        return false;
    }
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_implicit_weights_applicable(context, conv);
    }
    bool strided = w->stride_height > 1 || w->stride_width > 1;
    if (pass == STOA_CONV_BACKWARD_DATA && strided &&
        (w->dilation_height > 1 || w->dilation_width > 1 || w->stride_height > STOA_IMPLICIT_PHASES ||
         w->stride_height * w->stride_width > STOA_IMPLICIT_PHASES)) {
        return false;
    }
    struct stoa_implicit_plan p = stoa_implicit_plan_of(context, conv, pass);
    return p.layout.view_floats * sizeof(float) <= context->workspace_limit &&
           stoa_conv_shared_fits(context, shared_bytes(&p));
}

static bool workspace(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                      size_t *bytes) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_implicit_weights_workspace(context, conv, bytes);
    }
    struct stoa_implicit_plan p = stoa_implicit_plan_of(context, conv, pass);
    return stoa_size_mul(stoa_conv_thread_step(context, p.layout.view_floats) * sizeof(float),
                         context->threads, bytes) &&
           stoa_size_add(*bytes, shared_bytes(&p), bytes);
}

static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_implicit_weights_cost(context, conv);
    }
    struct stoa_implicit_plan p = stoa_implicit_plan_of(context, conv, pass);
    const struct stoa_implicit *l = &p.layout;
    double products = 0; /* of one image and filter */
    for (size_t i = 0; i < p.phases; i++) {
        products += (double)(p.phase[i].rows * p.phase[i].columns) * (double)p.phase[i].terms;
    }
    double flops = 2 * products * (double)conv->batch * (double)p.stride / (double)l->group;
    double copied = l->pads ? 2 * (double)stoa_implicit_tiles(l) * (double)l->view_floats : 0;
    double packed = p.packs ? 2 * (double)p.terms * (double)p.stride : 0;
    double tensors =
        (double)stoa_conv_pixels(conv) * (double)conv->filters +
        (double)(conv->batch * conv->window.height * conv->window.width) * (double)conv->window.channels;
    return stoa_cost_kernel(context, flops, p.stride, stoa_max(1, p.terms / stoa_max(1, p.phases)),
                            l->conv.window.out_width / l->group) +
           stoa_cost_tile(context, copied + packed) + stoa_cost_stream(context, tensors);
}

/* What the tasks of a pass share. */
struct pass {
    const stoa_context *context;
    struct stoa_implicit_plan plan;
    const float *x, *weight, *bias;
    const float *panels; /* the weight packed, phase by phase: here, or before */
    float *y;
    size_t kernel_width, dilation_height, dilation_width;
    bool relu, turned;           /* the weight is [KH KW C][K] of the other direction: backward data */
    float *start, *packed;       /* the bias, once a pixel of a group; where the weight is packed */
    size_t *term, *row, *result; /* offsets: in the view, and in y */
    float *views;                /* of all threads, view_step apart */
    size_t view_step;
};

/* The panel of columns from `j` on and terms from `first` on, which rows of `width` hold where the weight is packed. */
static const float *panel_at(const struct pass *p, const struct stoa_implicit_phase *f, size_t first,
                             size_t j, size_t width) {
    const struct stoa_implicit_plan *plan = &p->plan;
    return plan->packs ? p->panels + f->begin * plan->stride + j * f->terms + first * width
                       : p->weight + first * plan->layout.columns + j;
}

/* Lines of the packed panel that follows the one of `width` columns from `j` on: of the same terms, then of the next. */
static struct stoa_fetch next_panel(const struct pass *p, const struct stoa_implicit_phase *f, size_t first,
                                    size_t terms, size_t j, size_t width) {
    const struct stoa_implicit_plan *plan = &p->plan;
    j += width;
    if (j >= plan->layout.columns) {
        j = 0;
        first += terms;
        terms = stoa_min(terms, f->terms - first);
    }
    width = stoa_min(STOA_IMPLICIT_PANEL, plan->stride - j);
    return (struct stoa_fetch){panel_at(p, f, first, j, width), STOA_ALIGN_FLOATS, terms > 0,
                               width / STOA_ALIGN_FLOATS - 1};
}

/* The product of some rows of a tile: all terms of a phase, columns in panels. */
static void multiply(const struct pass *p, const struct stoa_implicit_phase *f, struct stoa_gather gather,
                     size_t rows, const float *view, float *y) {
    const struct stoa_implicit_plan *plan = &p->plan;
    size_t columns = plan->layout.columns;
    size_t ldc = columns * plan->stride_width;
    size_t first = 0;
    do {
        size_t terms = stoa_min(PANEL_TERMS, f->terms - first);
        gather.term = p->term + f->begin + first;
        for (size_t j = 0; j < columns; j += STOA_IMPLICIT_PANEL) {
            size_t width = stoa_min(STOA_IMPLICIT_PANEL, plan->stride - j);
            const float *start = first > 0 ? y + j : p->bias ? p->start + j : NULL;
            if (plan->packs && gather.next[0].lines == 0) {
                gather.next[0] = next_panel(p, f, first, terms, j, width);
            }
            p->context->kernels->product(&gather, rows, stoa_min(STOA_IMPLICIT_PANEL, columns - j), terms,
                                         view + f->first, panel_at(p, f, first, j, width),
                                         plan->packs ? width : columns, start, y + j, ldc);
            gather.next[0].lines = gather.next[1].lines = 0; /* once is enough */
        }
        first += terms;
    } while (first < f->terms);
}

/* Where `rows` rows of results will go, from those of the third block or so on. A sum of few terms is written so soon that
 * its line of cache must be on its way before. */
static struct stoa_fetch next_results(const struct pass *p, const struct stoa_implicit_phase *f,
                                      const float *y, size_t rows) {
    enum { AHEAD = 24, INNER_FLOATS = 1 << 19, PAIR = 2 };
    size_t columns = p->plan.layout.columns;
    struct stoa_fetch next = {.stride = PAIR * STOA_ALIGN_FLOATS};
    if (f->terms > 0 && f->terms <= STOA_IMPLICIT_FEW_TERMS && rows > AHEAD &&
        stoa_conv_pixels(&p->plan.layout.conv) * p->plan.layout.conv.filters > INNER_FLOATS) {
        next.start = y + AHEAD * columns;
        next.lines = 1;
        next.more = (rows - AHEAD) * columns / next.stride / f->terms;
    }
    return next;
}

static void multiply_inside(const struct pass *p, const struct stoa_implicit_tile *t, size_t task) {
    const struct stoa_implicit *l = &p->plan.layout;
    const struct stoa_implicit_product product = {p->x,   p->weight, p->bias ? p->start : NULL, p->y, p->term,
                                                  p->row, p->result};
    const struct stoa_implicit_phase *f = &p->plan.phase[0];
    float *y = p->y + stoa_implicit_first_pixel(l, t) * l->conv.filters;
    const struct stoa_fetch next[STOA_FETCHES] = {next_results(p, f, y, stoa_implicit_groups(l, t)),
                                                  stoa_implicit_fetch(l, p->x, task + 1, f->terms)};
    stoa_implicit_multiply_inside(l, p->context->kernels, &product, t, next);
}

static void multiply_view(const struct pass *p, const struct stoa_implicit_tile *t, size_t task,
                          size_t thread) {
    const struct stoa_implicit_plan *plan = &p->plan;
    const struct stoa_implicit *l = &plan->layout;
    const float *view = stoa_implicit_view(l, p->context->kernels, p->x, t, 0,
                                           p->views ? p->views + thread * p->view_step : NULL);
    size_t filters = l->conv.filters;
    for (size_t i = 0; i < plan->phases; i++) {
        const struct stoa_implicit_phase *f = &plan->phase[i];
        size_t run = f->columns / l->group;
        struct stoa_gather gather = {.row = p->row, .run = run, .step = stoa_implicit_step(l)};
        if (i == 0) {
            gather.next[1] = stoa_implicit_fetch(l, p->x, task + 1, stoa_min(PANEL_TERMS, f->terms));
        }
        size_t rows = stoa_min(t->rows, f->rows - stoa_min(f->rows, t->row));
        size_t row = f->row + t->row * plan->stride_height;
        float *y = p->y + ((t->image * plan->out_height + row) * plan->out_width + f->column) * filters;
        if (!is_strided(plan)) {
            gather.next[0] = next_results(p, f, y, t->images * rows * run);
            multiply(p, f, gather, t->images * rows * run, view, y);
            continue;
        }
        gather.result = p->result;
        for (size_t image = 0; image < t->images && rows > 0; image++) {
            multiply(p, f, gather, rows * run, view + image * l->image,
                     y + image * plan->out_height * plan->out_width * filters);
        }
    }
}

static void multiply_tile(void *argument, size_t task, size_t thread) {
    const struct pass *p = argument;
    const struct stoa_implicit *l = &p->plan.layout;
    struct stoa_implicit_tile t = stoa_implicit_tile_at(l, task);
    if (p->plan.inside) {
        multiply_inside(p, &t, task);
    } else {
        multiply_view(p, &t, task, thread);
    }
    if (p->relu) {
        stoa_conv_finish(p->context, &l->conv, NULL, true, stoa_implicit_first_pixel(l, &t),
                         stoa_implicit_groups(l, &t) * l->group, p->y);
    }
}

/* Tap (i, j) of a phase's patches: the channels by the columns of a panel from `first` on. */
static void pack_tap(const struct pass *p, const struct stoa_implicit_phase *f, size_t i, size_t j,
                     size_t first, size_t width, float *out) {
    const struct stoa_implicit_plan *plan = &p->plan;
    const struct stoa_conv *conv = &plan->layout.conv;
    size_t group = plan->layout.group;
    size_t channels = conv->window.channels;
    size_t filters = conv->filters;
    size_t taps = f->across - (group - 1) * conv->window.stride_width; /* of one pixel */
    size_t count = stoa_min(width, filters - first);
    if (group > 1 || count < width) {
        memset(out, 0, channels * width * sizeof *out);
    }
    for (size_t g = 0; g < group; g++) {
        size_t at = j - g * conv->window.stride_width; /* wraps to the left of the window */
        if (at >= taps) {
            continue;
        }
        if (p->turned) {
            size_t line = f->tap_row + (f->down - 1 - i) * plan->stride_height;
            size_t column = f->tap_column + (taps - 1 - at) * plan->stride_width;
            const float *weight =
                p->weight + ((line * p->kernel_width + column) * filters + first) * channels;
            p->context->kernels->transpose(weight, count, channels, channels, out + g * filters, width);
        } else {
            p->context->kernels->copy_rows(p->weight + (i * taps + at) * channels * filters + first, channels,
                                           count, filters, out + g * filters, width);
        }
    }
}

/* One tap of all phases' in all panels. */
static void pack_taps(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct stoa_implicit_plan *plan = &p->plan;
    size_t channels = plan->layout.conv.window.channels;
    size_t panel = task % stoa_ceil_div(plan->stride, STOA_IMPLICIT_PANEL) * STOA_IMPLICIT_PANEL;
    size_t tap = task / stoa_ceil_div(plan->stride, STOA_IMPLICIT_PANEL);
    const struct stoa_implicit_phase *f = plan->phase;
    while (tap >= f->down * f->across) {
        tap -= f->down * f->across;
        f++;
    }
    size_t width = stoa_min(STOA_IMPLICIT_PANEL, plan->stride - panel);
    pack_tap(p, f, tap / f->across, tap % f->across, panel, width,
             p->packed + f->begin * plan->stride + panel * f->terms + tap * channels * width);
}

/* Offsets of the numbers of a phase's patches. */
static void find_terms(const struct pass *p, const struct stoa_implicit_phase *f) {
    const struct stoa_implicit *l = &p->plan.layout;
    size_t *term = p->term + f->begin;
    for (size_t i = 0; i < f->down; i++) {
        for (size_t j = 0; j < f->across; j++) {
            for (size_t c = 0; c < l->channels; c++) {
                *term++ = i * p->dilation_height * l->line + j * p->dilation_width * l->channels + c;
            }
        }
    }
}

static size_t packed_floats(const struct stoa_implicit_plan *plan) {
    return plan->packs ? plan->terms * plan->stride : 0;
}

static void pack(struct pass *p) {
    const struct stoa_implicit_plan *plan = &p->plan;
    size_t panels = stoa_ceil_div(plan->stride, STOA_IMPLICIT_PANEL);
    if (plan->packs) {
        stoa_parallel(p->context, plan->terms / plan->layout.conv.window.channels * panels, pack_taps, p);
    }
}

static void run(struct pass *p, void *scratch) {
    const struct stoa_implicit_plan *plan = &p->plan;
    const struct stoa_implicit *l = &plan->layout;
    size_t filters = l->conv.filters;
    p->start = scratch;
    p->packed = p->start + plan->stride;
    p->term = (size_t *)(void *)(p->packed + packed_floats(plan));
    p->row = p->term + stoa_implicit_offsets(plan->terms);
    p->result = p->row + stoa_implicit_offsets(tile_rows(plan));
    p->view_step = stoa_conv_thread_step(p->context, l->view_floats);
    p->views = l->pads ? (float *)(void *)(p->result + stoa_implicit_offsets(tile_rows(plan))) : NULL;
    for (size_t i = 0; i < tile_rows(plan); i++) {
        p->row[i] = stoa_implicit_row(l, i);
        p->result[i] = i * plan->stride_height * plan->out_width * filters;
    }
    for (size_t i = 0; i < plan->phases; i++) {
        find_terms(p, &plan->phase[i]);
    }
    for (size_t g = 0; p->bias && g < l->group; g++) {
        memcpy(p->start + g * filters, p->bias, filters * sizeof(float));
    }
    if (!p->panels) {
        p->panels = p->packed;
        pack(p);
    }
    stoa_parallel(p->context, stoa_implicit_tiles(l), multiply_tile, p);
}

static struct pass begin(const stoa_context *context, const struct stoa_conv *conv,
                         enum stoa_conv_pass pass) {
    return (struct pass){.context = context,
                         .plan = stoa_implicit_plan_of(context, conv, pass),
                         .kernel_width = conv->window.kernel_width,
                         .dilation_height = conv->window.dilation_height,
                         .dilation_width = conv->window.dilation_width};
}

/* With one of weight and panels. */
static void run_forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                        const float *weight, const float *panels, const float *bias, bool relu, float *y,
                        void *scratch) {
    struct pass p = begin(context, conv, STOA_CONV_FORWARD);
    p.x = x;
    p.weight = weight;
    p.panels = panels;
    p.bias = bias;
    p.relu = relu;
    p.y = y;
    run(&p, scratch);
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    run_forward(context, conv, x, weight, NULL, bias, relu, y, scratch);
}

/* A weight that is read in place needs no preparation: panels of it were no faster (measured). */
static size_t prepared_bytes(const stoa_context *context, const struct stoa_conv *conv) {
    struct stoa_implicit_plan plan = stoa_implicit_plan_of(context, conv, STOA_CONV_FORWARD);
    return packed_floats(&plan) * sizeof(float);
}

static void prepare(const stoa_context *context, const struct stoa_conv *conv, const float *weight,
                    void *prepared) {
    struct pass p = begin(context, conv, STOA_CONV_FORWARD);
    p.weight = weight;
    p.packed = prepared;
    pack(&p);
}

static void forward_prepared(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const void *prepared, const float *bias, bool relu, float *y, void *scratch) {
    run_forward(context, conv, x, NULL, prepared, bias, relu, y, scratch);
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, const float *dy,
                          const float *weight, float *dx, void *scratch) {
    struct pass p = begin(context, conv, STOA_CONV_BACKWARD_DATA);
    p.x = dy;
    p.weight = weight;
    p.y = dx;
    p.turned = true;
    run(&p, scratch);
}

static void describe(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass,
                     char *out, size_t size) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_implicit_weights_describe(context, conv, out, size);
        return;
    }
    struct stoa_implicit_plan p = stoa_implicit_plan_of(context, conv, pass);
    char phases[32] = "";
    if (p.phases > 1) {
        (void)snprintf(phases, sizeof phases, ", %zu phases", p.phases);
    }
    (void)snprintf(out, size, "implicit, %zu pixels a row, %zu tiles of %zu pixels%s", p.layout.group,
                   stoa_implicit_tiles(&p.layout), stoa_implicit_most_groups(&p.layout) * p.layout.group,
                   phases);
}

const struct stoa_conv_algorithm stoa_conv_implicit = {
    .name = "implicit",
    .applicable = applicable,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .prepared_bytes = prepared_bytes,
    .prepare = prepare,
    .forward_prepared = forward_prepared,
    .backward_data = backward_data,
    .backward_weights = stoa_implicit_weights,
    .describe = describe,
};
