/* SPDX-License-Identifier: MIT */
/* Axes, keys and texts: what charts of several kinds are made of. */
#include "report/frame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sans-serif letters in parts of their height: nearly Helvetica's, made a tenth wider for others'. */
static double letter_width(unsigned point) {
    if (point >= 0x1100) {
        return 1.05;
    }
    if (point < 0x80 && strchr("ijl.,:;'|!I", (int)point)) {
        return 0.31;
    }
    if (point < 0x80 && strchr("frt()[]/- ", (int)point)) {
        return 0.4;
    }
    if (point < 0x80 && strchr("mwMW%@", (int)point)) {
        return 0.96;
    }
    return point >= 'A' && point <= 'Z' ? 0.76 : 0.62;
}

double report_text_width(const char *text, double letters) {
    double width = 0;
    for (const char *c = text ? text : ""; *c;) {
        unsigned point;
        size_t bytes = report_utf8(c, &point);
        width += letter_width(bytes ? point : 'x') * letters;
        c += bytes ? bytes : 1;
    }
    return width;
}

/* The bytes of a text that fit beside an ellipsis. */
static size_t fitting(const char *text, double most) {
    const char *c = text;
    for (double width = REPORT_LETTERS; *c;) {
        unsigned point;
        size_t bytes = report_utf8(c, &point);
        width += letter_width(bytes ? point : 'x') * REPORT_LETTERS;
        if (width > most) {
            break;
        }
        c += bytes ? bytes : 1;
    }
    return (size_t)(c - text);
}

void report_text(struct report_out *out, double x, double y, double most, const char *attributes,
                 const char *text) {
    report_print(out, "<text x=\"%.1f\" y=\"%.1f\"%s%s>", x, y, attributes ? " " : "",
                 attributes ? attributes : "");
    size_t length = strlen(text);
    size_t bytes = report_text_width(text, REPORT_LETTERS) <= most ? length : fitting(text, most);
    char *part = report_memory(out, length + 1, 1);
    if (part) {
        memcpy(part, text, bytes);
        report_escape(out, part);
        free(part);
    }
    if (bytes < length) {
        report_put(out, "\xE2\x80\xA6<title>");
        report_escape(out, text);
        report_put(out, "</title>");
    }
    report_put(out, "</text>");
}

size_t report_colour(size_t series) {
    return series % REPORT_COLOURS + 1;
}

const char *report_dashes(size_t series) {
    static const char *const dashes[] = {"", " stroke-dasharray=\"7 3\"", " stroke-dasharray=\"2 3\"",
                                         " stroke-dasharray=\"9 3 2 3\"", " stroke-dasharray=\"4 2\""};
    return dashes[series % (sizeof dashes / sizeof *dashes)];
}

void report_mark(struct report_out *out, size_t series, double x, double y, double size) {
    size_t colour = report_colour(series);
    double r = size / 2;
    if (series % 6 == 0) {
        report_print(out, "<circle class=\"s%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", colour, x, y, r);
        return;
    }
    report_print(out, "<path class=\"s%zu\" d=\"", colour);
    switch (series % 6) {
    case 1:
        report_print(out, "M%.1f %.1fh%.1fv%.1fh%.1fz\"", x - r, y - r, size, size, -size);
        return;
    case 2:
        report_print(out, "M%.1f %.1fl%.1f %.1fh%.1fz\"", x, y - 1.2 * r, 1.2 * r, 2.1 * r, -2.4 * r);
        return;
    case 3:
        report_print(out, "M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"", x, y - 1.35 * r, 1.35 * r, 1.35 * r,
                     -1.35 * r, 1.35 * r, -1.35 * r, -1.35 * r);
        return;
    case 4:
        report_print(out, "M%.1f %.1fl%.1f %.1fh%.1fz\"", x, y + 1.2 * r, 1.2 * r, -2.1 * r, -2.4 * r);
        return;
    default:
        report_print(out, "M%.1f %.1fh%.1fv%.1fh%.1fv%.1fh%.1fv%.1fh%.1fv%.1fh%.1fv%.1fh%.1fz\"", x - r / 3,
                     y - 1.2 * r, r / 1.5, r * 0.87, r * 0.87, r / 1.5, -r * 0.87, r * 0.87, -r / 1.5,
                     -r * 0.87, -r * 0.87, -r / 1.5, r * 0.87);
    }
}

