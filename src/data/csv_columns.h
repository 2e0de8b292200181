/* SPDX-License-Identifier: MIT */
/* What the first line of a table says of its columns: whether it is a header, which column is the label or
 * which are the targets, and which ones are inputs, in which order. */
#ifndef STOA_DATA_CSV_COLUMNS_H
#define STOA_DATA_CSV_COLUMNS_H

#include <stoa/data.h>

#include "data/csv.h"

#define STOA_NO_COLUMN SIZE_MAX

enum stoa_csv_role {
    STOA_CSV_INPUT,
    STOA_CSV_LABEL,
    STOA_CSV_TARGET,
    STOA_CSV_IGNORED, /* the options say so */
    STOA_CSV_LEFT_OUT /* they name others */
};

struct stoa_csv_columns {
    size_t count; /* of the file's columns */
    bool header;
    size_t label;           /* the label's column from 0, or STOA_NO_COLUMN */
    size_t *target;         /* columns of the targets, in their order, from malloc */
    size_t targets;         /* how many there are; 0 with a label, or where nothing is to be learned */
    size_t *value;          /* input columns, in their order, from malloc */
    size_t values;          /* how many there are */
    stoa_column_kind *kind; /* of each of them, from malloc */
    char **names;           /* of them, from malloc, where each has one of its own; else NULL */
    char *label_name;
    char **target_names; /* from malloc; NULL without a header */
};

/* Read the first lines of a table that was just opened. Errors: STOA_ERR_FORMAT, STOA_ERR_ARGUMENT (no such
 * column, options that exclude each other), STOA_ERR_MEMORY. Release with stoa_csv_columns_clear(), also on
 * an error. */
stoa_status stoa_csv_columns_read(struct stoa_csv *csv, const stoa_data_options *options,
                                  struct stoa_csv_columns *columns);
void stoa_csv_columns_clear(struct stoa_csv_columns *columns);

#endif
