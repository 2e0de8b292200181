/* SPDX-License-Identifier: MIT */
/* The `stoa` command: picks the subcommand, reads its arguments, checks its output. Public headers
 * only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/blas.h>
#include <stoa/version.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/environment.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/words.h"

const struct cli_command *const cli_commands[] = {
    &cli_train,     &cli_eval,   &cli_predict, &cli_info,       &cli_runs,
    &cli_data,      &cli_import, &cli_export,  &cli_plan,       &cli_recipes,
    &cli_gradcheck, &cli_doctor, &cli_report,  &cli_completion, NULL};
enum { COMMANDS = sizeof cli_commands / sizeof cli_commands[0] - 1 };

static const struct cli_command *find_command(const char *name) {
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name) {
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = cli_commands[i]->name;
    }
    const char *nearest = stoa_nearest(name, names, COMMANDS);
    return nearest ? cli_fail(CLI_WRONG, "unknown command '%s', did you mean '%s'? 'stoa help' lists them",
                              name, nearest)
                   : cli_fail(CLI_WRONG, "unknown command '%s', 'stoa help' lists them", name);
}

static int print_help(void) {
    (void)puts("Stoa trains and runs small neural networks on CPUs.\n\n"
               "Usage: stoa COMMAND [arguments]\n\nCommands:");
    for (size_t i = 0; i < COMMANDS; i++) {
        (void)printf("  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    }
    (void)puts("  help       explain a command: stoa help train\n"
               "\n"
               "Options:\n"
               "  --help    print this; after a command, explain it\n"
               "  --version print version, instruction set and BLAS\n"
               "\n"
               "Environment:\n"
               "  STOA_THREADS  threads, 1 to 256, where --threads is not given\n"
               "  STOA_CPU      use nothing above this instruction set: base, avx2, ...\n"
               "  STOA_POLICY   numeric policy: default, exact, blas\n"
               "  STOA_TUNING   tuning table: zen4, generic-avx2, ..., or a file that stoa-bench fit wrote\n"
               "  STOA_CONV     algorithm of convolutions, where it can: im2col, winograd4, ...\n"
               "\n"
               "Begin with: stoa train mnist-cnn");
    return CLI_DONE;
}

static int print_version(void) {
    stoa_context_options options = {0};
    int code = cli_environment_read(&options);
    if (code != CLI_DONE) {
        return code;
    }
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    stoa_isa isa = stoa_isa_best();
    if (options.limit_isa && options.highest_isa < isa) {
        isa = options.highest_isa;
    }
    (void)printf("stoa %s\ninstruction set %s\nBLAS ", stoa_version(), stoa_isa_name(isa));
    /* A version text that begins with the name says both. */
    bool named = strncmp(blas.version, blas.name, strlen(blas.name)) == 0;
    (void)printf("%s%s%s", named ? "" : blas.name, named || !blas.version[0] ? "" : " ", blas.version);
    (void)printf("%s%s", blas.core[0] ? ", core " : "", blas.core);
    (void)printf("%s%s\n", blas.threading[0] ? ", threads " : "", blas.threading);
    return CLI_DONE;
}

static int help(int count, char **arguments) {
    if (count == 0) {
        return print_help();
    }
    if (count > 1) {
        return cli_fail(CLI_WRONG, "help: found '%s', expected stoa help [COMMAND]", arguments[1]);
    }
    const struct cli_command *command = find_command(arguments[0]);
    if (!command) {
        return unknown_command(arguments[0]);
    }
    cli_arguments_help(command);
    return CLI_DONE;
}

static int run(const struct cli_command *command, int count, char **arguments, char **all) {
    struct cli_request request;
    bool wants_help = false;
    /* The parser sorts the arguments; another execution needs them as they came. */
    char **copy = cli_allocate((size_t)count + 1, sizeof *copy);
    memcpy(copy, arguments, (size_t)count * sizeof *copy);
    int code = cli_arguments_read(command, count, copy, &request, &wants_help);
    if (code == CLI_DONE && wants_help) {
        cli_arguments_help(command);
    } else if (code == CLI_DONE) {
        if (command->multiplies) {
            cli_environment_choose_blas(all, NULL);
        }
        code = command->run(&request);
    }
    cli_arguments_free(&request);
    free(copy);
    return code;
}

static int dispatch(int count, char **arguments) {
    if (count < 2) {
        return cli_fail(CLI_WRONG, "command missing, 'stoa help' lists them");
    }
    const char *name = arguments[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return help(count - 2, arguments + 2);
    }
    if (strcmp(name, "--version") == 0) {
        if (count > 2) {
            return cli_fail(CLI_WRONG, "--version: found '%s', expected nothing behind it", arguments[2]);
        }
        cli_environment_choose_blas(arguments, NULL);
        return print_version();
    }
    if (name[0] == '-') {
        return cli_fail(CLI_WRONG, "%s: unknown option, expected a command, --help or --version", name);
    }
    const struct cli_command *command = find_command(name);
    return command ? run(command, count - 2, arguments + 2, arguments) : unknown_command(name);
}

int main(int count, char **arguments) {
    cli_environment_occupy_standard_files();
    cli_ignore_signals();
    cli_words_note(arguments);
    return cli_finish_output(dispatch(count, arguments));
}
