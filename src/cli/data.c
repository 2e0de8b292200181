/* Data from the command line's words and a model's facts. Facts are text: lists of numbers are separated by spaces,
 * names of classes are an array of JSON. Floor 9: public headers only. */
#include "cli/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/find.h"
#include "cli/range.h"
#include "cli/report.h"

static int fail_fact(const struct cli_subject *subject, const char *key, const char *expected) {
    return cli_fail(CLI_WRONG, "%s: %s: found '%.80s', expected %s", subject->path, key,
                    stoa_model_fact(subject->model, key), expected);
}

/* Read a number that travels with the model; without one `value` stays. */
static int read_number(const struct cli_subject *subject, const char *key, double lowest, double highest,
                       double *value) {
    const char *text = stoa_model_fact(subject->model, key);
    if (!text || cli_read_number(text, lowest, highest, value)) {
        return CLI_DONE;
    }
    char expected[80];
    (void)snprintf(expected, sizeof expected, "a number from %.7g to %.7g", lowest, highest);
    return fail_fact(subject, key, expected);
}

/* Read a list of numbers; NULL where the fact is missing. */
static int read_list(const struct cli_subject *subject, const char *key, double lowest, float **list,
                     size_t *count) {
    const char *text = stoa_model_fact(subject->model, key);
    *list = NULL;
    *count = 0;
    if (!text) {
        return CLI_DONE;
    }
    *list = cli_allocate(strlen(text) / 2 + 1, sizeof **list);
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, " ");
        char *word = cli_text("%.*s", (int)length, at);
        double value = 0;
        bool good = cli_read_number(word, lowest, 1e30, &value);
        free(word);
        if (!good) {
            return fail_fact(subject, key,
                             lowest > 0 ? "numbers above 0, separated by spaces"
                                        : "numbers, separated by spaces");
        }
        (*list)[(*count)++] = (float)value;
        at += length + (at[length] == ' ');
    }
    return *count > 0 ? CLI_DONE : fail_fact(subject, key, "numbers, separated by spaces");
}

static int read_scales(const struct cli_subject *subject, struct cli_facts *facts) {
    size_t deviations = 0;
    const char *normalize = stoa_model_fact(subject->model, "data.normalize");
    int code = read_list(subject, "data.mean", -1e30, &facts->mean, &facts->scales);
    if (code == CLI_DONE) {
        code = read_list(subject, "data.deviation", 1e-30, &facts->deviation, &deviations);
    }
    if (code == CLI_DONE && facts->scales != deviations) {
        code = cli_fail(CLI_WRONG, "%s: data.mean has %zu numbers, data.deviation %zu, expected as many",
                        subject->path, facts->scales, deviations);
    }
    facts->measured = !facts->mean && normalize && strcmp(normalize, "measured") == 0;
    if (code == CLI_DONE && !facts->mean && !facts->measured) {
        facts->scales = 1;
        facts->mean = cli_allocate(1, sizeof *facts->mean);
        facts->deviation = cli_allocate(1, sizeof *facts->deviation);
        *facts->mean = 0;
        *facts->deviation = 1;
    }
    return code;
}

/* What the training data were like; models of earlier versions say only what kind they were. */
static int read_range(const struct cli_subject *subject, struct cli_facts *facts) {
    static const char *const bytes[] = {"idx", "pictures", "digits"};
    const char *format = stoa_model_fact(subject->model, "data.format");
    size_t count = 0;
    double white = 0;
    int code = read_list(subject, "data.range", -1e30, &facts->range, &count);
    if (code == CLI_DONE && facts->range && count != 2) {
        return fail_fact(subject, "data.range", "two numbers, separated by a space");
    }
    for (size_t i = 0; format && !facts->range && i < sizeof bytes / sizeof bytes[0]; i++) {
        white = strcmp(format, bytes[i]) == 0 ? 1 : white;
    }
    if (code == CLI_DONE) {
        code = read_number(subject, "data.white", 1e-30, 1e30, &white);
        facts->white = (float)white;
    }
    return code;
}

/* Read an array of texts; NULL where the fact is missing. The texts are `*holder`'s. */
static int read_texts(const struct cli_subject *subject, const char *key, json_t **holder, const char ***list,
                      size_t *count) {
    const char *text = stoa_model_fact(subject->model, key);
    if (!text) {
        return CLI_DONE;
    }
    cli_json_begin_reading();
    *holder = json_loads(text, 0, NULL);
    cli_json_end_reading();
    *count = json_array_size(*holder); /* 0 for anything but an array */
    *list = cli_allocate(*count + 1, sizeof **list);
    for (size_t i = 0; i < *count; i++) {
        (*list)[i] = json_string_value(json_array_get(*holder, i));
        *count = (*list)[i] ? *count : 0;
    }
    return *count > 0 ? CLI_DONE : fail_fact(subject, key, "an array of JSON with a name for each");
}

