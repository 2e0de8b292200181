/* SPDX-License-Identifier: MIT */
/* What a training begins with: the options of the recipe and of the command line, the loss, first weights. */
#ifndef STOA_CLI_SETUP_H
#define STOA_CLI_SETUP_H

#include <jansson.h>

#include "cli/data.h"

struct cli_setup {
    stoa_train_options options;
    char *name;   /* the recipe's */
    json_t *init; /* what --init has taken, see init.h; NULL: it was not asked for */
};

/* Set all of it up for the model of a recipe, with what fits of the model `init` (NULL: none) by the
 * names of the file `map` (NULL: their own), and see whether stoa_train() would begin: nothing is written.
 * CLI_DONE, or another code with the sentence printed; release with cli_setup_free() either way. */
int cli_setup_open(const char *init, const char *map, const struct cli_subject *subject,
                   const stoa_dataset *train, const stoa_dataset *test, struct cli_setup *setup);
void cli_setup_free(struct cli_setup *setup);

/* A fact that is a number. */
stoa_status cli_set_number(stoa_model *model, const char *key, uint64_t value);

#endif
