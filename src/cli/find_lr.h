/* SPDX-License-Identifier: MIT */
/* The learning rate range test of `stoa train --find-lr`. */
#ifndef STOA_CLI_FIND_LR_H
#define STOA_CLI_FIND_LR_H

#include "cli/open.h"

/* Whether --find-lr stands alone. CLI_DONE, or CLI_WRONG with the sentence printed. */
int cli_find_lr_check(const struct cli_request *request);

/* Try learning rates on the training data and print curve and suggestion; writes nothing. */
int cli_find_lr(const struct cli_request *request, const struct cli_subject *subject,
                const stoa_dataset *train);

#endif
