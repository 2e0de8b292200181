/* SPDX-License-Identifier: MIT */
/* `stoa export`: a model as a file for other programs. Public headers only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/ccode.h>
#include <stoa/onnx.h>

#include "cli/command.h"
#include "cli/find.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/whole_file.h"
#include "report/words.h"

/* Whether a path is the name of a file and `end`. */
static bool has_end(const char *path, const char *end) {
    size_t length = strlen(path);
    return length > strlen(end) && strcmp(path + length - strlen(end), end) == 0;
}

static int check_c(const struct cli_request *request) {
    if (!has_end(request->c_file, ".c")) {
        return cli_fail(CLI_WRONG, "--c: found '%s', expected the name of a C file: FILE.c", request->c_file);
    }
    if (request->with_preprocessing) {
        return cli_fail(CLI_WRONG, "--with-preprocessing: found --c, expected --onnx; in the C file "
                                   "NAME_prepare() does that");
    }
    if (request->weights && strcmp(request->weights, "inside") != 0 &&
        strcmp(request->weights, "separate") != 0) {
        return cli_fail(CLI_WRONG, "--weights: found '%s', expected inside or separate", request->weights);
    }
    return CLI_DONE;
}

static int check_onnx(const struct cli_request *request) {
    if (!has_end(request->onnx_file, ".onnx")) {
        return cli_fail(CLI_WRONG, "--onnx: found '%s', expected the name of an ONNX file: FILE.onnx",
                        request->onnx_file);
    }
    if (request->name || request->weights) {
        return cli_fail(CLI_WRONG, "--%s: found --onnx, expected --c", request->name ? "name" : "weights");
    }
    return CLI_DONE;
}

static int check_options(const struct cli_request *request) {
    if (!request->c_file == !request->onnx_file) {
        return cli_fail(CLI_WRONG, "export: %s, expected stoa export MODEL --c FILE or --onnx FILE",
                        request->c_file ? "found --c and --onnx" : "--c or --onnx missing");
    }
    return request->c_file ? check_c(request) : check_onnx(request);
}

/* "net.weights" beside "net.c"; NULL where the weights stand in the C file. */
static char *weights_path(const struct cli_request *request) {
    bool separate = request->c_file && request->weights && strcmp(request->weights, "separate") == 0;
    return separate ? cli_text("%.*s.weights", (int)strlen(request->c_file) - 2, request->c_file) : NULL;
}

/* How an ONNX file of this command begins: the version of the format, which is said for `path` if it has one,
 * and who made it. */
static const char *onnx_begin(const char *path) {
    static const char *const begins[] = {"\x08\x08\x12\x04stoa", "\x08\x09\x12\x04stoa",
                                         "\x08\x0a\x12\x04stoa"};
    FILE *file = cli_is_regular(path) ? fopen(path, "rb") : NULL;
    int version = file && fgetc(file) != EOF ? fgetc(file) : 0;
    if (file) {
        (void)fclose(file);
    }
    return begins[version == 9 ? 1 : version == 10 ? 2 : 0];
}

static int check_files(const struct cli_request *request, const char *weights) {
    if (request->onnx_file) {
        return cli_check_replaceable(request->onnx_file, onnx_begin(request->onnx_file), request->force);
    }
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

static int write_onnx(const struct cli_request *request, struct cli_subject *subject) {
    const stoa_onnx_save_options options = {.preprocessing = request->with_preprocessing};
    struct report_words words = {""};
    stoa_onnx_saved saved;
    stoa_status status = stoa_model_save_onnx(subject->model, request->onnx_file, &options, &saved);
    if (status != STOA_OK) {
        return cli_fail_library(subject->context, status);
    }
    if (request->json) {
        json_t *report = cli_json_object();
        cli_json_set(report, "file", cli_json_text(request->onnx_file));
        cli_json_set(report, "bytes", cli_json_count(saved.bytes));
        cli_json_set(report, "nodes", cli_json_count(saved.nodes));
        cli_json_set(report, "weight_bytes", cli_json_count(saved.weight_bytes));
        cli_json_set(report, "opset", cli_json_count((size_t)saved.opset));
        cli_json_print(report);
        return CLI_DONE;
    }
    cli_print("%s\n\n", request->onnx_file);
    (void)printf("nodes      %zu of opset %d\n", saved.nodes, saved.opset);
    (void)printf("constants  %s of weights\n", report_bytes_words(&words, saved.weight_bytes));
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
    if (code == CLI_DONE) {
        code = request->onnx_file ? write_onnx(request, &subject) : write_c(request, &subject, weights);
    }
    free(weights);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"c",     "name", "weights", "onnx", "with-preprocessing",
                                           "force", "json", NULL};

const struct cli_command cli_export = {
    .name = "export",
    .summary = "a model as one file of C, or as an ONNX file, for other programs",
    .usage = "export MODEL (--c FILE | --onnx FILE) [options]",
    .description =
        "With --c write inference of a model as C99, which is C++ as well and needs nothing but libm: no "
        "heap, the\n"
        "weights as constants, one static arena. The head of the file says how input and output lie; beside\n"
        "NAME_run() there are functions for what predict does: normalisation, categories of tables, "
        "classes,\n"
        "probabilities. With NAME_MAIN defined the file is a program that reads numbers. MODEL is a model\n"
        "file or the folder of a run. With --weights separate the weights go to FILE.weights (FILE without\n"
        "its .c), which the program reads and hands to NAME_init(): compilers take long over millions of\n"
        "constants. Printed are the sizes of code, constants and arena.\n"
        "With --onnx the same inference is written for ONNX Runtime and others: images as N, C, H, W with\n"
        "the batch open, the weights under their names, what is known of the data as metadata.",
    .examples = "  stoa export runs/lenet5-1 --c lenet5.c\n"
                "  stoa export runs/lenet5-1 --onnx lenet5.onnx\n"
                "  stoa export model.safetensors --c net.c --name digits --weights separate\n"
                "  cc -O3 -march=native -ffp-contract=fast -DLENET5_MAIN lenet5.c -o lenet5 -lm",
    .options = option_names,
    .operand = "MODEL",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
