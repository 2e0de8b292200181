/* SPDX-License-Identifier: MIT */
/* A chart of any kind: what surrounds its drawing, its description and its table. */
#include <math.h>
#include <stdlib.h>

#include "report/frame.h"

static const struct report_kind *kind_of(const struct report_chart *chart) {
    return chart->lines      ? &report_kind_lines
           : chart->bars     ? &report_kind_bars
           : chart->roofline ? &report_kind_roofline
           : chart->matrix   ? &report_kind_matrix
           : chart->tiles    ? &report_kind_tiles
                             : &report_kind_blocks;
}

static void begin(struct report_out *out, const struct report_frame *frame) {
    const struct report_chart *chart = frame->chart;
    report_print(out,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" id=\"%s\" role=\"img\" "
                 "aria-labelledby=\"%s-title %s-about\" viewBox=\"0 0 %.0f %.0f\"",
                 chart->id, chart->id, chart->id, frame->width, frame->height);
    if (chart->alone) {
        /* Programs that look at no viewBox need a size; a browser shows it as wide as there is room. */
        report_print(out, " width=\"%.0f\" height=\"%.0f\" style=\"max-width:100%%;height:auto\"",
                     frame->width * 1.5, frame->height * 1.5);
    }
    report_print(out, ">\n<title id=\"%s-title\">", chart->id);
    report_escape(out, chart->title);
    report_print(out, "</title>\n<desc id=\"%s-about\">", chart->id);
    if (chart->about) {
        report_escape(out, chart->about);
    } else {
        kind_of(chart)->describe(out, chart);
    }
    report_put(out, "</desc>\n");
    if (chart->alone) {
        report_put(out, "<style>\n");
        report_chart_style(out);
        report_print(out, "</style>\n<rect class=\"b\" width=\"%.0f\" height=\"%.0f\"/>\n", frame->width,
                     frame->height);
    }
}

void report_chart_svg(struct report_out *out, const struct report_chart *chart) {
    struct report_out inside = {0};
    struct report_frame frame = {.chart = chart,
                                 .out = &inside,
                                 .width = (double)(chart->width ? chart->width : REPORT_WIDTH),
                                 .height = (double)chart->height};
    report_heading(&frame);
    kind_of(chart)->draw(&frame);
    begin(out, &frame);
    report_put(out, inside.text ? inside.text : "");
    report_put(out, "\n</svg>\n");
    out->failed = out->failed || inside.failed;
    report_out_free(&inside);
}

void report_chart_table(struct report_out *out, const struct report_chart *chart) {
    kind_of(chart)->tabulate(out, chart);
}
