/* SPDX-License-Identifier: MIT */
/* A tile is a product for each phase, on its view; or, where the view is the image itself, products that
 * leave the padding out. Of many channels each tap of the window is a product of its own with the outputs
 * that see it inside the image ("by taps"). Of few channels and long lines outputs whose patches lie
 * inside read all of it; at the image's edges patches lack lines, which are the first or last terms of the
 * sums, or columns: then each line of them is a product of its own ("inside").
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

/* The panel of columns from `j` on and terms from `first` on. */
static const float *panel_at(const struct stoa_implicit_pass *p, const struct stoa_implicit_phase *f,
                             size_t first, size_t j, size_t width) {
    return p->panels ? p->weight + f->begin * p->cut.stride + j * f->terms + first * width
                     : p->weight + first * p->cut.view.columns + j;
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
    size_t width = stoa_min(STOA_GEMM_PANEL, p->cut.stride - j);
    return (struct stoa_fetch){panel_at(p, f, first, j, width), STOA_ALIGN_FLOATS, terms > 0,
                               width / STOA_ALIGN_FLOATS - 1};
}

/* A tile, and where its view begins: at line `top` and pixel `left` of the padded images. */
struct viewed_tile {
    const struct stoa_implicit_pass *pass;
    struct stoa_implicit_tile at;
    const float *view;
    size_t top, left;
};

/* The outputs of some rows and columns of a phase in each of a tile's images, by some lines and columns of
 * the window, all of which lie in the view. */
struct tap_box {
    struct stoa_implicit_span rows, columns, lines, taps;
};

/* All outputs, by no taps. */
static struct tap_box box_of(const struct viewed_tile *t, const struct stoa_implicit_phase *f) {
    size_t rows = f->down.outputs - stoa_min(f->down.outputs, t->at.row);
    return (struct tap_box){.rows = {t->at.row, stoa_min(t->at.rows, rows)},
                            .columns = {0, f->across.outputs}};
}

static const float *patch_at(const struct viewed_tile *t, const struct stoa_implicit_phase *f,
                             const struct tap_box *box) {
    const struct stoa_implicit_side *down = &t->pass->cut.down;
    const struct stoa_implicit_side *across = &t->pass->cut.across;
    size_t line = f->down.begin + box->lines.first * down->dilation + box->rows.first * down->stride;
    size_t pixel = f->across.begin + box->taps.first * across->dilation + box->columns.first * across->stride;
    return t->view + (line - t->top) * t->pass->cut.view.line + (pixel - t->left) * t->pass->cut.view.pixel;
}

static float *result_at(const struct viewed_tile *t, const struct stoa_implicit_phase *f,
                        const struct tap_box *box) {
    const struct stoa_implicit_side *down = &t->pass->cut.down;
    const struct stoa_implicit_side *across = &t->pass->cut.across;
    size_t row = t->at.image * down->out + f->down.at + box->rows.first * down->step;
    size_t column = f->across.at + box->columns.first * across->step;
    return t->pass->y + (row * across->out + column) * t->pass->cut.y_pixel;
}

