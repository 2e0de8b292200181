/* SPDX-License-Identifier: MIT */
/* What a subcommand is, and the request it gets. The commands know public headers only. */
#ifndef STOA_CLI_COMMAND_H
#define STOA_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes; an interrupted run adds the signal's number to CLI_SIGNAL. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_WRONG = 2, CLI_SIGNAL = 128 };

/* A whole number of any value. */
struct cli_seed {
    uint64_t value;
    bool given;
};

/* An option as it was given: its name, and its value or NULL. */
struct cli_given {
    const char *name, *value;
};

/* Everything that can be asked for on a command line; each command takes a part of it. */
struct cli_request {
    size_t epochs, batch, threads, samples, seeds, jobs; /* 0: not given */
    double learning_rate, seconds, tolerance, minutes;   /* 0: not given */
    struct cli_seed seed, split_seed;
    const char *data, *out, *recipe, *layout, *resize, *init, *map, *resume; /* NULL: not given */
    const char *svg, *csv, *sort, *picture, *wrong;                          /* NULL: not given */
    const char *c_file, *onnx_file, *name, *weights;                         /* NULL: not given */
    size_t keep;                                                             /* checkpoints; 0: not given */
    const char *checkpoint_every; /* time or steps; NULL: not given */
    bool text, force, quiet, json, inference, all, find_lr, keys, compare, with_preprocessing;
    size_t combination; /* of the values of --set: 0 but for the runs of a grid */
    char **operands;
    size_t operand_count;
    struct cli_given *given; /* all options in their order */
    size_t given_count;
};

struct cli_command {
    const char *name;
    const char *summary;        /* one line of `stoa help` */
    const char *usage;          /* "train RECIPE [options]" */
    const char *description;    /* what it does, for --help */
    const char *examples;       /* command lines, one a line, for --help */
    const char *const *options; /* names of the options it takes, NULL at the end */
    const char *operand;        /* what the operands are called in errors */
    size_t least_operands, most_operands;
    bool multiplies; /* uses the BLAS: worth choosing its core first */
    int (*run)(const struct cli_request *request);
};

/* Print what a recipe can say. */
int cli_print_keys(const struct cli_request *request);

extern const struct cli_command cli_train, cli_eval, cli_predict, cli_info, cli_plan, cli_recipes,
    cli_gradcheck, cli_export, cli_doctor, cli_report, cli_runs, cli_data, cli_import, cli_completion;

/* All of them in the order of `stoa help`, NULL at the end. */
extern const struct cli_command *const cli_commands[];

#endif
