/* SPDX-License-Identifier: MIT */
/* The checkpoints of a run: files of the whole state of a training, named by the steps it had made.
 *
 * A checkpoint is whole from the moment on in which it has its name, and older ones are removed only behind
 * that. The first one that a run writes over an older run's is named checkpoint-STEP.safetensors.new at
 * first: where such a file is, no other checkpoint of the folder counts any more. */
#ifndef STOA_CLI_RUN_CHECKPOINT_H
#define STOA_CLI_RUN_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include <stoa/train.h>

enum { CLI_CHECKPOINTS_KEPT = 2 }; /* unless --keep says otherwise */

/* How often within an epoch: "30s", "5m", "2h" or steps such as "500"; NULL: every 5 minutes. CLI_DONE, or
 * CLI_WRONG with the sentence printed. */
int cli_checkpoint_rhythm(const char *text, stoa_train_callbacks *callbacks);

/* Steps of the checkpoints in the open folder, the newest first: an array from malloc of `*count`. NULL with
 * errno where the folder cannot be read or there is no memory. */
uint64_t *cli_checkpoints_list(int folder, size_t *count);

/* "PATH/checkpoint-STEP.safetensors", from malloc. */
char *cli_checkpoint_path(const char *path, uint64_t step);

/* Save the state of `trainer` into the folder open as `folder`, which lies at `path`, then remove what is
 * not among the newest `keep`, and what an earlier process has left of later steps; with *alone all others,
 * and *alone is false once that is done. STOA_OK, or a status with the library's sentence and all others as
 * they were; *step is told either way. */
stoa_status cli_checkpoint_save(int folder, const char *path, stoa_trainer *trainer, size_t keep, bool *alone,
                                uint64_t *step);

/* Remove all checkpoints. 0, or -1 with errno. */
int cli_checkpoints_remove(int folder);

/* Let the checkpoint that a killed run left alone count, if there is one. 0, or -1 with errno. */
int cli_checkpoints_recover(int folder);

#endif
