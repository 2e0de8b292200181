/* SPDX-License-Identifier: MIT */
/* The option parser: one table says what every option is called, takes and means; a command names those it
 * has. Public headers only. */
#include "cli/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/train.h>

#include "cli/report.h"

enum option_type { FLAG, COUNT, SEED, NUMBER, TEXT, LIST };

struct option {
    const char *name;
    enum option_type type;
    size_t offset; /* in struct cli_request */
    const char *value, *meaning;
    double lowest, highest;
};

#define AT(member) offsetof(struct cli_request, member)
static const struct option options[] = {
    {"epochs", COUNT, AT(epochs), "N", "passes over the training images (default: the recipe's)", 1,
     STOA_MOST_EPOCHS},
    {"batch", COUNT, AT(batch), "N", "images in a batch", 1, STOA_MOST_BATCH},
    {"lr", NUMBER, AT(learning_rate), "X", "learning rate (default: the recipe's)", STOA_LEAST_LEARNING_RATE,
     STOA_MOST_LEARNING_RATE},
    {"seed", SEED, AT(seed), "N", "first weights, order of the images, dropout (default: the recipe's)", 0,
     0},
    {"split-seed", SEED, AT(split_seed), "N",
     "which samples of data without a test part become one (default: the recipe's)", 0, 0},
    {"threads", COUNT, AT(threads), "N",
     "threads, 1 to 256 (default: one a CPU); results do not depend on it", 1, CLI_MOST_THREADS},
    {"data", TEXT, AT(data), "PATH", "file or folder with data (default: the set the model names)", 0, 0},
    {"layout", TEXT, AT(layout), "ORDER",
     "order of colour in arrays and tables: auto, nhwc or nchw (default: the recipe's)", 0, 0},
    {"resize", TEXT, AT(resize), "HOW",
     "pictures of other sizes: none, fit, crop or stretch (default: the recipe's)", 0, 0},
    {"all", FLAG, AT(all), NULL,
     "all samples of data that have no test part (default: those left out of training)", 0, 0},
    {"out", TEXT, AT(out), "PATH", "folder for model and metrics (default: runs/NAME-1, -2, ...)", 0, 0},
    {"init", TEXT, AT(init), "MODEL",
     "begin with the tensors of a model or a file that fit by name and shape", 0, 0},
    {"map", TEXT, AT(map), "FILE",
     "names for --init, lines THEIRS = OURS; a FILE that is not there is written, a suggestion to edit", 0,
     0},
    {"resume", TEXT, AT(resume), "RUN", "continue the run in this folder", 0, 0},
    {"checkpoint-every", TEXT, AT(checkpoint_every), "TIME",
     "save the state within an epoch too: 30s, 5m, 2h, or steps such as 500 (default: 5m)", 0, 0},
    {"keep", COUNT, AT(keep), "N", "so many checkpoints (default: 2)", 1, 1e6},
    {"recipe", TEXT, AT(recipe), "RECIPE", "build this network and take only the tensors of MODEL", 0, 0},
    {"samples", COUNT, AT(samples), "N", "elements to look at in each tensor (default: 16)", 1, 1e9},
    {"tolerance", NUMBER, AT(tolerance), "X", "largest relative error that passes (default: 1e-5)", 1e-30,
     1e30},
    {"seconds", NUMBER, AT(seconds), "S", "about the time to measure (default: 4)", 0.1, 3600},
    {"set", LIST, 0, "KEY=VALUE", "let the recipe say this; of several values, KEY=A,B, each is trained", 0,
     0},
    {"input-shape", LIST, 0, "NAME=SHAPE",
     "sizes of an input that the file leaves open, the batch in front: x=1x3x224x224", 0, 0},
    {"seeds", COUNT, AT(seeds), "N", "train with so many seeds, from the recipe's on", 1, 10000},
    {"jobs", COUNT, AT(jobs), "N", "so many runs at once (default: one a CPU)", 1, CLI_MOST_THREADS},
    {"minutes", NUMBER, AT(minutes), "M", "stop after so much time, with the state saved", 1e-3, 1e7},
    {"find-lr", FLAG, AT(find_lr), NULL,
     "only try learning rates on the training data, and suggest one; writes nothing", 0, 0},
    {"force", FLAG, AT(force), NULL, "replace model and metrics in a folder that is not empty", 0, 0},
    {"inference", FLAG, AT(inference), NULL, "plan inference (default: training)", 0, 0},
    {"keys", FLAG, AT(keys), NULL, "what recipes can say, with ranges and defaults, in the place of the list",
     0, 0},
    {"wrong", TEXT, AT(wrong), "DIR", "write the mistakes into this folder, as pictures and a table", 0, 0},
    {"picture", TEXT, AT(picture), "FILE", "write the samples as a picture: FILE.svg or FILE.png", 0, 0},
    {"sort", TEXT, AT(sort), "KEY",
     "order: when, accuracy, rmse, f1, loss, time, epochs or name (default: when)", 0, 0},
    {"compare", FLAG, AT(compare), NULL, "put all runs side by side, with what differs", 0, 0},
    {"json", FLAG, AT(json), NULL, "print JSON", 0, 0},
    {"text", FLAG, AT(text), NULL, "draw the curves in the terminal", 0, 0},
    {"svg", TEXT, AT(svg), "DIR", "write the curves as SVG files", 0, 0},
    {"csv", TEXT, AT(csv), "FILE", "write the numbers of every epoch as a table; -: to the standard output",
     0, 0},
    {"c", TEXT, AT(c_file), "FILE", "the C file to write: FILE.c", 0, 0},
    {"name", TEXT, AT(name), "WORD", "what its names begin with (default: from the name of the file)", 0, 0},
    {"weights", TEXT, AT(weights), "WHERE",
     "inside the C file, or separate in a file of their own (default: inside)", 0, 0},
    {"onnx", TEXT, AT(onnx_file), "FILE", "the ONNX file to write: FILE.onnx", 0, 0},
    {"with-preprocessing", FLAG, AT(with_preprocessing), NULL,
     "begin the ONNX file with mean and deviation of the training data", 0, 0},
    {"quiet", FLAG, AT(quiet), NULL, "print errors only, and what other options ask for", 0, 0},
};
#undef AT
enum { OPTIONS = sizeof options / sizeof options[0] };

