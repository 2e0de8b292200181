/* SPDX-License-Identifier: MIT */
/* Operators that move numbers, and products of matrices. */
#include <string.h>

#include "onnx/write.h"

/* Of a layer's axis "channels", "height" or "width" the one of N, C, H, W, or of N, K. */
static int64_t axis_of(const struct stoa_layer *layer) {
    const char *axis = stoa_onnx_word_option(layer, "axis");
    return strcmp(axis, "height") == 0 ? 2 : strcmp(axis, "width") == 0 ? 3 : 1;
}

void stoa_onnx_write_flatten(struct stoa_onnx_export *export) {
    (void)stoa_onnx_put_node(export, "Flatten", NULL, STOA_ONNX_INPUTS(stoa_onnx_image_of(export, 0)));
}

/* Both sides in the order C, H, W. */
void stoa_onnx_write_reshape(struct stoa_onnx_export *export) {
    const size_t *out = export->at->layer.output.dim;
    (void)stoa_onnx_put_reshape(export, stoa_onnx_image_of(export, 0), NULL, 3,
                                (size_t[]){out[2], out[0], out[1]});
}

/* Both sides in the order H, W, C. */
void stoa_onnx_write_view(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const struct stoa_shape *in = &layer->input[0];
    const size_t *image = in->flattened;
    const char *x = stoa_onnx_image_of(export, 0);
    if (in->rank == 3) {
        x = stoa_onnx_pixels_of(export, 0);
    } else if (image[0] * image[1] > 1 && image[2] > 1) {
        x = stoa_onnx_put_reshape(export, x, stoa_onnx_within(export, "image"), 3,
                                  (size_t[]){image[2], image[0], image[1]});
        x = stoa_onnx_put_transpose(export, x, stoa_onnx_within(export, "pixels"), 4,
                                    (int64_t[]){0, 2, 3, 1});
    }
    if (layer->output.rank == 3) {
        stoa_onnx_put_pixels(
            export, stoa_onnx_put_reshape(export, x, stoa_onnx_within(export, "view"), 3, layer->output.dim));
    } else {
        (void)stoa_onnx_put_reshape(export, x, NULL, layer->output.rank, layer->output.dim);
    }
}

/* Its order names PyTorch's axes, which are ONNX's: "hwc" has the rows as channels. */
void stoa_onnx_write_permute(struct stoa_onnx_export *export) {
    const char *order = stoa_onnx_word_option(&export->at->layer, "order");
    int64_t from[4] = {0};
    for (size_t i = 0; i < 3; i++) {
        from[i + 1] = order[i] == 'c' ? 1 : order[i] == 'h' ? 2 : 3;
    }
    (void)stoa_onnx_put_transpose(export, stoa_onnx_image_of(export, 0), NULL, 4, from);
}

void stoa_onnx_write_concat(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *inputs[STOA_MAX_INPUTS + 1] = {NULL};
    for (size_t k = 0; k < layer->inputs; k++) {
        inputs[k] = stoa_onnx_image_of(export, k);
    }
    StoaOnnx__Node *node = stoa_onnx_put_node(export, "Concat", NULL, inputs);
    stoa_onnx_put_int(export, node, "axis", axis_of(layer));
}

void stoa_onnx_write_slice(struct stoa_onnx_export *export) {
    static const char *const names[] = {"start", "end", "axis", "step"};
    const struct stoa_layer *layer = &export->at->layer;
    const char *inputs[] = {stoa_onnx_image_of(export, 0), NULL, NULL, NULL, NULL, NULL};
    for (size_t i = 0; i < 4; i++) {
        const int64_t number = i == 2 ? axis_of(layer) : *(const int64_t *)stoa_option_of(layer, names[i]);
        inputs[i + 1] = stoa_onnx_put_integers(export, stoa_onnx_within(export, names[i]), 1, &number);
    }
    (void)stoa_onnx_put_node(export, "Slice", NULL, inputs);
}

void stoa_onnx_write_depth_to_space(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    bool crd = strcmp(stoa_onnx_word_option(layer, "mode"), "crd") == 0;
    StoaOnnx__Node *node =
        stoa_onnx_put_node(export, "DepthToSpace", NULL, STOA_ONNX_INPUTS(stoa_onnx_image_of(export, 0)));
    stoa_onnx_put_int(export, node, "blocksize", (int64_t)stoa_onnx_size_option(layer, "block"));
    stoa_onnx_put_word(export, node, "mode", crd ? "CRD" : "DCR");
}

/* ONNX knows the order of dcr only; for crd its channels, block * block x C, are transposed. */
void stoa_onnx_write_space_to_depth(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const size_t *out = layer->output.dim;
    bool crd = strcmp(stoa_onnx_word_option(layer, "mode"), "crd") == 0;
    const size_t block = stoa_onnx_size_option(layer, "block");
    const char *deep = crd ? stoa_onnx_within(export, "dcr") : NULL;
    StoaOnnx__Node *node =
        stoa_onnx_put_node(export, "SpaceToDepth", deep, STOA_ONNX_INPUTS(stoa_onnx_image_of(export, 0)));
    stoa_onnx_put_int(export, node, "blocksize", (int64_t)block);
    if (crd) {
        const char *parts =
            stoa_onnx_put_reshape(export, deep, stoa_onnx_within(export, "parts"), 3,
                                  (size_t[]){block * block, layer->input[0].dim[2], out[0] * out[1]});
        parts = stoa_onnx_put_transpose(export, parts, stoa_onnx_within(export, "turned"), 4,
                                        (int64_t[]){0, 2, 1, 3});
        (void)stoa_onnx_put_reshape(export, parts, NULL, 3, (size_t[]){out[2], out[0], out[1]});
    }
}

/* An image counts as flattened, in the order of the weights: C, H, W. */
void stoa_onnx_write_linear(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *x = stoa_onnx_image_of(export, 0);
    if (layer->input[0].rank == 3) {
        const char *flat = stoa_onnx_within(export, "flat");
        (void)stoa_onnx_put_node(export, "Flatten", flat, STOA_ONNX_INPUTS(x));
        x = flat;
    }
    const char *weight = stoa_onnx_put_tensor(export, 0, 0, NULL);
    const char *bias = layer->tensors > 1 ? stoa_onnx_put_tensor(export, 1, 0, NULL) : NULL;
    StoaOnnx__Node *node = stoa_onnx_put_node(export, "Gemm", NULL, STOA_ONNX_INPUTS(x, weight, bias));
    stoa_onnx_put_int(export, node, "transB", 1);
}

/* An operand as N, H, rows, columns. */
static const char *matrices_of(struct stoa_onnx_export *export, size_t k, bool transposed) {
    return transposed
               ? stoa_onnx_put_transpose(export, stoa_onnx_image_of(export, k),
                                         stoa_onnx_within(export, "turned"), 4, (int64_t[]){0, 2, 1, 3})
               : stoa_onnx_pixels_of(export, k);
}

void stoa_onnx_write_matmul(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *a = matrices_of(export, 0, stoa_onnx_bool_option(layer, "transpose_a"));
    const char *b = matrices_of(export, 1, stoa_onnx_bool_option(layer, "transpose_b"));
    const char *product = stoa_onnx_within(export, "product");
    (void)stoa_onnx_put_node(export, "MatMul", product, STOA_ONNX_INPUTS(a, b));
    stoa_onnx_put_pixels(export, product);
}