static int read_names(const struct cli_subject *subject, struct cli_facts *facts) {
    stoa_data_options *options = &facts->options;
    size_t names = options->classes;
    int code = read_texts(subject, "data.names", &facts->names, &facts->name_of_a_class, &names);
    if (code == CLI_DONE && names != options->classes) {
        return fail_fact(subject, "data.names", "an array of JSON with a name for each class");
    }
    if (code == CLI_DONE) {
        code = read_texts(subject, "data.columns", &facts->columns, &facts->name_of_a_column,
                          &options->column_count);
    }
    options->names = facts->name_of_a_class;
    options->name_count = options->names ? names : 0;
    options->columns = facts->name_of_a_column;
    options->label_column = stoa_model_fact(subject->model, "data.label_column");
    return code;
}

/* One of three words, which stand for 0, 1 and 2. */
static int read_word(const struct cli_subject *subject, const char *key, const char *const words[3],
                     const char *expected, int *number) {
    const char *text = stoa_model_fact(subject->model, key);
    for (int i = 0; text && i < 3; i++) {
        if (strcmp(text, words[i]) == 0) {
            *number = i;
            return CLI_DONE;
        }
    }
    return text ? fail_fact(subject, key, expected) : CLI_DONE;
}

static const char *const layouts[] = {"auto", "nhwc", "nchw"};

static int read_words(const struct cli_subject *subject, stoa_data_options *options) {
    static const char *const headers[] = {"auto", "yes", "no"};
    int header = 0, layout = 0;
    int code = read_word(subject, "data.header", headers, "auto, yes or no", &header);
    if (code == CLI_DONE) {
        code = read_word(subject, "data.layout", layouts, "auto, nhwc or nchw", &layout);
    }
    options->header = (stoa_header)header;
    options->layout = (stoa_layout)layout;
    return code;
}

int cli_choose_layout(const struct cli_request *request, const struct cli_subject *subject) {
    bool known = request->layout == NULL;
    for (size_t i = 0; request->layout && i < 3; i++) {
        known = known || strcmp(request->layout, layouts[i]) == 0;
    }
    if (!known) {
        return cli_fail(CLI_WRONG, "--layout: found '%s', expected auto, nhwc or nchw", request->layout);
    }
    stoa_status status =
        request->layout ? stoa_model_set_fact(subject->model, "data.layout", request->layout) : STOA_OK;
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

int cli_read_facts(const struct cli_subject *subject, struct cli_facts *facts) {
    double classes = (double)stoa_model_output_size(subject->model), test = 0, samples = 0, memory = 0;
    const char *seed = stoa_model_fact(subject->model, "data.split_seed");
    *facts = (struct cli_facts){.set = stoa_model_fact(subject->model, "data.set"),
                                .path = stoa_model_fact(subject->model, "data.path")};
    stoa_data_options *options = &facts->options;
    stoa_model_input_shape(subject->model, &options->height, &options->width, &options->channels);
    options->label = stoa_model_fact(subject->model, "data.label");
    int code = read_number(subject, "data.classes", 1, 1e9, &classes);
    options->classes = (size_t)classes;
    if (code == CLI_DONE) {
        code = read_number(subject, "data.test", 0, 0.9999, &test);
        options->test = (float)test;
    }
    if (code == CLI_DONE) {
        code = read_number(subject, "data.samples", 0, 1e9, &samples);
        options->samples = (size_t)samples;
    }
    if (code == CLI_DONE) {
        code = read_number(subject, "data.memory", 0, 1e18, &memory);
        options->memory = (size_t)memory;
    }
    if (code == CLI_DONE && seed && !cli_read_count(seed, 0, UINT64_MAX, &options->seed)) {
        code = fail_fact(subject, "data.split_seed", "a whole number from 0");
    }
    if (code == CLI_DONE) {
        code = read_words(subject, options);
    }
    if (code == CLI_DONE) {
        code = read_names(subject, facts);
    }
    if (code == CLI_DONE) {
        code = read_scales(subject, facts);
    }
    if (code == CLI_DONE) {
        code = read_range(subject, facts);
    }
    if (code != CLI_DONE) {
        cli_free_facts(facts);
    }
    return code;
}

void cli_free_facts(struct cli_facts *facts) {
    free(facts->mean);
    free(facts->deviation);
    free(facts->range);
    free(facts->name_of_a_class);
    free(facts->name_of_a_column);
    json_decref(facts->names);
    json_decref(facts->columns);
    *facts = (struct cli_facts){.set = NULL};
}

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

/* Names of classes or columns as a fact. Names that are no UTF-8 would not be the same when they are read again; those
 * of columns can be left out then. */
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
        code = read_range(subject, facts);
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

/* Where data are: at the path on the command line, else where the model was trained, else where sets lie. From malloc;
 * NULL with the sentence out. */
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