/* What an option means to a command, where that is another thing. */
static const struct {
    const char *command, *option, *meaning;
} own_meanings[] = {
    {"eval", "force", "let the mistakes take the place of older ones"},
    {"export", "force", "let what is written take the place of any file"},
    {"predict", "csv", "write the answers as a table; -: to the standard output"},
    {"predict", "force", "let the table take the place of any file"},
    {"data", "force", "let the picture take the place of any file"},
    {"data", "recipe", "read the data as this recipe says"},
    {"import", "out", "file of the model (default: MODEL.safetensors in this folder)"},
    {"import", "force", "let the model take the place of any file"},
    {"report", "out", "file of the page (default: RUN/report.html)"},
    {"report", "samples", "test with so many samples, evenly taken from the data (default: all)"},
    {"report", "force", "let what is written take the place of any file"},
};

static const char *meaning_of(const struct cli_command *command, const struct option *option) {
    for (size_t i = 0; i < sizeof own_meanings / sizeof own_meanings[0]; i++) {
        if (strcmp(own_meanings[i].command, command->name) == 0 &&
            strcmp(own_meanings[i].option, option->name) == 0) {
            return own_meanings[i].meaning;
        }
    }
    return option->meaning;
}

static bool takes(const struct cli_command *command, const struct option *option) {
    for (const char *const *name = command->options; *name; name++) {
        if (strcmp(*name, option->name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct option *find_option(const struct cli_command *command, const char *name, size_t length) {
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0 &&
            takes(command, &options[i])) {
            return &options[i];
        }
    }
    return NULL;
}

static bool is_option(const char *name) {
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int unknown_option(const struct cli_command *command, const char *argument) {
    size_t count = 0, length = strcspn(argument, "=");
    while (command->options[count]) {
        count++;
    }
    char *name = cli_text("%.*s", (int)length, argument);
    const char *bare = name + strspn(name, "-");
    const char *nearest = stoa_nearest(bare, command->options, count);
    int code;
    if (nearest && (!is_option(bare) || strcmp(bare, nearest) == 0)) {
        code =
            cli_fail(CLI_WRONG, "unknown option '%s' of %s, did you mean '--%s'? 'stoa help %s' lists them",
                     name, command->name, nearest, command->name);
    } else {
        code =
            cli_fail(CLI_WRONG, "unknown option '%s' of %s%s, 'stoa help %s' lists those that it has", name,
                     command->name, is_option(bare) ? ", which other commands have" : "", command->name);
    }
    free(name);
    return code;
}

static int wrong_value(const struct option *option, const char *text) {
    if (option->type == SEED) {
        return cli_fail(CLI_WRONG, "--%s: found '%s', expected a whole number from 0 to 18446744073709551615",
                        option->name, text);
    }
    return cli_fail(CLI_WRONG, "--%s: found '%s', expected a %s from %.7g to %.7g", option->name, text,
                    option->type == COUNT ? "whole number" : "number", option->lowest, option->highest);
}

/* Put one value in its place in the request. */
static int store(const struct option *option, const char *text, struct cli_request *request) {
    char *place = (char *)request + option->offset;
    uint64_t count;
    double number;
    switch (option->type) {
    case FLAG:
        memcpy(place, &(bool){true}, sizeof(bool));
        return CLI_DONE;
    case COUNT:
        if (!cli_read_count(text, (uint64_t)option->lowest, (uint64_t)option->highest, &count)) {
            return wrong_value(option, text);
        }
        memcpy(place, &(size_t){(size_t)count}, sizeof(size_t));
        return CLI_DONE;
    case SEED:
        if (!cli_read_count(text, 0, UINT64_MAX, &count)) {
            return wrong_value(option, text);
        }
        memcpy(place, &(struct cli_seed){.value = count, .given = true}, sizeof(struct cli_seed));
        return CLI_DONE;
    case NUMBER:
        if (!cli_read_number(text, option->lowest, option->highest, &number)) {
            return wrong_value(option, text);
        }
        memcpy(place, &number, sizeof number);
        return CLI_DONE;
    case LIST: /* those who want it look among what is given */
        return CLI_DONE;
    case TEXT:
        break;
    }
    if (!*text) {
        return cli_fail(CLI_WRONG, "--%s: found '', expected %s", option->name, option->value);
    }
    memcpy(place, &text, sizeof text);
    return CLI_DONE;
}

/* Read the option at arguments[*next] and step over it and its value. */
static int read_option(const struct cli_command *command, int count, char **arguments, int *next,
                       const char **seen, struct cli_request *request) {
    char *argument = arguments[(*next)++];
    size_t length = strcspn(argument, "=");
    const struct option *option = NULL;
    if (strncmp(argument, "--", 2) == 0) {
        option = find_option(command, argument + 2, length - 2);
    }
    if (!option) {
        return unknown_option(command, argument);
    }
    const char *value = argument[length] ? argument + length + 1 : NULL;
    if (option->type == FLAG && value) {
        return cli_fail(CLI_WRONG, "--%s: found a value '%s', expected none", option->name, value);
    }
    if (option->type != FLAG && !value) {
        if (*next == count || strncmp(arguments[*next], "--", 2) == 0) {
            return cli_fail(CLI_WRONG, "--%s: value missing, expected --%s %s", option->name, option->name,
                            option->value);
        }
        value = arguments[(*next)++];
    }
    const char **before = &seen[option - options];
    if (*before && option->type != LIST) {
        return option->type == FLAG
                   ? cli_fail(CLI_WRONG, "--%s: given twice", option->name)
                   : cli_fail(CLI_WRONG, "--%s: given twice, as '%s' and '%s'", option->name, *before, value);
    }
    *before = value ? value : "";
    request->given[request->given_count++] = (struct cli_given){option->name, value};
    return store(option, value, request);
}

static int check_operands(const struct cli_command *command, const struct cli_request *request) {
    if (request->operand_count < command->least_operands) {
        return cli_fail(CLI_WRONG, "%s: %s missing, expected stoa %s", command->name, command->operand,
                        command->usage);
    }
    if (request->operand_count > command->most_operands) {
        return cli_fail(CLI_WRONG, "%s: found '%s', expected stoa %s", command->name,
                        request->operands[command->most_operands], command->usage);
    }
    for (size_t i = 0; i < request->operand_count; i++) {
        if (!*request->operands[i]) {
            return cli_fail(CLI_WRONG, "%s: found '', expected %s", command->name, command->operand);
        }
    }
    return CLI_DONE;
}

int cli_arguments_read(const struct cli_command *command, int count, char **arguments,
                       struct cli_request *request, bool *help) {
    *request = (struct cli_request){.operands = arguments,
                                    .given = cli_allocate((size_t)count + 1, sizeof *request->given)};
    for (int i = 0; i < count && strcmp(arguments[i], "--") != 0; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            *help = true;
            return CLI_DONE;
        }
    }
    const char *seen[OPTIONS] = {NULL};
    bool only_operands = false;
    for (int next = 0; next < count;) {
        char *argument = arguments[next];
        if (only_operands || argument[0] != '-' || !argument[1]) {
            arguments[request->operand_count++] = argument;
            next++;
        } else if (strcmp(argument, "--") == 0) {
            only_operands = true;
            next++;
        } else {
            int code = read_option(command, count, arguments, &next, seen, request);
            if (code != CLI_DONE) {
                return code;
            }
        }
    }
    return check_operands(command, request);
}

bool cli_arguments_option(const struct cli_command *command, size_t at, const char **name, const char **value,
                          const char **meaning) {
    for (size_t i = 0; i < OPTIONS; i++) {
        if (takes(command, &options[i]) && at-- == 0) {
            *name = options[i].name;
            *value = options[i].value;
            *meaning = meaning_of(command, &options[i]);
            return true;
        }
    }
    return false;
}

void cli_arguments_free(struct cli_request *request) {
    free(request->given);
    request->given = NULL;
}

void cli_arguments_help(const struct cli_command *command) {
    (void)printf("Usage: stoa %s\n\n%s\n\nOptions:\n", command->usage, command->description);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (takes(command, &options[i])) {
            char left[40];
            (void)snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].value ? " " : "",
                           options[i].value ? options[i].value : "");
            (void)printf("  %-16s %s\n", left, meaning_of(command, &options[i]));
        }
    }
    (void)printf("  %-16s %s\n", "--help", "print this");
    (void)printf(
        "\nExamples:\n%s\n\nExit status: 0 done; 1 the run failed; 2 the request was wrong and nothing was "
        "written",
        command->examples);
    (void)printf("%s.\n",
                 command == &cli_train ? ";\n130 (SIGINT) or 143 (SIGTERM) interrupted, state saved" : "");
}
