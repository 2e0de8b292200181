/* SPDX-License-Identifier: MIT */
/* Input columns: numbers, dates, and categories, which are one-hot. */
#include "data/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/size.h"
#include "data/dataset.h"

static stoa_status fail_memory(const struct stoa_table *table, const char *name) {
    return stoa_fail(table->context, STOA_ERR_MEMORY, "%s: no memory for %zu columns", name, table->count);
}

bool stoa_field_is_missing(const struct stoa_csv_field *field) {
    static const char *const words[] = {"NA", "N/A", "NaN", "null", "None", "<NA>", "?"};
    bool missing = field->length == 0;
    for (size_t i = 0; !missing && i < sizeof words / sizeof words[0]; i++) {
        missing = strlen(words[i]) == field->length && strncasecmp(words[i], field->text, field->length) == 0;
    }
    return missing;
}

/* ---- making and releasing ---- */

/* Takes over `text`. */
static bool add_category(struct stoa_table_column *column, char *text, size_t most, bool *full) {
    bool found = false;
    size_t at = text ? stoa_texts_find(&column->categories, text, &found) : 0;
    *full = !found && column->categories.count == most;
    if (!text || found || *full) {
        free(text);
        return text != NULL;
    }
    return stoa_texts_insert(&column->categories, at, text);
}

static bool take_fitted(struct stoa_table_column *column, const stoa_column *fitted) {
    bool good = true, full;
    column->fill = fitted->fill;
    column->fitted = true;
    for (size_t i = 0; good && i < fitted->category_count; i++) {
        good = add_category(column, strdup(fitted->categories[i]), SIZE_MAX, &full);
    }
    return good;
}

stoa_status stoa_table_create(stoa_context *context, const char *name, const struct stoa_csv_columns *columns,
                              const stoa_data_options *options, struct stoa_table **table) {
    struct stoa_table *made = calloc(1, sizeof *made);
    if (!made) {
        return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for a table", name);
    }
    *table = made;
    made->context = context;
    made->column = calloc(columns->values, sizeof *made->column);
    bool good = made->column != NULL;
    for (size_t i = 0; good && i < columns->values; i++) {
        struct stoa_table_column *column = &made->column[made->count++];
        *column = (struct stoa_table_column){.kind = columns->kind[i], .fill = NAN};
        column->name = columns->names ? strdup(columns->names[i]) : NULL;
        good = (!columns->names || column->name) &&
               (options->fitted_count == 0 || take_fitted(column, &options->fitted[i]));
    }
    return good ? STOA_OK : fail_memory(made, name);
}

void stoa_table_free(struct stoa_table *table) {
    for (size_t i = 0; table && i < table->count; i++) {
        free(table->column[i].name);
        free(table->column[i].texts);
        stoa_texts_clear(&table->column[i].categories);
    }
    if (table) {
        free(table->column);
        free(table);
    }
}

/* ---- categories ---- */

stoa_status stoa_table_collect(struct stoa_table *table, const struct stoa_csv *csv,
                               const struct stoa_csv_columns *columns) {
    for (size_t i = 0; i < table->count; i++) {
        struct stoa_table_column *column = &table->column[i];
        const struct stoa_csv_field *field = &csv->field[columns->value[i]];
        bool full;
        if (column->kind != STOA_COLUMN_CATEGORY || column->fitted || stoa_field_is_missing(field)) {
            continue;
        }
        if (!add_category(column, stoa_csv_text(field), STOA_MOST_CATEGORIES, &full)) {
            return fail_memory(table, csv->name);
        }
        if (full) {
            return stoa_fail(
                table->context, STOA_ERR_FORMAT,
                "%s:%zu: column %zu: found more than %d categories, expected fewer; ignore in [data] "
                "leaves out a column of names or numbers of samples",
                csv->name, csv->line, columns->value[i] + 1, (int)STOA_MOST_CATEGORIES);
        }
    }
    return STOA_OK;
}

