/* SPDX-License-Identifier: MIT */
/* Operands of convolutions as they lie in their owners' arrays, for tests: spread from dense ones, and
 * collected again with a look at what lies between. */
#ifndef STOA_TESTS_CONV_LYING_H
#define STOA_TESTS_CONV_LYING_H

#include "base/size.h"
#include "conv/conv.h"
#include "tests/ops/harness.h"

enum operand { X, Y, WEIGHT, BIAS };

/* Where an operand of a run has the number that the dense one has at `i`. */
static size_t place(const struct stoa_conv *conv, enum operand which, size_t i) {
    const struct stoa_window *w = &conv->window;
    if (which == BIAS) {
        return i;
    }
    if (which == WEIGHT) {
        size_t channels = stoa_conv_group_channels(conv);
        size_t taps = w->kernel_height * w->kernel_width;
        size_t row = i / conv->filters;
        return conv->oihw ? (i % conv->filters * channels + row % channels) * taps + row / channels : i;
    }
    size_t numbers = which == X ? w->channels : conv->filters;
    size_t pixels = which == X ? w->height * w->width : w->out_height * w->out_width;
    size_t distance = which == X ? conv->x_pixel : conv->y_pixel;
    size_t pixel = i / numbers;
    return (which == X ? conv->x_planar : conv->y_planar)
               ? (pixel / pixels * numbers + i % numbers) * pixels + pixel % pixels
               : pixel * stoa_max(distance, numbers) + i % numbers;
}

/* Floats up to an operand's last number. */
static size_t extent(const struct stoa_conv *conv, enum operand which, size_t count) {
    return count > 0 ? stoa_max(count, place(conv, which, count - 1) + 1) : 0;
}

/* An input as it lies, NaN between its numbers. */
static float *spread(const struct stoa_conv *conv, enum operand which, const float *dense, size_t count) {
    float *to = guarded_new(extent(conv, which, count) * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        to[place(conv, which, i)] = dense[i];
    }
    return to;
}

static const float BETWEEN = 1234.5F;

/* An output before a run: `start` where its numbers go, and between them what stays. */
static float *blank(const struct stoa_conv *conv, enum operand which, size_t count, float start) {
    size_t floats = extent(conv, which, count);
    float *out = guarded_new(floats * sizeof(float));
    for (size_t i = 0; i < floats; i++) {
        out[i] = BETWEEN;
    }
    for (size_t i = 0; i < count; i++) {
        out[place(conv, which, i)] = start;
    }
    return out;
}

/* The output's numbers, dense, of which those between are checked. */
static float *collect(const struct stoa_conv *conv, enum operand which, size_t count, float *out,
                      const char *what) {
    float *dense = guarded_new(count * sizeof(float));
    size_t floats = extent(conv, which, count);
    guarded_check(out, what);
    for (size_t i = 0; i < count; i++) {
        size_t at = place(conv, which, i);
        dense[i] = out[at];
        out[at] = BETWEEN;
    }
    for (size_t i = 0; i < floats; i++) {
        if (out[i] != BETWEEN) {
            fail_msg("%s\nwrote %g between the numbers, at %zu", what, (double)out[i], i);
        }
    }
    guarded_free(out);
    return dense;
}

#endif
