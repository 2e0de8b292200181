/* SPDX-License-Identifier: MIT */
/* Stopping a run from outside, of the command and of the bench. */
#ifndef STOA_CLI_SIGNALS_H
#define STOA_CLI_SIGNALS_H

/* A reader that leaves and a file that may not grow are errors of a write, which says so; they must not
 * kill. */
void cli_ignore_signals(void);

/* From now on the first SIGINT or SIGTERM is only noted, for the run to end after its step; the second
 * one kills, should that step never end. */
void cli_listen_for_signals(void);

/* The signal that asked to stop; 0: none. */
int cli_stop_signal(void);

#endif
