/* SPDX-License-Identifier: MIT */
/* Shapes as text. */
#include "core/shape.h"

#include <stdio.h>

const char *stoa_shape_text(const struct stoa_shape *shape, char out[STOA_SHAPE_TEXT]) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < shape->rank && used < STOA_SHAPE_TEXT; i++) {
        int written = snprintf(out + used, STOA_SHAPE_TEXT - used, i ? "x%zu" : "%zu", shape->dim[i]);
        used += written > 0 ? (size_t)written : 0;
    }
    return out;
}
