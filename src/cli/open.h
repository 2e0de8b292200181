/* SPDX-License-Identifier: MIT */
/* From words on the command line to a context, a recipe and a model. Every function prints its
 * sentence when it fails. */
#ifndef STOA_CLI_OPEN_H
#define STOA_CLI_OPEN_H

#include <stoa/recipe.h>

#include "cli/command.h"

/* What a command works on; cli_close() releases all of it, whatever of it is there. */
struct cli_subject {
    stoa_context *context;
    stoa_recipe *recipe;
    stoa_model *model;
    char *path;   /* of the model file or the recipe the model came from */
    bool quiet;   /* say nothing but errors */
    char **notes; /* the library's advice so far, printed or not */
    size_t note_count;
    const char *named; /* a path that sentences call "-"; NULL: none */
};

/* Make the context from --threads and the environment. The subject stays where it is until cli_close(). */
int cli_open_context(const struct cli_request *request, struct cli_subject *subject);

/* Read the recipe `name`, let it say what `settings` say instead (NULL: nothing), and build its model, not
 * initialised. */
int cli_open_recipe(const char *name, const struct cli_request *settings, struct cli_subject *subject);

/* Load a model file, or the model.safetensors of a run's folder; with `recipe` only its tensors, into that
 * network. */
int cli_open_model(const char *name, const char *recipe, struct cli_subject *subject);

/* Path of a model file, or of the model.safetensors of a run's folder, which is made whole first; NULL with
 * the sentence printed. From malloc. */
char *cli_model_path(const char *name);

/* True when the word means a model file or a run's folder, rather than a recipe. */
bool cli_means_model(const char *name);

void cli_close(struct cli_subject *subject);

#endif
