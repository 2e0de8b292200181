/* SPDX-License-Identifier: MIT */
/* Facts of data as text: keys of [data] by their table, lists of numbers separated by spaces, names as an
 * array of JSON. */
#include "train/data_facts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "data/dataset.h"
#include "model/json.h"
#include "model/json_write.h"
#include "model/model.h"
#include "train/table_facts.h"

static stoa_status fail_fact(const struct stoa_data_facts *facts, const char *key, const char *expected) {
    return stoa_fail(facts->context, STOA_ERR_FORMAT, "%s: %s: found '%.80s', expected %s",
                     stoa_model_name(facts->model), key, stoa_model_fact(facts->model, key), expected);
}

static stoa_status fail_memory(stoa_context *context, const char *key) {
    return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for it", key);
}

/* ---- reading ---- */

stoa_status stoa_data_facts_numbers(const struct stoa_data_facts *facts, const char *key, double lowest,
                                    float **list, size_t *count) {
    const char *expected =
        lowest > 0 ? "numbers above 0, separated by spaces" : "numbers, separated by spaces";
    const char *text = stoa_model_fact(facts->model, key);
    const struct stoa_option number = {.type = STOA_OPTION_FLOAT, .lowest = lowest, .highest = 1e30};
    *count = 0;
    *list = text ? malloc((strlen(text) / 2 + 1) * sizeof **list) : NULL;
    if (text && !*list) {
        return fail_memory(facts->context, key);
    }
    bool good = !text || *text != '\0';
    for (const char *at = text; good && at && *at;) {
        char word[64];
        size_t length = strcspn(at, " ");
        good = length < sizeof word;
        (void)snprintf(word, sizeof word, "%.*s", (int)(good ? length : 0), at);
        good = good && stoa_option_read(&number, word, *list + (*count)++);
        at += length + (at[length] == ' ');
    }
    if (!good) {
        free(*list);
        *list = NULL;
        *count = 0;
        return fail_fact(facts, key, expected);
    }
    return STOA_OK;
}

/* With targets nothing is said of classes; labels are told from numbers by a loss of logits, where the task
 * does not say which. */
static void settle_task(struct stoa_data_facts *facts) {
    stoa_data_options *options = &facts->source.options;
    const char *loss = stoa_model_fact(facts->model, "loss");
    static const char logits[] = "bce_with_logits";
    if (options->task == STOA_TASK_AUTO && options->target) {
        bool labels = loss && strncmp(loss, logits, sizeof logits - 1) == 0;
        options->task = labels ? STOA_TASK_MULTILABEL : STOA_TASK_REGRESSION;
    }
    if (stoa_task_of(options) != STOA_TASK_CLASSES) {
        options->classes = stoa_model_output_size(facts->model);
    }
}

/* Every key of [data] that has one value; the set is a name for people and for searches. */
static stoa_status read_keys(struct stoa_data_facts *facts) {
    struct stoa_error *error = &facts->context->error;
    stoa_keys_begin(&stoa_data_keys, &facts->source);
    facts->source.options.classes = stoa_model_output_size(facts->model);
    for (size_t i = 0; i < stoa_data_keys.count; i++) {
        const struct stoa_key *key = &stoa_data_keys.key[i];
        char name[STOA_KEY_TEXT];
        (void)snprintf(name, sizeof name, "data.%s", key->option.name);
        const char *text = stoa_model_fact(facts->model, name);
        if (text && !stoa_data_is_scale(key) && !key->read &&
            stoa_key_set(error, &stoa_data_keys, key, text, &facts->source) != STOA_OK) {
            error->status = STOA_ERR_FORMAT;
            return stoa_error_prefix(error, "%s: data.", stoa_model_name(facts->model));
        }
    }
    stoa_data_options *options = &facts->source.options;
    stoa_model_input_shape(facts->model, &options->height, &options->width, &options->channels);
    options->label_column = stoa_model_fact(facts->model, "data.label_column");
    settle_task(facts);
    return STOA_OK;
}

