/* SPDX-License-Identifier: MIT */
/* Lines in a grid of cells. Braille cells are two dots wide and four high; in ASCII a cell is one dot. */
#include "report/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/frame.h"

enum { LEAST_WIDTH = 30, MOST_WIDTH = 300, HEIGHT = 12, MOST_HEIGHT = 100, LETTERS_A_LINE = 3 };
static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
enum { LETTERS = sizeof letters - 1 };

struct cell {
    unsigned char dots;
    char letter;           /* 0: none */
    unsigned short colour; /* of the line that was there last, from 1 */
};

struct grid {
    struct report_frame frame; /* the box is in dots */
    const struct report_lines *lines;
    const struct report_terminal *terminal;
    struct cell *cell;
    size_t columns, rows, dots_wide, dots_high;
};

/* Columns that a character takes; 0 where it may not be shown. */
static size_t columns_of(const char *text, size_t bytes, unsigned point, bool unicode) {
    bool plain = bytes == 1 && *text >= ' ' && *text < 0x7F;
    bool shown = plain || (unicode && bytes > 1 && point >= 0xA0);
    return !shown ? 0 : point >= 0x1100 ? 2 : 1;
}

/* A text of at most `most` columns, made harmless. Returns its columns; without `out` it only counts. */
static size_t put_plain(struct report_out *out, const char *text, size_t most, bool unicode) {
    size_t used = 0;
    for (const char *c = text ? text : ""; *c;) {
        unsigned point;
        size_t bytes = report_utf8(c, &point), columns = columns_of(c, bytes, point, unicode);
        if (used + (columns ? columns : 1) > most) {
            break;
        }
        if (out) {
            report_put_bytes(out, columns ? c : "?", columns ? bytes : 1);
        }
        used += columns ? columns : 1;
        c += bytes ? bytes : 1;
    }
    return used;
}

static size_t plain_columns(const char *text, bool unicode) {
    return put_plain(NULL, text, MOST_WIDTH, unicode);
}

static void put_spaces(struct report_out *out, size_t count) {
    report_print(out, "%*s", (int)count, "");
}

static void begin_colour(struct report_out *out, const struct report_terminal *terminal, size_t style) {
    static const int codes[REPORT_COLOURS] = {34, 31, 32, 35, 33, 36, 90, 94};
    if (terminal->colour) {
        report_print(out, "\x1b[%dm", codes[style % REPORT_COLOURS]);
    }
}

static void end_colour(struct report_out *out, const struct report_terminal *terminal) {
    report_put(out, terminal->colour ? "\x1b[0m" : "");
}

/* ---- drawing ---- */

static struct cell *cell_at(const struct grid *grid, double x, double y, unsigned char *dot) {
    static const unsigned char dots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    size_t column = (size_t)fmin(fmax(x, 0), (double)(grid->columns * grid->dots_wide - 1));
    size_t row = (size_t)fmin(fmax(y, 0), (double)(grid->rows * grid->dots_high - 1));
    *dot = dots[row % grid->dots_high][column % grid->dots_wide];
    return &grid->cell[row / grid->dots_high * grid->columns + column / grid->dots_wide];
}

static size_t style_of(const struct report_lines *lines, size_t i) {
    return lines->line[i].style ? lines->line[i].style - 1 : i;
}

/* In ASCII every cell of a line among others is its letter. */
static void set_dot(const struct grid *grid, double x, double y, size_t place) {
    unsigned char dot;
    struct cell *cell = cell_at(grid, x, y, &dot);
    cell->dots |= dot;
    cell->colour = (unsigned short)(style_of(grid->lines, place) + 1);
    if (!grid->terminal->unicode && grid->lines->count > 1) {
        cell->letter = letters[place % LETTERS];
    }
}

static void draw_to(const struct grid *grid, double x0, double y0, double x1, double y1, size_t place) {
    size_t steps = (size_t)fmax(1, ceil(fmax(fabs(x1 - x0), fabs(y1 - y0))));
    for (size_t i = 0; i <= steps; i++) {
        double share = (double)i / (double)steps;
        set_dot(grid, x0 + (x1 - x0) * share, y0 + (y1 - y0) * share, place);
    }
}

static bool is_drawn(const struct report_line *line, size_t i) {
    return isfinite(line->x[i]) && isfinite(line->y[i]);
}

