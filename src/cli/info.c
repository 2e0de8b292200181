/* SPDX-License-Identifier: MIT */
/* `stoa info`: what is in a model file. Public headers only. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/info_run.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

/* Everything about a model that is summed up. */
struct totals {
    size_t tensors, values; /* running statistics included */
    double flops;
};

static int add_up(const stoa_model *model, struct totals *totals) {
    *totals = (struct totals){.tensors = stoa_model_tensor_count(model)};
    for (size_t i = 0; i < totals->tensors; i++) {
        stoa_tensor_info tensor;
        if (stoa_model_tensor(model, i, &tensor) != STOA_OK) {
            return CLI_FAILED;
        }
        totals->values += tensor.count;
    }
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        stoa_layer_info layer;
        if (stoa_model_layer(model, i, &layer) != STOA_OK) {
            return CLI_FAILED;
        }
        totals->flops += layer.flops;
    }
    return CLI_DONE;
}

static void print_layers(const stoa_model *model) {
    struct cli_table table = {.columns = "lllrrl"};
    static const char *const heads[] = {"layer", "operator", "output", "parameters", "flops", "options"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        cli_table_cell(&table, "%s", heads[i]);
    }
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        stoa_layer_info layer;
        struct report_words shape = {""}, parameters = {""}, flops = {""};
        if (stoa_model_layer(model, i, &layer) == STOA_OK) {
            cli_table_cell(&table, "%s", layer.name);
            cli_table_cell(&table, "%s", layer.op);
            cli_table_cell(&table, "%s", report_shape_words(&shape, layer.shape, layer.rank));
            cli_table_cell(&table, "%s", report_count_words(&parameters, layer.parameters));
            cli_table_cell(&table, "%s", report_flops_words(&flops, layer.flops));
            cli_table_cell(&table, "%s", layer.options);
        }
    }
    cli_table_print(&table);
}

/* A line each, and those of several lines, such as a recipe's text, as they are behind them. */
static void print_facts(const stoa_model *model) {
    struct cli_table table = {.columns = "ll"};
    const char *key, *value;
    for (size_t i = 0; stoa_model_fact_at(model, i, &key, &value); i++) {
        if (!strchr(value, '\n')) {
            cli_table_cell(&table, "%s", key);
            cli_table_cell(&table, "%s", value);
        }
    }
    cli_table_print(&table);
    for (size_t i = 0; stoa_model_fact_at(model, i, &key, &value); i++) {
        if (strchr(value, '\n')) {
            cli_print("\n%s:\n%s%s", key, value, value[strlen(value) - 1] == '\n' ? "" : "\n");
        }
    }
}

static void print_text(const struct cli_subject *subject, const struct totals *totals) {
    const stoa_model *model = subject->model;
    size_t shape[3];
    struct report_words word = {""}, bytes = {""};
    stoa_model_input_shape(model, &shape[0], &shape[1], &shape[2]);
    cli_print("%s\n\ninput       %s\n", subject->path, report_shape_words(&word, shape, 3));
    (void)printf("output      %zu\n", stoa_model_output_size(model));
    (void)printf("parameters  %s\n", report_count_words(&word, stoa_model_parameter_count(model)));
    cli_print("tensors     %zu, %s values, %s\n", totals->tensors, report_count_words(&word, totals->values),
              report_bytes_words(&bytes, totals->values * sizeof(float)));
    cli_print("flops       %s an image, forward\n", report_flops_words(&word, totals->flops));
    const char *key, *value;
    for (size_t i = 0; stoa_model_origin_at(model, i, &key, &value); i++) {
        if (*value) {
            cli_print("%s%s %s", i == 0 ? "made by     " : ", ", key, value);
        }
    }
    (void)puts("");
    cli_info_run_print(subject);
    (void)puts("");
    print_layers(model);
    (void)puts("");
    print_facts(model);
}

