/* SPDX-License-Identifier: MIT */
/* Convolution without columns: the engine's own product kernel reads every patch of the image where it lies.
 *
 *
 * In NHWC a line of a patch is one run of KW * C numbers, so a patch is KH segments, a line of the image
 * apart. Where the image needs padding, the lines under a tile of output rows are copied into a padded one
 * first, or sums leave the padding out: those of long lines with few channels (implicit_inside.c), and those
 * of many channels, where each tap of the window is a product of its own with the outputs that see it inside
 * the image. Few filters would leave lanes of a vector empty: then `group` pixels side by side are one row of
 * the product, against a banded weight:
 *   forward           y[pixels / group][group K] = patches[pixels / group][KH (KW + group - 1) C] * banded weight
 *   backward data     the same over dy with the weight turned by 180 degrees. By a stride of s the pixels of dx fall into
 *                     s * s phases: each sees the taps of its own, and is a convolution of stride 1 with
 *                     those
 *   backward weights  see implicit_weights.c
 *
 * Zhang, Franchetti and Low, "High Performance Zero-Memory Overhead Direct Convolutions", 2018, for the
 * idea. */
#include "conv/implicit.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/cost.h"
#include "core/threads.h"

/* Terms of the weight that a product takes at once, so that they stay in L2. */
enum { PANEL_TERMS = 512 };

static bool is_strided(const struct stoa_implicit_plan *p) {
    return p->stride_height > 1 || p->stride_width > 1;
}

static size_t tile_rows(const struct stoa_implicit_plan *p) {
    return p->layout.images * p->layout.rows;
}

/* Bytes that all threads share: the bias in rows of the product, the packed weight, and offsets of terms, of
 * rows of a tile and of their results. */
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

/* Of one image and filter. */
static double products_of(const struct stoa_implicit_plan *p, const struct stoa_implicit_phase *f) {
    if (!p->by_taps) {
        return (double)(f->rows * f->columns) * (double)f->terms;
    }
    size_t rows = 0;
    size_t columns = 0;
    for (size_t i = 0; i < f->down; i++) {
        rows += stoa_implicit_rows_inside(p, f, i, 0, f->rows).count;
    }
    for (size_t j = 0; j < f->across; j++) {
        columns += stoa_implicit_columns_inside(p, f, j).count;
    }
    return (double)rows * (double)columns * (double)p->layout.channels;
}

