/* SPDX-License-Identifier: MIT */
/* Lying bars: groups one below the other, in each a bar a series with its number at its end. */
#include <math.h>
#include <stdlib.h>

#include "report/frame.h"

enum { BAR = 12, BETWEEN = 7 };

/* Labels stand to the left of their bars where they are short, else above them. */
static bool labels_above(const struct report_frame *frame, double *widest) {
    const struct report_bars *bars = frame->chart->bars;
    *widest = 0;
    for (size_t i = 0; i < bars->count; i++) {
        *widest = fmax(*widest, report_text_width(bars->group[i].label, REPORT_LETTERS));
    }
    return *widest > 0.4 * frame->width;
}

static void find_span(struct report_frame *frame) {
    const struct report_bars *bars = frame->chart->bars;
    double least = bars->base, most = bars->limit > bars->base ? bars->limit : bars->base;
    for (size_t i = 0; i < bars->count * bars->series_count; i++) {
        double value = bars->group[i / bars->series_count].value[i % bars->series_count];
        least = isfinite(value) ? fmin(least, value) : least;
        most = isfinite(value) ? fmax(most, value) : most;
    }
    struct report_axis x = bars->x;
    x.scale = x.scale == REPORT_LOG ? REPORT_LOG : REPORT_LINEAR;
    frame->x = report_axis_span(&x, least, most, least >= bars->base);
    if (frame->x.log && least < bars->base) {
        /* Room for the numbers beside bars that go to the left. */
        frame->x.least /= pow(frame->x.most / frame->x.least, 0.15);
    }
}

static void draw_bar(const struct report_frame *frame, size_t series, double value, double top) {
    const struct report_bars *bars = frame->chart->bars;
    double base = report_x(frame, bars->base), end = report_x(frame, value);
    struct report_word word;
    report_print(frame->out,
                 "<rect class=\"s%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"><title>",
                 report_colour(bars->styles ? bars->styles[series] - 1 : series), fmin(base, end), top,
                 fmax(fabs(end - base), 0.5), BAR - 1);
    report_escape(frame->out, bars->series[series]);
    report_print(frame->out, " %s</title></rect>", report_digits_word(&word, value, 3));
    report_text(frame->out, end < base ? end - 4 : end + 4, top + 10, HUGE_VAL,
                end < base ? "class=\"v e\"" : "class=\"v\"", word.text);
}

static size_t bars_of(const struct report_bars *bars, size_t group) {
    size_t count = 0;
    for (size_t i = 0; i < bars->series_count; i++) {
        count += isfinite(bars->group[group].value[i]);
    }
    return count;
}

static void draw_group(const struct report_frame *frame, size_t group, bool above, double *top) {
    const struct report_bars *bars = frame->chart->bars;
    const struct report_bar_group *one = &bars->group[group];
    double middle = *top + (double)(BAR * bars_of(bars, group)) / 2;
    if (above) {
        report_text(frame->out, REPORT_GAP, *top + REPORT_LETTERS - 2, frame->width, NULL, one->label);
        *top += REPORT_LINE - 2;
    } else {
        report_text(frame->out, frame->box.left - 6, middle + 4.5, frame->box.left - 6, "class=\"e\"",
                    one->label);
    }
    for (size_t i = 0; i < bars->series_count; i++) {
        if (isfinite(one->value[i])) {
            draw_bar(frame, i, one->value[i], *top);
            *top += BAR;
        }
    }
    *top += BETWEEN;
    report_put(frame->out, "\n");
}

/* The limit's name stands to the side of its line where there is more room. */
static void draw_limit(const struct report_frame *frame) {
    const struct report_bars *bars = frame->chart->bars;
    if (bars->limit > 0) {
        double x = report_x(frame, bars->limit);
        bool left = report_place(&frame->x, bars->limit) > 0.5;
        report_print(frame->out, "<path class=\"limit\" stroke-dasharray=\"5 3\" d=\"M%.1f %.1fV%.1f\"/>", x,
                     frame->box.top - 14, frame->box.bottom);
        report_text(frame->out, left ? x - 5 : x + 5, frame->box.top - 5, frame->width,
                    left ? "class=\"t e\"" : "class=\"t\"", bars->limit_name ? bars->limit_name : "");
    }
}

