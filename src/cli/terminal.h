/* SPDX-License-Identifier: MIT */
/* The terminal that drawings go to. */
#ifndef STOA_CLI_TERMINAL_H
#define STOA_CLI_TERMINAL_H

#include "report/text.h"

/* How to draw on the standard output: as wide as its terminal, or 80 columns, with dots and colours where the
 * environment says that they are shown. */
struct report_terminal cli_terminal(void);

#endif
