/* SPDX-License-Identifier: MIT */
/* The engine's threads: one parallel loop over numbered tasks. */
#ifndef STOA_CORE_THREADS_H
#define STOA_CORE_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/context.h"

/* Run work(argument, task, thread) for every task in [0, tasks). `thread` < the context's threads names
 * private scratch; what a task computes must not depend on it. Each thread begins with its own range of the
 * numbers, in order: loops over the same things in the same order find them in their caches. Each thread has
 * its own stoa_scratch(). Called from inside a task, after a fork and with one thread everything runs in the
 * calling thread. */
typedef void stoa_task_fn(void *argument, size_t task, size_t thread);
void stoa_parallel(const stoa_context *context, size_t tasks, stoa_task_fn *work, void *argument);

/* CPUs that the process's affinity allows, at least 1. */
size_t stoa_cpu_count(void);

/* Those, or fewer where the process's control group has a quota of CPU time: as many as can be busy, at least
 * 1. */
size_t stoa_default_threads(void);

/* Start a thread that leaves the program's signals to the program's own threads, with a stack of 1 MiB
 * whatever the limits of the process are. One that computes calls stoa_float_enter() first. False when the
 * system gives none. */
bool stoa_thread_start(pthread_t *thread, void *(*work)(void *), void *argument);

/* Stop and release a context's threads; NULL is allowed. */
void stoa_pool_free(struct stoa_pool *pool);

#endif
