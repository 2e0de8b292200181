/* SPDX-License-Identifier: MIT */
/* Kernel, stride, dilation and padding as ONNX says them, for one or two spatial axes. */
#include "onnx/windows.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"

void stoa_onnx_spatial(const struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                       size_t in[2]) {
    const size_t rank = value->layout.rank, first = 2 - import->lead;
    in[0] = rank - first == 2 ? value->layout.dim[rank - 2] : 1;
    in[1] = value->layout.dim[rank - 1];
}

/* `auto_pad` asks for as many outputs as inputs over the stride. */
static void pad_same(struct stoa_onnx_window *window, const size_t in[2], bool more_in_front) {
    for (size_t i = 0; i < 2; i++) {
        const size_t span = (stoa_ceil_div(in[i], window->stride[i]) - 1) * window->stride[i] +
                            window->dilation[i] * (window->kernel[i] - 1) + 1;
        const size_t both = span > in[i] ? span - in[i] : 0;
        window->front[i] = more_in_front ? both - both / 2 : both / 2;
        window->back[i] = both - window->front[i];
    }
}

static stoa_status read_padding(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                const size_t in[2], struct stoa_onnx_window *window) {
    size_t pads[4] = {0};
    const size_t n = window->spatial;
    if (stoa_onnx_says(node, "auto_pad", "SAME_UPPER") || stoa_onnx_says(node, "auto_pad", "SAME_LOWER")) {
        pad_same(window, in, stoa_onnx_says(node, "auto_pad", "SAME_LOWER"));
        return STOA_OK;
    }
    if (stoa_onnx_says(node, "auto_pad", "VALID")) {
        return STOA_OK;
    }
    stoa_status status = stoa_onnx_sizes(import, node, "pads", 0, 2 * n, pads);
    for (size_t i = 0; i < n; i++) {
        window->front[2 - n + i] = pads[i];
        window->back[2 - n + i] = pads[n + i];
    }
    return status;
}

stoa_status stoa_onnx_window_read(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                  const struct stoa_onnx_value *value, const size_t *kernel,
                                  struct stoa_onnx_window *window) {
    size_t channels = 0, in[2], sizes[3][2] = {{1, 1}, {1, 1}, {1, 1}};
    *window = (struct stoa_onnx_window){.ceil = stoa_onnx_int(node, "ceil_mode", 0) != 0};
    stoa_status status = stoa_onnx_channels(import, value, &channels, &window->spatial);
    if (status != STOA_OK) {
        return status;
    }
    if (window->spatial < 1 || window->spatial > 2) {
        return stoa_onnx_refuse(import, "works on %zu spatial axes, expected 1 or 2", window->spatial);
    }
    stoa_onnx_spatial(import, value, in);
    const size_t n = window->spatial;
    static const char *const names[] = {"kernel_shape", "strides", "dilations"};
    for (size_t i = 0; i < 3 && status == STOA_OK; i++) {
        status = stoa_onnx_sizes(import, node, names[i], 1, n, sizes[i] + 2 - n);
        for (size_t k = 2 - n; k < 2 && status == STOA_OK; k++) {
            status = sizes[i][k] > 0 ? STOA_OK
                                     : stoa_onnx_refuse(import, "%s: found 0, expected 1 or more", names[i]);
        }
    }
    if (status != STOA_OK) {
        return status;
    }
    if (!stoa_onnx_attribute(node, "kernel_shape") && !kernel) {
        return stoa_onnx_refuse(import, "has no kernel_shape");
    }
    for (size_t i = 0; i < n && kernel; i++) {
        if (stoa_onnx_attribute(node, "kernel_shape") && sizes[0][2 - n + i] != kernel[i]) {
            return stoa_onnx_refuse(import, "kernel_shape: found %zu, its weight has %zu",
                                    sizes[0][2 - n + i], kernel[i]);
        }
        sizes[0][2 - n + i] = kernel[i];
    }
    memcpy(window->kernel, sizes[0], sizeof window->kernel);
    memcpy(window->stride, sizes[1], sizeof window->stride);
    memcpy(window->dilation, sizes[2], sizeof window->dilation);
    return read_padding(import, node, in, window);
}

bool stoa_onnx_window_output(const struct stoa_onnx_window *window, const size_t in[2], size_t out[2]) {
    for (size_t i = 0; i < 2; i++) {
        const size_t span = window->dilation[i] * (window->kernel[i] - 1) + 1;
        const size_t padded = in[i] + window->front[i] + window->back[i];
        if (padded < span) {
            return false;
        }
        const size_t last = window->ceil ? stoa_ceil_div(padded - span, window->stride[i])
                                         : (padded - span) / window->stride[i];
        /* No window begins in the padding behind the image. */
        out[i] = last + 1 - (window->ceil && last * window->stride[i] >= in[i] + window->front[i]);
    }
    return true;
}

void stoa_onnx_pad_text(const struct stoa_onnx_window *window, char text[STOA_ONNX_PAD_TEXT]) {
    const size_t *front = window->front, *back = window->back;
    if (front[0] == back[0] && front[1] == back[1]) {
        (void)snprintf(text, STOA_ONNX_PAD_TEXT, " pad=%zux%zu", front[0], front[1]);
        text[front[0] + front[1] > 0 ? strlen(text) : 0] = '\0';
    } else {
        (void)snprintf(text, STOA_ONNX_PAD_TEXT, " pad=%zu,%zu,%zu,%zu", front[0], front[1], back[0],
                       back[1]);
    }
}

void stoa_onnx_window_layout(const struct stoa_onnx_import *import, const struct stoa_onnx_value *value,
                             size_t channels, const size_t out[2], struct stoa_onnx_layout *layout) {
    const size_t rank = value->layout.rank, first = 1 - import->lead, spatial = rank - first - 1;
    size_t dim[STOA_ONNX_AXES], order[STOA_ONNX_AXES];
    for (size_t i = 0; i < first; i++) {
        dim[i] = 1;
        order[i] = i;
    }
    dim[first] = channels;
    for (size_t i = 0; i < spatial; i++) {
        dim[first + 1 + i] = out[2 - spatial + i];
        order[first + i] = first + 1 + i;
    }
    order[rank - 1] = first;
    stoa_onnx_layout_make(layout, rank, dim, order);
}
