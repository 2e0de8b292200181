/* SPDX-License-Identifier: MIT */
/* What the first line of a table says of its columns: whether it is a header, which column is the label, and
 * which ones hold a sample's values, in which order. */
#ifndef STOA_DATA_CSV_COLUMNS_H
#define STOA_DATA_CSV_COLUMNS_H

#include <stoa/data.h>

#include "data/csv.h"

#define STOA_NO_COLUMN SIZE_MAX

struct stoa_csv_columns {
    size_t count; /* of the file's columns */
    bool header;
    size_t label;  /* the label's column from 0, or STOA_NO_COLUMN */
    size_t *value; /* columns of a sample's values, in their order, from malloc */
    size_t values; /* how many there are */
    char **names;  /* of the values, from malloc, where each has one of its own; else NULL */
    char *label_name;
};

/* Read the first lines of a table that was just opened. Errors: STOA_ERR_FORMAT, STOA_ERR_ARGUMENT (no such
 * column), STOA_ERR_MEMORY. Release with stoa_csv_columns_clear(), also on an error. */
stoa_status stoa_csv_columns_read(struct stoa_csv *csv, const stoa_data_options *options,
                                  struct stoa_csv_columns *columns);
void stoa_csv_columns_clear(struct stoa_csv_columns *columns);

#endif
