/* SPDX-License-Identifier: MIT */
/* Columns of tables. A column is found by its name where both the table and the options have names, so that
 * other orders and further columns do no harm; else columns count as they stand. */
#include "data/csv_columns.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"
#include "data/dataset.h"

/* A field's text, and its column. */
struct named {
    char *text;
    size_t column;
};

/* The first line while it is looked at. */
struct reading {
    struct stoa_csv *csv;
    struct named *named; /* its fields, sorted by their text and their column */
    const stoa_data_options *options;
    struct stoa_csv_columns *columns;
    bool index;     /* the first column has no name: row numbers that pandas and R write */
    bool by_name;   /* columns are those that the options name */
    bool second;    /* there is a second line */
    bool fractions; /* which has numbers with a fraction */
    bool counts;    /* or numbers that count */
    bool numbered;  /* the header is made of numbers */
};

static bool is_number(const struct stoa_csv_field *field) {
    double value;
    return stoa_parse_double(field->text, field->length, &value);
}

static stoa_status fail_memory(const struct reading *r) {
    return stoa_fail(r->csv->context, STOA_ERR_MEMORY, "%s: no memory for %zu columns", r->csv->name,
                     r->csv->fields);
}

static int by_text(const void *a, const void *b) {
    const struct named *left = a, *right = b;
    int order = strcmp(left->text, right->text);
    return order ? order : left->column < right->column ? -1 : 1;
}

static stoa_status sort_names(struct reading *r) {
    const struct stoa_csv *csv = r->csv;
    r->named = calloc(csv->fields, sizeof *r->named);
    bool good = r->named != NULL;
    for (size_t i = 0; good && i < csv->fields; i++) {
        r->named[i] = (struct named){stoa_csv_text(&csv->field[i]), i};
        good = r->named[i].text != NULL;
    }
    if (!good) {
        return fail_memory(r);
    }
    qsort(r->named, csv->fields, sizeof *r->named, by_text);
    return STOA_OK;
}

/* How many columns have this name; the first of them. */
static size_t find_named(const struct reading *r, const char *name, size_t *column) {
    size_t low = 0, high = r->csv->fields, found = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(r->named[middle].text, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low + found < r->csv->fields && strcmp(r->named[low + found].text, name) == 0) {
        found++;
    }
    if (found > 0) {
        *column = r->named[low].column;
    }
    return found;
}

/* ---- is it a header? ---- */

/* A header has no numbers. The label's own field says nothing: where classes have names, it is text in every
 * line. */
static bool has_no_numbers(const struct stoa_csv *csv, size_t label) {
    for (size_t i = 0; i < csv->fields; i++) {
        if (i != label && is_number(&csv->field[i])) {
            return false;
        }
    }
    return csv->fields > 1 || label == STOA_NO_COLUMN;
}

/* How many fields from `begin` on are numbers that count up from 0 or 1; 0 where there are others among them.
 * A field `except` may be text. */
