/* SPDX-License-Identifier: MIT */
/* Convolutions and dense layers as C.
 *
 * A convolution is computed in blocks of a few output pixels and 8 or 16 filters, whose sums a compiler keeps
 * in vector registers: each number of the image is multiplied with the weights of a block of filters, which
 * lie side by side. The image is read with its border of zeros around it, so that no window hangs over. */
#include <stdio.h>
#include <stdlib.h>

#include "base/size.h"
#include "ccode/ccode.h"
#include "ops/window.h"

/* ---- geometry ---- */

_Static_assert(offsetof(struct stoa_window_options, kernel) == 0, "the option kernel begins the window's");

static struct stoa_window conv2d_window(const struct stoa_layer *layer) {
    const struct stoa_window_options *options = stoa_c_option(layer, "kernel");
    return stoa_window_of(options, &layer->input[0], &layer->output);
}

static bool is_depthwise(const struct stoa_layer *layer) {
    size_t groups = stoa_c_option_size(layer, "groups");
    return groups > 1 && groups == layer->input[0].dim[2] && groups == layer->output.dim[2];
}

/* One output pixel whose window is the image itself: a dense layer. */
static bool is_dense(const struct stoa_layer *layer) {
    struct stoa_window w = conv2d_window(layer);
    return stoa_c_option_size(layer, "groups") == 1 && w.out_height * w.out_width == 1 && w.pad_top == 0 &&
           w.pad_left == 0 && w.kernel_height <= w.height && w.kernel_width <= w.width &&
           w.dilation_height == 1 && w.dilation_width == 1;
}

