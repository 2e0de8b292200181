/* SPDX-License-Identifier: MIT */
/* Columns of tables. A column is found by its name where both the table and the options have names, so that
 * other orders and further columns do no harm; else columns count as they stand. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"
#include "data/csv_list.h"
#include "data/csv_reading.h"
#include "data/dataset.h"

stoa_status stoa_csv_fail_columns(const struct stoa_csv_reading *r) {
    return stoa_fail(r->csv->context, STOA_ERR_MEMORY, "%s: no memory for %zu columns", r->csv->name,
                     r->csv->fields);
}

static int by_text(const void *a, const void *b) {
    const struct stoa_csv_named *left = a, *right = b;
    int order = strcmp(left->text, right->text);
    return order ? order : left->column < right->column ? -1 : 1;
}

static stoa_status sort_names(struct stoa_csv_reading *r) {
    const struct stoa_csv *csv = r->csv;
    r->named = calloc(csv->fields, sizeof *r->named);
    bool good = r->named != NULL;
    for (size_t i = 0; good && i < csv->fields; i++) {
        r->named[i] = (struct stoa_csv_named){stoa_csv_text(&csv->field[i]), i};
        good = r->named[i].text != NULL;
    }
    if (!good) {
        return stoa_csv_fail_columns(r);
    }
    qsort(r->named, csv->fields, sizeof *r->named, by_text);
    return STOA_OK;
}

/* How many columns have this name; the first of them. */
size_t stoa_csv_find_named(const struct stoa_csv_reading *r, const char *name, size_t *column) {
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

/* The fields of the first line, as words that a wrong name may be meant to be. */
static const char *name_of(const void *from, size_t index) {
    const struct stoa_csv_reading *r = from;
    return index < r->csv->fields ? r->named[index].text : NULL;
}

const char *stoa_csv_near(const struct stoa_csv_reading *r, const char *name, char out[STOA_NEAR_TEXT]) {
    const struct stoa_words names = {name_of, r};
    return stoa_near_text(name, &names, out);
}

/* ---- columns by their names ---- */

/* Names that inputs are found by: the options' own, or those of what was learned from. */
static size_t count_names(const stoa_data_options *options) {
    bool named = options->fitted_count > 0 && options->fitted[0].name;
    return options->column_count > 0 ? options->column_count : named ? options->fitted_count : 0;
}

static const char *name_at(const stoa_data_options *options, size_t at) {
    return options->column_count > 0 ? options->columns[at] : options->fitted[at].name;
}

/* Whether the options' names all stand in the first line, which is a header then. */
static bool has_all_names(const struct stoa_csv_reading *r) {
    size_t column;
    size_t names = count_names(r->options);
    bool all = names > 0 && r->options->header != STOA_HEADER_NO;
    for (size_t i = 0; all && i < names; i++) {
        all = stoa_csv_find_named(r, name_at(r->options, i), &column) == 1;
    }
    return all;
}

/* Whether one of them does that is no number, which may stand in a sample. */
static bool has_a_name(const struct stoa_csv_reading *r) {
    size_t column;
    double number;
    bool any = false;
    for (size_t i = 0; !any && r->options->header != STOA_HEADER_NO && i < count_names(r->options); i++) {
        const char *name = name_at(r->options, i);
        any = !stoa_parse_double(name, strlen(name), &number) && stoa_csv_find_named(r, name, &column) > 0;
    }
    return any;
}

/* A header without one of the names, or with one twice. */
static stoa_status fail_name(const struct stoa_csv_reading *r) {
    const struct stoa_csv *csv = r->csv;
    size_t names = count_names(r->options);
    for (size_t i = 0; i < names; i++) {
        size_t column, found = stoa_csv_find_named(r, name_at(r->options, i), &column);
        if (found != 1) {
            char near[STOA_NEAR_TEXT];
            return stoa_fail(
                csv->context, STOA_ERR_FORMAT,
                "%s:%zu: has %s column '%.60s'%sone: the training data had it as number %zu of %zu inputs",
                csv->name, csv->line, found ? "more than one" : "no", name_at(r->options, i),
                found ? ", expected " : stoa_csv_near(r, name_at(r->options, i), near), i + 1, names);
        }
    }
    return STOA_OK;
}

/* The label among the columns that are no inputs: by its name, or where only one is left. */
static stoa_status find_label(const struct stoa_csv_reading *r) {
    const stoa_data_options *options = r->options;
    struct stoa_csv_columns *columns = r->columns;
    const struct stoa_csv *csv = r->csv;
    const char *const names[] = {options->label, options->label_column};
    size_t left = 0;
    for (size_t i = 0; i < 2; i++) {
        if (names[i] && stoa_csv_find_named(r, names[i], &columns->label) == 1 &&
            r->role[columns->label] == STOA_CSV_LEFT_OUT) {
            return STOA_OK;
        }
    }
    for (size_t i = r->index; i < csv->fields; i++) {
        bool taken = r->role[i] != STOA_CSV_LEFT_OUT;
        columns->label = taken ? columns->label : i;
        left += !taken;
    }
    const char *wanted = names[1] ? names[1] : names[0] ? names[0] : "label";
    char near[STOA_NEAR_TEXT];
    return left == 1 ? STOA_OK
                     : stoa_fail(csv->context, STOA_ERR_FORMAT,
                                 "%s:%zu: has no column '%.60s' for the label%sit among the columns that are "
                                 "no inputs, of which there are %zu",
                                 csv->name, csv->line, wanted, stoa_csv_near(r, wanted, near), left);
}

/* The targets by their names. */
static stoa_status find_targets(const struct stoa_csv_reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    const struct stoa_csv *csv = r->csv;
    struct stoa_names list = {.count = 0};
    stoa_status status = stoa_csv_list(csv->context, csv->name, "target", r->options->target, &list);
    for (size_t i = 0; status == STOA_OK && i < list.count; i++) {
        size_t column = STOA_NO_COLUMN, found = stoa_csv_find_named(r, list.text[i], &column);
        if (found != 1 || r->role[column] != STOA_CSV_LEFT_OUT) {
            char near[STOA_NEAR_TEXT];
            status = stoa_fail(csv->context, STOA_ERR_FORMAT,
                               "%s:%zu: has %s column '%.60s' for target %zu%sone beside the inputs",
                               csv->name, csv->line, found > 1 ? "more than one" : "no", list.text[i], i + 1,
                               found > 0 ? ", expected " : stoa_csv_near(r, list.text[i], near));
        } else {
            r->role[column] = STOA_CSV_TARGET;
            columns->target[columns->targets++] = column;
        }
    }
    stoa_names_clear(&list);
    return status;
}

/* Columns that the options do not know; those that they ignore are no news. */
static stoa_status explain_others(const struct stoa_csv_reading *r) {
    const struct stoa_csv *csv = r->csv;
    struct stoa_names list = {.count = 0};
    stoa_status status = stoa_csv_list(csv->context, csv->name, "ignore", r->options->ignore, &list);
    size_t column, others = 0, first = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (stoa_csv_find_named(r, list.text[i], &column) == 1 && r->role[column] == STOA_CSV_LEFT_OUT) {
            r->role[column] = STOA_CSV_IGNORED;
        }
    }
    stoa_names_clear(&list);
    for (size_t i = r->index; i < csv->fields; i++) {
        bool other = r->role[i] == STOA_CSV_LEFT_OUT && i != r->columns->label;
        first = other && others == 0 ? i : first;
        others += other;
    }
    const char *learned = r->columns->targets ? "target" : "label";
    if (others == 1 && !r->options->only) {
        stoa_log(csv->context, "%s:%zu: column %zu is no input of the model and not its %s: passed over",
                 csv->name, csv->line, first + 1, learned);
    } else if (others > 1 && !r->options->only) {
        stoa_log(
            csv->context,
            "%s:%zu: %zu columns, the first of them column %zu, are no inputs of the model and not its %s: "
            "passed over",
            csv->name, csv->line, others, first + 1, learned);
    }
    return status;
}

