/* SPDX-License-Identifier: MIT */
/* How the implicit algorithm cuts a batch into tiles, and the view of one: the image under it, where it lies
 * or a copy with its padding. */
#ifndef STOA_CONV_IMPLICIT_VIEW_H
#define STOA_CONV_IMPLICIT_VIEW_H

#include "conv/conv.h"
#include "kernels/kernels.h"

struct stoa_implicit_view {
    struct stoa_conv conv; /* what is computed as a forward pass, or whose weights' gradient */
    /* Pixels side by side in a row of the product: more than one where filters would leave many lanes of a
     * vector empty. Then a row's patch is as much wider, and the weight is banded: a number beyond a pixel's
     * own window meets zeros, so that a NaN also reaches the other pixels of its group. */
    size_t group;
    size_t columns;            /* of the product */
    size_t rows, images;       /* a tile: output rows of one image, or whole images */
    size_t groups;             /* rows of the product in the largest tile */
    bool pads;                 /* the view is a copy, perhaps of a part of the channels */
    size_t pixel, line, image; /* floats from one to the next */
    size_t step;               /* from group to group */
    size_t floats;             /* of the copy */
};

struct stoa_implicit_tile {
    size_t image, images, row, rows;
    size_t first, groups; /* output pixels before it; rows of the product */
};

/* Pixels that are worth being a row of the product. */
size_t stoa_implicit_group(const stoa_context *context, const struct stoa_conv *conv);

/* Tiles of `conv` whose copies have `channels` channels: of about `pixels` pixels (0: what suits gradients),
 * and at least `least` of a large batch. */
struct stoa_implicit_view stoa_implicit_view_of(const stoa_context *context, const struct stoa_conv *conv,
                                                size_t group, size_t channels, size_t least, size_t pixels);

/* The view becomes the image where it lies. */
void stoa_implicit_view_in_place(struct stoa_implicit_view *view);

size_t stoa_implicit_tiles(const struct stoa_implicit_view *view);
struct stoa_implicit_tile stoa_implicit_tile_at(const struct stoa_implicit_view *view, size_t number);

/* Where the view of a tile begins, of channels `first` on. A copy is written to `copy`. */
const float *stoa_implicit_look(const struct stoa_implicit_view *view, const struct stoa_kernels *kernels,
                                const float *x, const struct stoa_implicit_tile *tile, size_t first,
                                float *copy);

/* The images x under tile `number`, line by line of cache, to be fetched by a product of `terms` terms;
 * nothing behind the last tile. */
struct stoa_fetch stoa_implicit_fetch(const struct stoa_implicit_view *view, const float *x, size_t number,
                                      size_t terms);

/* Where an output row of a tile begins in the view. */
static inline size_t stoa_implicit_row(const struct stoa_implicit_view *v, size_t row) {
    return row / v->rows * v->image + row % v->rows * v->conv.window.stride_height * v->line;
}

#endif