static double cost(const stoa_context *context, const struct stoa_conv *conv, enum stoa_conv_pass pass) {
    if (pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_implicit_weights_cost(context, conv);
    }
    struct stoa_implicit_plan p = stoa_implicit_plan_of(context, conv, pass);
    const struct stoa_implicit *l = &p.layout;
    double products = 0;
    for (size_t i = 0; i < p.phases; i++) {
        products += products_of(&p, &p.phase[i]);
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
    bool relu;
    float *start, *packed;       /* the bias, once a pixel of a group; where the weight is packed */
    size_t *term, *row, *result; /* offsets: in the view, and in y */
    float *views;                /* of all threads, view_step apart */
    size_t view_step;
};

/* The panel of columns from `j` on and terms from `first` on, which rows of `width` hold where the weight is
 * packed. */
static const float *panel_at(const struct pass *p, const struct stoa_implicit_phase *f, size_t first,
                             size_t j, size_t width) {
    const struct stoa_implicit_plan *plan = &p->plan;
    return plan->packs ? p->panels + f->begin * plan->stride + j * f->terms + first * width
                       : p->weight + first * plan->layout.columns + j;
}

/* Lines of the packed panel that follows the one of `width` columns from `j` on: of the same terms, then of
 * the next. */
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

/* Some rows of a product in each of some images: terms [first, end) of a phase. */
struct part {
    size_t images, rows;
    size_t first, end;
    const size_t *term; /* the offset of the first one */
    const float *a;
    float *y;
    bool adds; /* to what is there; else to the bias */
};

/* Columns in panels. */
static void multiply(const struct pass *p, const struct stoa_implicit_phase *f, struct stoa_gather gather,
                     const struct part *part) {
    const struct stoa_implicit_plan *plan = &p->plan;
    size_t columns = plan->layout.columns;
    size_t ldc = columns * plan->stride_width;
    size_t image = plan->out_height * plan->out_width * columns;
    size_t terms = part->end - part->first;
    terms = stoa_ceil_div(terms, stoa_max(1, stoa_ceil_div(terms, PANEL_TERMS)));
    size_t first = part->first;
    do {
        terms = stoa_min(terms, part->end - first);
        gather.term = part->term + (first - part->first);
        for (size_t j = 0; j < columns; j += STOA_IMPLICIT_PANEL) {
            size_t width = stoa_min(STOA_IMPLICIT_PANEL, plan->stride - j);
            if (plan->packs && gather.next[0].lines == 0) {
                gather.next[0] = next_panel(p, f, first, terms, j, width);
            }
            for (size_t i = 0; i < part->images; i++) {
                float *y = part->y + i * image + j;
                const float *start = part->adds || first > part->first ? y : p->bias ? p->start + j : NULL;
                p->context->kernels->product(&gather, part->rows, stoa_min(STOA_IMPLICIT_PANEL, columns - j),
                                             terms, part->a + i * plan->layout.image,
                                             panel_at(p, f, first, j, width), plan->packs ? width : columns,
                                             start, y, ldc);
                gather.next[0].lines = gather.next[1].lines = 0; /* once is enough */
            }
        }
        first += terms;
    } while (first < part->end);
}

/* Where `rows` rows of results will go, from those of the third block or so on. A sum of few terms is written
 * so soon that its line of cache must be on its way before. */
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

/* The first output row of a tile in a phase, in y. */
static float *results_at(const struct pass *p, const struct stoa_implicit_phase *f,
                         const struct stoa_implicit_tile *t) {
    const struct stoa_implicit_plan *plan = &p->plan;
    size_t row = f->row + t->row * plan->stride_height;
    return p->y +
           ((t->image * plan->out_height + row) * plan->out_width + f->column) * plan->layout.conv.filters;
}

static size_t rows_of(const struct stoa_implicit_phase *f, const struct stoa_implicit_tile *t) {
    return stoa_min(t->rows, f->rows - stoa_min(f->rows, t->row));
}

/* A phase of a tile, from its view. */
static void multiply_view(const struct pass *p, const struct stoa_implicit_phase *f,
                          struct stoa_gather gather, const struct stoa_implicit_tile *t, const float *view) {
    const struct stoa_implicit_plan *plan = &p->plan;
    const struct stoa_implicit *l = &plan->layout;
    size_t rows = rows_of(f, t) * gather.run;
    struct part part = {.images = t->images,
                        .rows = rows,
                        .end = f->terms,
                        .term = p->term + f->begin,
                        .a = view + f->top * l->line + f->left * l->channels,
                        .y = results_at(p, f, t)};
    if (is_strided(plan)) {
        gather.result = p->result;
    } else {
        part.rows *= part.images;
        part.images = 1;
        gather.next[0] = next_results(p, f, part.y, part.rows);
    }
    if (rows > 0) {
        multiply(p, f, gather, &part);
    }
}

/* The outputs of a tile for which a tap of a phase lies inside the image. */
struct box {
    struct stoa_implicit_span rows, columns;
    size_t pixels;
};

static struct box box_of(const struct pass *p, const struct stoa_implicit_phase *f,
                         const struct stoa_implicit_tile *t, size_t tap) {
    struct box box = {.rows =
                          stoa_implicit_rows_inside(&p->plan, f, tap / f->across, t->row, t->row + t->rows),
                      .columns = stoa_implicit_columns_inside(&p->plan, f, tap % f->across)};
    box.pixels = box.rows.count * box.columns.count;
    return box;
}

static void multiply_tap(const struct pass *p, const struct stoa_implicit_phase *f, struct stoa_gather gather,
                         const struct stoa_implicit_tile *t, size_t tap, bool adds) {
    const struct stoa_implicit_plan *plan = &p->plan;
    const struct stoa_implicit *l = &plan->layout;
    const struct stoa_window *w = &l->conv.window;
    struct box box = box_of(p, f, t, tap);
    if (box.pixels == 0) {
        return;
    }
    size_t line = f->top + tap / f->across * plan->dilation_height + box.rows.first * w->stride_height;
    size_t pixel = f->left + tap % f->across * plan->dilation_width + box.columns.first * w->stride_width;
    gather.run = box.columns.count;
    multiply(p, f, gather,
             &(struct part){.images = t->images,
                            .rows = box.pixels,
                            .first = tap * l->channels,
                            .end = (tap + 1) * l->channels,
                            .term = p->term + f->begin,
                            .a = p->x + t->image * l->image + (line - w->pad_top) * l->line +
                                 (pixel - w->pad_left) * l->channels,
                            .y = results_at(p, f, t) + p->result[box.rows.first - t->row] +
                                 box.columns.first * plan->stride_width * l->conv.filters,
                            .adds = adds});
}

/* A product a tap: first one that all outputs see, or else their bias. */
static void multiply_taps(const struct pass *p, const struct stoa_implicit_phase *f,
                          struct stoa_gather gather, const struct stoa_implicit_tile *t) {
    size_t pixels = rows_of(f, t) * f->columns;
    size_t taps = f->down * f->across;
    size_t all = 0;
    while (all < taps && box_of(p, f, t, all).pixels < pixels) {
        all++;
    }
    gather.result = p->result;
    if (all == taps && pixels > 0) {
        multiply(p, f, gather,
                 &(struct part){.images = t->images,
                                .rows = pixels,
                                .term = p->term + f->begin,
                                .a = p->x,
                                .y = results_at(p, f, t)});
    }
    for (size_t n = 0; n < taps; n++) {
        multiply_tap(p, f, gather, t, (all + n) % taps, n > 0);
        gather.next[1].lines = 0; /* once is enough */
    }
}

static void multiply_phases(const struct pass *p, const struct stoa_implicit_tile *t, size_t task,
                            size_t thread) {
    const struct stoa_implicit_plan *plan = &p->plan;
    const struct stoa_implicit *l = &plan->layout;
    const float *view = plan->by_taps
                            ? NULL
                            : stoa_implicit_view(l, p->context->kernels, p->x, t, 0,
                                                 p->views ? p->views + thread * p->view_step : NULL);
    for (size_t i = 0; i < plan->phases; i++) {
        const struct stoa_implicit_phase *f = &plan->phase[i];
        struct stoa_gather gather = {
            .row = p->row, .run = f->columns / l->group, .step = stoa_implicit_step(l)};
        if (i == 0) {
            size_t terms = plan->by_taps ? stoa_min(l->channels, f->terms) : f->terms;
            gather.next[1] = stoa_implicit_fetch(l, p->x, task + 1, stoa_min(PANEL_TERMS, terms));
        }
        if (plan->by_taps) {
            multiply_taps(p, f, gather, t);
        } else {
            multiply_view(p, f, gather, t, view);
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
        multiply_phases(p, &t, task, thread);
    }
    if (p->relu) {
        stoa_conv_finish(p->context, &l->conv, NULL, true, stoa_implicit_first_pixel(l, &t),
                         stoa_implicit_groups(l, &t) * l->group, p->y);
    }
}

/* Offsets of the numbers of a phase's patches. */
static void find_terms(const struct pass *p, const struct stoa_implicit_phase *f) {
    const struct stoa_implicit_plan *plan = &p->plan;
    const struct stoa_implicit *l = &plan->layout;
    size_t *term = p->term + f->begin;
    for (size_t i = 0; i < f->down; i++) {
        for (size_t j = 0; j < f->across; j++) {
            for (size_t c = 0; c < l->channels; c++) {
                *term++ = i * plan->dilation_height * l->line + j * plan->dilation_width * l->channels + c;
            }
        }
    }
}

static size_t packed_floats(const struct stoa_implicit_plan *plan) {
    return plan->packs ? plan->terms * plan->stride : 0;
}

static void run(struct pass *p, void *scratch) {
    const struct stoa_implicit_plan *plan = &p->plan;
    const struct stoa_implicit *l = &plan->layout;
    size_t filters = l->conv.filters;
    p->start = scratch;
    p->packed = p->start + plan->stride;
    p->term = (size_t *)(void *)(p->packed + (p->panels ? 0 : packed_floats(plan)));
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
        stoa_implicit_pack(p->context, plan, p->weight, p->packed);
    }
    stoa_parallel(p->context, stoa_implicit_tiles(l), multiply_tile, p);
}

/* In panels is also a weight so large that each tile reads it from far away: hardware prefetchers follow
 * those (measured:
 * 1.1 times as fast with 9 MiB, no gain with 2). */
static struct stoa_implicit_plan prepared_plan(const stoa_context *context, const struct stoa_conv *conv) {
    enum { FAR_LIMITS = 4 };
    struct stoa_implicit_plan plan = stoa_implicit_plan_of(context, conv, STOA_CONV_FORWARD);
    plan.packs =
        plan.packs || plan.terms * conv->filters > FAR_LIMITS * (context->workspace_limit / sizeof(float));
    return plan;
}

/* With one of weight and panels. */
static void run_forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                        const float *weight, const float *panels, const float *bias, bool relu, float *y,
                        void *scratch) {
    struct pass p = {.context = context,
                     .plan = panels ? prepared_plan(context, conv)
                                    : stoa_implicit_plan_of(context, conv, STOA_CONV_FORWARD),
                     .x = x,
                     .weight = weight,
                     .panels = panels,
                     .bias = bias,
                     .relu = relu,
                     .y = y};
    run(&p, scratch);
}

static void forward(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                    const float *weight, const float *bias, bool relu, float *y, void *scratch) {
    run_forward(context, conv, x, weight, NULL, bias, relu, y, scratch);
}

static size_t prepared_bytes(const stoa_context *context, const struct stoa_conv *conv) {
    struct stoa_implicit_plan plan = prepared_plan(context, conv);
    return packed_floats(&plan) * sizeof(float);
}

static void prepare(const stoa_context *context, const struct stoa_conv *conv, const float *weight,
                    void *prepared) {
    struct stoa_implicit_plan plan = prepared_plan(context, conv);
    stoa_implicit_pack(context, &plan, weight, prepared);
}

static void forward_prepared(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                             const void *prepared, const float *bias, bool relu, float *y, void *scratch) {
    run_forward(context, conv, x, NULL, prepared, bias, relu, y, scratch);
}

static void backward_data(const stoa_context *context, const struct stoa_conv *conv, const float *dy,
                          const float *weight, float *dx, void *scratch) {
    struct pass p = {.context = context,
                     .plan = stoa_implicit_plan_of(context, conv, STOA_CONV_BACKWARD_DATA),
                     .x = dy,
                     .weight = weight,
                     .y = dx};
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
