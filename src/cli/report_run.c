/* SPDX-License-Identifier: MIT */
/* `stoa report`: one page about runs. Every run is opened, looked into and closed before the next; the page
 * is written when all have been. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/data.h"
#include "cli/find.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/report_curves.h"
#include "cli/run_files.h"
#include "cli/run_list.h"
#include "cli/whole_file.h"
#include "report/page.h"

enum { SENTENCE = 1024 };

/* What an operand has become. */
struct entry {
    char *name;
    struct report_run run;
    struct report_part *part;
    char no_run[SENTENCE], no_model[SENTENCE], no_data[SENTENCE];
};

/* Read the metrics of a run's folder. A run without a whole line has a sentence instead. */
static int read_metrics(const char *operand, struct report_subject *subject, struct entry *entry) {
    if (!cli_is_folder(operand)) {
        (void)snprintf(entry->no_run, SENTENCE,
                       "%s is a model file alone: metrics lie in the folder of its run", operand);
        return CLI_DONE;
    }
    if (!cli_run_has(operand, CLI_RUN_METRICS)) {
        (void)snprintf(entry->no_run, SENTENCE, "%s has no " CLI_RUN_METRICS, operand);
        return CLI_DONE;
    }
    char sentence[SENTENCE];
    cli_json_begin_reading();
    bool good = report_run_read(operand, &entry->run, sentence, sizeof sentence);
    cli_json_end_reading();
    if (!good) {
        return cli_fail(entry->run.no_memory ? CLI_FAILED : CLI_WRONG, "%s", sentence);
    }
    if (entry->run.epochs == 0) {
        (void)snprintf(entry->no_run, SENTENCE,
                       "%s/" CLI_RUN_METRICS " has no whole line: no epoch is done yet", operand);
    } else {
        subject->run = &entry->run;
    }
    return CLI_DONE;
}

/* Open the model of a run's folder, or a model file. */
static int open_model(const char *operand, struct cli_subject *opened, struct report_subject *subject,
                      struct entry *entry) {
    if (cli_is_folder(operand) && !cli_run_has(operand, CLI_RUN_MODEL)) {
        (void)snprintf(entry->no_model, SENTENCE, "%s has no " CLI_RUN_MODEL, operand);
        return CLI_DONE;
    }
    int code = cli_open_model(operand, NULL, opened);
    subject->context = opened->context;
    subject->model = code == CLI_DONE ? opened->model : NULL;
    return code;
}

/* Open what the model is to be tested with. Without --data the page goes without what they would show. */
static int open_data(const struct cli_request *request, const struct cli_subject *opened, stoa_dataset **data,
                     char **from, struct entry *entry) {
    if (!opened->model) {
        return CLI_DONE;
    }
    cli_keep_sentences(entry->no_data, SENTENCE);
    int code = cli_open_data(opened, request->data, request->all, NULL, data, from);
    cli_keep_sentences(NULL, 0);
    if (code == CLI_FAILED || (code != CLI_DONE && request->data)) {
        return cli_fail(code, "%s", entry->no_data);
    }
    if (code != CLI_DONE && !request->quiet) {
        (void)cli_fail(CLI_DONE, "note: %s; the page shows no mistakes and no activations", entry->no_data);
    }
    return CLI_DONE;
}

/* Something must be there to be shown. */
static int check_found(const char *operand, const struct report_subject *subject, const struct entry *entry) {
    if (subject->run || subject->model) {
        return CLI_DONE;
    }
    bool begun = cli_is_folder(operand) && cli_run_has(operand, CLI_RUN_METRICS);
    return begun ? cli_fail(CLI_WRONG, "%s", entry->no_run)
                 : cli_fail(CLI_WRONG,
                            "%s: found neither " CLI_RUN_METRICS " nor " CLI_RUN_MODEL
                            ", expected the folder of a run or a model file",
                            operand);
}

/* Open an operand, look into it and close it. */
static int look(const struct cli_request *request, size_t at, struct entry *entry) {
    const char *operand = request->operands[at];
    struct cli_subject opened = {0};
    stoa_dataset *data = NULL;
    char *from = NULL;
    struct report_subject subject = {.number = at + 1,
                                     .name = entry->name,
                                     .path = operand,
                                     .no_run = entry->no_run,
                                     .no_model = entry->no_model,
                                     .no_data = entry->no_data,
                                     .samples = request->samples};
    int code = cli_open_context(request, &opened);
    if (code == CLI_DONE) {
        cli_run_recover_unlocked(operand);
        code = read_metrics(operand, &subject, entry);
    }
    if (code == CLI_DONE) {
        code = open_model(operand, &opened, &subject, entry);
    }
    if (code == CLI_DONE) {
        code = check_found(operand, &subject, entry);
    }
    if (code == CLI_DONE && opened.model) {
        code = cli_choose_reading(request, &opened);
    }
    if (code == CLI_DONE) {
        code = open_data(request, &opened, &data, &from, entry);
    }
    if (code == CLI_DONE) {
        subject.data = data;
        subject.data_path = from;
        cli_json_begin_reading();
        entry->part = report_part_make(&subject);
        cli_json_end_reading();
        if (!entry->part) {
            cli_out_of_memory();
        }
        const char *refusal = report_part_refusal(entry->part);
        code = request->data && refusal ? cli_fail(CLI_WRONG, "%s: %s", from, refusal) : CLI_DONE;
    }
    stoa_dataset_free(data);
    free(from);
    cli_close(&opened);
    return code;
}

/* ---- all of them ---- */

