/* SPDX-License-Identifier: MIT */
/* What a run says of itself: in facts of its model, and beside the model in recipe.ini, the recipe in force
 * with every key, and run.json, the command, the data, the settings, what it was made by and what it reached.
 *
 * The model's facts follow from recipe, data and seed alone, so that equal runs have equal bytes; what
 * differs from run to run, such as the command and the times, stands in run.json only. */
#ifndef STOA_CLI_RUN_RECORD_H
#define STOA_CLI_RUN_RECORD_H

#include "cli/run_said.h"
#include "cli/setup.h"
#include "report/run.h"
#include "report/words.h"

/* A run that this process makes, or goes on with. */
struct cli_record {
    json_t *json;
    char *recipe; /* text of recipe.ini */
    bool written;
};

/* What a run is begun with. */
struct cli_record_begin {
    const struct cli_subject *subject;
    const struct cli_setup *setup;
    const stoa_dataset *train, *test;
    const char *data; /* where they were found */
    const char *folder;
    bool resumed;
};

/* Collect it, and let the model's facts say what of it belongs to them. Release with cli_record_free().
 * CLI_DONE, or another code with the sentence printed. */
int cli_record_open(struct cli_record *record, const struct cli_record_begin *begin);
void cli_record_free(struct cli_record *record);

/* Let the model's facts say what the model of this epoch has reached. */
stoa_status cli_record_figures(stoa_model *model, const stoa_progress *progress);
/* The same for an epoch that the metrics of the run in `folder` know; those they do not know change
 * nothing. */
stoa_status cli_record_older_figures(stoa_model *model, const char *folder, size_t epoch);

/* Write both files into the folder. `state` is "running", "done", "stopped" or "patience"; with it go the
 * figures that the run's metrics have by now, unless it runs on. CLI_DONE, or another code with the sentence
 * printed. */
int cli_record_write(struct cli_record *record, const char *folder, const char *state);

/* Whether both files may be written into the folder: none of them is there, or a run's. CLI_DONE, or
 * CLI_WRONG with the sentence printed. */
int cli_record_check(const char *folder);

/* The recipe in force that a model holds; NULL where it holds none that can be read. */
stoa_recipe *cli_record_recipe(stoa_context *context, const stoa_model *model);
/* Every layer, and every key of [data] and [train] with its value in force, by the names of --set. */
json_t *cli_record_settings(stoa_context *context, const stoa_model *model);

#endif
