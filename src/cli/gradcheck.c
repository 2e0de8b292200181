/* SPDX-License-Identifier: MIT */
/* `stoa gradcheck`: whether the gradients of a recipe's network are right. Public headers only. */
#include <math.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

static const double default_tolerance = 1e-5;

/* What is told of the tensors, for people or as JSON. */
struct report {
    bool json;
    struct cli_table table;
    json_t *tensors;
    size_t count, wrong;
    double worst; /* error of all tensors */
    char first_wrong[96];
    double first_error, first_fast_error;
};

static json_t *tensor_json(const stoa_gradcheck_result *result) {
    json_t *entry = cli_json_object();
    cli_json_set(entry, "name", cli_json_text(result->tensor));
    cli_json_set(entry, "count", cli_json_count(result->count));
    cli_json_set(entry, "checked", cli_json_count(result->checked));
    cli_json_set(entry, "largest", cli_json_number(result->largest));
    cli_json_set(entry, "error", cli_json_number(result->error));
    cli_json_set(entry, "fast_error", cli_json_number(result->fast_error));
    cli_json_set(entry, "passed", json_boolean(result->passed));
    return entry;
}

static void add_row(struct cli_table *table, const stoa_gradcheck_result *result) {
    struct report_words word = {""};
    cli_table_cell(table, "%s", result->tensor);
    cli_table_cell(table, "%s", report_count_words(&word, result->count));
    cli_table_cell(table, "%zu", result->checked);
    cli_table_cell(table, "%.3g", result->largest);
    cli_table_cell(table, "%.1e", result->error);
    if (isnan(result->fast_error)) {
        cli_table_cell(table, "-");
    } else {
        cli_table_cell(table, "%.1e", result->fast_error);
    }
    cli_table_cell(table, "%s", result->passed ? "" : "wrong");
}

static void tell(void *user, const stoa_gradcheck_result *result) {
    struct report *report = user;
    if (!result->passed && report->wrong++ == 0) {
        (void)snprintf(report->first_wrong, sizeof report->first_wrong, "%s", result->tensor);
        report->first_error = result->error;
        report->first_fast_error = result->fast_error;
    }
    report->count++;
    report->worst = fmax(report->worst, result->error);
    if (report->json) {
        cli_json_append(report->tensors, tensor_json(result));
    } else {
        add_row(&report->table, result);
    }
}

static void print(const struct cli_request *request, const struct cli_subject *subject, struct report *report,
                  const stoa_gradcheck_options *options, const char *loss) {
    if (!request->json) {
        cli_table_print(&report->table);
        (void)printf("\n%zu of %zu right, largest error %.1e, tolerance %.1e\n",
                     report->count - report->wrong, report->count, report->worst, options->tolerance);
        return;
    }
    json_t *out = cli_json_object();
    cli_json_set(out, "recipe", cli_json_text(subject->path));
    cli_json_set(out, "loss", loss ? cli_json_text(loss) : json_null());
    cli_json_set(out, "tolerance", cli_json_number(options->tolerance));
    cli_json_set(out, "passed", json_boolean(report->wrong == 0));
    cli_json_set(out, "error", cli_json_number(report->worst));
    cli_json_set(out, "tensors", report->tensors);
    cli_json_print(out);
}

static int check(const struct cli_request *request, const struct cli_subject *subject) {
    stoa_recipe_info info;
    stoa_recipe_describe(subject->recipe, &info);
    stoa_gradcheck_options options = {
        .batch = request->batch,
        .samples = request->samples,
        .seed = request->seed.given ? request->seed.value : info.train.seed,
        .tolerance = request->tolerance != 0 ? request->tolerance : default_tolerance,
        .loss = stoa_model_fact(subject->model, "loss"),
        .freeze = info.train.freeze,
    };
    static const char *const heads[] = {"tensor", "values",     "checked", "largest gradient",
                                        "error",  "fast error", ""};
    struct report report = {.json = request->json, .table = {.columns = "lrrrrrl"}};
    if (request->json) {
        report.tensors = cli_json_array();
    }
    for (size_t i = 0; i < sizeof heads / sizeof *heads && !request->json; i++) {
        cli_table_cell(&report.table, "%s", heads[i]);
    }
    stoa_status status = stoa_model_init(subject->model, options.seed);
    if (status == STOA_OK) {
        status = stoa_gradcheck(subject->context, subject->model, &options, tell, &report);
    }
    if (status != STOA_OK) {
        json_decref(report.tensors);
        return cli_fail_library(subject->context, status);
    }
    print(request, subject, &report, &options, options.loss);
    if (report.wrong == 0) {
        return CLI_DONE;
    }
    return cli_fail(CLI_FAILED,
                    "%s: the gradient of '%s' is off by %.1e of its largest, expected at most %.1e%s",
                    subject->path, report.first_wrong,
                    report.first_error > options.tolerance ? report.first_error : report.first_fast_error,
                    report.first_error > options.tolerance ? options.tolerance : 0.01,
                    report.first_error > options.tolerance ? "" : " between fast and double passes");
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    int code = cli_open_context(request, &subject);
    if (code == CLI_DONE) {
        code = cli_open_recipe(request->operands[0], NULL, &subject);
    }
    if (code == CLI_DONE) {
        code = check(request, &subject);
    }
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"seed", "samples", "tolerance", "batch", "threads", "json", NULL};

const struct cli_command cli_gradcheck = {
    .name = "gradcheck",
    .summary = "check the gradients of a recipe's network by finite differences",
    .usage = "gradcheck RECIPE [options]",
    .description = "Draw weights, inputs and targets, and compare the gradients of the recipe's loss, "
                   "computed in double\n"
                   "by each operator's reference, with finite differences: some elements of each tensor, and "
                   "one direction\n"
                   "through all of them. The fast gradients that training uses are compared with the "
                   "reference. No data is\n"
                   "read. Errors are relative to the largest gradient of the tensor.",
    .examples = "  stoa gradcheck lenet5\n"
                "  stoa gradcheck mine.ini --samples 100 --tolerance 1e-6 --json",
    .options = option_names,
    .operand = "RECIPE",
    .least_operands = 1,
    .most_operands = 1,
    .multiplies = true,
    .run = run,
};
