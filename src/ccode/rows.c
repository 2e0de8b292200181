/* SPDX-License-Identifier: MIT */
/* Operators that look at all numbers of a row, as C. */
#include <stdio.h>

#include "base/size.h"
#include "ccode/ccode.h"

/* ---- softmax and its logarithm ---- */

/* A sample as [outer][along][inner] with the numbers of a row in the middle. */
struct rows {
    size_t outer, along, inner;
};

/* Rows over what a choice of axes names. */
static struct rows rows_over(const struct stoa_layer *layer, const char *option) {
    const struct stoa_shape *x = &layer->input[0];
    size_t channels = stoa_c_channels(x);
    size_t pixels = stoa_shape_size(x) / channels;
    if (stoa_c_option_is(layer, option, "channels")) {
        return (struct rows){pixels, channels, 1};
    }
    if (stoa_c_option_is(layer, option, "space")) {
        return (struct rows){1, pixels, channels};
    }
    if (stoa_c_option_is(layer, option, "height")) {
        return (struct rows){1, x->dim[0], x->dim[1] * x->dim[2]};
    }
    if (stoa_c_option_is(layer, option, "width")) {
        return (struct rows){x->dim[0], x->dim[1], x->dim[2]};
    }
    return (struct rows){1, stoa_shape_size(x), 1}; /* the sample or all */
}

/* The loop over rows of `columns` numbers that lie together, x and y moved to each. */
static void open_rows(struct stoa_c *code, size_t columns) {
    struct stoa_c_text *text = &code->layers;
    size_t count = stoa_shape_size(&stoa_c_layer(code)->output);
    stoa_c_open(text, "for (int i = 0; i < %zu; i += %zu)", count, columns);
    stoa_c_line(text, "const float *from = x + i;");
    stoa_c_line(text, "float *to = y + i;");
}

/* Loops over all rows, and where number c of one lies in it. */
static void open_spread_rows(struct stoa_c *code, const struct rows *rows, char at[STOA_C_ARGUMENT]) {
    struct stoa_c_text *text = &code->layers;
    if (rows->inner == 1) {
        open_rows(code, rows->along);
        (void)snprintf(at, STOA_C_ARGUMENT, "c");
        return;
    }
    stoa_c_open(text, "for (int k = 0; k < %zu; k++)", rows->outer * rows->inner);
    stoa_c_line(text, "int first = k / %zu * %zu + k %% %zu;", rows->inner, rows->along * rows->inner,
                rows->inner);
    stoa_c_line(text, "const float *from = x + first;");
    stoa_c_line(text, "float *to = y + first;");
    (void)snprintf(at, STOA_C_ARGUMENT, "c * %zu", rows->inner);
}

static void open_columns(struct stoa_c *code, size_t columns) {
    stoa_c_open(&code->layers, "for (int c = 0; c < %zu; c++)", columns);
}

static void write_largest(struct stoa_c *code, size_t columns, const char *at) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_line(text, "float largest = from[0];");
    stoa_c_line(text, "float sum = 0.0F;");
    open_columns(code, columns);
    stoa_c_line(text, "largest = from[%s] > largest ? from[%s] : largest;", at, at);
    stoa_c_close(text);
}

void stoa_c_softmax(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    const struct rows rows = rows_over(stoa_c_layer(code), "axis");
    char at[STOA_C_ARGUMENT];
    open_spread_rows(code, &rows, at);
    write_largest(code, rows.along, at);
    open_columns(code, rows.along);
    stoa_c_line(text, "to[%s] = expf(from[%s] - largest);", at, at);
    stoa_c_line(text, "sum += to[%s];", at);
    stoa_c_close(text);
    open_columns(code, rows.along);
    stoa_c_line(text, "to[%s] /= sum;", at);
    stoa_c_close(text);
    stoa_c_close(text);
}

void stoa_c_log_softmax(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    const struct rows rows = rows_over(stoa_c_layer(code), "axis");
    char at[STOA_C_ARGUMENT];
    open_spread_rows(code, &rows, at);
    write_largest(code, rows.along, at);
    open_columns(code, rows.along);
    stoa_c_line(text, "sum += expf(from[%s] - largest);", at);
    stoa_c_close(text);
    stoa_c_line(text, "sum = logf(sum);");
    open_columns(code, rows.along);
    stoa_c_line(text, "to[%s] = from[%s] - largest - sum;", at, at);
    stoa_c_close(text);
    stoa_c_close(text);
}

/* ---- moments ---- */

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

/* A loop over all numbers of the group of channels from g on. */
static void open_group(struct stoa_c *code, size_t members) {
    const struct stoa_shape *shape = &stoa_c_layer(code)->output;
    stoa_c_open(&code->layers, "for (int i = g; i < %zu; i += %zu)", stoa_shape_size(shape),
                stoa_c_channels(shape));
    open_columns(code, members);
}

static void close_group(struct stoa_c *code) {
    stoa_c_close(&code->layers);
    stoa_c_close(&code->layers);
}

