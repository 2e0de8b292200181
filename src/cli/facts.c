/* SPDX-License-Identifier: MIT */
/* What a model says of its data: reading its facts. They are text: lists of numbers are separated by spaces,
 * names are an array of JSON. Floor 9: public headers only. */
#include "cli/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
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
int cli_read_range(const struct cli_subject *subject, struct cli_facts *facts) {
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

/* Read an array of `most` texts or fewer; NULL where the fact is missing. The texts are `*holder`'s. */
static int read_texts(const struct cli_subject *subject, const char *key, size_t most, json_t **holder,
                      const char ***list, size_t *count) {
    const char *text = stoa_model_fact(subject->model, key);
    if (!text) {
        return CLI_DONE;
    }
    *holder = cli_json_texts(text, most);
    *count = json_array_size(*holder); /* 0 for NULL */
    *list = cli_allocate(*count + 1, sizeof **list);
    for (size_t i = 0; i < *count; i++) {
        (*list)[i] = json_string_value(json_array_get(*holder, i));
    }
    return *count > 0 ? CLI_DONE : fail_fact(subject, key, "an array of JSON with a name for each");
}

static int read_names(const struct cli_subject *subject, struct cli_facts *facts) {
    stoa_data_options *options = &facts->options;
    size_t names = options->classes;
    int code = read_texts(subject, "data.names", names, &facts->names, &facts->name_of_a_class, &names);
    if (code == CLI_DONE && names != options->classes) {
        return fail_fact(subject, "data.names", "an array of JSON with a name for each class");
    }
    if (code == CLI_DONE) {
        code = read_texts(subject, "data.columns", stoa_model_input_size(subject->model), &facts->columns,
                          &facts->name_of_a_column, &options->column_count);
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
        options->memory = memory < (double)SIZE_MAX ? (size_t)memory : SIZE_MAX;
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
        code = cli_read_range(subject, facts);
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