/* Rows or columns that windows reach over, from the first of the padding on. */
static size_t reach(size_t outputs, size_t stride, size_t kernel, size_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

struct stoa_c_border stoa_c_conv2d_border(const struct stoa_layer *layer) {
    struct stoa_window w = conv2d_window(layer);
    struct stoa_c_border border = {
        .top = w.pad_top,
        .left = w.pad_left,
        .height = stoa_max(w.pad_top + w.height,
                           reach(w.out_height, w.stride_height, w.kernel_height, w.dilation_height)),
        .width = stoa_max(w.pad_left + w.width,
                          reach(w.out_width, w.stride_width, w.kernel_width, w.dilation_width)),
    };
    const struct stoa_c_border none = {0};
    bool bare = is_depthwise(layer) || (border.height == w.height && border.width == w.width);
    return bare ? none : border;
}

size_t stoa_c_conv2d_scratch(const struct stoa_c *code, const struct stoa_c_step *step) {
    const struct stoa_layer *layer = &code->model->nodes[step->leader].layer;
    struct stoa_c_border border = stoa_c_conv2d_border(layer);
    const struct stoa_c_value *input = &code->value[stoa_plan_input_of(code->plan, step->leader, 0)];
    return stoa_c_has_border(&input->border) ? 0 : border.height * border.width * layer->input[0].dim[2];
}

/* ---- blocks ---- */

/* How a convolution is cut. */
struct blocks {
    size_t pixels, filters;      /* of a block */
    size_t groups, channels;     /* groups, and channels of one */
    size_t group_filters, panel; /* filters of a group, and floats of the weights of a block */
    size_t padded_filters;       /* of a group, rounded up to whole blocks */
};

static struct blocks cut(size_t taps, size_t groups, size_t channels, size_t filters) {
    struct blocks b = {.groups = groups, .channels = channels / groups, .group_filters = filters / groups};
    /* 16 at a time are the fastest, unless that many more are computed for nothing. */
    bool narrow = stoa_round_up(b.group_filters, 16) * 4 > stoa_round_up(b.group_filters, 8) * 5;
    b.filters = narrow ? 8 : 16;
    b.pixels = narrow ? 8 : 4;
    b.panel = taps * b.channels * b.filters;
    b.padded_filters = stoa_round_up(b.group_filters, b.filters);
    return b;
}

/* Weights (taps, channels of a group, filters) as (groups, blocks, taps, channels, filters of a block). */
static void declare_panels(struct stoa_c *code, const struct blocks *b, size_t taps, const float *weight) {
    size_t filters = b->groups * b->group_filters;
    size_t count = b->groups * b->padded_filters * taps * b->channels;
    float *panels = calloc(count, sizeof *panels);
    code->failed = code->failed || !panels;
    for (size_t k = 0; panels && k < filters; k++) {
        size_t group = k / b->group_filters;
        size_t in_group = k % b->group_filters;
        float *to = panels + group * b->padded_filters * taps * b->channels +
                    in_group / b->filters * b->panel + in_group % b->filters;
        for (size_t t = 0; t < taps * b->channels; t++) {
            to[t * b->filters] = weight[t * filters + k];
        }
    }
    if (panels) {
        stoa_c_constant(code, "weight", panels, count);
    }
    free(panels);
}

/* A number for each filter of whole blocks; zeros where there is no bias. */
static void declare_bias(struct stoa_c *code, const struct blocks *b, const float *bias) {
    size_t count = b->groups * b->padded_filters;
    float *padded = calloc(count, sizeof *padded);
    code->failed = code->failed || !padded;
    for (size_t k = 0; padded && bias && k < b->groups * b->group_filters; k++) {
        padded[k / b->group_filters * b->padded_filters + k % b->group_filters] = bias[k];
    }
    if (padded) {
        stoa_c_constant(code, "bias", padded, count);
    }
    free(padded);
}

/* ---- conv2d ---- */

/* The image that windows are read from: x, or within its border. */
struct image {
    const char *name;
    size_t width; /* pixels in a row */
};

static struct image frame_input(struct stoa_c *code, const struct stoa_window *w) {
    struct stoa_c_border border = stoa_c_conv2d_border(stoa_c_layer(code));
    if (!stoa_c_has_border(&border) || code->at->scratch == 0) {
        return (struct image){"x", stoa_c_has_border(&border) ? border.width : w->width};
    }
    code->uses[STOA_C_FRAME] = code->uses[STOA_C_BORDER] = true;
    stoa_c_line(&code->layers, "%s_frame(x, %zu, %zu, %zu, %zu, %zu, %zu, scratch);", code->name, w->height,
                w->width * w->channels, border.top, border.left * w->channels, border.height,
                border.width * w->channels);
    return (struct image){"scratch", border.width};
}

/* Where the window of each pixel of a block begins, and its sums, which begin with the bias. */
static void begin_block(struct stoa_c *code, const struct blocks *b, const struct stoa_window *w,
                        const struct image *image, size_t pixels) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_line(text, "const float *from[%zu];", b->pixels);
    stoa_c_line(text, "float sum[%zu];", b->pixels * b->filters);
    stoa_c_open(text, "for (int p = 0; p < %zu; p++)", b->pixels);
    if (pixels % b->pixels == 0) {
        stoa_c_line(text, "int at = i + p;");
    } else {
        stoa_c_line(text, "int at = i + p < %zu ? i + p : %zu;", pixels, pixels - 1);
    }
    char group[48] = "";
    if (b->groups > 1) {
        (void)snprintf(group, sizeof group, " + g * %zu", b->channels);
    }
    if (w->out_width == image->width && w->stride_height == 1 && w->stride_width == 1) {
        stoa_c_line(text, "from[p] = %s + at * %zu%s;", image->name, w->channels, group);
    } else {
        stoa_c_line(text, "from[p] = %s + (at / %zu * %zu + at %% %zu * %zu) * %zu%s;", image->name,
                    w->out_width, w->stride_height * image->width, w->out_width, w->stride_width, w->channels,
                    group);
    }
    stoa_c_open(text, "for (int f = 0; f < %zu; f++)", b->filters);
    if (b->groups > 1) {
        stoa_c_line(text, "sum[p * %zu + f] = bias[g * %zu + k + f];", b->filters, b->padded_filters);
    } else {
        stoa_c_line(text, "sum[p * %zu + f] = bias[k + f];", b->filters);
    }
    stoa_c_close(text);
    stoa_c_close(text);
}

