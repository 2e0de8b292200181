/* The folder of a training run: its model, its metrics, and nothing of either until the first epoch is
 * complete.
 *
 * metrics.jsonl is written under the name metrics.jsonl.new until then, so that with --force an older run's
 * files are there until a new epoch can take their place; afterwards each line is appended and synced. */
#ifndef STOA_CLI_RUN_FOLDER_H
#define STOA_CLI_RUN_FOLDER_H

#include <stoa/train.h>

#include "cli/command.h"

struct cli_run_folder {
    char *path;
    char *model, *metrics, *metrics_new, *interrupted; /* the files in it */
    int metrics_file;
    size_t made;    /* length of the first part of the path that this run made; 0: none */
    bool committed; /* an epoch is complete */
};

/* Make the folder, or take the one given with --out, and find out whether it can be written. CLI_DONE, or
 * CLI_WRONG with the sentence printed and nothing left behind. `name` is the recipe's. */
int cli_run_folder_open(const struct cli_request *request, const char *name, struct cli_run_folder *folder);

/* Save a line of metrics, and the model unless an older one is to be kept. CLI_DONE, or CLI_FAILED with the sentence printed. */
int cli_run_folder_epoch(struct cli_run_folder *folder, stoa_context *context, stoa_model *model,
                         const stoa_progress *progress, bool keep_older);

/* Save the parameters of the moment as interrupted.safetensors. CLI_DONE, or CLI_FAILED with the sentence
 * printed. */
int cli_run_folder_interrupted(struct cli_run_folder *folder, stoa_context *context, stoa_model *model);

/* Release; removes what this run made when no epoch was completed and nothing was saved. */
void cli_run_folder_close(struct cli_run_folder *folder);

#endif
