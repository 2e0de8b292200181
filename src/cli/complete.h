/* SPDX-License-Identifier: MIT */
/* Shell completion from tables of commands and options: for bash, zsh and fish. */
#ifndef STOA_CLI_COMPLETE_H
#define STOA_CLI_COMPLETE_H

#include <stddef.h>

/* What an option of a command is. */
struct cli_completed_option {
    const char *name, *meaning;
    const char *value; /* what it takes, as in --help: "PATH"; NULL: nothing */
    const char *words; /* all values it may have, a space between; NULL: any */
};

/* The commands of a program, and their options one after the other. */
struct cli_completed {
    const char *program, *stem; /* "stoa-bench" and "stoa_bench", as names of functions begin */
    /* Name, summary and operands of command `index` ("RECIPE", "MODEL or FILE"; "": none); NULL past the
     * last. */
    const char *(*command)(size_t index, const char **summary, const char **operand);
    /* Option `at` of command `index`, false past the last; its words may lie in `words`. */
    int (*option)(size_t index, size_t at, struct cli_completed_option *option, char words[256]);
};

/* Print the completion of a shell to the standard output: CLI_DONE, or CLI_WRONG with the sentence printed
 * for a shell that is none of the three. */
int cli_complete_print(const char *shell, const struct cli_completed *completed);

#endif
