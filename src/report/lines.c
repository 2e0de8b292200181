/* SPDX-License-Identifier: MIT */
/* Lines: curves of training, of measurements over sizes, of a search. */
#include <math.h>
#include <stdlib.h>

#include "report/frame.h"

enum { INSIDE = 220, MARKS = 6, MARK = 6, MOST_ROWS = 400 };

static bool is_drawn(const struct report_line *line, size_t i) {
    return isfinite(line->x[i]) && isfinite(line->y[i]);
}

bool report_lines_spans(const struct report_lines *lines, struct report_span *span_x,
                        struct report_span *span_y) {
    double least_x = INFINITY, most_x = -INFINITY, least_y = INFINITY, most_y = -INFINITY;
    for (size_t i = 0; i < lines->count; i++) {
        const struct report_line *line = &lines->line[i];
        for (size_t j = 0; j < line->count; j++) {
            if (is_drawn(line, j)) {
                least_x = fmin(least_x, line->x[j]);
                most_x = fmax(most_x, line->x[j]);
                least_y = fmin(least_y, line->y[j]);
                most_y = fmax(most_y, line->y[j]);
            }
        }
    }
    /* Steps and epochs are counted: only what asks for it has a logarithmic axis x. */
    struct report_axis x = lines->x;
    x.scale = x.scale == REPORT_LOG ? REPORT_LOG : REPORT_LINEAR;
    *span_x = report_axis_span(&x, least_x, most_x, true);
    *span_y = report_axis_span(&lines->y, least_y, most_y, false);
    return least_x <= most_x;
}

static size_t style_of(const struct report_lines *lines, size_t i) {
    return lines->line[i].style ? lines->line[i].style - 1 : i;
}

static void draw_key(struct report_frame *frame) {
    const struct report_lines *lines = frame->chart->lines;
    const char **names = report_memory(frame->out, lines->count, sizeof *names);
    size_t *styles = report_memory(frame->out, lines->count, sizeof *styles);
    for (size_t i = 0; names && styles && i < lines->count; i++) {
        names[i] = lines->line[i].no_key ? NULL : lines->line[i].name;
        styles[i] = style_of(lines, i) + 1;
    }
    if (names && styles) {
        report_key(frame, REPORT_KEY_LINE, names, styles, lines->count);
    }
    free(names);
    free(styles);
}

/* The line as it is being written. Points that share a unit of the axis are one stroke from the lowest to the
 * highest. */
struct pen {
    struct report_frame *frame;
    bool is_down;
    double x, first, low, high, last;
    size_t points; /* in the unit of x */
};

static void put_point(struct pen *pen, double x, double y) {
    report_print(pen->frame->out, "%s%.1f %.1f", pen->is_down ? "L" : "M", x, y);
    pen->is_down = true;
}

static void finish_unit(struct pen *pen) {
    if (pen->points > 0) {
        put_point(pen, pen->x, pen->first);
    }
    if (pen->points > 2) {
        bool down = pen->last > pen->first; /* in the drawing, y grows downwards */
        put_point(pen, pen->x, down ? pen->low : pen->high);
        put_point(pen, pen->x, down ? pen->high : pen->low);
    }
    if (pen->points > 1) {
        put_point(pen, pen->x, pen->last);
    }
    pen->points = 0;
}

static void add_point(struct pen *pen, double x, double y, double unit) {
    if (pen->points > 0 && !(fabs(x - pen->x) < unit)) {
        finish_unit(pen);
    }
    if (pen->points++ == 0) {
        pen->x = x;
        pen->first = pen->low = pen->high = y;
    }
    pen->low = fmin(pen->low, y);
    pen->high = fmax(pen->high, y);
    pen->last = y;
}

static void draw_stroke(struct report_frame *frame, const struct report_line *line, size_t style) {
    struct report_out *out = frame->out;
    struct pen pen = {.frame = frame};
    double unit = line->count > 2 * (size_t)frame->width ? 1 : 0;
    report_print(out, "<path class=\"l%s s%zu\"%s d=\"", line->is_faint ? " faint" : "", report_colour(style),
                 report_dashes(style));
    for (size_t i = 0; i < line->count; i++) {
        if (is_drawn(line, i)) {
            add_point(&pen, report_x(frame, line->x[i]), report_y(frame, line->y[i]), unit);
        } else {
            finish_unit(&pen);
            pen.is_down = false;
        }
    }
    finish_unit(&pen);
    report_put(out, "\"/>\n");
}

/* Marks tell lines apart without colour: some along each, at other places than its neighbours', and at points
 * that have no neighbour to draw a line to. */
static void draw_marks(const struct report_frame *frame, const struct report_line *line, size_t style) {
    size_t every = line->count / MARKS + 1, first = every > 1 ? style * every / 3 % every : 0;
    for (size_t i = 0; i < line->count; i++) {
        bool alone = (i == 0 || !is_drawn(line, i - 1)) && (i + 1 == line->count || !is_drawn(line, i + 1));
        if (is_drawn(line, i) && (alone || (!line->is_faint && i % every == first))) {
            report_mark(frame->out, style, report_x(frame, line->x[i]), report_y(frame, line->y[i]), MARK);
            report_put(frame->out, "/>");
        }
    }
}

static void draw_best(const struct report_frame *frame, const struct report_line *line, size_t style) {
    if (line->best == 0 || line->best > line->count || !is_drawn(line, line->best - 1)) {
        return;
    }
    double x = line->x[line->best - 1], y = line->y[line->best - 1];
    struct report_word at, value;
    report_print(frame->out, "<circle class=\"best s%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>",
                 report_colour(style), report_x(frame, x), report_y(frame, y));
    report_escape(frame->out, line->name);
    report_print(frame->out, ", best: %s at %s</title></circle>\n", report_number_word(&value, y),
                 report_number_word(&at, x));
}

