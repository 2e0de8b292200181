/* What writing and reading model files share. Floor 6. */
#ifndef STOA_MODEL_MODEL_FILE_H
#define STOA_MODEL_MODEL_FILE_H

#include <stddef.h>

#include <stoa/model.h>

/* Raised when a file that an older reader would misunderstand is written. */
enum { STOA_MODEL_FORMAT = 1 };

/* Metadata key of the JSON string with the graph and the facts. */
#define STOA_MODEL_KEY "stoa"

/* Trainable parameters that the layers ask for, known before a model is built; SIZE_MAX when they overflow.
 */
size_t stoa_model_layer_parameters(const stoa_model *model);

/* STOA_ERR_ARGUMENT for a model that is not built. */
stoa_status stoa_model_check_built(const stoa_model *model);

#endif
