/* SPDX-License-Identifier: MIT */
/* `stoa eval`: how good a model is over a whole test set, and at which classes. Public headers
 * only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/data_record.h"
#include "cli/eval_wrong.h"
#include "cli/figures.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/targets.h"

/* Limits of what is shown: classes with a line each and a column each, classes whose matrix is counted at
 * all, and top-k figures. */
enum { MOST_LINES = 100, MOST_COLUMNS = 16, MOST_COUNTED = 2000, MOST_TOP = 10 };

/* What is known of the test set. */
struct findings {
    const char *path; /* where it is from */
    const stoa_dataset *data;
    stoa_evaluation all;
    size_t classes;
    size_t *confusion; /* classes x classes, rows are labels; NULL where there are too many */
    size_t *ranks;
    size_t wrong; /* mistakes that were written */
};

/* Share of the samples whose label is among the k largest outputs. */
static double top(const struct findings *found, size_t k) {
    size_t hits = 0;
    for (size_t i = 0; i < k; i++) {
        hits += found->ranks[i];
    }
    return (double)hits / (double)found->all.samples;
}

static size_t samples_of(const struct findings *found, size_t label) {
    size_t sum = 0;
    for (size_t i = 0; i < found->classes; i++) {
        sum += found->confusion[label * found->classes + i];
    }
    return sum;
}

static json_t *describe_class(const struct findings *found, size_t label) {
    json_t *entry = cli_json_object();
    const char *name = stoa_dataset_class_name(found->data, label);
    size_t samples = samples_of(found, label);
    size_t correct = found->confusion[label * found->classes + label];
    cli_json_set(entry, "class", cli_json_count(label));
    if (name) {
        cli_json_set(entry, "name", cli_json_text(name));
    }
    cli_json_set(entry, "samples", cli_json_count(samples));
    cli_json_set(entry, "correct", cli_json_count(correct));
    /* 0 / 0 becomes null. */
    cli_json_set(entry, "accuracy", cli_json_number((double)correct / (double)samples));
    return entry;
}

static void add_classes(const struct findings *found, json_t *report) {
    json_t *classes = cli_json_array(), *matrix = cli_json_array();
    for (size_t i = 0; i < found->classes; i++) {
        cli_json_append(classes, describe_class(found, i));
        cli_json_append(matrix, cli_json_shape(found->confusion + i * found->classes, found->classes));
    }
    cli_json_set(report, "classes", classes);
    cli_json_set(report, "confusion", matrix);
}

static void print_json(const struct cli_subject *subject, const struct findings *found) {
    json_t *report = cli_json_object(), *hits = cli_json_array();
    for (size_t k = 1; k <= MOST_TOP && k <= found->classes; k++) {
        cli_json_append(hits, cli_json_number(top(found, k)));
    }
    cli_json_set(report, "model", cli_json_text(subject->path));
    cli_json_set(report, "data", cli_json_text(found->path));
    cli_json_set(report, "samples", cli_json_count(found->all.samples));
    cli_json_set(report, "correct", cli_json_count(found->all.correct));
    cli_json_set(report, "accuracy", cli_json_number(found->all.accuracy));
    cli_json_set(report, "loss", cli_json_number(found->all.loss));
    cli_json_set(report, "top", hits);
    cli_json_set(report, "seconds", cli_json_number(found->all.seconds));
    cli_json_set(report, "threads", cli_json_count(stoa_context_threads(subject->context)));
    if (found->confusion) {
        cli_json_set(report, "balanced_accuracy",
                     cli_json_number(cli_balanced_accuracy(found->confusion, found->classes)));
        cli_json_set(report, "macro_f1", cli_json_number(cli_macro_f1(found->confusion, found->classes)));
        add_classes(found, report);
    }
    cli_json_print(report);
}

static void add_name(struct cli_table *table, const struct findings *found, size_t label) {
    const char *name = stoa_dataset_class_name(found->data, label);
    if (name) {
        cli_table_cell(table, "%s", name);
    } else {
        cli_table_cell(table, "%zu", label);
    }
}

/* The class that samples of this one are taken for most often, when not for their own. */
static void add_worst(struct cli_table *table, const struct findings *found, size_t label) {
    const size_t *row = found->confusion + label * found->classes;
    size_t worst = label;
    for (size_t i = 0; i < found->classes; i++) {
        worst = i != label && row[i] > (worst == label ? 0 : row[worst]) ? i : worst;
    }
    if (worst == label) {
        cli_table_cell(table, "%s", "");
        cli_table_cell(table, "%s", "");
    } else {
        add_name(table, found, worst);
        cli_table_cell(table, "%zu", row[worst]);
    }
}

static void print_classes(const struct findings *found) {
    struct cli_table table = {.columns = "lrrlr"};
    static const char *const heading[] = {"class", "samples", "accuracy", "most taken for", "times"};
    for (size_t i = 0; i < 5; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < found->classes; i++) {
        size_t samples = samples_of(found, i);
        add_name(&table, found, i);
        cli_table_cell(&table, "%zu", samples);
        if (samples > 0) {
            double share = (double)found->confusion[i * found->classes + i] / (double)samples;
            cli_table_cell(&table, "%.2f %%", 100 * share);
        } else {
            cli_table_cell(&table, "-");
        }
        add_worst(&table, found, i);
    }
    (void)puts("");
    cli_table_print(&table);
}

static void print_confusion(const struct findings *found) {
    char columns[MOST_COLUMNS + 2] = "l";
    for (size_t i = 0; i < found->classes; i++) {
        columns[i + 1] = 'r';
    }
    struct cli_table table = {.columns = columns};
    cli_table_cell(&table, "label, answer:");
    for (size_t i = 0; i < found->classes; i++) {
        add_name(&table, found, i);
    }
    for (size_t i = 0; i < found->classes; i++) {
        add_name(&table, found, i);
        for (size_t j = 0; j < found->classes; j++) {
            cli_table_cell(&table, "%zu", found->confusion[i * found->classes + j]);
        }
    }
    (void)puts("");
    cli_table_print(&table);
}