static stoa_status read_scales(struct stoa_data_facts *facts) {
    size_t deviations = 0;
    stoa_status status = stoa_data_facts_numbers(facts, "data.mean", -1e30, &facts->mean, &facts->scales);
    if (status == STOA_OK) {
        status = stoa_data_facts_numbers(facts, "data.deviation", 1e-30, &facts->deviation, &deviations);
    }
    if (status == STOA_OK && facts->scales != deviations) {
        return stoa_fail(facts->context, STOA_ERR_FORMAT,
                         "%s: data.mean has %zu numbers, data.deviation %zu, expected as many",
                         stoa_model_name(facts->model), facts->scales, deviations);
    }
    if (status != STOA_OK || facts->mean || facts->source.normalize) {
        return status;
    }
    facts->mean = calloc(1, sizeof *facts->mean);
    facts->deviation = malloc(sizeof *facts->deviation);
    if (!facts->mean || !facts->deviation) {
        return fail_memory(facts->context, "data.mean");
    }
    facts->scales = 1;
    *facts->deviation = 1;
    return STOA_OK;
}

static stoa_status read_target_scales(struct stoa_data_facts *facts) {
    size_t deviations = 0;
    stoa_status status =
        stoa_data_facts_numbers(facts, "data.target_mean", -1e30, &facts->target_mean, &facts->target_scales);
    if (status == STOA_OK) {
        status = stoa_data_facts_numbers(facts, "data.target_deviation", 1e-30, &facts->target_deviation,
                                         &deviations);
    }
    if (status == STOA_OK && (facts->target_scales != deviations ||
                              (deviations > 0 && deviations != stoa_model_output_size(facts->model)))) {
        return stoa_fail(
            facts->context, STOA_ERR_FORMAT,
            "%s: data.target_mean has %zu numbers, data.target_deviation %zu, expected %zu, one for "
            "each output",
            stoa_model_name(facts->model), facts->target_scales, deviations,
            stoa_model_output_size(facts->model));
    }
    return status;
}

/* An array of `most` texts or fewer; NULL where the fact is missing. The texts are `*holder`'s. */
static stoa_status read_texts(const struct stoa_data_facts *facts, const char *key, size_t most,
                              json_t **holder, const char ***list, size_t *count) {
    const char *text = stoa_model_fact(facts->model, key);
    const struct stoa_json_limits limits = {.what = key, .depth = 1, .parts = most + 2};
    if (!text) {
        return STOA_OK;
    }
    stoa_status status = stoa_json_parse(&facts->context->error, &limits, text, strlen(text), holder);
    bool good = status == STOA_OK && json_is_array(*holder) && json_array_size(*holder) > 0 &&
                json_array_size(*holder) <= most;
    *count = good ? json_array_size(*holder) : 0;
    for (size_t i = 0; good && i < *count; i++) {
        good = json_is_string(json_array_get(*holder, i));
    }
    if (status == STOA_ERR_MEMORY) {
        return status;
    }
    if (!good) {
        return fail_fact(facts, key, "an array of JSON with a name for each");
    }
    *list = malloc((*count + 1) * sizeof **list);
    for (size_t i = 0; *list && i < *count; i++) {
        (*list)[i] = json_string_value(json_array_get(*holder, i));
    }
    return *list ? STOA_OK : fail_memory(facts->context, key);
}

static stoa_status read_names(struct stoa_data_facts *facts) {
    stoa_data_options *options = &facts->source.options;
    size_t names = 0;
    stoa_status status =
        read_texts(facts, "data.names", options->classes, &facts->names, &facts->name_of_a_class, &names);
    if (status == STOA_OK && facts->names && names != options->classes) {
        return fail_fact(facts, "data.names", "an array of JSON with a name for each class");
    }
    if (status == STOA_OK) {
        status = read_texts(facts, "data.columns", stoa_model_input_size(facts->model), &facts->columns,
                            &facts->name_of_a_column, &options->column_count);
    }
    options->names = facts->name_of_a_class;
    options->name_count = names;
    options->columns = facts->name_of_a_column;
    return status;
}