/* The products of a block: rows of taps that lie side by side, or tap by tap. */
static void multiply_block(struct stoa_c *code, const struct blocks *b, const struct stoa_window *w,
                           const struct image *image) {
    struct stoa_c_text *text = &code->layers;
    bool rows = b->groups == 1 && (w->dilation_width == 1 || w->kernel_width == 1);
    size_t terms = rows ? w->kernel_width * b->channels : b->channels;
    size_t row = w->dilation_height * image->width * w->channels;
    code->uses[b->pixels == 4 ? STOA_C_SUMS_4 : STOA_C_SUMS_8] = true;
    bool loops = w->kernel_height > 1 || !rows;
    if (loops) {
        stoa_c_open(text, "for (int row = 0; row < %zu; row++)", w->kernel_height);
    }
    if (rows) {
        if (loops) {
            stoa_c_line(text, "%s_sums_%zu(from, row * %zu, w + row * %zu, %zu, sum);", code->name, b->pixels,
                        row, terms * b->filters, terms);
        } else {
            stoa_c_line(text, "%s_sums_%zu(from, 0, w, %zu, sum);", code->name, b->pixels, terms);
        }
    } else {
        stoa_c_open(text, "for (int column = 0; column < %zu; column++)", w->kernel_width);
        stoa_c_line(text, "%s_sums_%zu(from, row * %zu + column * %zu,", code->name, b->pixels, row,
                    w->dilation_width * w->channels);
        stoa_c_line(text, "    w + (row * %zu + column) * %zu, %zu, sum);", w->kernel_width,
                    terms * b->filters, terms);
        stoa_c_close(text);
    }
    if (loops) {
        stoa_c_close(text);
    }
}

/* The results of a block, with all that is done to them. */
static void end_block(struct stoa_c *code, const struct blocks *b, size_t pixels,
                      const struct stoa_window *w) {
    struct stoa_c_text *text = &code->layers;
    size_t filters = b->groups * b->group_filters;
    struct stoa_c_border border = stoa_c_result_border(code);
    if (pixels % b->pixels == 0) {
        stoa_c_open(text, "for (int p = 0; p < %zu; p++)", b->pixels);
    } else {
        stoa_c_open(text, "for (int p = 0; p < %zu && i + p < %zu; p++)", b->pixels, pixels);
    }
    char group[48] = "";
    if (b->groups > 1) {
        (void)snprintf(group, sizeof group, "g * %zu + ", b->group_filters);
    }
    if (stoa_c_chain_by_index(code)) {
        stoa_c_line(text, "int at = (i + p) * %zu + %sk;", filters, group);
    }
    if (stoa_c_has_border(&border)) {
        stoa_c_line(text, "float *to = y + ((i + p) / %zu * %zu + (i + p) %% %zu + %zu) * %zu + %sk;",
                    w->out_width, border.width, w->out_width, border.top * border.width + border.left,
                    filters, group);
    } else {
        stoa_c_line(text, "float *to = y + (i + p) * %zu + %sk;", filters, group);
    }
    if (b->group_filters % b->filters == 0) {
        stoa_c_open(text, "for (int f = 0; f < %zu; f++)", b->filters);
    } else {
        stoa_c_line(text, "int filters = %zu - k < %zu ? %zu - k : %zu;", b->group_filters, b->filters,
                    b->group_filters, b->filters);
        stoa_c_open(text, "for (int f = 0; f < filters; f++)");
    }
    char channel[STOA_C_EXPRESSION];
    (void)snprintf(channel, sizeof channel, "%sk + f", group);
    stoa_c_line(text, "float v = sum[p * %zu + f];", b->filters);
    stoa_c_finish(code, "at + f", channel, "to[f]");
    stoa_c_close(text);
    stoa_c_close(text);
}

