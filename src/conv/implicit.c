/* SPDX-License-Identifier: MIT */
/* Convolution without columns: the engine's own product kernel reads every patch of the image where it lies.
 *
 * In NHWC a line of a patch is one run of KW * C numbers, so a patch is KH segments, a line of the image
 * apart. Where the image needs padding, the lines under a tile of output rows are copied into a padded one
 * first, or sums leave the padding out (implicit_tile.c). Few filters would leave lanes of a vector empty:
 * then `group` pixels side by side are one row of the product, against a banded weight:
 *   forward           y[pixels / group][group K] = patches[pixels / group][KH (KW + group - 1) C] * banded weight
 *   backward data     the same over dy with the weight turned by 180 degrees. By a stride of s the pixels of dx
 *                     fall into s * s phases: each sees the taps of its own, and is a convolution of stride 1
 *                     with those
 *   backward weights  see implicit_weights.c
 *
 * Zhang, Franchetti and Low, "High Performance Zero-Memory Overhead Direct Convolutions", 2018, for the
 * idea. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "conv/conv.h"
#include "conv/cost.h"
#include "conv/implicit_tile.h"
#include "conv/implicit_weights.h"
#include "core/threads.h"
#include "core/tuning.h"
#include "product/product.h"

/* Tiles of a large batch; where patches have few terms, as many more pixels a tile as leave so many tiles. */
enum { LEAST_TILES = 16, MANY_TILES = 32 };

_Static_assert(sizeof(struct stoa_implicit_cut) <= STOA_CONV_CUT_BYTES, "the cut fits a plan");

static const struct stoa_implicit_cut *cut_of(const struct stoa_conv_plan *plan) {
    return (const struct stoa_implicit_cut *)(const void *)plan->cut.bytes;
}

/* One side of a pass. */
struct implicit_side_plan {
    struct stoa_implicit_side side;
    size_t kernel; /* what the patches of all phases cover */
    size_t phases;
    struct stoa_implicit_axis axis[STOA_IMPLICIT_PHASES];
};

/* Of backward data, which is a forward pass over dy for each phase: its outputs see every stride-th tap from
 * `first` on, the last of them at pixel `last` of dy and the others behind it. */
static void turn_side(struct implicit_side_plan *forward) {
    const struct stoa_implicit_side *f = &forward->side;
    struct implicit_side_plan p = {
        .side = {.size = f->out, .stride = 1, .dilation = f->dilation, .out = f->size, .step = f->stride},
        .phases = stoa_min(f->stride, f->size)};
    size_t extent = 1;
    for (size_t at = 0; at < p.phases; at++) {
        size_t first = (at + f->pad) % f->stride;
        size_t last = (at + f->pad - first) / f->stride;
        size_t taps = first < forward->kernel ? stoa_ceil_div(forward->kernel - first, f->stride) : 0;
        size_t reach = (taps - (taps > 0)) * f->dilation;
        p.axis[at] = (struct stoa_implicit_axis){.at = at,
                                                 .outputs = stoa_ceil_div(f->size - at, f->stride),
                                                 .begin = last - reach, /* may wrap to before dy */
                                                 .taps = taps,
                                                 .first = first};
        p.side.pad = stoa_max(p.side.pad, reach - stoa_min(reach, last));
        extent = stoa_max(extent, last + 1);
    }
    for (size_t at = 0; at < p.phases; at++) {
        p.axis[at].begin += p.side.pad;
    }
    p.kernel = p.side.pad + extent;
    *forward = p;
}

