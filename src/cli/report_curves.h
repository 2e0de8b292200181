/* SPDX-License-Identifier: MIT */
/* Curves of runs in the terminal, as SVG files and as a table. */
#ifndef STOA_CLI_REPORT_CURVES_H
#define STOA_CLI_REPORT_CURVES_H

#include "cli/command.h"

/* What --text, --svg and --csv ask for, of operands that are folders of runs. CLI_DONE, or another code
 * with the sentence printed. */
int cli_report_curves(const struct cli_request *request);

/* What each operand is called: the last part of its path, or where two would have the same name all of it.
 * All from malloc. */
char **cli_run_names(const struct cli_request *request);

#endif
