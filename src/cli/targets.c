/* SPDX-License-Identifier: MIT */
/* Targets on a command line: their figures, and what a model says of them. Public headers only. */
#include "cli/targets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/figures.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

/* ---- as JSON ---- */

static void add_figure(json_t *line, const char *prefix, const char *name, double value) {
    char *key = cli_text("%s%s%s", prefix, *prefix ? "_" : "", name);
    if (isfinite(value)) {
        cli_json_set(line, key, cli_json_number(value));
    }
    free(key);
}

void cli_figures_add(json_t *line, const char *prefix, const stoa_evaluation *figures) {
    if (figures->samples == 0) {
        return;
    }
    add_figure(line, prefix, "rmse", figures->rmse);
    add_figure(line, prefix, "mae", figures->mae);
    add_figure(line, prefix, "r2", figures->r2);
    add_figure(line, prefix, "precision", figures->precision);
    add_figure(line, prefix, "recall", figures->recall);
    add_figure(line, prefix, "f1", figures->f1);
    add_figure(line, prefix, "macro_precision", figures->macro_precision);
    add_figure(line, prefix, "macro_recall", figures->macro_recall);
    add_figure(line, prefix, "macro_f1", figures->macro_f1);
    add_figure(line, prefix, "average_precision", figures->average_precision);
}

/* ---- eval ---- */

/* All that is known of a test set with targets. */
struct findings {
    const char *path;
    const stoa_dataset *data;
    stoa_evaluation all;
    stoa_target_figures *each;
    size_t targets;
    bool labels;
};

const char *cli_target_name(const stoa_dataset *data, size_t target, char number[32]) {
    const char *name = stoa_dataset_target_name(data, target);
    (void)snprintf(number, 32, "%zu", target);
    return name ? name : number;
}

static json_t *describe_target(const struct findings *found, size_t target) {
    const stoa_target_figures *figures = &found->each[target];
    const char *name = stoa_dataset_target_name(found->data, target);
    json_t *entry = cli_json_object();
    cli_json_set(entry, "target", cli_json_count(target));
    if (name) {
        cli_json_set(entry, "name", cli_json_text(name));
    }
    if (found->labels) {
        cli_json_set(entry, "positives", cli_json_count(figures->positives));
        cli_json_set(entry, "answered", cli_json_count(figures->answered));
        cli_json_set(entry, "hits", cli_json_count(figures->hits));
        cli_json_set(entry, "precision", cli_json_number(figures->precision));
        cli_json_set(entry, "recall", cli_json_number(figures->recall));
        cli_json_set(entry, "f1", cli_json_number(figures->f1));
        cli_json_set(entry, "average_precision", cli_json_number(figures->average_precision));
    } else {
        cli_json_set(entry, "rmse", cli_json_number(figures->rmse));
        cli_json_set(entry, "mae", cli_json_number(figures->mae));
        cli_json_set(entry, "r2", cli_json_number(figures->r2));
    }
    return entry;
}

static void print_json(const struct cli_subject *subject, const struct findings *found) {
    json_t *report = cli_json_object(), *targets = cli_json_array();
    cli_json_set(report, "model", cli_json_text(subject->path));
    cli_json_set(report, "data", cli_json_text(found->path));
    cli_json_set(report, "task", cli_json_text(found->labels ? "multilabel" : "regression"));
    cli_json_set(report, "samples", cli_json_count(found->all.samples));
    if (found->labels) {
        cli_json_set(report, "correct", cli_json_count(found->all.correct));
        cli_json_set(report, "accuracy", cli_json_number(found->all.accuracy));
    }
    cli_figures_add(report, "", &found->all);
    cli_json_set(report, "loss", cli_json_number(found->all.loss));
    cli_json_set(report, "seconds", cli_json_number(found->all.seconds));
    cli_json_set(report, "threads", cli_json_count(stoa_context_threads(subject->context)));
    for (size_t t = 0; t < found->targets; t++) {
        cli_json_append(targets, describe_target(found, t));
    }
    cli_json_set(report, "targets", targets);
    cli_json_print(report);
}

static void print_numbers(const struct findings *found) {
    struct cli_table table = {.columns = "lrrr"};
    char number[32];
    static const char *const heading[] = {"target", "rmse", "mae", "r2"};
    for (size_t i = 0; i < 4; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t t = 0; t < found->targets; t++) {
        cli_table_cell(&table, "%s", cli_target_name(found->data, t, number));
        cli_table_cell(&table, "%.4g", found->each[t].rmse);
        cli_table_cell(&table, "%.4g", found->each[t].mae);
        cli_table_cell(&table, "%.4f", found->each[t].r2);
    }
    cli_table_print(&table);
}

