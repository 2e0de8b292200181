/* SPDX-License-Identifier: MIT */
/* What a run says of itself: see run_record.h. Public headers only. */
#include "cli/run_record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stoa/blas.h>
#include <stoa/version.h>

#include "cli/data_record.h"
#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_files.h"
#include "cli/summary.h"
#include "cli/whole_file.h"
#include "cli/words.h"

#define HEAD "# The recipe of this run with all that was said beside it:"

/* ---- the recipe ---- */

static void add_keys(json_t *settings, const stoa_recipe *recipe) {
    stoa_recipe_key key;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        if (*key.section) {
            char *name = cli_text("%s.%s", key.section, key.name);
            cli_json_set(settings, name, cli_json_text(stoa_recipe_value(recipe, &key, NULL)));
            free(name);
        }
    }
}

/* Layers by the names that --set gives them. */
static void add_layers(json_t *settings, const stoa_model *model) {
    size_t shape[3];
    stoa_layer_info layer;
    struct report_words words = {""};
    stoa_model_input_shape(model, &shape[0], &shape[1], &shape[2]);
    cli_json_set(settings, "model.input", cli_json_text(report_shape_words(&words, shape, 3)));
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        if (stoa_model_layer(model, i, &layer) == STOA_OK) {
            char *name = cli_text("model.%s", layer.name);
            char *line = cli_text("%s%s%s", layer.op, *layer.options ? " " : "", layer.options);
            cli_json_set(settings, name, cli_json_text(line));
            free(name);
            free(line);
        }
    }
}

stoa_recipe *cli_record_recipe(stoa_context *context, const stoa_model *model) {
    const char *text = stoa_model_fact(model, "recipe.text");
    stoa_recipe *recipe = NULL;
    stoa_status status = text ? stoa_recipe_load_memory(context, "recipe.text", text, strlen(text), &recipe)
                              : STOA_ERR_NOT_FOUND;
    if (status == STOA_ERR_MEMORY) {
        cli_out_of_memory();
    }
    return status == STOA_OK ? recipe : NULL;
}

json_t *cli_record_settings(stoa_context *context, const stoa_model *model) {
    json_t *settings = cli_json_object();
    stoa_recipe *recipe = cli_record_recipe(context, model);
    add_layers(settings, model);
    if (recipe) {
        add_keys(settings, recipe);
        stoa_recipe_free(recipe);
    }
    return settings;
}

/* ---- the run ---- */

static json_t *fingerprint_of(const stoa_context *context) {
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    json_t *fingerprint = cli_json_object();
    char *tuning = cli_text("%s %s", stoa_context_tuning(context), stoa_context_tuning_sum(context));
    cli_json_set(fingerprint, "version", cli_json_text(stoa_version()));
    cli_json_set(fingerprint, "isa", cli_json_text(stoa_isa_name(stoa_context_isa(context))));
    cli_json_set(fingerprint, "blas", cli_json_text(blas.name));
    cli_json_set(fingerprint, "blas_version", cli_json_text(blas.version));
    cli_json_set(fingerprint, "blas_core", cli_json_text(blas.core));
    cli_json_set(fingerprint, "policy", cli_json_text(stoa_policy_name(stoa_context_policy(context))));
    cli_json_set(fingerprint, "tuning", cli_json_text(tuning));
    free(tuning);
    return fingerprint;
}

static void set_absolute(json_t *object, const char *key, const char *path) {
    char *absolute = cli_absolute(path);
    cli_json_set(object, key, cli_json_text(absolute));
    free(absolute);
}

static json_t *begin_of(void) {
    json_t *json = cli_json_object();
    char *folder = cli_absolute("");
    cli_json_set(json, "version", cli_json_count(CLI_RECORD_VERSION));
    cli_json_set(json, "command", cli_words_typed());
    cli_json_set(json, "directory", cli_json_text(folder));
    cli_json_set(json, "started", cli_json_count((size_t)time(NULL)));
    cli_json_set(json, "state", cli_json_text("running"));
    free(folder);
    return json;
}

