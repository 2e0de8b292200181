/* SPDX-License-Identifier: MIT */
/* Which taps of a window fall inside the image, along one axis. */
#ifndef STOA_KERNELS_SPAN_H
#define STOA_KERNELS_SPAN_H

#include <stddef.h>

/* Taps first <= k < end read pixels inside the image, the first of them pixel `start`. The range is empty
 * when first == end. */
struct stoa_span {
    size_t first, end, start;
};

static inline struct stoa_span stoa_span_of(size_t output, size_t stride, size_t pad, size_t kernel,
                                            size_t dilation, size_t size) {
    struct stoa_span s = {0, kernel, 0};
    size_t base = output * stride; /* tap k reads pixel base + k * dilation - pad */
    if (base < pad) {
        s.first = dilation == 1 ? pad - base : (pad - base + dilation - 1) / dilation;
    }
    if (base + (kernel - 1) * dilation >= size + pad) {
        size_t room = size + pad > base ? size + pad - base : 0;
        s.end = dilation == 1 ? room : (room + dilation - 1) / dilation;
    }
    if (s.first >= s.end) {
        s.first = s.end = 0;
        return s;
    }
    s.start = base + s.first * dilation - pad;
    return s;
}

/* The number of outputs from `output` on whose windows lie in the image from end to end, or 1. `span` is the
 * first one's; where it has all taps, those of the outputs behind begin `stride` pixels further on each. */
static inline size_t stoa_span_run(const struct stoa_span *span, size_t output, size_t outputs, size_t stride,
                                   size_t kernel, size_t dilation, size_t size) {
    if (span->end - span->first < kernel) {
        return 1;
    }
    size_t run = (size - 1 - span->start - (kernel - 1) * dilation) / stride + 1;
    return run < outputs - output ? run : outputs - output;
}

#endif
