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

/* ---- moves whose axes do not depend on each other ---- */

enum { AXES = 3 }; /* height, width and channels; a vector is one pixel */

/* Places [begin, end) of an axis of y come from x: each `from` numbers behind where the first comes from. */
struct axis {
    size_t size, begin, end;
    int *from;
};

struct move {
    struct axis axis[AXES];
    size_t first; /* number of x that the first place of all comes from */
};

static void sizes_of(const struct stoa_shape *shape, size_t size[AXES]) {
    for (size_t i = 0; i < AXES; i++) {
        size[i] = shape->rank == 3 ? shape->dim[i] : i + 1 == AXES ? shape->dim[0] : 1;
    }
}

static size_t place_of_move(const struct move *move, const size_t at[AXES]) {
    return (at[0] * move->axis[1].size + at[1]) * move->axis[2].size + at[2];
}

/* The numbers of x as they come to y, counted from 1, with 0 where a number is none of x: the double
 * reference tells them of numbers of both signs, since a constant keeps its own. Released with free(); NULL
 * without memory. */
static double *trace(const struct stoa_layer *layer) {
    size_t inputs = stoa_shape_size(&layer->input[0]);
    size_t outputs = stoa_shape_size(&layer->output);
    double *x = malloc(inputs * sizeof *x);
    double *y = malloc(outputs * sizeof *y);
    double *negative = malloc(outputs * sizeof *negative);
    bool good = x && y && negative;
    for (int sign = 1; good && sign >= -1; sign -= 2) {
        const double *const from[] = {x};
        const struct stoa_op_reference run = {
            .layer = layer, .batch = 1, .x = from, .y = sign > 0 ? y : negative};
        for (size_t i = 0; i < inputs; i++) {
            x[i] = sign * (double)(i + 1);
        }
        layer->op->reference_forward(&run);
    }
    for (size_t i = 0; good && i < outputs; i++) {
        bool comes = y[i] == -negative[i] && y[i] >= 1 && y[i] <= (double)inputs && floor(y[i]) == y[i];
        y[i] = comes ? y[i] : 0;
    }
    free(x);
    free(negative);
    if (!good) {
        free(y);
        return NULL;
    }
    return y;
}

/* Walk along each axis from the first place that comes from x. */
static void walk_axes(struct move *move, const double *y, size_t first) {
    const size_t base[AXES] = {first / move->axis[2].size / move->axis[1].size,
                               first / move->axis[2].size % move->axis[1].size, first % move->axis[2].size};
    move->first = (size_t)y[first] - 1;
    for (size_t k = 0; k < AXES; k++) {
        struct axis *axis = &move->axis[k];
        size_t at[AXES] = {base[0], base[1], base[2]};
        axis->begin = axis->end = base[k];
        while (axis->end < axis->size) {
            at[k] = axis->end;
            double from = y[place_of_move(move, at)];
            if (from == 0) {
                break;
            }
            axis->from[axis->end++] = (int)(from - y[first]);
        }
    }
}

/* Whether the axes say where every number comes from. */
static bool is_told(const struct move *move, const double *y) {
    const struct axis *a = move->axis;
    size_t at[AXES];
    bool same = true;
    for (size_t i = 0; same && i < a[0].size * a[1].size * a[2].size; i++) {
        at[0] = i / a[2].size / a[1].size;
        at[1] = i / a[2].size % a[1].size;
        at[2] = i % a[2].size;
        bool inside = true;
        double from = (double)move->first + 1;
        for (size_t k = 0; k < AXES; k++) {
            inside = inside && at[k] >= a[k].begin && at[k] < a[k].end;
            from += inside ? a[k].from[at[k]] : 0;
        }
        same = y[i] == (inside ? from : 0);
    }
    return same;
}

/* The axes of a layer's move, whose tables are released with free(axis[0].from). False where they do not say
 * it, and without memory. */
