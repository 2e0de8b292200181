/* Data sets from tables. The text is gone through twice: once to count its lines and collect its labels, once to
 * read its numbers into memory of exactly that size. Floor 6. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"
#include "base/size.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "data/labels.h"
#include "data/read.h"

#define NO_COLUMN SIZE_MAX

struct table {
    stoa_context *context;
    const char *name;
    const char *text;
    size_t bytes;
    const stoa_data_options *options;
    struct stoa_csv csv;
    struct stoa_labels labels;
    bool header;
    size_t columns, label; /* the label's column from 0, or NO_COLUMN */
    size_t rows;
};

static bool is_number(const struct stoa_csv_field *field, double *value) {
    return stoa_parse_double(field->text, field->length, value);
}

/* ---- the first line: how many columns, is it a header, which column is the label ---- */

static bool field_is(const struct stoa_csv_field *field, const char *name) {
    char *text = stoa_csv_text(field);
    bool same = text && strcmp(text, name) == 0;
    free(text);
    return same;
}

static bool find_named_column(const struct stoa_csv *csv, const char *name, size_t *column) {
    for (size_t i = 0; i < csv->fields; i++) {
        if (field_is(&csv->field[i], name)) {
            *column = i;
            return true;
        }
    }
    return false;
}

/* A header has no numbers. The label's own field says nothing: where classes have names, it is text in every
 * line. */
static bool looks_like_header(const struct stoa_csv *csv, size_t label) {
    double value;
    for (size_t i = 0; i < csv->fields; i++) {
        if (i != label && is_number(&csv->field[i], &value)) {
            return false;
        }
    }
    return csv->fields > 1 || label == NO_COLUMN;
}

static bool read_column_number(const struct table *table, size_t *column) {
    size_t number = 0;
    const char *label = table->options->label;
    bool good = stoa_parse_size(label, strlen(label), &number) && number >= 1 && number <= table->csv.fields;
    *column = number - 1;
    return good;
}

/* Whether the label is named by the first line. A number may stand there by chance: it is a name only where the line
 * is a header without it. */
static bool names_label(struct table *table) {
    const stoa_data_options *options = table->options;
    size_t number;
    return options->header != STOA_HEADER_NO &&
           find_named_column(&table->csv, options->label, &table->label) &&
           (options->header == STOA_HEADER_YES ||
            !stoa_parse_size(options->label, strlen(options->label), &number) ||
            looks_like_header(&table->csv, table->label));
}

static stoa_status choose_label(struct table *table) {
    const stoa_data_options *options = table->options;
    const struct stoa_csv *csv = &table->csv;
    if (!options->label) {
        table->label = csv->fields - 1;
    } else if (names_label(table)) {
        table->header = true;
        return STOA_OK;
    } else if (!read_column_number(table, &table->label)) {
        return stoa_fail(
            table->context, STOA_ERR_ARGUMENT,
            "%s:%zu: has no column '%.40s' for the label, expected a name of the first line or a "
            "number from 1 to %zu",
            table->name, csv->line, options->label, csv->fields);
    }
    return STOA_OK;
}

/* What one sample has, as the options' shape; 0: not said. */
static size_t wanted_values(const stoa_data_options *options) {
    size_t values = options->height;
    return stoa_size_scale(&values, options->width) && stoa_size_scale(&values, options->channels) ? values
                                                                                                   : 0;
}

