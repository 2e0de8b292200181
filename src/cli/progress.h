/* Progress of a training run: a bar on a terminal, a line an epoch for everyone. */
#ifndef STOA_CLI_PROGRESS_H
#define STOA_CLI_PROGRESS_H

#include <stdbool.h>

#include <stoa/train.h>

/* Choose what is shown: nothing when quiet; the bar only when stderr is a terminal. */
void cli_progress_start(bool quiet);

/* Show a step: redraws the bar a few times a second. */
void cli_progress_step(const stoa_progress *progress);

/* Show a finished epoch: one line on stdout. */
void cli_progress_epoch(const stoa_progress *progress);

/* Take the bar off the terminal, before anything else is printed. */
void cli_progress_clear(void);

#endif