static bool find_move(const struct stoa_layer *layer, struct move *move) {
    size_t size[AXES];
    size_t outputs = stoa_shape_size(&layer->output);
    sizes_of(&layer->output, size);
    double *y = trace(layer);
    int *from = calloc(size[0] + size[1] + size[2], sizeof *from);
    bool good = y && from;
    size_t first = 0;
    while (good && first < outputs && y[first] == 0) {
        first++;
    }
    good = good && first < outputs;
    if (good) {
        *move = (struct move){.axis = {{.size = size[0], .from = from},
                                       {.size = size[1], .from = from + size[0]},
                                       {.size = size[2], .from = from + size[0] + size[1]}}};
        walk_axes(move, y, first);
        good = is_told(move, y);
    }
    free(y);
    if (!good) {
        free(from);
    }
    return good;
}

bool stoa_c_takes_move(const struct stoa_layer *layer) {
    struct move move;
    bool good = find_move(layer, &move);
    if (good) {
        free(move.axis[0].from);
    }
    return good;
}

/* Whether place i of an axis comes from i / run * far + i % run * near. */
static bool is_runs(const struct axis *axis, size_t run, int *far, int *near) {
    const int *from = axis->from + axis->begin;
    size_t count = axis->end - axis->begin;
    bool same = true;
    *far = run < count ? from[run] : 0;
    *near = run > 1 && count > 1 ? from[1] : 0;
    for (size_t i = 0; same && i < count; i++) {
        same = from[i] == (int)(i / run) * *far + (int)(i % run) * *near;
    }
    return same;
}

static void write_ints(struct stoa_c *code, const char *name, const int *values, size_t count) {
    enum { IN_A_LINE = 16 };
    struct stoa_c_text *text = &code->layers;
    stoa_c_print(text, "    static const int %s[%zu] = {", name, count);
    for (size_t i = 0; i < count; i++) {
        stoa_c_print(text, "%s%d", i == 0 ? "" : i % IN_A_LINE == 0 ? ",\n        " : ", ", values[i]);
    }
    stoa_c_print(text, "};\n");
}

/* Where place `index` of an axis comes from: as an expression, or by a table with this name. */
static void write_axis(struct stoa_c *code, const struct axis *axis, const char *index, const char *table,
                       char out[STOA_C_EXPRESSION]) {
    size_t count = axis->end - axis->begin;
    int far;
    int near;
    if (is_runs(axis, 1, &far, &near)) {
        if (far == 1) {
            (void)snprintf(out, STOA_C_EXPRESSION, "%s", index);
        } else {
            (void)snprintf(out, STOA_C_EXPRESSION, "%s * %d", index, far);
        }
        return;
    }
    for (size_t run = 2; run < count; run++) {
        if (is_runs(axis, run, &far, &near)) {
            int length = snprintf(out, STOA_C_EXPRESSION, "%s / %zu * %d", index, run, far);
            if (near != 0) {
                (void)snprintf(out + length, STOA_C_EXPRESSION - (size_t)length, " + %s %% %zu * %d", index,
                               run, near);
            }
            return;
        }
    }
    write_ints(code, table, axis->from + axis->begin, count);
    (void)snprintf(out, STOA_C_EXPRESSION, "%s[%s]", table, index);
}

/* The constant in all of y, where not all of it comes from x. */
static void write_constant(struct stoa_c *code, const struct move *move) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    bool whole = true;
    for (size_t k = 0; k < AXES; k++) {
        whole = whole && move->axis[k].end - move->axis[k].begin == move->axis[k].size;
    }
    if (!whole) {
        char value[STOA_C_NUMBER];
        stoa_c_open(&code->layers, "for (int i = 0; i < %zu; i++)", stoa_shape_size(&layer->output));
        stoa_c_line(&code->layers, "y[i] = %s;", stoa_c_number(stoa_c_option_float(layer, "value"), value));
        stoa_c_close(&code->layers);
    }
}

void stoa_c_move(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    struct move move;
    if (!find_move(stoa_c_layer(code), &move)) {
        code->failed = true;
        return;
    }
    const struct axis *a = move.axis;
    char row[STOA_C_EXPRESSION];
    char column[STOA_C_EXPRESSION];
    char channel[STOA_C_EXPRESSION];
    write_axis(code, &a[0], "i", "rows", row);
    write_axis(code, &a[1], "j", "columns", column);
    write_axis(code, &a[2], "c", "channels", channel);
    write_constant(code, &move);
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", a[0].end - a[0].begin);
    stoa_c_open(text, "for (int j = 0; j < %zu; j++)", a[1].end - a[1].begin);
    stoa_c_line(text, "const float *from = x + %zu + %s + %s;", move.first, row, column);
    stoa_c_line(text, "float *to = y + (i * %zu + j) * %zu + %zu;", a[1].size, a[2].size,
                place_of_move(&move, (const size_t[]){a[0].begin, a[1].begin, a[2].begin}));
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", a[2].end - a[2].begin);
    stoa_c_line(text, "to[c] = from[%s];", channel);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
    free(a[0].from);
}

