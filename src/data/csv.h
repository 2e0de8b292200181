/* SPDX-License-Identifier: MIT */
/* Comma-separated values, or with semicolons or tabs between them: records and fields of a text in memory.
 * Knows nothing of what they mean. */
#ifndef STOA_DATA_CSV_H
#define STOA_DATA_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "core/context.h"

/* A field as it stands in the text, without quotes around it and white space around those. */
struct stoa_csv_field {
    const char *text;
    size_t length;
    bool quoted; /* quotes within it are still doubled */
};

struct stoa_csv {
    stoa_context *context;
    const char *name; /* begins sentences */
    const char *begin, *at, *end;
    char separator; /* of fields: ',', ';' or a tab */
    char decimal;   /* before the fraction of numbers: '.', or ',' beside it */
    size_t next_line;
    /* The record read last. */
    size_t line; /* its first line, from 1 */
    struct stoa_csv_field *field;
    size_t fields, room;
};

/* Begin with the first record of `text`; a byte order mark is passed over. */
void stoa_csv_open(struct stoa_csv *csv, stoa_context *context, const char *name, const char *text,
                   size_t bytes);
void stoa_csv_close(struct stoa_csv *csv);
/* Begin again with the first record. */
void stoa_csv_rewind(struct stoa_csv *csv);

/* Read the next record, passing over empty lines; *more is false at the end. Errors: STOA_ERR_FORMAT (a quote
 * out of place), STOA_ERR_MEMORY. */
stoa_status stoa_csv_next(struct stoa_csv *csv, bool *more);

/* Find the separator and the decimal mark. The separator is the first of ',', ';' and a tab that the first
 * lines have all equally often outside of quotes, or else that the first line has. Commas are decimal where
 * one of them can be nothing else and no number has a point. */
void stoa_csv_look(struct stoa_csv *csv);

/* The field as a number; false where it is none. */
bool stoa_csv_number(const struct stoa_csv *csv, const struct stoa_csv_field *field, double *value);
/* Of a field that is a number if its comma is a decimal one, which the table leaves open: how to write it
 * instead, to go behind "a number". NULL of any other field. */
const char *stoa_csv_doubt(const struct stoa_csv_field *field);

/* The field's text with its quotes single, from malloc; NULL without memory. */
char *stoa_csv_text(const struct stoa_csv_field *field);

#endif
