/* SPDX-License-Identifier: MIT */
/* What the columns of a table are for where they count as they stand: lists of names and numbers in the
 * options against the first line. */
#include <string.h>

#include "base/number.h"
#include "data/csv_list.h"
#include "data/csv_reading.h"
#include "data/dataset.h"

/* Whether the first line has this name. A number may stand there by chance: it is a name only where the line
 * is a header without it. */
static bool is_named(const struct stoa_csv_reading *r, const char *text, size_t *column) {
    const stoa_data_options *options = r->options;
    size_t number;
    return options->header != STOA_HEADER_NO && stoa_csv_find_named(r, text, column) > 0 &&
           (options->header == STOA_HEADER_YES || !stoa_parse_size(text, strlen(text), &number) ||
            stoa_csv_has_no_numbers(r->csv, *column));
}

/* The column that an option names; `key` is the option. */
static stoa_status find_column(struct stoa_csv_reading *r, const char *key, const char *text,
                               size_t *column) {
    const struct stoa_csv *csv = r->csv;
    size_t number = 0;
    if (is_named(r, text, column)) {
        r->columns->header = true;
        return STOA_OK;
    }
    if (stoa_parse_size(text, strlen(text), &number) && number >= 1 && number <= csv->fields) {
        *column = number - 1;
        return STOA_OK;
    }
    char near[STOA_NEAR_TEXT];
    return stoa_fail(
        csv->context, STOA_ERR_ARGUMENT,
        "%s:%zu: has no column '%.40s' for %s%sa name of the first line or a number from 1 to %zu", csv->name,
        csv->line, text, key, stoa_csv_near(r, text, near), csv->fields);
}

typedef stoa_status take_column(struct stoa_csv_reading *r, const char *key, size_t column);

/* Hand every column of a list over. */
static stoa_status take_list(struct stoa_csv_reading *r, const char *key, const char *text,
                             take_column *take) {
    struct stoa_names list = {.count = 0};
    stoa_status status = stoa_csv_list(r->csv->context, r->csv->name, key, text, &list);
    for (size_t i = 0; status == STOA_OK && i < list.count; i++) {
        size_t column = 0;
        status = find_column(r, key, list.text[i], &column);
        if (status == STOA_OK) {
            status = take(r, key, column);
        }
    }
    stoa_names_clear(&list);
    return status;
}

static stoa_status take_input(struct stoa_csv_reading *r, const char *key, size_t column) {
    (void)key;
    r->role[column] = STOA_CSV_INPUT;
    return STOA_OK;
}

static stoa_status take_ignored(struct stoa_csv_reading *r, const char *key, size_t column) {
    (void)key;
    r->role[column] = STOA_CSV_IGNORED;
    return STOA_OK;
}

static stoa_status fail_twice(const struct stoa_csv_reading *r, const char *key, size_t column,
                              const char *other) {
    return stoa_fail(r->csv->context, STOA_ERR_ARGUMENT,
                     "%s:%zu: column %zu is named by %s and by %s, expected one", r->csv->name, r->csv->line,
                     column + 1, key, other);
}

static stoa_status take_target(struct stoa_csv_reading *r, const char *key, size_t column) {
    if (r->role[column] == STOA_CSV_IGNORED || r->role[column] == STOA_CSV_TARGET) {
        return fail_twice(r, key, column, r->role[column] == STOA_CSV_IGNORED ? "ignore" : "target");
    }
    r->role[column] = STOA_CSV_TARGET;
    r->columns->target[r->columns->targets++] = column;
    return STOA_OK;
}

/* The last column that is not ignored. */
static size_t last_column(const struct stoa_csv_reading *r) {
    size_t last = r->csv->fields - 1;
    while (last > 0 && r->role[last] == STOA_CSV_IGNORED) {
        last--;
    }
    return last;
}

static stoa_status choose_label(struct stoa_csv_reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    stoa_status status = STOA_OK;
    columns->label = last_column(r);
    if (r->options->label) {
        status = find_column(r, "the label", r->options->label, &columns->label);
    }
    if (status == STOA_OK && r->role[columns->label] == STOA_CSV_IGNORED) {
        return fail_twice(r, "label", columns->label, "ignore");
    }
    if (status == STOA_OK) {
        r->role[columns->label] = STOA_CSV_LABEL;
    }
    return status;
}

static stoa_status choose_targets(struct stoa_csv_reading *r) {
    return r->options->target ? take_list(r, "target", r->options->target, take_target)
                              : take_target(r, "target", last_column(r));
}

/* A name tells that there is a header. */
static stoa_status take_note(struct stoa_csv_reading *r, const char *key, size_t column) {
    (void)r;
    (void)key;
    (void)column;
    return STOA_OK;
}

stoa_status stoa_csv_choose_roles(struct stoa_csv_reading *r, bool learns) {
    const stoa_data_options *options = r->options;
    for (size_t i = 0; i < r->csv->fields; i++) {
        r->role[i] = options->only ? STOA_CSV_LEFT_OUT : STOA_CSV_INPUT;
    }
    stoa_status status = take_list(r, "only", options->only, take_input);
    if (status == STOA_OK) {
        status = take_list(r, "ignore", options->ignore, take_ignored);
    }
    if (status == STOA_OK && options->fitted_count == 0) {
        status = take_list(r, "categories", options->categories, take_note);
    }
    if (status == STOA_OK && options->fitted_count == 0) {
        status = take_list(r, "dates", options->dates, take_note);
    }
    if (status == STOA_OK && learns) {
        status = stoa_task_of(options) == STOA_TASK_CLASSES ? choose_label(r) : choose_targets(r);
    }
    return status;
}

/* ---- kinds ---- */

static stoa_status take_kind(struct stoa_csv_reading *r, const char *key, size_t column,
                             stoa_column_kind kind) {
    struct stoa_csv_columns *columns = r->columns;
    for (size_t i = 0; i < columns->values; i++) {
        if (columns->value[i] != column) {
            continue;
        }
        if (columns->kind[i] != STOA_COLUMN_NUMBER) {
            return fail_twice(r, key, column, columns->kind[i] == STOA_COLUMN_DATE ? "dates" : "categories");
        }
        columns->kind[i] = kind;
        return STOA_OK;
    }
    return stoa_fail(r->csv->context, STOA_ERR_ARGUMENT,
                     "%s:%zu: column %zu is named by %s, expected one of the columns that are inputs",
                     r->csv->name, r->csv->line, column + 1, key);
}

static stoa_status take_category(struct stoa_csv_reading *r, const char *key, size_t column) {
    return take_kind(r, key, column, STOA_COLUMN_CATEGORY);
}

static stoa_status take_date(struct stoa_csv_reading *r, const char *key, size_t column) {
    return take_kind(r, key, column, STOA_COLUMN_DATE);
}

stoa_status stoa_csv_choose_kinds(struct stoa_csv_reading *r) {
    const stoa_data_options *options = r->options;
    const struct stoa_csv_columns *columns = r->columns;
    const struct stoa_csv *csv = r->csv;
    if (options->fitted_count == 0) {
        stoa_status status = take_list(r, "categories", options->categories, take_category);
        return status == STOA_OK ? take_list(r, "dates", options->dates, take_date) : status;
    }
    if (options->fitted_count != columns->values) {
        return stoa_fail(csv->context, STOA_ERR_FORMAT,
                         "%s:%zu: found %zu columns for inputs, expected %zu, as in the training data",
                         csv->name, csv->line, columns->values, options->fitted_count);
    }
    for (size_t i = 0; i < columns->values; i++) {
        columns->kind[i] = options->fitted[i].kind;
    }
    return STOA_OK;
}
