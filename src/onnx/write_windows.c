/* SPDX-License-Identifier: MIT */
/* Operators on images that slide windows, and those that change their size. */
#include <string.h>

#include "base/size.h"
#include "onnx/write.h"
#include "ops/window.h"

/* One axis of a window. */
struct axis {
    size_t in, out, kernel, stride, dilation, front, back;
};

/* Height and width. */
struct window {
    struct axis axis[2];
};

static size_t extent_of(const struct axis *a) {
    return a->dilation * (a->kernel - 1) + 1;
}

static struct window window_of(const struct stoa_layer *layer, const char *kernel_name) {
    const struct stoa_pair *kernel = stoa_option_of(layer, kernel_name);
    const struct stoa_pair *stride = stoa_option_of(layer, "stride");
    const struct stoa_pair *dilation = stoa_option_of(layer, "dilation");
    const struct stoa_padding *pad = stoa_option_of(layer, "pad");
    const size_t *in = layer->input[0].dim;
    const size_t *out = layer->output.dim;
    return (struct window){
        {{in[0], out[0], kernel->height, stride->height, dilation->height, pad->top, pad->bottom},
         {in[1], out[1], kernel->width, stride->width, dilation->width, pad->left, pad->right}}};
}

/* Of `axis` what pad=same makes of it, where that is said: as much as the output reads beyond the input. */
static void set_same(const struct stoa_layer *layer, struct window *window) {
    const struct stoa_padding *pad = stoa_option_of(layer, "pad");
    for (size_t i = 0; i < 2 && pad->kind != STOA_PAD_GIVEN; i++) {
        struct axis *a = &window->axis[i];
        const size_t reads = (a->out - 1) * a->stride + extent_of(a);
        stoa_cut_padding(pad->kind, reads > a->in ? reads - a->in : 0, &a->front, &a->back);
    }
}

static void put_window(struct stoa_onnx_export *export, StoaOnnx__Node *node, const struct window *window,
                       bool dilates) {
    const struct axis *h = &window->axis[0];
    const struct axis *w = &window->axis[1];
    stoa_onnx_put_ints(export, node, "kernel_shape", 2, (int64_t[]){(int64_t)h->kernel, (int64_t)w->kernel});
    stoa_onnx_put_ints(export, node, "strides", 2, (int64_t[]){(int64_t)h->stride, (int64_t)w->stride});
    if (dilates) {
        stoa_onnx_put_ints(export, node, "dilations", 2,
                           (int64_t[]){(int64_t)h->dilation, (int64_t)w->dilation});
    }
    stoa_onnx_put_ints(export, node, "pads", 4,
                       (int64_t[]){(int64_t)h->front, (int64_t)w->front, (int64_t)h->back, (int64_t)w->back});
}

/* ---- convolutions ---- */

static StoaOnnx__Node *put_conv(struct stoa_onnx_export *export, const char *op,
                                const struct window *window) {
    const struct stoa_layer *layer = &export->at->layer;
    const char *x = stoa_onnx_image_of(export, 0);
    const char *weight = stoa_onnx_put_tensor(export, 0, 0, NULL);
    const char *bias = layer->tensors > 1 ? stoa_onnx_put_tensor(export, 1, 0, NULL) : NULL;
    StoaOnnx__Node *node = stoa_onnx_put_node(export, op, NULL, STOA_ONNX_INPUTS(x, weight, bias));
    put_window(export, node, window, true);
    stoa_onnx_put_int(export, node, "group", (int64_t)stoa_onnx_size_option(layer, "groups"));
    return node;
}

void stoa_onnx_write_conv2d(struct stoa_onnx_export *export) {
    struct window window = window_of(&export->at->layer, "kernel");
    set_same(&export->at->layer, &window);
    (void)put_conv(export, "Conv", &window);
}

/* `front` and `back` are cut off the whole of what the windows cover; what the output has beyond is
 * output_padding. */
void stoa_onnx_write_conv_transpose2d(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const struct stoa_padding *pad = stoa_option_of(layer, "pad");
    const struct stoa_pair *more = stoa_option_of(layer, "output_pad");
    struct window window = window_of(layer, "kernel");
    int64_t beyond[2];
    for (size_t i = 0; i < 2; i++) {
        struct axis *a = &window.axis[i];
        const size_t whole = (a->in - 1) * a->stride + extent_of(a);
        const size_t covers = whole + (i == 0 ? more->height : more->width);
        if (pad->kind != STOA_PAD_GIVEN) {
            stoa_cut_padding(pad->kind, covers > a->out ? covers - a->out : 0, &a->front, &a->back);
        }
        beyond[i] = (int64_t)(a->out + a->front + a->back) - (int64_t)whole;
    }
    StoaOnnx__Node *node = put_conv(export, "ConvTranspose", &window);
    stoa_onnx_put_ints(export, node, "output_padding", 2, beyond);
}

/* ---- pools ---- */

/* Whether a window hangs over the end. ONNX's ceil_mode has one that would begin in the padding as well,
 * which is not computed here: where none hangs over, rounding down gives what is. With ceil_mode for the sake
 * of one axis the padding of the other that nothing reads goes, so that both roundings give the same. */
static bool hangs_over(struct window *window) {
    bool hangs = false;
    for (size_t i = 0; i < 2; i++) {
        struct axis *a = &window->axis[i];
        const size_t reads = (a->out - 1) * a->stride + extent_of(a);
        const size_t there = a->in + a->front;
        hangs = hangs || reads > there + a->back;
        a->back = stoa_min(a->back, reads > there ? reads - there : 0);
    }
    return hangs;
}

