/* SPDX-License-Identifier: MIT */
/* The pixels that a 1x1 kernel of a larger stride sees, gathered into a matrix and scattered back. */
#ifndef STOA_CONV_PIXELS_H
#define STOA_CONV_PIXELS_H

#include "conv/conv.h"

/* Floats from pixel to pixel of the matrix. */
static inline size_t stoa_pixels_stride(const struct stoa_conv *conv) {
    return stoa_conv_stride(conv->window.channels);
}

/* To `to` what output pixels [pixel, end) of the batch read of x. */
void stoa_pixels_gather(const struct stoa_conv *conv, const float *x, size_t pixel, size_t end, float *to);

/* Back to dx, with zeros for the pixels between them, up to the next output pixel's. */
void stoa_pixels_scatter(const struct stoa_conv *conv, const float *from, size_t pixel, size_t end,
                         float *dx);

#endif
