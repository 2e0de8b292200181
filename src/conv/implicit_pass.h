/* SPDX-License-Identifier: MIT */
/* What the files of the implicit algorithm share: the view of the image that every pass reads, the cut of a
 * pass, and a run of it. */
#ifndef STOA_CONV_IMPLICIT_PASS_H
#define STOA_CONV_IMPLICIT_PASS_H

#include "conv/conv.h"
#include "kernels/kernels.h"

/* A column of so few terms takes less time than its results take to their place. */
enum { STOA_IMPLICIT_FEW_TERMS = 63 };

/* A pass has at most so many phases. */
enum { STOA_IMPLICIT_PHASES = 16 };

/* The outputs along one side that lie a step apart and see the same taps. Taps are numbered as they lie in
 * the view, so the last one of a turned kernel comes first. */
struct stoa_implicit_axis {
    size_t at, outputs;  /* the first one in the result, and how many */
    size_t begin;        /* where its patch begins, counted from the padding's beginning */
    size_t taps, before; /* taps of a patch, with those of all pixels of a group; taps of the axes before */
    size_t first;        /* backward data: of the kernel's taps, the first of the axis */
};

/* One side of images: down counts image rows, across the pixels of one. Backward data by a stride has as
 * many axes, other passes have one; the first axis has the most outputs. */
struct stoa_implicit_side {
    size_t size, pad;        /* of the tensor that is read, and in front of it */
    size_t stride, dilation; /* in it, from output to output and from tap to tap */
    size_t extent;           /* of it that the patches of neighbouring outputs, one of each axis, cover */
    size_t out, step;        /* size of the result, and in it from output to output of an axis */
    size_t axes, taps;       /* taps of all axes */
    struct stoa_implicit_axis axis[STOA_IMPLICIT_PHASES];
};

/* How a pass reads images, in tiles: in place, or from a copy of the image rows under the tile with their
 * padding. Backward data reads dy as a forward pass reads x, of which the words here speak. */
struct stoa_implicit_view {
    struct stoa_implicit_side down, across;
    size_t batch, channels, filters; /* numbers of a pixel that is read, and of a result's */
    size_t x_pixel, y_pixel,
        y_row; /* floats from pixel to pixel of those, from group to group of a result's */
    /* How many neighbouring pixels are one row of the product: more than one where filters would leave many
     * lanes of a vector empty. The patch of a row is wider then and the weight is banded: what lies beyond a
     * pixel's own window is multiplied by zeros, so a NaN also reaches the other pixels of its group. */
    size_t group;
    bool pads;                 /* the view is a copy, perhaps of a part of the channels */
    size_t columns, stride;    /* of the product, and as many as fill vectors */
    size_t rows, images;       /* a tile: output rows of one image, or whole images */
    size_t groups;             /* rows of the product in the largest tile */
    size_t pixel, line, image; /* floats from one to the next */
    size_t step;               /* from group to group */
    size_t floats;             /* of the copy */
};

struct stoa_implicit_tile {
    size_t image, images, row, rows;
    size_t first, groups; /* output pixels before it; rows of the product */
    const float *view;    /* it begins at line `top` and pixel `left` of the padded images */
    size_t top, left;
};

/* Set the view of a pass, not yet cut into tiles; it pads where the window reaches out of the image.
 * Operands are taken in place as far as the pass can. False for strides with too many phases. */
bool stoa_implicit_view_of(const stoa_context *context, struct stoa_conv_plan *plan,
                           struct stoa_implicit_view *view);

/* Cut the view into tiles whose copies have `channels` channels: of about `pixels` pixels (0: what suits
 * gradients), and at least `least` tiles of a large batch. */
void stoa_implicit_cut_tiles(const stoa_context *context, size_t channels, size_t least, size_t pixels,
                             struct stoa_implicit_view *view);

size_t stoa_implicit_tiles(const struct stoa_implicit_view *view);
struct stoa_implicit_tile stoa_implicit_tile_at(const struct stoa_implicit_view *view, size_t number);

