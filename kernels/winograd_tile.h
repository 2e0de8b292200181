/* SPDX-License-Identifier: MIT */
/* The points, and inputs, that a tile of Winograd's convolution has along its sides. */
#ifndef STOA_KERNELS_WINOGRAD_TILE_H
#define STOA_KERNELS_WINOGRAD_TILE_H

#include "kernels/winograd.h"

static inline size_t stoa_winograd_lines(const struct stoa_winograd_tile *t) {
    return t->height + t->taps - 1;
}

static inline size_t stoa_winograd_columns(const struct stoa_winograd_tile *t) {
    return t->width + t->taps - 1;
}

#endif
