/* SPDX-License-Identifier: MIT */
/* What max and average pooling share. */
#include "ops/pool.h"

#include "base/size.h"

/* Whether no tap of a window at output `at` reads one of `size` pixels, with `front` of padding before them:
 * all lie before or behind, or they step over them. */
static bool is_outside(size_t at, size_t size, size_t front, size_t kernel, size_t stride, size_t dilation) {
    size_t base = at * stride;
    size_t first = base < front ? stoa_ceil_div(front - base, dilation) : 0; /* tap that is not before */
    return first >= kernel || base + first * dilation >= front + size;
}

/* Whether a window lies in the padding alone. One that begins in the image does not. */
static bool has_outside(size_t size, size_t front, size_t kernel, size_t stride, size_t dilation,
                        size_t outputs) {
    bool outside = is_outside(outputs - 1, size, front, kernel, stride, dilation);
    for (size_t at = 0; !outside && at < outputs && at * stride < front; at++) {
        outside = is_outside(at, size, front, kernel, stride, dilation);
    }
    return outside;
}

stoa_status stoa_pool_infer(struct stoa_error *error, struct stoa_layer *layer) {
    struct stoa_window_options *w = &((struct stoa_pool_options *)layer->options)->window;
    if (w->stride.height == 0) {
        w->stride = w->kernel;
    }
    stoa_status status = stoa_expect_image(error, layer);
    if (status != STOA_OK) {
        return status;
    }
    status = stoa_window_output(error, w, &layer->input[0], layer->input[0].dim[2], &layer->output);
    if (status != STOA_OK) {
        return status;
    }
    const struct stoa_window v = stoa_pool_window(layer);
    if (has_outside(v.height, v.pad_top, v.kernel_height, v.stride_height, v.dilation_height, v.out_height) ||
        has_outside(v.width, v.pad_left, v.kernel_width, v.stride_width, v.dilation_width, v.out_width)) {
        char pad[STOA_PADDING_TEXT];
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "pad %s leaves a window %zux%zu with dilation %zux%zu in the padding alone",
                              stoa_padding_text(&w->pad, pad), w->kernel.height, w->kernel.width,
                              w->dilation.height, w->dilation.width);
    }
    return STOA_OK;
}

struct stoa_window stoa_pool_window(const struct stoa_layer *layer) {
    const struct stoa_pool_options *o = layer->options;
    return stoa_window_of(&o->window, &layer->input[0], &layer->output);
}
