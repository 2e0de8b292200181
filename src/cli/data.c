/* SPDX-License-Identifier: MIT */
/* Data from the command line's words and a model's facts, and what training lets the facts say. Floor 9:
 * public headers only. */
#include "cli/data.h"

#include <stdlib.h>
#include <string.h>

#include "cli/find.h"
#include "cli/range.h"
#include "cli/report.h"

/* One pair for everything, or one for each channel. */
static int check_scales(const struct cli_subject *subject, const struct cli_facts *facts, size_t channels) {
    if (facts->scales == 1 || facts->scales == channels) {
        return CLI_DONE;
    }
    return cli_fail(CLI_WRONG, "%s: data.mean has %zu numbers, expected 1 or %zu, the channels of the data",
                    subject->path, facts->scales, channels);
}

int cli_scale(const struct cli_subject *subject, const struct cli_facts *facts, float *values, size_t count) {
    size_t height, width, channels;
    stoa_model_input_shape(subject->model, &height, &width, &channels);
    int code =
        facts->measured
            ? cli_fail(CLI_WRONG, "%s: data.normalize is measured, but data.mean is missing", subject->path)
            : check_scales(subject, facts, channels);
    for (size_t i = 0; code == CLI_DONE && i < count * height * width * channels; i++) {
        size_t at = facts->scales == 1 ? 0 : i % channels;
        values[i] = (values[i] - facts->mean[at]) / facts->deviation[at];
    }
    return code;
}

/* `scale` stands before mean and deviation: (value * scale - mean) / deviation. */
static int normalize(const struct cli_subject *subject, const struct cli_facts *facts, float scale,
                     stoa_dataset *data) {
    size_t height, width, channels;
    stoa_dataset_shape(data, &height, &width, &channels);
    int code = check_scales(subject, facts, channels);
    if (code != CLI_DONE) {
        return code;
    }
    float *pairs = cli_allocate(2 * facts->scales, sizeof *pairs);
    for (size_t i = 0; i < facts->scales; i++) {
        pairs[i] = facts->mean[i] / scale;
        pairs[facts->scales + i] = facts->deviation[i] / scale;
    }
    stoa_status status = facts->scales == 1
                             ? stoa_dataset_normalize(data, pairs[0], pairs[1])
                             : stoa_dataset_normalize_channels(data, pairs, pairs + facts->scales);
    free(pairs);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* Numbers as text, whatever the locale; from malloc. */
static char *write_list(const float *list, size_t count, char separator) {
    json_t *array = cli_json_array();
    for (size_t i = 0; i < count; i++) {
        cli_json_append(array, cli_json_float(list[i]));
    }
    char *text = cli_json_line(array); /* "[1, 2]" */
    size_t used = 0;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == ',') {
            text[used++] = separator;
        } else if (strchr("[] ", text[i]) == NULL) {
            text[used++] = text[i];
        }
    }
    text[used] = '\0';
    json_decref(array);
    return text;
}

stoa_status cli_set_list(stoa_model *model, const char *key, const float *list, size_t count) {
    char *text = write_list(list, count, ' ');
    stoa_status status = stoa_model_set_fact(model, key, text);
    free(text);
    return status;
}

