/* SPDX-License-Identifier: MIT */
/* The command line: one table of options for all commands. */
#ifndef STOA_CLI_ARGUMENTS_H
#define STOA_CLI_ARGUMENTS_H

#include "cli/command.h"

/* Fill the request from the arguments behind the command's name. Returns CLI_DONE, or CLI_WRONG with the
 * sentence printed. `*help` is set when --help is among them; nothing else is checked then. The operands lie
 * in `arguments`, which is sorted for it: operands first. */
int cli_arguments_read(const struct cli_command *command, int count, char **arguments,
                       struct cli_request *request, bool *help);

/* Release what the request holds. */
void cli_arguments_free(struct cli_request *request);

/* Option number `at` of a command, in the order of --help; `*value` is NULL for one that takes none. False
 * past the last. */
bool cli_arguments_option(const struct cli_command *command, size_t at, const char **name, const char **value,
                          const char **meaning);

/* Print --help of a command. */
void cli_arguments_help(const struct cli_command *command);

/* Read all of `text` as a whole number of the range. */
bool cli_read_count(const char *text, uint64_t lowest, uint64_t highest, uint64_t *value);
/* Read all of `text` as a decimal number of the range: no hexadecimal, no "inf", no "nan". */
bool cli_read_number(const char *text, double lowest, double highest, double *value);

enum { CLI_MOST_THREADS = 256 };

#endif