static StoaOnnx__Node *put_pool(struct stoa_onnx_export *export, const char *op, bool dilates) {
    const struct stoa_layer *layer = &export->at->layer;
    struct window window = window_of(layer, "size");
    set_same(layer, &window);
    const bool hangs = hangs_over(&window);
    StoaOnnx__Node *node =
        stoa_onnx_put_node(export, op, NULL, STOA_ONNX_INPUTS(stoa_onnx_image_of(export, 0)));
    put_window(export, node, &window, dilates);
    stoa_onnx_put_int(export, node, "ceil_mode", hangs);
    return node;
}

void stoa_onnx_write_maxpool2d(struct stoa_onnx_export *export) {
    (void)put_pool(export, "MaxPool", true);
}

static bool dilates(const struct stoa_layer *layer) {
    const struct stoa_pair *dilation = stoa_option_of(layer, "dilation");
    return dilation->height > 1 || dilation->width > 1;
}

void stoa_onnx_write_avgpool2d(struct stoa_onnx_export *export) {
    StoaOnnx__Node *node = put_pool(export, "AveragePool", dilates(&export->at->layer));
    stoa_onnx_put_int(export, node, "count_include_pad",
                      stoa_onnx_bool_option(&export->at->layer, "include_pad"));
}

int stoa_onnx_opset_of_avgpool2d(const struct stoa_layer *layer) {
    return dilates(layer) ? 19 : 0;
}

/* A pool over all pixels leaves an image of one, which is a vector here. */
static void put_global(struct stoa_onnx_export *export, const char *op) {
    const char *x = stoa_onnx_image_of(export, 0);
    if (export->at->layer.output.rank == 3) {
        (void)stoa_onnx_put_node(export, op, NULL, STOA_ONNX_INPUTS(x));
        return;
    }
    const char *pixel = stoa_onnx_within(export, "pixel");
    (void)stoa_onnx_put_node(export, op, pixel, STOA_ONNX_INPUTS(x));
    (void)stoa_onnx_put_node(export, "Flatten", NULL, STOA_ONNX_INPUTS(pixel));
}

void stoa_onnx_write_global_maxpool(struct stoa_onnx_export *export) {
    put_global(export, "GlobalMaxPool");
}

void stoa_onnx_write_global_avgpool(struct stoa_onnx_export *export) {
    put_global(export, "GlobalAveragePool");
}

/* ---- sizes and borders ---- */

int stoa_onnx_opset_of_resize(const struct stoa_layer *layer) {
    return strcmp(stoa_onnx_word_option(layer, "coordinates"), "half_pixel_symmetric") == 0 ? 19 : 18;
}

/* From opset 18 on sizes need not name that of the batch. */
void stoa_onnx_write_resize(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const struct stoa_pair *size = stoa_option_of(layer, "size");
    const struct stoa_factors *scale = stoa_option_of(layer, "scale");
    const char *x = stoa_onnx_image_of(export, 0);
    StoaOnnx__Node *node;
    if (size->height > 0) {
        const int64_t sizes[] = {(int64_t)size->height, (int64_t)size->width};
        const char *name = stoa_onnx_put_integers(export, stoa_onnx_within(export, "sizes"), 2, sizes);
        node = stoa_onnx_put_node(export, "Resize", NULL, STOA_ONNX_INPUTS(x, "", "", name));
    } else {
        const float factors[] = {scale->height, scale->width};
        const char *name =
            stoa_onnx_put_floats(export, stoa_onnx_within(export, "scales"), 1, (size_t[]){2}, factors);
        node = stoa_onnx_put_node(export, "Resize", NULL, STOA_ONNX_INPUTS(x, "", name));
    }
    stoa_onnx_put_ints(export, node, "axes", 2, (int64_t[]){2, 3});
    stoa_onnx_put_word(export, node, "mode", stoa_onnx_word_option(layer, "mode"));
    stoa_onnx_put_word(export, node, "coordinate_transformation_mode",
                       stoa_onnx_word_option(layer, "coordinates"));
    stoa_onnx_put_word(export, node, "nearest_mode", stoa_onnx_word_option(layer, "rounding"));
}

int stoa_onnx_opset_of_pad(const struct stoa_layer *layer) {
    return strcmp(stoa_onnx_word_option(layer, "mode"), "wrap") == 0 ? 19 : 0;
}

void stoa_onnx_write_pad(struct stoa_onnx_export *export) {
    const struct stoa_layer *layer = &export->at->layer;
    const struct stoa_pair *all = stoa_option_of(layer, "size");
    static const char *const sides[] = {"front", "top", "left", "back", "bottom", "right"};
    int64_t pads[8] = {0};
    for (size_t i = 0; i < 6; i++) {
        const size_t around = i % 3 == 0 ? 0 : i % 3 == 1 ? all->height : all->width;
        pads[1 + i + i / 3] = *(const int64_t *)stoa_option_of(layer, sides[i]) + (int64_t)around;
    }
    const float value = stoa_onnx_float_option(layer, "value");
    const char *x = stoa_onnx_image_of(export, 0);
    const char *border = stoa_onnx_put_integers(export, stoa_onnx_within(export, "pads"), 8, pads);
    const char *fill = stoa_onnx_put_floats(export, stoa_onnx_within(export, "value"), 0, NULL, &value);
    StoaOnnx__Node *node = stoa_onnx_put_node(export, "Pad", NULL, STOA_ONNX_INPUTS(x, border, fill));
    stoa_onnx_put_word(export, node, "mode", stoa_onnx_word_option(layer, "mode"));
}
