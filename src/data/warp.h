/* SPDX-License-Identifier: MIT */
/* Images resampled: where each pixel's value is taken from is an affine map, and a field of displacements on
 * top. */
#ifndef STOA_DATA_WARP_H
#define STOA_DATA_WARP_H

#include "data/augment.h"

/* The pixel at (y, x) takes the value at
 *     cy + yy (y - cy) + yx (x - cx) + dy,    cx + xy (y - cy) + xx (x - cx) + dx
 * where (cy, cx) is the middle of the image. */
struct stoa_affine {
    float yy, yx, dy;
    float xy, xx, dx;
};

/* Of content that is first mirrored (`flip`), then scaled, slanted to the right by `shear`, turned against
 * the clock by `rotate` (both in radians) and moved by (down, right) pixels. */
struct stoa_placement {
    float down, right, rotate, scale, shear;
    bool flip;
};
struct stoa_affine stoa_affine_make(const struct stoa_placement *placement);

/* Displacements at the nodes of a grid, `step` pixels apart, between which cubic B-splines run; the first
 * node lies `step` before the first pixel, so that each pixel has two nodes on either side. */
struct stoa_field {
    size_t step, rows, columns;
    float *down, *right; /* rows x columns each */
    float *row;          /* scratch: 2 x columns */
};

/* Nodes along `pixels` pixels. */
size_t stoa_field_nodes(size_t pixels, size_t step);

/* Resample `from` into `to`, bilinearly; beyond the edges there is `fill`. `field` may be NULL. */
void stoa_warp(const struct stoa_augment_shape *shape, const struct stoa_affine *map,
               const struct stoa_field *field, const float *fill, const float *from, float *to);

#endif
