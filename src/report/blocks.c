/* SPDX-License-Identifier: MIT */
/* Blocks in the plane: what lies where in memory, and how long. */
#include <math.h>
#include <stdlib.h>

#include "report/frame.h"

enum { INSIDE = 260 };

static void find_spans(struct report_frame *frame) {
    const struct report_blocks *blocks = frame->chart->blocks;
    double least_x = INFINITY, most_x = -INFINITY, least_y = INFINITY, most_y = -INFINITY;
    for (size_t i = 0; i < blocks->count; i++) {
        const struct report_block *block = &blocks->block[i];
        least_x = fmin(least_x, fmin(block->from, block->to));
        most_x = fmax(most_x, fmax(block->from, block->to));
        least_y = fmin(least_y, fmin(block->low, block->high));
        most_y = fmax(most_y, fmax(block->low, block->high));
    }
    struct report_axis x = blocks->x, y = blocks->y;
    x.scale = x.scale == REPORT_LOG ? REPORT_LOG : REPORT_LINEAR;
    y.scale = y.scale == REPORT_LOG ? REPORT_LOG : REPORT_LINEAR;
    frame->x = report_axis_span(&x, least_x, most_x, true);
    frame->y = report_axis_span(&y, least_y, most_y, true);
}

static void draw_block(const struct report_frame *frame, const struct report_block *block) {
    double left = report_x(frame, block->from), right = report_x(frame, block->to);
    double top = report_y(frame, block->high), bottom = report_y(frame, block->low);
    struct report_word words[4];
    report_print(frame->out,
                 "<rect class=\"s%zu o\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                 "fill-opacity=\".45\"><title>",
                 report_colour(block->series), left, top, fmax(right - left, 0.5), fmax(bottom - top, 0.5));
    report_escape(frame->out, block->label);
    report_print(frame->out, ": %s to %s, %s to %s</title></rect>",
                 report_number_word(&words[0], block->from), report_number_word(&words[1], block->to),
                 report_number_word(&words[2], block->low), report_number_word(&words[3], block->high));
    if (block->label && bottom - top > REPORT_LETTERS &&
        report_text_width(block->label, REPORT_LETTERS) + 6 < right - left) {
        report_text(frame->out, (left + right) / 2, (top + bottom) / 2 + 4.5, HUGE_VAL, "class=\"m\"",
                    block->label);
    }
}

static void draw(struct report_frame *frame) {
    const struct report_blocks *blocks = frame->chart->blocks;
    find_spans(frame);
    report_key(frame, REPORT_KEY_FILL, blocks->series, NULL, blocks->series_count);
    if (!(frame->height > 0)) {
        frame->height = frame->box.top + INSIDE;
    }
    report_axes(frame, &blocks->x, &blocks->y);
    for (size_t i = 0; i < blocks->count; i++) {
        draw_block(frame, &blocks->block[i]);
    }
}

static void describe(struct report_out *out, const struct report_chart *chart) {
    const struct report_blocks *blocks = chart->blocks;
    double most = 0;
    for (size_t i = 0; i < blocks->count; i++) {
        most = fmax(most, blocks->block[i].high);
    }
    struct report_word word;
    report_print(out, "%zu blocks, up to %s ", blocks->count, report_number_word(&word, most));
    report_escape(out, blocks->y.label);
    report_put(out, ".");
}

static void tabulate(struct report_out *out, const struct report_chart *chart) {
    const struct report_blocks *blocks = chart->blocks;
    report_table_begin(out, chart->title);
    report_put(out, "<tr><th scope=\"col\">block</th>");
    const char *const heads[4] = {"from", "to", "low", "high"};
    for (size_t i = 0; i < 4; i++) {
        report_table_head(out, heads[i]);
    }
    report_put(out, "</tr>\n");
    for (size_t i = 0; i < blocks->count; i++) {
        const struct report_block *block = &blocks->block[i];
        report_put(out, "<tr><th scope=\"row\">");
        report_escape(out, block->label);
        report_put(out, "</th>");
        report_table_number(out, block->from);
        report_table_number(out, block->to);
        report_table_number(out, block->low);
        report_table_number(out, block->high);
        report_put(out, "</tr>\n");
    }
    report_put(out, "</table>\n");
}

const struct report_kind report_kind_blocks = {draw, describe, tabulate};
