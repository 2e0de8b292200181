/* SPDX-License-Identifier: MIT */
/* Conv and ConvTranspose: with one or two spatial axes, weights as the file has them. */
#include <stdio.h>
#include <string.h>

#include "onnx/windows.h"

/* What both read of their constants. */
struct parts {
    struct stoa_onnx_value *value;
    const struct stoa_onnx_tensor *weight, *bias;
    struct stoa_onnx_window window;
    size_t groups, in[2];
};

static stoa_status read_parts(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                              struct parts *parts) {
    const int64_t groups = stoa_onnx_int(node, "group", 1);
    stoa_status status = stoa_onnx_activation(import, node, 0, &parts->value);
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 1, &parts->weight);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_constant(import, node, 2, &parts->bias);
    }
    if (status != STOA_OK) {
        return status;
    }
    size_t channels = 0, spatial = 0;
    status = stoa_onnx_channels(import, parts->value, &channels, &spatial);
    if (status != STOA_OK) {
        return status;
    }
    if (!parts->weight || parts->weight->rank != spatial + 2 || parts->weight->count == 0) {
        return stoa_onnx_refuse(import, "has no weight of %zu dimensions", spatial + 2);
    }
    if (groups < 1 || groups > (int64_t)parts->weight->dim[0]) {
        return stoa_onnx_refuse(import, "group: found %lld, expected 1 to %zu", (long long)groups,
                                parts->weight->dim[0]);
    }
    parts->groups = (size_t)groups;
    status = stoa_onnx_window_read(import, node, parts->value, parts->weight->dim + 2, &parts->window);
    if (status == STOA_OK) {
        status = stoa_onnx_image(import, parts->value);
    }
    if (status == STOA_OK) {
        stoa_onnx_spatial(import, parts->value, parts->in);
    }
    return status;
}

static stoa_status set_tensors(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                               const struct parts *parts, size_t filters) {
    if (parts->bias && parts->bias->count != filters) {
        return stoa_onnx_refuse(import, "has %zu biases, expected %zu", parts->bias->count, filters);
    }
    stoa_status status =
        stoa_onnx_weights_set(import, node, "weight", stoa_onnx_floats(parts->weight), parts->weight->count);
    if (status == STOA_OK && parts->bias) {
        status = stoa_onnx_weights_set(import, node, "bias", stoa_onnx_floats(parts->bias), filters);
    }
    return status;
}

static stoa_status conv(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct parts parts;
    size_t out[2];
    char stem[64], pad[STOA_ONNX_PAD_TEXT];
    struct stoa_onnx_layout layout;
    stoa_status status = read_parts(import, node, &parts);
    if (status != STOA_OK) {
        return status;
    }
    const struct stoa_onnx_window *w = &parts.window;
    const size_t filters = parts.weight->dim[0];
    if (parts.weight->dim[1] * parts.groups != parts.value->shape[parts.value->shape_rank - 1]) {
        return stoa_onnx_refuse(import, "its weight takes %zu channels, its input has %zu",
                                parts.weight->dim[1] * parts.groups,
                                parts.value->shape[parts.value->shape_rank - 1]);
    }
    if (!stoa_onnx_window_output(w, parts.in, out)) {
        return stoa_onnx_refuse(import, "its window %zux%zu does not fit the image %zux%zu", w->kernel[0],
                                w->kernel[1], parts.in[0], parts.in[1]);
    }
    stoa_onnx_window_layout(import, parts.value, filters, out, &layout);
    stoa_onnx_pad_text(w, pad);
    status = stoa_onnx_layer(
        import, node, stoa_onnx_stem(import, node, 1, stem), &parts.value, 1, &layout,
        "conv2d filters=%zu kernel=%zux%zu stride=%zux%zu dilation=%zux%zu groups=%zu%s bias=%s", filters,
        w->kernel[0], w->kernel[1], w->stride[0], w->stride[1], w->dilation[0], w->dilation[1], parts.groups,
        pad, parts.bias ? "true" : "false");
    return status == STOA_OK ? set_tensors(import, node, &parts, filters) : status;
}

/* Padding that makes the output this large, or what `output_padding` says beside `pads`. */
static stoa_status read_transposed(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                   struct parts *parts, size_t more[2], size_t out[2]) {
    struct stoa_onnx_window *w = &parts->window;
    const size_t n = w->spatial;
    const bool lower = stoa_onnx_says(node, "auto_pad", "SAME_LOWER");
    const bool same = lower || stoa_onnx_says(node, "auto_pad", "SAME_UPPER");
    const bool given = stoa_onnx_attribute(node, "output_shape") != NULL;
    size_t wanted[2] = {1, 1};
    more[0] = more[1] = 0;
    stoa_status status = stoa_onnx_sizes(import, node, "output_padding", 0, n, more + 2 - n);
    if (status == STOA_OK && given) {
        status = stoa_onnx_sizes(import, node, "output_shape", 1, n, wanted + 2 - n);
    }
    for (size_t i = 2 - n; i < 2 && status == STOA_OK; i++) {
        const size_t base = (parts->in[i] - 1) * w->stride[i] + w->dilation[i] * (w->kernel[i] - 1) + 1;
        if (same || given) {
            const size_t want = given ? wanted[i] : parts->in[i] * w->stride[i];
            const size_t both = base + more[i] > want ? base + more[i] - want : 0;
            more[i] = want > base + more[i] ? want - base : more[i];
            w->front[i] = lower || !same ? both - both / 2 : both / 2;
            w->back[i] = both - w->front[i];
        }
        if (w->front[i] + w->back[i] >= base + more[i]) {
            return stoa_onnx_refuse(import, "its padding leaves nothing of %zu rows", base + more[i]);
        }
        out[i] = base + more[i] - w->front[i] - w->back[i];
    }
    return status;
}

static stoa_status conv_transpose(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct parts parts;
    size_t more[2], out[2] = {1, 1};
    char stem[64];
    struct stoa_onnx_layout layout;
    stoa_status status = read_parts(import, node, &parts);
    if (status == STOA_OK) {
        status = read_transposed(import, node, &parts, more, out);
    }
    if (status != STOA_OK) {
        return status;
    }
    const struct stoa_onnx_window *w = &parts.window;
    const size_t filters = parts.weight->dim[1] * parts.groups;
    char pad[STOA_ONNX_PAD_TEXT];
    if (parts.weight->dim[0] != parts.value->shape[parts.value->shape_rank - 1]) {
        return stoa_onnx_refuse(import, "its weight takes %zu channels, its input has %zu",
                                parts.weight->dim[0], parts.value->shape[parts.value->shape_rank - 1]);
    }
    stoa_onnx_pad_text(w, pad);
    stoa_onnx_window_layout(import, parts.value, filters, out, &layout);
    status =
        stoa_onnx_layer(import, node, stoa_onnx_stem(import, node, 1, stem), &parts.value, 1, &layout,
                        "conv_transpose2d filters=%zu kernel=%zux%zu stride=%zux%zu dilation=%zux%zu "
                        "groups=%zu%s output_pad=%zux%zu bias=%s",
                        filters, w->kernel[0], w->kernel[1], w->stride[0], w->stride[1], w->dilation[0],
                        w->dilation[1], parts.groups, pad, more[0], more[1], parts.bias ? "true" : "false");
    return status == STOA_OK ? set_tensors(import, node, &parts, filters) : status;
}

const struct stoa_onnx_row stoa_onnx_conv_rows[] = {
    {"Conv", 1, conv},
    {"ConvTranspose", 1, conv_transpose},
    {NULL, 0, NULL},
};
