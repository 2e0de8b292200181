/* SPDX-License-Identifier: MIT */
/* How a model was trained: see info_run.h. Public headers only. */
#include "cli/info_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/report.h"
#include "cli/run_record.h"
#include "cli/table.h"
#include "cli/words.h"
#include "report/figure.h"

/* What run.json says of the run whose model this is; NULL: the file lies alone. */
static json_t *record_of(const struct cli_subject *subject) {
    char *folder = cli_run_of(subject->path);
    json_t *record = folder ? cli_record_read(folder) : NULL;
    free(folder);
    return record;
}

static void print_line(const char *name, const char *text) {
    cli_print("%-11s %s\n", name, text);
}

static void print_words(const char *name, const json_t *words) {
    if (json_array_size(words) > 0) {
        char *line = cli_words_line(words);
        print_line(name, line);
        free(line);
    }
}

/* "2026-11-30 14:55:26" in the local time, from seconds since 1970. */
static void print_time(const json_t *record) {
    time_t when = (time_t)json_integer_value(json_object_get(record, "started"));
    struct tm parts;
    char text[64] = "";
    if (when > 0 && localtime_r(&when, &parts) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) > 0) {
        double seconds = json_number_value(json_object_get(record, "training_seconds"));
        struct report_words words = {""};
        const char *state = json_string_value(json_object_get(record, "state"));
        long long threads = (long long)json_integer_value(json_object_get(record, "threads"));
        char *line =
            cli_text("%s, %s%s%s, %lld thread%s", text, state ? state : "", seconds > 0 ? " after " : "",
                     seconds > 0 ? report_time_words(&words, seconds) : "", threads, threads == 1 ? "" : "s");
        print_line("begun", line);
        free(line);
    }
}

static void print_command(const json_t *record) {
    const json_t *resumed = json_object_get(record, "resumed");
    print_words("command", json_object_get(record, "command"));
    for (size_t i = 0; i < json_array_size(resumed); i++) {
        print_words("continued", json_object_get(json_array_get(resumed, i), "command"));
    }
    print_time(record);
}

/* The keys that people ask for first, and all others that the recipe says. */
static void print_settings(const stoa_recipe *recipe) {
    static const char *const first[] = {"epochs", "batch", "lr", "optimizer", "schedule", "loss", "seed"};
    char *line = cli_text("%s", "");
    stoa_recipe_key key;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        bool said = false, wanted = false;
        const char *value = stoa_recipe_value(recipe, &key, &said);
        for (size_t k = 0; k < sizeof first / sizeof *first; k++) {
            wanted = wanted || strcmp(first[k], key.name) == 0;
        }
        if (strcmp(key.section, "train") == 0 && (wanted || said)) {
            char *longer = cli_text("%s%s%s %s", line, *line ? ", " : "", key.name, value);
            free(line);
            line = longer;
        }
    }
    print_line("training", line);
    free(line);
}

/* "digits, 9,600 training and 2,400 test samples, 10 classes" */
static void print_data(const struct cli_subject *subject) {
    const stoa_model *model = subject->model;
    const char *path = stoa_model_fact(model, "data.path"), *set = stoa_model_fact(model, "data.set");
    const char *parts = stoa_model_fact(model, "data.parts"), *sums = stoa_model_fact(model, "data.checksum");
    size_t train = 0, test = 0;
    if ((!path && !set) || !parts || sscanf(parts, "%zu %zu", &train, &test) != 2) {
        return;
    }
    struct report_words first = {""}, second = {""};
    const char *task = stoa_model_fact(model, "data.task");
    bool targets = stoa_model_fact(model, "data.target") || (task && strcmp(task, "classes") != 0);
    char *line = cli_text("%s, %s training and %s test samples, %zu %s%s%s", path ? path : set,
                          report_count_words(&first, train), report_count_words(&second, test),
                          stoa_model_output_size(model), targets ? "targets" : "classes",
                          sums ? ", checksums " : "", sums ? sums : "");
    print_line("data", line);
    free(line);
}

/* A figure that the model knows of itself; NAN: it does not. */
static double figure_of(const stoa_model *model, enum report_metric metric) {
    char *name = cli_text("train.%s", report_metric_key[metric]);
    const char *value = stoa_model_fact(model, name);
    free(name);
    return value ? strtod(value, NULL) : (double)NAN;
}

/* "epoch 4: test 99.28 %, loss 0.0251", "epoch 4: test rmse 2.31, loss 0.12" */
static void print_figures(const stoa_model *model) {
    static const struct {
        const char *name;
        enum report_metric loss;
        enum report_set set;
    } parts[] = {{"test", REPORT_TEST_LOSS, REPORT_OF_TEST},
                 {"validation", REPORT_VALIDATION_LOSS, REPORT_OF_VALIDATION},
                 {"train", REPORT_TRAIN_LOSS, REPORT_OF_TRAINING}};
    const char *epoch = stoa_model_fact(model, "train.epoch");
    double values[REPORT_METRICS];
    for (size_t i = 0; i < REPORT_METRICS; i++) {
        values[i] = i < REPORT_LEARNING_RATE ? figure_of(model, (enum report_metric)i) : (double)NAN;
    }
    char *line = cli_text("epoch %s", epoch ? epoch : "?");
    bool any = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct report_words words = {""}, loss = {""};
        const struct report_figure *figure = report_main_figure(values, parts[i].set);
        double value = values[figure->metric[parts[i].set]];
        if (isfinite(values[parts[i].loss])) {
            char *longer =
                cli_text("%s%s %s %s%sloss %s", line, any ? ";" : ":", parts[i].name,
                         isfinite(value) ? report_figure_named(&words, figure, value) : "",
                         isfinite(value) ? ", " : "", cli_loss_words(&loss, values[parts[i].loss]));
            free(line);
            line = longer;
            any = true;
        }
    }
    if (any) {
        print_line("reached", line);
    }
    free(line);
}

void cli_info_run_print(const struct cli_subject *subject) {
    json_t *record = record_of(subject);
    stoa_recipe *recipe = cli_record_recipe(subject->context, subject->model);
    print_command(record);
    print_data(subject);
    if (recipe) {
        print_settings(recipe);
        stoa_recipe_free(recipe);
    }
    print_figures(subject->model);
    json_decref(record);
}

void cli_info_run_json(const struct cli_subject *subject, json_t *report) {
    json_t *record = record_of(subject);
    cli_json_set(report, "settings", cli_record_settings(subject->context, subject->model));
    cli_json_set(report, "run", record ? record : json_null());
}
