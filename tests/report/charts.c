/* SPDX-License-Identifier: MIT */
#include "tests/report/charts.h"

#include <math.h>

static const double x[] = {1, 2, 3, 4}, y[] = {2.5, 1.25, NAN, 0.625};
static const struct report_line line[] = {
    {.name = HOSTILE, .x = x, .y = y, .count = 4, .best = 4},
    {.name = "a name that is a good deal longer than the drawing is wide, so that it has to be cut somewhere",
     .x = x,
     .y = x,
     .count = 4},
    {.name = "behind", .x = x, .y = x, .count = 3, .is_faint = true, .style = 1},
};
static const struct report_lines lines = {
    .x = {.label = HOSTILE, .whole = true}, .y = {.label = HOSTILE}, .line = line, .count = 3};

static const char *const series[] = {"naive", HOSTILE, "third"};
static const double first[] = {1.5, 30, NAN}, second[] = {2.5, NAN, 71}, third[] = {0.25, 1, 4};
static const struct report_bar_group group[] = {{"short", first}, {HOSTILE, second}, {"lenet c2", third}};
static const struct report_bars bars = {.x = {.label = "GFLOP/s"},
                                        .series = series,
                                        .series_count = 3,
                                        .group = group,
                                        .count = 3,
                                        .limit = 100,
                                        .limit_name = "limit " HOSTILE};
static const struct report_bars ratios = {
    .x = {.scale = REPORT_LOG}, .series = series, .series_count = 3, .group = group, .count = 3, .base = 1};

static const struct report_point point[] = {
    {0.5, 3, "low", 0}, {40, 90, HOSTILE, 1}, {40, 90, "the same place", 2}, {8, 20, "middle", 0}};
static const struct report_roofline roofline = {.x = {.label = "flops a byte"},
                                                .y = {.label = "GFLOP/s"},
                                                .series = series,
                                                .series_count = 3,
                                                .point = point,
                                                .count = 4,
                                                .flat = 100,
                                                .slope = 10,
                                                .flat_name = "FMA",
                                                .slope_name = HOSTILE};

static const char *const classes[] = {"cat", HOSTILE, "dog"};
static const double counts[] = {90, 1, 0, 4, 80, 12, 0, 7, 93};
static const struct report_matrix matrix = {.row_title = "truth",
                                            .column_title = "predicted",
                                            .row_label = classes,
                                            .column_label = classes,
                                            .rows = 3,
                                            .columns = 3,
                                            .value = counts,
                                            .is_confusion = true};

static const unsigned char grey[] = {0, 255, 128, 64, 32, 16}, colours[] = {255, 0, 0, 0, 255, 0};
static const struct report_tile tile[] = {
    {grey, 3, 2, 1, HOSTILE, NULL}, {colours, 2, 1, 3, "red, green", HOSTILE}, {grey, 1, 6, 1, NULL, NULL}};
static const struct report_tiles tiles = {.tile = tile, .count = 3};

static const struct report_block block[] = {{0, 3, 0, 4096, "a", 0}, {1, 2, 4096, 8192, HOSTILE, 1}};
static const struct report_blocks blocks = {.x = {.label = "step", .whole = true},
                                            .y = {.label = "bytes"},
                                            .series = series,
                                            .series_count = 2,
                                            .block = block,
                                            .count = 2};

const struct report_chart charts[CHARTS] = {
    {.id = "lines", .title = "Loss of " HOSTILE, .note = HOSTILE, .lines = &lines},
    {.id = "bars", .title = "Bars", .about = HOSTILE, .bars = &bars},
    {.id = "ratios", .title = "Ratios", .bars = &ratios},
    {.id = "roofline", .title = "Roofline", .roofline = &roofline},
    {.id = "matrix", .title = "Matrix", .matrix = &matrix},
    {.id = "tiles", .title = "Tiles", .tiles = &tiles},
    {.id = "blocks",
     .title = "A title that goes over more than one line of a drawing, as some titles do",
     .blocks = &blocks},
};
