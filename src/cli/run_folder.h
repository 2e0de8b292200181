/* SPDX-License-Identifier: MIT */
/* The folder of a training run: its model and its metrics, which belong together whenever and however the
 * run ends.
 * And its checkpoints, from which it can be continued.
 *
 * The folder is locked while the run goes on. With --force an older run's files stay until the first
 * new epoch is saved; an epoch that cannot be saved waits in memory for the next one to be. run_files.h
 * says how an epoch is committed. */
#ifndef STOA_CLI_RUN_FOLDER_H
#define STOA_CLI_RUN_FOLDER_H

#include <stoa/train.h>

#include "cli/command.h"

struct cli_run_folder {
    char *path;
    char *model, *model_new, *metrics, *timings; /* the files in it */
    int descriptor, lock;
    size_t made;     /* length of the first part of the path that this run made; 0: none */
    bool committed;  /* an epoch is saved */
    char *waiting;   /* lines of metrics that are not in their file yet; NULL: none */
    char *timing;    /* lines of times that wait for them; NULL: none */
    size_t settled;  /* so many of the bytes that wait belong to the model in the folder */
    bool model_due;  /* and the rest to one that is not there yet */
    bool again;      /* they have been tried to be put in their place */
    size_t saved;    /* last epoch that is saved; 0: none */
    size_t keep;     /* so many checkpoints stay */
    bool older;      /* the checkpoints in the folder are an older run's */
    bool checkpoint; /* there is one of this run */
    bool stale;      /* of a continued run: the model may be that of an epoch that is made again */
    bool rewrite;    /* the lines that wait are all there are */
};

enum { CLI_RUN_SENTENCE = 1024 };

/* Make the folder, or take the one given with --out, lock it, and finish what a killed run has left
 * there. CLI_DONE, or CLI_WRONG with the sentence printed and nothing left behind. `name` is the
 * recipe's. */
int cli_run_folder_open(const struct cli_request *request, const char *name, struct cli_run_folder *folder);

/* Save a line of metrics, and the model unless an older one is to be kept. Where that fails, training
 * goes on: a warning is printed, and the next epoch or cli_run_folder_finish() tries again. */
void cli_run_folder_epoch(struct cli_run_folder *folder, stoa_context *context, stoa_model *model,
                          const stoa_progress *progress, bool keep_older);

/* After the last epoch, `epoch`, with the model that is to be saved: try again what has failed. CLI_DONE
 * when all is in the folder, or CLI_FAILED with a sentence that says what is. */
int cli_run_folder_finish(struct cli_run_folder *folder, stoa_context *context, stoa_model *model,
                          size_t epoch);

/* Save the state of `trainer` as the newest checkpoint, unless epochs before it wait to be saved. CLI_DONE,
 * or CLI_FAILED with `sentence`, which is empty where epochs wait. */
int cli_run_folder_checkpoint(struct cli_run_folder *folder, stoa_context *context, stoa_trainer *trainer,
                              char sentence[CLI_RUN_SENTENCE]);

/* Take the folder given with --resume: as cli_run_folder_open(). */
int cli_run_folder_continue(const struct cli_request *request, struct cli_run_folder *folder);

/* Go on from a checkpoint with so many whole epochs: later lines of metrics stay until the next epoch takes
 * their place. CLI_DONE, or CLI_FAILED with `sentence` where lines before it are missing. */
int cli_run_folder_go_on(struct cli_run_folder *folder, size_t epochs, char sentence[CLI_RUN_SENTENCE]);

/* Unlock and release; removes what this run made when nothing was saved. */
void cli_run_folder_close(struct cli_run_folder *folder);

#endif
