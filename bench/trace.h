/* SPDX-License-Identifier: MIT */
/* Some steps of a run in Chrome's trace event format, which Perfetto and chrome://tracing show. */
#ifndef STOA_BENCH_TRACE_H
#define STOA_BENCH_TRACE_H

#include "bench/bench.h"
#include "bench/watch.h"

/* Run some steps of `one` with the watch open, and add their events to those of --trace as a process called
 * `name`. */
void bench_trace_add(struct bench *bench, const char *name, const struct bench_case *one,
                     struct bench_watch *watch);
/* Write --trace, where it is given, whole or not at all. CLI_DONE, or CLI_FAILED, the sentence printed. */
int bench_trace_write(const struct bench *bench);

#endif
