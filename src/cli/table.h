/* SPDX-License-Identifier: MIT */
/* Tables of text whose columns line up, and numbers for people. */
#ifndef STOA_CLI_TABLE_H
#define STOA_CLI_TABLE_H

#include <stddef.h>

enum { CLI_MOST_COLUMNS = 20 };
struct cli_table {
    const char *columns; /* a letter a column: 'l' left, 'r' right */
    char **cells;
    size_t count, capacity;
};

/* Add one cell; rows fill from left to right, the first row is the heading. */
__attribute__((format(printf, 2, 3))) void cli_table_cell(struct cli_table *table, const char *format, ...);
/* Print to stdout and release the cells. */
void cli_table_print(struct cli_table *table);

/* Text for people; each lies in the caller's buffer, which is returned. */
struct cli_word {
    char text[64];
};
const char *cli_word_shape(struct cli_word *word, const size_t *shape, size_t rank); /* "28x28x1" */
const char *cli_word_count(struct cli_word *word, size_t count);                     /* "61,706" */
const char *cli_word_bytes(struct cli_word *word, size_t bytes);                     /* "1.2 MiB" */
const char *cli_word_flops(struct cli_word *word, double flops);                     /* "1.23 M" */
const char *cli_word_seconds(struct cli_word *word, double seconds);                 /* "1:05" */
const char *cli_word_loss(struct cli_word *word, double loss); /* "0.0931", "6.08e+35" */

#endif
