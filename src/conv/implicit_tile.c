/* SPDX-License-Identifier: MIT */
/* A tile is a product for each phase, on its view. Where the view is the image itself, products leave the
 * padding out. With many channels, each tap of the window is a product of its own with the outputs that see
 * it inside the image ("by taps"). With few channels and long image rows, outputs whose patches lie inside
 * read all of them. At the image's edges patches lack rows, which are the first or last terms of the sums,
 * or columns, and then each row of them is a product of its own ("inside").
 *
 * The panels are those of src/product. The loop over them is not, because its rows come from several images
 * and its sums begin with the bias. */
#include <string.h>

#include "base/size.h"
#include "conv/implicit_pass.h"
#include "product/product.h"

/* A range of outputs, or of taps, along one side. */
struct tap_span {
    size_t first, count;
};

/* The part of [begin, end) that lies inside an image, where the first one lies at `from` of the padded image
 * and the others `step` apart. */
static struct tap_span inside(const struct stoa_implicit_side *side, size_t from, size_t step, size_t begin,
                              size_t end) {
    size_t first = from < side->pad ? stoa_ceil_div(side->pad - from, step) : 0;
    size_t last = side->size + side->pad; /* the first one that is not inside any more */
    size_t behind = from < last ? (last - from - 1) / step + 1 : 0;
    first = stoa_max(first, begin);
    return (struct tap_span){first, stoa_max(first, stoa_min(behind, end)) - first};
}

/* The outputs of [begin, end) of an axis for which a tap lies inside the image. */
static struct tap_span outputs_inside(const struct stoa_implicit_side *side,
                                      const struct stoa_implicit_axis *axis, size_t tap, size_t begin,
                                      size_t end) {
    return inside(side, axis->begin + tap * side->dilation, side->stride, begin,
                  stoa_min(end, axis->outputs));
}

double stoa_implicit_pairs(const struct stoa_implicit_side *side, bool by_taps) {
    size_t pairs = 0;
    for (const struct stoa_implicit_axis *axis = side->axis; axis < side->axis + side->axes; axis++) {
        pairs += by_taps ? 0 : axis->taps * axis->outputs;
        for (size_t tap = 0; by_taps && tap < axis->taps; tap++) {
            pairs += outputs_inside(side, axis, tap, 0, axis->outputs).count;
        }
    }
    return (double)pairs;
}

/* A phase of a tile. The first large product fetches `next`, and nothing is left to fetch then. */
struct viewed_tile {
    const struct stoa_implicit_pass *pass;
    struct stoa_implicit_tile at;
    struct stoa_implicit_phase phase;
    struct stoa_fetch next[STOA_FETCHES];
};

/* The outputs of some rows and columns of a phase in each of a tile's images, with some rows and columns of
 * the window, all of which lie in the view. */
struct tap_box {
    struct tap_span rows, columns, lines, taps;
};

static size_t outputs_of(struct tap_box box) {
    return box.rows.count * box.columns.count;
}

/* All outputs with all taps. */
static struct tap_box box_of(const struct viewed_tile *t) {
    const struct stoa_implicit_phase *f = &t->phase;
    size_t rows = f->down->outputs - stoa_min(f->down->outputs, t->at.row);
    return (struct tap_box){.rows = {t->at.row, stoa_min(t->at.rows, rows)},
                            .columns = {0, f->across->outputs},
                            .lines = {0, f->down->taps},
                            .taps = {0, f->across->taps}};
}

/* The panel of columns from `j` and terms from `first` on. A weight that is not packed is a single panel. */
static const float *panel_at(const struct viewed_tile *t, size_t first, size_t j, size_t width) {
    const struct stoa_implicit_view *v = &t->pass->cut.view;
    bool panels = t->pass->weight != t->pass->run->weight;
    return t->pass->weight + (panels ? t->phase.begin * v->stride + j * t->phase.terms + first * width
                                     : first * v->columns + j);
}

/* The cache lines of the packed panel that follows the one of columns from `j` on: that of the same terms,
 * then that of the next ones. */
static struct stoa_fetch next_panel(const struct viewed_tile *t, size_t first, size_t terms, size_t j) {
    j += STOA_GEMM_PANEL;
    if (j >= t->pass->cut.view.columns) {
        j = 0;
        first += terms;
        terms = stoa_min(terms, t->phase.terms - first);
    }
    size_t width = stoa_min(STOA_GEMM_PANEL, t->pass->cut.view.stride - j);
    return (struct stoa_fetch){panel_at(t, first, j, width), STOA_ALIGN_FLOATS, terms > 0,
                               width / STOA_ALIGN_FLOATS - 1};
}

