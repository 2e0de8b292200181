/* SPDX-License-Identifier: MIT */
/* `stoa runs`: the runs in folders, in a table or side by side. Public headers only. */
#include "cli/runs.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stoa/status.h>

#include "cli/command.h"
#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_list.h"
#include "cli/summary.h"
#include "cli/table.h"
#include "report/figure.h"

/* ---- order ---- */

static double number_of(const struct cli_run *run, const char *key) {
    const json_t *value = json_object_get(run->record, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* When it was begun; of an older run, when its first epoch ended. */
static double begun(const struct cli_run *run) {
    double started = number_of(run, "started");
    return isfinite(started) || run->metrics.epochs == 0 ? started : run->metrics.value[REPORT_TIME][0];
}

static double accuracy(const struct cli_run *run) {
    return cli_run_figure(run, REPORT_TEST_ACCURACY);
}

static double closeness(const struct cli_run *run) {
    return -cli_run_figure(run, REPORT_TEST_RMSE);
}

static double f1(const struct cli_run *run) {
    return cli_run_figure(run, REPORT_TEST_F1);
}

static double loss(const struct cli_run *run) {
    return -cli_run_figure(run, REPORT_TEST_LOSS);
}

static double shortness(const struct cli_run *run) {
    return -report_run_sum(&run->metrics, REPORT_SECONDS);
}

static double epochs(const struct cli_run *run) {
    return (double)run->metrics.epochs;
}

/* What --sort takes; the largest value comes first. */
static const struct {
    const char *name;
    double (*value)(const struct cli_run *run); /* NULL: by name */
} orders[] = {{"when", begun}, {"accuracy", accuracy}, {"rmse", closeness}, {"f1", f1},
              {"loss", loss},  {"time", shortness},    {"epochs", epochs},  {"name", NULL}};
enum { ORDERS = sizeof orders / sizeof orders[0] };

static size_t order; /* of the comparison, for qsort() */

static int compare(const void *a, const void *b) {
    const struct cli_run *left = a, *right = b;
    double x = orders[order].value ? orders[order].value(left) : 0;
    double y = orders[order].value ? orders[order].value(right) : 0;
    if (isnan(x) != isnan(y)) {
        return isnan(x) ? 1 : -1; /* what is not known comes last */
    }
    return x > y ? -1 : x < y ? 1 : strverscmp(left->path, right->path);
}

static int choose_order(const struct cli_request *request) {
    const char *names[ORDERS];
    for (order = 0; order < ORDERS; order++) {
        names[order] = orders[order].name;
        if (!request->sort || strcmp(request->sort, names[order]) == 0) {
            return CLI_DONE;
        }
    }
    const char *nearest = stoa_nearest(request->sort, names, ORDERS);
    return nearest
               ? cli_fail(CLI_WRONG, "--sort: found '%s', did you mean %s?", request->sort, nearest)
               : cli_fail(CLI_WRONG,
                          "--sort: found '%s', expected when, accuracy, rmse, f1, loss, time, epochs or name",
                          request->sort);
}

/* ---- the table ---- */

static void add_time(struct cli_table *table, double seconds) {
    char text[32] = "-";
    time_t when = isfinite(seconds) ? (time_t)seconds : 0;
    struct tm parts;
    if (when > 0 && localtime_r(&when, &parts)) {
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
    }
    cli_table_cell(table, "%s", text);
}

static void add_run(struct cli_table *table, const struct cli_run *run, const char *name) {
    struct report_words words = {""};
    const char *recipe = cli_run_text(run, "recipe");
    double wanted = number_of(run, "epochs"), cost = cli_run_figure(run, REPORT_TEST_LOSS);
    const struct report_figure *figure = report_run_figure(&run->metrics);
    double reached = cli_run_figure(run, figure->metric[REPORT_OF_TEST]);
    double seconds = report_run_sum(&run->metrics, REPORT_SECONDS), threads = number_of(run, "threads");
    cli_table_cell(table, "%s", name);
    cli_table_cell(table, "%s", recipe ? recipe : "-");
    add_time(table, begun(run));
    cli_table_cell(table, isfinite(wanted) ? "%zu/%.0f" : "%zu", run->metrics.epochs, wanted);
    cli_table_cell(table, "%s", isfinite(reached) ? report_figure_named(&words, figure, reached) : "-");
    cli_table_cell(table, "%s", isfinite(cost) ? cli_loss_words(&words, cost) : "-");
    cli_table_cell(table, "%s", isfinite(seconds) ? report_time_words(&words, seconds) : "-");
    cli_table_cell(table, isfinite(threads) ? "%.0f" : "-", threads);
    cli_table_cell(table, "%s", run->state);
}

static void print_table(const struct cli_run *runs, char *const *names, size_t count) {
    static const char *const heading[] = {"run",  "recipe", "begun",   "epochs", "test",
                                          "loss", "time",   "threads", "state"};
    struct cli_table table = {.columns = "lllrrrrrl"};
    for (size_t i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < count; i++) {
        add_run(&table, &runs[i], names[i]);
    }
    cli_table_print(&table);
}

/* ---- JSON ---- */

static json_t *json_of(const struct cli_run *run) {
    json_t *json = cli_json_object();
    const struct report_run *metrics = &run->metrics;
    cli_json_set(json, "path", cli_json_text(run->path));
    cli_json_set(json, "name", cli_json_text(run->name));
    cli_json_set(json, "state", cli_json_text(run->state));
    cli_json_set(json, "epochs", cli_json_count(metrics->epochs));
    cli_json_set(json, "begun", cli_json_number(begun(run)));
    cli_json_set(json, "seconds", cli_json_number(report_run_sum(metrics, REPORT_SECONDS)));
    cli_json_set(json, "model",
                 run->kept < metrics->epochs ? cli_summary_figures(metrics, run->kept) : json_null());
    cli_json_set(json, "record", json_deep_copy(run->record));
    return json;
}

static void print_json(const struct cli_run *runs, size_t count, bool compares) {
    json_t *all = cli_json_object(), *list = cli_json_array();
    for (size_t i = 0; i < count; i++) {
        cli_json_append(list, json_of(&runs[i]));
    }
    cli_json_set(all, "runs", list);
    if (compares) {
        cli_json_set(all, "differences", cli_runs_compare_json(runs, count));
    }
    cli_json_print(all);
}

/* ---- the command ---- */

static int read_all(const struct cli_run_list *list, struct cli_run *runs) {
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < list->count; i++) {
        code = cli_run_read(list->path[i], &runs[i]);
    }
    return code;
}

/* Paths where names alone do not tell the runs apart. */
static char **names_of(const struct cli_run *runs, size_t count) {
    char **names = cli_allocate(count, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        bool twice = false;
        for (size_t k = 0; k < count; k++) {
            twice = twice || (k != i && strcmp(runs[k].name, runs[i].name) == 0);
        }
        names[i] = twice ? runs[i].path : runs[i].name;
    }
    return names;
}

static int print_runs(const struct cli_request *request, struct cli_run_list *list) {
    struct cli_run *runs = cli_allocate(list->count, sizeof *runs);
    int code = read_all(list, runs);
    if (code == CLI_DONE) {
        bool compares = list->count > 1 && (request->compare || list->named == list->count);
        if (!compares || request->sort) { /* runs that are named are compared in that order */
            qsort(runs, list->count, sizeof *runs, compare);
        }
        char **names = names_of(runs, list->count);
        if (request->json) {
            print_json(runs, list->count, compares);
        } else if (compares) {
            cli_runs_compare_text(runs, list->count);
        } else {
            print_table(runs, names, list->count);
        }
        free(names);
    }
    for (size_t i = 0; i < list->count; i++) {
        cli_run_free(&runs[i]);
    }
    free(runs);
    return code;
}

static int run(const struct cli_request *request) {
    static char usual[] = "runs";
    char *folders[] = {usual};
    struct cli_request asked = *request;
    struct cli_run_list list;
    if (request->operand_count == 0) {
        asked.operands = folders;
        asked.operand_count = 1;
    }
    int code = choose_order(request);
    for (size_t i = 0; code == CLI_DONE && i < asked.operand_count; i++) {
        if (!cli_is_folder(asked.operands[i])) {
            code = cli_fail(CLI_WRONG, "%s: %s, expected the folder of a run, or one with runs in it",
                            asked.operands[i], cli_is_file(asked.operands[i]) ? "is a file" : "is not there");
        }
    }
    if (code != CLI_DONE) {
        return code;
    }
    cli_find_runs(&asked, &list);
    code = list.count > 0 ? print_runs(request, &list)
                          : cli_fail(CLI_WRONG,
                                     "%s: holds no run, expected the folder of a run, or one with "
                                     "runs in it",
                                     asked.operands[0]);
    cli_free_runs(&list);
    return code;
}

static const char *const option_names[] = {"sort", "compare", "json", NULL};

const struct cli_command cli_runs = {
    .name = "runs",
    .summary = "list runs, or compare them",
    .usage = "runs [FOLDER]... [options]",
    .description =
        "List the runs in folders, by default in runs/, the newest first: recipe, when they began, epochs\n"
        "done and asked for, what the model that the folder holds reaches on the test part (accuracy, or "
        "RMSE\n"
        "of regression, or F1 of several labels) and its loss, time of training, threads, and how they "
        "ended. Folders of several runs, as --seeds and --set of stoa train\n"
        "make them, are looked into.\n"
        "Two or more runs that are named themselves, or all with --compare, stand side by side instead:\n"
        "what they reached, and every key, every layer, the data and what made them where they differ.",
    .examples = "  stoa runs\n"
                "  stoa runs --sort accuracy\n"
                "  stoa runs runs/mnist-cnn-1 runs/mnist-cnn-2\n"
                "  stoa runs experiments --compare --json",
    .options = option_names,
    .operand = "FOLDER",
    .least_operands = 0,
    .most_operands = INT_MAX,
    .run = run,
};
