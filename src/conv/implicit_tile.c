/* SPDX-License-Identifier: MIT */
/* A tile is a product for each phase, on its view; or, where the view is the image itself, products that leave
 * the padding out. Of many channels each tap of the window is a product of its own with the outputs that see
 * it inside the image ("by taps"). Of few channels and long lines outputs whose patches lie inside read all of
 * it; at the image's edges patches lack lines, which are the first or last terms of the sums, or columns: then
 * each line of them is a product of its own ("inside").
 *
 * Panels are src/product's; the loop over them is not: its rows come from several images, and its sums begin
 * with the bias. */
#include "conv/implicit_tile.h"

#include "base/size.h"
#include "product/product.h"

/* Of `begin` to `end` those that lie inside an image, where the first lies at `from` of the padded one and
 * the others `step` apart. */
static struct stoa_implicit_span inside(const struct stoa_implicit_side *side, size_t from, size_t step,
                                        size_t begin, size_t end) {
    size_t first = from < side->pad ? stoa_ceil_div(side->pad - from, step) : 0;
    size_t last = side->size + side->pad; /* not inside any more */
    size_t behind = from < last ? (last - from - 1) / step + 1 : 0;
    first = stoa_max(first, begin);
    return (struct stoa_implicit_span){first, stoa_max(first, stoa_min(behind, end)) - first};
}

struct stoa_implicit_span stoa_implicit_outputs_inside(const struct stoa_implicit_side *side,
                                                       const struct stoa_implicit_axis *axis, size_t tap,
                                                       size_t begin, size_t end) {
    return inside(side, axis->begin + tap * side->dilation, side->stride, begin,
                  stoa_min(end, axis->outputs));
}

/* Of an axis' taps those that lie inside for an output. */
static struct stoa_implicit_span taps_inside(const struct stoa_implicit_side *side,
                                             const struct stoa_implicit_axis *axis, size_t output) {
    return inside(side, axis->begin + output * side->stride, side->dilation, 0, axis->taps);
}

/* The panel of columns from `j` on and terms from `first` on. */
static const float *panel_at(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                             size_t first, size_t j, size_t width) {
    return p->panels ? p->weight + f->begin * p->cut.stride + j * f->terms + first * width
                     : p->weight + first * p->cut.view.columns + j;
}

static size_t width_at(const struct stoa_implicit_pass *p, size_t j) {
    return stoa_min(STOA_GEMM_PANEL, p->cut.stride - j);
}

/* Lines of the packed panel that follows the one of columns from `j` on: of the same terms, then of the
 * next. */
static struct stoa_fetch next_panel(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                                    size_t first, size_t terms, size_t j) {
    j += STOA_GEMM_PANEL;
    if (j >= p->cut.view.columns) {
        j = 0;
        first += terms;
        terms = stoa_min(terms, f->terms - first);
    }
    size_t width = width_at(p, j);
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
    bool adds; /* to what is there */
};

static void multiply(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                     struct stoa_gather gather, const struct part *part) {
    const struct stoa_implicit_cut *cut = &p->cut;
    size_t columns = cut->view.columns;
    size_t ldc = cut->view.group > 1 ? columns : cut->y_pixel * cut->across.step;
    size_t image = cut->down.out * cut->across.out * cut->y_pixel;
    size_t terms = part->end - part->first;
    terms = stoa_ceil_div(terms, stoa_max(1, stoa_ceil_div(terms, cut->most_terms)));
    size_t first = part->first;
    do {
        terms = stoa_min(terms, part->end - first);
        gather.term = part->term + (first - part->first);
        for (size_t j = 0; j < columns; j += STOA_GEMM_PANEL) {
            size_t width = width_at(p, j);
            if (p->panels && gather.next[0].lines == 0) {
                gather.next[0] = next_panel(p, f, first, terms, j);
            }
            for (size_t i = 0; i < part->images; i++) {
                float *y = part->y + i * image + j;
                const float *start = part->adds || first > part->first ? y : p->start ? p->start + j : NULL;
                p->context->kernels->product(&gather, part->rows, stoa_min(STOA_GEMM_PANEL, columns - j),
                                             terms, part->a + i * cut->view.image,
                                             panel_at(p, f, first, j, width), p->panels ? width : columns,
                                             start, y, ldc);
                gather.next[0].lines = gather.next[1].lines = 0; /* once is enough */
            }
        }
        first += terms;
    } while (first < part->end);
}