static void key_sign(struct report_frame *frame, enum report_key kind, size_t style, double x, double y) {
    struct report_out *out = frame->out;
    if (kind == REPORT_KEY_FILL) {
        report_print(out, "<rect class=\"s%zu\" x=\"%.1f\" y=\"%.1f\" width=\"16\" height=\"10\"/>",
                     report_colour(style), x, y - 9);
        return;
    }
    if (kind == REPORT_KEY_LINE) {
        report_print(out, "<path class=\"l s%zu\"%s d=\"M%.1f %.1fh24\"/>", report_colour(style),
                     report_dashes(style), x, y - 4);
    }
    report_mark(out, style, kind == REPORT_KEY_LINE ? x + 12 : x + 8, y - 4, 7);
    report_put(out, "/>");
}

void report_key(struct report_frame *frame, enum report_key kind, const char *const *names,
                const size_t *styles, size_t count) {
    double sign = kind == REPORT_KEY_LINE ? 30 : 21, x = REPORT_GAP;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (!names[i] || !*names[i]) {
            continue;
        }
        double most = frame->width - 2 * REPORT_GAP - sign;
        double width = fmin(report_text_width(names[i], REPORT_LETTERS), most);
        if (x > REPORT_GAP && x + sign + width > frame->width - REPORT_GAP) {
            x = REPORT_GAP;
            frame->box.top += REPORT_LINE;
        }
        size_t style = styles ? styles[i] - 1 : i;
        key_sign(frame, kind, style, x, frame->box.top + REPORT_LETTERS);
        report_text(frame->out, x + sign, frame->box.top + REPORT_LETTERS, most, NULL, names[i]);
        x += sign + width + 2 * REPORT_GAP;
        any = true;
    }
    frame->box.top += any ? REPORT_LINE + 2 : 0;
}

void report_heading(struct report_frame *frame) {
    const struct report_chart *chart = frame->chart;
    frame->box.top = 4;
    if (!chart->alone) {
        return;
    }
    /* Long titles go over several lines, cut between words. */
    double most = frame->width - 2 * REPORT_GAP;
    for (const char *at = chart->title; *at;) {
        size_t bytes = strlen(at);
        struct report_out line = {0};
        report_put(&line, at);
        while (line.text && bytes > 1 && report_text_width(line.text, REPORT_LETTERS * 1.3) > most) {
            const char *space = memrchr(line.text, ' ', line.length);
            bytes = space && space > line.text ? (size_t)(space - line.text) : 0;
            if (bytes == 0) {
                bytes = line.length = strlen(at);
                break;
            }
            line.text[bytes] = '\0';
            line.length = bytes;
        }
        frame->box.top += REPORT_LINE + 2;
        report_text(frame->out, REPORT_GAP, frame->box.top - 5, most, "class=\"h\"",
                    line.text ? line.text : "");
        frame->out->failed = frame->out->failed || line.failed;
        report_out_free(&line);
        at += bytes;
        at += strspn(at, " ");
    }
    if (chart->note && *chart->note) {
        frame->box.top += REPORT_LINE - 2;
        report_text(frame->out, REPORT_GAP, frame->box.top - 4, most, "class=\"n\"", chart->note);
    }
    frame->box.top += 4;
}

struct report_span report_axis_span(const struct report_axis *axis, double least, double most, bool tight) {
    if (axis->fixed && axis->least < axis->most) {
        return (struct report_span){axis->least, axis->most, axis->scale == REPORT_LOG && axis->least > 0};
    }
    struct report_span span = report_span_of(axis->scale, least, most);
    if (tight && least < most && isfinite(least) && isfinite(most)) {
        span.least = least;
        span.most = most;
    }
    return span;
}

