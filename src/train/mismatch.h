/* SPDX-License-Identifier: MIT */
/* Data whose samples or classes are not those of a model: what is found, and the lines of a recipe that fit.
 */
#ifndef STOA_TRAIN_MISMATCH_H
#define STOA_TRAIN_MISMATCH_H

#include "train/data_facts.h"

/* Whether the model takes the samples of `data` and gives a number a class. `what` names the data. Errors:
 * STOA_ERR_SHAPE; of a model from a recipe the sentence begins with FILE:LINE and says what to write. */
stoa_status stoa_mismatch_check(stoa_context *context, const stoa_dataset *data, const char *what,
                                const stoa_model *model);

/* The data at `path` were refused with `status`: look at them again as they are, and where shape or classes
 * are others than the model's, let the sentence say so. Returns `status`, or STOA_ERR_SHAPE. */
stoa_status stoa_mismatch_explain(const struct stoa_data_facts *facts, const char *path, stoa_status status);

#endif
