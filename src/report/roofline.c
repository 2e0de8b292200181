/* SPDX-License-Identifier: MIT */
/* A roofline (Williams, Waterman and Patterson, 2009): rates against flops a byte, under the limits of
 * arithmetic and of memory. Points are named where a name has room. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/frame.h"

enum { INSIDE = 330, POINT = 8, LINE = 12, TRIES = 16 };
static const double LETTERS = 10.5; /* of the names: many are to stand */

struct roofline {
    struct report_frame *frame;
    const struct report_roofline *chart;
    struct report_box *taken; /* points, then names */
    size_t boxes;
    bool *done;
};

static double roof_of(const struct report_roofline *chart, double x) {
    return fmin(chart->flat, chart->slope * x);
}

static void find_spans(struct report_frame *frame) {
    const struct report_roofline *chart = frame->chart->roofline;
    double ridge = chart->flat / chart->slope;
    double least_x = ridge / 4, most_x = ridge * 4, least_y = chart->flat, most_y = least_y;
    for (size_t i = 0; i < chart->count; i++) {
        least_x = fmin(least_x, chart->point[i].x / 1.6);
        most_x = fmax(most_x, chart->point[i].x * 1.6);
        least_y = fmin(least_y, chart->point[i].y);
        most_y = fmax(most_y, chart->point[i].y);
    }
    frame->x = (struct report_span){least_x, most_x, true};
    frame->y = (struct report_span){least_y / 1.6, most_y * 1.5, true};
}

static bool overlap(const struct report_box *a, const struct report_box *b) {
    return a->left < b->right && a->right > b->left && a->top < b->bottom && a->bottom > b->top;
}

/* Whether a name may stand there: inside the axes, off the roof, on nothing else. */
static bool is_free(const struct roofline *r, const struct report_box *place) {
    const struct report_box *box = &r->frame->box;
    if (place->left < box->left + 2 || place->right > box->right - 2 || place->top < box->top + 2 ||
        place->bottom > box->bottom - 2) {
        return false;
    }
    /* The roof rises to the right: its lowest place over the name is at the name's left edge. */
    const struct report_span *x = &r->frame->x;
    double width = box->right - box->left, across = log(x->most / x->least);
    double left = x->least * exp((place->left - box->left) / width * across);
    double right = x->least * exp((place->right - box->left) / width * across);
    if (place->bottom > report_y(r->frame, roof_of(r->chart, right)) - 2 &&
        place->top < report_y(r->frame, roof_of(r->chart, left)) + 2) {
        return false;
    }
    for (size_t i = 0; i < r->boxes; i++) {
        if (overlap(place, &r->taken[i])) {
            return false;
        }
    }
    return true;
}

/* Write a point's name beside it where there is room, in one of eight places. */
static bool place_name(struct roofline *r, const struct report_point *point) {
    static const double places[8][2] = {{1, 0},      {-1, 0},    {0, -1},      {0, 1},
                                        {0.8, -0.8}, {0.8, 0.8}, {-0.8, -0.8}, {-0.8, 0.8}};
    double x = report_x(r->frame, point->x), y = report_y(r->frame, point->y);
    double width = report_text_width(point->label, LETTERS);
    for (int i = 0; i < 8; i++) {
        double middle = x + places[i][0] * (width / 2 + POINT), line = y + places[i][1] * (LINE + 1);
        struct report_box box = {middle - width / 2, middle + width / 2, line - LINE / 2.0,
                                 line + LINE / 2.0};
        if (is_free(r, &box)) {
            r->taken[r->boxes++] = box;
            report_text(r->frame->out, middle, line + 4, HUGE_VAL, "class=\"w t m\"", point->label);
            return true;
        }
    }
    return false;
}

/* Every name once: at the point of the first series where one of them has room. */
static void draw_names(struct roofline *r) {
    const struct report_roofline *chart = r->chart;
    for (size_t series = 0; series < chart->series_count; series++) {
        for (size_t i = 0; i < chart->count; i++) {
            const struct report_point *point = &chart->point[i];
            if (point->series != series || r->done[i] || !place_name(r, point)) {
                continue;
            }
            for (size_t j = 0; j < chart->count; j++) {
                r->done[j] = r->done[j] || strcmp(chart->point[j].label, point->label) == 0;
            }
        }
    }
}

static void draw_points(struct roofline *r) {
    struct report_out *out = r->frame->out;
    for (size_t i = 0; i < r->chart->count; i++) {
        const struct report_point *point = &r->chart->point[i];
        double x = report_x(r->frame, point->x), y = report_y(r->frame, point->y);
        struct report_word words[2];
        report_mark(out, point->series, x, y, POINT);
        report_put(out, "><title>");
        report_escape(out, point->label);
        report_put(out, ", ");
        report_escape(out, r->chart->series[point->series]);
        report_print(out, ": %s at %s</title></%s>", report_number_word(&words[0], point->y),
                     report_number_word(&words[1], point->x), point->series % 6 == 0 ? "circle" : "path");
        r->taken[r->boxes++] =
            (struct report_box){x - POINT / 2.0, x + POINT / 2.0, y - POINT / 2.0, y + POINT / 2.0};
    }
    report_put(out, "\n");
}