/* Multiply terms [first, first + terms) of a box's patches, which begin at `a`. Sums are added to what is
 * there, or to the bias. */
static void multiply_terms(const struct viewed_tile *t, const struct tap_box *box, const float *a,
                           struct stoa_gather gather, size_t first, size_t terms, bool adds) {
    const struct stoa_implicit_pass *p = t->pass;
    const struct stoa_implicit_view *v = &p->cut.view;
    const bool panels = p->weight != p->run->weight;
    const bool together = v->down.step * v->across.step == 1 && !p->cut.by_taps && !p->cut.inside;
    size_t rows = box->rows.count * gather.run * (together ? t->at.images : 1);
    size_t image = v->down.out * v->across.out * v->y_pixel;
    size_t row = t->at.image * v->down.out + t->phase.down->at + box->rows.first * v->down.step;
    size_t column = t->phase.across->at + box->columns.first * v->across.step;
    gather.result = together ? NULL : p->result;
    for (size_t j = 0; j < v->columns; j += STOA_GEMM_PANEL) {
        size_t width = stoa_min(STOA_GEMM_PANEL, v->stride - j);
        float *c = p->y + (row * v->across.out + column) * v->y_pixel + j;
        if (panels && gather.next[0].lines == 0) {
            gather.next[0] = next_panel(t, first, terms, j);
        }
        for (size_t i = 0; i < (together ? 1 : t->at.images); i++, c += image) {
            p->context->kernels->product(&gather, rows, stoa_min(STOA_GEMM_PANEL, v->columns - j), terms,
                                         a + i * v->image, panel_at(t, first, j, width),
                                         panels ? width : v->columns,
                                         adds       ? c
                                         : p->start ? p->start + j
                                                    : NULL,
                                         c, v->y_row * v->across.step);
            gather.next[0].lines = gather.next[1].lines = 0; /* it is fetched once */
        }
    }
}

/* Multiply a box in products of so many terms at most, or one for each row of the window where these lack
 * columns. The first product fetches `next`. */
static void multiply_box(const struct viewed_tile *t, struct tap_box box, struct stoa_fetch *next,
                         bool adds) {
    const struct stoa_implicit_pass *p = t->pass;
    const struct stoa_implicit_view *v = &p->cut.view;
    const bool whole = box.taps.count == t->phase.across->taps;
    size_t lines = whole ? stoa_min(1, box.lines.count) : box.lines.count;
    size_t line = box.taps.count * v->channels * (whole ? box.lines.count : 1); /* terms */
    size_t most = stoa_ceil_div(line, stoa_max(1, stoa_ceil_div(line, p->cut.most_terms)));
    struct stoa_gather gather = {.row = p->row, .run = box.columns.count / v->group, .step = v->step};
    if (outputs_of(box) == 0) {
        return;
    }
    if (line * lines == 0) {
        multiply_terms(t, &box, p->x, gather, 0, 0, adds);
        return;
    }
    const float *a = stoa_implicit_at(
        v, &t->at,
        t->phase.down->begin + box.lines.first * v->down.dilation + box.rows.first * v->down.stride,
        t->phase.across->begin + box.taps.first * v->across.dilation + box.columns.first * v->across.stride);
    size_t begin = (box.lines.first * t->phase.across->taps + box.taps.first) * v->channels;
    for (; lines > 0;
         lines--, begin += t->phase.across->taps * v->channels, a += v->down.dilation * v->line) {
        for (size_t first = 0; first < line; first += most, adds = true) {
            gather.term = p->term + t->phase.begin + first;
            memcpy(gather.next, next, sizeof gather.next);
            multiply_terms(t, &box, a, gather, begin + first, stoa_min(most, line - first), adds);
            next[0].lines = next[1].lines = 0;
        }
    }
}

/* The outputs from the first one to `end` with as many taps inside the image; at the edges it is one. */
static struct tap_span alike(const struct stoa_implicit_side *side, const struct stoa_implicit_axis *axis,
                             size_t first, size_t end, struct tap_span *taps) {
    *taps = inside(side, axis->begin + first * side->stride, side->dilation, 0, axis->taps);
    return taps->count < axis->taps ? (struct tap_span){first, 1}
                                    : outputs_inside(side, axis, axis->taps - 1, first, end);
}

