/* SPDX-License-Identifier: MIT */
/* A sliding window over one NHWC image: the geometry that convolution and pooling share. */
#ifndef STOA_KERNELS_WINDOW_H
#define STOA_KERNELS_WINDOW_H

#include <stddef.h>

/* Output pixel (oh, ow) reads input pixels
 *   ih = oh * stride_height + kh * dilation_height - pad_top,  kh < kernel_height
 *   iw = ow * stride_width  + kw * dilation_width  - pad_left, kw < kernel_width
 * where those outside the image count as padding. All sizes are >= 1, paddings >= 0. How far windows reach
 * follows from the outputs; pad_bottom and pad_right are read by average pooling alone, where the padding
 * counts and windows may hang over its end. im2col and col2im also take a part of every output row, out_width
 * pixels from out_left on; elsewhere that is 0. `channels` is the number of floats between neighbouring input
 * pixels. */
struct stoa_window {
    size_t height, width, channels;
    size_t kernel_height, kernel_width;
    size_t stride_height, stride_width;
    size_t dilation_height, dilation_width;
    size_t pad_top, pad_left, pad_bottom, pad_right;
    size_t out_height, out_width;
    size_t out_left;
};

#endif