static stoa_status look_at_first(struct table *table) {
    const stoa_data_options *options = table->options;
    bool more;
    stoa_status status = stoa_csv_next(&table->csv, &more);
    if (status != STOA_OK) {
        return status;
    }
    if (!more) {
        return stoa_fail(table->context, STOA_ERR_FORMAT, "%s:1: holds no lines, expected at least one",
                         table->name);
    }
    table->columns = table->csv.fields;
    size_t wanted = wanted_values(options);
    if (options->unlabelled && (wanted == 0 || table->columns == wanted)) {
        table->label = NO_COLUMN;
    } else {
        status = choose_label(table);
    }
    if (status == STOA_OK && table->label != NO_COLUMN && table->columns < 2) {
        status =
            stoa_fail(table->context, STOA_ERR_FORMAT, "%s:%zu: found 1 column, expected values and a label",
                      table->name, table->csv.line);
    }
    table->header = table->header || options->header == STOA_HEADER_YES ||
                    (options->header == STOA_HEADER_AUTO && looks_like_header(&table->csv, table->label));
    return status;
}

/* ---- the two passes ---- */

/* Start over, behind the header. */
static stoa_status rewind_table(struct table *table) {
    bool more;
    stoa_csv_close(&table->csv);
    stoa_csv_open(&table->csv, table->context, table->name, table->text, table->bytes);
    return table->header ? stoa_csv_next(&table->csv, &more) : STOA_OK;
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
        if (csv->fields != table->columns) {
            return stoa_fail(table->context, STOA_ERR_FORMAT,
                             "%s:%zu: found %zu column%s, expected %zu as in the first line", table->name,
                             csv->line, csv->fields, csv->fields == 1 ? "" : "s", table->columns);
        }
        if (table->label != NO_COLUMN && !table->options->unlabelled) {
            status = stoa_labels_add(&table->labels, &csv->field[table->label], csv->line);
        }
        table->rows++;
    }
    if (status == STOA_OK && table->rows == 0) {
        return stoa_fail(table->context, STOA_ERR_FORMAT,
                         "%s:%zu: holds a header only, expected samples below", table->name, csv->line);
    }
    return status;
}

static stoa_status read_record(const struct table *table, float *values, int32_t *label) {
    const struct stoa_csv *csv = &table->csv;
    size_t used = 0;
    for (size_t i = 0; i < csv->fields; i++) {
        const struct stoa_csv_field *field = &csv->field[i];
        double value = 0;
        if (i == table->label) {
            continue;
        }
        if (!is_number(field, &value) || !isfinite((float)value)) {
            int shown = (int)stoa_min(field->length, 40);
            return stoa_fail(table->context, STOA_ERR_FORMAT,
                             "%s:%zu: column %zu: found '%.*s', expected a finite number", table->name,
                             csv->line, i + 1, shown, field->text);
        }
        values[used++] = (float)value;
    }
    *label = 0;
    return table->label == NO_COLUMN || table->options->unlabelled
               ? STOA_OK
               : stoa_labels_find(&table->labels, &csv->field[table->label], label);
}

static stoa_status fill(struct table *table, struct stoa_store *store) {
    float *values = store->samples_memory.data;
    int32_t *labels = store->labels_memory.data;
    size_t size = table->columns - (table->label != NO_COLUMN);
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

static stoa_status read_table(struct table *table, struct stoa_store *store) {
    stoa_status status = look_at_first(table);
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
        stoa_store_shape(store, table->columns - (table->label != NO_COLUMN), table->options);
        status = stoa_store_allocate(store, table->name, table->rows);
    }
    return status == STOA_OK ? fill(table, store) : status;
}

stoa_status stoa_dataset_from_csv_memory(stoa_context *context, const char *name, const void *data,
                                         size_t bytes, const stoa_data_options *options,
                                         stoa_dataset **dataset) {
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
    stoa_csv_close(&table.csv);
    if (status != STOA_OK) {
        stoa_store_release(store);
        return status;
    }
    return stoa_dataset_over(store, dataset);
}

stoa_status stoa_dataset_open_csv(stoa_context *context, const char *path, const stoa_data_options *options,
                                  stoa_dataset **dataset) {
    void *text = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_file_read(&context->error, path, SIZE_MAX / 4, &text, &bytes);
    if (status == STOA_OK) {
        status = stoa_dataset_from_csv_memory(context, path, text, bytes, options, dataset);
        free(text);
    }
    return status;
}
