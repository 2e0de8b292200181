/* SPDX-License-Identifier: MIT */
/* Shape rule of sliding windows. */
#include "ops/window.h"

#include <stdio.h>

#include "base/size.h"

size_t stoa_axis_output(size_t size, size_t padding, size_t kernel, size_t stride, size_t dilation) {
    size_t span = dilation * (kernel - 1) + 1;
    return size + padding < span ? 0 : (size + padding - span) / stride + 1;
}

void stoa_cut_padding(enum stoa_padding_kind kind, size_t total, size_t *front, size_t *back) {
    size_t half = total / 2;
    *front = kind == STOA_PAD_SAME_LOWER ? total - half : half;
    *back = total - *front;
}

/* One axis of a window: its options, and what follows from them. */
struct axis {
    size_t size, kernel, stride, dilation;
    size_t front, back; /* padding */
    size_t output;      /* 0: the window does not fit */
};

/* With ceil_mode a last window may hang over the padding's end, if it begins before the padding at the end
 * does (PyTorch's rule, and ONNX's). */
static void find_output(struct axis *a, enum stoa_padding_kind kind, bool ceil_mode) {
    size_t span = a->dilation * (a->kernel - 1) + 1;
    if (kind != STOA_PAD_GIVEN) {
        a->output = stoa_ceil_div(a->size, a->stride);
        size_t covered = (a->output - 1) * a->stride + span;
        stoa_cut_padding(kind, covered > a->size ? covered - a->size : 0, &a->front, &a->back);
        return;
    }
    size_t more = ceil_mode ? a->stride - 1 : 0;
    a->output = stoa_axis_output(a->size, a->front + a->back + more, a->kernel, a->stride, a->dilation);
    if (ceil_mode && a->output > 1 && (a->output - 1) * a->stride >= a->size + a->front) {
        a->output--;
    }
}

static struct axis vertical(const struct stoa_window_options *o, const struct stoa_shape *input) {
    struct axis a = {.size = input->dim[0],
                     .kernel = o->kernel.height,
                     .stride = o->stride.height,
                     .dilation = o->dilation.height,
                     .front = o->pad.top,
                     .back = o->pad.bottom};
    find_output(&a, o->pad.kind, o->ceil_mode);
    return a;
}

static struct axis horizontal(const struct stoa_window_options *o, const struct stoa_shape *input) {
    struct axis a = {.size = input->dim[1],
                     .kernel = o->kernel.width,
                     .stride = o->stride.width,
                     .dilation = o->dilation.width,
                     .front = o->pad.left,
                     .back = o->pad.right};
    find_output(&a, o->pad.kind, o->ceil_mode);
    return a;
}

const char *stoa_padding_text(const struct stoa_padding *pad, char out[STOA_PADDING_TEXT]) {
    if (pad->top == pad->bottom && pad->left == pad->right) {
        (void)snprintf(out, STOA_PADDING_TEXT, "%zux%zu", pad->top, pad->left);
    } else {
        (void)snprintf(out, STOA_PADDING_TEXT, "%zu,%zu,%zu,%zu", pad->top, pad->left, pad->bottom,
                       pad->right);
    }
    return out;
}

stoa_status stoa_window_output(struct stoa_error *error, const struct stoa_window_options *options,
                               const struct stoa_shape *input, size_t channels, struct stoa_shape *output) {
    size_t height = vertical(options, input).output;
    size_t width = horizontal(options, input).output;
    if (height == 0 || width == 0) {
        char pad[STOA_PADDING_TEXT];
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "kernel %zux%zu with dilation %zux%zu does not fit input %zux%zu with pad %s",
                              options->kernel.height, options->kernel.width, options->dilation.height,
                              options->dilation.width, input->dim[0], input->dim[1],
                              stoa_padding_text(&options->pad, pad));
    }
    *output = (struct stoa_shape){.rank = 3, .dim = {height, width, channels}};
    return STOA_OK;
}

struct stoa_window stoa_window_of(const struct stoa_window_options *options, const struct stoa_shape *input,
                                  const struct stoa_shape *output) {
    const struct axis v = vertical(options, input);
    const struct axis h = horizontal(options, input);
    return (struct stoa_window){
        .height = v.size,
        .width = h.size,
        .channels = input->dim[2],
        .kernel_height = v.kernel,
        .kernel_width = h.kernel,
        .stride_height = v.stride,
        .stride_width = h.stride,
        .dilation_height = v.dilation,
        .dilation_width = h.dilation,
        .pad_top = v.front,
        .pad_left = h.front,
        .pad_bottom = v.back,
        .pad_right = h.back,
        .out_height = output->dim[0],
        .out_width = output->dim[1],
    };
}
