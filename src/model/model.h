/* What the floor's own files and the trainer need of a model beyond the public functions. Floor 6. */
#ifndef STOA_MODEL_MODEL_H
#define STOA_MODEL_MODEL_H

#include <stoa/model.h>

/* The context the model was made from: where its errors go. */
stoa_context *stoa_model_context(const stoa_model *model);

#endif