stoa_status stoa_table_settle(struct stoa_table *table, const char *name) {
    table->values = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct stoa_table_column *column = &table->column[i];
        struct stoa_texts *categories = &column->categories;
        bool category = column->kind == STOA_COLUMN_CATEGORY;
        if (category && categories->count == 0) {
            return stoa_fail(
                table->context, STOA_ERR_FORMAT,
                "%s: input column %zu of categories has none, expected some; ignore in [data] leaves "
                "it out",
                name, i + 1);
        }
        column->texts = category ? calloc(categories->count, sizeof *column->texts) : NULL;
        if (category && !column->texts) {
            return fail_memory(table, name);
        }
        for (size_t c = 0; c < categories->count && category; c++) {
            categories->text[c].number = c;
            column->texts[c] = categories->text[c].text;
        }
        column->first = table->values;
        column->values = category ? categories->count : 1;
        table->values += column->values;
    }
    return STOA_OK;
}

/* COLUMN, or COLUMN=CATEGORY. */
static char *value_name(const struct stoa_table_column *column, size_t value) {
    if (column->kind != STOA_COLUMN_CATEGORY) {
        return strdup(column->name);
    }
    size_t bytes = strlen(column->name) + strlen(column->texts[value]) + 2;
    char *name = malloc(bytes);
    if (name) {
        (void)snprintf(name, bytes, "%s=%s", column->name, column->texts[value]);
    }
    return name;
}

char **stoa_table_value_names(const struct stoa_table *table, bool *good) {
    *good = true;
    for (size_t i = 0; i < table->count; i++) {
        if (!table->column[i].name) {
            return NULL;
        }
    }
    char **names = calloc(stoa_max(1, table->values), sizeof *names);
    *good = names != NULL;
    for (size_t i = 0; *good && i < table->count; i++) {
        const struct stoa_table_column *column = &table->column[i];
        for (size_t v = 0; *good && v < column->values; v++) {
            names[column->first + v] = value_name(column, v);
            *good = names[column->first + v] != NULL;
        }
    }
    if (!*good) {
        stoa_free_names(names, names ? table->values : 0);
        return NULL;
    }
    return names;
}

stoa_column *stoa_table_columns(const struct stoa_table *table) {
    stoa_column *columns = calloc(stoa_max(1, table->count), sizeof *columns);
    for (size_t i = 0; columns && i < table->count; i++) {
        const struct stoa_table_column *column = &table->column[i];
        columns[i] = (stoa_column){.name = column->name,
                                   .kind = column->kind,
                                   .categories = column->texts,
                                   .category_count = column->categories.count,
                                   .fill = column->fill};
    }
    return columns;
}

size_t stoa_dataset_columns(const stoa_dataset *dataset) {
    return dataset->store->table ? dataset->store->table->count : 0;
}

void stoa_dataset_column(const stoa_dataset *dataset, size_t index, stoa_column *column) {
    const struct stoa_table_column *found = &dataset->store->table->column[index];
    *column = (stoa_column){.name = found->name,
                            .kind = found->kind,
                            .categories = found->texts,
                            .category_count = found->categories.count,
                            .fill = found->fill};
}

/* ---- what is said ---- */

void stoa_table_explain(const struct stoa_table *table, const char *name,
                        const struct stoa_csv_columns *columns) {
    enum { MOST = 320 };
    char words[MOST] = "";
    size_t used = 0, left_out = columns->count - table->count - columns->targets -
                                (columns->label != STOA_NO_COLUMN ? 1 : 0);
    bool special = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct stoa_table_column *column = &table->column[i];
        char number[32];
        if (column->kind == STOA_COLUMN_NUMBER) {
            continue;
        }
        (void)snprintf(number, sizeof number, "column %zu", columns->value[i] + 1);
        const char *word = column->name ? column->name : number;
        special = true;
        if (used < MOST) {
            used +=
                (size_t)(column->kind == STOA_COLUMN_DATE
                             ? snprintf(words + used, MOST - used, ", '%.30s' as days since 1970", word)
                             : snprintf(words + used, MOST - used, ", '%.30s' one for each of %zu categories",
                                        word, column->values));
        }
    }
    if (special) {
        stoa_log(table->context, "%s: a sample has %zu value%s, of %zu column%s%s%s%s", name, table->values,
                 table->values == 1 ? "" : "s", table->count, table->count == 1 ? "" : "s", words,
                 used >= MOST ? "..." : "", left_out ? "; other columns are left out" : "");
    }
}
