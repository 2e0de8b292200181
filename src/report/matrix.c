/* SPDX-License-Identifier: MIT */
/* A matrix as a heat map, a confusion matrix above all. Colour is one hue, as strong as the number is
 * large, so that it needs no colours of its own for a dark page. */
#include <math.h>
#include <stdlib.h>

#include "report/frame.h"

enum { MOST_CELL = 46, MOST_ABOUT = 2500 };

struct grid {
    double cell_width, cell_height;
    double most, most_wrong;
    double *sums; /* of rows */
};

static double value_of(const struct report_matrix *matrix, size_t row, size_t column) {
    double value = matrix->value[row * matrix->columns + column];
    return value > 0 && isfinite(value) ? value : 0;
}

static void measure(const struct report_matrix *matrix, struct grid *grid) {
    for (size_t i = 0; i < matrix->rows; i++) {
        for (size_t j = 0; j < matrix->columns; j++) {
            double value = value_of(matrix, i, j);
            grid->most = fmax(grid->most, value);
            grid->most_wrong = i == j ? grid->most_wrong : fmax(grid->most_wrong, value);
            grid->sums[i] += value;
        }
    }
}

static double widest_of(const char *const *labels, size_t count) {
    double widest = 0;
    for (size_t i = 0; i < count; i++) {
        widest = fmax(widest, report_text_width(labels[i], REPORT_LETTERS));
    }
    return widest;
}

/* The strongest colour that a number is legible upon in both themes, as contrast of 4.5 to 1. */
static const double MOST_STRENGTH = 0.5;

/* Right answers are strong as a share of their row; wrong ones by the root of their share of the largest, so
 * that a few are seen. */
static double strength_of(const struct report_matrix *matrix, const struct grid *grid, size_t row,
                          size_t column) {
    double value = value_of(matrix, row, column);
    if (!matrix->is_confusion) {
        return value / grid->most;
    }
    return row == column ? value / grid->sums[row] : 0.1 + 0.9 * sqrt(value / grid->most_wrong);
}

static void draw_cell(const struct report_frame *frame, const struct grid *grid, size_t row, size_t column) {
    const struct report_matrix *matrix = frame->chart->matrix;
    struct report_out *out = frame->out;
    double strength = strength_of(matrix, grid, row, column);
    double x = frame->box.left + (double)column * grid->cell_width;
    double y = frame->box.top + (double)row * grid->cell_height;
    struct report_word word;
    const char *number = report_number_word(&word, value_of(matrix, row, column));
    report_print(out,
                 "<rect class=\"%s o\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                 "fill-opacity=\"%.2f\">",
                 matrix->is_confusion && row != column ? "wrong" : "heat", x, y, grid->cell_width,
                 grid->cell_height, MOST_STRENGTH * strength);
    if (matrix->rows * matrix->columns <= MOST_ABOUT) {
        report_put(out, "<title>");
        report_escape(out, matrix->row_label[row]);
        report_put(out, ", ");
        report_escape(out, matrix->column_label[column]);
        report_print(out, ": %s</title>", number);
    }
    report_put(out, "</rect>");
    if (report_text_width(number, REPORT_LETTERS) < grid->cell_width && grid->cell_height > REPORT_LETTERS) {
        report_text(out, x + grid->cell_width / 2, y + grid->cell_height / 2 + 4.5, HUGE_VAL, "class=\"m\"",
                    number);
    }
}

/* Every label where there is room for it, else every second or later one. */
static void draw_labels(const struct report_frame *frame, const struct grid *grid, bool upright) {
    const struct report_matrix *matrix = frame->chart->matrix;
    const struct report_box *box = &frame->box;
    double least_width = upright ? REPORT_LETTERS : 0;
    size_t every = (size_t)fmax(1, ceil(REPORT_LETTERS / grid->cell_height));
    for (size_t i = 0; i < matrix->rows; i += every) {
        report_text(frame->out, box->left - 5, box->top + ((double)i + 0.5) * grid->cell_height + 4.5,
                    box->left - REPORT_LINE, "class=\"e\"", matrix->row_label[i]);
    }
    every = (size_t)fmax(1, ceil(least_width / grid->cell_width));
    for (size_t i = 0; i < matrix->columns; i += every) {
        double x = box->left + ((double)i + 0.5) * grid->cell_width;
        struct report_out turn = {0};
        report_print(&turn, "transform=\"rotate(-90 %.1f %.1f)\"", x + 4.5, box->top - 5);
        report_text(frame->out, upright ? x + 4.5 : x, box->top - 5, 150, upright ? turn.text : "class=\"m\"",
                    matrix->column_label[i]);
        frame->out->failed = frame->out->failed || turn.failed;
        report_out_free(&turn);
    }
}

