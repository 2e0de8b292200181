/* SPDX-License-Identifier: MIT */
/* What a run has said of itself, to be read again: recipe.ini and run.json in its folder (run_record.h). */
#ifndef STOA_CLI_RUN_SAID_H
#define STOA_CLI_RUN_SAID_H

#include <jansson.h>
#include <stoa/recipe.h>

#define CLI_RUN_RECORD "run.json"
#define CLI_RUN_RECIPE "recipe.ini"
enum { CLI_RECORD_VERSION = 1 };

/* The recipe's text and, as comments behind it, every key that it does not say with what holds then. From
 * malloc. */
char *cli_recipe_in_force(const stoa_recipe *recipe);

/* The folder of the run whose model.safetensors lies at this path, from malloc; NULL: another name. */
char *cli_run_of(const char *model);

/* What run.json of a folder says; NULL where there is none that can be read. */
json_t *cli_record_read(const char *folder);

#endif
