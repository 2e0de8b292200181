/* SPDX-License-Identifier: MIT */
/* What the passes of the implicit algorithm share: how they cut a batch into tiles, and where what the
 * product kernel reads of one lies. */
#ifndef STOA_CONV_IMPLICIT_H
#define STOA_CONV_IMPLICIT_H

#include "conv/conv.h"

/* Columns of a product that are done with at once: as many vectors as the widest block has. */
enum { STOA_IMPLICIT_PANEL = 64 };

/* Follows from the shape, the instruction set and the workspace limit. The view of a tile is the image under
 * it: where it lies, or a copy with its padding and, if wanted, a part of its channels only. */
struct stoa_implicit {
    struct stoa_conv conv; /* what is computed as a forward pass, or whose weights' gradient */
    size_t group;          /* pixels side by side in a row of the product */
    size_t columns;        /* of the product */
    size_t rows, images;   /* a tile: output rows of one image, or whole images */
    bool pads;             /* the view is a copy */
    size_t channels;       /* of a pixel of the view */
    size_t line, image;    /* floats between lines and images of the view */
    size_t view_floats;    /* of the copy */
};

struct stoa_implicit_tile {
    size_t image, images, row, rows;
};

/* Pixels a row of the product: more than one where filters would leave many lanes of a vector empty. Then a
 * row's patch is as much wider, and the weight is banded: a number beyond a pixel's own window meets zeros,
 * so that a NaN also reaches the other pixels of its group. */
size_t stoa_implicit_group(const stoa_context *context, const struct stoa_conv *conv);

/* The part of the multiplications that counts. */
double stoa_implicit_useful(const stoa_context *context, const struct stoa_conv *conv, size_t group);

/* A column of so few terms takes less time than its results take to their place. */
enum { STOA_IMPLICIT_FEW_TERMS = 63 };

/* Pixels that a tile should have, for a forward pass or for a gradient. */
size_t stoa_implicit_tile_pixels(const struct stoa_conv *conv, bool gradient);

/* Tiles of `conv` whose copies have `channels` channels, at least `least` of them in a large batch, of about
 * `most` pixels. */
struct stoa_implicit stoa_implicit_cut(const stoa_context *context, const struct stoa_conv *conv,
                                       size_t group, size_t channels, size_t least, size_t most);

size_t stoa_implicit_tiles(const struct stoa_implicit *l);
struct stoa_implicit_tile stoa_implicit_tile_at(const struct stoa_implicit *l, size_t number);

/* Output pixels before a tile; rows of the product in the largest tile, and in one. */
size_t stoa_implicit_first_pixel(const struct stoa_implicit *l, const struct stoa_implicit_tile *t);
size_t stoa_implicit_most_groups(const struct stoa_implicit *l);
size_t stoa_implicit_groups(const struct stoa_implicit *l, const struct stoa_implicit_tile *t);

/* The view of a tile, of channels `first` on where it is a copy. */
const float *stoa_implicit_view(const struct stoa_implicit *l, const struct stoa_kernels *kernels,
                                const float *x, const struct stoa_implicit_tile *t, size_t first,
                                float *copy);

/* The images x under tile `number`, line by line of cache, to be fetched by a product of `terms` terms;
 * nothing behind the last tile. */
struct stoa_fetch stoa_implicit_fetch(const struct stoa_implicit *l, const float *x, size_t number,
                                      size_t terms);

/* Where an output row of a tile, and the group of pixels beside another, begin in the view. */
size_t stoa_implicit_row(const struct stoa_implicit *l, size_t row);
size_t stoa_implicit_step(const struct stoa_implicit *l);

/* Room for so many offsets. */
static inline size_t stoa_implicit_offsets(size_t count) {
    return stoa_round_up(count, STOA_ALIGN_BYTES / sizeof(size_t));
}

/* backward_weights() of the algorithm, what it takes, and how it is cut. */
bool stoa_implicit_weights_applicable(const stoa_context *context, const struct stoa_conv *conv);
bool stoa_implicit_weights_workspace(const stoa_context *context, const struct stoa_conv *conv,
                                     size_t *bytes);
