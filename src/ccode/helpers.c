/* SPDX-License-Identifier: MIT */
/* The functions that layers share. They are plain loops of a form that gcc and clang make vectors of: the
 * innermost loop runs over filters, whose weights lie side by side, and its sums stay in registers. */
#include "ccode/ccode.h"

/* Sums of `pixels` x `filters`: an array of its own for each pixel, as compilers keep those in registers. */
static void write_sums(struct stoa_c *code, struct stoa_c_text *text, size_t pixels, size_t filters) {
    stoa_c_line(
        text,
        "/* Adds to the sums of %zu pixels x %zu filters the products of `terms` numbers of each pixel,",
        pixels, filters);
    stoa_c_line(text, " * from[] + offset on, with the weights of as many rows of %zu filters. */", filters);
    stoa_c_line(text,
                "static void %s_sums_%zu(const float *const *from, int offset, const float *w, int terms,",
                code->name, pixels);
    stoa_c_open(text, "    float *sum)");
    for (size_t p = 0; p < pixels; p++) {
        stoa_c_line(text, "const float *x%zu = from[%zu] + offset;", p, p);
    }
    stoa_c_print(text, "    float ");
    for (size_t p = 0; p < pixels; p++) {
        stoa_c_print(text, "s%zu[%zu]%s", p, filters, p + 1 < pixels ? ", " : ";\n");
    }
    stoa_c_open(text, "for (int f = 0; f < %zu; f++)", filters);
    for (size_t p = 0; p < pixels; p++) {
        stoa_c_line(text, "s%zu[f] = sum[%zu + f];", p, p * filters);
    }
    stoa_c_close(text);
    stoa_c_open(text, "for (int t = 0; t < terms; t++, w += %zu)", filters);
    stoa_c_open(text, "for (int f = 0; f < %zu; f++)", filters);
    for (size_t p = 0; p < pixels; p++) {
        stoa_c_line(text, "s%zu[f] += x%zu[t] * w[f];", p, p);
    }
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_open(text, "for (int f = 0; f < %zu; f++)", filters);
    for (size_t p = 0; p < pixels; p++) {
        stoa_c_line(text, "sum[%zu + f] = s%zu[f];", p * filters, p);
    }
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

/* Four rows of the matrix at a time, so that y is read and written a quarter as often. */
static void write_product(struct stoa_c *code, struct stoa_c_text *text) {
    stoa_c_line(text, "/* Adds to y[units] the product of x[terms] with w[terms][units]. */");
    stoa_c_open(text,
                "static void %s_product(const float *x, const float *w, int terms, int units, float *y)",
                code->name);
    stoa_c_line(text, "int t = 0;");
    stoa_c_open(text, "for (; t + 4 <= terms; t += 4, w += 4 * units)");
    stoa_c_line(text, "const float *w1 = w + units, *w2 = w + 2 * units, *w3 = w + 3 * units;");
    stoa_c_line(text, "float x0 = x[t], x1 = x[t + 1], x2 = x[t + 2], x3 = x[t + 3];");
    stoa_c_open(text, "for (int k = 0; k < units; k++)");
    stoa_c_line(text, "y[k] += x0 * w[k] + x1 * w1[k] + x2 * w2[k] + x3 * w3[k];");
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_open(text, "for (; t < terms; t++, w += units)");
    stoa_c_open(text, "for (int k = 0; k < units; k++)");
    stoa_c_line(text, "y[k] += x[t] * w[k];");
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

static void write_border(struct stoa_c *code, struct stoa_c_text *text) {
    stoa_c_line(
        text,
        "/* Zeros around an image of `height` rows of `row` numbers, which begins at row `top` and number");
    stoa_c_line(text, " * `left` of y, of `full_height` rows of `full_row` numbers. */");
    stoa_c_line(
        text, "static void %s_border(int height, int row, int top, int left, int full_height, int full_row,",
        code->name);
    stoa_c_open(text, "    float *y)");
    stoa_c_open(text, "for (int i = 0; i < full_height; i++, y += full_row)");
    stoa_c_line(text, "int inside = i >= top && i < top + height;");
    stoa_c_open(text, "for (int c = 0; c < (inside ? left : full_row); c++)");
    stoa_c_line(text, "y[c] = 0.0F;");
    stoa_c_close(text);
    stoa_c_open(text, "for (int c = left + row; inside && c < full_row; c++)");
    stoa_c_line(text, "y[c] = 0.0F;");
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

static void write_frame(struct stoa_c *code, struct stoa_c_text *text) {
    stoa_c_line(text, "/* The image x with zeros around it. */");
    stoa_c_line(
        text, "static void %s_frame(const float *x, int height, int row, int top, int left, int full_height,",
        code->name);
    stoa_c_open(text, "    int full_row, float *y)");
    stoa_c_line(text, "%s_border(height, row, top, left, full_height, full_row, y);", code->name);
    stoa_c_open(text, "for (int i = 0; i < height; i++)");
    stoa_c_open(text, "for (int c = 0; c < row; c++)");
    stoa_c_line(text, "y[(i + top) * full_row + left + c] = x[i * row + c];");
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

void stoa_c_write_helpers(struct stoa_c *code, struct stoa_c_text *text) {
    if (code->uses[STOA_C_SUMS_4]) {
        write_sums(code, text, 4, 16);
    }
    if (code->uses[STOA_C_SUMS_8]) {
        write_sums(code, text, 8, 8);
    }
    if (code->uses[STOA_C_PRODUCT]) {
        write_product(code, text);
    }
    if (code->uses[STOA_C_BORDER]) {
        write_border(code, text);
    }
    if (code->uses[STOA_C_FRAME]) {
        write_frame(code, text);
    }
}