/* The first output row of a tile in a phase, in y. */
static float *results_at(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                         const struct stoa_implicit_tile *t) {
    const struct stoa_implicit_cut *cut = &p->cut;
    size_t row = f->down.at + t->row * cut->down.step;
    return p->y + ((t->image * cut->down.out + row) * cut->across.out + f->across.at) * cut->y_pixel;
}

static size_t rows_of(const struct stoa_implicit_phase *f, const struct stoa_implicit_tile *t) {
    return stoa_min(t->rows, f->down.outputs - stoa_min(f->down.outputs, t->row));
}

/* Where the rows of a tile's results will go, from those of the third block or so on. A sum of few terms is
 * written so soon that its line of cache must be on its way before. */
static struct stoa_fetch next_results(const struct stoa_implicit_pass *p, const float *y, size_t rows) {
    enum { AHEAD = 24, PAIR = 2 };
    size_t columns = p->cut.view.group * p->cut.y_pixel;
    struct stoa_fetch next = {.stride = PAIR * STOA_ALIGN_FLOATS};
    if (p->cut.fetches_results && p->cut.terms > 0 && rows > AHEAD) {
        next.start = y + AHEAD * columns;
        next.lines = 1;
        next.more = (rows - AHEAD) * columns / next.stride / p->cut.terms;
    }
    return next;
}

/* A phase of a tile, from its view. */
static void multiply_view(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                          struct stoa_gather gather, const struct stoa_implicit_tile *t, const float *view) {
    const struct stoa_implicit_view *v = &p->cut.view;
    gather.run = f->across.outputs / v->group;
    struct part part = {.images = t->images,
                        .rows = rows_of(f, t) * gather.run,
                        .end = f->terms,
                        .term = p->term + f->begin,
                        .a = view + f->down.begin * v->line + f->across.begin * v->pixel,
                        .y = results_at(p, f, t),
                        .adds = v->conv.adds};
    if (p->cut.down.step > 1 || p->cut.across.step > 1) {
        gather.result = p->result;
    } else {
        part.rows *= part.images;
        part.images = 1;
    }
    if (part.rows > 0) {
        multiply(p, f, gather, &part);
    }
}

/* The outputs of some rows (in a phase) and columns of each of a tile's images, by some lines and columns of
 * the window, all of which lie inside the image. */
struct box {
    struct stoa_implicit_span rows, columns, lines, taps;
};

/* A product, or where lines of the window lack columns one for each of them. */
static void multiply_box(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                         struct stoa_gather gather, const struct stoa_implicit_tile *t, const struct box *box,
                         bool adds) {
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    size_t channels = v->conv.window.channels;
    size_t taps = box->lines.count == 0 ? 0 : box->taps.count;
    size_t lines = taps == f->across.taps || taps == 0 ? 1 : box->lines.count; /* a product each */
    gather.run = box->columns.count;
    gather.result = p->result;
    struct part part = {.images = t->images,
                        .rows = box->rows.count * box->columns.count,
                        .term = p->term + f->begin,
                        .a = p->x,
                        .y = results_at(p, f, t) + p->result[box->rows.first - t->row] +
                             box->columns.first * cut->across.step * cut->y_pixel,
                        .adds = adds || v->conv.adds};
    for (size_t i = 0; i < lines && part.rows > 0; i++) {
        if (taps > 0) {
            size_t line = box->lines.first + i;
            part.first = (line * f->across.taps + box->taps.first) * channels;
            part.end = part.first + taps * box->lines.count / lines * channels;
            line = f->down.begin + line * cut->down.dilation + box->rows.first * cut->down.stride;
            size_t pixel = f->across.begin + box->taps.first * cut->across.dilation +
                           box->columns.first * cut->across.stride;
            part.a = p->x + t->image * v->image + (line - cut->down.pad) * v->line +
                     (pixel - cut->across.pad) * v->pixel;
        }
        multiply(p, f, gather, &part);
        part.adds = true;
        gather.next[0].lines = gather.next[1].lines = 0;
    }
}