static int check_operands(const struct cli_request *request) {
    for (size_t i = 0; i < request->operand_count; i++) {
        const char *operand = request->operands[i];
        if (!cli_is_folder(operand) && !cli_is_file(operand)) {
            return cli_fail(CLI_WRONG, "%s: not found, expected the folder of a run or a model file",
                            operand);
        }
    }
    return CLI_DONE;
}

/* Where the page goes: beside the run where there is one. From malloc; NULL with the sentence out. */
static char *choose_path(const struct cli_request *request) {
    if (request->out) {
        return cli_text("%s", request->out);
    }
    const char *first = request->operands[0];
    if (request->operand_count == 1 && cli_is_folder(first)) {
        size_t length = strlen(first);
        return cli_text("%s%sreport.html", first, first[length - 1] == '/' ? "" : "/");
    }
    (void)cli_fail(CLI_WRONG, "report: --out FILE missing, expected it with %s",
                   request->operand_count == 1 ? "a model file" : "more than one run");
    return NULL;
}

static int write_page(const char *path, const struct entry *entries, size_t count, bool quiet) {
    const struct report_part **parts = cli_allocate(count, sizeof(void *));
    struct report_out page = {0};
    for (size_t i = 0; i < count; i++) {
        parts[i] = entries[i].part;
    }
    report_page(&page, parts, count);
    if (page.failed) {
        cli_out_of_memory();
    }
    int code = cli_write_whole(path, page.text, page.length);
    if (code == CLI_DONE && !quiet) {
        cli_print("report  %s\n", path);
    }
    report_out_free(&page);
    free(parts);
    return code;
}

/* `request` names every run, and `path` the page. */
static int make_page(const struct cli_request *request, const char *path) {
    struct entry *entries = cli_allocate(request->operand_count, sizeof *entries);
    int code = cli_check_replaceable(path, "<!doctype html>", request->force);
    char **names = cli_run_names(request);
    for (size_t i = 0; code == CLI_DONE && i < request->operand_count; i++) {
        entries[i].name = names[i];
        code = look(request, i, &entries[i]);
    }
    if (code == CLI_DONE) {
        code = write_page(path, entries, request->operand_count, request->quiet);
    }
    for (size_t i = 0; i < request->operand_count; i++) {
        report_part_free(entries[i].part);
        report_run_free(&entries[i].run);
        free(names[i]);
    }
    free(names);
    free(entries);
    return code;
}

/* Curves alone need no model and no data: options about them would do nothing. */
static int check_page_options(const struct cli_request *request) {
    static const char *const names[] = {"data", "layout", "resize", "all", "samples"};
    for (size_t i = 0; i < request->given_count; i++) {
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            if (strcmp(request->given[i].name, names[k]) == 0) {
                return cli_fail(CLI_WRONG, "--%s: found without a page, expected --out FILE beside --%s",
                                names[k],
                                request->text  ? "text"
                                : request->svg ? "svg"
                                               : "csv");
            }
        }
    }
    return CLI_DONE;
}

/* The curves take the place of the page, or with --out stand beside it. */
static int run(const struct cli_request *request) {
    bool curves = request->text || request->svg || request->csv, page = !curves || request->out;
    int code = page ? CLI_DONE : check_page_options(request);
    code = code == CLI_DONE ? check_operands(request) : code;
    char *path = code == CLI_DONE && page ? choose_path(request) : NULL;
    if (code != CLI_DONE || (page && !path)) {
        return CLI_WRONG;
    }
    struct cli_run_list runs;
    struct cli_request every = *request;
    cli_list_runs(request, &runs);
    every.operands = runs.path;
    every.operand_count = runs.count;
    code = curves ? cli_report_curves(&every) : CLI_DONE;
    code = code == CLI_DONE && page ? make_page(&every, path) : code;
    cli_free_runs(&runs);
    free(path);
    return code;
}

static const char *const option_names[] = {"out", "text",    "svg",     "csv",   "data",  "layout", "resize",
                                           "all", "samples", "threads", "force", "quiet", NULL};

const struct cli_command cli_report = {
    .name = "report",
    .summary = "a page about runs: curves, mistakes, layers, memory",
    .usage = "report RUN... [options]",
    .description =
        "Write one HTML file about a run, or about several side by side: curves of loss, accuracy and\n"
        "rates, which class is taken for which, the worst mistakes, filters and activations, every layer\n"
        "with its size and its share of the time, the plan of memory, recipe and fingerprint. It asks for\n"
        "nothing from anywhere, fits a telephone and paper, and is light or dark as its reader is.\n"
        "RUN is the folder of a run, also of one that is going on; a folder of runs, as --seeds and --set\n"
        "of stoa train make one; or a model file. The page of one folder is report.html in it, that of\n"
        "several needs --out. What cannot be shown, for want of the data or of the model, is left out, and\n"
        "the page says why.\n\n"
        "--text draws the curves in the terminal instead, --svg writes each as a file of its own, and --csv\n"
        "the numbers as a table with the columns Run, Tag, Wall time, Step and Value: the last three are\n"
        "those of TensorBoard. None of them needs model or data; with --out there is a page too.",
    .examples = "  stoa report runs/mnist-cnn-1\n"
                "  stoa report --text runs/mnist-cnn-1\n"
                "  stoa report --svg pictures --csv curves.csv runs/lenet5-*\n"
                "  stoa report runs/lenet5-* --out lenet5.html\n"
                "  stoa report model.safetensors --data ~/digits --samples 1000 --out page.html",
    .options = option_names,
    .operand = "RUN",
    .least_operands = 1,
    .most_operands = INT_MAX,
    .multiplies = true,
    .run = run,
};
