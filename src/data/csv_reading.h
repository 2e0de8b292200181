/* SPDX-License-Identifier: MIT */
/* The first line of a table while it is looked at: whether it is a header, and what columns are for. */
#ifndef STOA_DATA_CSV_READING_H
#define STOA_DATA_CSV_READING_H

#include "base/nearest.h"
#include "data/csv_columns.h"

/* A field's text, and its column. */
struct stoa_csv_named {
    char *text;
    size_t column;
};

struct stoa_csv_reading {
    struct stoa_csv *csv;
    struct stoa_csv_named *named; /* its fields, sorted by their text and their column */
    const stoa_data_options *options;
    struct stoa_csv_columns *columns;
    enum stoa_csv_role *role; /* of each column */
    bool index;               /* the first column has no name: row numbers that pandas and R write */
    bool second;              /* there is a second line */
    bool fractions;           /* which has numbers with a fraction */
    bool counts;              /* or numbers that count */
    bool numbered;            /* the header is made of numbers */
};

stoa_status stoa_csv_fail_columns(const struct stoa_csv_reading *r);

/* How many columns have this name; the first of them. */
size_t stoa_csv_find_named(const struct stoa_csv_reading *r, const char *name, size_t *column);

/* ", did you mean 'price'? Expected " where a field of the first line is near this name, else
 * ", expected ". */
const char *stoa_csv_near(const struct stoa_csv_reading *r, const char *name, char out[STOA_NEAR_TEXT]);

/* Whether the first line has no numbers; the field of `column` says nothing. */
bool stoa_csv_has_no_numbers(const struct stoa_csv *csv, size_t column);

/* A look at the second line, which tells a header from a sample. */
void stoa_csv_look_ahead(struct stoa_csv_reading *r);

/* Whether the first line is a header, where nobody says so. */
bool stoa_csv_looks_like_header(struct stoa_csv_reading *r, size_t label);

/* What columns are for, as the options' lists say. With `learns` there is a label or a target: the last
 * column where none is said. Sets the header where a column of it is named. */
stoa_status stoa_csv_choose_roles(struct stoa_csv_reading *r, bool learns);

/* What the fields of input columns are, once those are known. */
stoa_status stoa_csv_choose_kinds(struct stoa_csv_reading *r);

#endif