static void multiply_inside(const struct stoa_implicit_pass *p, struct stoa_gather gather,
                            const struct stoa_implicit_tile *t) {
    const struct stoa_implicit_side *down = &p->cut.down;
    const struct stoa_implicit_side *across = &p->cut.across;
    const struct stoa_implicit_phase *f = p->cut.phase;
    struct stoa_fetch next[STOA_FETCHES] = {gather.next[0], gather.next[1]};
    struct box box = {.rows = {t->row, 0}};
    for (size_t end = t->row + t->rows; box.rows.first < end; box.rows.first += box.rows.count) {
        /* Outputs at the edges alone, all others at once. */
        box.lines = taps_inside(down, &f->down, box.rows.first);
        box.rows.count =
            box.lines.count < f->down.taps
                ? 1
                : stoa_implicit_outputs_inside(down, &f->down, f->down.taps - 1, box.rows.first, end).count;
        box.columns = (struct stoa_implicit_span){0, 0};
        for (; box.columns.first < across->out; box.columns.first += box.columns.count) {
            box.taps = taps_inside(across, &f->across, box.columns.first);
            bool whole = box.taps.count == f->across.taps;
            box.columns.count = whole ? stoa_implicit_outputs_inside(across, &f->across, f->across.taps - 1,
                                                                     box.columns.first, across->out)
                                            .count
                                      : 1;
            for (size_t i = 0; i < STOA_FETCHES; i++) {
                gather.next[i] = whole ? next[i] : (struct stoa_fetch){.lines = 0};
                next[i].lines = whole ? 0 : next[i].lines;
            }
            multiply_box(p, f, gather, t, &box, false);
        }
    }
}

/* The box of the outputs of a tile for which a tap lies inside the image. */
static struct box box_of(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                         const struct stoa_implicit_tile *t, size_t tap) {
    size_t i = tap / f->across.taps;
    size_t j = tap % f->across.taps;
    return (struct box){
        .rows = stoa_implicit_outputs_inside(&p->cut.down, &f->down, i, t->row, t->row + t->rows),
        .columns = stoa_implicit_outputs_inside(&p->cut.across, &f->across, j, 0, f->across.outputs),
        .lines = {i, 1},
        .taps = {j, 1}};
}

/* A product a tap: first one that all outputs see, or else their bias. */
static void multiply_taps(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                          struct stoa_gather gather, const struct stoa_implicit_tile *t) {
    const struct box all = {.rows = {t->row, rows_of(f, t)}, .columns = {0, f->across.outputs}};
    size_t taps = f->down.taps * f->across.taps;
    size_t seen = 0; /* by all */
    for (; seen < taps; seen++) {
        struct box box = box_of(p, f, t, seen);
        if (box.rows.count == all.rows.count && box.columns.count == all.columns.count) {
            break;
        }
    }
    if (seen == taps) {
        multiply_box(p, f, gather, t, &all, false);
    }
    for (size_t n = 0; n < taps; n++) {
        struct box box = box_of(p, f, t, (seen + n) % taps);
        multiply_box(p, f, gather, t, &box, n > 0 || seen == taps);
        gather.next[1].lines = 0; /* once is enough */
    }
}

void stoa_implicit_multiply(void *argument, size_t task, size_t thread) {
    const struct stoa_implicit_pass *p = argument;
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    struct stoa_implicit_tile t = stoa_implicit_tile_at(v, task);
    struct stoa_gather gather = {.row = p->row, .step = v->step};
    size_t terms = stoa_min(cut->by_taps ? v->conv.window.channels : cut->most_terms, cut->phase[0].terms);
    gather.next[0] = next_results(p, results_at(p, cut->phase, &t), t.groups);
    gather.next[1] = stoa_implicit_fetch(v, p->x, task + 1, terms);
    const float *view = NULL;
    if (!cut->by_taps && !cut->inside) {
        float *copy = p->views ? p->views + thread * p->view_step : NULL;
        view = stoa_implicit_look(v, p->context->kernels, p->x, &t, 0, copy);
    }
    for (size_t i = 0; i < cut->phases; i++) {
        const struct stoa_implicit_phase *f = &cut->phase[i];
        if (cut->inside) {
            multiply_inside(p, gather, &t);
        } else if (cut->by_taps) {
            multiply_taps(p, f, gather, &t);
        } else {
            multiply_view(p, f, gather, &t, view);
        }
        gather.next[0].lines = gather.next[1].lines = 0;
    }
    if (p->relu) {
        stoa_conv_finish(p->context, &v->conv, NULL, true, t.first, t.groups * v->group, p->y);
    }
}
