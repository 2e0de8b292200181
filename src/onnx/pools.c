/* SPDX-License-Identifier: MIT */
/* Pooling: over windows and over whole images. */
#include <stdio.h>

#include "onnx/windows.h"

/* A window over the image, its layout and padding as text. */
struct pooling {
    struct stoa_onnx_value *value;
    struct stoa_onnx_window window;
    struct stoa_onnx_layout layout;
    size_t in[2], out[2];
    char pad[STOA_ONNX_PAD_TEXT];
};

static stoa_status read_pooling(struct stoa_onnx_import *import, const StoaOnnx__Node *node,
                                struct pooling *pooling) {
    stoa_status status = stoa_onnx_activation(import, node, 0, &pooling->value);
    if (status == STOA_OK) {
        status = stoa_onnx_window_read(import, node, pooling->value, NULL, &pooling->window);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_image(import, pooling->value);
    }
    if (status != STOA_OK) {
        return status;
    }
    const struct stoa_onnx_window *w = &pooling->window;
    stoa_onnx_spatial(import, pooling->value, pooling->in);
    if (!stoa_onnx_window_output(w, pooling->in, pooling->out)) {
        return stoa_onnx_refuse(import, "its window %zux%zu does not fit the image %zux%zu", w->kernel[0],
                                w->kernel[1], pooling->in[0], pooling->in[1]);
    }
    stoa_onnx_pad_text(w, pooling->pad);
    stoa_onnx_window_layout(import, pooling->value, pooling->value->shape[pooling->value->shape_rank - 1],
                            pooling->out, &pooling->layout);
    return STOA_OK;
}

static stoa_status emit(struct stoa_onnx_import *import, const StoaOnnx__Node *node, struct pooling *pooling,
                        const char *op, const char *more) {
    const struct stoa_onnx_window *w = &pooling->window;
    const bool dilated = w->dilation[0] > 1 || w->dilation[1] > 1;
    char dilation[64] = "";
    if (dilated) {
        (void)snprintf(dilation, sizeof dilation, " dilation=%zux%zu", w->dilation[0], w->dilation[1]);
    }
    return stoa_onnx_layer(import, node, NULL, &pooling->value, 1, &pooling->layout,
                           "%s size=%zux%zu stride=%zux%zu%s%s%s%s", op, w->kernel[0], w->kernel[1],
                           w->stride[0], w->stride[1], dilation, pooling->pad,
                           w->ceil ? " ceil_mode=true" : "", more);
}

static stoa_status maxpool(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct pooling pooling;
    if (node->n_output > 1 && *node->output[1] && stoa_onnx_find(import, node->output[1])->readers > 0) {
        return stoa_onnx_refuse(import, "its indices are read");
    }
    stoa_status status = read_pooling(import, node, &pooling);
    return status == STOA_OK ? emit(import, node, &pooling, "maxpool2d", "") : status;
}

static stoa_status avgpool(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    struct pooling pooling;
    const bool include = stoa_onnx_int(node, "count_include_pad", 0) != 0;
    stoa_status status = read_pooling(import, node, &pooling);
    return status == STOA_OK ? emit(import, node, &pooling, "avgpool2d", include ? "" : " include_pad=false")
                             : status;
}

static stoa_status global_pool(struct stoa_onnx_import *import, const StoaOnnx__Node *node, const char *op) {
    struct stoa_onnx_value *value;
    struct stoa_onnx_layout layout;
    size_t dim[STOA_ONNX_AXES], channels = 0, spatial = 0;
    stoa_status status = stoa_onnx_activation(import, node, 0, &value);
    if (status == STOA_OK) {
        status = stoa_onnx_channels(import, value, &channels, &spatial);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_image(import, value);
    }
    if (status != STOA_OK) {
        return status;
    }
    for (size_t i = 0; i < value->layout.rank; i++) {
        dim[i] = i == channels ? value->layout.dim[i] : 1;
    }
    stoa_onnx_layout_make(&layout, value->layout.rank, dim, NULL);
    return stoa_onnx_layer(import, node, NULL, &value, 1, &layout, "%s", op);
}

static stoa_status global_avgpool(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return global_pool(import, node, "global_avgpool");
}

static stoa_status global_maxpool(struct stoa_onnx_import *import, const StoaOnnx__Node *node) {
    return global_pool(import, node, "global_maxpool");
}

const struct stoa_onnx_row stoa_onnx_pool_rows[] = {
    {"MaxPool", 1, maxpool},
    {"AveragePool", 1, avgpool},
    {"GlobalAveragePool", 1, global_avgpool},
    {"GlobalMaxPool", 1, global_maxpool},
    {NULL, 0, NULL},
};
