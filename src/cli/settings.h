/* SPDX-License-Identifier: MIT */
/* What --set says: a key of a recipe with one value, or with several for a grid. */
#ifndef STOA_CLI_SETTINGS_H
#define STOA_CLI_SETTINGS_H

#include <stoa/recipe.h>

#include "cli/command.h"

struct cli_setting {
    char *key;
    char **values;
    size_t count; /* of the values, at least 1 */
};
struct cli_settings {
    struct cli_setting *list;
    size_t count;
};

/* Read all --set of a request: KEY=VALUE, or KEY=VALUE,VALUE,... A value in double quotes keeps its
 * commas, as in a CSV file. CLI_DONE, or CLI_WRONG with the sentence printed; release with
 * cli_settings_free() either way. */
int cli_settings_read(const struct cli_request *request, struct cli_settings *settings);
void cli_settings_free(struct cli_settings *settings);

/* How many combinations of the values there are; SIZE_MAX where they cannot be counted. */
size_t cli_settings_combinations(const struct cli_settings *settings);
/* The value of setting `index` in a combination: the last setting changes fastest. */
const char *cli_settings_value(const struct cli_settings *settings, size_t combination, size_t index);

/* Let the recipe say what the options of a request say that stand for keys, and its --set, of whose values
 * it has the combination request->combination. CLI_DONE, or another code with the sentence printed. */
int cli_settings_apply(const struct cli_request *request, stoa_context *context, stoa_recipe *recipe);

/* A setting with one value as a word for --set, from malloc. */
char *cli_settings_word(const char *key, const char *value);

#endif
