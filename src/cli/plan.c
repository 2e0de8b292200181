/* SPDX-License-Identifier: MIT */
/* `stoa plan`: where every value of a run lies, and what makes the peak. Computes nothing. Public
 * headers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

enum { DEFAULT_BATCH = 64 };

/* The plan and what it was made for; values and steps in the library's order. */
struct report {
    const struct cli_request *request;
    const struct cli_subject *subject;
    stoa_plan *plan;
    size_t batch;
    stoa_plan_value *values;
    size_t value_count;
    stoa_plan_step *steps;
    size_t step_count;
    size_t peak;            /* the step with the most live bytes */
    stoa_plan_value *alive; /* the values that live in it, largest first */
    size_t alive_count;
};

static int make_plan(struct report *report) {
    stoa_plan_options options = {.batch = report->request->batch,
                                 .training = !report->request->inference,
                                 .prepare = report->request->inference};
    const char *optimizer = NULL;
    options.loss = options.training ? stoa_model_fact(report->subject->model, "loss") : NULL;
    if (report->subject->recipe) {
        stoa_recipe_info info;
        stoa_recipe_describe(report->subject->recipe, &info);
        optimizer = info.train.optimizer;
        options.freeze = info.train.freeze;
        options.batch = options.batch ? options.batch : info.train.batch;
    }
    options.batch = options.batch ? options.batch : DEFAULT_BATCH;
    report->batch = options.batch;
    stoa_status status = STOA_OK;
    if (options.training) {
        status = stoa_optimizer_slots(report->subject->context, optimizer, &options.optimizer_slots);
    }
    if (status == STOA_OK) {
        status = stoa_plan_create(report->subject->context, report->subject->model, &options, &report->plan);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(report->subject->context, status);
}

static int by_bytes(const void *a, const void *b) {
    const stoa_plan_value *left = a, *right = b;
    if (left->bytes != right->bytes) {
        return left->bytes < right->bytes ? 1 : -1;
    }
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static int collect(struct report *report) {
    report->value_count = stoa_plan_value_count(report->plan);
    report->values = cli_allocate(report->value_count, sizeof *report->values);
    report->step_count = stoa_plan_step_count(report->plan);
    report->steps = cli_allocate(report->step_count, sizeof *report->steps);
    report->alive = cli_allocate(report->value_count, sizeof *report->alive);
    for (size_t i = 0; i < report->step_count; i++) {
        stoa_status status = stoa_plan_step_at(report->plan, i, &report->steps[i]);
        if (status != STOA_OK) {
            return cli_fail_library(report->subject->context, status);
        }
        if (report->steps[i].live_bytes > report->steps[report->peak].live_bytes) {
            report->peak = i;
        }
    }
    for (size_t i = 0; i < report->value_count; i++) {
        stoa_plan_value *value = &report->values[i];
        stoa_status status = stoa_plan_value_at(report->plan, i, value);
        if (status != STOA_OK) {
            return cli_fail_library(report->subject->context, status);
        }
        if (value->first <= report->peak && report->peak <= value->last) {
            report->alive[report->alive_count++] = *value;
        }
    }
    qsort(report->alive, report->alive_count, sizeof *report->alive, by_bytes);
    return CLI_DONE;
}

static void add_heads(struct cli_table *table, const char *const *heads) {
    for (; *heads; heads++) {
        cli_table_cell(table, "%s", *heads);
    }
}

static void print_values(const struct report *report) {
    struct cli_table table = {.columns = "llrrrl"};
    static const char *const heads[] = {"value", "shape", "bytes", "offset", "steps", "", NULL};
    add_heads(&table, heads);
    for (size_t i = 0; i < report->value_count; i++) {
        const stoa_plan_value *value = &report->values[i];
        struct report_words word = {""};
        cli_table_cell(&table, "%s", value->name);
        cli_table_cell(&table, "%s",
                       value->rank ? report_shape_words(&word, value->shape, value->rank) : "-");
        cli_table_cell(&table, "%s", report_count_words(&word, value->bytes));
        cli_table_cell(&table, "%s", report_count_words(&word, value->offset));
        cli_table_cell(&table, "%zu-%zu", value->first, value->last);
        cli_table_cell(&table, "%s", value->shares ? "in place" : "");
    }
    cli_table_print(&table);
}

static void print_steps(const struct report *report) {
    struct cli_table table = {.columns = "rlllrrl"};
    static const char *const heads[] = {"step",      "layer", "operator",  "pass",
                                        "workspace", "live",  "algorithm", NULL};
    add_heads(&table, heads);
    for (size_t i = 0; i < report->step_count; i++) {
        const stoa_plan_step *step = &report->steps[i];
        struct report_words word = {""};
        cli_table_cell(&table, "%zu", i);
        cli_table_cell(&table, "%s", step->layer);
        cli_table_cell(&table, "%s", step->op);
        cli_table_cell(&table, "%s", step->pass);
        cli_table_cell(&table, "%s", report_count_words(&word, step->workspace_bytes));
        cli_table_cell(&table, "%s", report_count_words(&word, step->live_bytes));
        if (strcmp(step->done_by, step->layer) != 0) {
            cli_table_cell(&table, "in %s", step->done_by);
        } else if (step->section > 0) {
            cli_table_cell(&table, "%s%ssection %zu, %zu samples at a time", step->algorithm,
                           *step->algorithm ? ", " : "", step->section, step->block);
        } else {
            cli_table_cell(&table, "%s", step->algorithm);
        }
    }
    cli_table_print(&table);
}

static void print_peak(const struct report *report) {
    if (report->step_count == 0) {
        return;
    }
    const stoa_plan_step *step = &report->steps[report->peak];
    struct report_words word = {""};
    cli_print("\npeak: step %zu, %s of '%s': %s alive\n", report->peak, step->pass, step->layer,
              report_bytes_words(&word, step->live_bytes));
    struct cli_table table = {.columns = "rl"};
    for (size_t i = 0; i < report->alive_count; i++) {
        cli_table_cell(&table, "  %s", report_count_words(&word, report->alive[i].bytes));
        cli_table_cell(&table, "%s%s", report->alive[i].name, report->alive[i].shares ? " (in place)" : "");
    }
    cli_table_print(&table);
}

static void print_text(const struct report *report) {
    const stoa_context *context = report->subject->context;
    size_t bytes = stoa_plan_bytes(report->plan), unshared = stoa_plan_bytes_unshared(report->plan);
    struct report_words count = {""}, word = {""};
    cli_print("%s: %s, batch %zu, threads %zu, %s, policy %s, tuning %s\n", report->subject->path,
              report->request->inference ? "inference" : "training", report->batch,
              stoa_context_threads(context), stoa_isa_name(stoa_context_isa(context)),
              stoa_policy_name(stoa_context_policy(context)), stoa_context_tuning(context));
    if (stoa_context_conv(context)) {
        cli_print("convolutions   %s, wherever it can (STOA_CONV)\n", stoa_context_conv(context));
    }
    cli_print("arena          %s bytes (%s)\n", report_count_words(&count, bytes),
              report_bytes_words(&word, bytes));
    cli_print("without reuse  %s bytes (%s), %.2f times as much\n\n", report_count_words(&count, unshared),
              report_bytes_words(&word, unshared), bytes ? (double)unshared / (double)bytes : 1.0);
    print_values(report);
    (void)puts("");
    print_steps(report);
    print_peak(report);
}

static json_t *value_json(const stoa_plan_value *value) {
    json_t *entry = cli_json_object();
    cli_json_set(entry, "name", cli_json_text(value->name));
    cli_json_set(entry, "shape", cli_json_shape(value->shape, value->rank));
    cli_json_set(entry, "bytes", cli_json_count(value->bytes));
    cli_json_set(entry, "offset", cli_json_count(value->offset));
    cli_json_set(entry, "first", cli_json_count(value->first));
    cli_json_set(entry, "last", cli_json_count(value->last));
    cli_json_set(entry, "in_place", json_boolean(value->shares));
    return entry;
}

static json_t *step_json(const stoa_plan_step *step) {
    json_t *entry = cli_json_object();
    cli_json_set(entry, "layer", cli_json_text(step->layer));
    cli_json_set(entry, "operator", cli_json_text(step->op));
    cli_json_set(entry, "pass", cli_json_text(step->pass));
    cli_json_set(entry, "algorithm", cli_json_text(step->algorithm));
    cli_json_set(entry, "done_by", cli_json_text(step->done_by));
    cli_json_set(entry, "section", json_integer((json_int_t)step->section));
    cli_json_set(entry, "block", json_integer((json_int_t)step->block));
    cli_json_set(entry, "workspace_bytes", cli_json_count(step->workspace_bytes));
    cli_json_set(entry, "live_bytes", cli_json_count(step->live_bytes));
    return entry;
}

static json_t *peak_json(const struct report *report) {
    json_t *peak = cli_json_object(), *names = cli_json_array();
    for (size_t i = 0; i < report->alive_count; i++) {
        cli_json_append(names, cli_json_text(report->alive[i].name));
    }
    cli_json_set(peak, "step", cli_json_count(report->peak));
    cli_json_set(peak, "live_bytes",
                 cli_json_count(report->step_count ? report->steps[report->peak].live_bytes : 0));
    cli_json_set(peak, "values", names);
    return peak;
}

static void print_json(const struct report *report) {
    const stoa_context *context = report->subject->context;
    json_t *out = cli_json_object(), *values = cli_json_array(), *steps = cli_json_array();
    for (size_t i = 0; i < report->value_count; i++) {
        cli_json_append(values, value_json(&report->values[i]));
    }
    for (size_t i = 0; i < report->step_count; i++) {
        cli_json_append(steps, step_json(&report->steps[i]));
    }
    cli_json_set(out, "path", cli_json_text(report->subject->path));
    cli_json_set(out, "mode", cli_json_text(report->request->inference ? "inference" : "training"));
    cli_json_set(out, "batch", cli_json_count(report->batch));
    cli_json_set(out, "threads", cli_json_count(stoa_context_threads(context)));
    cli_json_set(out, "isa", cli_json_text(stoa_isa_name(stoa_context_isa(context))));
    cli_json_set(out, "policy", cli_json_text(stoa_policy_name(stoa_context_policy(context))));
    cli_json_set(out, "tuning", cli_json_text(stoa_context_tuning(context)));
    cli_json_set(out, "tuning_sum", cli_json_text(stoa_context_tuning_sum(context)));
    cli_json_set(out, "conv",
                 stoa_context_conv(context) ? cli_json_text(stoa_context_conv(context)) : json_null());
    cli_json_set(out, "arena_bytes", cli_json_count(stoa_plan_bytes(report->plan)));
    cli_json_set(out, "unshared_bytes", cli_json_count(stoa_plan_bytes_unshared(report->plan)));
    cli_json_set(out, "values", values);
    cli_json_set(out, "steps", steps);
    cli_json_set(out, "peak", peak_json(report));
    cli_json_print(out);
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    struct report report = {.request = request, .subject = &subject};
    int code = cli_open_context(request, &subject);
    if (code == CLI_DONE) {
        code = cli_means_model(request->operands[0]) ? cli_open_model(request->operands[0], NULL, &subject)
                                                     : cli_open_recipe(request->operands[0], NULL, &subject);
    }
    if (code == CLI_DONE) {
        code = make_plan(&report);
    }
    if (code == CLI_DONE) {
        code = collect(&report);
    }
    if (code == CLI_DONE && request->json) {
        print_json(&report);
    } else if (code == CLI_DONE) {
        print_text(&report);
    }
    free(report.values);
    free(report.steps);
    free(report.alive);
    stoa_plan_free(report.plan);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"batch", "threads", "inference", "json", NULL};

const struct cli_command cli_plan = {
    .name = "plan",
    .summary = "memory and algorithms of a run, before it runs",
    .usage = "plan RECIPE|MODEL [options]",
    .description =
        "Print every value of a run with its shape, size, place in the arena and the steps it lives for; "
        "every\n"
        "step with the algorithm that computes it, the layer in whose step it is done, or the section of\n"
        "steps that run together; the peak and what makes it. Plans training with the\n"
        "recipe's optimiser (Adam for a model file); nothing is computed and no arena is allocated.",
    .examples = "  stoa plan lenet5 --batch 64\n"
                "  stoa plan runs/mnist-cnn-1 --inference --batch 1 --json",
    .options = option_names,
    .operand = "RECIPE or MODEL",
    .least_operands = 1,
    .most_operands = 1,
    .multiplies = true,
    .run = run,
};