/* The data, and those of the training where they are others. */
static void print_data(const struct cli_subject *subject, const struct findings *found) {
    const char *trained = stoa_model_fact(subject->model, "data.path");
    char *place = cli_data_place(found->path);
    if (trained && strcmp(trained, place) != 0) {
        cli_print("data     %s (trained on %s)\n", found->path, trained);
    } else {
        cli_print("data     %s\n", found->path);
    }
    free(place);
}

static void print_text(const struct cli_subject *subject, const struct findings *found) {
    struct report_words correct = {""}, samples = {""};
    (void)printf("accuracy %.2f %% (%s of %s)\n", 100 * found->all.accuracy,
                 report_count_words(&correct, found->all.correct),
                 report_count_words(&samples, found->all.samples));
    for (size_t k = 2; k <= 3 && k < found->classes; k++) {
        (void)printf("top %zu    %.2f %%\n", k, 100 * top(found, k));
    }
    if (found->confusion) {
        (void)printf("balanced %.2f %%, mean over the classes; macro F1 %.4f\n",
                     100 * cli_balanced_accuracy(found->confusion, found->classes),
                     cli_macro_f1(found->confusion, found->classes));
    }
    (void)printf("loss     %.6f\nseconds  %.2f\n", found->all.loss, found->all.seconds);
    print_data(subject, found);
    if (found->classes <= MOST_LINES) {
        print_classes(found);
    }
    if (found->confusion && found->classes <= MOST_COLUMNS) {
        print_confusion(found);
    }
}

static int evaluate(const struct cli_request *request, const struct cli_subject *subject, const char *path,
                    stoa_dataset *data) {
    if (stoa_dataset_targets(data) > 0) {
        return cli_eval_targets(request, subject, path, data);
    }
    struct findings found = {.path = path, .data = data, .classes = stoa_dataset_classes(data)};
    if (found.classes <= MOST_COUNTED) {
        found.confusion = cli_allocate(found.classes * found.classes, sizeof *found.confusion);
    }
    found.ranks = cli_allocate(found.classes, sizeof *found.ranks);
    stoa_status status = stoa_evaluate_classes(subject->context, subject->model, data, request->batch,
                                               stoa_model_fact(subject->model, "loss"), found.confusion,
                                               found.ranks, &found.all);
    int code = status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
    if (code == CLI_DONE && request->wrong) {
        code = cli_wrong_write(subject, data, request->wrong, &found.wrong);
    }
    if (code == CLI_DONE && request->json) {
        print_json(subject, &found);
    } else if (code == CLI_DONE) {
        print_text(subject, &found);
        if (request->wrong) {
            cli_print("\nwrong    %s: %zu sample%s\n", request->wrong, found.wrong,
                      found.wrong == 1 ? "" : "s");
        }
    }
    free(found.confusion);
    free(found.ranks);
    return code;
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    stoa_dataset *data = NULL;
    char *path = NULL;
    bool same = true;
    int code = request->wrong ? cli_wrong_check(request->wrong, request->force)
               : request->force
                   ? cli_fail(CLI_WRONG, "--force: found without --wrong DIR, expected it beside one")
                   : CLI_DONE;
    code = code == CLI_DONE ? cli_open_context(request, &subject) : code;
    if (code == CLI_DONE) {
        code = cli_open_model(request->operands[0], request->recipe, &subject);
    }
    if (code == CLI_DONE) {
        code = cli_choose_reading(request, &subject);
    }
    if (code == CLI_DONE) {
        code = cli_open_data(&subject, request->data, request->all, NULL, &data, &path);
    }
    if (code == CLI_DONE && request->wrong && stoa_dataset_targets(data) > 0) {
        code =
            cli_fail(CLI_WRONG, "--wrong: %s has targets, expected classes, which an answer can miss", path);
    }
    if (code == CLI_DONE && !request->data && !request->all) {
        code = cli_data_compare(&subject, data, path, &same);
    }
    if (code == CLI_DONE) {
        code = evaluate(request, &subject, path, data);
    }
    stoa_dataset_free(data);
    free(path);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"data",  "all",   "layout",  "resize", "recipe", "batch",
                                           "wrong", "force", "threads", "json",   NULL};

const struct cli_command cli_eval = {
    .name = "eval",
    .summary = "accuracy, loss and confusion of a model over a whole test set",
    .usage = "eval MODEL [options]",
    .description =
        "Measure a model on every sample of a test set: accuracy, also among the 2 and 3 most probable\n"
        "classes, loss, each class, and which class is taken for which. MODEL is a model file or the folder "
        "of a run. The\n"
        "data are those that the model was trained on; --data takes another file or folder. Of data\n"
        "without a test part those samples are taken that training leaves out, or --all of them.\n"
        "--wrong writes the samples that the model is wrong about into a new folder, pictures as\n"
        "TRUE_PREDICTED_INDEX.png, with index.csv that lists them; rows of values stand in index.csv.\n"
        "With --recipe the file need hold tensors only, such as a PyTorch state dictionary.",
    .examples = "  stoa eval runs/mnist-cnn-1\n"
                "  stoa eval model.safetensors --data ~/digits --json\n"
                "  stoa eval runs/mnist-cnn-1 --wrong mistakes\n"
                "  stoa eval from-pytorch.safetensors --recipe lenet5",
    .options = option_names,
    .operand = "MODEL",
    .least_operands = 1,
    .most_operands = 1,
    .multiplies = true,
    .run = run,
};