static struct stoa_conv turn(const struct stoa_conv *conv, struct implicit_side_plan *down,
                             struct implicit_side_plan *across) {
    struct stoa_conv t = *conv;
    turn_side(down);
    turn_side(across);
    t.filters = conv->window.channels;
    t.window = (struct stoa_window){.height = down->side.size,
                                    .width = across->side.size,
                                    .channels = conv->filters,
                                    .kernel_height = down->kernel,
                                    .kernel_width = across->kernel,
                                    .stride_height = 1,
                                    .stride_width = 1,
                                    .dilation_height = 1,
                                    .dilation_width = 1,
                                    .pad_top = down->side.pad,
                                    .pad_left = across->side.pad,
                                    .out_height = down->axis[0].outputs,
                                    .out_width = across->axis[0].outputs};
    return t;
}

/* More pixels, as long as their lines stay in L2, are 1.02 to 1.05 times as fast in first layers, and no
 * faster with more terms or in gradients (measured). */
static size_t tile_pixels(const struct stoa_tuning *tuning, const struct stoa_conv *conv) {
    const struct stoa_window *w = &conv->window;
    size_t pixels = tuning->implicit_long_floats / w->channels / w->stride_height / w->stride_width;
    pixels = stoa_min(pixels, tuning->implicit_long_pixels);
    return stoa_conv_column(conv) > STOA_IMPLICIT_FEW_TERMS
               ? 0
               : stoa_min(pixels, stoa_conv_pixels(conv) / MANY_TILES);
}

/* Products of an edge's few numbers pay for themselves where lines are long: measured 1.03 to 1.15 times as
 * fast with 112 outputs of 27 terms, 0.7 times with 28 of 9. */
static bool is_inside(const struct stoa_tuning *tuning, const struct stoa_implicit_view *v) {
    const struct stoa_window *w = &v->conv.window;
    size_t numbers = w->out_width * w->kernel_width * w->channels;
    return v->pads && v->group == 1 && v->conv.filters % STOA_PRODUCT_LANES == 0 &&
           stoa_conv_column(&v->conv) <= STOA_IMPLICIT_FEW_TERMS &&
           (w->kernel_width == 1 || numbers / (w->kernel_width - 1) >= tuning->implicit_edge_floats);
}

static void cut_phases(struct stoa_implicit_cut *cut, const struct implicit_side_plan *down,
                       const struct implicit_side_plan *across) {
    for (size_t i = 0; i < down->phases * across->phases; i++) {
        struct stoa_implicit_phase *f = &cut->phase[cut->phases++];
        f->down = down->axis[i / across->phases];
        f->across = across->axis[i % across->phases];
        f->across.taps += f->across.taps > 0 ? (cut->view.group - 1) * cut->across.stride : 0;
        f->terms = f->down.taps * f->across.taps * cut->view.conv.window.channels;
        f->begin = cut->terms;
        cut->terms += f->terms;
    }
}