static void write_blocks(struct stoa_c *code, const float *weight, const float *bias) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    struct stoa_window w = conv2d_window(layer);
    size_t taps = w.kernel_height * w.kernel_width;
    size_t pixels = w.out_height * w.out_width;
    struct blocks b = cut(taps, stoa_c_option_size(layer, "groups"), w.channels, layer->output.dim[2]);
    declare_panels(code, &b, taps, weight);
    declare_bias(code, &b, bias);
    stoa_c_write_border(code);
    struct image image = frame_input(code, &w);
    if (b.groups > 1) {
        stoa_c_open(text, "for (int g = 0; g < %zu; g++)", b.groups);
    }
    stoa_c_open(text, "for (int k = 0; k < %zu; k += %zu)", b.group_filters, b.filters);
    if (b.groups > 1) {
        stoa_c_line(text, "const float *w = weight + (g * %zu + k) * %zu;", b.padded_filters,
                    taps * b.channels);
    } else {
        stoa_c_line(text, "const float *w = weight + k * %zu;", taps * b.channels);
    }
    stoa_c_open(text, "for (int i = 0; i < %zu; i += %zu)", pixels, b.pixels);
    begin_block(code, &b, &w, &image, pixels);
    multiply_block(code, &b, &w, &image);
    end_block(code, &b, pixels, &w);
    stoa_c_close(text);
    stoa_c_close(text);
    if (b.groups > 1) {
        stoa_c_close(text);
    }
}

static void write_depthwise(struct stoa_c *code, const float *weight, const float *bias) {
    struct stoa_window w = conv2d_window(stoa_c_layer(code));
    stoa_c_constant(code, "weight", weight, w.kernel_height * w.kernel_width * w.channels);
    if (bias) {
        stoa_c_constant(code, "bias", bias, w.channels);
    }
    stoa_c_write_border(code);
    stoa_c_over_taps(code, &(struct stoa_c_taps){.window = w,
                                                 .first = bias ? "bias[first + c]" : "0.0F",
                                                 .take = "sum[c] += from[c] * w[c];",
                                                 .result = "sum[c]",
                                                 .weight = "weight"});
}

/* ---- vectors with matrices ---- */

/* The bias into `to`, as what sums begin with. */
static void begin_sums(struct stoa_c *code, const float *bias, size_t count, const char *to) {
    struct stoa_c_text *text = &code->layers;
    if (bias) {
        stoa_c_constant(code, "bias", bias, count);
    }
    stoa_c_open(text, "for (int k = 0; k < %zu; k++)", count);
    stoa_c_line(text, "%s[k] = %s;", to, bias ? "bias[k]" : "0.0F");
    stoa_c_close(text);
}

/* What is done to sums that lie in y. */
static void end_sums(struct stoa_c *code, size_t count) {
    struct stoa_c_text *text = &code->layers;
    if (stoa_c_has_chain(code)) {
        stoa_c_open(text, "for (int k = 0; k < %zu; k++)", count);
        stoa_c_line(text, "float v = y[k];");
        stoa_c_finish(code, "k", "k", "y[k]");
        stoa_c_close(text);
    }
}

