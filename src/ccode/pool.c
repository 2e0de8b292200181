/* SPDX-License-Identifier: MIT */
/* Windows whose channels do not mix: pooling and depthwise convolution, an output pixel at a time, with the
 * channels innermost. Taps outside of the image are passed over. */
#include <stdio.h>

#include "base/size.h"
#include "ccode/ccode.h"
#include "ops/pool.h"

/* Channels whose sums lie on the stack at once. */
enum { MOST_CHANNELS = 256 };

/* Of an axis: the input row or column of a tap, and what passes over it. */
static void write_tap(struct stoa_c *code, const char *output, const char *tap, size_t pad, size_t stride,
                      size_t dilation, size_t size) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_line(text, "int %s_at = %s * %zu + %s * %zu - %zu;", tap, output, stride, tap, dilation, pad);
    stoa_c_open(text, "if (%s_at < 0 || %s_at >= %zu)", tap, tap, size);
    stoa_c_line(text, "continue;");
    stoa_c_close(text);
}

static void write_taps(struct stoa_c *code, const struct stoa_c_taps *taps) {
    struct stoa_c_text *text = &code->layers;
    const struct stoa_window *w = &taps->window;
    stoa_c_open(text, "for (int row = 0; row < %zu; row++)", w->kernel_height);
    write_tap(code, "i", "row", w->pad_top, w->stride_height, w->dilation_height, w->height);
    stoa_c_open(text, "for (int column = 0; column < %zu; column++)", w->kernel_width);
    write_tap(code, "j", "column", w->pad_left, w->stride_width, w->dilation_width, w->width);
    stoa_c_line(text, "const float *from = x + (row_at * %zu + column_at) * %zu + first;", w->width,
                w->channels);
    if (taps->weight) {
        stoa_c_line(text, "const float *w = %s + (row * %zu + column) * %zu + first;", taps->weight,
                    w->kernel_width, w->channels);
    }
    if (taps->counts && !taps->counts_padding) {
        stoa_c_line(text, "taps++;");
    }
    stoa_c_open(text, "for (int c = 0; c < channels; c++)");
    stoa_c_line(text, "%s", taps->take);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
}

/* Taps that lie in the image or its padding, where a window may hang over. */
static void count_taps(struct stoa_c *code, const struct stoa_window *w) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_open(text, "for (int row = 0; row < %zu; row++)", w->kernel_height);
    stoa_c_open(text, "for (int column = 0; column < %zu; column++)", w->kernel_width);
    stoa_c_line(text, "taps += i * %zu + row * %zu < %zu && j * %zu + column * %zu < %zu;", w->stride_height,
                w->dilation_height, w->pad_top + w->height + w->pad_bottom, w->stride_width,
                w->dilation_width, w->pad_left + w->width + w->pad_right);
    stoa_c_close(text);
    stoa_c_close(text);
}

static void write_result(struct stoa_c *code, const struct stoa_c_taps *taps) {
    struct stoa_c_text *text = &code->layers;
    const struct stoa_window *w = &taps->window;
    struct stoa_c_border border = stoa_c_result_border(code);
    if (stoa_c_chain_by_index(code)) {
        stoa_c_line(text, "int at = (i * %zu + j) * %zu + first;", w->out_width, w->channels);
    }
    if (stoa_c_has_border(&border)) {
        stoa_c_line(text, "float *to = y + ((i + %zu) * %zu + j + %zu) * %zu + first;", border.top,
                    border.width, border.left, w->channels);
    } else {
        stoa_c_line(text, "float *to = y + (i * %zu + j) * %zu + first;", w->out_width, w->channels);
    }
    stoa_c_open(text, "for (int c = 0; c < channels; c++)");
    stoa_c_line(text, "float v = %s;", taps->result);
    stoa_c_finish(code, "at + c", "first + c", "to[c]");
    stoa_c_close(text);
}