static stoa_status take_by_name(struct stoa_csv_reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    for (size_t i = 0; i < r->csv->fields; i++) {
        r->role[i] = STOA_CSV_LEFT_OUT;
    }
    columns->values = count_names(r->options);
    for (size_t i = 0; i < columns->values; i++) {
        (void)stoa_csv_find_named(r, name_at(r->options, i), &columns->value[i]);
        r->role[columns->value[i]] = STOA_CSV_INPUT;
    }
    columns->label = STOA_NO_COLUMN;
    if (r->options->unlabelled) {
        return STOA_OK;
    }
    stoa_status status = stoa_task_of(r->options) == STOA_TASK_CLASSES ? find_label(r) : find_targets(r);
    return status == STOA_OK ? explain_others(r) : status;
}

/* ---- columns as they stand ---- */

/* Whether names are fit to find columns by: all there, none twice. */
static bool are_names(const struct stoa_csv_reading *r, char *const *names) {
    size_t column;
    for (size_t i = 0; i < r->columns->values; i++) {
        if (!names[i][0] || stoa_csv_find_named(r, names[i], &column) != 1) {
            return false;
        }
    }
    return true;
}

/* Texts of fields of the header, from malloc; NULL without memory. */
static char **copy_fields(const struct stoa_csv *csv, const size_t *column, size_t count) {
    char **texts = calloc(stoa_max(1, count), sizeof *texts);
    bool good = texts != NULL;
    for (size_t i = 0; good && i < count; i++) {
        texts[i] = stoa_csv_text(&csv->field[column[i]]);
        good = texts[i] != NULL;
    }
    if (!good) {
        stoa_free_names(texts, count);
        return NULL;
    }
    return texts;
}

