/* SPDX-License-Identifier: MIT */
/* The lock of a run's folder: one training at a time, and none left locked by a run that was killed.
 *
 * It is a record lock on the file .stoa-lock in the folder: the kernel releases it when its process
 * ends, however it ends, and knows whose it is. */
#ifndef STOA_CLI_RUN_LOCK_H
#define STOA_CLI_RUN_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#define CLI_RUN_LOCK ".stoa-lock"

/* Lock the folder open as `folder`. Returns a descriptor for cli_run_lock_release(), or -1 with errno:
 * EBUSY when another process has it, whose number is then in *holder (0: not known), ENOENT when the
 * folder is gone. Where the file system has no locks the folder counts as locked. */
int cli_run_lock_take(int folder, pid_t *holder);

/* Whether another process holds the lock, and its number (0: not known) in *holder. Changes nothing. */
bool cli_run_lock_held(int folder, pid_t *holder);

/* Unlock, and remove the file. */
void cli_run_lock_release(int folder, int lock);

#endif
