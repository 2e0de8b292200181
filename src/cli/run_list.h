/* SPDX-License-Identifier: MIT */
/* Runs as operands. */
#ifndef STOA_CLI_RUN_LIST_H
#define STOA_CLI_RUN_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/command.h"

struct cli_run_list {
    char **path; /* from malloc, as each of them */
    size_t count;
    size_t named; /* how many of them are operands themselves */
};

/* The operands of a request. A folder of runs, such as `stoa train --seeds` makes, stands for the runs in it
 * in the order of their names, numbers by their value. */
void cli_list_runs(const struct cli_request *request, struct cli_run_list *list);
/* The same, with the runs in the folders of those folders too. */
void cli_find_runs(const struct cli_request *request, struct cli_run_list *list);
void cli_free_runs(struct cli_run_list *list);

/* Whether a folder has a file of this name. */
bool cli_run_has(const char *folder, const char *name);

#endif
