/* SPDX-License-Identifier: MIT */
/* The mistakes of a model as a folder of pictures: `stoa eval --wrong`. */
#ifndef STOA_CLI_EVAL_WRONG_H
#define STOA_CLI_EVAL_WRONG_H

#include "cli/open.h"

/* Whether the folder may be made, or with `force` be replaced. CLI_DONE, or CLI_WRONG with the sentence
 * printed. */
int cli_wrong_check(const char *folder, bool force);

/* Ask the model about all of `data`, whose normalisation is undone, and write what it is wrong about: a PNG a
 * sample, LABEL_ANSWER_INDEX.png, and index.csv with a line for each. The folder is whole or not there.
 * `*count` is how many there are. CLI_DONE, or another code with the sentence printed. */
int cli_wrong_write(const struct cli_subject *subject, stoa_dataset *data, const char *folder, size_t *count);

#endif
