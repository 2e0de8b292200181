/* SPDX-License-Identifier: MIT */
/* Small pictures in a grid, each a PNG inside the drawing. */
#include <math.h>
#include <string.h>

#include "report/frame.h"
#include "report/picture.h"

enum { MOST_SIDE = 72, LEAST_SIDE = 28, SPACE = 8, LABEL = 15 };

static void put_png(struct report_out *out, const struct report_tile *tile) {
    struct report_out png = {0};
    report_png(&png, tile->pixels, tile->width, tile->height, tile->channels);
    report_base64(out, png.text, png.length);
    out->failed = out->failed || png.failed;
    report_out_free(&png);
}

static void draw_tile(const struct report_frame *frame, const struct report_tile *tile, double x, double y,
                      double side, double cell) {
    struct report_out *out = frame->out;
    double scale = side / fmax((double)tile->width, (double)tile->height);
    double width = (double)tile->width * scale, height = (double)tile->height * scale;
    report_print(out,
                 "<image x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" href=\"data:image/png;base64,",
                 x + (cell - width) / 2, y, width, height);
    put_png(out, tile);
    const char *about = tile->about ? tile->about : tile->label;
    report_put(out, "\"><title>");
    report_escape(out, about);
    report_put(out, "</title></image>");
    report_print(out, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                 x + (cell - width) / 2, y, width, height);
    if (tile->label) {
        report_text(out, x + cell / 2, y + side + REPORT_LETTERS, cell + SPACE - 2, "class=\"v m\"",
                    tile->label);
    }
    report_put(out, "\n");
}

static void draw(struct report_frame *frame) {
    const struct report_tiles *tiles = frame->chart->tiles;
    bool labels = false;
    for (size_t i = 0; i < tiles->count; i++) {
        labels = labels || tiles->tile[i].label;
    }
    double inside = frame->width - 2 * REPORT_GAP + SPACE;
    size_t most = (size_t)(inside / (LEAST_SIDE + SPACE));
    size_t columns = tiles->columns ? tiles->columns : (size_t)ceil(sqrt((double)tiles->count * 2));
    size_t least = (size_t)(inside / (MOST_SIDE + SPACE));
    columns = tiles->columns ? columns : columns > most ? most : columns < least ? least : columns;
    double side = fmin(MOST_SIDE, inside / (double)columns - SPACE);
    double row = side + SPACE + (labels ? LABEL : 0);
    double cell = tiles->columns ? inside / (double)columns - SPACE : side; /* names may be wider */
    for (size_t i = 0; i < tiles->count; i++) {
        size_t across = i % columns, down = i / columns;
        draw_tile(frame, &tiles->tile[i], REPORT_GAP + (double)across * (cell + SPACE),
                  frame->box.top + (double)down * row, side, cell);
    }
    frame->height = frame->box.top + ceil((double)tiles->count / (double)columns) * row + 4;
}

static void describe(struct report_out *out, const struct report_chart *chart) {
    const struct report_tiles *tiles = chart->tiles;
    report_print(out, "%zu pictures", tiles->count);
    if (tiles->count > 0) {
        report_print(out, " of %zu x %zu points", tiles->tile[0].width, tiles->tile[0].height);
    }
    report_put(out, ".");
}

static void tabulate(struct report_out *out, const struct report_chart *chart) {
    const struct report_tiles *tiles = chart->tiles;
    report_table_begin(out, chart->title);
    report_put(
        out,
        "<tr><th scope=\"col\">picture</th><th scope=\"col\">size</th><th scope=\"col\">about</th></tr>\n");
    for (size_t i = 0; i < tiles->count; i++) {
        const struct report_tile *tile = &tiles->tile[i];
        report_put(out, "<tr><th scope=\"row\">");
        if (tile->label) {
            report_escape(out, tile->label);
        } else {
            report_print(out, "%zu", i + 1);
        }
        report_print(out, "</th><td>%zu x %zu</td><td>", tile->width, tile->height);
        report_escape(out, tile->about ? tile->about : tile->label);
        report_put(out, "</td></tr>\n");
    }
    report_put(out, "</table>\n");
}

const struct report_kind report_kind_tiles = {draw, describe, tabulate};
