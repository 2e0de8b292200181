/* SPDX-License-Identifier: MIT */
/* Progress on a terminal: a training run's bar or another line; and a line an epoch for everyone. */
#ifndef STOA_CLI_PROGRESS_H
#define STOA_CLI_PROGRESS_H

#include <stdbool.h>

#include <stoa/train.h>

/* Seconds of a clock that only runs forward. */
double cli_now(void);

/* Choose what is shown: nothing when quiet; the bar only when stderr is a terminal. */
void cli_progress_start(bool quiet);

/* Show a step: redraws the bar a few times a second. */
void cli_progress_step(const stoa_progress *progress);

/* Show a finished epoch: one line on stdout. */
void cli_progress_epoch(const stoa_progress *progress);

/* Whether stderr is a terminal that can redraw a line. */
bool cli_progress_on_terminal(void);

/* Show a line in place of the one before; nothing elsewhere than on such a terminal. */
__attribute__((format(printf, 1, 2))) void cli_progress_line(const char *format, ...);

/* Take the bar or line off the terminal, before anything else is printed. */
void cli_progress_clear(void);

#endif
