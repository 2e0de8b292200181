/* SPDX-License-Identifier: MIT */
/* `stoa export`: a model as a file for other programs. Public headers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/ccode.h>

#include "cli/command.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/whole_file.h"
#include "report/words.h"

static int check_options(const struct cli_request *request) {
    if (!request->c_file) {
        return cli_fail(CLI_WRONG, "export: --c missing, expected stoa export MODEL --c FILE");
    }
    size_t length = strlen(request->c_file);
    if (length < 3 || strcmp(request->c_file + length - 2, ".c") != 0) {
        return cli_fail(CLI_WRONG, "--c: found '%s', expected the name of a C file: FILE.c", request->c_file);
    }
    if (request->weights && strcmp(request->weights, "inside") != 0 &&
        strcmp(request->weights, "separate") != 0) {
        return cli_fail(CLI_WRONG, "--weights: found '%s', expected inside or separate", request->weights);
    }
    return CLI_DONE;
}

/* "net.weights" beside "net.c"; NULL where the weights stand in the C file. */
static char *weights_path(const struct cli_request *request) {
    bool separate = request->weights && strcmp(request->weights, "separate") == 0;
    size_t stem = strlen(request->c_file) - 2;
    return separate ? cli_text("%.*s.weights", (int)stem, request->c_file) : NULL;
}

static int check_files(const struct cli_request *request, const char *weights) {
    int code = cli_check_replaceable(request->c_file, "/* Written by stoa export ", request->force);
    return code == CLI_DONE && weights ? cli_check_replaceable(weights, "STOACWTS", request->force) : code;
}

static void print_json(const char *path, const char *weights, const stoa_c_sizes *sizes) {
    json_t *report = cli_json_object();
    cli_json_set(report, "file", cli_json_text(path));
    cli_json_set(report, "source_bytes", cli_json_count(sizes->source_bytes));
    cli_json_set(report, "code_bytes", cli_json_count(sizes->code_bytes));
    cli_json_set(report, "constant_bytes", cli_json_count(sizes->constant_bytes));
    cli_json_set(report, "arena_bytes", cli_json_count(sizes->arena_bytes));
    cli_json_set(report, "weights", weights ? cli_json_text(weights) : json_null());
    cli_json_set(report, "weights_bytes", cli_json_count(sizes->weights_bytes));
    cli_json_print(report);
}

static void print_text(const char *path, const char *weights, const stoa_c_sizes *sizes) {
    struct report_words words = {""};
    cli_print("%s\n\n", path);
    (void)printf("code       %s of source beside the constants\n",
                 report_bytes_words(&words, sizes->code_bytes));
    (void)printf("constants  %s of weights in memory, ", report_bytes_words(&words, sizes->constant_bytes));
    if (weights) {
        cli_print("from %s\n", weights);
    } else {
        (void)printf("%s as source\n", report_bytes_words(&words, sizes->source_bytes - sizes->code_bytes));
    }
    (void)printf("arena      %s for one sample\n", report_bytes_words(&words, sizes->arena_bytes));
}

static int write_c(const struct cli_request *request, struct cli_subject *subject, const char *weights) {
    const stoa_c_options options = {.name = request->name, .weights = weights};
    stoa_c_sizes sizes;
    stoa_status status = stoa_model_export_c(subject->model, request->c_file, &options, &sizes);
    if (status != STOA_OK) {
        return cli_fail_library(subject->context, status);
    }
    if (request->json) {
        print_json(request->c_file, weights, &sizes);
    } else {
        print_text(request->c_file, weights, &sizes);
    }
    return CLI_DONE;
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {0};
    char *weights = NULL;
    int code = check_options(request);
    if (code == CLI_DONE) {
        weights = weights_path(request);
        code = check_files(request, weights);
    }
    code = code == CLI_DONE ? cli_open_context(request, &subject) : code;
    code = code == CLI_DONE ? cli_open_model(request->operands[0], NULL, &subject) : code;
    code = code == CLI_DONE ? write_c(request, &subject, weights) : code;
    free(weights);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"c", "name", "weights", "force", "json", NULL};

const struct cli_command cli_export = {
    .name = "export",
    .summary = "a model as one file of C, for programs without the library",
    .usage = "export MODEL --c FILE [options]",
    .description =
        "Write inference of a model as C99, which is C++ as well and needs nothing but libm: no heap, the\n"
        "weights as constants, one static arena. The head of the file says how input and output lie; beside\n"
        "NAME_run() there are functions for what predict does: normalisation, categories of tables, "
        "classes,\n"
        "probabilities. With NAME_MAIN defined the file is a program that reads numbers. MODEL is a model\n"
        "file or the folder of a run. With --weights separate the weights go to FILE.weights (FILE without\n"
        "its .c), which the program reads and hands to NAME_init(): compilers take long over millions of\n"
        "constants. Printed are the sizes of code, constants and arena.",
    .examples = "  stoa export runs/lenet5-1 --c lenet5.c\n"
                "  stoa export model.safetensors --c net.c --name digits --weights separate\n"
                "  cc -O3 -march=native -ffp-contract=fast -DLENET5_MAIN lenet5.c -o lenet5 -lm",
    .options = option_names,
    .operand = "MODEL",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