static stoa_status keep_names(struct stoa_csv_reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    columns->names = copy_fields(r->csv, columns->value, columns->values);
    bool good = columns->names != NULL;
    if (columns->label != STOA_NO_COLUMN) {
        columns->label_name = stoa_csv_text(&r->csv->field[columns->label]);
        good = good && columns->label_name != NULL;
    }
    if (columns->targets > 0) {
        columns->target_names = copy_fields(r->csv, columns->target, columns->targets);
        good = good && columns->target_names != NULL;
    }
    if (!good) {
        return stoa_csv_fail_columns(r);
    }
    if (!are_names(r, columns->names)) {
        stoa_free_names(columns->names, columns->values);
        columns->names = NULL;
    }
    return STOA_OK;
}

static stoa_status take_in_order(struct stoa_csv_reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    for (size_t i = r->index; i < r->csv->fields; i++) {
        if (r->role[i] == STOA_CSV_INPUT) {
            columns->value[columns->values++] = i;
        }
    }
    if (columns->values == 0) {
        return stoa_fail(r->csv->context, STOA_ERR_ARGUMENT,
                         "%s:%zu: found no column that is left for an input among %zu, expected one at least",
                         r->csv->name, r->csv->line, r->csv->fields);
    }
    if (r->index) {
        stoa_log(r->csv->context,
                 "%s:%zu: column 1 has no name: taken for row numbers, an index, and passed over",
                 r->csv->name, r->csv->line);
    }
    if (r->numbered && r->options->header == STOA_HEADER_AUTO) {
        stoa_log(r->csv->context,
                 "%s:%zu: numbers that count the columns are taken for a header; header = no in [data] makes "
                 "them a sample",
                 r->csv->name, r->csv->line);
    }
    return STOA_OK;
}

/* How many columns of inputs one sample has, as the options know it; 0: not said. */
static size_t wanted_values(const stoa_data_options *options) {
    size_t values = options->height;
    bool said = stoa_size_scale(&values, options->width) && stoa_size_scale(&values, options->channels);
    return options->fitted_count > 0 ? options->fitted_count : said ? values : 0;
}

