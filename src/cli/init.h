/* SPDX-License-Identifier: MIT */
/* First weights from another model: `stoa train --init MODEL`. */
#ifndef STOA_CLI_INIT_H
#define STOA_CLI_INIT_H

#include "cli/open.h"

/* Take what fits of the model file or run's folder `name`. CLI_DONE, and `*told` are lines for people that list
 * what does not, from malloc; or another code with the sentence printed. */
int cli_init_model(const char *name, const struct cli_subject *subject, char **told);

#endif