/* A product of terms [begin, end) of a box's patches; it adds to what is there, or to the bias. */
static void multiply_terms(const struct viewed_tile *t, const struct stoa_implicit_phase *f,
                           struct stoa_gather gather, const struct tap_box *box, size_t begin, size_t end,
                           bool adds) {
    const struct stoa_implicit_pass *p = t->pass;
    const struct stoa_implicit_cut *cut = &p->cut;
    size_t columns = cut->view.columns;
    size_t image = cut->down.out * cut->across.out * cut->y_pixel;
    size_t ldc = cut->view.group > 1 ? columns : cut->y_pixel * cut->across.step;
    const float *a = end > begin ? patch_at(t, f, box) : p->x;
    float *c = result_at(t, f, box);
    size_t rows = box->rows.count * box->columns.count / cut->view.group;
    size_t images = t->at.images;
    gather.run = box->columns.count / cut->view.group;
    if (cut->down.step * cut->across.step == 1 && !cut->by_taps && !cut->inside) { /* of all images at once */
        rows *= images;
        images = 1;
    } else {
        gather.result = p->result;
    }
    size_t terms = stoa_ceil_div(end - begin, stoa_max(1, stoa_ceil_div(end - begin, cut->most_terms)));
    size_t first = begin;
    do {
        terms = stoa_min(terms, end - first);
        gather.term = p->term + f->begin + (first - begin);
        for (size_t j = 0; j < columns; j += STOA_GEMM_PANEL) {
            size_t width = stoa_min(STOA_GEMM_PANEL, cut->stride - j);
            if (p->panels && gather.next[0].lines == 0) {
                gather.next[0] = next_panel(p, f, first, terms, j);
            }
            for (size_t i = 0; i < images; i++) {
                float *to = c + i * image + j;
                const float *start = adds || first > begin ? to : p->start ? p->start + j : NULL;
                p->context->kernels->product(&gather, rows, stoa_min(STOA_GEMM_PANEL, columns - j), terms,
                                             a + i * cut->view.image, panel_at(p, f, first, j, width),
                                             p->panels ? width : columns, start, to, ldc);
                gather.next[0].lines = gather.next[1].lines = 0; /* once is enough */
            }
        }
        first += terms;
    } while (first < end);
}

/* A product, or where lines of the window lack columns one for each of them. */
static void multiply_box(const struct viewed_tile *t, const struct stoa_implicit_phase *f,
                         struct stoa_gather gather, struct tap_box box, bool adds) {
    size_t channels = t->pass->cut.view.conv.window.channels;
    bool whole = box.taps.count == f->across.taps;
    size_t lines = box.taps.count == 0 || whole ? stoa_min(1, box.lines.count) : box.lines.count;
    size_t terms = box.taps.count * channels * (whole ? box.lines.count : 1);
    if (box.rows.count * box.columns.count == 0) {
        return;
    }
    if (lines * terms == 0) {
        multiply_terms(t, f, gather, &box, 0, 0, adds);
        return;
    }
    for (size_t i = 0; i < lines; i++, box.lines.first++) {
        size_t begin = (box.lines.first * f->across.taps + box.taps.first) * channels;
        multiply_terms(t, f, gather, &box, begin, begin + terms, adds || i > 0);
        gather.next[0].lines = gather.next[1].lines = 0;
    }
}

static void multiply_view(const struct viewed_tile *t, const struct stoa_implicit_phase *f,
                          struct stoa_gather gather) {
    struct tap_box box = box_of(t, f);
    box.lines.count = f->down.taps;
    box.taps.count = f->across.taps;
    multiply_box(t, f, gather, box, t->pass->cut.view.conv.adds);
}

/* The outputs from the first on, before `end`, whose taps inside the image are as many: at the edges one. */
static struct stoa_implicit_span alike(const struct stoa_implicit_side *side,
                                       const struct stoa_implicit_axis *axis, size_t first, size_t end,
                                       struct stoa_implicit_span *taps) {
    *taps = inside(side, axis->begin + first * side->stride, side->dilation, 0, axis->taps);
    return taps->count < axis->taps ? (struct stoa_implicit_span){first, 1}
                                    : stoa_implicit_outputs_inside(side, axis, axis->taps - 1, first, end);
}

static void multiply_inside(const struct viewed_tile *t, const struct stoa_implicit_phase *f,
                            struct stoa_gather gather) {
    const struct stoa_implicit_cut *cut = &t->pass->cut;
    const struct stoa_gather plain = {.row = gather.row, .step = gather.step};
    struct tap_box box;
    size_t end = t->at.row + t->at.rows;
    for (size_t row = t->at.row; row < end; row += box.rows.count) {
        box.rows = alike(&cut->down, &f->down, row, end, &box.lines);
        for (size_t column = 0; column < f->across.outputs; column += box.columns.count) {
            box.columns = alike(&cut->across, &f->across, column, f->across.outputs, &box.taps);
            bool edge = box.columns.count == 1;
            multiply_box(t, f, edge ? plain : gather, box, false);
            gather = edge ? gather : plain; /* to fetch once is enough */
        }
    }
}

