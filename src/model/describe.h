/* SPDX-License-Identifier: MIT */
/* The text of a model's graph and facts. Floor 6. */
#ifndef STOA_MODEL_DESCRIBE_H
#define STOA_MODEL_DESCRIBE_H

#include <stoa/model.h>

/* The JSON text of the graph and the facts, in the given format of model files; release with free().
 * Errors: STOA_ERR_ARGUMENT (a fact that is not UTF-8), STOA_ERR_MEMORY. */
stoa_status stoa_describe_model(const stoa_model *model, int format, char **text);

#endif
