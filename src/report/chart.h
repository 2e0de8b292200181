/* SPDX-License-Identifier: MIT */
/* Charts as SVG. One drawing serves light and dark: colours are classes, which report_chart_style() gives
 * their values, for a page once and inside every file that stands alone.
 *
 * Widths are those of the drawing's own units; it is shown as wide as there is room, so that letters of 13
 * units in a drawing 400 wide are legible on a telephone. Series differ in colour, dashes and marks. Every
 * drawing has a title and a description, and report_chart_table() gives its numbers as text. Texts may be
 * anything. */
#ifndef STOA_REPORT_CHART_H
#define STOA_REPORT_CHART_H

#include "report/out.h"
#include "report/ticks.h"

struct report_axis {
    const char *label; /* NULL: none */
    enum report_scale scale;
    bool whole; /* whole numbers: steps, epochs */
    bool fixed; /* from `least` to `most`; otherwise from the data */
    double least, most;
};

/* Lines over a common axis, x rising. Values that are not finite interrupt a line and are counted in the
 * description; lines of more points than the drawing has units keep the extremes of each. */
struct report_line {
    const char *name;
    const double *x, *y;
    size_t count;
    size_t best;   /* the number of a point to be marked, from 1; 0: none */
    size_t style;  /* colour, dashes and mark, from 1; 0: the line's place among its neighbours */
    bool is_faint; /* drawn thinner, behind others that it belongs to */
    bool no_key;   /* the key has no entry for it */
    size_t group;  /* its drawing is of class "gN", which a page may hide; 0: none */
};
struct report_lines {
    struct report_axis x, y;
    const struct report_line *line;
    size_t count;
};

/* Lying bars in groups, one a series; beside a base, on a logarithmic scale too. NaN: no bar. */
struct report_bar_group {
    const char *label;
    const double *value; /* one a series */
};
struct report_bars {
    struct report_axis x;
    const char *const *series;
    const size_t *styles; /* colours of the series, from 1; NULL: their places */
    size_t series_count;
    const struct report_bar_group *group;
    size_t count;
    double base;  /* where bars begin: 0, or 1 for ratios on a logarithmic scale */
    double limit; /* a line across, named `limit_name`; 0: none */
    const char *limit_name;
};

/* Points in the plane under two roofs: `flat`, and `slope` times x. Both axes logarithmic. */
struct report_point {
    double x, y;
    const char *label;
    size_t series;
};
struct report_roofline {
    struct report_axis x, y;
    const char *const *series;
    size_t series_count;
    const struct report_point *point;
    size_t count;
    double flat, slope;
    const char *flat_name, *slope_name;
};

/* A matrix of numbers that are not negative, row by row; dark is large. With `is_confusion` the diagonal,
 * which is right, has another colour than the rest, whose few are made visible. */
struct report_matrix {
    const char *row_title, *column_title;
    const char *const *row_label, *const *column_label;
    size_t rows, columns;
    const double *value;
    bool is_confusion;
};

/* Small pictures in a grid: filters, activations, images. */
struct report_tile {
    const unsigned char *pixels; /* height x width x channels */
    size_t width, height;
    size_t channels;   /* 1 grey, 3 RGB */
    const char *label; /* below it; NULL: none */
    const char *about; /* what a pointer over it shows; NULL: the label */
};
struct report_tiles {
    const struct report_tile *tile;
    size_t count;
    size_t columns; /* 0: as many as look well */
};

/* Blocks in the plane: a memory map, from `from` to `to` on the axis x, from `low` to `high` on y. */
struct report_block {
    double from, to, low, high;
    const char *label; /* in it where there is room */
    size_t series;
};
struct report_blocks {
    struct report_axis x, y;
    const char *const *series;
    size_t series_count;
    const struct report_block *block;
    size_t count;
};

/* A drawing: exactly one of the pointers at the end is set. Everything is borrowed for a call. */
struct report_chart {
    const char *id;    /* an XML name, of its own on a page */
    const char *title; /* what it shows, in a line */
    const char *note;  /* a smaller line below it in a file of its own; NULL: none */
    const char *about; /* the description; NULL: written from the numbers */
    size_t width;      /* 0: 400 */
    size_t height;     /* 0: by the kind and what is in it */
    bool alone;        /* a file of its own: with heading, background and style */
    const struct report_lines *lines;
    const struct report_bars *bars;
    const struct report_roofline *roofline;
    const struct report_matrix *matrix;
    const struct report_tiles *tiles;
    const struct report_blocks *blocks;
};

/* The drawing, <svg> to </svg>. */
void report_chart_svg(struct report_out *out, const struct report_chart *chart);
/* Its numbers as an HTML table. */
void report_chart_table(struct report_out *out, const struct report_chart *chart);
/* CSS: colours of both themes and the classes of drawings, without a <style> around it. */
void report_chart_style(struct report_out *out);

#endif
