/* SPDX-License-Identifier: MIT */
/* Shape rule of sliding windows. */
#include "ops/window.h"

#include "base/size.h"

size_t stoa_axis_output(size_t size, size_t padding, size_t kernel, size_t stride, size_t dilation) {
    size_t span = dilation * (kernel - 1) + 1;
    return size + padding < span ? 0 : (size + padding - span) / stride + 1;
}

/* One axis: output size, and the padding in front; 0 when the window does not fit. */
static size_t axis_output(size_t size, size_t kernel, size_t stride, size_t dilation, bool same, size_t pad,
                          size_t *front) {
    if (same) {
        size_t output = stoa_ceil_div(size, stride);
        size_t covered = (output - 1) * stride + dilation * (kernel - 1) + 1;
        *front = covered > size ? (covered - size) / 2 : 0;
        return output;
    }
    *front = pad;
    return stoa_axis_output(size, 2 * pad, kernel, stride, dilation);
}

stoa_status stoa_window_output(struct stoa_error *error, const struct stoa_window_options *options,
                               const struct stoa_shape *input, size_t channels, struct stoa_shape *output) {
    size_t front;
    size_t height = axis_output(input->dim[0], options->kernel.height, options->stride.height,
                                options->dilation.height, options->pad.same, options->pad.height, &front);
    size_t width = axis_output(input->dim[1], options->kernel.width, options->stride.width,
                               options->dilation.width, options->pad.same, options->pad.width, &front);
    if (height == 0 || width == 0) {
        return stoa_error_set(
            error, STOA_ERR_SHAPE,
            "kernel %zux%zu with dilation %zux%zu does not fit input %zux%zu with pad %zux%zu",
            options->kernel.height, options->kernel.width, options->dilation.height, options->dilation.width,
            input->dim[0], input->dim[1], options->pad.height, options->pad.width);
    }
    *output = (struct stoa_shape){.rank = 3, .dim = {height, width, channels}};
    return STOA_OK;
}

struct stoa_window stoa_window_of(const struct stoa_window_options *options, const struct stoa_shape *input,
                                  const struct stoa_shape *output) {
    struct stoa_window w = {
        .height = input->dim[0],
        .width = input->dim[1],
        .channels = input->dim[2],
        .kernel_height = options->kernel.height,
        .kernel_width = options->kernel.width,
        .stride_height = options->stride.height,
        .stride_width = options->stride.width,
        .dilation_height = options->dilation.height,
        .dilation_width = options->dilation.width,
        .out_height = output->dim[0],
        .out_width = output->dim[1],
    };
    (void)axis_output(w.height, w.kernel_height, w.stride_height, w.dilation_height, options->pad.same,
                      options->pad.height, &w.pad_top);
    (void)axis_output(w.width, w.kernel_width, w.stride_width, w.dilation_width, options->pad.same,
                      options->pad.width, &w.pad_left);
    return w;
}
