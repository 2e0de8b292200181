/* SPDX-License-Identifier: MIT */
/* Whether the first line of a table is a header. */
#include <stdlib.h>

#include "base/number.h"
#include "data/csv_reading.h"

static bool is_number(const struct stoa_csv *csv, const struct stoa_csv_field *field) {
    double value;
    return stoa_csv_number(csv, field, &value);
}

/* A header has no numbers. The label's own field says nothing: where classes have names, it is text in every
 * line. */
bool stoa_csv_has_no_numbers(const struct stoa_csv *csv, size_t column) {
    for (size_t i = 0; i < csv->fields; i++) {
        if (i != column && is_number(csv, &csv->field[i])) {
            return false;
        }
    }
    return csv->fields > 1 || column == STOA_NO_COLUMN;
}

/* How many fields from `begin` on are numbers that count up from 0 or 1; 0 where there are others among them.
 * A field `except` may be text. */
static size_t count_fields(const struct stoa_csv *csv, size_t begin, size_t except) {
    size_t counted = 0, first = 0;
    for (size_t i = begin; i < csv->fields; i++) {
        const struct stoa_csv_field *field = &csv->field[i];
        size_t number = 0;
        bool counts = stoa_parse_size(field->text, field->length, &number);
        if (i == except && !counts && field->length > 0 && !is_number(csv, field)) {
            continue;
        }
        first = counted == 0 ? number : first;
        if (!counts || first > 1 || number != first + counted) {
            return 0;
        }
        counted++;
    }
    return counted;
}

/* Columns without names of their own are written as 0, 1, 2, ... by pandas: numbers that count, which hardly
 * are a sample where they are many, or where the next line has fractions. The label may have a name. */
static bool counts_columns(const struct stoa_csv_reading *r, size_t label) {
    size_t counted = count_fields(r->csv, r->index, label);
    return r->second && !r->counts && (counted >= 5 || (counted >= 2 && r->fractions));
}

bool stoa_csv_looks_like_header(struct stoa_csv_reading *r, size_t label) {
    r->numbered = counts_columns(r, label);
    return r->numbered || stoa_csv_has_no_numbers(r->csv, label);
}

/* A look at the second line, which tells a header from a sample; what is wrong with it is said when it is
 * read. */
void stoa_csv_look_ahead(struct stoa_csv_reading *r) {
    struct stoa_csv second = *r->csv;
    size_t whole;
    second.field = NULL;
    second.room = 0;
    r->second = stoa_csv_next(&second, &r->second) == STOA_OK && r->second;
    for (size_t i = 0; r->second && i < second.fields; i++) {
        const struct stoa_csv_field *field = &second.field[i];
        r->fractions = r->fractions ||
                       (is_number(&second, field) && !stoa_parse_size(field->text, field->length, &whole));
    }
    r->counts = r->second && count_fields(&second, 0, STOA_NO_COLUMN) > 0;
    stoa_csv_close(&second);
}
