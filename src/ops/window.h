/* SPDX-License-Identifier: MIT */
/* Options and shape rule of sliding windows, for convolution and pooling. */
#ifndef STOA_OPS_WINDOW_H
#define STOA_OPS_WINDOW_H

#include "core/options.h"
#include "core/shape.h"
#include "kernels/window.h"

struct stoa_window_options {
    struct stoa_pair kernel, stride, dilation;
    struct stoa_padding pad;
    bool ceil_mode; /* pooling only */
};

/* The lines of an option table for kernel, stride and padding. */
#define STOA_WINDOW_OPTION_TABLE(type, member, stride_default)                                               \
    {"kernel", STOA_OPTION_PAIR, offsetof(type, member.kernel), NULL, 1, 65535, NULL},                       \
        {"stride", STOA_OPTION_PAIR, offsetof(type, member.stride), stride_default, 1, 65535, NULL}, {       \
        "pad", STOA_OPTION_PADDING, offsetof(type, member.pad), "0", 0, 65535, NULL                          \
    }

/* One axis of the output; `padding` counts both sides. 0 when the kernel does not fit. Sizes are at most
 * STOA_MAX_DIMENSION, so nothing overflows. */
size_t stoa_axis_output(size_t size, size_t padding, size_t kernel, size_t stride, size_t dilation);

/* Cut `total` rows of padding into those in front and those behind, as pad=same or same_lower does. */
void stoa_cut_padding(enum stoa_padding_kind kind, size_t total, size_t *front, size_t *back);

/* Output shape; an error sentence when the kernel does not fit. */
stoa_status stoa_window_output(struct stoa_error *error, const struct stoa_window_options *options,
                               const struct stoa_shape *input, size_t channels, struct stoa_shape *output);

/* The window between two shapes that stoa_window_output() related. */
struct stoa_window stoa_window_of(const struct stoa_window_options *options, const struct stoa_shape *input,
                                  const struct stoa_shape *output);

/* "1x2", or "1,0,2,1" where the sides differ, into `out`; returns `out`. */
enum { STOA_PADDING_TEXT = 96 };
const char *stoa_padding_text(const struct stoa_padding *pad, char out[STOA_PADDING_TEXT]);

#endif
