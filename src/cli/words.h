/* SPDX-License-Identifier: MIT */
/* The command line as words, and the command by the name that a shell finds it under. */
#ifndef STOA_CLI_WORDS_H
#define STOA_CLI_WORDS_H

#include <jansson.h>

#include "cli/command.h"

/* Note how the command was called: its own words, with its name first. They outlive everything. */
void cli_words_note(char *const *words);

/* The command as a shell has to be told it: "stoa" where that finds this very file, else the path that it was
 * called by. From malloc. */
char *cli_own_word(void);

/* The command line as it was typed, an array of texts that begins with "stoa". */
json_t *cli_words_typed(void);

/* A path as a word of a command line: one that begins with '-' would be an option. From malloc. */
char *cli_path_word(const char *path);

/* Words of an array of texts as a shell has to be told them, with a space between. From malloc. */
char *cli_words_line(const json_t *words);

/* A path from the root on, "" for the current folder; links stay. What is absolute already is copied. From
 * malloc. */
char *cli_absolute(const char *path);

#endif