/* False for strides with too many phases. */
static bool cut_pass(const stoa_context *context, struct stoa_conv_plan *plan,
                     struct stoa_implicit_cut *cut) {
    const struct stoa_tuning *tuning = context->tuning;
    const struct stoa_conv *conv = &plan->conv;
    const struct stoa_window *w = &conv->window;
    bool back = plan->pass == STOA_CONV_BACKWARD_DATA;
    bool strided = w->stride_height > 1 || w->stride_width > 1;
    if (back && strided &&
        (w->dilation_height > 1 || w->dilation_width > 1 || w->stride_height > STOA_IMPLICIT_PHASES ||
         w->stride_height * w->stride_width > STOA_IMPLICIT_PHASES)) {
        return false;
    }
    struct implicit_side_plan down = {
        .side = {w->height, w->pad_top, w->stride_height, w->dilation_height, w->out_height, 1},
        .kernel = w->kernel_height,
        .phases = 1,
        .axis = {{.outputs = w->out_height, .taps = w->kernel_height}}};
    struct implicit_side_plan across = {
        .side = {w->width, w->pad_left, w->stride_width, w->dilation_width, w->out_width, 1},
        .kernel = w->kernel_width,
        .phases = 1,
        .axis = {{.outputs = w->out_width, .taps = w->kernel_width}}};
    struct stoa_conv c = back ? turn(conv, &down, &across) : *conv;
    size_t group = back && (strided || w->dilation_width > 1) ? 1 : stoa_implicit_group(context, &c);
    /* The pixels of a group are written as one. */
    unsigned apart = group > 1 ? 0 : back ? STOA_CONV_X_PIXEL : STOA_CONV_Y_PIXEL;
    stoa_conv_take(plan, (back ? STOA_CONV_Y_PIXEL : STOA_CONV_X_PIXEL) | apart | STOA_CONV_ADDS);
    c.x_pixel = back ? conv->y_pixel : conv->x_pixel;
    c.y_pixel = back ? conv->x_pixel : conv->y_pixel;
    c.adds = conv->adds;
    *cut = (struct stoa_implicit_cut){.view = stoa_implicit_view_of(context, &c, group, c.window.channels,
                                                                    LEAST_TILES,
                                                                    back ? 0 : tile_pixels(tuning, &c)),
                                      .down = down.side,
                                      .across = across.side,
                                      .packs = back || c.filters % STOA_PRODUCT_LANES != 0,
                                      .turned = back,
                                      .kernel_width = w->kernel_width,
                                      .y_pixel = stoa_conv_y_pixel(&c),
                                      .stride = stoa_round_up(group * c.filters, STOA_PRODUCT_LANES),
                                      .most_terms = tuning->implicit_terms};
    cut_phases(cut, &down, &across);
    cut->inside = !back && is_inside(tuning, &cut->view);
    cut->by_taps = cut->view.pads && group == 1 && c.window.channels >= tuning->implicit_tap_channels;
    if (cut->inside || cut->by_taps) {
        stoa_implicit_view_in_place(&cut->view);
    }
    cut->fetches_results = cut->phases == 1 && cut->terms <= STOA_IMPLICIT_FEW_TERMS &&
                           stoa_conv_pixels(&c) * c.filters > tuning->implicit_result_floats;
    /* Hardware prefetchers follow panels of a weight that each tile reads from far away: measured 1.1
     * times as fast with 9 MiB, no gain with 2. */
    cut->far = !back && (cut->packs || cut->terms * c.filters > tuning->implicit_far_floats);
    return true;
}

/* Pairs of a tap and an output along one side; where the padding is left out those inside the image. */
static double pairs_of(const struct stoa_implicit_cut *cut, const struct stoa_implicit_side *side,
                       const struct stoa_implicit_axis *axis) {
    size_t pairs = cut->by_taps ? 0 : axis->taps * axis->outputs;
    for (size_t tap = 0; cut->by_taps && tap < axis->taps; tap++) {
        pairs += stoa_implicit_outputs_inside(side, axis, tap, 0, axis->outputs).count;
    }
    return (double)pairs;
}

static double cost_of(const stoa_context *context, const struct stoa_implicit_cut *cut) {
    const struct stoa_implicit_view *v = &cut->view;
    double batch = (double)v->conv.batch;
    double channels = (double)v->conv.window.channels;
    double flops = 0;
    for (size_t i = 0; i < cut->phases; i++) {
        const struct stoa_implicit_phase *f = &cut->phase[i];
        flops += 2 * batch * pairs_of(cut, &cut->down, &f->down) * pairs_of(cut, &cut->across, &f->across) *
                 channels * (double)cut->stride / (double)v->group;
    }
    double copied = 2 * (double)stoa_implicit_tiles(v) * (double)v->floats;
    double packed = cut->packs ? 2 * (double)cut->terms * (double)cut->stride : 0;
    double tensors = batch * ((double)(cut->down.out * cut->across.out) * (double)v->conv.filters +
                              (double)(cut->down.size * cut->across.size) * channels);
    return stoa_cost_kernel(context, flops, cut->stride, stoa_max(1, cut->terms / cut->phases),
                            v->conv.window.out_width / v->group) +
           stoa_cost_tile(context, copied + packed) + stoa_cost_stream(context, tensors);
}

