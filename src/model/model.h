/* SPDX-License-Identifier: MIT */
/* What the floor's own files, the trainer and recipes need of a model beyond the public functions. */
#ifndef STOA_MODEL_MODEL_H
#define STOA_MODEL_MODEL_H

#include <stoa/model.h>

/* The context the model was made from: where its errors go. */
stoa_context *stoa_model_context(const stoa_model *model);

/* What error sentences call the model: the file it is from, or "the model". */
const char *stoa_model_name(const stoa_model *model);
/* Let it be called so; copied. Errors: STOA_ERR_MEMORY. */
stoa_status stoa_model_set_name(stoa_model *model, const char *name);

/* The first layer that no later layer reads and that is no output: building refuses it, for it would train
 * nothing. The number of layers when there is none. */
size_t stoa_model_unread_layer(const stoa_model *model);

/* Whether a layer reads the first input. Errors: STOA_ERR_ARGUMENT. */
struct stoa_error;
stoa_status stoa_model_check_read(const stoa_model *model, struct stoa_error *error);

#endif
