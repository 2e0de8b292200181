/* SPDX-License-Identifier: MIT */
/* The text of a model's graph and facts. */
#ifndef STOA_MODEL_DESCRIBE_H
#define STOA_MODEL_DESCRIBE_H

#include <jansson.h>

#include "model/graph.h"

/* What bits of results follow from beside graph and data: "version", "isa", "blas", ... False without
 * memory. */
bool stoa_describe_build(const stoa_context *context, json_t *build);

/* The JSON text of the graph, the model's facts and, unless it is NULL, those of its training, in the oldest
 * format of model files that says all of it; release with free(). Errors: STOA_ERR_ARGUMENT (a fact that is
 * not UTF-8), STOA_ERR_MEMORY. */
stoa_status stoa_describe_model(const stoa_model *model, const struct stoa_fact *training,
                                size_t training_count, char **text);

#endif
