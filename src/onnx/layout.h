/* SPDX-License-Identifier: MIT */
/* Where the numbers of a sample lie, while ONNX's axes are moved about.
 *
 * ONNX's axes are row-major and images C, H, W; here images lie H, W, C. Memory is taken for a row of atoms,
 * outermost first, and each of ONNX's axes for a row of them: an axis of size 1 has none, one behind a
 * Flatten has several. Transpose, Reshape, Squeeze and Flatten then only say anew which atoms an axis has,
 * and no number moves until an operator asks for another order in memory. */
#ifndef STOA_ONNX_LAYOUT_H
#define STOA_ONNX_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

enum { STOA_ONNX_AXES = 8, STOA_ONNX_ATOMS = 16 };

struct stoa_onnx_layout {
    size_t rank, dim[STOA_ONNX_AXES];    /* of a sample, as ONNX has it */
    size_t atoms, size[STOA_ONNX_ATOMS]; /* in memory */
    size_t parts[STOA_ONNX_AXES];        /* atoms of an axis */
    size_t at[STOA_ONNX_ATOMS];          /* the atoms of all axes, one axis behind the other */
};

/* Axes of these sizes in memory in this order, outermost first; NULL: as they stand. */
void stoa_onnx_layout_make(struct stoa_onnx_layout *layout, size_t rank, const size_t *dim,
                           const size_t *order);
/* Axis i is what axis order[i] was. */
void stoa_onnx_layout_transpose(struct stoa_onnx_layout *layout, const size_t *order);
/* Other axes over the same numbers; dim multiplies out to as many. False when an atom would have to be cut
 * where it cannot be; the layout is as it was. Never for numbers that lie as ONNX has them. */
bool stoa_onnx_layout_reshape(struct stoa_onnx_layout *layout, size_t rank, const size_t *dim);
/* Whether memory has the axes in this order (NULL: as they stand). */
bool stoa_onnx_layout_is(const struct stoa_onnx_layout *layout, const size_t *order);
/* Whether two values of the same axes lie alike. */
bool stoa_onnx_layout_same(const struct stoa_onnx_layout *a, const struct stoa_onnx_layout *b);
/* The moves that bring memory into this order: blocks of memory as they lie, and which of them comes when.
 * Returns their number; 1 or 0: nothing moves. */
size_t stoa_onnx_layout_moves(const struct stoa_onnx_layout *layout, const size_t *order,
                              size_t size[STOA_ONNX_ATOMS], size_t next[STOA_ONNX_ATOMS]);
/* Numbers of a sample. */
size_t stoa_onnx_layout_count(const struct stoa_onnx_layout *layout);
/* The order of axes in memory, outermost first, axes of one number last; false when an axis lies in several
 * places or not in its own order. */
bool stoa_onnx_layout_order(const struct stoa_onnx_layout *layout, size_t order[STOA_ONNX_AXES]);

#endif
