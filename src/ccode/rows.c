/* SPDX-License-Identifier: MIT */
/* Operators that look at all numbers of a row, as C. */
#include <stdio.h>

#include "base/size.h"
#include "ccode/ccode.h"

/* The loop over rows of `columns` numbers, x and y moved to each. */
static void open_rows(struct stoa_c *code, size_t columns) {
    struct stoa_c_text *text = &code->layers;
    size_t count = stoa_shape_size(&stoa_c_layer(code)->output);
    stoa_c_open(text, "for (int i = 0; i < %zu; i += %zu)", count, columns);
    stoa_c_line(text, "const float *from = x + i;");
    stoa_c_line(text, "float *to = y + i;");
}

static void open_columns(struct stoa_c *code, size_t columns) {
    stoa_c_open(&code->layers, "for (int c = 0; c < %zu; c++)", columns);
}

static void write_largest(struct stoa_c *code, size_t columns) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_line(text, "float largest = from[0];");
    stoa_c_line(text, "float sum = 0.0F;");
    open_columns(code, columns);
    stoa_c_line(text, "largest = from[c] > largest ? from[c] : largest;");
    stoa_c_close(text);
}

void stoa_c_softmax(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    size_t columns = stoa_c_channels(&stoa_c_layer(code)->output);
    open_rows(code, columns);
    write_largest(code, columns);
    open_columns(code, columns);
    stoa_c_line(text, "to[c] = expf(from[c] - largest);");
    stoa_c_line(text, "sum += to[c];");
    stoa_c_close(text);
    open_columns(code, columns);
    stoa_c_line(text, "to[c] /= sum;");
    stoa_c_close(text);
    stoa_c_close(text);
}

void stoa_c_log_softmax(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    size_t columns = stoa_c_channels(&stoa_c_layer(code)->output);
    open_rows(code, columns);
    write_largest(code, columns);
    open_columns(code, columns);
    stoa_c_line(text, "sum += expf(from[c] - largest);");
    stoa_c_close(text);
    stoa_c_line(text, "sum = logf(sum);");
    open_columns(code, columns);
    stoa_c_line(text, "to[c] = from[c] - largest - sum;");
    stoa_c_close(text);
    stoa_c_close(text);
}

/* Mean and sum of squared distances from it, in double. */
static void write_moments(struct stoa_c *code, size_t columns) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_line(text, "double mean = 0.0;");
    stoa_c_line(text, "double squares = 0.0;");
    open_columns(code, columns);
    stoa_c_line(text, "mean += (double)from[c];");
    stoa_c_close(text);
    stoa_c_line(text, "mean /= %zu.0;", columns);
    open_columns(code, columns);
    stoa_c_line(text, "double distance = (double)from[c] - mean;");
    stoa_c_line(text, "squares += distance * distance;");
    stoa_c_close(text);
}

void stoa_c_layernorm(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    enum { OVER_SAMPLE = 1 };
    size_t columns = stoa_c_option_size(layer, "over") == OVER_SAMPLE ? stoa_shape_size(&layer->output)
                                                                      : stoa_c_channels(&layer->output);
    stoa_c_declare_tensors(code);
    open_rows(code, columns);
    write_moments(code, columns);
    char epsilon[STOA_C_NUMBER];
    stoa_c_line(text, "double scale = 1.0 / sqrt(squares / %zu.0 + (double)%s);", columns,
                stoa_c_number(stoa_c_option_float(layer, "epsilon"), epsilon));
    open_columns(code, columns);
    if (layer->tensors > 0) {
        stoa_c_line(text, "to[c] = (float)(((double)from[c] - mean) * scale) * t0_0[c] + t0_1[c];");
    } else {
        stoa_c_line(text, "to[c] = (float)(((double)from[c] - mean) * scale);");
    }
    stoa_c_close(text);
    stoa_c_close(text);
}

void stoa_c_std(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    size_t columns = stoa_shape_size(&layer->input[0]);
    stoa_c_line(text, "const float *from = x;");
    write_moments(code, columns);
    stoa_c_line(text, "y[0] = (float)sqrt(squares / %zu.0);",
                columns - (stoa_c_option_bool(layer, "unbiased") ? 1 : 0));
}