stoa_status stoa_data_facts_read(stoa_context *context, const stoa_model *model,
                                 struct stoa_data_facts *facts) {
    *facts = (struct stoa_data_facts){.context = context, .model = model};
    stoa_status status = read_keys(facts);
    if (status == STOA_OK) {
        status = read_names(facts);
    }
    if (status == STOA_OK) {
        status = stoa_table_facts_read(facts);
    }
    if (status == STOA_OK) {
        status = read_scales(facts);
    }
    if (status == STOA_OK) {
        status = read_target_scales(facts);
    }
    if (status == STOA_OK) {
        status = stoa_range_read(facts);
    }
    if (status != STOA_OK) {
        stoa_data_facts_free(facts);
    }
    return status;
}

void stoa_data_facts_free(struct stoa_data_facts *facts) {
    free(facts->mean);
    free(facts->deviation);
    free(facts->range);
    free(facts->name_of_a_class);
    free(facts->name_of_a_column);
    free(facts->target_mean);
    free(facts->target_deviation);
    free(facts->column);
    free(facts->category);
    json_decref(facts->names);
    json_decref(facts->columns);
    json_decref(facts->table);
    *facts = (struct stoa_data_facts){.scales = 0};
}

/* ---- writing ---- */

/* As the shortest decimal that reads back as the same float; whole numbers in full, with ".0". */
static void write_number(float value, char out[32]) {
    if (value == truncf(value) && fabsf(value) < 1e10F) {
        (void)snprintf(out, 32, "%.0f.0", (double)value);
    } else {
        stoa_format_float(value, out);
    }
}

char *stoa_numbers_text(const float *list, size_t count, char separator) {
    enum { MOST = 32 };
    char *text = malloc(count * MOST + 1), *at = text;
    for (size_t i = 0; text && i < count; i++) {
        write_number(list[i], at);
        at += strlen(at);
        *at = i + 1 < count ? separator : '\0';
        at += i + 1 < count;
    }
    return text;
}

stoa_status stoa_data_facts_set_numbers(stoa_model *model, const char *key, const float *list, size_t count) {
    char *text = stoa_numbers_text(list, count, ' ');
    stoa_status status =
        text ? stoa_model_set_fact(model, key, text) : fail_memory(stoa_model_context(model), key);
    free(text);
    return status;
}

/* Text that is not UTF-8 would not be the same when it is read again: NULL, or with '?' for each byte that is
 * not ASCII. A lack of memory is NULL with errno ENOMEM. */
static json_t *make_text(const char *text, bool replaces) {
    errno = 0;
    json_t *value = json_string(text);
    if (value || errno == ENOMEM || !replaces) {
        return value;
    }
    char *ascii = strdup(text);
    for (char *at = ascii; at && *at; at++) {
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    value = ascii ? json_string(ascii) : NULL;
    free(ascii);
    errno = value ? 0 : ENOMEM;
    return value;
}

stoa_status stoa_data_facts_set_text(stoa_context *context, stoa_model *model, const char *key,
                                     const char *text, bool replaces) {
    json_t *value = make_text(text, replaces);
    if (!value) {
        return errno == ENOMEM ? fail_memory(context, key) : STOA_OK;
    }
    stoa_status status = stoa_model_set_fact(model, key, json_string_value(value));
    json_decref(value);
    return status;
}

stoa_status stoa_data_facts_set_names(stoa_context *context, stoa_model *model, const char *key,
                                      const stoa_dataset *data, size_t count,
                                      const char *(*name)(const stoa_dataset *, size_t), bool replaces) {
    json_t *names = json_array();
    bool good = names != NULL, memory = good;
    for (size_t i = 0; good && i < count; i++) {
        json_t *value = make_text(name(data, i), replaces);
        memory = value || errno != ENOMEM;
        good = value && stoa_json_append(names, value);
        memory = memory && (good || !value);
    }
    char *text = good ? stoa_json_print(names) : NULL;
    memory = memory && (text || !good);
    stoa_status status = text     ? stoa_model_set_fact(model, key, text)
                         : memory ? STOA_OK
                                  : fail_memory(context, key);
    free(text);
    json_decref(names);
    return status;
}
