/* SPDX-License-Identifier: MIT */
/* Samples drawn in the terminal: pictures in grey, two pixels above each other in a letter, or rows of
 * values in a table. Public headers only. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/data_look.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/targets.h"
#include "cli/terminal.h"

enum { GAP = 2, LEAST_TILE = 8, MOST_COLUMNS_SHOWN = 8, MOST_TARGETS_SHOWN = 4 };

/* Pictures made small enough to stand side by side, as shares of white. */
struct tiles {
    size_t width, height; /* of each, height even */
    float *grey[CLI_SAMPLES];
    char label[CLI_SAMPLES][64];
    size_t count;
};

/* The mean over a part of a picture: in colour by the weights of ITU-R BT.601. */
static float mean_of(const unsigned char *bytes, size_t width, size_t shown, const size_t x[2],
                     const size_t y[2]) {
    static const float weight[] = {0.299F, 0.587F, 0.114F};
    const size_t colours = shown == 1 ? 1 : sizeof weight / sizeof *weight;
    float sum = 0;
    for (size_t row = y[0]; row < y[1]; row++) {
        for (size_t column = x[0]; column < x[1]; column++) {
            for (size_t c = 0; c < colours; c++) {
                sum += (colours == 1 ? 1 : weight[c]) * (float)bytes[(row * width + column) * colours + c];
            }
        }
    }
    return sum / (255 * (float)((x[1] - x[0]) * (y[1] - y[0])));
}

/* A picture in a tile's size. */
static float *shrink(const struct cli_data_look *look, size_t number, const struct tiles *tiles,
                     int32_t *label) {
    size_t height = look->shape[0], width = look->shape[1], shown = cli_shown_channels(look->channels);
    float *values = cli_data_sample(look, number, label);
    unsigned char *bytes = cli_allocate(height * width, shown);
    float *grey = cli_allocate(tiles->width * tiles->height, sizeof *grey);
    cli_to_bytes(values, height * width, look->channels, look->low, look->high, bytes);
    for (size_t i = 0; i < tiles->width * tiles->height; i++) {
        size_t across = i % tiles->width, down = i / tiles->width;
        size_t x[2] = {across * width / tiles->width, (across + 1) * width / tiles->width};
        size_t y[2] = {down * height / tiles->height, (down + 1) * height / tiles->height};
        x[1] += x[1] == x[0];
        y[1] += y[1] == y[0];
        grey[i] = mean_of(bytes, width, shown, x, y);
    }
    free(bytes);
    free(values);
    return grey;
}

/* As wide as five of them fit side by side, and no wider than they are. */
static void measure(const struct cli_data_look *look, size_t width, struct tiles *tiles) {
    size_t room = width > CLI_SAMPLES * (LEAST_TILE + GAP) ? (width - (CLI_SAMPLES - 1) * GAP) / CLI_SAMPLES
                                                           : LEAST_TILE;
    tiles->width = look->shape[1] < room ? look->shape[1] : room;
    double scale = (double)tiles->width / (double)look->shape[1];
    size_t height = (size_t)lrint((double)look->shape[0] * scale);
    tiles->height = height < 2 ? 2 : height + height % 2;
}

static void put_letter(const struct report_terminal *terminal, float upper, float lower) {
    static const char ramp[] = " .:-=+*#%@";
    if (terminal->colour && terminal->unicode) {
        /* 24 greys of the 256 colours, from 232 on. */
        (void)printf("\033[38;5;%ld;48;5;%ldm\u2580", 232 + lrintf(23 * upper), 232 + lrintf(23 * lower));
    } else {
        (void)putchar(ramp[lrintf((float)(sizeof ramp - 2) * (upper + lower) / 2)]);
    }
}

static void put_row(const struct report_terminal *terminal, const struct tiles *tiles, size_t first,
                    size_t end, size_t row) {
    for (size_t k = first; k < end; k++) {
        const float *grey = tiles->grey[k] + row * tiles->width;
        (void)printf("%*s", k > first ? GAP : 0, "");
        for (size_t i = 0; i < tiles->width; i++) {
            put_letter(terminal, grey[i], grey[tiles->width + i]);
        }
        (void)printf("%s", terminal->colour && terminal->unicode ? "\033[0m" : "");
    }
    (void)puts("");
}

