/* SPDX-License-Identifier: MIT */
/* What the measurements of the machine share. */
#ifndef STOA_CORE_MACHINE_H
#define STOA_CORE_MACHINE_H

#include <sched.h>
#include <stdbool.h>
#include <stoa/machine.h>

#include "core/context.h"
#include "core/threads.h"

enum { STOA_MOST_THREADS = 256 }; /* of a context */

/* Seconds given to a measurement, checked; `what` begins the error sentence. */
stoa_status stoa_check_seconds(stoa_context *context, const char *what, double seconds);

/* A context with the same settings and `threads` threads of its own, so that exactly as many take part.
 * Memory, errors and scratch stay with the context it was made from: a larger team needs scratch of its own
 * before its first loop. */
void stoa_team_open(const stoa_context *context, size_t threads, stoa_context *team);
void stoa_team_close(stoa_context *team);

/* Least seconds that work(argument) takes on a team, one task a thread, in rounds until the time is over. */
double stoa_best_time(const stoa_context *team, double seconds, stoa_task_fn *work, void *argument);

/* Numbers of either sign around 1: no zeros or denormals to be fast or slow with. */
void stoa_fill(float *x, size_t count);

/* CPUs a control group may use, from the text of its files; negative: no limit, or the text is not
 * understood. */
double stoa_quota_v2(const char *cpu_max);
double stoa_quota_v1(const char *quota, const char *period);

/* The least quota on the way up from the process's groups. `root` is where control groups are mounted,
 * `membership` the text of /proc/self/cgroup. Negative: no limit. */
double stoa_quota_find(const char *root, const char *membership);

/* That of this process. */
double stoa_quota(void);

/* As many threads as keep `cpus` CPUs and a quota (negative: none) busy, a part of a CPU counting as a
 * whole. */
size_t stoa_threads_within(size_t cpus, double quota);

/* CPUs in the set that `get`, which is sched_getaffinity() or stands for it, fills, however many the machine
 * has; 0 when it fails. */
typedef int stoa_affinity_fn(pid_t process, size_t bytes, cpu_set_t *set);
size_t stoa_affinity_count(stoa_affinity_fn *get);

/* The value of the first line "NAME : VALUE" of a text like /proc/cpuinfo, cut to fit; "" when there is none.
 */
void stoa_cpuinfo_value(const char *text, const char *name, char *value, size_t bytes);

/* The word in brackets of a text like "always [madvise] never", cut to fit; "" when there is none. */
void stoa_chosen_word(const char *text, char *value, size_t bytes);

#endif
