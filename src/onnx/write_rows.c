/* SPDX-License-Identifier: MIT */
/* Operators that look at several numbers of a sample at once: normalisations, softmax and sums. */
#include <stdio.h>
#include <string.h>

#include "onnx/write.h"

void stoa_onnx_write_batchnorm(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *inputs[6] = {stoa_onnx_image_of(export, 0)};
    for (size_t i = 0; i < 4; i++) {
        inputs[i + 1] = stoa_onnx_put_tensor(export, i, 0, NULL);
    }
    StoaOnnx__Node *node = stoa_onnx_put_node(export, "BatchNormalization", NULL, inputs);
    stoa_onnx_put_float(export, node, "epsilon", stoa_onnx_float_option(layer, "epsilon"));
    /* ONNX says how much of the old is kept. */
    stoa_onnx_put_float(export, node, "momentum",
                        (float)(1.0 - (double)stoa_onnx_float_option(layer, "momentum")));
}

/* Scale and shift of a normalisation, or ones and zeros of their shape. */
static void scale_and_shift(struct stoa_onnx_export *export, size_t rank, const size_t *shape,
                            const char *names[2]) {
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        count *= shape[i];
    }
    for (size_t t = 0; t < 2; t++) {
        float *numbers =
            export->at->layer.tensors > 0 ? NULL : stoa_onnx_take(export, count * sizeof *numbers);
        for (size_t i = 0; numbers && i < count; i++) {
            numbers[i] = t == 0 ? 1.0F : 0.0F;
        }
        names[t] = NULL;
        if (export->at->layer.tensors > 0) {
            names[t] = stoa_onnx_put_tensor(export, t, 0, NULL);
        } else if (numbers) {
            names[t] = stoa_onnx_put_floats(export, stoa_onnx_within(export, t == 0 ? "ones" : "zeros"), rank,
                                            shape, numbers);
        }
    }
}

static void put_layernorm(struct stoa_onnx_export *export, const char *x, const char *output, int64_t axis,
                          const char *const names[2]) {
    StoaOnnx__Node *node =
        stoa_onnx_put_node(export, "LayerNormalization", output, STOA_ONNX_INPUTS(x, names[0], names[1]));
    stoa_onnx_put_int(export, node, "axis", axis);
    stoa_onnx_put_float(export, node, "epsilon", stoa_onnx_float_option(&export->at->layer, "epsilon"));
}

/* Over all of a sample, or over the channels, which have to be last. */
void stoa_onnx_write_layernorm(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const size_t *in = layer->input[0].dim;
    const char *names[2];
    bool image = layer->input[0].rank == 3;
    if (!image || strcmp(stoa_onnx_word_option(layer, "over"), "sample") == 0) {
        const size_t shape[] = {in[image ? 2 : 0], in[0], in[1]};
        scale_and_shift(export, image ? 3 : 1, shape, names);
        put_layernorm(export, stoa_onnx_image_of(export, 0), NULL, 1, names);
        return;
    }
    const char *x = stoa_onnx_pixels_of(export, 0);
    const char *y = stoa_onnx_within(export, "normal");
    scale_and_shift(export, 1, &in[2], names);
    put_layernorm(export, x, y, -1, names);
    stoa_onnx_put_pixels(export, y);
}

/* Groups of the channels, 0 where each is one by itself. */
static size_t groups_of(const struct stoa_layer *layer) {
    const size_t groups = stoa_onnx_size_option(layer, "groups");
    return groups == layer->output.dim[layer->output.rank - 1] ? 0 : groups;
}

int stoa_onnx_opset_of_groupnorm(const struct stoa_layer *layer) {
    return groups_of(layer) > 0 ? 21 : 0;
}

/* A vector becomes an image of one pixel for it. */
void stoa_onnx_write_groupnorm(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const size_t channels = layer->output.dim[layer->output.rank - 1];
    const size_t groups = groups_of(layer);
    const char *names[2];
    const char *x = stoa_onnx_image_of(export, 0);
    bool vector = layer->input[0].rank == 1;
    const char *y = vector ? stoa_onnx_within(export, "normal") : NULL;
    if (vector) {
        x = stoa_onnx_put_reshape(export, x, stoa_onnx_within(export, "image"), 3,
                                  (size_t[]){channels, 1, 1});
    }
    scale_and_shift(export, 1, &channels, names);
    StoaOnnx__Node *node =
        stoa_onnx_put_node(export, groups > 0 ? "GroupNormalization" : "InstanceNormalization", y,
                           STOA_ONNX_INPUTS(x, names[0], names[1]));
    stoa_onnx_put_float(export, node, "epsilon", stoa_onnx_float_option(layer, "epsilon"));
    if (groups > 0) {
        stoa_onnx_put_int(export, node, "num_groups", (int64_t)groups);
    }
    if (vector) {
        (void)stoa_onnx_put_node(export, "Flatten", NULL, STOA_ONNX_INPUTS(y));
    }
}

