/* SPDX-License-Identifier: MIT */
/* The range of values that a model was trained on, and other data's against it. Every function prints its
 * sentence when it fails. */
#ifndef STOA_CLI_RANGE_H
#define STOA_CLI_RANGE_H

#include "cli/data.h"

/* Let the facts of the model say which range its training data have: "data.range" with the smallest and the
 * largest value, and "data.white" with the value of white, where the data are pictures and it is known. */
int cli_keep_range(const struct cli_subject *subject, const stoa_dataset *train);

/* Say so where mean and deviation are plainly those of pixels from 0 to 1, but white is larger in the
 * training data. */
void cli_note_scales(const struct cli_subject *subject, const struct cli_facts *facts);

/* What pixels from 0 to 1 are to be multiplied by, so that they are what the model was trained on. `file`
 * begins the sentence where that cannot be known. */
int cli_pixel_scale(const struct cli_subject *subject, const struct cli_facts *facts, const char *file,
                    float *scale);

/* The same for the values of a data set; those that are no pixels are taken as they are, or refused where
 * they have plainly another range than the training data. */
int cli_value_scale(const struct cli_subject *subject, const struct cli_facts *facts, const char *file,
                    const stoa_dataset *data, float *scale);

#endif