static void begin_group(const struct report_frame *frame, const struct report_line *line) {
    if (line->group) {
        report_print(frame->out, "<g class=\"g%zu\">", line->group);
    }
}

static void end_group(const struct report_frame *frame, const struct report_line *line) {
    report_put(frame->out, line->group ? "</g>\n" : "");
}

static void draw(struct report_frame *frame) {
    const struct report_lines *lines = frame->chart->lines;
    bool any = report_lines_spans(lines, &frame->x, &frame->y);
    draw_key(frame);
    if (!any) {
        frame->height = frame->box.top + 2 * REPORT_LINE;
        report_text(frame->out, REPORT_GAP, frame->box.top + REPORT_LINE, frame->width, "class=\"t\"",
                    "nothing to draw: no finite value");
        return;
    }
    if (!(frame->height > 0)) {
        frame->height = frame->box.top + INSIDE + 40;
    }
    report_axes(frame, &lines->x, &lines->y);
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < lines->count; i++) {
            const struct report_line *line = &lines->line[i];
            if (line->count > 0 && line->is_faint == (pass == 0)) {
                begin_group(frame, line);
                draw_stroke(frame, line, style_of(lines, i));
                draw_marks(frame, line, style_of(lines, i));
                end_group(frame, line);
            }
        }
    }
    for (size_t i = 0; i < lines->count; i++) {
        begin_group(frame, &lines->line[i]);
        draw_best(frame, &lines->line[i], style_of(lines, i));
        end_group(frame, &lines->line[i]);
    }
}

static void describe_line(struct report_out *out, const struct report_line *line) {
    size_t first = line->count, last = 0, least = 0, most = 0, drawn = 0;
    for (size_t i = 0; i < line->count; i++) {
        if (is_drawn(line, i)) {
            if (drawn++ == 0) {
                first = least = most = i;
            }
            last = i;
            least = line->y[i] < line->y[least] ? i : least;
            most = line->y[i] > line->y[most] ? i : most;
        }
    }
    report_escape(out, line->name && *line->name ? line->name : "line");
    struct report_word word[6];
    if (drawn > 0) {
        report_print(
            out, ": from %s to %s, least %s at %s, most %s at %s",
            report_number_word(&word[0], line->y[first]), report_number_word(&word[1], line->y[last]),
            report_number_word(&word[2], line->y[least]), report_number_word(&word[3], line->x[least]),
            report_number_word(&word[4], line->y[most]), report_number_word(&word[5], line->x[most]));
    }
    report_put(out, drawn == 0 ? ": no finite value" : "");
    if (drawn > 0 && drawn < line->count) {
        report_print(out, ", %zu values are not finite", line->count - drawn);
    }
    report_put(out, ". ");
}

static void describe(struct report_out *out, const struct report_chart *chart) {
    const struct report_lines *lines = chart->lines;
    report_escape(out, lines->y.label ? lines->y.label : "Values");
    report_put(out, " over ");
    report_escape(out, lines->x.label ? lines->x.label : "their order");
    report_put(out, ". ");
    for (size_t i = 0; i < lines->count; i++) {
        describe_line(out, &lines->line[i]);
    }
}

/* The least x that any line has at or behind its place; false when all are at their ends. */
static bool next_x(const struct report_lines *lines, const size_t *at, double *x) {
    bool any = false;
    for (size_t i = 0; i < lines->count; i++) {
        const struct report_line *line = &lines->line[i];
        if (at[i] < line->count && (!any || line->x[at[i]] < *x)) {
            *x = line->x[at[i]];
            any = true;
        }
    }
    return any;
}

/* Step over `x` in every line. */
static void step_over(const struct report_lines *lines, size_t *at, double x) {
    for (size_t i = 0; i < lines->count; i++) {
        while (at[i] < lines->line[i].count && !(lines->line[i].x[at[i]] > x)) {
            at[i]++;
        }
    }
}

static void put_row(struct report_out *out, const struct report_lines *lines, const size_t *at, double x) {
    struct report_word word;
    report_print(out, "<tr><th scope=\"row\">%s</th>", report_number_word(&word, x));
    for (size_t i = 0; i < lines->count; i++) {
        const struct report_line *line = &lines->line[i];
        bool has = at[i] < line->count && !(line->x[at[i]] > x);
        if (has) {
            report_print(out, "<td>%s</td>", report_number_word(&word, line->y[at[i]]));
        } else {
            report_put(out, "<td></td>");
        }
    }
    report_put(out, "</tr>\n");
}

static void tabulate(struct report_out *out, const struct report_chart *chart) {
    const struct report_lines *lines = chart->lines;
    size_t *at = report_memory(out, lines->count, sizeof *at), rows = 0, row = 0;
    double x = 0;
    if (!at) {
        return;
    }
    for (; next_x(lines, at, &x); rows++) {
        step_over(lines, at, x);
    }
    size_t every = rows / MOST_ROWS + 1;
    report_table_begin(out, chart->title);
    report_put(out, "<tr>");
    report_table_head(out, lines->x.label ? lines->x.label : "");
    for (size_t i = 0; i < lines->count; i++) {
        at[i] = 0;
        report_table_head(out, lines->line[i].name);
    }
    report_put(out, "</tr>\n");
    for (; next_x(lines, at, &x); row++) {
        if (row % every == 0 || row + 1 == rows) {
            put_row(out, lines, at, x);
        }
        step_over(lines, at, x);
    }
    report_put(out, "</table>\n");
    if (every > 1) {
        report_print(out, "<p>One of %zu rows of %zu is shown.</p>\n", every, rows);
    }
    free(at);
}

const struct report_kind report_kind_lines = {draw, describe, tabulate};