void stoa_c_over_taps(struct stoa_c *code, const struct stoa_c_taps *taps) {
    struct stoa_c_text *text = &code->layers;
    const struct stoa_window *w = &taps->window;
    size_t channels = stoa_min(w->channels, MOST_CHANNELS);
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", w->out_height);
    stoa_c_open(text, "for (int j = 0; j < %zu; j++)", w->out_width);
    stoa_c_open(text, "for (int first = 0; first < %zu; first += %zu)", w->channels, channels);
    stoa_c_line(text, "float sum[%zu];", channels);
    if (w->channels % channels == 0) {
        stoa_c_line(text, "const int channels = %zu;", channels);
    } else {
        stoa_c_line(text, "int channels = %zu - first < %zu ? %zu - first : %zu;", w->channels, channels,
                    w->channels, channels);
    }
    if (taps->counts) {
        stoa_c_line(text, "int taps = 0;");
    }
    stoa_c_open(text, "for (int c = 0; c < channels; c++)");
    stoa_c_line(text, "sum[c] = %s;", taps->first);
    stoa_c_close(text);
    if (taps->counts_padding) {
        count_taps(code, w);
    }
    write_taps(code, taps);
    write_result(code, taps);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
}

void stoa_c_maxpool2d(struct stoa_c *code) {
    stoa_c_write_border(code);
    stoa_c_over_taps(code, &(struct stoa_c_taps){.window = stoa_pool_window(stoa_c_layer(code)),
                                                 .first = "-INFINITY",
                                                 .take = "sum[c] = from[c] > sum[c] ? from[c] : sum[c];",
                                                 .result = "sum[c]"});
}

void stoa_c_avgpool2d(struct stoa_c *code) {
    struct stoa_window w = stoa_pool_window(stoa_c_layer(code));
    /* All taps of a window count alike, unless the padding does not, or a window hangs over its end. */
    bool padding = stoa_c_option_bool(stoa_c_layer(code), "include_pad");
    size_t bottom = (w.out_height - 1) * w.stride_height + (w.kernel_height - 1) * w.dilation_height;
    size_t right = (w.out_width - 1) * w.stride_width + (w.kernel_width - 1) * w.dilation_width;
    bool all =
        padding && bottom < w.pad_top + w.height + w.pad_bottom && right < w.pad_left + w.width + w.pad_right;
    char result[STOA_C_EXPRESSION];
    (void)snprintf(result, sizeof result, "sum[c] / %zu.0F", w.kernel_height * w.kernel_width);
    stoa_c_write_border(code);
    stoa_c_over_taps(code, &(struct stoa_c_taps){.window = w,
                                                 .first = "0.0F",
                                                 .take = "sum[c] += from[c];",
                                                 .result = all ? result : "sum[c] / (float)taps",
                                                 .counts = !all,
                                                 .counts_padding = padding && !all});
}

void stoa_c_global_maxpool(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    const size_t *in = stoa_c_layer(code)->input[0].dim;
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", in[2]);
    stoa_c_line(text, "float v = x[c];");
    stoa_c_open(text, "for (int i = 1; i < %zu; i++)", in[0] * in[1]);
    stoa_c_line(text, "v = x[i * %zu + c] > v ? x[i * %zu + c] : v;", in[2], in[2]);
    stoa_c_close(text);
    stoa_c_finish(code, "c", "c", "y[c]");
    stoa_c_close(text);
}

void stoa_c_global_avgpool(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    const size_t *in = stoa_c_layer(code)->input[0].dim;
    size_t pixels = in[0] * in[1];
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", in[2]);
    stoa_c_line(text, "y[c] = 0.0F;");
    stoa_c_close(text);
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", pixels);
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", in[2]);
    stoa_c_line(text, "y[c] += x[i * %zu + c];", in[2]);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", in[2]);
    stoa_c_line(text, "float v = y[c] / %zu.0F;", pixels);
    stoa_c_finish(code, "c", "c", "y[c]");
    stoa_c_close(text);
}
