/* SPDX-License-Identifier: MIT */
/* Windows of convolutions and pools, as their attributes say. */
#ifndef STOA_ONNX_WINDOWS_H
#define STOA_ONNX_WINDOWS_H

#include "onnx/import.h"

/* One dimension becomes two: a sequence is an image of height 1. */
struct stoa_onnx_window {
    size_t spatial;
    size_t kernel[2], stride[2], dilation[2];
    size_t front[2], back[2]; /* padding */
    bool ceil;
};

/* Read a window over the image `value`, whose spatial axes come last. `kernel` of `spatial` sizes is given
 * for what the attribute may leave out, or NULL. */
stoa_status stoa_onnx_window_read(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                  const struct stoa_onnx_value *value, const size_t *kernel,
                                  struct stoa_onnx_window *window);
/* Spatial sizes of the output; false where the window does not fit. */
bool stoa_onnx_window_output(const struct stoa_onnx_window *window, const size_t in[2], size_t out[2]);
/* " pad=1x1", or all four sides where they differ; "" without padding. */
enum { STOA_ONNX_PAD_TEXT = 96 };
void stoa_onnx_pad_text(const struct stoa_onnx_window *window, char text[STOA_ONNX_PAD_TEXT]);
/* The layout of an image with other channels and other spatial sizes. */
void stoa_onnx_window_layout(const struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                             size_t channels, const size_t out[2], struct stoa_onnx_layout *layout);
/* Spatial sizes of an image: height 1 where it has one axis only. */
void stoa_onnx_spatial(const struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                       size_t in[2]);

#endif