static void multiply_inside(struct viewed_tile *t) {
    const struct stoa_implicit_view *v = &t->pass->cut.view;
    const struct stoa_implicit_phase *f = &t->phase;
    struct stoa_fetch nothing[STOA_FETCHES] = {{.lines = 0}};
    struct tap_box box;
    size_t end = t->at.row + t->at.rows;
    for (size_t row = t->at.row; row < end; row += box.rows.count) {
        box.rows = alike(&v->down, f->down, row, end, &box.lines);
        for (size_t column = 0; column < f->across->outputs; column += box.columns.count) {
            box.columns = alike(&v->across, f->across, column, f->across->outputs, &box.taps);
            multiply_box(t, box, box.columns.count == 1 ? nothing : t->next, false);
        }
    }
}

/* The outputs for which a tap lies inside the image. */
static struct tap_box box_inside(const struct viewed_tile *t, size_t tap) {
    const struct stoa_implicit_view *v = &t->pass->cut.view;
    const struct stoa_implicit_phase *f = &t->phase;
    struct tap_box box = {.lines = {tap / f->across->taps, 1}, .taps = {tap % f->across->taps, 1}};
    box.rows = outputs_inside(&v->down, f->down, box.lines.first, t->at.row, t->at.row + t->at.rows);
    box.columns = outputs_inside(&v->across, f->across, box.taps.first, 0, f->across->outputs);
    return box;
}

/* Multiply tap by tap: first by one that all outputs see, or else the sums begin with the bias. */
static void multiply_taps(struct viewed_tile *t, bool adds) {
    struct tap_box all = box_of(t);
    size_t taps = all.lines.count * all.taps.count;
    size_t seen = 0; /* by all */
    while (seen < taps && outputs_of(box_inside(t, seen)) < outputs_of(all)) {
        seen++;
    }
    if (seen == taps && !adds) {
        all.lines.count = all.taps.count = 0;
        multiply_box(t, all, t->next, false);
        adds = true;
    }
    for (size_t n = 0; n < taps; n++) {
        multiply_box(t, box_inside(t, (seen + n) % taps), t->next, adds || n > 0);
    }
}

/* Fetch where a tile's results will go, from about the third block on. A sum of few terms is written so soon
 * that its cache line must be on its way before. */
static struct stoa_fetch next_results(const struct viewed_tile *t) {
    enum { AHEAD = 24, PAIR = 2 };
    const struct stoa_implicit_cut *cut = &t->pass->cut;
    struct stoa_fetch next = {.stride = PAIR * STOA_ALIGN_FLOATS};
    if (cut->fetches_results && t->at.groups > AHEAD) {
        size_t row = cut->view.y_row;
        next.start = t->pass->y + t->at.first * cut->view.y_pixel + AHEAD * row;
        next.lines = 1;
        next.more = (t->at.groups - AHEAD) * row / next.stride / cut->terms;
    }
    return next;
}

void stoa_implicit_multiply(void *argument, size_t task, size_t thread) {
    const struct stoa_implicit_pass *p = argument;
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    const bool adds = p->plan->conv.adds;
    struct viewed_tile t = {.pass = p, .at = stoa_implicit_tile_at(v, task)};
    stoa_implicit_look(v, p->context->kernels, p->x, 0,
                       p->scratch ? p->scratch + thread * p->thread_step : NULL, &t.at);
    size_t terms = stoa_min(cut->by_taps ? v->channels : cut->most_terms, stoa_implicit_phase_of(v, 0).terms);
    t.next[0] = next_results(&t);
    t.next[1] = stoa_implicit_fetch(v, p->x, task + 1, terms);
    for (size_t i = 0; i < v->down.axes * v->across.axes; i++) {
        t.phase = stoa_implicit_phase_of(v, i);
        if (cut->inside) {
            multiply_inside(&t);
        } else if (cut->by_taps) {
            multiply_taps(&t, adds);
        } else {
            multiply_box(&t, box_of(&t), t.next, adds);
        }
    }
    size_t pixels = t.at.groups * v->group;
    if (p->plan->pass == STOA_CONV_FORWARD) {
        stoa_conv_finish(p->run, &p->plan->conv, NULL, t.at.first, pixels);
    } else {
        size_t channels = p->plan->conv.window.channels;
        stoa_finish_pixels(&p->run->finish, p->y, channels, v->y_pixel, t.at.first, pixels, 0, channels);
    }
}
