/* SPDX-License-Identifier: MIT */
/* How far a run is and how long it will still take, on the last line of a terminal; nothing elsewhere. One
 * process has one terminal, so there is one line. */
#ifndef STOA_BENCH_PROGRESS_H
#define STOA_BENCH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* Begin what takes so many steps of about the same time; `stage` names it and outlives it. */
void bench_progress_begin(const char *stage, size_t steps);

/* The step after `done` others begins: its name. Its timings, of which it has so many, fill it one after the
 * other. */
__attribute__((format(printf, 3, 4))) void bench_progress_step(size_t done, size_t timings,
                                                               const char *format, ...);

/* How far the timing that runs is, from 0 to 1, where it ends: the harness says so between repetitions. */
void bench_progress_within(double share);

/* Say the share of all steps directly, from 0 to 1, and what is done now. */
__attribute__((format(printf, 2, 3))) void bench_progress_show(double share, const char *format, ...);

/* Take the line off before anything else is printed; the next step or timing brings it back. */
void bench_progress_clear(void);

/* Nothing is measured any more. */
void bench_progress_end(void);

#endif