int cli_weigh_loss(const struct cli_subject *subject, const stoa_dataset *train, char **loss) {
    const char *plain = stoa_model_fact(subject->model, "loss");
    size_t classes = stoa_dataset_classes(train);
    float *weights = cli_allocate(classes, sizeof *weights);
    stoa_status status = stoa_dataset_class_weights(train, weights);
    if (status == STOA_OK) {
        char *list = write_list(weights, classes, ',');
        *loss = cli_text("%s weights=%s", plain, list);
        free(list);
        status = stoa_model_set_fact(subject->model, "loss", *loss);
    }
    free(weights);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* Measure on the training data; the result travels with the model from now on. */
static int measure(const struct cli_subject *subject, struct cli_facts *facts, const stoa_dataset *train) {
    size_t height, width;
    stoa_dataset_shape(train, &height, &width, &facts->scales);
    facts->mean = cli_allocate(facts->scales, sizeof *facts->mean);
    facts->deviation = cli_allocate(facts->scales, sizeof *facts->deviation);
    stoa_status status = stoa_dataset_measure(train, facts->mean, facts->deviation);
    if (status == STOA_OK) {
        status = cli_set_list(subject->model, "data.mean", facts->mean, facts->scales);
    }
    if (status == STOA_OK) {
        status = cli_set_list(subject->model, "data.deviation", facts->deviation, facts->scales);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* Names of classes or columns as a fact. Names that are no UTF-8 would not be the same when they are read
 * again; those of columns can be left out then. */
static int keep_texts(const struct cli_subject *subject, const char *key, const stoa_dataset *data,
                      size_t count, const char *(*name)(const stoa_dataset *, size_t)) {
    json_t *names = cli_json_array();
    for (size_t i = 0; i < count; i++) {
        cli_json_append(names, cli_json_text(name(data, i)));
    }
    char *text = cli_json_line(names);
    stoa_status status = stoa_model_set_fact(subject->model, key, text);
    free(text);
    json_decref(names);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* Names of the classes, for models that have none yet. */
static int keep_names(const struct cli_subject *subject, const stoa_dataset *data) {
    if (!stoa_dataset_class_name(data, 0) || stoa_model_fact(subject->model, "data.names")) {
        return CLI_DONE;
    }
    return keep_texts(subject, "data.names", data, stoa_dataset_classes(data), stoa_dataset_class_name);
}

/* Names of a table's columns, so that others are read by them. */
static int keep_columns(const struct cli_subject *subject, const stoa_dataset *train) {
    size_t count = 0;
    const char *name, *label = stoa_dataset_label_name(train);
    for (; (name = stoa_dataset_column_name(train, count)) != NULL; count++) {
        if (!cli_json_is_text(name)) {
            return CLI_DONE;
        }
    }
    int code =
        count > 0 ? keep_texts(subject, "data.columns", train, count, stoa_dataset_column_name) : CLI_DONE;
    if (code == CLI_DONE && count > 0 && label && cli_json_is_text(label) &&
        stoa_model_set_fact(subject->model, "data.label_column", label) != STOA_OK) {
        code = cli_fail_library(subject->context, STOA_ERR_MEMORY);
    }
    return code;
}

static int keep_format(const struct cli_subject *subject, const stoa_dataset *train) {
    stoa_status status = stoa_model_set_fact(subject->model, "data.format", stoa_dataset_format(train));
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* The path as it was given: the same command in the same folder means the same data. */
static int keep_path(const struct cli_subject *subject, const char *path) {
    json_t *text = cli_json_text(path);
    stoa_status status = stoa_model_set_fact(subject->model, "data.path", json_string_value(text));
    json_decref(text);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* Bring both parts into the form that the model wants. `path` is where they came from. */
static int prepare(const struct cli_subject *subject, struct cli_facts *facts, const char *path, bool trains,
                   stoa_dataset *train, stoa_dataset *test) {
    float scale = 1;
    int code = keep_names(subject, test);
    if (code == CLI_DONE && trains) {
        code = keep_format(subject, train);
    }
    if (code == CLI_DONE && trains) {
        code = keep_columns(subject, train);
    }
    if (code == CLI_DONE && trains) {
        code = cli_keep_range(subject, train);
    }
    if (code == CLI_DONE && trains) {
        code = cli_read_range(subject, facts);
    }
    if (code == CLI_DONE && trains) {
        cli_note_scales(subject, facts);
    }
    if (code == CLI_DONE) {
        code = cli_value_scale(subject, facts, path, test, &scale);
    }
    if (code == CLI_DONE && facts->measured) {
        code = measure(subject, facts, train);
    }
    if (code == CLI_DONE && train) {
        code = normalize(subject, facts, 1, train);
    }
    return code == CLI_DONE ? normalize(subject, facts, scale, test) : code;
}

/* Both parts, or what is measured on the one and all samples as the other. */
static int load(const struct cli_subject *subject, struct cli_facts *facts, const char *path, bool all,
                bool trains, stoa_dataset **learn, stoa_dataset **check) {
    bool learns = trains || facts->measured;
    stoa_status status = STOA_OK;
    if (all && learns) {
        status = stoa_dataset_load(subject->context, path, &facts->options, learn, NULL);
    }
    if (status == STOA_OK) {
        facts->options.whole = all;
        status =
            stoa_dataset_load(subject->context, path, &facts->options, learns && !all ? learn : NULL, check);
    }
    return status == STOA_OK ? prepare(subject, facts, path, trains, *learn, *check)
                             : cli_fail_library(subject->context, status);
}

/* Where data are: at the path on the command line, else where the model was trained, else where sets lie.
 * From malloc; NULL with the sentence out. */
static char *find_data(const struct cli_subject *subject, const struct cli_facts *facts, const char *path) {
    const char *trained = facts->path;
    if (path) {
        return cli_text("%s", path); /* only a name from a recipe is searched for */
    }
    if (trained && !cli_is_file(trained) && !cli_is_folder(trained) && strcmp(trained, "digits") != 0) {
        (void)cli_fail(CLI_WRONG, "%s: was trained on %s, which is not there: expected --data PATH",
                       subject->path, trained);
        return NULL;
    }
    if (!trained && (!facts->set || !*facts->set)) {
        (void)cli_fail(CLI_WRONG, "%s: names no data set, expected --data PATH", subject->path);
        return NULL;
    }
    return trained ? cli_text("%s", trained) : cli_find_data(facts->set);
}

int cli_open_data(const struct cli_subject *subject, const char *path, bool all, stoa_dataset **train,
                  stoa_dataset **test, char **from) {
    struct cli_facts facts;
    stoa_dataset *learn = NULL, *check = NULL;
    int code = cli_read_facts(subject, &facts);
    if (code != CLI_DONE) {
        return code;
    }
    char *found = find_data(subject, &facts, path);
    code = found ? CLI_DONE : CLI_WRONG;
    if (code == CLI_DONE) {
        code = load(subject, &facts, found, all, train != NULL, &learn, &check);
    }
    if (code == CLI_DONE && train) {
        code = path ? keep_path(subject, path) : CLI_DONE;
    }
    if (code == CLI_DONE) {
        *test = check;
        check = NULL;
    }
    if (code == CLI_DONE && train) {
        *train = learn;
        learn = NULL;
    }
    if (code == CLI_DONE && from) {
        *from = found;
        found = NULL;
    }
    stoa_dataset_free(learn);
    stoa_dataset_free(check);
    free(found);
    cli_free_facts(&facts);
    return code;
}