void stoa_c_groupnorm(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    size_t channels = stoa_c_channels(&layer->output);
    size_t groups = stoa_c_option_size(layer, "groups");
    size_t members = groups == 0 ? 1 : channels / groups;
    size_t count = stoa_shape_size(&layer->output) / channels * members;
    char epsilon[STOA_C_NUMBER];
    stoa_c_declare_tensors(code);
    stoa_c_open(text, "for (int g = 0; g < %zu; g += %zu)", channels, members);
    stoa_c_line(text, "double mean = 0.0;");
    stoa_c_line(text, "double squares = 0.0;");
    open_group(code, members);
    stoa_c_line(text, "mean += (double)x[i + c];");
    close_group(code);
    stoa_c_line(text, "mean /= %zu.0;", count);
    open_group(code, members);
    stoa_c_line(text, "double distance = (double)x[i + c] - mean;");
    stoa_c_line(text, "squares += distance * distance;");
    close_group(code);
    stoa_c_line(text, "double scale = 1.0 / sqrt(squares / %zu.0 + (double)%s);", count,
                stoa_c_number(stoa_c_option_float(layer, "epsilon"), epsilon));
    open_group(code, members);
    stoa_c_line(text, "float v = (float)(((double)x[i + c] - mean) * scale)%s;",
                layer->tensors > 0 ? " * t0_0[g + c] + t0_1[g + c]" : "");
    stoa_c_finish(code, "i + c", "g + c", "y[i + c]");
    close_group(code);
    stoa_c_close(text);
}

/* ---- sums ---- */

void stoa_c_lrn(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    size_t channels = stoa_c_channels(&layer->output);
    size_t size = stoa_c_option_size(layer, "size");
    size_t before = (size - 1) / 2;
    char bias[STOA_C_NUMBER];
    char factor[STOA_C_NUMBER];
    char beta[STOA_C_NUMBER];
    open_rows(code, channels);
    open_columns(code, channels);
    stoa_c_line(text, "int begin = c > %zu ? c - %zu : 0;", before, before);
    stoa_c_line(text, "int end = c + %zu < %zu ? c + %zu : %zu;", size - before, channels, size - before,
                channels);
    stoa_c_line(text, "float sum = 0.0F;");
    stoa_c_open(text, "for (int j = begin; j < end; j++)");
    stoa_c_line(text, "sum += from[j] * from[j];");
    stoa_c_close(text);
    stoa_c_line(text, "to[c] = from[c] * powf(%s + %s * sum, -%s);",
                stoa_c_number(stoa_c_option_float(layer, "bias"), bias),
                stoa_c_number(stoa_c_option_float(layer, "alpha") / (float)size, factor),
                stoa_c_number(stoa_c_option_float(layer, "beta"), beta));
    stoa_c_close(text);
    stoa_c_close(text);
}

/* The sums or the largest of columns; what one is made of lies `inner` numbers apart. */
static void reduce_columns(struct stoa_c *code, const struct rows *rows, const char *take) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_open(text, "for (int k = 0; k < %zu; k++)", rows->inner);
    stoa_c_line(text, "to[k] = from[k];");
    stoa_c_close(text);
    stoa_c_open(text, "for (int c = 1; c < %zu; c++)", rows->along);
    stoa_c_open(text, "for (int k = 0; k < %zu; k++)", rows->inner);
    stoa_c_line(text, "float v = to[k];");
    stoa_c_line(text, "float next = from[c * %zu + k];", rows->inner);
    stoa_c_line(text, "to[k] = %s;", take);
    stoa_c_close(text);
    stoa_c_close(text);
}

/* The same of one row: a long sum is kept in double. */
static void reduce_row(struct stoa_c *code, const struct rows *rows, const char *take, bool is_sum) {
    struct stoa_c_text *text = &code->layers;
    const char *type = is_sum ? "double" : "float";
    stoa_c_line(text, is_sum ? "double v = (double)from[0];" : "float v = from[0];");
    stoa_c_open(text, "for (int c = 1; c < %zu; c++)", rows->along);
    stoa_c_line(text, "%s next = %sfrom[c];", type, is_sum ? "(double)" : "");
    stoa_c_line(text, "v = %s;", take);
    stoa_c_close(text);
    stoa_c_line(text, "to[0] = %sv;", is_sum ? "(float)" : "");
}

void stoa_c_reduce(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    const struct rows rows = rows_over(layer, "axes");
    bool is_largest = stoa_c_option_is(layer, "by", "max");
    const char *take = is_largest ? "v > next || v != v ? v : next" : "v + next";
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", rows.outer);
    stoa_c_line(text, "const float *from = x + i * %zu;", rows.along * rows.inner);
    stoa_c_line(text, "float *to = y + i * %zu;", rows.inner);
    if (rows.inner == 1) {
        reduce_row(code, &rows, take, !is_largest);
    } else {
        reduce_columns(code, &rows, take);
    }
    if (stoa_c_option_is(layer, "by", "mean")) {
        stoa_c_open(text, "for (int k = 0; k < %zu; k++)", rows.inner);
        stoa_c_line(text, "to[k] /= %zu.0F;", rows.along);
        stoa_c_close(text);
    }
    stoa_c_close(text);
}