/* Set the view of a tile, with channels from `first` on. A copy is written to `copy`. */
void stoa_implicit_look(const struct stoa_implicit_view *view, const struct stoa_kernels *kernels,
                        const float *x, size_t first, float *copy, struct stoa_implicit_tile *tile);

/* The part of the images x under tile `number`, to be fetched by a product of `terms` terms, cache line by
 * cache line; nothing after the last tile. */
struct stoa_fetch stoa_implicit_fetch(const struct stoa_implicit_view *view, const float *x, size_t number,
                                      size_t terms);

/* Where a row and pixel of the padded images lies in a tile's view. */
static inline const float *stoa_implicit_at(const struct stoa_implicit_view *v,
                                            const struct stoa_implicit_tile *t, size_t line, size_t pixel) {
    return t->view + (line - t->top) * v->line + (pixel - t->left) * v->pixel;
}

/* Floats in the view from a tile's first output row to another, and from a patch's first tap to another. */
static inline size_t stoa_implicit_row(const struct stoa_implicit_view *v, size_t row) {
    return row / v->rows * v->image + row % v->rows * v->down.stride * v->line;
}

static inline size_t stoa_implicit_tap(const struct stoa_implicit_view *v, size_t line, size_t column) {
    return line * v->down.dilation * v->line + column * v->across.dilation * v->pixel;
}

/* A phase: all outputs of a forward pass, or those of backward data by a stride that see the same taps. */
struct stoa_implicit_phase {
    const struct stoa_implicit_axis *down, *across;
    size_t terms, begin; /* the numbers of a patch, and of the patches of the phases before */
};

static inline struct stoa_implicit_phase stoa_implicit_phase_of(const struct stoa_implicit_view *v,
                                                                size_t i) {
    const struct stoa_implicit_axis *down = &v->down.axis[i / v->across.axes];
    const struct stoa_implicit_axis *across = &v->across.axis[i % v->across.axes];
    return (struct stoa_implicit_phase){down, across, down->taps * across->taps * v->channels,
                                        (down->before * v->across.taps + down->taps * across->before) *
                                            v->channels};
}

struct stoa_implicit_cut {
    struct stoa_implicit_view view;
    size_t terms; /* numbers of the patches of all phases */
    bool packs;   /* the rows of the weight, or of its gradient, are copied to rows `stride` long */
    /* Forward passes and backward data. */
    bool by_taps, inside; /* the padding is left out, in one of the ways of implicit_tile.c */
    bool far;             /* the weight is prepared in panels */
    bool fetches_results;
    size_t most_terms; /* so many terms a product takes at once */
    /* Weight gradients. */
    struct stoa_partials sums; /* with rows of `stride`; `filters` are the bias's */
    size_t parts, ranges;      /* of channels, of columns */
    bool whole_lines;          /* a row of a patch is one run */
    /* So many rows of dy are copied, because whole vectors cannot be read behind them. */
    size_t last_rows;
    size_t copied; /* floats of that copy */
};

/* A run. `term` has the offsets of a product's terms in the view, `row` and `result` those of the runs of
 * its rows there and in the result. */
struct stoa_implicit_pass {
    const stoa_context *context;
    const struct stoa_conv_plan *plan;
    const struct stoa_conv_run *run;
    struct stoa_implicit_cut cut; /* the plan's, of the run's batch */
    const float *x;               /* the view is of this tensor */
    const float *weight;          /* the run's, or in panels of STOA_GEMM_PANEL columns, phase by phase */
    float *y;
    float *start;  /* sums begin with this: the bias, once for each pixel of a group; or NULL */
    float *packed; /* the copy of the weight or of its gradient */
    float *sums;   /* of blocks of a weight gradient */
    size_t *term, *row, *result;
    float *scratch; /* for each thread, thread_step apart, a view and copied rows */
    size_t thread_step;
};

/* Compute a tile of a forward pass or of backward data, as task of stoa_implicit_tiles(). */
void stoa_implicit_multiply(void *argument, size_t task, size_t thread);

/* The pairs of a tap and an output along a side; by_taps, where padding is left out, those inside. */
double stoa_implicit_pairs(const struct stoa_implicit_side *side, bool by_taps);

#endif
