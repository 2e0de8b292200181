/* SPDX-License-Identifier: MIT */
/* How a model was trained: see info_run.h. Public headers only. */
#include "cli/info_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/report.h"
#include "cli/run_record.h"
#include "cli/table.h"
#include "cli/words.h"

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

/* "epoch 4: test 99.28 %, loss 0.0251" */
static void print_figures(const stoa_model *model) {
    static const char *const parts[] = {"test", "validation", "train"};
    const char *epoch = stoa_model_fact(model, "train.epoch");
    char *line = cli_text("epoch %s", epoch ? epoch : "?");
    bool any = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *accuracy = cli_text("train.%s_accuracy", parts[i]), *loss = cli_text("train.%s_loss", parts[i]);
        const char *share = stoa_model_fact(model, accuracy), *mean = stoa_model_fact(model, loss);
        struct report_words words = {""};
        if (share && mean) {
            char *longer = cli_text("%s%s %s %.2f %%, loss %s", line, any ? ";" : ":", parts[i],
                                    100 * strtod(share, NULL), cli_loss_words(&words, strtod(mean, NULL)));
            free(line);
            line = longer;
            any = true;
        } else if (mean) { /* of targets, which have no accuracy */
            char *longer = cli_text("%s%s %s loss %s", line, any ? ";" : ":", parts[i],
                                    cli_loss_words(&words, strtod(mean, NULL)));
            free(line);
            line = longer;
            any = true;
        }
        free(accuracy);
        free(loss);
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