/* Whether a point lies on a name of so many units whose middle and angle these are. */
static bool is_crossed(const struct roofline *r, double x, double y, double angle, double width) {
    for (size_t i = 0; i < r->chart->count; i++) {
        double dx = report_x(r->frame, r->chart->point[i].x) - x;
        double dy = report_y(r->frame, r->chart->point[i].y) - y;
        double along = dx * cos(angle) - dy * sin(angle), across = dx * sin(angle) + dy * cos(angle);
        if (fabs(along) < (width + POINT) / 2 && fabs(across) < LINE) {
            return true;
        }
    }
    return false;
}

/* The name of the slanted roof, along it, where no point lies on it. */
static void draw_slope_name(const struct roofline *r, double left, double bottom, double right, double top) {
    double angle = atan2(bottom - top, right - left);
    double width = report_text_width(r->chart->slope_name, LETTERS), x = 0, y = 0;
    /* From the middle outwards, to either side; in the middle where there is no room at all. */
    for (int i = TRIES; i >= 0; i--) {
        double share = 0.5 + 0.02 * (i % 2 ? i : -i);
        double at_x = left + (right - left) * share - 5 * sin(angle);
        double at_y = bottom + (top - bottom) * share - 5 * cos(angle);
        if ((i == 0 && !(x > 0)) || !is_crossed(r, at_x, at_y, angle, width)) {
            x = at_x;
            y = at_y;
        }
    }
    struct report_out turn = {0};
    report_print(&turn, "class=\"w m\" transform=\"rotate(%.1f %.1f %.1f)\"", -angle * 180 / acos(-1), x, y);
    report_text(r->frame->out, x, y, HUGE_VAL, turn.text, r->chart->slope_name);
    r->frame->out->failed = r->frame->out->failed || turn.failed;
    report_out_free(&turn);
}

/* What the roofs are, written along them. */
static void draw_roofs(struct roofline *r) {
    struct report_frame *frame = r->frame;
    const struct report_box *box = &frame->box;
    double ridge = report_x(frame, r->chart->flat / r->chart->slope), top = report_y(frame, r->chart->flat);
    double low = r->chart->slope * frame->x.least, bottom = report_y(frame, low);
    double left = box->left;
    if (low < frame->y.least) {
        left = report_x(frame, frame->y.least / r->chart->slope);
        bottom = box->bottom;
    }
    report_print(frame->out, "<path class=\"limit\" d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>", left, bottom, ridge,
                 top, box->right);
    draw_slope_name(r, left, bottom, ridge, top);
    report_text(frame->out, box->right - 4, top - 5, HUGE_VAL, "class=\"w e\"", r->chart->flat_name);
    double width = report_text_width(r->chart->flat_name, LETTERS);
    r->taken[r->boxes++] = (struct report_box){box->right - 4 - width, box->right, top - 2 * LINE, top};
}

static void draw(struct report_frame *frame) {
    const struct report_roofline *chart = frame->chart->roofline;
    struct roofline r = {.frame = frame,
                         .chart = chart,
                         .taken = report_memory(frame->out, 2 * chart->count + 1, sizeof *r.taken),
                         .done = report_memory(frame->out, chart->count, sizeof *r.done)};
    if (r.taken && r.done) {
        find_spans(frame);
        report_key(frame, REPORT_KEY_MARK, chart->series, NULL, chart->series_count);
        if (!(frame->height > 0)) {
            frame->height = frame->box.top + INSIDE;
        }
        report_axes(frame, &chart->x, &chart->y);
        draw_roofs(&r);
        draw_points(&r);
        draw_names(&r);
    }
    free(r.taken);
    free(r.done);
}

static void describe(struct report_out *out, const struct report_chart *chart) {
    const struct report_roofline *roofline = chart->roofline;
    size_t above = 0;
    for (size_t i = 0; i < roofline->count; i++) {
        above += roofline->point[i].y >= roof_of(roofline, roofline->point[i].x) / 2;
    }
    report_print(out, "%zu points, %zu of them at half of what the roofs allow, or more. ", roofline->count,
                 above);
    report_escape(out, roofline->flat_name);
    report_put(out, "; ");
    report_escape(out, roofline->slope_name);
    report_put(out, ".");
}

static void tabulate(struct report_out *out, const struct report_chart *chart) {
    const struct report_roofline *roofline = chart->roofline;
    report_table_begin(out, chart->title);
    report_put(out, "<tr><th scope=\"col\">point</th><th scope=\"col\">series</th>");
    report_table_head(out, roofline->x.label);
    report_table_head(out, roofline->y.label);
    report_put(out, "<th scope=\"col\">% of the roof</th></tr>\n");
    for (size_t i = 0; i < roofline->count; i++) {
        const struct report_point *point = &roofline->point[i];
        report_put(out, "<tr><th scope=\"row\">");
        report_escape(out, point->label);
        report_put(out, "</th><td>");
        report_escape(out, roofline->series[point->series]);
        report_put(out, "</td>");
        report_table_number(out, point->x);
        report_table_number(out, point->y);
        report_table_number(out, 100 * point->y / roof_of(roofline, point->x));
        report_put(out, "</tr>\n");
    }
    report_put(out, "</table>\n");
}

const struct report_kind report_kind_roofline = {draw, describe, tabulate};
