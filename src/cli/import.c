/* SPDX-License-Identifier: MIT */
/* `stoa import`: a network of ONNX becomes a model file. Public headers only. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoa/onnx.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/report.h"
#include "cli/table.h"

/* As large as a dimension can be. */
enum { MOST_SIZE = 1 << 30 };

/* Every node that cannot be taken, a line each, in front of the sentence that counts them. */
static void tell(void *user, const stoa_onnx_refusal *refusal) {
    const char *path = user;
    char *line = cli_text("%s: node '%s' (%s): %s", path, refusal->node, refusal->op, refusal->reason);
    cli_clean(line, false); /* names of a file may hold anything */
    (void)cli_fail(CLI_DONE, "%s", line);
    free(line);
}

/* "net.safetensors" for "folder/net.onnx". */
static char *default_path(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return cli_text("%.*s.safetensors", (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name)), name);
}

static void print(const struct cli_request *request, const struct cli_subject *subject, const char *out) {
    const stoa_model *model = subject->model;
    size_t shape[3];
    struct report_words word = {""};
    stoa_model_input_shape(model, &shape[0], &shape[1], &shape[2]);
    if (request->json) {
        json_t *report = cli_json_object();
        cli_json_set(report, "onnx", cli_json_text(subject->path));
        cli_json_set(report, "model", cli_json_text(out));
        cli_json_set(report, "layers", cli_json_count(stoa_model_layer_count(model)));
        cli_json_set(report, "parameters", cli_json_count(stoa_model_parameter_count(model)));
        cli_json_set(report, "input", cli_json_shape(shape, 3));
        cli_json_set(report, "output", cli_json_count(stoa_model_output_size(model)));
        cli_json_print(report);
    } else if (!request->quiet) {
        cli_print("%s: %zu layers, ", out, stoa_model_layer_count(model));
        cli_print("%s parameters, ", report_count_words(&word, stoa_model_parameter_count(model)));
        cli_print("input %s, ", report_shape_words(&word, shape, 3));
        cli_print("output %zu\n", stoa_model_output_size(model));
    }
}

/* What --input-shape says, and the memory that it lies in. */
struct shapes {
    stoa_onnx_binding *bindings;
    char **names;
    size_t **sizes;
    size_t count;
};

static struct shapes make_shapes(size_t most) {
    return (struct shapes){.bindings = cli_allocate(most + 1, sizeof(stoa_onnx_binding)),
                           .names = cli_allocate(most + 1, sizeof(char *)),
                           .sizes = cli_allocate(most + 1, sizeof(size_t *))};
}

static void free_shapes(const struct shapes *shapes) {
    for (size_t i = 0; i < shapes->count; i++) {
        free(shapes->names[i]);
        free(shapes->sizes[i]);
    }
    free((void *)shapes->names);
    free((void *)shapes->sizes);
    free(shapes->bindings);
}

/* One NAME=SHAPE, "x=1x3x224x224". */
static int read_shape(const char *text, struct shapes *shapes) {
    const char *equals = strrchr(text, '=');
    size_t *sizes = cli_allocate(strlen(text) + 1, sizeof *sizes), rank = 0;
    bool good = equals && equals > text;
    for (const char *at = good ? equals : NULL; at && good; at = strchr(at + 1, 'x')) {
        uint64_t size = 0;
        char *number = cli_text("%.*s", (int)strcspn(at + 1, "x"), at + 1);
        good = cli_read_count(number, 1, MOST_SIZE, &size);
        sizes[rank++] = (size_t)size;
        free(number);
    }
    char *name = cli_text("%.*s", (int)(equals ? equals - text : 0), text);
    shapes->names[shapes->count] = name;
    shapes->sizes[shapes->count] = sizes;
    shapes->bindings[shapes->count++] = (stoa_onnx_binding){name, rank, sizes, NULL};
    return good
               ? CLI_DONE
               : cli_fail(CLI_WRONG,
                          "--input-shape: found '%s', expected the name of an input and its sizes from 1 on, "
                          "such as x=1x3x224x224",
                          text);
}

static int read_shapes(const struct cli_request *request, struct shapes *shapes) {
    int code = CLI_DONE;
    for (size_t i = 0; i < request->given_count && code == CLI_DONE; i++) {
        if (strcmp(request->given[i].name, "input-shape") == 0) {
            code = read_shape(request->given[i].value, shapes);
        }
    }
    return code;
}

static int run(const struct cli_request *request) {
    struct cli_subject subject = {.path = cli_text("%s", request->operands[0])};
    char *out = request->out ? cli_text("%s", request->out) : default_path(subject.path);
    struct shapes shapes = make_shapes(request->given_count);
    int code = read_shapes(request, &shapes);
    const stoa_onnx_options options = {
        .refuse = tell, .user = subject.path, .bindings = shapes.bindings, .binding_count = shapes.count};
    if (code == CLI_DONE) {
        code = !request->force && access(out, F_OK) == 0
                   ? cli_fail(CLI_WRONG, "%s: is there already, expected another --out, or --force", out)
                   : cli_open_context(request, &subject);
    }
    if (code == CLI_DONE) {
        stoa_status status = stoa_model_load_onnx(subject.context, subject.path, &options, &subject.model);
        if (status == STOA_OK) {
            status = stoa_model_save(subject.model, out);
        }
        code = status == STOA_OK ? CLI_DONE : cli_fail_library(subject.context, status);
    }
    if (code == CLI_DONE) {
        print(request, &subject, out);
    }
    free(out);
    free_shapes(&shapes);
    cli_close(&subject);
    return code;
}

static const char *const option_names[] = {"out", "input-shape", "force", "json", "quiet", NULL};

const struct cli_command cli_import = {
    .name = "import",
    .summary = "make a model file from an ONNX file",
    .usage = "import MODEL.onnx [options]",
    .description =
        "Read a network and its weights from an ONNX file, opset 6 to 25, and save them as a model that the\n"
        "other commands take: predict, eval, info, and train --init. Weights in a second file are read from\n"
        "the folder of the first. Nodes that cannot be taken are listed, all of them, with the reason, and\n"
        "then nothing is written. Sizes of an input that the file gives a name, such as height and width, "
        "are\n"
        "said with --input-shape, once for each such input. Names of layers are those of PyTorch's modules "
        "where the file has them.",
    .examples = "  stoa import resnet18.onnx\n"
                "  stoa import lenet.onnx --out lenet.safetensors --force\n"
                "  stoa import unet.onnx --input-shape image=1x3x256x256",
    .options = option_names,
    .operand = "MODEL.onnx",
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};