static void draw(struct report_frame *frame) {
    const struct report_matrix *matrix = frame->chart->matrix;
    struct report_box *box = &frame->box;
    struct grid grid = {.sums = report_memory(frame->out, matrix->rows, sizeof(double))};
    if (!grid.sums || matrix->rows == 0 || matrix->columns == 0) {
        frame->height = box->top + REPORT_LINE;
        free(grid.sums);
        return;
    }
    measure(matrix, &grid);
    double rows = widest_of(matrix->row_label, matrix->rows);
    double columns = widest_of(matrix->column_label, matrix->columns);
    box->left = REPORT_GAP + fmin(rows, frame->width / 4) + 6 + (matrix->row_title ? REPORT_LINE : 0);
    grid.cell_width =
        fmin(fmax(MOST_CELL, columns + 8), (frame->width - box->left - REPORT_GAP) / (double)matrix->columns);
    grid.cell_height = fmin(grid.cell_width, 30);
    bool upright = columns + 2 > grid.cell_width;
    box->right = box->left + grid.cell_width * (double)matrix->columns;
    if (matrix->column_title) {
        report_text(frame->out, (box->left + box->right) / 2, box->top + REPORT_LETTERS, frame->width,
                    "class=\"t m\"", matrix->column_title);
        box->top += REPORT_LINE;
    }
    box->top += upright ? fmin(columns, 150) + 8 : REPORT_LINE;
    box->bottom = box->top + grid.cell_height * (double)matrix->rows;
    frame->height = box->bottom + 8;
    if (matrix->row_title) {
        double y = (box->top + box->bottom) / 2;
        struct report_out turn = {0};
        report_print(&turn, "class=\"t m\" transform=\"rotate(-90 %d %.1f)\"", REPORT_LETTERS, y);
        report_text(frame->out, REPORT_LETTERS, y, frame->width, turn.text, matrix->row_title);
        frame->out->failed = frame->out->failed || turn.failed;
        report_out_free(&turn);
    }
    draw_labels(frame, &grid, upright);
    for (size_t i = 0; i < matrix->rows * matrix->columns; i++) {
        if (value_of(matrix, i / matrix->columns, i % matrix->columns) > 0) {
            draw_cell(frame, &grid, i / matrix->columns, i % matrix->columns);
        }
    }
    report_print(frame->out, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                 box->left, box->top, box->right - box->left, box->bottom - box->top);
    free(grid.sums);
}

static void describe(struct report_out *out, const struct report_chart *chart) {
    const struct report_matrix *matrix = chart->matrix;
    double sum = 0, right = 0;
    size_t worst = 0;
    for (size_t i = 0; i < matrix->rows * matrix->columns; i++) {
        size_t row = i / matrix->columns, column = i % matrix->columns;
        double value = value_of(matrix, row, column);
        bool off = row != column || !matrix->is_confusion;
        sum += value;
        right += off ? 0 : value;
        bool more = value > value_of(matrix, worst / matrix->columns, worst % matrix->columns);
        worst = off && (more || (matrix->is_confusion && worst == 0)) ? i : worst;
    }
    struct report_word all, good, most;
    report_print(out, "%zu rows and %zu columns, in sum %s", matrix->rows, matrix->columns,
                 report_number_word(&all, sum));
    if (matrix->is_confusion) {
        report_print(out, ", of these %s on the diagonal", report_number_word(&good, right));
    }
    if (matrix->rows > 0 && matrix->columns > 0) {
        size_t row = worst / matrix->columns, column = worst % matrix->columns;
        report_print(out, "; largest%s: %s, ", matrix->is_confusion ? " beside it" : "",
                     report_number_word(&most, value_of(matrix, row, column)));
        report_escape(out, matrix->row_label[row]);
        report_put(out, " as ");
        report_escape(out, matrix->column_label[column]);
    }
    report_put(out, ".");
}

static void tabulate(struct report_out *out, const struct report_chart *chart) {
    const struct report_matrix *matrix = chart->matrix;
    report_table_begin(out, chart->title);
    report_put(out, "<tr><td></td>");
    for (size_t j = 0; j < matrix->columns; j++) {
        report_table_head(out, matrix->column_label[j]);
    }
    report_put(out, "</tr>\n");
    for (size_t i = 0; i < matrix->rows; i++) {
        report_put(out, "<tr><th scope=\"row\">");
        report_escape(out, matrix->row_label[i]);
        report_put(out, "</th>");
        for (size_t j = 0; j < matrix->columns; j++) {
            report_table_number(out, matrix->value[i * matrix->columns + j]);
        }
        report_put(out, "</tr>\n");
    }
    report_put(out, "</table>\n");
}

const struct report_kind report_kind_matrix = {draw, describe, tabulate};
