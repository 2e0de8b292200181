/* SPDX-License-Identifier: MIT */
/* How a model was trained, as its facts and the run.json beside it say. */
#ifndef STOA_CLI_INFO_RUN_H
#define STOA_CLI_INFO_RUN_H

#include <jansson.h>

#include "cli/open.h"

/* Lines for people: command, data, training and figures; none of what is not known. */
void cli_info_run_print(const struct cli_subject *subject);
/* The same as JSON: "settings", every key of [data] and [train] in force, and "run", what run.json says. */
void cli_info_run_json(const struct cli_subject *subject, json_t *report);

#endif