double stoa_implicit_weights_cost(const stoa_context *context, const struct stoa_conv *conv);
void stoa_implicit_weights(const stoa_context *context, const struct stoa_conv *conv, const float *x,
                           const float *dy, float *dweight, float *dbias, void *scratch);
void stoa_implicit_weights_describe(const stoa_context *context, const struct stoa_conv *conv, char *out,
                                    size_t size);

/* Phases of a pass at most. */
enum { STOA_IMPLICIT_PHASES = 16 };

/* Outputs that lie a stride apart and see the same taps: all of a forward pass. Taps are numbered as they lie
 * in the view: a turned kernel's last comes first. */
struct stoa_implicit_phase {
    size_t row, column;   /* of its first output */
    size_t rows, columns; /* outputs of an image */
    size_t top, left;     /* where the first output's patch begins: lines and pixels of the padded image */
    size_t down, across;  /* taps of a patch; `across` counts those of all pixels of a group */
    size_t tap_row, tap_column; /* backward data: of the kernel, the first tap of the phase */
    size_t terms, begin;        /* numbers of a patch; of those of the phases before */
};

/* How a pass is cut. */
struct stoa_implicit_plan {
    struct stoa_implicit layout;
    size_t stride_height, stride_width; /* between the outputs of a phase */
    size_t dilation_height, dilation_width;
    size_t out_height, out_width; /* of the whole result */
    size_t terms, phases;
    bool inside;  /* leaves the padding out: see implicit_inside.c */
    bool by_taps; /* too, with a product a tap */
    bool packs;   /* the weight, in panels of STOA_IMPLICIT_PANEL columns */
    bool turned;  /* the weight is [KH KW C][K] of the other direction: backward data */
    size_t kernel_width;
    size_t stride; /* its padded rows, where it is */
    struct stoa_implicit_phase phase[STOA_IMPLICIT_PHASES];
};

/* Forward, or backward data of a stride with at most so many phases. */
struct stoa_implicit_plan stoa_implicit_plan_of(const stoa_context *context, const struct stoa_conv *conv,
                                                enum stoa_conv_pass pass);

/* The weight in rows of the plan's stride, phase by phase and panel by panel; nothing where the plan does not
 * pack. */
void stoa_implicit_pack(const stoa_context *context, const struct stoa_implicit_plan *plan,
                        const float *weight, float *packed);

/* Outputs of one axis for which something lies inside the image. */
struct stoa_implicit_span {
    size_t first, count;
};

/* Of outputs [begin, end), those for which tap (i, j) of a phase lies inside. */
struct stoa_implicit_span stoa_implicit_rows_inside(const struct stoa_implicit_plan *p,
                                                    const struct stoa_implicit_phase *f, size_t i,
                                                    size_t begin, size_t end);
struct stoa_implicit_span stoa_implicit_columns_inside(const struct stoa_implicit_plan *p,
                                                       const struct stoa_implicit_phase *f, size_t j);

/* See implicit_inside.c. Whether a forward pass of this layout reads images where they lie, and the layout
 * for that. */
bool stoa_implicit_is_inside(const struct stoa_implicit *l);
void stoa_implicit_read_inside(struct stoa_implicit *l);

/* Operands of a forward pass; the weight as it comes, `start` the bias or NULL. Offsets of a patch's numbers,
 * and of a tile's output rows in x and in y. */
struct stoa_implicit_product {
    const float *x, *weight, *start;
    float *y;
    const size_t *term, *row, *result;
};

/* One tile, while lines of `next` (STOA_FETCHES of them) are fetched. */
void stoa_implicit_multiply_inside(const struct stoa_implicit *l, const struct stoa_kernels *kernels,
                                   const struct stoa_implicit_product *p, const struct stoa_implicit_tile *t,
                                   const struct stoa_fetch *next);

#endif