/* The outputs for which a tap lies inside the image. */
static struct tap_box box_inside(const struct viewed_tile *t, const struct stoa_implicit_phase *f,
                                 size_t tap) {
    const struct stoa_implicit_cut *cut = &t->pass->cut;
    struct tap_box box = {.lines = {tap / f->across.taps, 1}, .taps = {tap % f->across.taps, 1}};
    box.rows = stoa_implicit_outputs_inside(&cut->down, &f->down, box.lines.first, t->at.row,
                                            t->at.row + t->at.rows);
    box.columns =
        stoa_implicit_outputs_inside(&cut->across, &f->across, box.taps.first, 0, f->across.outputs);
    return box;
}

/* A product a tap: first one that all outputs see, or else their bias. */
static void multiply_taps(const struct viewed_tile *t, const struct stoa_implicit_phase *f,
                          struct stoa_gather gather) {
    struct tap_box all = box_of(t, f);
    size_t taps = f->down.taps * f->across.taps;
    size_t seen = 0; /* by all */
    for (; seen < taps; seen++) {
        struct tap_box box = box_inside(t, f, seen);
        if (box.rows.count == all.rows.count && box.columns.count == all.columns.count) {
            break;
        }
    }
    bool adds = t->pass->cut.view.conv.adds;
    if (seen == taps && !adds) {
        multiply_box(t, f, gather, all, false);
        adds = true;
    }
    for (size_t n = 0; n < taps; n++) {
        multiply_box(t, f, gather, box_inside(t, f, (seen + n) % taps), adds || n > 0);
        gather.next[1].lines = 0; /* once is enough */
    }
}

/* Where the rows of a tile's results will go, from those of the third block or so on. A sum of few terms is
 * written so soon that its line of cache must be on its way before. */
static struct stoa_fetch next_results(const struct viewed_tile *t) {
    enum { AHEAD = 24, PAIR = 2 };
    const struct stoa_implicit_cut *cut = &t->pass->cut;
    struct stoa_fetch next = {.stride = PAIR * STOA_ALIGN_FLOATS};
    if (cut->fetches_results && t->at.groups > AHEAD) {
        size_t row = cut->view.group * cut->y_pixel;
        next.start = t->pass->y + t->at.first * cut->y_pixel + AHEAD * row;
        next.lines = 1;
        next.more = (t->at.groups - AHEAD) * row / next.stride / cut->terms;
    }
    return next;
}

void stoa_implicit_multiply(void *argument, size_t task, size_t thread) {
    const struct stoa_implicit_pass *p = argument;
    const struct stoa_implicit_cut *cut = &p->cut;
    const struct stoa_implicit_view *v = &cut->view;
    struct viewed_tile t = {.pass = p, .at = stoa_implicit_tile_at(v, task)};
    if (cut->by_taps || cut->inside) {
        t.view = p->x + t.at.image * v->image;
        t.top = cut->down.pad;
        t.left = cut->across.pad;
    } else {
        float *copy = p->views ? p->views + thread * p->view_step : NULL;
        t.view = stoa_implicit_look(v, p->context->kernels, p->x, &t.at, 0, copy);
        t.top = t.at.row * cut->down.stride;
    }
    size_t terms = stoa_min(cut->by_taps ? v->conv.window.channels : cut->most_terms, cut->phase[0].terms);
    struct stoa_gather gather = {.row = p->row,
                                 .step = v->step,
                                 .next = {next_results(&t), stoa_implicit_fetch(v, p->x, task + 1, terms)}};
    for (size_t i = 0; i < cut->phases; i++) {
        const struct stoa_implicit_phase *f = &cut->phase[i];
        if (cut->inside) {
            multiply_inside(&t, f, gather);
        } else if (cut->by_taps) {
            multiply_taps(&t, f, gather);
        } else {
            multiply_view(&t, f, gather);
        }
        gather.next[0].lines = gather.next[1].lines = 0;
    }
    if (p->relu) {
        stoa_conv_finish(p->context, &v->conv, NULL, true, t.at.first, t.at.groups * v->group, p->y);
    }
}
