/* SPDX-License-Identifier: MIT */
/* Numbers moved between the engine's arrays and a caller's that lie otherwise, on all threads. */
#ifndef STOA_CORE_LAYOUT_H
#define STOA_CORE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/context.h"

/* A caller's array beside the engine's, which is [images][rows][columns] without gaps. */
struct stoa_foreign {
    size_t images, rows, columns;
    size_t pixel; /* floats from row to row of the caller's; what lies between is not touched */
    bool planar;  /* the caller's is [images][columns][rows] without gaps instead */
    /* Planar: more than 1 where the caller's rows are (channel, tap), the engine's (tap, channel). */
    size_t taps;
};

/* Copy the caller's array to the engine's. */
void stoa_layout_read(const stoa_context *context, const struct stoa_foreign *layout, const float *theirs,
                      float *ours);

/* Copy the engine's array to the caller's, or add it to what is there. */
void stoa_layout_write(const stoa_context *context, const struct stoa_foreign *layout, const float *ours,
                       bool adds, float *theirs);

#endif
