/* SPDX-License-Identifier: MIT */
/* Where a model's data are: on the command line, in its facts, or where data sets lie. Public headers
 * only. */
#include "cli/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_said.h"
#include "cli/words.h"

stoa_status cli_set_text(stoa_model *model, const char *key, const char *value) {
    json_t *text = value ? cli_json_text(value) : NULL;
    stoa_status status = stoa_model_set_fact(model, key, json_string_value(text));
    json_decref(text);
    return status;
}

/* Let an option stand in for a fact of the model; `words` are what it takes, the last NULL. */
static int choose(const struct cli_subject *subject, const char *option, const char *value,
                  const char *const *words) {
    char expected[64] = "", fact[32];
    size_t used = 0;
    bool known = value == NULL;
    for (size_t i = 0; words[i]; i++) {
        const char *between = i == 0 ? "" : words[i + 1] ? ", " : " or ";
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s", between, words[i]);
        known = known || strcmp(value, words[i]) == 0;
    }
    if (!known) {
        return cli_fail(CLI_WRONG, "--%s: found '%s', expected %s", option, value, expected);
    }
    (void)snprintf(fact, sizeof fact, "data.%s", option);
    stoa_status status = value ? stoa_model_set_fact(subject->model, fact, value) : STOA_OK;
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

int cli_choose_reading(const struct cli_request *request, const struct cli_subject *subject) {
    static const char *const layouts[] = {"auto", "nhwc", "nchw", NULL};
    static const char *const sizes[] = {"none", "fit", "crop", "stretch", NULL};
    int code = choose(subject, "layout", request->layout, layouts);
    return code == CLI_DONE ? choose(subject, "resize", request->resize, sizes) : code;
}

int cli_fail_reading(const struct cli_subject *subject, stoa_status status) {
    static const char key[] = "or resize = fit,";
    const char *sentence = stoa_context_error(subject->context), *at = strstr(sentence, key);
    return at ? cli_fail(cli_code_of(status), "%.*sor --resize fit,%s", (int)(at - sentence), sentence,
                         at + sizeof key - 1)
              : cli_fail_library(subject->context, status);
}

static bool is_there(const char *path) {
    return cli_is_file(path) || cli_is_folder(path);
}

bool cli_is_drawn(const char *path) {
    return strcmp(path, "digits") == 0 && !is_there(path);
}

char *cli_data_place(const char *path) {
    return cli_is_drawn(path) ? cli_text("%s", path) : cli_absolute(path);
}

/* Where the run whose model it is found its data by their name, if they are still there: from another folder
 * the name may find others, or none. From malloc, or NULL. */
static char *recorded_place(const struct cli_subject *subject) {
    char *folder = subject->recipe ? NULL : cli_run_of(subject->path);
    json_t *record = folder ? cli_record_read(folder) : NULL;
    const char *path = json_string_value(json_object_get(json_object_get(record, "data"), "path"));
    char *place = path && is_there(path) ? cli_text("%s", path) : NULL;
    json_decref(record);
    free(folder);
    return place;
}

/* From malloc; NULL with the sentence out. */
static char *find_data(const struct cli_subject *subject, const char *path) {
    const char *trained = stoa_model_fact(subject->model, "data.path");
    const char *set = stoa_model_fact(subject->model, "data.set");
    if (path) {
        return cli_text("%s", path); /* only a name from a recipe is searched for */
    }
    if (trained && !is_there(trained) && strcmp(trained, "digits") != 0) {
        (void)cli_fail(CLI_WRONG, "%s: was trained on %s, which is not there: expected --data PATH",
                       subject->path, trained);
        return NULL;
    }
    if (!trained && (!set || !*set)) {
        (void)cli_fail(CLI_WRONG, "%s: names no data set, expected --data PATH", subject->path);
        return NULL;
    }
    if (trained) {
        return cli_text("%s", trained);
    }
    char *recorded = recorded_place(subject), *found, sentence[1024];
    if (recorded) { /* what is found by the name here comes first, as it would without a run */
        cli_keep_sentences(sentence, sizeof sentence);
        found = cli_find_data(set);
        cli_keep_sentences(NULL, 0);
        if (!found) {
            return recorded;
        }
        free(recorded);
        return found;
    }
    return cli_find_data(set);
}

int cli_open_data(const struct cli_subject *subject, const char *path, bool all, stoa_dataset **train,
                  stoa_dataset **test, char **from) {
    stoa_context *context = subject->context;
    stoa_model *model = subject->model;
    const char *trained = stoa_model_fact(model, "data.path");
    bool found_by_name = !path && !trained;
    char *found = find_data(subject, path);
    if (!found) {
        return CLI_WRONG;
    }
    stoa_status status = train ? stoa_model_open_training_data(context, model, found, train, test)
                               : stoa_model_open_data(context, model, found, all, test);
    if (status == STOA_OK && train) {
        /* A name is enough, and the same on every machine; a path has to hold from every folder. */
        char *place = found_by_name ? NULL : cli_data_place(found);
        status = cli_set_text(model, "data.path", place);
        free(place);
    }
    if (from && status == STOA_OK) {
        *from = found;
        return CLI_DONE;
    }
    free(found);
    return status == STOA_OK ? CLI_DONE : cli_fail_reading(subject, status);
}
