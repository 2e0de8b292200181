/* SPDX-License-Identifier: MIT */
/* What the files of the implicit algorithm share: the view of the image that every pass reads, how a pass is
 * cut, and a run of it. */
#ifndef STOA_CONV_IMPLICIT_PASS_H
#define STOA_CONV_IMPLICIT_PASS_H

#include "conv/conv.h"
#include "kernels/kernels.h"

/* A column of so few terms takes less time than its results take to their place. */
enum { STOA_IMPLICIT_FEW_TERMS = 63 };

/* Phases of a pass at most. */
enum { STOA_IMPLICIT_PHASES = 16 };

/* Outputs that lie a step apart and see the same taps, along one side. Taps are numbered as they lie in the
 * view: a turned kernel's last comes first. */
struct stoa_implicit_axis {
    size_t at, outputs;  /* the first one in the result, and how many */
    size_t begin;        /* of its patch, counted from the padding's beginning */
    size_t taps, before; /* of a patch, those of all pixels of a group; of patches of the axes before */
    size_t first;        /* backward data: of the kernel's taps, the first of the axis */
};

/* One side of images, lines or pixels of a line. Backward data by a stride has as many axes, others have one;
 * the first has the most outputs. */
struct stoa_implicit_side {
    size_t size, pad;        /* of what is read, and before it */
    size_t stride, dilation; /* in it, from output to output and from tap to tap */
    size_t extent;           /* of it that the patches of neighbouring outputs, one of each axis, cover */
    size_t out, step;        /* size of the result, and in it from output to output of an axis */
    size_t axes, taps;       /* taps of all axes */
    struct stoa_implicit_axis axis[STOA_IMPLICIT_PHASES];
};

/* How a pass reads images, in tiles: those that lie there, or a copy of the lines under the tile with their
 * padding. Backward data reads dy as a forward pass reads x; what it is there is said here of all. */
struct stoa_implicit_view {
    struct stoa_implicit_side down, across;
    size_t batch, channels, filters; /* numbers of a pixel that is read, and of a result's */
    size_t x_pixel, y_pixel,
        y_row; /* floats from pixel to pixel of those, from group to group of a result's */
    /* Pixels side by side in a row of the product: more than one where filters would leave many lanes of a
     * vector empty. Then a row's patch is as much wider, and the weight is banded: a number beyond a pixel's
     * own window meets zeros, so that a NaN also reaches the other pixels of its group. */
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

/* The view of a pass, not yet cut into tiles; it pads where the window reaches out of the image. Operands are
 * taken as they lie as far as the pass can. False for strides with too many phases. */
bool stoa_implicit_view_of(const stoa_context *context, struct stoa_conv_plan *plan,
                           struct stoa_implicit_view *view);

/* Cut it into tiles whose copies have `channels` channels: of about `pixels` pixels (0: what suits
 * gradients), and at least `least` of a large batch. */
void stoa_implicit_cut_tiles(const stoa_context *context, size_t channels, size_t least, size_t pixels,
                             struct stoa_implicit_view *view);

size_t stoa_implicit_tiles(const struct stoa_implicit_view *view);
struct stoa_implicit_tile stoa_implicit_tile_at(const struct stoa_implicit_view *view, size_t number);

/* Set the view of a tile, of channels `first` on. A copy is written to `copy`. */
void stoa_implicit_look(const struct stoa_implicit_view *view, const struct stoa_kernels *kernels,
                        const float *x, size_t first, float *copy, struct stoa_implicit_tile *tile);

/* The images x under tile `number`, line by line of cache, to be fetched by a product of `terms` terms;
 * nothing behind the last tile. */
struct stoa_fetch stoa_implicit_fetch(const struct stoa_implicit_view *view, const float *x, size_t number,
                                      size_t terms);

/* Where a line and pixel of the padded images lies in a tile's view. */
static inline const float *stoa_implicit_at(const struct stoa_implicit_view *v,
                                            const struct stoa_implicit_tile *t, size_t line, size_t pixel) {
    return t->view + (line - t->top) * v->line + (pixel - t->left) * v->pixel;
}

/* Floats from a tile's first output row to another in the view, and from a patch's first tap to another. */
static inline size_t stoa_implicit_row(const struct stoa_implicit_view *v, size_t row) {
    return row / v->rows * v->image + row % v->rows * v->down.stride * v->line;
}

static inline size_t stoa_implicit_tap(const struct stoa_implicit_view *v, size_t line, size_t column) {
    return line * v->down.dilation * v->line + column * v->across.dilation * v->pixel;
}

/* All outputs of a forward pass; of backward data by a stride those that see the same taps. */
struct stoa_implicit_phase {
    const struct stoa_implicit_axis *down, *across;
    size_t terms, begin; /* numbers of a patch; of those of the phases before */
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
    bool packs;   /* rows of the weight, or of its gradient, are `stride` long in a copy */
    /* Forward passes and backward data. */
    bool by_taps, inside; /* leaves the padding out in one of the ways that implicit_tile.c has */
    bool far;             /* the weight is prepared in panels */
    bool fetches_results;
    size_t most_terms; /* that a product takes at once */
    /* Weight gradients. */
    struct stoa_partials sums; /* with rows of `stride`; `filters` are the bias's */
    size_t parts, ranges;      /* of channels, of columns */
    bool whole_lines;          /* a line of a patch is one run */
    size_t last_rows;          /* of dy, behind which a whole vector cannot be read: so many are copied */
    size_t copied;             /* floats of that copy */
};

/* A run. Offsets, from the first: of the terms of products in the view, and of the runs of their rows there
 * and in the result. */
struct stoa_implicit_pass {
    const stoa_context *context;
    const struct stoa_conv_plan *plan;
    const struct stoa_conv_run *run;
    struct stoa_implicit_cut cut; /* the plan's, of the run's batch */
    const float *x;               /* what the view is of */
    const float *weight;          /* the run's, or in panels of STOA_GEMM_PANEL columns, phase by phase */
    float *y;
    float *start;  /* of the sums: the bias, once a pixel of a group; or NULL */
    float *packed; /* the copy of the weight or of its gradient */
    float *sums;   /* of blocks of a weight gradient */
    size_t *term, *row, *result;
    float *scratch; /* of all threads, thread_step apart: a view and copied rows each */
    size_t thread_step;
};

/* Task `tile` of stoa_implicit_tiles(): a tile of a forward pass or of backward data. */
void stoa_implicit_multiply(void *argument, size_t task, size_t thread);

/* Pairs of a tap and an output along one side; where the padding is left out those inside the image. */
double stoa_implicit_pairs(const struct stoa_implicit_side *side, bool by_taps);

#endif