/* The pass's areas, of which all but the views are shared by all threads: their bytes. */
static size_t carve(struct stoa_implicit_pass *p, struct stoa_carve *room) {
    const struct stoa_implicit_cut *cut = &p->cut;
    size_t rows = cut->view.images * cut->view.rows;
    p->start = stoa_carve_floats(room, cut->stride);
    p->packed = stoa_carve_bytes(room, cut->packs ? cut->terms : 0, cut->stride * sizeof(float));
    p->term = stoa_carve_sizes(room, cut->terms);
    p->row = stoa_carve_sizes(room, rows);
    p->result = stoa_carve_sizes(room, rows);
    size_t shared = room->bytes;
    p->view_step = stoa_conv_thread_step(p->context, cut->view.floats);
    p->views = stoa_carve_bytes(room, p->context->threads, p->view_step * sizeof(float));
    return shared;
}

static bool plan(const stoa_context *context, struct stoa_conv_plan *plan) {
    const struct stoa_conv *conv = &plan->conv;
    /* 1x1 kernels have products of their own, without columns either. */
    if (conv->groups != 1 || stoa_plain_products(context) ||
        conv->window.kernel_height * conv->window.kernel_width == 1) {
        return false;
    }
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        return stoa_implicit_plan_weights(context, plan);
    }
    struct stoa_implicit_pass p = {.context = context};
    const struct stoa_implicit_cut *cut = &p.cut;
    if (!cut_pass(context, plan, &p.cut)) {
        return false;
    }
    struct stoa_carve room = {.memory = NULL};
    size_t shared = carve(&p, &room);
    memcpy(plan->cut.bytes, cut, sizeof *cut);
    plan->bytes = room.bytes;
    plan->prepared_bytes = cut->far ? cut->terms * cut->stride * sizeof(float) : 0;
    plan->cost = cost_of(context, cut);
    return !room.overflow && cut->view.floats <= context->workspace_limit / sizeof(float) &&
           stoa_conv_shared_fits(context, shared);
}

/* Tap (i, j) of a phase's patches: the channels by the columns of a panel from `first` on. */
static void pack_tap(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f, size_t i,
                     size_t j, size_t first, size_t width, float *out) {
    const struct stoa_implicit_cut *cut = &p->cut;
    size_t group = cut->view.group;
    size_t channels = cut->view.conv.window.channels;
    size_t filters = cut->view.conv.filters;
    size_t taps = f->across.taps - (group - 1) * cut->across.stride; /* of one pixel */
    size_t count = stoa_min(width, filters - first);
    if (group > 1 || count < width) {
        memset(out, 0, channels * width * sizeof *out);
    }
    for (size_t g = 0; g < group; g++) {
        size_t at = j - g * cut->across.stride; /* wraps to the left of the window */
        if (at < taps && cut->turned) {
            size_t line = f->down.first + (f->down.taps - 1 - i) * cut->down.step;
            size_t column = f->across.first + (taps - 1 - at) * cut->across.step;
            const float *weight =
                p->weight + ((line * cut->kernel_width + column) * filters + first) * channels;
            p->context->kernels->transpose(weight, count, channels, channels, out + g * filters, width);
        } else if (at < taps) {
            p->context->kernels->copy_rows(p->weight + (i * taps + at) * channels * filters + first, channels,
                                           count, filters, out + g * filters, width);
        }
    }
}

/* One tap of all phases' in one panel. */
static void pack_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct stoa_implicit_pass *p = argument;
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_phase *f = cut->phase;
    size_t panel = task % stoa_ceil_div(cut->stride, STOA_GEMM_PANEL) * STOA_GEMM_PANEL;
    size_t tap = task / stoa_ceil_div(cut->stride, STOA_GEMM_PANEL);
    for (; tap >= f->down.taps * f->across.taps; f++) {
        tap -= f->down.taps * f->across.taps;
    }
    size_t width = stoa_min(STOA_GEMM_PANEL, cut->stride - panel);
    pack_tap(p, f, tap / f->across.taps, tap % f->across.taps, panel, width,
             p->packed + f->begin * cut->stride + panel * f->terms +
                 tap * cut->view.conv.window.channels * width);
}

