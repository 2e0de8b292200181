/* SPDX-License-Identifier: MIT */
/* What a run writes, and the one moment at which an epoch counts: the renaming of its model.
 *
 * A model and its lines of metrics first lie whole and synced under names that end in .new, the model
 * first. Then the model is renamed; from that moment on the epoch is done, and the lines that wait are put
 * where they belong. So what a process that was killed has left tells itself how to go on: lines that wait
 * beside a model that waits were not done and go, and lines that wait alone were done and are put in their
 * place.
 *
 * All of it happens in a folder that is open and locked (run_lock.h). */
#ifndef STOA_CLI_RUN_FILES_H
#define STOA_CLI_RUN_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_RUN_MODEL "model.safetensors"
#define CLI_RUN_METRICS "metrics.jsonl"
#define CLI_RUN_TIMING "timing.jsonl"
#define CLI_RUN_MODEL_NEW CLI_RUN_MODEL ".new"
#define CLI_RUN_METRICS_NEW CLI_RUN_METRICS ".new"

/* Write the lines that belong to the model that waits. 0, or -1 with errno and nothing left of them. */
int cli_run_write_lines(int folder, const char *lines);

/* Rename the model that waits, from which moment on the lines that wait count, and put them in their
 * place. 0, or -1 with errno; *counts tells whether the model has been renamed. */
int cli_run_commit(int folder, const char *lines, bool again, bool *counts);

/* Put the lines that wait in their place, those that begin with the first epoch over all others. 0, or -1
 * with errno: they wait on, to be settled `again`. */
int cli_run_settle(int folder, const char *lines, bool again);

/* Append lines that need no model. 0, or -1 with errno: to be appended `again`, which takes out first
 * what is there of them. */
int cli_run_append(int folder, const char *lines, bool again);

/* Put lines, of which the first is of the first epoch, in the place of all there are. 0, or -1 with errno and
 * all as it was. */
int cli_run_replace(int folder, const char *lines);

/* The lines of metrics of the first so many epochs, from malloc; *more tells whether others follow. NULL with
 * errno, ENODATA where there are fewer. */
char *cli_run_read_lines(int folder, size_t epochs, bool *more);

/* Append lines of times in the place of those of their epochs and of later ones, an older run's among them.
 * Nothing depends on these: they are not synced. 0, or -1 with errno. */
int cli_run_append_timing(int folder, const char *lines);

/* Remove what waits and does not count. */
int cli_run_discard(int folder);

/* Finish or take back what an earlier process began, and remove its temporary files. 0, or -1 with errno. */
int cli_run_recover(int folder);

/* The same for those that only read a run: nothing happens where there is nothing to finish, where a run
 * is going on and where the folder cannot be written. */
void cli_run_recover_unlocked(const char *path);

/* Call `visit` with every name in the folder but "." and ".." until it says false. 0: with all; 1: it
 * said so; -1 with errno. */
int cli_run_visit(int folder, bool (*visit)(int folder, const char *name, void *user), void *user);

/* Let the names in the folder last through a power cut; errno stays. */
void cli_run_sync(int folder);

/* Whether the folder holds nothing but what killed runs leave before their first epoch. False with errno
 * set when it cannot be read, else with errno 0. */
bool cli_run_is_vacant(int folder);

#endif
