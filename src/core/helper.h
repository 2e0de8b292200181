/* SPDX-License-Identifier: MIT */
/* A thread beside the engine's: it works on numbered tasks while its owner does something else, and the owner
 * takes part in what is left when it needs the result. */
#ifndef STOA_CORE_HELPER_H
#define STOA_CORE_HELPER_H

#include "core/threads.h"

struct stoa_helper;

/* Start a helper for `context`. With one thread, with the host's own threads and where the system gives no
 * other, the owner does all the work in stoa_helper_finish(). NULL with the error set: no memory. */
struct stoa_helper *stoa_helper_create(stoa_context *context);

/* Begin work(argument, task, thread) for every task in [0, tasks); `thread`, 0 or 1, names private scratch.
 * Nothing may be under way. A task must not use the engine's threads. */
void stoa_helper_begin(struct stoa_helper *helper, size_t tasks, stoa_task_fn *work, void *argument);

/* Help until all tasks have ended. */
void stoa_helper_finish(struct stoa_helper *helper);

/* Drop what has not begun, wait for what has, and release. NULL is allowed. */
void stoa_helper_free(struct stoa_helper *helper);

#endif
