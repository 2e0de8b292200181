/* SPDX-License-Identifier: MIT */
/* Operators that move numbers, as C. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/size.h"
#include "ccode/ccode.h"

/* Rows of `part` numbers of an input into rows of `whole` numbers of y, from `first` on. */
static void copy_rows(struct stoa_c *code, const char *x, size_t rows, size_t part, size_t first,
                      size_t whole) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", rows);
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", part);
    stoa_c_line(text, "y[i * %zu + %zu + c] = %s[i * %zu + c];", whole, first, x, part);
    stoa_c_close(text);
    stoa_c_close(text);
}

/* Numbers of a shape from an axis on: they lie together. */
static size_t run_of(const struct stoa_shape *shape, size_t axis) {
    size_t size = 1;
    for (size_t i = axis; i < shape->rank; i++) {
        size *= shape->dim[i];
    }
    return size;
}

/* The axis that the inputs differ in, or the last. */
static size_t joined_axis(const struct stoa_layer *layer) {
    for (size_t i = 0; i < layer->output.rank; i++) {
        if (layer->output.dim[i] != layer->input[0].dim[i]) {
            return i;
        }
    }
    return layer->output.rank - 1;
}

void stoa_c_concat(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    size_t axis = joined_axis(layer);
    size_t whole = run_of(&layer->output, axis);
    size_t first = 0;
    for (size_t k = 0; k < layer->inputs; k++) {
        char x[STOA_C_EXPRESSION];
        size_t part = run_of(&layer->input[k], axis);
        (void)snprintf(x, sizeof x, layer->inputs == 1 ? "x" : "x%zu", k);
        copy_rows(code, x, stoa_shape_size(&layer->output) / whole, part, first, whole);
        first += part;
    }
}

/* Where each number of y comes from, counted from 1, as the double reference tells it of the numbers 1, 2,
 * 3, ... */
static void write_table(struct stoa_c *code, const double *y, size_t count, size_t most) {
    struct stoa_c_text *text = &code->layers;
    stoa_c_print(text, "    static const int from[%zu] = {", count);
    for (size_t i = 0; i < count; i++) {
        bool comes = y[i] >= 1 && y[i] <= (double)most && floor(y[i]) == y[i];
        stoa_c_print(text, "%s%zu",
                     i == 0        ? ""
                     : i % 16 == 0 ? ",\n        "
                                   : ", ",
                     comes ? (size_t)y[i] : 0);
    }
    stoa_c_print(text, "};\n");
}

void stoa_c_gather(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    size_t inputs = stoa_shape_size(&layer->input[0]);
    size_t outputs = stoa_shape_size(&layer->output);
    double *x = malloc(inputs * sizeof *x);
    double *y = malloc(outputs * sizeof *y);
    code->failed = code->failed || !x || !y;
    for (size_t i = 0; x && i < inputs; i++) {
        x[i] = (double)(i + 1);
    }
    if (x && y) {
        const double *const from[] = {x};
        const struct stoa_op_reference run = {.layer = layer, .batch = 1, .x = from, .y = y};
        layer->op->reference_forward(&run);
        write_table(code, y, outputs, inputs);
        stoa_c_open(&code->layers, "for (int i = 0; i < %zu; i++)", outputs);
        stoa_c_line(&code->layers, "y[i] = x[from[i] - 1];");
        stoa_c_close(&code->layers);
    }
    free(x);
    free(y);
}

/* Zeros of whole numbers of either sign, which options of several versions hold. */
static bool is_border(const struct stoa_layer *layer, const char *name) {
    int64_t number = 0;
    if (stoa_c_has_option(layer, name)) {
        number = *(const int64_t *)stoa_c_option(layer, name);
    }
    return number >= 0;
}

bool stoa_c_takes_pad(const struct stoa_layer *layer) {
    bool constant = !stoa_c_has_option(layer, "mode") || stoa_c_option_size(layer, "mode") == 0;
    return constant && is_border(layer, "top") && is_border(layer, "bottom") && is_border(layer, "left") &&
           is_border(layer, "right") && layer->input[0].dim[2] == layer->output.dim[2];
}

void stoa_c_pad(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    const struct stoa_pair *size = stoa_c_option(layer, "size");
    const size_t *in = layer->input[0].dim;
    const size_t *out = layer->output.dim;
    size_t top = size->height + stoa_c_option_size(layer, "top");
    size_t left = size->width + stoa_c_option_size(layer, "left");
    char value[STOA_C_NUMBER];
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", out[0] * out[1] * out[2]);
    stoa_c_line(text, "y[i] = %s;", stoa_c_number(stoa_c_option_float(layer, "value"), value));
    stoa_c_close(text);
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", in[0]);
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", in[1] * in[2]);
    stoa_c_line(text, "y[(i + %zu) * %zu + %zu + c] = x[i * %zu + c];", top, out[1] * out[2], left * in[2],
                in[1] * in[2]);
    stoa_c_close(text);
    stoa_c_close(text);
}

void stoa_c_upsample(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    const struct stoa_pair *scale = stoa_c_option(layer, "scale");
    const size_t *in = layer->input[0].dim;
    const size_t *out = layer->output.dim;
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", out[0]);
    stoa_c_open(text, "for (int j = 0; j < %zu; j++)", out[1]);
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", out[2]);
    stoa_c_line(text, "y[(i * %zu + j) * %zu + c] = x[(i / %zu * %zu + j / %zu) * %zu + c];", out[1], out[2],
                scale->height, in[1], scale->width, out[2]);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
}

/* Memory as a matrix [pixels][channels] whose transpose is PyTorch's order, in which numbers are counted. */
struct matrix {
    size_t pixels, channels;
};

static struct matrix matrix_of(const struct stoa_shape *shape) {
    const size_t *image = shape->rank == 3 ? shape->dim : shape->flattened;
    return image[0] == 0 ? (struct matrix){shape->dim[0], 1} : (struct matrix){image[0] * image[1], image[2]};
}

/* Where number i of PyTorch's order lies. */
static void place_of(struct matrix m, char out[STOA_C_EXPRESSION]) {
    if (m.pixels == 1 || m.channels == 1) {
        (void)snprintf(out, STOA_C_EXPRESSION, "i");
    } else {
        (void)snprintf(out, STOA_C_EXPRESSION, "i %% %zu * %zu + i / %zu", m.pixels, m.channels, m.pixels);
    }
}

void stoa_c_reshape(struct stoa_c *code) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    char from[STOA_C_EXPRESSION];
    char to[STOA_C_EXPRESSION];
    place_of(matrix_of(&layer->input[0]), from);
    place_of(matrix_of(&layer->output), to);
    stoa_c_open(&code->layers, "for (int i = 0; i < %zu; i++)", stoa_shape_size(&layer->output));
    stoa_c_line(&code->layers, "y[%s] = x[%s];", to, from);
    stoa_c_close(&code->layers);
}