static json_t *layers_json(const stoa_model *model) {
    json_t *list = cli_json_array();
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        stoa_layer_info layer;
        if (stoa_model_layer(model, i, &layer) == STOA_OK) {
            json_t *entry = cli_json_object();
            cli_json_set(entry, "name", cli_json_text(layer.name));
            cli_json_set(entry, "operator", cli_json_text(layer.op));
            cli_json_set(entry, "options", cli_json_text(layer.options));
            cli_json_set(entry, "output", cli_json_shape(layer.shape, layer.rank));
            cli_json_set(entry, "parameters", cli_json_count(layer.parameters));
            cli_json_set(entry, "flops", cli_json_number(layer.flops));
            cli_json_append(list, entry);
        }
    }
    return list;
}

static json_t *tensors_json(const stoa_model *model) {
    json_t *list = cli_json_array();
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info tensor;
        if (stoa_model_tensor(model, i, &tensor) == STOA_OK) {
            json_t *entry = cli_json_object();
            cli_json_set(entry, "name", cli_json_text(tensor.name));
            cli_json_set(entry, "shape", cli_json_shape(tensor.shape, tensor.rank));
            cli_json_set(entry, "trainable", json_boolean(tensor.trainable));
            cli_json_append(list, entry);
        }
    }
    return list;
}

static void print_json(const struct cli_subject *subject, const struct totals *totals) {
    const stoa_model *model = subject->model;
    size_t shape[3];
    stoa_model_input_shape(model, &shape[0], &shape[1], &shape[2]);
    json_t *report = cli_json_object(), *known = cli_json_object(), *origin = cli_json_object();
    const char *key, *value;
    for (size_t i = 0; stoa_model_origin_at(model, i, &key, &value); i++) {
        cli_json_set(origin, key, cli_json_text(value));
    }
    for (size_t i = 0; stoa_model_fact_at(model, i, &key, &value); i++) {
        cli_json_set(known, key, cli_json_text(value));
    }
    cli_json_set(report, "model", cli_json_text(subject->path));
    cli_json_set(report, "input", cli_json_shape(shape, 3));
    cli_json_set(report, "output", cli_json_count(stoa_model_output_size(model)));
    cli_json_set(report, "parameters", cli_json_count(stoa_model_parameter_count(model)));
    cli_json_set(report, "values", cli_json_count(totals->values));
    cli_json_set(report, "flops", cli_json_number(totals->flops));
    cli_json_set(report, "origin", origin);
    cli_json_set(report, "layers", layers_json(model));
    cli_json_set(report, "tensors", tensors_json(model));
    cli_json_set(report, "facts", known);
    cli_info_run_json(subject, report);
    cli_json_print(report);
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    struct totals totals;
    int code = cli_open_context(request, &subject);
    if (code == CLI_DONE) {
        code = cli_open_model(request->operands[0], NULL, &subject);
    }
    if (code == CLI_DONE && add_up(subject.model, &totals) != CLI_DONE) {
        code = cli_fail_library(subject.context, STOA_ERR_FORMAT);
    }
    if (code == CLI_DONE && request->json) {
        print_json(&subject, &totals);
    } else if (code == CLI_DONE) {
        print_text(&subject, &totals);
    }
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"json", NULL};

const struct cli_command cli_info = {
    .name = "info",
    .summary = "layers of a model, and how it was trained",
    .usage = "info MODEL [options]",
    .description =
        "Print what a model file holds: input, layers with their output shapes, parameters and flops (a\n"
        "multiply and an add are two), what it was made by, and how it was trained: the command, where\n"
        "run.json of its run lies beside it, the data with their samples and checksums, rate, batch,\n"
        "optimiser and schedule, the figures, and the recipe in force with every key. MODEL is a model file\n"
        "or the folder of a run.",
    .examples = "  stoa info runs/mnist-cnn-1\n"
                "  stoa info model.safetensors --json",
    .options = option_names,
    .operand = "MODEL",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
