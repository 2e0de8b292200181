/* SPDX-License-Identifier: MIT */
/* Tables of text whose columns line up, and numbers for people. */
#ifndef STOA_CLI_TABLE_H
#define STOA_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "report/words.h"

enum { CLI_MOST_COLUMNS = 20 };
struct cli_table {
    const char *columns; /* a letter a column: 'l' left, 'r' right */
    char **cells;
    size_t count, capacity;
};

/* Add one cell; rows fill from left to right, the first row is the heading. */
__attribute__((format(printf, 2, 3))) void cli_table_cell(struct cli_table *table, const char *format, ...);
/* Print to stdout and release the cells. Where a line would be longer than the terminal's, the columns that
 * do not fit follow below, behind the leading ones again. */
void cli_table_print(struct cli_table *table);
/* Release the cells of one that is not printed. */
void cli_table_free(struct cli_table *table);

/* The longest line of tables from here on, on any output; 0: what the terminal has, and any length
 * elsewhere. `markdown`: tables for pages instead, of any width. */
void cli_table_style(size_t most, bool markdown);
/* Columns of the terminal that stdout is, or else what COLUMNS says; 0: neither is there. */
size_t cli_terminal_columns(void);

/* Text for people, as in report/words.h. */
const char *cli_seconds_words(struct report_words *words, double seconds); /* "1:05" */
const char *cli_loss_words(struct report_words *words, double loss);       /* "0.0931", "6.08e+35" */

#endif
