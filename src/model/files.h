/* SPDX-License-Identifier: MIT */
/* What the two halves of model files share: graph and tensors of a file, held against a model. */
#ifndef STOA_MODEL_FILES_H
#define STOA_MODEL_FILES_H

#include <stoa/model.h>

#include "model/json.h"
#include "model/safetensors.h"
#include "model/tensor_groups.h"

/* Raised when a file that an older reader would misunderstand is written: models of one input and one output,
 * and those whose inputs and outputs have names. */
enum { STOA_MODEL_FORMAT = 1, STOA_MODEL_FORMAT_PORTS = 2 };

/* The key of the metadata whose text is the graph. */
#define STOA_MODEL_KEY "stoa"

/* Trainable parameters that the layers ask for, known before a model is built. The largest number when they
 * overflow. */
size_t stoa_model_layer_parameters(const stoa_model *model);

/* STOA_ERR_ARGUMENT with a sentence unless the model is built. */
stoa_status stoa_model_check_built(const stoa_model *model);

/* Make a model file of a built model from groups of tensors, and, in the file of a training's state, with the
 * facts of the training and a checksum; release with stoa_buffer_free(). */
stoa_status stoa_model_write(const stoa_model *model, const struct stoa_tensor_group *groups, size_t count,
                             const struct stoa_fact *training, size_t facts, void **data, size_t *bytes);

/* Put what was made, if `status` says so, under its path, and release it; sentences begin with the path. */
stoa_status stoa_model_write_file(stoa_context *context, const char *path, stoa_status status, void *data,
                                  size_t bytes);

/* The key of the graph under which a training's facts stand; a file without it is a model alone. */
#define STOA_TRAINING_KEY "training"

/* The graph of a file as JSON, to be released by the caller. Errors: STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_model_read_graph(stoa_context *context, const struct stoa_safetensors *file, json_t **graph);

/* Whether a file has every tensor of a built model, under its name or behind what PyTorch's wrappers put in
 * front of all names, with its shape and in a type that becomes float32, and no other. Nothing is changed;
 * `*prefix` is what stoa_state_copy() needs. Errors: STOA_ERR_FORMAT, STOA_ERR_SHAPE. */
struct stoa_state_prefix {
    const char *text; /* of the file */
    size_t bytes;
};
stoa_status stoa_state_check(const stoa_model *model, const struct stoa_safetensors *file,
                             struct stoa_state_prefix *prefix);

/* Take from a file what fits a built model by name and shape, and tell of all tensors; `training`: the file
 * holds a training's state, whose own tensors are passed over. Errors: STOA_ERR_FORMAT, STOA_ERR_SHAPE
 * (nothing fits), STOA_ERR_MEMORY, and nothing is changed. */
stoa_status stoa_state_match(stoa_model *model, const struct stoa_safetensors *file, bool training,
                             stoa_match_fn *tell, void *user);

/* Copy the tensors of a checked file into the model. Errors: STOA_ERR_MEMORY, and nothing is changed. */
stoa_status stoa_state_copy(stoa_model *model, const struct stoa_safetensors *file,
                            const struct stoa_state_prefix *prefix);

#endif