static void write_dense(struct stoa_c *code, const float *weight, const float *bias) {
    struct stoa_c_text *text = &code->layers;
    struct stoa_window w = conv2d_window(stoa_c_layer(code));
    size_t filters = stoa_c_layer(code)->output.dim[2];
    size_t terms = w.kernel_width * w.channels;
    code->uses[STOA_C_PRODUCT] = true;
    stoa_c_constant(code, "weight", weight, w.kernel_height * terms * filters);
    begin_sums(code, bias, filters, "y");
    if (w.kernel_width == w.width) {
        stoa_c_line(text, "%s_product(x, weight, %zu, %zu, y);", code->name, w.kernel_height * terms,
                    filters);
    } else {
        stoa_c_open(text, "for (int row = 0; row < %zu; row++)", w.kernel_height);
        stoa_c_line(text, "%s_product(x + row * %zu, weight + row * %zu, %zu, %zu, y);", code->name,
                    w.width * w.channels, terms * filters, terms, filters);
        stoa_c_close(text);
    }
    end_sums(code, filters);
}

void stoa_c_conv2d(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    const struct stoa_c_border border = stoa_c_result_border(code);
    float *weight;
    float *bias;
    if (!stoa_c_folded(code, &weight, &bias)) {
        return;
    }
    if (is_depthwise(layer)) {
        write_depthwise(code, weight, bias);
    } else if (is_dense(layer) && !stoa_c_has_border(&border)) {
        write_dense(code, weight, bias);
    } else {
        write_blocks(code, weight, bias);
    }
    free(weight);
    free(bias);
}

void stoa_c_linear(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    float *weight;
    float *bias;
    if (!stoa_c_folded(code, &weight, &bias)) {
        return;
    }
    size_t units = layer->output.dim[0];
    size_t terms = stoa_shape_size(&layer->input[0]);
    code->uses[STOA_C_PRODUCT] = true;
    stoa_c_constant(code, "weight", weight, terms * units);
    begin_sums(code, bias, units, "y");
    stoa_c_line(&code->layers, "%s_product(x, weight, %zu, %zu, y);", code->name, terms, units);
    end_sums(code, units);
    free(weight);
    free(bias);
}

/* ---- conv_transpose2d ---- */

/* Weights (taps, filters of a group, channels) with the filters last: (taps, groups, channels, filters). */
static float *turn_weights(const float *weight, size_t taps, size_t groups, size_t channels, size_t filters) {
    size_t c_group = channels / groups;
    size_t k_group = filters / groups;
    float *turned = malloc(stoa_max(1, taps * channels * k_group) * sizeof *turned);
    for (size_t t = 0; turned && t < taps; t++) {
        for (size_t c = 0; c < channels; c++) {
            for (size_t k = 0; k < k_group; k++) {
                turned[((t * groups + c / c_group) * c_group + c % c_group) * k_group + k] =
                    weight[(t * k_group + k) * channels + c];
            }
        }
    }
    return turned;
}

/* The options of a transposed convolution. */
struct transposed {
    struct stoa_pair kernel, stride, dilation;
    size_t groups, top, left; /* padding */
};

/* Rows or columns that are cut off in front. With pad=same the output's size says what is cut in all. */
static size_t cut_in_front(const struct stoa_padding *pad, size_t given, size_t whole, size_t output) {
    size_t back;
    if (pad->kind != STOA_PAD_GIVEN) {
        stoa_cut_padding(pad->kind, whole > output ? whole - output : 0, &given, &back);
    }
    return given;
}

static struct transposed transposed_of(const struct stoa_layer *layer) {
    const struct stoa_padding *pad = stoa_c_option(layer, "pad");
    const struct stoa_pair *more = stoa_c_option(layer, "output_pad");
    const size_t *in = layer->input[0].dim;
    struct transposed t = {.kernel = *(const struct stoa_pair *)stoa_c_option(layer, "kernel"),
                           .stride = *(const struct stoa_pair *)stoa_c_option(layer, "stride"),
                           .dilation = *(const struct stoa_pair *)stoa_c_option(layer, "dilation"),
                           .groups = stoa_c_option_size(layer, "groups")};
    size_t height = reach(in[0], t.stride.height, t.kernel.height, t.dilation.height) + more->height;
    size_t width = reach(in[1], t.stride.width, t.kernel.width, t.dilation.width) + more->width;
    t.top = cut_in_front(pad, pad->top, height, layer->output.dim[0]);
    t.left = cut_in_front(pad, pad->left, width, layer->output.dim[1]);
    return t;
}