static void draw_line(const struct grid *grid, size_t place) {
    const struct report_line *line = &grid->lines->line[place];
    double before_x = 0, before_y = 0;
    bool connected = false;
    for (size_t i = 0; i < line->count; i++) {
        bool drawn = is_drawn(line, i);
        if (drawn) {
            double x = report_x(&grid->frame, line->x[i]), y = report_y(&grid->frame, line->y[i]);
            draw_to(grid, connected ? before_x : x, connected ? before_y : y, x, y, place);
            before_x = x;
            before_y = y;
        }
        connected = drawn;
    }
}

/* The line's letter at its end, and at some places that are its own. */
static void put_letters(const struct grid *grid, size_t place) {
    const struct report_line *line = &grid->lines->line[place];
    unsigned char dot;
    size_t last = line->count;
    for (size_t i = line->count; i-- > 0 && last == line->count;) {
        last = is_drawn(line, i) ? i : last;
    }
    for (size_t i = 0; last < line->count && i <= LETTERS_A_LINE; i++) {
        double share = (double)i + (double)place / (double)grid->lines->count;
        size_t at = i == LETTERS_A_LINE ? last : (size_t)((double)last * share / LETTERS_A_LINE);
        if (is_drawn(line, at)) {
            struct cell *cell =
                cell_at(grid, report_x(&grid->frame, line->x[at]), report_y(&grid->frame, line->y[at]), &dot);
            cell->letter = letters[place % LETTERS];
            cell->colour = (unsigned short)(style_of(grid->lines, place) + 1);
        }
    }
}

static void draw(const struct grid *grid) {
    for (size_t i = 0; i < grid->lines->count; i++) {
        draw_line(grid, i);
    }
    for (size_t i = 0; grid->lines->count > 1 && i < grid->lines->count; i++) {
        put_letters(grid, i);
    }
}

/* ---- text ---- */

static void put_cell(struct report_out *out, const struct grid *grid, const struct cell *cell) {
    if (!cell->dots && !cell->letter) {
        report_put(out, " ");
        return;
    }
    begin_colour(out, grid->terminal, cell->colour - 1);
    if (cell->letter) {
        report_put_bytes(out, &cell->letter, 1);
    } else if (grid->terminal->unicode) {
        const char braille[3] = {(char)0xE2, (char)(0xA0 | cell->dots >> 6),
                                 (char)(0x80 | (cell->dots & 0x3F))};
        report_put_bytes(out, braille, sizeof braille);
    } else {
        report_put(out, "*");
    }
    end_colour(out, grid->terminal);
}

/* The title, and behind it or below it what each letter stands for. */
static void put_head(struct report_out *out, const char *title, const struct grid *grid) {
    const struct report_lines *lines = grid->lines;
    size_t width = grid->terminal->width, used = put_plain(out, title, width, grid->terminal->unicode);
    for (size_t i = 0; lines->count > 1 && i < lines->count; i++) {
        size_t name = plain_columns(lines->line[i].name, grid->terminal->unicode);
        if (used > 0 && used + name + 4 > width) {
            report_put(out, "\n");
            used = 0;
        }
        report_put(out, "  ");
        begin_colour(out, grid->terminal, style_of(lines, i));
        report_print(out, "%c ", letters[i % LETTERS]);
        used += 4 + put_plain(out, lines->line[i].name, width - 4, grid->terminal->unicode);
        end_colour(out, grid->terminal);
    }
    report_put(out, "\n");
}

/* Ticks of y, each with its row. */
struct labels {
    struct report_word word[REPORT_MOST_TICKS];
    size_t row[REPORT_MOST_TICKS], count, width;
};

static void find_labels(const struct grid *grid, struct labels *labels) {
    double ticks[REPORT_MOST_TICKS], step;
    size_t most = grid->rows / 2 > 6 ? 6 : grid->rows / 2;
    labels->count = report_ticks(&grid->frame.y, most, ticks, &step);
    labels->width = 0;
    for (size_t i = 0; i < labels->count; i++) {
        size_t width = strlen(report_tick_word(&labels->word[i], ticks[i], step));
        double share = 1 - report_place(&grid->frame.y, ticks[i]);
        labels->row[i] = (size_t)fmin(fmax(share, 0) * (double)grid->rows, (double)(grid->rows - 1));
        labels->width = width > labels->width ? width : labels->width;
    }
}

