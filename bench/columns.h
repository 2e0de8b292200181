/* SPDX-License-Identifier: MIT */
/* Tables whose rows are printed as they are measured: the widths of columns are known before, and columns
 * are left out where a line is too short for them. */
#ifndef STOA_BENCH_COLUMNS_H
#define STOA_BENCH_COLUMNS_H

#include "bench/bench.h"

/* A line of a table takes at most so many columns of text, unless --wide asks for all of it. */
enum { BENCH_LINE = 100, BENCH_MOST_COLUMNS = 24 };

/* A column. Those with the largest rank are left out first; what has no rank (0) always stays, and what is
 * `wide` is there with --wide alone. */
struct bench_column {
    const char *unit, *name; /* two lines of heading; in Markdown one */
    int width;
    bool left; /* words */
    int rank;
    bool wide;
};

struct bench_columns {
    struct bench_column column[BENCH_MOST_COLUMNS];
    size_t count, next; /* next: of the row in progress */
    int owed;           /* spaces before the next cell */
    bool markdown;
};

/* Take the columns that fit, `first` being the longest text of the first one, and print the heading. */
void bench_columns_begin(struct bench_columns *columns, const struct bench *bench,
                         const struct bench_column *column, size_t count, size_t first);
/* The next cell of a row, in the order of all columns, shown or not. Longer text is cut. */
__attribute__((format(printf, 2, 3))) void bench_columns_cell(struct bench_columns *columns,
                                                              const char *format, ...);
/* The row is whole: what lacks cells stays empty. */
void bench_columns_end(struct bench_columns *columns);
/* A row that ends in a sentence behind its first `cells` cells. */
__attribute__((format(printf, 2, 3))) void bench_columns_sentence(struct bench_columns *columns,
                                                                  const char *format, ...);

/* A paragraph for people, broken between words where a line of a table would end. */
__attribute__((format(printf, 1, 2))) void bench_print_text(const char *format, ...);

#endif