double report_x(const struct report_frame *frame, double value) {
    const struct report_box *box = &frame->box;
    return box->left + fmin(fmax(report_place(&frame->x, value), -0.1), 1.1) * (box->right - box->left);
}

double report_y(const struct report_frame *frame, double value) {
    const struct report_box *box = &frame->box;
    return box->bottom - fmin(fmax(report_place(&frame->y, value), -0.1), 1.1) * (box->bottom - box->top);
}

static bool is_shown(const struct report_frame *frame, double tick, double step) {
    return !frame->whole || step >= 1 || fabs(tick - nearbyint(tick)) < 1e-6;
}

void report_x_ticks(const struct report_frame *frame) {
    const struct report_box *box = &frame->box;
    double ticks[REPORT_MOST_TICKS], step;
    size_t count = report_ticks(&frame->x, (size_t)fmax(2, (box->right - box->left) / 55), ticks, &step);
    for (size_t i = 0; i < count; i++) {
        if (is_shown(frame, ticks[i], step)) {
            struct report_word word;
            double x = report_x(frame, ticks[i]);
            report_print(frame->out, "<path class=\"g\" d=\"M%.1f %.1fV%.1f\"/>", x, box->top, box->bottom);
            report_text(frame->out, x, box->bottom + 16, HUGE_VAL, "class=\"t m\"",
                        report_tick_word(&word, ticks[i], frame->whole ? fmax(1, step) : step));
        }
    }
}

void report_axes(struct report_frame *frame, const struct report_axis *x, const struct report_axis *y) {
    struct report_out *out = frame->out;
    struct report_box *box = &frame->box;
    if (y->label) {
        report_text(out, REPORT_GAP, box->top + REPORT_LETTERS, frame->width, "class=\"t\"", y->label);
        box->top += REPORT_LINE;
    }
    box->top += 4;
    box->bottom = frame->height - 22 - (x->label ? REPORT_LINE : 0);
    double ticks[REPORT_MOST_TICKS], step, widest = 0;
    size_t count = report_ticks(&frame->y, (size_t)fmax(2, (box->bottom - box->top) / 34), ticks, &step);
    struct report_word words[REPORT_MOST_TICKS];
    for (size_t i = 0; i < count; i++) {
        widest = fmax(widest, report_text_width(report_tick_word(&words[i], ticks[i], step), REPORT_LETTERS));
    }
    box->left = REPORT_GAP + widest + 6;
    box->right = frame->width - 14;
    for (size_t i = 0; i < count; i++) {
        double place = report_y(frame, ticks[i]);
        report_print(out, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>", box->left, place, box->right);
        report_text(out, box->left - 6, place + 4.5, HUGE_VAL, "class=\"t e\"", words[i].text);
    }
    frame->whole = x->whole;
    report_x_ticks(frame);
    report_print(out, "<path class=\"a\" d=\"M%.1f %.1fV%.1fH%.1f\"/>", box->left, box->top, box->bottom,
                 box->right);
    if (x->label) {
        report_text(out, (box->left + box->right) / 2, frame->height - 6, frame->width, "class=\"t m\"",
                    x->label);
    }
}

void report_table_begin(struct report_out *out, const char *caption) {
    report_put(out, "<table class=\"numbers\"><caption>");
    report_escape(out, caption);
    report_put(out, "</caption>\n");
}

void report_table_head(struct report_out *out, const char *text) {
    report_put(out, "<th scope=\"col\">");
    report_escape(out, text);
    report_put(out, "</th>");
}

void report_table_number(struct report_out *out, double value) {
    struct report_word word;
    report_print(out, "<td>%s</td>", isnan(value) ? "&#8211;" : report_number_word(&word, value));
}