/* Where all columns are known to be inputs the lists have nothing to say. */
static stoa_status choose_roles(struct stoa_csv_reading *r) {
    const stoa_data_options *options = r->options;
    struct stoa_csv_columns *columns = r->columns;
    const struct stoa_csv *csv = r->csv;
    size_t wanted = wanted_values(options);
    bool inputs_alone = options->unlabelled && wanted > 0 && csv->fields - r->index == wanted;
    bool learns = !options->unlabelled || wanted > 0;
    columns->label = STOA_NO_COLUMN;
    if (!inputs_alone && learns && csv->fields < 2) {
        return stoa_fail(csv->context, STOA_ERR_FORMAT,
                         "%s:%zu: found 1 column, expected values and a %s, with commas, semicolons or tabs "
                         "between them",
                         csv->name, csv->line,
                         stoa_task_of(options) == STOA_TASK_CLASSES ? "label" : "target");
    }
    return inputs_alone ? STOA_OK : stoa_csv_choose_roles(r, learns);
}

static stoa_status choose_columns(struct stoa_csv_reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    const stoa_data_options *options = r->options;
    if (has_all_names(r)) {
        columns->header = true;
        return take_by_name(r);
    }
    if (has_a_name(r)) {
        return fail_name(r);
    }
    stoa_status status = choose_roles(r);
    if (status != STOA_OK) {
        return status;
    }
    columns->header = columns->header || options->header == STOA_HEADER_YES ||
                      (options->header == STOA_HEADER_AUTO && stoa_csv_looks_like_header(r, columns->label));
    if (columns->header && count_names(options) > 0) {
        return fail_name(r);
    }
    r->index = r->index && columns->header && r->role[0] == STOA_CSV_INPUT;
    return take_in_order(r);
}

static bool allocate(struct stoa_csv_reading *r) {
    struct stoa_csv_columns *columns = r->columns;
    size_t most = stoa_max(r->csv->fields, count_names(r->options));
    columns->count = r->csv->fields;
    columns->value = calloc(most, sizeof *columns->value);
    columns->target = calloc(most, sizeof *columns->target);
    columns->kind = calloc(most, sizeof *columns->kind);
    r->role = calloc(most, sizeof *r->role);
    return columns->value && columns->target && columns->kind && r->role;
}

static stoa_status check_task(const struct stoa_csv_reading *r) {
    const stoa_data_options *options = r->options;
    bool classes = stoa_task_of(options) == STOA_TASK_CLASSES;
    const char *wrong = classes ? options->target : options->label;
    return !wrong ? STOA_OK
                  : stoa_fail(r->csv->context, STOA_ERR_ARGUMENT,
                              "%s:%zu: %s = %.40s with a task of %s, expected %s for it", r->csv->name,
                              r->csv->line, classes ? "target" : "label", wrong,
                              classes ? "classes" : "targets", classes ? "label" : "target");
}

static stoa_status read_first(struct stoa_csv_reading *r) {
    struct stoa_csv *csv = r->csv;
    stoa_status status = check_task(r);
    if (status == STOA_OK) {
        status = sort_names(r);
    }
    if (status == STOA_OK && !allocate(r)) {
        status = stoa_csv_fail_columns(r);
    }
    if (status != STOA_OK) {
        return status;
    }
    stoa_csv_look_ahead(r);
    const struct stoa_csv_field *first = &csv->field[0];
    bool unnamed = first->length == 0 || (first->length == 10 && memcmp(first->text, "Unnamed: 0", 10) == 0);
    r->index = r->options->header != STOA_HEADER_NO && csv->fields > 1 && unnamed;
    status = choose_columns(r);
    if (status == STOA_OK && r->columns->header) {
        status = keep_names(r);
    }
    return status == STOA_OK ? stoa_csv_choose_kinds(r) : status;
}

stoa_status stoa_csv_columns_read(struct stoa_csv *csv, const stoa_data_options *options,
                                  struct stoa_csv_columns *columns) {
    struct stoa_csv_reading r = {.csv = csv, .options = options, .columns = columns};
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
    free(r.role);
    return status;
}

void stoa_csv_columns_clear(struct stoa_csv_columns *columns) {
    stoa_free_names(columns->names, columns->values);
    stoa_free_names(columns->target_names, columns->targets);
    free(columns->value);
    free(columns->kind);
    free(columns->target);
    free(columns->label_name);
    *columns = (struct stoa_csv_columns){.label = STOA_NO_COLUMN};
}