/* Of an axis: the input that a tap of an output comes from, where there is one. */
static void write_tap(struct stoa_c *code, const char *output, const char *tap, size_t pad, size_t stride,
                      size_t dilation, size_t size) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_line(text, "int %s_at = %s + %zu - %s * %zu;", tap, output, pad, tap, dilation);
    stoa_c_open(text, "if (%s_at < 0 || %s_at %% %zu != 0 || %s_at / %zu >= %zu)", tap, tap, stride, tap,
                stride, size);
    stoa_c_line(text, "continue;");
    stoa_c_close(text);
}

void stoa_c_conv_transpose2d(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    const size_t *in = layer->input[0].dim;
    const size_t *out = layer->output.dim;
    const struct transposed t = transposed_of(layer);
    float *weight;
    float *bias;
    if (!stoa_c_folded(code, &weight, &bias)) {
        return;
    }
    size_t taps = t.kernel.height * t.kernel.width;
    size_t block = in[2] / t.groups * (out[2] / t.groups);
    float *turned = turn_weights(weight, taps, t.groups, in[2], out[2]);
    if (turned) {
        stoa_c_constant(code, "weight", turned, taps * t.groups * block);
    }
    code->failed = code->failed || !turned;
    if (bias) {
        stoa_c_constant(code, "bias", bias, out[2]);
    }
    code->uses[STOA_C_PRODUCT] = true;
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", out[0]);
    stoa_c_open(text, "for (int j = 0; j < %zu; j++)", out[1]);
    stoa_c_line(text, "float *to = y + (i * %zu + j) * %zu;", out[1], out[2]);
    stoa_c_open(text, "for (int k = 0; k < %zu; k++)", out[2]);
    stoa_c_line(text, "to[k] = %s;", bias ? "bias[k]" : "0.0F");
    stoa_c_close(text);
    stoa_c_open(text, "for (int row = 0; row < %zu; row++)", t.kernel.height);
    write_tap(code, "i", "row", t.top, t.stride.height, t.dilation.height, in[0]);
    stoa_c_open(text, "for (int column = 0; column < %zu; column++)", t.kernel.width);
    write_tap(code, "j", "column", t.left, t.stride.width, t.dilation.width, in[1]);
    stoa_c_line(text, "const float *from = x + (row_at / %zu * %zu + column_at / %zu) * %zu;",
                t.stride.height, in[1], t.stride.width, in[2]);
    stoa_c_line(text, "const float *w = weight + (row * %zu + column) * %zu;", t.kernel.width,
                t.groups * block);
    if (t.groups > 1) {
        stoa_c_open(text, "for (int g = 0; g < %zu; g++)", t.groups);
        stoa_c_line(text, "%s_product(from + g * %zu, w + g * %zu, %zu, %zu, to + g * %zu);", code->name,
                    in[2] / t.groups, block, in[2] / t.groups, out[2] / t.groups, out[2] / t.groups);
        stoa_c_close(text);
    } else {
        stoa_c_line(text, "%s_product(from, w, %zu, %zu, to);", code->name, in[2], out[2]);
    }
    stoa_c_close(text);
    stoa_c_close(text);
    if (stoa_c_has_chain(code)) {
        stoa_c_open(text, "for (int k = 0; k < %zu; k++)", out[2]);
        stoa_c_line(text, "float v = to[k];");
        if (stoa_c_chain_by_index(code)) {
            stoa_c_line(text, "int at = (i * %zu + j) * %zu;", out[1], out[2]);
        }
        stoa_c_finish(code, "at + k", "k", "to[k]");
        stoa_c_close(text);
    }
    stoa_c_close(text);
    stoa_c_close(text);
    free(turned);
    free(weight);
    free(bias);
}