/* A run that goes on keeps how it was begun, and adds how it was continued. */
static json_t *continue_of(const struct cli_record_begin *begin) {
    static const char *const kept[] = {"command", "directory", "started", "recipe_file", "init", "resumed"};
    json_t *json = begin_of(), *older = cli_record_read(begin->folder);
    json_t *again = cli_json_object(), *resumed;
    cli_json_set(again, "command", json_incref(json_object_get(json, "command")));
    cli_json_set(again, "started", json_incref(json_object_get(json, "started")));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        json_t *value = json_object_get(older, kept[i]);
        if (value) {
            cli_json_set(json, kept[i], json_incref(value));
        }
    }
    resumed = json_object_get(json, "resumed");
    if (!json_is_array(resumed)) {
        resumed = cli_json_array();
        cli_json_set(json, "resumed", resumed);
    }
    cli_json_append(resumed, again);
    json_decref(older);
    return json;
}

int cli_record_open(struct cli_record *record, const struct cli_record_begin *begin) {
    const struct cli_subject *subject = begin->subject;
    json_t *data = NULL;
    *record = (struct cli_record){.json = begin->resumed ? continue_of(begin) : begin_of()};
    json_t *json = record->json;
    cli_json_set(json, "recipe", cli_json_text(begin->setup->name));
    if (!begin->resumed) {
        set_absolute(json, "recipe_file", subject->path);
    }
    cli_json_set(json, "parameters", cli_json_count(stoa_model_parameter_count(subject->model)));
    cli_json_set(json, "epochs",
                 cli_json_count(begin->setup->options.epochs ? begin->setup->options.epochs : 1));
    cli_json_set(json, "threads", cli_json_count(stoa_context_threads(subject->context)));
    cli_json_set(json, "settings", cli_record_settings(subject->context, subject->model));
    cli_json_set(json, "fingerprint", fingerprint_of(subject->context));
    if (begin->setup->init) {
        cli_json_set(json, "init", json_incref(begin->setup->init));
    }
    int code = cli_data_record(subject, begin->train, begin->test, begin->data, &data);
    if (code == CLI_DONE) {
        cli_json_set(json, "data", data);
    }
    record->recipe = cli_recipe_in_force(subject->recipe);
    return code;
}

void cli_record_free(struct cli_record *record) {
    json_decref(record->json);
    free(record->recipe);
    *record = (struct cli_record){.json = NULL};
}

/* ---- what it has reached ---- */

/* Facts by the names of the metrics: "train.test_accuracy". A number that is not finite has none. */
static stoa_status set_figure(stoa_model *model, const char *key, double value) {
    char name[64], text[32];
    (void)snprintf(name, sizeof name, "train.%s", key);
    (void)snprintf(text, sizeof text, "%.10g", value);
    return stoa_model_set_fact(model, name, isfinite(value) ? text : NULL);
}

/* An evaluation that has seen no sample, which is none, holds no number that is meant. */
static double figure_of(const stoa_evaluation *of, double value) {
    return of->samples > 0 ? value : (double)NAN;
}

stoa_status cli_record_figures(stoa_model *model, const stoa_progress *progress) {
    const stoa_evaluation *test = &progress->test, *validation = &progress->validation;
    const double values[REPORT_LEARNING_RATE] = {
        [REPORT_TRAIN_LOSS] = progress->train_loss,
        [REPORT_TRAIN_ACCURACY] = progress->train_accuracy,
        [REPORT_VALIDATION_LOSS] = progress->validation_loss,
        [REPORT_VALIDATION_ACCURACY] = progress->validation_accuracy,
        [REPORT_VALIDATION_RMSE] = figure_of(validation, validation->rmse),
        [REPORT_VALIDATION_MAE] = figure_of(validation, validation->mae),
        [REPORT_VALIDATION_R2] = figure_of(validation, validation->r2),
        [REPORT_VALIDATION_F1] = figure_of(validation, validation->f1),
        [REPORT_VALIDATION_MACRO_F1] = figure_of(validation, validation->macro_f1),
        [REPORT_VALIDATION_AVERAGE_PRECISION] = figure_of(validation, validation->average_precision),
        [REPORT_TEST_LOSS] = progress->test_loss,
        [REPORT_TEST_ACCURACY] = progress->test_accuracy,
        [REPORT_TEST_RMSE] = figure_of(test, test->rmse),
        [REPORT_TEST_MAE] = figure_of(test, test->mae),
        [REPORT_TEST_R2] = figure_of(test, test->r2),
        [REPORT_TEST_F1] = figure_of(test, test->f1),
        [REPORT_TEST_MACRO_F1] = figure_of(test, test->macro_f1),
        [REPORT_TEST_AVERAGE_PRECISION] = figure_of(test, test->average_precision),
    };
    stoa_status status = STOA_OK;
    for (size_t i = REPORT_TRAIN_LOSS; status == STOA_OK && i < REPORT_LEARNING_RATE; i++) {
        status = set_figure(model, report_metric_key[i], values[i]);
    }
    return status;
}