static void put_rows(struct report_out *out, const struct grid *grid, const struct labels *labels) {
    bool unicode = grid->terminal->unicode;
    for (size_t row = 0; row < grid->rows; row++) {
        const char *label = "";
        for (size_t i = 0; i < labels->count; i++) {
            label = labels->row[i] == row ? labels->word[i].text : label;
        }
        report_print(out, "%*s %s", (int)labels->width, label,
                     unicode ? (*label ? "\xE2\x94\xA4" : "\xE2\x94\x82") : (*label ? "+" : "|"));
        size_t end = grid->columns;
        const struct cell *cells = &grid->cell[row * grid->columns];
        while (end > 0 && !cells[end - 1].dots && !cells[end - 1].letter) {
            end--;
        }
        for (size_t column = 0; column < end; column++) {
            put_cell(out, grid, &cells[column]);
        }
        report_put(out, "\n");
    }
}

/* The axis x: a line, and below it as many numbers as have room. */
static void put_x(struct report_out *out, const struct grid *grid, const struct labels *labels) {
    const struct report_axis *axis = &grid->lines->x;
    double ticks[REPORT_MOST_TICKS], step;
    size_t count = report_ticks(&grid->frame.x, grid->columns / 10 + 2, ticks, &step);
    char numbers[MOST_WIDTH + 1];
    memset(numbers, ' ', grid->columns);
    numbers[grid->columns] = '\0';
    put_spaces(out, labels->width + 1);
    report_put(out, grid->terminal->unicode ? "\xE2\x94\x94" : "+");
    for (size_t i = 0; i < grid->columns; i++) {
        report_put(out, grid->terminal->unicode ? "\xE2\x94\x80" : "-");
    }
    size_t free_from = 0;
    for (size_t i = 0; i < count; i++) {
        struct report_word word;
        const char *text = report_tick_word(&word, ticks[i], axis->whole ? fmax(1, step) : step);
        size_t length = strlen(text);
        double place = report_place(&grid->frame.x, ticks[i]) * (double)(grid->columns - 1);
        size_t half = length / 2, at = (size_t)fmax(0, place - (double)half);
        bool whole = !axis->whole || fabs(ticks[i] - nearbyint(ticks[i])) < 1e-6;
        at = at + length > grid->columns ? grid->columns - length : at;
        if (whole && at >= free_from && length <= grid->columns) {
            memcpy(numbers + at, text, length);
            free_from = at + length + 1;
        }
    }
    size_t end = grid->columns;
    while (end > 0 && numbers[end - 1] == ' ') {
        numbers[--end] = '\0';
    }
    report_put(out, "\n");
    put_spaces(out, labels->width + 2);
    report_print(out, "%s\n", numbers);
    if (axis->label) {
        size_t width = plain_columns(axis->label, grid->terminal->unicode);
        put_spaces(out, labels->width + 2 + (width < grid->columns ? (grid->columns - width) / 2 : 0));
        (void)put_plain(out, axis->label, grid->columns, grid->terminal->unicode);
        report_put(out, "\n");
    }
}

void report_lines_text(struct report_out *out, const char *title, const struct report_lines *lines,
                       const struct report_terminal *terminal) {
    struct report_terminal held = *terminal;
    held.width = held.width < LEAST_WIDTH ? LEAST_WIDTH : held.width > MOST_WIDTH ? MOST_WIDTH : held.width;
    size_t rows = held.height == 0 ? HEIGHT : held.height;
    struct grid grid = {.lines = lines,
                        .terminal = &held,
                        .rows = rows < 3             ? 3
                                : rows > MOST_HEIGHT ? MOST_HEIGHT
                                                     : rows,
                        .dots_wide = held.unicode ? 2 : 1,
                        .dots_high = held.unicode ? 4 : 1};
    put_head(out, title, &grid);
    if (!report_lines_spans(lines, &grid.frame.x, &grid.frame.y)) {
        report_put(out, "  nothing to draw: no finite value\n");
        return;
    }
    struct labels labels;
    find_labels(&grid, &labels);
    grid.columns = held.width - labels.width - 2;
    grid.frame.box = (struct report_box){.right = (double)(grid.columns * grid.dots_wide) - 0.5,
                                         .bottom = (double)(grid.rows * grid.dots_high) - 0.5};
    grid.cell = report_memory(out, grid.columns * grid.rows, sizeof *grid.cell);
    if (grid.cell) {
        draw(&grid);
        put_rows(out, &grid, &labels);
        put_x(out, &grid, &labels);
    }
    free(grid.cell);
}