static void print_labels(const struct findings *found) {
    struct cli_table table = {.columns = "lrrrrr"};
    char number[32];
    static const char *const heading[] = {"label",  "samples", "precision",
                                          "recall", "f1",      "average precision"};
    for (size_t i = 0; i < 6; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t t = 0; t < found->targets; t++) {
        const stoa_target_figures *figures = &found->each[t];
        cli_table_cell(&table, "%s", cli_target_name(found->data, t, number));
        cli_table_cell(&table, "%zu", figures->positives);
        cli_table_cell(&table, "%.4f", figures->precision);
        cli_table_cell(&table, "%.4f", figures->recall);
        cli_table_cell(&table, "%.4f", figures->f1);
        if (isfinite(figures->average_precision)) {
            cli_table_cell(&table, "%.4f", figures->average_precision);
        } else {
            cli_table_cell(&table, "-");
        }
    }
    cli_table_print(&table);
}

static void print_text(const struct findings *found) {
    struct report_words right = {""}, samples = {""};
    const stoa_evaluation *all = &found->all;
    (void)report_count_words(&samples, all->samples);
    if (found->labels) {
        (void)printf("f1       %.4f over all labels (precision %.4f, recall %.4f)\n", all->f1, all->precision,
                     all->recall);
        (void)printf("macro f1 %.4f, mean over the labels (precision %.4f, recall %.4f)\n", all->macro_f1,
                     all->macro_precision, all->macro_recall);
        (void)printf("average precision %.4f, mean over the labels\n", all->average_precision);
        (void)printf("accuracy %.2f %% with all labels right (%s of %s)\n", 100 * all->accuracy,
                     report_count_words(&right, all->correct), samples.text);
    } else {
        (void)printf("rmse     %.6g\nmae      %.6g\nr2       %.4f\nsamples  %s\n", all->rmse, all->mae,
                     all->r2, samples.text);
    }
    (void)printf("loss     %.6f\nseconds  %.2f\n", all->loss, all->seconds);
    cli_print("data     %s\n\n", found->path);
    if (found->labels) {
        print_labels(found);
    } else {
        print_numbers(found);
    }
}

int cli_eval_targets(const struct cli_request *request, const struct cli_subject *subject, const char *path,
                     const stoa_dataset *data) {
    struct findings found = {.path = path,
                             .data = data,
                             .targets = stoa_dataset_targets(data),
                             .labels = stoa_dataset_task(data) == STOA_TASK_MULTILABEL};
    found.each = cli_allocate(found.targets, sizeof *found.each);
    stoa_status status =
        stoa_evaluate_targets(subject->context, subject->model, data, request->batch,
                              stoa_model_fact(subject->model, "loss"), found.each, &found.all);
    int code = status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
    if (code == CLI_DONE && request->json) {
        print_json(subject, &found);
    } else if (code == CLI_DONE) {
        print_text(&found);
    }
    free(found.each);
    return code;
}

/* ---- predict ---- */

stoa_task cli_task_of(const stoa_model *model) {
    const char *task = stoa_model_fact(model, "data.task");
    bool labels = task && strcmp(task, "multilabel") == 0, numbers = task && strcmp(task, "regression") == 0;
    return labels ? STOA_TASK_MULTILABEL : numbers ? STOA_TASK_REGRESSION : STOA_TASK_AUTO;
}

bool cli_gives_logits(const stoa_model *model) {
    static const char logits[] = "bce_with_logits";
    const char *loss = stoa_model_fact(model, "loss");
    return loss && strncmp(loss, logits, sizeof logits - 1) == 0;
}

static bool are_labels(const stoa_dataset *names) {
    return stoa_dataset_task(names) == STOA_TASK_MULTILABEL;
}

/* The labels that are given first, then the probability of each; or the numbers. */
void cli_print_targets(const stoa_dataset *names, const double *answer) {
    bool labels = are_labels(names), any = false;
    size_t targets = stoa_dataset_targets(names);
    char number[32];
    for (size_t t = 0; t < targets && labels; t++) {
        if (answer[t] >= 0.5) {
            cli_print("%s%s", any ? ", " : "", cli_target_name(names, t, number));
            any = true;
        }
    }
    if (labels) {
        cli_print("%s\n ", any ? "" : "none");
    }
    for (size_t t = 0; t < targets; t++) {
        const char *name = cli_target_name(names, t, number);
        if (labels) {
            cli_print("  %s %.4f", name, answer[t]);
        } else {
            cli_print("%s%s %.6g", t > 0 ? "  " : "", name, answer[t]);
        }
    }
    (void)puts("");
}

void cli_add_targets(json_t *entry, const stoa_dataset *names, const double *answer) {
    bool labels = are_labels(names);
    json_t *values = cli_json_array(), *texts = cli_json_array(), *given = cli_json_array();
    char number[32];
    for (size_t t = 0; t < stoa_dataset_targets(names); t++) {
        cli_json_append(values, cli_json_number(answer[t]));
        cli_json_append(texts, cli_json_text(cli_target_name(names, t, number)));
        if (labels && answer[t] >= 0.5) {
            cli_json_append(given, cli_json_text(cli_target_name(names, t, number)));
        }
    }
    cli_json_set(entry, "targets", texts);
    cli_json_set(entry, labels ? "probabilities" : "values", values);
    if (labels) {
        cli_json_set(entry, "labels", given);
    } else {
        json_decref(given);
    }
}