static double height_of(const struct report_bars *bars, bool above) {
    double height = BETWEEN;
    for (size_t i = 0; i < bars->count; i++) {
        height += (double)(BAR * bars_of(bars, i)) + BETWEEN + (above ? REPORT_LINE - 2 : 0);
    }
    return height;
}

static void draw(struct report_frame *frame) {
    const struct report_bars *bars = frame->chart->bars;
    struct report_box *box = &frame->box;
    double widest;
    bool above = labels_above(frame, &widest);
    find_span(frame);
    report_key(frame, REPORT_KEY_FILL, bars->series, bars->styles, bars->series_count);
    box->top += bars->limit > 0 ? REPORT_LINE : 0;
    box->left = REPORT_GAP + (above ? 0 : widest + 6);
    box->right = frame->width - report_text_width("123.4k", REPORT_LETTERS);
    box->bottom = box->top + height_of(bars, above);
    frame->height = box->bottom + 22 + (bars->x.label ? REPORT_LINE : 0);
    frame->whole = bars->x.whole;
    report_x_ticks(frame);
    double top = box->top + BETWEEN;
    for (size_t i = 0; i < bars->count; i++) {
        draw_group(frame, i, above, &top);
    }
    double base = report_x(frame, bars->base);
    report_print(frame->out, "<path class=\"a\" d=\"M%.1f %.1fV%.1f\"/>", base, box->top, box->bottom);
    draw_limit(frame);
    if (bars->x.label) {
        report_text(frame->out, (box->left + box->right) / 2, frame->height - 6, frame->width,
                    "class=\"t m\"", bars->x.label);
    }
}

static void describe(struct report_out *out, const struct report_chart *chart) {
    const struct report_bars *bars = chart->bars;
    report_escape(out, bars->x.label ? bars->x.label : "Values");
    report_print(out, " of %zu groups. ", bars->count);
    for (size_t s = 0; s < bars->series_count; s++) {
        size_t least = bars->count, most = 0;
        for (size_t i = 0; i < bars->count; i++) {
            double value = bars->group[i].value[s];
            if (isfinite(value)) {
                most = least == bars->count || value > bars->group[most].value[s] ? i : most;
                least = least == bars->count || value < bars->group[least].value[s] ? i : least;
            }
        }
        struct report_word low, high;
        report_escape(out, bars->series[s]);
        if (least < bars->count) {
            report_print(out, ": least %s (", report_number_word(&low, bars->group[least].value[s]));
            report_escape(out, bars->group[least].label);
            report_print(out, "), most %s (", report_number_word(&high, bars->group[most].value[s]));
            report_escape(out, bars->group[most].label);
            report_put(out, "). ");
        } else {
            report_put(out, ": no value. ");
        }
    }
    if (bars->limit > 0) {
        report_escape(out, bars->limit_name);
        report_put(out, ".");
    }
}

static void tabulate(struct report_out *out, const struct report_chart *chart) {
    const struct report_bars *bars = chart->bars;
    report_table_begin(out, chart->title);
    report_put(out, "<tr><td></td>");
    for (size_t i = 0; i < bars->series_count; i++) {
        report_table_head(out, *bars->series[i] ? bars->series[i] : bars->x.label ? bars->x.label : "");
    }
    report_put(out, "</tr>\n");
    for (size_t i = 0; i < bars->count; i++) {
        report_put(out, "<tr><th scope=\"row\">");
        report_escape(out, bars->group[i].label);
        report_put(out, "</th>");
        for (size_t s = 0; s < bars->series_count; s++) {
            report_table_number(out, bars->group[i].value[s]);
        }
        report_put(out, "</tr>\n");
    }
    report_put(out, "</table>\n");
}

const struct report_kind report_kind_bars = {draw, describe, tabulate};