static void put_labels(const struct tiles *tiles, size_t first, size_t end) {
    for (size_t k = first; k < end; k++) {
        bool last = k + 1 == end;
        cli_print("%-*.*s%s", last ? 0 : (int)tiles->width, (int)tiles->width, tiles->label[k],
                  last ? "\n" : "  ");
    }
}

static void draw_pictures(const struct cli_data_look *look) {
    const struct report_terminal terminal = cli_terminal();
    struct tiles tiles = {.count = look->samples};
    measure(look, terminal.width, &tiles);
    size_t columns = (terminal.width + GAP) / (tiles.width + GAP);
    columns = columns < 1 ? 1 : columns < tiles.count ? columns : tiles.count;
    for (size_t k = 0; k < tiles.count; k++) {
        char number[32];
        int32_t label;
        tiles.grey[k] = shrink(look, k, &tiles, &label);
        (void)snprintf(tiles.label[k], sizeof tiles.label[k], "%s",
                       look->targets ? "" : cli_class_name(look->train, (size_t)label, number));
    }
    for (size_t first = 0; first < tiles.count; first += columns) {
        size_t end = first + columns < tiles.count ? first + columns : tiles.count;
        for (size_t row = 0; row < tiles.height; row += 2) {
            put_row(&terminal, &tiles, first, end, row);
        }
        put_labels(&tiles, first, end);
    }
    for (size_t k = 0; k < tiles.count; k++) {
        free(tiles.grey[k]);
    }
}

/* What a sample is to be taken for: its class, or its first targets. */
static void add_label(struct cli_table *table, const struct cli_data_look *look, size_t number,
                      int32_t label) {
    char text[32];
    if (look->targets == 0) {
        cli_table_cell(table, "%s", cli_class_name(look->train, (size_t)label, text));
        return;
    }
    float *targets = cli_data_targets(look, number);
    for (size_t i = 0; i < look->targets && i < MOST_TARGETS_SHOWN; i++) {
        cli_table_cell(table, "%.6g", (double)targets[i]);
    }
    free(targets);
}

static void add_heading(struct cli_table *table, const struct cli_data_look *look, size_t shown, bool cut) {
    const char *label = stoa_dataset_label_name(look->train);
    char text[32];
    for (size_t i = 0; i < shown; i++) {
        const char *name = stoa_dataset_column_name(look->train, i);
        (void)snprintf(text, sizeof text, "value %zu", i + 1);
        cli_table_cell(table, "%s", name ? name : text);
    }
    if (cut) {
        cli_table_cell(table, "%zu more", look->size - shown);
    }
    for (size_t i = 0; i < look->targets && i < MOST_TARGETS_SHOWN; i++) {
        cli_table_cell(table, "%s", cli_target_name(look->train, i, text));
    }
    if (look->targets == 0) {
        cli_table_cell(table, "%s", label ? label : "class");
    }
}

/* A row of values a sample, with what it is to be taken for last. */
static void draw_rows(const struct cli_data_look *look) {
    size_t shown = look->size < MOST_COLUMNS_SHOWN ? look->size : MOST_COLUMNS_SHOWN;
    size_t targets = look->targets < MOST_TARGETS_SHOWN ? look->targets : MOST_TARGETS_SHOWN;
    bool cut = shown < look->size;
    char columns[MOST_COLUMNS_SHOWN + MOST_TARGETS_SHOWN + 3] = "";
    memset(columns, 'r', shown + cut + targets);
    columns[shown + cut + targets] = look->targets == 0 ? 'l' : '\0';
    struct cli_table table = {.columns = columns};
    add_heading(&table, look, shown, cut);
    for (size_t k = 0; k < look->samples; k++) {
        int32_t label;
        float *values = cli_data_sample(look, k, &label);
        for (size_t i = 0; i < shown; i++) {
            cli_table_cell(&table, "%.6g", (double)values[i]);
        }
        if (cut) {
            cli_table_cell(&table, "...");
        }
        add_label(&table, look, k, label);
        free(values);
    }
    cli_table_print(&table);
}

void cli_data_draw(const struct cli_data_look *look) {
    if (look->pictures) {
        draw_pictures(look);
    } else {
        draw_rows(look);
    }
}
