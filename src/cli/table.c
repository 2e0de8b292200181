/* SPDX-License-Identifier: MIT */
/* Aligned tables and readable numbers. Public headers only. */
#include "cli/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void cli_table_print(struct cli_table *table) {
    size_t columns = strlen(table->columns);
    int width[CLI_MOST_COLUMNS] = {0};
    for (size_t i = 0; i < table->count; i++) {
        int length = (int)strlen(table->cells[i]);
        width[i % columns] = length > width[i % columns] ? length : width[i % columns];
    }
    int owed = 0; /* spaces that only a further word brings out: none stand at the end of a line */
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % columns;
        int length = (int)strlen(table->cells[i]), padding = width[column] - length;
        bool right = table->columns[column] == 'r';
        if (length > 0) {
            (void)printf("%*s%s", owed + (right ? padding : 0), "", table->cells[i]);
            owed = 0;
        }
        owed += (right && length > 0 ? 0 : padding) + 2;
        if (column + 1 == columns) {
            (void)puts("");
            owed = 0;
        }
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
