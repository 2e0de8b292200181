/* SPDX-License-Identifier: MIT */
/* Forward passes and backward data of the implicit algorithm: how they are cut, and one tile of them. */
#ifndef STOA_CONV_IMPLICIT_TILE_H
#define STOA_CONV_IMPLICIT_TILE_H

#include "conv/implicit_view.h"

/* A column of so few terms takes less time than its results take to their place. */
enum { STOA_IMPLICIT_FEW_TERMS = 63 };

/* Phases of a pass at most. */
enum { STOA_IMPLICIT_PHASES = 16 };

/* One side of images, lines or pixels of a line. */
struct stoa_implicit_side {
    size_t size, pad;        /* of what is read, and before it */
    size_t stride, dilation; /* in it, from output to output and from tap to tap */
    size_t out, step;        /* size of the result, and in it from output to output of a phase */
};

/* Outputs that lie a step apart and see the same taps, along one side. Taps are numbered as they lie in the
 * view: a turned kernel's last comes first. */
struct stoa_implicit_axis {
    size_t at, outputs; /* the first one in the result, and how many */
    size_t begin;       /* of its patch, counted from the padding's beginning */
    size_t taps;        /* of a patch; along lines those of all pixels of a group */
    size_t first;       /* backward data: of the kernel's taps, the first of the phase */
};

/* All outputs of a forward pass; of backward data by a stride those that see the same taps. */
struct stoa_implicit_phase {
    struct stoa_implicit_axis down, across;
    size_t terms, begin; /* numbers of a patch; of those of the phases before */
};

struct stoa_implicit_cut {
    struct stoa_implicit_view view;
    struct stoa_implicit_side down, across;
    bool by_taps, inside; /* leaves the padding out in one of the ways that implicit_tile.c has */
    bool packs, far;      /* the weight in panels: always, and where it is prepared */
    bool turned;          /* the weight is [KH KW C][K] of the other direction: backward data */
    bool fetches_results;
    size_t kernel_width, y_pixel;
    size_t stride;     /* of the packed weight's rows, all panels of them */
    size_t most_terms; /* that a product takes at once */
    size_t terms, phases;
    struct stoa_implicit_phase phase[STOA_IMPLICIT_PHASES];
};

/* What the tiles of a run share. */
struct stoa_implicit_pass {
    const stoa_context *context;
    struct stoa_implicit_cut cut; /* the plan's, of the run's batch */
    const float *x, *weight;
    float *y;
    bool panels; /* the weight lies in panels of STOA_GEMM_PANEL columns, phase by phase */
    bool relu;
    float *start;                /* of the sums: the bias, once a pixel of a group; or NULL */
    float *packed;               /* where the weight is packed */
    size_t *term, *row, *result; /* offsets: of patches' numbers and of a tile's rows in the view, and in y */
    float *views;                /* of all threads, view_step apart; where the view is a copy */
    size_t view_step;
};

/* Some outputs, or taps, along one side. */
struct stoa_implicit_span {
    size_t first, count;
};

/* Of an axis' outputs [begin, end) those for which a tap lies inside the image. */
struct stoa_implicit_span stoa_implicit_outputs_inside(const struct stoa_implicit_side *side,
                                                       const struct stoa_implicit_axis *axis, size_t tap,
                                                       size_t begin, size_t end);

/* Task `tile` of stoa_implicit_tiles(). */
void stoa_implicit_multiply(void *argument, size_t task, size_t thread);

#endif
