/* SPDX-License-Identifier: MIT */
/* Shapes of one sample: H, W, C or a vector of features. The batch is not part of it. */
#ifndef STOA_CORE_SHAPE_H
#define STOA_CORE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stoa/model.h>

struct stoa_shape {
    size_t rank; /* 3: H, W, C; 1: features */
    size_t dim[STOA_MAX_RANK];
    /* Features that are a flattened image, in H, W, C order in memory: its H, W, C; else zeros. On disk
     * PyTorch's order C, H, W stands, so that a linear layer behind a flatten knows how to permute its
     * weights. */
    size_t flattened[3];
    /* Features that are the channels of an image of one pixel, a model's 1x1xC: an operator on images takes
     * them as such. */
    bool is_pixel;
};

/* Elements; sizes are checked when a shape is inferred, so this cannot overflow. */
static inline size_t stoa_shape_size(const struct stoa_shape *shape) {
    size_t size = 1;
    for (size_t i = 0; i < shape->rank; i++) {
        size *= shape->dim[i];
    }
    return size;
}

static inline bool stoa_shape_equal(const struct stoa_shape *a, const struct stoa_shape *b) {
    for (size_t i = 0; i < a->rank && i < b->rank; i++) {
        if (a->dim[i] != b->dim[i]) {
            return false;
        }
    }
    return a->rank == b->rank;
}

/* "28x28x1" or "120" into `out`; returns `out`. */
enum { STOA_SHAPE_TEXT = 96 };
const char *stoa_shape_text(const struct stoa_shape *shape, char out[STOA_SHAPE_TEXT]);

#endif
