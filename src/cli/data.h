/* SPDX-License-Identifier: MIT */
/* A model's data from the command line's words. Every function prints its sentence when it fails. */
#ifndef STOA_CLI_DATA_H
#define STOA_CLI_DATA_H

#include <stoa/model_data.h>

#include "cli/open.h"

/* A fact that is a text, or with NULL none. Facts are UTF-8; the name and the text of a file need not be, and
 * the first save would be late to find out. */
stoa_status cli_set_text(stoa_model *model, const char *key, const char *value);

/* Let --layout and --resize stand in for what the recipe or the model says. */
int cli_choose_reading(const struct cli_request *request, const struct cli_subject *subject);

/* The library's sentence, with the option in the place of the key that a recipe would have; returns the exit
 * status. */
int cli_fail_reading(const struct cli_subject *subject, stoa_status status);

/* Whether a path means digits that are drawn. */
bool cli_is_drawn(const char *path);

/* A path of data that holds from any folder: absolute, but for digits that are drawn. From malloc. */
char *cli_data_place(const char *path);

/* Open the data at `path` (NULL: those that the model was trained on, or the set that it names), normalised
 * as the model wants it. With `train` the model is to be trained: what the data show becomes facts of it.
 * `train` may be NULL: not wanted; with `all` data without a test part are not divided then. `from` may be
 * NULL, or gets the path of the data, from malloc. */
int cli_open_data(const struct cli_subject *subject, const char *path, bool all, stoa_dataset **train,
                  stoa_dataset **test, char **from);

#endif
