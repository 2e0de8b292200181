/* SPDX-License-Identifier: MIT */
/* Columns of tables to JSON and back. */
#include "train/table_facts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "model/json.h"
#include "model/json_write.h"
#include "model/model.h"

static const char key[] = "data.table";
static const char *const kinds[] = {
    [STOA_COLUMN_NUMBER] = "number", [STOA_COLUMN_CATEGORY] = "category", [STOA_COLUMN_DATE] = "date"};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static stoa_status fail_fact(const struct stoa_data_facts *facts) {
    return stoa_fail(facts->context, STOA_ERR_FORMAT,
                     "%s: %s: found '%.80s', expected an array of JSON with an object for each input column",
                     stoa_model_name(facts->model), key, stoa_model_fact(facts->model, key));
}

static stoa_status fail_memory(stoa_context *context) {
    return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for it", key);
}

/* ---- reading ---- */

/* Texts of a category, into the room that is left. */
static bool read_values(const json_t *values, const char **texts, size_t room, stoa_column *column) {
    size_t count = json_array_size(values);
    bool good = json_is_array(values) && count > 0 && count <= room;
    for (size_t i = 0; good && i < count; i++) {
        const json_t *value = json_array_get(values, i);
        good = json_is_string(value) && (i == 0 || strcmp(texts[i - 1], json_string_value(value)) < 0);
        texts[i] = good ? json_string_value(value) : NULL;
    }
    column->categories = texts;
    column->category_count = good ? count : 0;
    return good;
}

static bool read_column(const json_t *object, const char **texts, size_t room, stoa_column *column) {
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const json_t *fill = json_object_get(object, "fill");
    size_t known = 0;
    while (kind && known < KINDS && strcmp(kind, kinds[known]) != 0) {
        known++;
    }
    *column = (stoa_column){.kind = (stoa_column_kind)known, .fill = NAN};
    bool good = kind && known < KINDS && (!fill || json_is_number(fill)) &&
                (known != STOA_COLUMN_CATEGORY ||
                 read_values(json_object_get(object, "values"), texts, room, column));
    if (good && fill) {
        column->fill = (float)json_number_value(fill);
        good =
            isfinite(column->fill) && (known != STOA_COLUMN_CATEGORY ||
                                       (column->fill >= 0 && column->fill < (float)column->category_count));
    }
    return good;
}

/* How many texts there are. */
static size_t count_texts(const json_t *columns) {
    size_t count = 0, i;
    const json_t *object;
    json_array_foreach(columns, i, object) {
        count += json_array_size(json_object_get(object, "values"));
    }
    return count;
}

static stoa_status read_columns(struct stoa_data_facts *facts) {
    stoa_data_options *options = &facts->source.options;
    size_t count = json_array_size(facts->table), used = 0, room = count_texts(facts->table);
    facts->column = calloc(count, sizeof *facts->column);
    facts->category = calloc(stoa_max(1, room), sizeof *facts->category);
    if (!facts->column || !facts->category) {
        return fail_memory(facts->context);
    }
    for (size_t i = 0; i < count; i++) {
        stoa_column *column = &facts->column[i];
        if (!read_column(json_array_get(facts->table, i), facts->category + used, room - used, column)) {
            return fail_fact(facts);
        }
        used += column->category_count;
        column->name = options->column_count == count ? options->columns[i] : NULL;
    }
    options->fitted = facts->column;
    options->fitted_count = count;
    return STOA_OK;
}

stoa_status stoa_table_facts_read(struct stoa_data_facts *facts) {
    const char *text = stoa_model_fact(facts->model, key);
    size_t inputs = stoa_model_input_size(facts->model);
    /* A column takes an object, three keys and their values, and each of its values a text. */
    const struct stoa_json_limits limits = {.what = key, .depth = 3, .parts = 8 * inputs + 2};
    if (!text) {
        return STOA_OK;
    }
    stoa_status status = stoa_json_parse(&facts->context->error, &limits, text, strlen(text), &facts->table);
    if (status == STOA_ERR_MEMORY) {
        return status;
    }
    size_t count = status == STOA_OK && json_is_array(facts->table) ? json_array_size(facts->table) : 0;
    return count == 0 || count > inputs ? fail_fact(facts) : read_columns(facts);
}

/* ---- writing ---- */

static json_t *describe_column(const stoa_column *column) {
    json_t *object = json_object();
    bool good = object && stoa_json_put_text(object, "kind", kinds[column->kind]);
    json_t *values = good && column->kind == STOA_COLUMN_CATEGORY ? json_array() : NULL;
    for (size_t i = 0; values && i < column->category_count; i++) {
        if (!stoa_json_append(values, json_string(column->categories[i]))) {
            json_decref(values);
            values = NULL;
        }
    }
    if (good && column->kind == STOA_COLUMN_CATEGORY) {
        good = stoa_json_put(object, "values", values);
    }
    if (good && !isnan(column->fill)) {
        good = stoa_json_put(object, "fill", json_real((double)column->fill));
    }
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static bool is_plain(const stoa_dataset *train) {
    bool plain = true;
    for (size_t i = 0; i < stoa_dataset_columns(train); i++) {
        stoa_column column;
        stoa_dataset_column(train, i, &column);
        plain = plain && column.kind == STOA_COLUMN_NUMBER && isnan(column.fill);
    }
    return plain;
}

stoa_status stoa_table_facts_write(stoa_context *context, stoa_model *model, const stoa_dataset *train) {
    if (is_plain(train)) {
        return stoa_model_set_fact(model, key, NULL);
    }
    json_t *columns = json_array();
    bool good = columns != NULL;
    errno = ENOMEM;
    for (size_t i = 0; good && i < stoa_dataset_columns(train); i++) {
        stoa_column column;
        stoa_dataset_column(train, i, &column);
        errno = 0;
        good = stoa_json_append(columns, describe_column(&column));
    }
    char *text = good ? stoa_json_print(columns) : NULL;
    bool no_memory = !text && (good || errno == ENOMEM);
    stoa_status status = text ? stoa_model_set_fact(model, key, text)
                         : no_memory
                             ? fail_memory(context)
                             : stoa_fail(context, STOA_ERR_FORMAT,
                                         "%s: a category is no UTF-8, which a model cannot keep: expected "
                                         "a table in UTF-8",
                                         key);
    free(text);
    json_decref(columns);
    return status;
}
