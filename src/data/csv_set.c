/* SPDX-License-Identifier: MIT */
/* Data sets from tables. The text is gone through twice: once to count its lines and collect its labels, once
 * to read its numbers into memory of exactly that size. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/float_state.h"
#include "base/size.h"
#include "data/dataset.h"
#include "data/labels.h"
#include "data/read.h"
#include "data/shape.h"
#include "data/table.h"

struct table {
    stoa_context *context;
    const char *name;
    const char *text;
    size_t bytes;
    const stoa_data_options *options;
    struct stoa_csv csv;
    struct stoa_labels labels;
    struct stoa_csv_columns columns;
    struct stoa_table *inputs; /* the store's */
    struct stoa_table_notes notes;
    size_t first_line;
    size_t rows;
};

/* ---- the two passes ---- */

/* Start over, behind the header. */
static stoa_status rewind_table(struct table *table) {
    bool more;
    stoa_csv_rewind(&table->csv);
    return table->columns.header ? stoa_csv_next(&table->csv, &more) : STOA_OK;
}

static bool is_labelled(const struct table *table) {
    return table->columns.label != STOA_NO_COLUMN && !table->options->unlabelled;
}

/* Targets are of no use where samples alone are wanted. */
static size_t targets_of(const struct table *table) {
    return table->options->unlabelled ? 0 : table->columns.targets;
}

/* Whether a record is left out, as it lacks a value. */
static bool is_dropped(const struct table *table) {
    const struct stoa_csv *csv = &table->csv;
    const struct stoa_csv_columns *columns = &table->columns;
    if (table->options->missing != STOA_MISSING_DROP || table->options->unlabelled) {
        return false;
    }
    bool missing = is_labelled(table) && csv->field[columns->label].length == 0;
    for (size_t i = 0; !missing && i < columns->values; i++) {
        missing = stoa_field_is_missing(&csv->field[columns->value[i]]);
    }
    for (size_t i = 0; !missing && i < columns->targets; i++) {
        missing = stoa_field_is_missing(&csv->field[columns->target[i]]);
    }
    return missing;
}

/* A record is looked at: its label and its categories. */
static stoa_status survey_record(struct table *table) {
    const struct stoa_csv *csv = &table->csv;
    if (csv->fields != table->columns.count) {
        return stoa_fail(table->context, STOA_ERR_FORMAT,
                         "%s:%zu: found %zu column%s, expected %zu as in the first line", table->name,
                         csv->line, csv->fields, csv->fields == 1 ? "" : "s", table->columns.count);
    }
    if (is_dropped(table)) {
        table->notes.dropped_line = table->notes.dropped++ ? table->notes.dropped_line : csv->line;
        return STOA_OK;
    }
    table->rows++;
    stoa_status status = is_labelled(table)
                             ? stoa_labels_add(&table->labels, &csv->field[table->columns.label], csv->line)
                             : STOA_OK;
    return status == STOA_OK ? stoa_table_collect(table->inputs, csv, &table->columns) : status;
}

static stoa_status survey(struct table *table) {
    bool more;
    stoa_status status = rewind_table(table);
    while (status == STOA_OK) {
        status = stoa_csv_next(&table->csv, &more);
        if (status != STOA_OK || !more) {
            break;
        }
        status = survey_record(table);
    }
    if (status == STOA_OK && table->rows == 0) {
        return stoa_fail(table->context, STOA_ERR_FORMAT, "%s:%zu: %s, expected samples below", table->name,
                         table->csv.line,
                         table->notes.dropped ? "all lines lack a value and are left out"
                                              : "holds a header only");
    }
    return status;
}

/* A target is there, and as its task takes it. */
static stoa_status read_target(struct table *table, size_t column, float *target) {
    const struct stoa_csv *csv = &table->csv;
    const struct stoa_csv_field *field = &csv->field[column];
    bool first = csv->line == table->first_line;
    if (!first && stoa_field_is_missing(field)) {
        return stoa_fail(
            table->context, STOA_ERR_FORMAT,
            "%s:%zu: column %zu: found '%.*s', a missing target, expected a number; missing = drop in "
            "[data] leaves such lines out",
            table->name, csv->line, column + 1, (int)stoa_min(field->length, 40), field->text);
    }
    stoa_status status = stoa_table_number(csv, column, first, &table->notes, target);
    stoa_task task = stoa_task_of(table->options);
    return status != STOA_OK || stoa_target_fits(task, *target)
               ? status
               : stoa_fail(table->context, STOA_ERR_FORMAT,
                           "%s:%zu: column %zu: found '%.*s', expected 0 or 1, as task = multilabel takes",
                           table->name, csv->line, column + 1, (int)stoa_min(field->length, 40), field->text);
}