static size_t count_fields(const struct stoa_csv *csv, size_t begin, size_t except) {
    size_t counted = 0, first = 0;
    for (size_t i = begin; i < csv->fields; i++) {
        const struct stoa_csv_field *field = &csv->field[i];
        size_t number = 0;
        bool counts = stoa_parse_size(field->text, field->length, &number);
        if (i == except && !counts && field->length > 0 && !is_number(field)) {
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
static bool counts_columns(const struct reading *r, size_t label) {
    size_t counted = count_fields(r->csv, r->index, label);
    return r->second && !r->counts && (counted >= 5 || (counted >= 2 && r->fractions));
}

static bool looks_like_header(struct reading *r, size_t label) {
    r->numbered = counts_columns(r, label);
    return r->numbered || has_no_numbers(r->csv, label);
}

/* ---- which column is the label? ---- */

static bool read_column_number(const struct reading *r, size_t *column) {
    size_t number = 0;
    const char *label = r->options->label;
    bool good = stoa_parse_size(label, strlen(label), &number) && number >= 1 && number <= r->csv->fields;
    *column = number - 1;
    return good;
}

/* Whether the label is named by the first line. A number may stand there by chance: it is a name only where
 * the line is a header without it. */
static bool names_label(struct reading *r) {
    const stoa_data_options *options = r->options;
    size_t number;
    return options->header != STOA_HEADER_NO && find_named(r, options->label, &r->columns->label) > 0 &&
           (options->header == STOA_HEADER_YES ||
            !stoa_parse_size(options->label, strlen(options->label), &number) ||
            has_no_numbers(r->csv, r->columns->label));
}

static stoa_status choose_label(struct reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    const struct stoa_csv *csv = r->csv;
    if (!r->options->label) {
        columns->label = csv->fields - 1;
    } else if (names_label(r)) {
        columns->header = true;
    } else if (!read_column_number(r, &columns->label)) {
        return stoa_fail(
            csv->context, STOA_ERR_ARGUMENT,
            "%s:%zu: has no column '%.40s' for the label, expected a name of the first line or a "
            "number from 1 to %zu",
            csv->name, csv->line, r->options->label, csv->fields);
    }
    return STOA_OK;
}

/* ---- columns by their names ---- */

/* Whether the options' names all stand in the first line, which is a header then. */
static bool has_all_names(const struct reading *r) {
    size_t column;
    bool all = r->options->column_count > 0 && r->options->header != STOA_HEADER_NO;
    for (size_t i = 0; all && i < r->options->column_count; i++) {
        all = find_named(r, r->options->columns[i], &column) == 1;
    }
    return all;
}

/* A header without one of the names, or with one twice. */
static stoa_status fail_name(const struct reading *r) {
    const struct stoa_csv *csv = r->csv;
    for (size_t i = 0; i < r->options->column_count; i++) {
        size_t column, found = find_named(r, r->options->columns[i], &column);
        if (found != 1) {
            return stoa_fail(
                csv->context, STOA_ERR_FORMAT,
                "%s:%zu: has %s column '%.60s', expected one: the training data had it as number %zu of "
                "%zu inputs",
                csv->name, csv->line, found ? "more than one" : "no", r->options->columns[i], i + 1,
                r->options->column_count);
        }
    }
    return STOA_OK;
}

/* The label among the columns that are no inputs: by its name, or where only one is left. */
static stoa_status find_label(const struct reading *r, const bool *taken) {
    const stoa_data_options *options = r->options;
    struct stoa_csv_columns *columns = r->columns;
    const struct stoa_csv *csv = r->csv;
    const char *const names[] = {options->label, options->label_column};
    size_t left = 0;
    for (size_t i = 0; i < 2; i++) {
        if (names[i] && find_named(r, names[i], &columns->label) == 1 && !taken[columns->label]) {
            return STOA_OK;
        }
    }
    for (size_t i = r->index; i < csv->fields; i++) {
        columns->label = taken[i] ? columns->label : i;
        left += !taken[i];
    }
    return left == 1
               ? STOA_OK
               : stoa_fail(csv->context, STOA_ERR_FORMAT,
                           "%s:%zu: has no column '%.60s' for the label, and %zu columns that are no inputs",
                           csv->name, csv->line,
                           names[1]   ? names[1]
                           : names[0] ? names[0]
                                      : "label",
                           left);
}

static stoa_status take_by_name(struct reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    bool *taken = calloc(r->csv->fields, sizeof *taken);
    if (!taken) {
        return fail_memory(r);
    }
    for (size_t i = 0; i < r->options->column_count; i++) {
        (void)find_named(r, r->options->columns[i], &columns->value[i]);
        taken[columns->value[i]] = true;
    }
    columns->values = r->options->column_count;
    columns->label = STOA_NO_COLUMN;
    stoa_status status = r->options->unlabelled ? STOA_OK : find_label(r, taken);
    for (size_t i = r->index; status == STOA_OK && i < r->csv->fields && !r->options->unlabelled; i++) {
        if (!taken[i] && i != columns->label) {
            stoa_log(r->csv->context,
                     "%s:%zu: column %zu is no input of the model and not its label: passed over",
                     r->csv->name, r->csv->line, i + 1);
        }
    }
    free(taken);
    return status;
}

/* ---- columns as they stand ---- */

/* Whether names are fit to find columns by: all there, none twice. */
static bool are_names(const struct reading *r, char *const *names) {
    size_t column;
    for (size_t i = 0; i < r->columns->values; i++) {
        if (!names[i][0] || find_named(r, names[i], &column) != 1) {
            return false;
        }
    }
    return true;
}

static stoa_status keep_names(struct reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    columns->names = calloc(stoa_max(1, columns->values), sizeof *columns->names);
    bool good = columns->names != NULL;
    for (size_t i = 0; good && i < columns->values; i++) {
        columns->names[i] = stoa_csv_text(&r->csv->field[columns->value[i]]);
        good = columns->names[i] != NULL;
    }
    if (good && columns->label != STOA_NO_COLUMN) {
        columns->label_name = stoa_csv_text(&r->csv->field[columns->label]);
        good = columns->label_name != NULL;
    }
    if (!good) {
        return fail_memory(r);
    }
    if (!are_names(r, columns->names)) {
        stoa_free_names(columns->names, columns->values);
        columns->names = NULL;
    }
    return STOA_OK;
}

static void take_in_order(struct reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    for (size_t i = r->index; i < r->csv->fields; i++) {
        if (i != columns->label) {
            columns->value[columns->values++] = i;
        }
    }
    if (r->index) {
        stoa_log(r->csv->context,
                 "%s:%zu: column 1 has no name: taken for row numbers, an index, and passed over",
                 r->csv->name, r->csv->line);
    }
    if (r->numbered && r->options->header == STOA_HEADER_AUTO) {
        stoa_log(r->csv->context,
                 "%s:%zu: numbers that count the columns are taken for a header; header = no in [data] makes "
                 "them a "
                 "sample",
                 r->csv->name, r->csv->line);
    }
}

/* What one sample has, as the options' shape; 0: not said. */
static size_t wanted_values(const stoa_data_options *options) {
    size_t values = options->height;
    return stoa_size_scale(&values, options->width) && stoa_size_scale(&values, options->channels) ? values
                                                                                                   : 0;
}

static stoa_status choose_columns(struct reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    const stoa_data_options *options = r->options;
    const struct stoa_csv *csv = r->csv;
    size_t wanted = wanted_values(options);
    stoa_status status = STOA_OK;
    r->by_name = has_all_names(r);
    if (r->by_name) {
        columns->header = true;
        return take_by_name(r);
    }
    if (options->unlabelled && (wanted == 0 || csv->fields - r->index == wanted)) {
        columns->label = STOA_NO_COLUMN;
    } else {
        status = choose_label(r);
    }
    if (status == STOA_OK && columns->label != STOA_NO_COLUMN && columns->count < 2) {
        status =
            stoa_fail(csv->context, STOA_ERR_FORMAT,
                      "%s:%zu: found 1 column, expected values and a label, with commas, semicolons or tabs "
                      "between them",
                      csv->name, csv->line);
    }
    columns->header = columns->header || options->header == STOA_HEADER_YES ||
                      (options->header == STOA_HEADER_AUTO && looks_like_header(r, columns->label));
    if (status == STOA_OK && columns->header && options->column_count > 0) {
        status = fail_name(r);
    }
    if (status != STOA_OK) {
        return status;
    }
    r->index = r->index && columns->header && columns->label != 0;
    take_in_order(r);
    return columns->header ? keep_names(r) : STOA_OK;
}

/* A look at the second line, which tells a header from a sample; what is wrong with it is said when it is
 * read. */
static void look_ahead(struct reading *r) {
    struct stoa_csv second = *r->csv;
    size_t whole;
    second.field = NULL;
    second.room = 0;
    r->second = stoa_csv_next(&second, &r->second) == STOA_OK && r->second;
    for (size_t i = 0; r->second && i < second.fields; i++) {
        const struct stoa_csv_field *field = &second.field[i];
        r->fractions =
            r->fractions || (is_number(field) && !stoa_parse_size(field->text, field->length, &whole));
    }
    r->counts = r->second && count_fields(&second, 0, STOA_NO_COLUMN) > 0;
    stoa_csv_close(&second);
}

static stoa_status read_first(struct reading *r) {
    struct stoa_csv *csv = r->csv;
    struct stoa_csv_columns *columns = r->columns;
    stoa_status status = sort_names(r);
    columns->count = csv->fields;
    columns->value = calloc(stoa_max(csv->fields, r->options->column_count), sizeof *columns->value);
    if (status == STOA_OK && !columns->value) {
        status = fail_memory(r);
    }
    if (status != STOA_OK) {
        return status;
    }
    look_ahead(r);
    const struct stoa_csv_field *first = &csv->field[0];
    bool unnamed = first->length == 0 || (first->length == 10 && memcmp(first->text, "Unnamed: 0", 10) == 0);
    r->index = r->options->header != STOA_HEADER_NO && csv->fields > 1 && unnamed;
    return choose_columns(r);
}

stoa_status stoa_csv_columns_read(struct stoa_csv *csv, const stoa_data_options *options,
                                  struct stoa_csv_columns *columns) {
    struct reading r = {.csv = csv, .options = options, .columns = columns};
    bool more;
    *columns = (struct stoa_csv_columns){.label = STOA_NO_COLUMN};
    stoa_status status = stoa_csv_next(csv, &more);
    if (status != STOA_OK) {
        return status;
    }
    if (!more) {
        return stoa_fail(csv->context, STOA_ERR_FORMAT, "%s:1: holds no lines, expected at least one",
                         csv->name);
    }
    status = read_first(&r);
    for (size_t i = 0; r.named && i < csv->fields; i++) {
        free(r.named[i].text);
    }
    free(r.named);
    return status;
}

void stoa_csv_columns_clear(struct stoa_csv_columns *columns) {
    free(columns->value);
    stoa_free_names(columns->names, columns->values);
    free(columns->label_name);
    *columns = (struct stoa_csv_columns){.label = STOA_NO_COLUMN};
}
