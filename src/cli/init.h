/* SPDX-License-Identifier: MIT */
/* First weights from another model: `stoa train --init MODEL`. */
#ifndef STOA_CLI_INIT_H
#define STOA_CLI_INIT_H

#include <jansson.h>

#include "cli/open.h"

/* Take what fits of the model file or run's folder `name`, by the mapping in the file `map` (NULL: none),
 * which is written, with a suggestion and a sentence, where it is not there: then CLI_FAILED. CLI_DONE, and
 * `*told` is what was taken and what was not, to be released; or another code, mostly without it, with the
 * sentence printed. */
int cli_init_model(const char *name, const char *map, const struct cli_subject *subject, json_t **told);

/* Print what was told as lines for people. */
void cli_init_print(const json_t *told);

#endif