stoa_status cli_record_older_figures(stoa_model *model, const char *folder, size_t epoch) {
    struct report_run run;
    char sentence[CLI_SUMMARY_SENTENCE];
    stoa_status status = STOA_OK;
    if (!cli_summary_read(folder, &run, sentence)) {
        if (run.no_memory) {
            cli_out_of_memory();
        }
        return status;
    }
    for (size_t at = 0; at < run.epochs; at++) {
        bool wanted = (size_t)run.value[REPORT_EPOCH][at] == epoch;
        for (size_t i = REPORT_TRAIN_LOSS; wanted && status == STOA_OK && i < REPORT_LEARNING_RATE; i++) {
            status = set_figure(model, report_metric_key[i], run.value[i][at]);
        }
    }
    report_run_free(&run);
    return status;
}

/* ---- the files ---- */

/* The head of recipe.ini: how to train it again, as a comment. */
static char *recipe_text(const struct cli_record *record, const char *folder) {
    const json_t *data = json_object_get(record->json, "data");
    const char *path = json_string_value(json_object_get(data, "path"));
    const char *from = json_string_value(json_object_get(json_object_get(record->json, "init"), "from"));
    bool named = json_is_true(json_object_get(data, "named")); /* the recipe's own set is found again */
    char *recipe = cli_text("%s/" CLI_RUN_RECIPE, folder), *absolute = cli_absolute(recipe);
    char *word = cli_shell_word(absolute), *place = cli_shell_word(path ? path : "");
    char *init = cli_shell_word(from ? from : "");
    char *text =
        cli_text(HEAD "\n# stoa train %s%s%s%s%s\n%s", word, path && !named ? " --data " : "",
                 path && !named ? place : "", from ? " --init " : "", from ? init : "", record->recipe);
    free(recipe);
    free(absolute);
    free(word);
    free(place);
    free(init);
    return text;
}

static int write_text(const char *folder, const char *name, const char *text) {
    char *path = cli_text("%s/%s", folder, name);
    int code = cli_write_whole(path, text, strlen(text));
    free(path);
    return code;
}

static void add_figures(json_t *json, const char *folder) {
    struct report_run run;
    char sentence[CLI_SUMMARY_SENTENCE];
    if (!cli_summary_read(folder, &run, sentence)) {
        if (run.no_memory) {
            cli_out_of_memory();
        }
        return;
    }
    double seconds = report_run_sum(&run, REPORT_SECONDS);
    cli_json_set(json, "last", cli_summary_figures(&run, run.epochs - 1));
    if (run.best > 0) {
        cli_json_set(json, "best", cli_summary_figures(&run, run.best - 1));
    }
    cli_json_set(json, "training_seconds", cli_json_number(seconds));
    report_run_free(&run);
}

int cli_record_write(struct cli_record *record, const char *folder, const char *state) {
    bool runs = strcmp(state, "running") == 0;
    cli_json_set(record->json, "state", cli_json_text(state));
    if (!runs) {
        cli_json_set(record->json, "ended", cli_json_count((size_t)time(NULL)));
        add_figures(record->json, folder);
    }
    char *indented = cli_json_indented(record->json), *text = cli_text("%s\n", indented);
    char *recipe = recipe_text(record, folder);
    int code = write_text(folder, CLI_RUN_RECIPE, recipe);
    code = code == CLI_DONE ? write_text(folder, CLI_RUN_RECORD, text) : code;
    record->written = code == CLI_DONE;
    free(recipe);
    free(text);
    free(indented);
    return code;
}

int cli_record_check(const char *folder) {
    static const char *const names[] = {CLI_RUN_RECIPE, CLI_RUN_RECORD};
    json_t *record = cli_record_read(folder);
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < 2; i++) {
        char *path = cli_text("%s/%s", folder, names[i]);
        /* What a run has written may be replaced; a file that is called so by chance is somebody's work. */
        code = cli_check_replaceable(path, HEAD, record && i == 1);
        free(path);
    }
    json_decref(record);
    return code;
}
