/* SPDX-License-Identifier: MIT */
/* Names of a file's tensors and the model's: a text with a line "theirs = ours" for each pair. */
#ifndef STOA_MODEL_MAPPING_H
#define STOA_MODEL_MAPPING_H

#include "model/files.h"

/* Give the tensors of a file the names that a mapping says; "theirs =" leaves one out. The names lie in
 * `*names`, which is to be released with free() after the file. Errors: STOA_ERR_ARGUMENT (a line that is
 * none, a tensor that the file does not have, two of one name), STOA_ERR_MEMORY. */
stoa_status stoa_mapping_apply(struct stoa_error *error, const char *text, struct stoa_safetensors *file,
                               char **names);

/* A mapping for a built model, ready to be edited: pairs of one name, then of one shape and kind in the order
 * of both sides; what is left of either side as comments. `*text` is released with free(). Errors:
 * STOA_ERR_MEMORY. */
stoa_status stoa_mapping_suggest(const stoa_model *model, const struct stoa_safetensors *file, char **text);

#endif
