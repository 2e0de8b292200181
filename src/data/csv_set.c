/* SPDX-License-Identifier: MIT */
/* Data sets from tables. The text is gone through twice: once to count its lines and collect its labels, once
 * to read its numbers into memory of exactly that size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/float_state.h"
#include "base/number.h"
#include "base/size.h"
#include "data/csv_columns.h"
#include "data/dataset.h"
#include "data/labels.h"
#include "data/read.h"
#include "data/shape.h"

struct table {
    stoa_context *context;
    const char *name;
    const char *text;
    size_t bytes;
    const stoa_data_options *options;
    struct stoa_csv csv;
    struct stoa_labels labels;
    struct stoa_csv_columns columns;
    size_t first_line;
    size_t rows;
};

static bool is_number(const struct stoa_csv_field *field, double *value) {
    return stoa_parse_double(field->text, field->length, value);
}

/* ---- the two passes ---- */

/* Start over, behind the header. */
static stoa_status rewind_table(struct table *table) {
    bool more;
    stoa_csv_close(&table->csv);
    stoa_csv_open(&table->csv, table->context, table->name, table->text, table->bytes);
    return table->columns.header ? stoa_csv_next(&table->csv, &more) : STOA_OK;
}

static stoa_status survey(struct table *table) {
    const struct stoa_csv *csv = &table->csv;
    bool more;
    stoa_status status = rewind_table(table);
    while (status == STOA_OK) {
        status = stoa_csv_next(&table->csv, &more);
        if (status != STOA_OK || !more) {
            break;
        }
        if (csv->fields != table->columns.count) {
            return stoa_fail(table->context, STOA_ERR_FORMAT,
                             "%s:%zu: found %zu column%s, expected %zu as in the first line", table->name,
                             csv->line, csv->fields, csv->fields == 1 ? "" : "s", table->columns.count);
        }
        if (table->columns.label != STOA_NO_COLUMN && !table->options->unlabelled) {
            status = stoa_labels_add(&table->labels, &csv->field[table->columns.label], csv->line);
        }
        table->rows++;
    }
    if (status == STOA_OK && table->rows == 0) {
        return stoa_fail(table->context, STOA_ERR_FORMAT,
                         "%s:%zu: holds a header only, expected samples below", table->name, csv->line);
    }
    return status;
}

/* A number that cannot be read, and what may be the reason. */
static stoa_status fail_number(const struct table *table, size_t column) {
    const struct stoa_csv *csv = &table->csv;
    const struct stoa_csv_field *field = &csv->field[column];
    const char *hint = "";
    if (csv->line == table->first_line) {
        hint = "; header = yes in [data] where this line holds names";
    } else if (memchr(field->text, ',', field->length)) {
        hint = csv->separator == ';' ? ", with a point; ';' separates the fields here" : ", with a point";
    } else if (memchr(field->text, ';', field->length)) {
        hint = "; ',' separates the fields here, as in the first line";
    }
    return stoa_fail(table->context, STOA_ERR_FORMAT,
                     "%s:%zu: column %zu: found '%.*s', expected a finite number%s", table->name, csv->line,
                     column + 1, (int)stoa_min(field->length, 40), field->text, hint);
}

static stoa_status read_record(const struct table *table, float *values, int32_t *label) {
    const struct stoa_csv *csv = &table->csv;
    const struct stoa_csv_columns *columns = &table->columns;
    for (size_t i = 0; i < columns->values; i++) {
        double value = 0;
        if (!is_number(&csv->field[columns->value[i]], &value) || !isfinite((float)value)) {
            return fail_number(table, columns->value[i]);
        }
        values[i] = (float)value;
    }
    *label = 0;
    return table->columns.label == STOA_NO_COLUMN || table->options->unlabelled
               ? STOA_OK
               : stoa_labels_find(&table->labels, &csv->field[table->columns.label], label);
}

static stoa_status fill(struct table *table, struct stoa_store *store) {
    float *values = store->samples_memory.data;
    int32_t *labels = store->labels_memory.data;
    size_t size = table->columns.values;
    stoa_status status = rewind_table(table);
    for (size_t row = 0; status == STOA_OK && row < table->rows; row++) {
        bool more;
        status = stoa_csv_next(&table->csv, &more);
        if (status == STOA_OK) {
            status = read_record(table, values + row * size, labels + row);
        }
    }
    return status;
}

/* The names of the columns become the store's. */
static void keep_names(struct table *table, struct stoa_store *store) {
    store->columns_named = table->columns.names ? table->columns.values : 0;
    store->column_names = table->columns.names;
    store->label_name = table->columns.label_name;
    table->columns.names = NULL;
    table->columns.label_name = NULL;
}

static stoa_status read_table(struct table *table, struct stoa_store *store) {
    stoa_status status = stoa_csv_columns_read(&table->csv, table->options, &table->columns);
    table->first_line = table->csv.line;
    if (status == STOA_OK && table->csv.separator != ',') {
        stoa_log(table->context, "%s: fields are separated by %s", table->name,
                 table->csv.separator == ';' ? "';'" : "tabs");
    }
    if (status == STOA_OK) {
        status = survey(table);
    }
    if (status == STOA_OK && !table->options->unlabelled) {
        status = stoa_labels_settle(&table->labels, &store->classes, &store->names);
    } else {
        store->classes = stoa_max(table->options->classes, 1);
    }
    if (status == STOA_OK) {
        store->type = STOA_SAMPLE_F32;
        keep_names(table, store);
        status = stoa_store_arrange(store, table->name, &table->columns.values, 1, table->options);
    }
    if (status == STOA_OK) {
        status = stoa_store_allocate(store, table->name, table->rows);
    }
    return status == STOA_OK ? fill(table, store) : status;
}

stoa_status stoa_dataset_from_csv_memory(stoa_context *context, const char *name, const void *data,
                                         size_t bytes, const stoa_data_options *options,
                                         stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    static const stoa_data_options defaults = {.classes = 0};
    struct table table = {.context = context,
                          .name = name ? name : "table in memory",
                          .text = data,
                          .bytes = bytes,
                          .options = options ? options : &defaults};
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

stoa_status stoa_dataset_open_csv(stoa_context *context, const char *path, const stoa_data_options *options,
                                  stoa_dataset **dataset) {
    STOA_FLOAT_STATE();
    void *text = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, SIZE_MAX / 4, &text, &bytes);
    if (status == STOA_OK) {
        status = stoa_dataset_from_csv_memory(context, path, text, bytes, options, dataset);
        free(text);
    }
    return status;
}