/* The panels are those of src/product, whose own packing takes a matrix: here their rows are taps of a phase,
 * turned kernels, or bands. */
static void pack(struct stoa_implicit_pass *p) {
    size_t taps = p->cut.terms / p->cut.view.conv.window.channels;
    stoa_parallel(p->context, taps * stoa_ceil_div(p->cut.stride, STOA_GEMM_PANEL), pack_task, p);
}

static void prepare(const stoa_context *context, const struct stoa_conv_plan *plan, const float *weight,
                    float *prepared) {
    struct stoa_implicit_pass p = {
        .context = context, .cut = *cut_of(plan), .weight = weight, .packed = prepared};
    pack(&p);
}

static void find_offsets(const struct stoa_implicit_pass *p) {
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    size_t channels = v->conv.window.channels;
    for (size_t i = 0; i < v->images * v->rows; i++) {
        p->row[i] = stoa_implicit_row(v, i);
        p->result[i] = i * cut->down.step * cut->across.out * cut->y_pixel;
    }
    for (const struct stoa_implicit_phase *f = cut->phase; f < cut->phase + cut->phases; f++) {
        for (size_t i = 0; i < f->terms; i++) {
            size_t tap = i / channels;
            p->term[f->begin + i] = tap / f->across.taps * cut->down.dilation * v->line +
                                    tap % f->across.taps * cut->across.dilation * v->pixel + i % channels;
        }
    }
}

static void run(const struct stoa_conv_plan *plan, const struct stoa_conv_run *run) {
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_implicit_weights(plan, run);
        return;
    }
    struct stoa_implicit_pass p = {
        .context = run->context, .cut = *cut_of(plan), .weight = run->weight, .relu = run->relu};
    struct stoa_implicit_view *v = &p.cut.view;
    struct stoa_carve room = {.memory = run->workspace};
    (void)carve(&p, &room);
    v->conv.batch = run->batch;
    p.x = p.cut.turned ? run->dy : run->x;
    p.y = p.cut.turned ? run->dx : run->y;
    find_offsets(&p);
    for (size_t g = 0; run->bias && g < v->group; g++) {
        memcpy(p.start + g * v->conv.filters, run->bias, v->conv.filters * sizeof(float));
    }
    p.start = run->bias ? p.start : NULL;
    p.panels = run->prepared || p.packed;
    if (run->prepared) {
        p.weight = run->prepared;
    } else if (p.packed) {
        pack(&p);
        p.weight = p.packed;
    }
    stoa_parallel(run->context, stoa_implicit_tiles(v), stoa_implicit_multiply, &p);
}

static void describe(const struct stoa_conv_plan *plan, char *out, size_t size) {
    if (plan->pass == STOA_CONV_BACKWARD_WEIGHTS) {
        stoa_implicit_describe_weights(plan, out, size);
        return;
    }
    const struct stoa_implicit_cut *cut = cut_of(plan);
    char phases[32] = "";
    if (cut->phases > 1) {
        (void)snprintf(phases, sizeof phases, ", %zu phases", cut->phases);
    }
    (void)snprintf(out, size, "implicit, %zu pixels a row, %zu tiles of %zu pixels%s", cut->view.group,
                   stoa_implicit_tiles(&cut->view), cut->view.groups * cut->view.group, phases);
}

const struct stoa_conv_algorithm stoa_conv_implicit = {STOA_CONV_NAME(implicit), .plan = plan,
                                                       .prepare = prepare, .run = run, .describe = describe};
