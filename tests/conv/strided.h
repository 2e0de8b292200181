/* SPDX-License-Identifier: MIT */
/* A convolution with a square kernel, for the tests of algorithms. */
#ifndef TESTS_CONV_STRIDED_H
#define TESTS_CONV_STRIDED_H

#include "conv/conv.h"

/* kernel x kernel; `more` rows and columns of padding at the far side than at the near one. */
static inline struct stoa_conv strided(size_t kernel, size_t stride, size_t batch, size_t channels,
                                       size_t height, size_t width, size_t filters, size_t pad, size_t more) {
    return (struct stoa_conv){.window = {.height = height,
                                         .width = width,
                                         .channels = channels,
                                         .kernel_height = kernel,
                                         .kernel_width = kernel,
                                         .stride_height = stride,
                                         .stride_width = stride,
                                         .dilation_height = 1,
                                         .dilation_width = 1,
                                         .pad_top = pad,
                                         .pad_left = pad,
                                         .out_height = (height + 2 * pad + more - kernel) / stride + 1,
                                         .out_width = (width + 2 * pad + more - kernel) / stride + 1},
                              .batch = batch,
                              .filters = filters,
                              .groups = 1};
}

#endif
