/* The engine's threads: one parallel loop over numbered tasks. The only file that knows OpenMP is threads.c. Floor 3. */
#ifndef STOA_CORE_THREADS_H
#define STOA_CORE_THREADS_H

#include <stddef.h>

#include "core/context.h"

/* Run work(argument, task, thread) for every task in [0, tasks). `thread` < stoa_context's threads names private scratch;
 * what a task computes must not depend on it. Tasks run in any order. Inside another parallel region, after a fork and with
 * one thread everything runs in the calling thread, as thread 0. */
typedef void stoa_task_fn(void *argument, size_t task, size_t thread);
void stoa_parallel(const stoa_context *context, size_t tasks, stoa_task_fn *work, void *argument);

/* CPUs this process may use. */
size_t stoa_cpu_count(void);

/* Between enter and leave the engine may call the BLAS; the caller's thread settings come back with the last leave. */
void stoa_region_enter(void);
void stoa_region_leave(void);

#endif
