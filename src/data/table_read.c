/* SPDX-License-Identifier: MIT */
/* Records of a table as values: a number, days, or one value for each category. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "base/size.h"
#include "data/dataset.h"
#include "data/date.h"
#include "data/table.h"

/* ---- sentences ---- */

/* What a [data] line would mend. */
static void hint_of(const struct stoa_csv *csv, const struct stoa_csv_field *field, bool first_line,
                    char *hint, size_t size) {
    double days;
    const char *words = "; categories in [data] makes texts inputs, ignore leaves the column out";
    if (first_line) {
        words = "; header = yes in [data] where this line holds names";
    } else if (stoa_csv_doubt(field)) {
        words = stoa_csv_doubt(field);
    } else if (memchr(field->text, ',', field->length)) {
        words = csv->separator == ';' ? ", with a point; ';' separates the fields here" : ", with a point";
    } else if (memchr(field->text, ';', field->length)) {
        words = "; ',' separates the fields here, as in the first line";
    } else if (stoa_parse_date(field->text, field->length, &days)) {
        words = "; dates in [data] makes days of it";
    } else if (field->length > 0 && strchr("+-.0123456789", field->text[0])) {
        words = "";
    }
    (void)snprintf(hint, size, "%s", words);
}

static stoa_status fail_number(const struct stoa_csv *csv, size_t column, bool first_line) {
    const struct stoa_csv_field *field = &csv->field[column];
    char hint[100];
    hint_of(csv, field, first_line, hint, sizeof hint);
    return stoa_fail(csv->context, STOA_ERR_FORMAT,
                     "%s:%zu: column %zu: found '%.*s', expected a finite number%s", csv->name, csv->line,
                     column + 1, (int)stoa_min(field->length, 40), field->text, hint);
}

static stoa_status fail_missing(const struct stoa_csv *csv, size_t column, const stoa_data_options *options,
                                bool first_line) {
    const struct stoa_csv_field *field = &csv->field[column];
    const char *mend =
        "missing = mean, median or most_frequent in [data] fills it, missing = drop leaves such "
        "lines out";
    if (options->unlabelled) {
        mend = "a model trained with missing = mean, median or most_frequent fills it";
    }
    const char *header = first_line ? "; header = yes where this line holds names" : "";
    return stoa_fail(csv->context, STOA_ERR_FORMAT,
                     "%s:%zu: column %zu: found '%.*s', a missing value, expected one; %s%s", csv->name,
                     csv->line, column + 1, (int)stoa_min(field->length, 40), field->text, mend, header);
}

/* ---- fields ---- */

/* As pandas writes booleans. */
static bool is_word(const struct stoa_csv_field *field, float *value) {
    bool yes = field->length == 4 && strncasecmp(field->text, "true", 4) == 0;
    *value = yes ? 1 : 0;
    return yes || (field->length == 5 && strncasecmp(field->text, "false", 5) == 0);
}

stoa_status stoa_table_number(const struct stoa_csv *csv, size_t column, bool first_line,
                              struct stoa_table_notes *notes, float *value) {
    const struct stoa_csv_field *field = &csv->field[column];
    double number;
    if (stoa_csv_number(csv, field, &number) && isfinite((float)number)) {
        *value = (float)number;
        return STOA_OK;
    }
    if (is_word(field, value)) {
        notes->words = true;
        return STOA_OK;
    }
    return fail_number(csv, column, first_line);
}

static stoa_status read_date(const struct stoa_csv *csv, size_t column, float *value) {
    const struct stoa_csv_field *field = &csv->field[column];
    double days;
    if (!stoa_parse_date(field->text, field->length, &days)) {
        return stoa_fail(csv->context, STOA_ERR_FORMAT,
                         "%s:%zu: column %zu: found '%.*s', expected a date such as 2024-02-29 or "
                         "2024-02-29T13:45:00Z",
                         csv->name, csv->line, column + 1, (int)stoa_min(field->length, 40), field->text);
    }
    *value = (float)days;
    return STOA_OK;
}

static stoa_status read_category(const struct stoa_table_column *column, const struct stoa_csv *csv,
                                 size_t at, stoa_unknown unknown, struct stoa_table_notes *notes,
                                 float *values) {
    const struct stoa_csv_field *field = &csv->field[at];
    char *text = stoa_csv_text(field);
    bool found = false;
    if (!text) {
        return stoa_fail(csv->context, STOA_ERR_MEMORY, "%s: no memory for a field", csv->name);
    }
    size_t place = stoa_texts_find(&column->categories, text, &found);
    free(text);
    memset(values, 0, column->values * sizeof *values);
    if (found) {
        values[place] = 1;
        return STOA_OK;
    }
    if (unknown == STOA_UNKNOWN_REFUSE) {
        return stoa_fail(
            csv->context, STOA_ERR_FORMAT,
            "%s:%zu: column %zu: found '%.*s', expected one of %zu categories such as '%.40s'; unknown "
            "= zero in [data] takes others as zeros",
            csv->name, csv->line, at + 1, (int)stoa_min(field->length, 40), field->text,
            column->categories.count, column->texts[0]);
    }
    notes->unknown_line = notes->unknown++ ? notes->unknown_line : csv->line;
    return STOA_OK;
}

/* NAN in all values of a column whose filling is not known yet. */
static void read_missing(const struct stoa_table_column *column, float *values) {
    if (!isnan(column->fill)) {
        stoa_table_put_fill(column, values);
        return;
    }
    for (size_t v = 0; v < column->values; v++) {
        values[v] = NAN;
    }
}

stoa_status stoa_table_read(const struct stoa_table *table, const struct stoa_csv *csv,
                            const struct stoa_csv_columns *columns, const stoa_data_options *options,
                            bool first_line, struct stoa_table_notes *notes, float *values) {
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < table->count; i++) {
        const struct stoa_table_column *column = &table->column[i];
        float *out = values + column->first;
        size_t at = columns->value[i];
        if (stoa_field_is_missing(&csv->field[at])) {
            status = stoa_fills_missing(options) ? STOA_OK : fail_missing(csv, at, options, first_line);
            notes->missing_line = notes->missing++ ? notes->missing_line : csv->line;
            if (status == STOA_OK) {
                read_missing(column, out);
            }
        } else if (column->kind == STOA_COLUMN_NUMBER) {
            status = stoa_table_number(csv, at, first_line, notes, out);
        } else if (column->kind == STOA_COLUMN_DATE) {
            status = read_date(csv, at, out);
        } else {
            status = read_category(column, csv, at, options->unknown, notes, out);
        }
    }
    return status;
}