static stoa_status read_record(struct table *table, float *values, float *targets, int32_t *label) {
    const struct stoa_csv *csv = &table->csv;
    stoa_status status = stoa_table_read(table->inputs, csv, &table->columns, table->options,
                                         csv->line == table->first_line, &table->notes, values);
    for (size_t i = 0; status == STOA_OK && i < targets_of(table); i++) {
        status = read_target(table, table->columns.target[i], &targets[i]);
    }
    *label = 0;
    return status == STOA_OK && is_labelled(table)
               ? stoa_labels_find(&table->labels, &csv->field[table->columns.label], label)
               : status;
}

static stoa_status fill(struct table *table, struct stoa_store *store) {
    float *values = store->samples_memory.data, *targets = store->targets_memory.data;
    int32_t *labels = store->labels_memory.data;
    stoa_status status = rewind_table(table);
    for (size_t row = 0; status == STOA_OK && row < table->rows;) {
        bool more;
        status = stoa_csv_next(&table->csv, &more);
        if (status == STOA_OK && !is_dropped(table)) {
            float *target = targets ? targets + row * store->target_count : NULL;
            status = read_record(table, values + row * table->inputs->values, target, labels + row);
            row++;
        }
    }
    return status;
}

/* What was converted or left out, in a line each. */
static void explain(const struct table *table) {
    static const char *const fills[] = {[STOA_MISSING_MEAN] = "the mean",
                                        [STOA_MISSING_MEDIAN] = "the median",
                                        [STOA_MISSING_MOST_FREQUENT] = "the most frequent value"};
    const struct stoa_table_notes *notes = &table->notes;
    stoa_table_explain(table->inputs, table->name, &table->columns);
    if (notes->dropped > 0) {
        stoa_log(table->context, "%s: %zu of %zu lines lack a value and are left out, the first is line %zu",
                 table->name, notes->dropped, notes->dropped + table->rows, notes->dropped_line);
    }
    if (notes->missing > 0) {
        stoa_log(table->context,
                 "%s: fills %zu missing value%s, the first on line %zu, with %s of the column in the "
                 "training data",
                 table->name, notes->missing, notes->missing > 1 ? "s" : "", notes->missing_line,
                 fills[table->options->missing]);
    }
    if (notes->unknown > 0) {
        stoa_log(
            table->context,
            "%s: %zu field%s a category that the training data do not have, the first on line %zu: zeros",
            table->name, notes->unknown, notes->unknown > 1 ? "s have" : " has", notes->unknown_line);
    }
    if (notes->words) {
        stoa_log(table->context, "%s: true and false are read as 1 and 0", table->name);
    }
}

/* The names of the columns become the store's. */
static stoa_status keep_names(struct table *table, struct stoa_store *store) {
    bool good = true;
    store->column_names = stoa_table_value_names(table->inputs, &good);
    store->columns_named = store->column_names ? table->inputs->values : 0;
    store->label_name = table->columns.label_name;
    table->columns.label_name = NULL;
    return good ? STOA_OK
                : stoa_fail(table->context, STOA_ERR_MEMORY, "%s: no memory for names", table->name);
}

static void keep_target_names(struct table *table, struct stoa_store *store) {
    if (store->target_count > 0) {
        store->target_names = table->columns.target_names;
        table->columns.target_names = NULL;
    }
}

/* What the second pass fills. */
static stoa_status make_room(struct table *table, struct stoa_store *store) {
    const stoa_data_options *options = table->options;
    store->type = STOA_SAMPLE_F32;
    stoa_status status = keep_names(table, store);
    if (status == STOA_OK) {
        status = stoa_store_arrange(store, table->name, &table->inputs->values, 1, options);
    }
    if (status == STOA_OK) {
        status = stoa_store_allocate(store, table->name, table->rows);
    }
    if (status == STOA_OK && targets_of(table) > 0) {
        status = stoa_store_allocate_targets(store, table->name, stoa_task_of(options), targets_of(table));
    }
    keep_target_names(table, store);
    return status;
}