/* ---- linear resize ---- */

static bool is_linear(const struct stoa_layer *layer) {
    return stoa_c_option_is(layer, "mode", "linear");
}

bool stoa_c_takes_resize(const struct stoa_layer *layer) {
    return is_linear(layer) || stoa_c_takes_move(layer);
}

/* Where each output of an axis stands in x, as the double reference tells it of an image whose numbers are
 * their rows or columns: the pixel before it, and the share of the next one. */
static void write_stands(struct stoa_c *code, bool rows, const char *before, const char *share) {
    const struct stoa_layer *layer = stoa_c_layer(code);
    struct stoa_c_text *text = &code->layers;
    const size_t *in = layer->input[0].dim;
    const size_t *out = layer->output.dim;
    size_t count = out[rows ? 0 : 1];
    size_t step = rows ? out[1] * out[2] : out[2];
    double *x = calloc(stoa_shape_size(&layer->input[0]), sizeof *x);
    double *y = calloc(stoa_shape_size(&layer->output), sizeof *y);
    int *first = calloc(count, sizeof *first);
    bool good = x && y && first;
    for (size_t i = 0; good && i < stoa_shape_size(&layer->input[0]); i++) {
        x[i] = (double)(rows ? i / in[2] / in[1] : i / in[2] % in[1]);
    }
    if (good) {
        const double *const from[] = {x};
        layer->op->reference_forward(
            &(struct stoa_op_reference){.layer = layer, .batch = 1, .x = from, .y = y});
        for (size_t i = 0; i < count; i++) {
            first[i] = (int)y[i * step];
        }
        write_ints(code, before, first, count);
        stoa_c_print(text, "    static const float %s[%zu] = {", share, count);
        for (size_t i = 0; i < count; i++) {
            stoa_c_print(text, "%s", i == 0 ? "" : i % 8 == 0 ? ",\n        " : ", ");
            stoa_c_float(text, (float)(y[i * step] - first[i]));
        }
        stoa_c_print(text, "};\n");
    }
    code->failed = code->failed || !good;
    free(first);
    free(y);
    free(x);
}

static void write_linear(struct stoa_c *code) {
    struct stoa_c_text *text = &code->layers;
    const size_t *in = stoa_c_layer(code)->input[0].dim;
    const size_t *out = stoa_c_layer(code)->output.dim;
    write_stands(code, true, "top", "down");
    write_stands(code, false, "left", "across");
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", out[0]);
    stoa_c_open(text, "for (int j = 0; j < %zu; j++)", out[1]);
    stoa_c_line(text, "const float *above = x + (top[i] * %zu + left[j]) * %zu;", in[1], in[2]);
    stoa_c_line(text, "const float *below = above + (top[i] + 1 < %zu ? %zu : 0);", in[0], in[1] * in[2]);
    stoa_c_line(text, "int next = left[j] + 1 < %zu ? %zu : 0;", in[1], in[2]);
    stoa_c_open(text, "for (int c = 0; c < %zu; c++)", out[2]);
    stoa_c_line(text, "float upper = above[c] * (1.0F - across[j]) + above[next + c] * across[j];");
    stoa_c_line(text, "float lower = below[c] * (1.0F - across[j]) + below[next + c] * across[j];");
    stoa_c_line(text, "y[(i * %zu + j) * %zu + c] = upper * (1.0F - down[i]) + lower * down[i];", out[1],
                out[2]);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
}

void stoa_c_resize(struct stoa_c *code) {
    if (is_linear(stoa_c_layer(code))) {
        write_linear(code);
    } else {
        stoa_c_move(code);
    }
}

/* ---- reshape ---- */

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
