/* SPDX-License-Identifier: MIT */
/* Runs as curves over their epochs, and as rows of a table for other programs. */
#ifndef STOA_REPORT_CURVES_H
#define STOA_REPORT_CURVES_H

#include "report/chart.h"
#include "report/run.h"

struct report_named_run {
    const char *name;
    const struct report_run *run;
    size_t number; /* its colour and its group in the drawings, from 1 */
};

/* The charts that the runs have lines for, each handed to take(): loss, accuracy, learning rate, images
 * per second; their ids are "loss", "accuracy", "rate" and "speed". A run that is `alone` shows test,
 * validation and training in colours of their own; beside others each has its own colour, its first of
 * these strong and the others faint, and `mixed` is true where there are such. What cannot be drawn for
 * want of memory marks `out` as failed. */
typedef void report_take_chart(void *user, const struct report_chart *chart, bool mixed);
void report_curves(struct report_out *out, const struct report_named_run *runs, size_t count, bool alone,
                   report_take_chart *take, void *user);

/* Rows of comma-separated values (RFC 4180) for every run, metric and epoch that has a finite value:
 * Run,Tag,Wall time,Step,Value. The last three are the columns of what TensorBoard downloads: seconds
 * since 1970, the epoch, and the number; a tag is the metric's key in metrics.jsonl. A wall time that is
 * not known is empty. */
void report_csv(struct report_out *out, const struct report_named_run *runs, size_t count);

#endif
