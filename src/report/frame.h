/* SPDX-License-Identifier: MIT */
/* What the kinds of charts share: places, axes, keys, texts of known width, and tables. */
#ifndef STOA_REPORT_FRAME_H
#define STOA_REPORT_FRAME_H

#include "report/chart.h"

enum { REPORT_LETTERS = 13, REPORT_LINE = 18, REPORT_WIDTH = 400, REPORT_COLOURS = 8, REPORT_GAP = 6 };

/* Edges of the chart inside its picture. */
struct report_box {
    double left, right, top, bottom;
};

/* A drawing in progress. `body` is written first, as the picture's height may follow from it. */
struct report_frame {
    const struct report_chart *chart;
    struct report_out *out;
    double width, height;
    struct report_box box;
    struct report_span x, y;
    bool whole; /* the axis x has whole numbers */
};

/* Units that a text takes in letters of a size; rather more than less, fonts differ. */
double report_text_width(const char *text, double letters);
/* A text of at most so many units, cut with an ellipsis; its whole in a <title>. `attributes` as they are,
 * NULL: none. */
void report_text(struct report_out *out, double x, double y, double most, const char *attributes,
                 const char *text);

/* The shape of a series' marks around a place, and its index as a class: "s1" to "s8". */
void report_mark(struct report_out *out, size_t series, double x, double y, double size);
size_t report_colour(size_t series);
/* Attributes of a line's dashes; "" for the first kind. */
const char *report_dashes(size_t series);

/* What a key shows beside a name. */
enum report_key { REPORT_KEY_LINE, REPORT_KEY_MARK, REPORT_KEY_FILL };
/* The key of several series from the top of the box on, which moves down. A name that is empty or NULL has
 * no entry; styles count from 1, NULL: places. */
void report_key(struct report_frame *frame, enum report_key kind, const char *const *names,
                const size_t *styles, size_t count);

/* The heading, where the drawing stands alone: the box moves down. */
void report_heading(struct report_frame *frame);
/* Grid, labels of ticks and of the axes, and the edges that follow; spans are set. Needs box.top, width and
 * height; sets the box. */
void report_axes(struct report_frame *frame, const struct report_axis *x, const struct report_axis *y);
double report_x(const struct report_frame *frame, double value);
double report_y(const struct report_frame *frame, double value);
/* The span of an axis: its own, or around what the data reach over. */
struct report_span report_axis_span(const struct report_axis *axis, double least, double most, bool tight);
/* The spans of lines; false where none has a finite point. */
bool report_lines_spans(const struct report_lines *lines, struct report_span *x, struct report_span *y);
/* The ticks of the frame's x span, as a grid with labels below the box. */
void report_x_ticks(const struct report_frame *frame);

/* Cells of a table. */
void report_table_begin(struct report_out *out, const char *caption);
void report_table_head(struct report_out *out, const char *text);
void report_table_number(struct report_out *out, double value);

/* The kinds: each sets the frame's height, writes what is inside the <svg>, its description, and its
 * table. */
struct report_kind {
    void (*draw)(struct report_frame *frame);
    void (*describe)(struct report_out *out, const struct report_chart *chart);
    void (*tabulate)(struct report_out *out, const struct report_chart *chart);
};
extern const struct report_kind report_kind_lines, report_kind_bars, report_kind_roofline, report_kind_matrix,
    report_kind_tiles, report_kind_blocks;

#endif
