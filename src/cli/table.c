/* SPDX-License-Identifier: MIT */
/* Aligned tables and readable numbers. Public headers only. */
#include "cli/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/report.h"

void cli_table_cell(struct cli_table *table, const char *format, ...) {
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 64;
        char **cells = cli_allocate(capacity, sizeof *cells);
        if (table->count) {
            memcpy(cells, table->cells, table->count * sizeof *cells);
        }
        free(table->cells);
        table->cells = cells;
        table->capacity = capacity;
    }
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&table->cells[table->count], format, arguments);
    va_end(arguments);
    if (length < 0) {
        cli_out_of_memory();
    }
    cli_clean(table->cells[table->count], false);
    table->count++;
}

size_t cli_terminal_columns(void) {
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    const char *text = getenv("COLUMNS");
    bool number = text && *text && strlen(text) < 7 && text[strspn(text, "0123456789")] == '\0';
    return number ? (size_t)strtoul(text, NULL, 10) : 0;
}

/* Characters of a text, whose bytes are UTF-8. */
static int characters(const char *text) {
    int count = 0;
    for (; *text; text++) {
        count += ((unsigned char)*text & 0xC0U) != 0x80U;
    }
    return count;
}

static size_t longest_line; /* 0: no limit but the terminal's */
static bool for_pages;      /* Markdown */

void cli_table_style(size_t most, bool markdown) {
    longest_line = most;
    for_pages = markdown;
}

enum { GAP = 2 }; /* spaces between two columns */

/* A table whose columns' widths are known. */
struct layout {
    const struct cli_table *table;
    size_t columns;
    int width[CLI_MOST_COLUMNS];
};

static int width_of(const struct layout *layout, size_t first, size_t end) {
    int width = 0;
    for (size_t i = first; i < end; i++) {
        width += layout->width[i] + (i > first ? GAP : 0);
    }
    return width;
}

/* Print the columns up to `keys`, and those from `first` to `end`; words of the last that go beyond `most`
 * (0: any) go on below. */
static void print_columns(const struct layout *layout, size_t keys, size_t first, size_t end, int most) {
    const struct cli_table *table = layout->table;
    int at = 0;   /* columns printed of a line */
    int owed = 0; /* spaces that only a further word brings out: none stand at the end of a line */
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % layout->columns;
        if (column < keys || (column >= first && column < end)) {
            int length = characters(table->cells[i]), padding = layout->width[column] - length;
            bool right = table->columns[column] == 'r';
            if (length > 0) {
                int before = owed + (right ? padding : 0);
                at += before;
                (void)printf("%*s", before, "");
                if (most > 0 && column + 1 == end && !right && at + length > most) {
                    cli_print_at(table->cells[i], (size_t)at, (size_t)most);
                } else {
                    (void)fputs(table->cells[i], stdout);
                }
                at += length;
                owed = 0;
            }
            owed += (right && length > 0 ? 0 : padding) + GAP;
        }
        if (column + 1 == layout->columns) {
            (void)puts("");
            owed = 0;
            at = 0;
        }
    }
}

/* The leading columns of words tell rows apart and are repeated, where that leaves a third of the line. */
static size_t count_keys(const struct layout *layout, int most) {
    size_t keys = 1;
    while (keys + 1 < layout->columns && layout->table->columns[keys] == 'l' &&
           3 * width_of(layout, 0, keys + 1) <= 2 * most) {
        keys++;
    }
    return keys;
}

/* As many columns side by side as fit, the others below them. */
static void print_folded(const struct layout *layout, int most) {
    size_t keys = count_keys(layout, most), first = keys;
    int room = most - width_of(layout, 0, keys) - GAP;
    while (first < layout->columns) {
        size_t end = first + 1;
        while (end < layout->columns && width_of(layout, first, end + 1) <= room) {
            end++;
        }
        (void)(first > keys ? puts("") : 0);
        print_columns(layout, keys, first, end, most);
        first = end;
    }
}

static void print_markdown(const struct cli_table *table, size_t columns) {
    for (size_t i = 0; i < table->count; i++) {
        (void)printf("%s%s |", i % columns ? " " : "| ", table->cells[i]);
        if ((i + 1) % columns == 0) {
            (void)puts("");
        }
        for (size_t c = 0; i + 1 == columns && c < columns; c++) {
            (void)printf("%s%s%s", c ? "" : "|", table->columns[c] == 'r' ? "--:|" : "---|",
                         c + 1 == columns ? "\n" : "");
        }
    }
}

void cli_table_print(struct cli_table *table) {
    struct layout layout = {.table = table, .columns = strlen(table->columns)};
    for (size_t i = 0; i < table->count; i++) {
        int length = characters(table->cells[i]), *width = &layout.width[i % layout.columns];
        *width = length > *width ? length : *width;
    }
    size_t terminal = cli_terminal_columns(), most = longest_line;
    most = terminal > 0 && (most == 0 || terminal < most) ? terminal : most;
    if (for_pages) {
        print_markdown(table, layout.columns);
    } else if (most > 0 && width_of(&layout, 0, layout.columns) > (int)most) {
        print_folded(&layout, (int)most);
    } else {
        print_columns(&layout, 0, 0, layout.columns, 0);
    }
    cli_table_free(table);
}

void cli_table_free(struct cli_table *table) {
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    *table = (struct cli_table){.columns = table->columns};
}

const char *cli_loss_words(struct report_words *words, double loss) {
    /* A rate that is too high makes losses of forty digits. */
    (void)snprintf(words->text, sizeof words->text, loss < 1000 ? "%.4f" : "%.3g", loss);
    return words->text;
}

const char *cli_seconds_words(struct report_words *words, double seconds) {
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        (void)snprintf(words->text, sizeof words->text, "-:--");
        return words->text;
    }
    unsigned long whole = (unsigned long)(seconds + 0.5);
    if (whole >= 3600) {
        (void)snprintf(words->text, sizeof words->text, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60,
                       whole % 60);
    } else {
        (void)snprintf(words->text, sizeof words->text, "%lu:%02lu", whole / 60, whole % 60);
    }
    return words->text;
}
