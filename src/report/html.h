/* SPDX-License-Identifier: MIT */
/* The shell of a page: one HTML file that asks for nothing else, light and dark, for wide and narrow
 * screens and for paper. Sections hold figures, tables and text; figures stand beside each other where
 * there is room. */
#ifndef STOA_REPORT_HTML_H
#define STOA_REPORT_HTML_H

#include "report/chart.h"

/* <!doctype html> to the heading. `style` is CSS that comes behind the shell's own; NULL: none. */
void report_html_begin(struct report_out *out, const char *title, const char *note, const char *style);
/* The end. `footer` is a line of text; NULL: none. */
void report_html_end(struct report_out *out, const char *footer);

/* A section, with a heading that the page's list of contents can link to. `id` is an XML name. */
void report_html_section(struct report_out *out, const char *id, const char *heading);
void report_html_section_end(struct report_out *out);

/* Figures between these stand side by side where there is room. */
void report_html_figures(struct report_out *out);
void report_html_figures_end(struct report_out *out);
/* A chart with its title, and its numbers behind a fold. `caption` is a sentence below it; NULL: none. */
void report_html_chart(struct report_out *out, const struct report_chart *chart, const char *caption);

/* A table. `columns` has a letter a column: 'l' a text, 'r' a number. Cells fill rows from left to right; the
 * first row is the heading, the first cell of each other row names it. It scrolls by itself where it is wider
 * than the screen. */
struct report_html_table {
    const char *columns;
    size_t cells;
};
void report_html_table_begin(struct report_out *out, struct report_html_table *table, const char *columns,
                             const char *caption);
void report_html_cell(struct report_out *out, struct report_html_table *table, const char *text);
void report_html_table_end(struct report_out *out, struct report_html_table *table);

/* <p> with a text; <pre> with a text whose lines stay. */
void report_html_text(struct report_out *out, const char *text);
void report_html_pre(struct report_out *out, const char *text);

#endif
