/* SPDX-License-Identifier: MIT */
/* What the floor's own files, the trainer and recipes need of a model beyond the public functions. Floor 6.
 */
#ifndef STOA_MODEL_MODEL_H
#define STOA_MODEL_MODEL_H

#include <stoa/model.h>

/* The context the model was made from: where its errors go. */
stoa_context *stoa_model_context(const stoa_model *model);

/* The first layer that no later layer reads, the last one aside: building refuses it, for it would train
 * nothing. The number of layers when there is none. */
size_t stoa_model_unread_layer(const stoa_model *model);

#endif