void stoa_onnx_write_lrn(struct stoa_onnx_export *export) {
    static const char *const numbers[] = {"alpha", "beta", "bias"};
    const struct stoa_layer *layer = &export->at->layer;
    StoaOnnx__Node *node =
        stoa_onnx_put_node(export, "LRN", NULL, STOA_ONNX_INPUTS(stoa_onnx_image_of(export, 0)));
    stoa_onnx_put_int(export, node, "size", (int64_t)stoa_onnx_size_option(layer, "size"));
    for (size_t i = 0; i < 3; i++) {
        stoa_onnx_put_float(export, node, numbers[i], stoa_onnx_float_option(layer, numbers[i]));
    }
}

/* ---- softmax ---- */

/* Over one axis; over all of an image it is flattened and comes back. */
static void put_softmax(struct stoa_onnx_export *export, const char *op) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *axis = stoa_onnx_word_option(layer, "axis");
    const size_t *dim = layer->output.dim;
    const char *x = stoa_onnx_image_of(export, 0);
    bool flat = strcmp(axis, "sample") == 0 && layer->input[0].rank == 3;
    const char *y = flat ? stoa_onnx_within(export, "shares") : NULL;
    if (flat) {
        const char *image = x;
        x = stoa_onnx_within(export, "flat");
        (void)stoa_onnx_put_node(export, "Flatten", x, STOA_ONNX_INPUTS(image));
    }
    StoaOnnx__Node *node = stoa_onnx_put_node(export, op, y, STOA_ONNX_INPUTS(x));
    stoa_onnx_put_int(export, node, "axis",
                      strcmp(axis, "height") == 0  ? 2
                      : strcmp(axis, "width") == 0 ? 3
                                                   : 1);
    if (flat) {
        (void)stoa_onnx_put_reshape(export, y, NULL, 3, (size_t[]){dim[2], dim[0], dim[1]});
    }
}

void stoa_onnx_write_softmax(struct stoa_onnx_export *export) {
    put_softmax(export, "Softmax");
}

void stoa_onnx_write_log_softmax(struct stoa_onnx_export *export) {
    put_softmax(export, "LogSoftmax");
}

/* ---- sums ---- */

/* ONNX's axes of what is reduced; returns how many. */
static size_t axes_of(const struct stoa_layer *layer, int64_t axes[3]) {
    static const struct {
        const char *word;
        size_t count;
        int64_t axes[3];
    } words[] = {{"space", 2, {2, 3}},
                 {"channels", 1, {1}},
                 {"height", 1, {2}},
                 {"width", 1, {3}},
                 {"all", 3, {1, 2, 3}}};
    const char *word = stoa_onnx_word_option(layer, "axes");
    size_t i = 0;
    while (strcmp(words[i].word, word) != 0) {
        i++;
    }
    memcpy(axes, words[i].axes, sizeof words[i].axes);
    return layer->input[0].rank == 1 ? 1 : words[i].count;
}

/* Axes are an input of ReduceSum, and from opset 18 on of the others. An image that becomes a vector does so
 * behind. */
void stoa_onnx_write_reduce(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *by = stoa_onnx_word_option(layer, "by");
    bool sums = strcmp(by, "sum") == 0;
    bool by_input = sums || export->opset >= 18;
    bool flattens = layer->output.rank == 1 && layer->input[0].rank == 3;
    int64_t axes[3];
    const size_t count = axes_of(layer, axes);
    const char *x = stoa_onnx_image_of(export, 0);
    const char *list =
        by_input ? stoa_onnx_put_integers(export, stoa_onnx_within(export, "axes"), count, axes) : NULL;
    const char *y = flattens ? stoa_onnx_within(export, "kept") : NULL;
    StoaOnnx__Node *node = stoa_onnx_put_node(export,
                                              sums                     ? "ReduceSum"
                                              : strcmp(by, "max") == 0 ? "ReduceMax"
                                                                       : "ReduceMean",
                                              y, STOA_ONNX_INPUTS(x, list));
    if (!by_input) {
        stoa_onnx_put_ints(export, node, "axes", count, axes);
    }
    stoa_onnx_put_int(export, node, "keepdims", 1);
    if (flattens) {
        (void)stoa_onnx_put_node(export, "Flatten", NULL, STOA_ONNX_INPUTS(y));
    }
}
