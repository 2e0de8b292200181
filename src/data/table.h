/* SPDX-License-Identifier: MIT */
/* The input columns of a table: what their fields are, which categories there are, what stands for missing
 * fields, and which values of a sample each makes. */
#ifndef STOA_DATA_TABLE_H
#define STOA_DATA_TABLE_H

#include <stoa/data.h>

#include "data/csv_columns.h"
#include "data/texts.h"

/* Most categories of a column: more are something else, such as names. */
enum { STOA_MOST_CATEGORIES = 1024 };

struct stoa_table_column {
    char *name; /* NULL: it has none of its own */
    stoa_column_kind kind;
    struct stoa_texts categories; /* their numbers are their order */
    const char **texts;           /* of the categories, in their order, once they are settled */
    bool fitted;                  /* the categories were given */
    float fill;                   /* NAN: not known */
    size_t first, values;         /* of a sample's values, once settled */
};

struct stoa_table {
    stoa_context *context;
    struct stoa_table_column *column;
    size_t count;
    size_t values; /* of a sample, once settled */
};

/* Whether a field says that there is no value. */
bool stoa_field_is_missing(const struct stoa_csv_field *field);

/* What is met in reading a table, to be said when it is read. */
struct stoa_table_notes {
    size_t missing, missing_line; /* fields, and the line of the first */
    size_t dropped, dropped_line; /* lines that are left out */
    size_t unknown, unknown_line; /* fields of categories that are not known */
    bool words;                   /* true or false for a number */
};

/* A table as its columns and the options say. Errors: STOA_ERR_MEMORY. NULL is allowed to be freed. */
stoa_status stoa_table_create(stoa_context *context, const char *name, const struct stoa_csv_columns *columns,
                              const stoa_data_options *options, struct stoa_table **table);
void stoa_table_free(struct stoa_table *table);

/* Add the categories of a record. Errors: STOA_ERR_FORMAT (too many), STOA_ERR_MEMORY. */
stoa_status stoa_table_collect(struct stoa_table *table, const struct stoa_csv *csv,
                               const struct stoa_csv_columns *columns);

/* All records have been seen: the categories get their order, and columns their values. Errors:
 * STOA_ERR_FORMAT (a column without any category), STOA_ERR_MEMORY. */
stoa_status stoa_table_settle(struct stoa_table *table, const char *name);

/* Names of all values, from malloc; NULL where a column has none, or without memory, which is `*good`
 * false. */
char **stoa_table_value_names(const struct stoa_table *table, bool *good);

/* Read the inputs of a record. What is missing is what the table knows to stand for it, or NAN where it is to
 * be found. Errors: STOA_ERR_FORMAT, with file, line and column. */
stoa_status stoa_table_read(const struct stoa_table *table, const struct stoa_csv *csv,
                            const struct stoa_csv_columns *columns, const stoa_data_options *options,
                            bool first_line, struct stoa_table_notes *notes, float *values);

/* A number of a record, as an input or a target. The same errors. */
stoa_status stoa_table_number(const struct stoa_csv *csv, size_t column, bool first_line,
                              struct stoa_table_notes *notes, float *value);

/* Say what the columns became. */
void stoa_table_explain(const struct stoa_table *table, const char *name,
                        const struct stoa_csv_columns *columns);

/* Where the options ask for it find in `dataset` what stands for missing fields of its table, unless that is
 * known, and put it in their places in all of its store. Nothing happens where there is no table. Errors:
 * STOA_ERR_FORMAT (a column without a value), STOA_ERR_MEMORY. */
stoa_status stoa_table_fill(const stoa_dataset *dataset, const char *name, const stoa_data_options *options);

/* Whether they do, and one sample's values of a column whose filling is known. */
bool stoa_fills_missing(const stoa_data_options *options);
void stoa_table_put_fill(const struct stoa_table_column *column, float *values);

/* stoa_dataset_open_csv() without that. */
stoa_status stoa_csv_open_unfilled(stoa_context *context, const char *path, const stoa_data_options *options,
                                   stoa_dataset **dataset);

/* The columns as options have them, from malloc; their texts belong to the table. NULL without memory. */
stoa_column *stoa_table_columns(const struct stoa_table *table);

#endif