/* What was found between fields and within numbers, where it is not a comma and a point. */
static void explain_marks(const struct table *table) {
    const struct stoa_csv *csv = &table->csv;
    const char *separator = csv->separator == ';' ? "';'" : csv->separator == '\t' ? "tabs" : "','";
    if (csv->decimal == ',') {
        stoa_log(table->context, "%s: fields are separated by %s, and numbers have a decimal comma",
                 table->name, separator);
    } else if (csv->separator != ',') {
        stoa_log(table->context, "%s: fields are separated by %s", table->name, separator);
    }
}

static stoa_status read_table(struct table *table, struct stoa_store *store) {
    stoa_status status = stoa_csv_columns_read(&table->csv, table->options, &table->columns);
    table->first_line = table->csv.line;
    if (status == STOA_OK) {
        explain_marks(table);
    }
    if (status == STOA_OK) {
        status =
            stoa_table_create(table->context, table->name, &table->columns, table->options, &store->table);
        table->inputs = store->table;
    }
    if (status == STOA_OK) {
        status = survey(table);
    }
    if (status == STOA_OK) {
        status = stoa_table_settle(table->inputs, table->name);
    }
    if (status == STOA_OK && is_labelled(table)) {
        status = stoa_labels_settle(&table->labels, &store->classes, &store->names);
    } else {
        store->classes = stoa_max(table->options->classes, 1);
    }
    if (status == STOA_OK) {
        status = make_room(table, store);
    }
    if (status == STOA_OK) {
        status = fill(table, store);
    }
    if (status == STOA_OK) {
        explain(table);
    }
    return status;
}

/* Without what stands for missing values. */
static stoa_status read_text(stoa_context *context, const char *name, const void *data, size_t bytes,
                             const stoa_data_options *options, stoa_dataset **dataset) {
    struct table table = {.context = context, .name = name, .text = data, .bytes = bytes, .options = options};
    const char *zero = bytes > 0 ? memchr(data, '\0', bytes) : NULL;
    if (zero) {
        return stoa_fail(context, STOA_ERR_FORMAT, "%s: found a zero byte at offset %zu, expected text",
                         table.name, (size_t)(zero - table.text));
    }
    struct stoa_store *store = stoa_store_create(context, "csv");
    if (!store) {
        return STOA_ERR_MEMORY;
    }
    stoa_csv_open(&table.csv, context, table.name, table.text, bytes);
    stoa_labels_open(&table.labels, context, table.name, table.options);
    stoa_status status = read_table(&table, store);
    stoa_labels_close(&table.labels);
    stoa_csv_columns_clear(&table.columns);
    stoa_csv_close(&table.csv);
    if (status != STOA_OK) {
        stoa_store_release(store);
        return status;
    }
    return stoa_dataset_over(store, dataset);
}

/* Fill what is missing from all of it. */
static stoa_status finish(stoa_dataset *read, const char *name, const stoa_data_options *options,
                          stoa_dataset **dataset) {
    stoa_status status = stoa_table_fill(read, name, options);
    if (status != STOA_OK) {
        stoa_dataset_free(read);
        return status;
    }
    *dataset = read;
    return STOA_OK;
}

static const stoa_data_options defaults = {.classes = 0};

stoa_status stoa_dataset_from_csv_memory(stoa_context *context, const char *name, const void *data,
                                         size_t bytes, const stoa_data_options *options,
                                         stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    stoa_dataset *read = NULL;
    name = name ? name : "table in memory";
    options = options ? options : &defaults;
    stoa_status status = read_text(context, name, data, bytes, options, &read);
    return status == STOA_OK ? finish(read, name, options, dataset) : status;
}

stoa_status stoa_csv_open_unfilled(stoa_context *context, const char *path, const stoa_data_options *options,
                                   stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    void *text = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, SIZE_MAX / 4, &text, &bytes);
    if (status == STOA_OK) {
        status = read_text(context, path, text, bytes, options ? options : &defaults, dataset);
        free(text);
    }
    return status;
}

stoa_status stoa_dataset_open_csv(stoa_context *context, const char *path, const stoa_data_options *options,
                                  stoa_dataset **dataset) {
    stoa_dataset *read = NULL;
    stoa_status status = stoa_csv_open_unfilled(context, path, options, &read);
    return status == STOA_OK ? finish(read, path, options ? options : &defaults, dataset) : status;
}
