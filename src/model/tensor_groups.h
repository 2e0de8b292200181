/* SPDX-License-Identifier: MIT */
/* Arrays of a model's shape in files: its own tensors, and what a training keeps beside them, tensor by
 * tensor under the same names with a word before or behind them. Everything that is written and everything
 * that is read again goes through one walk. */
#ifndef STOA_MODEL_TENSOR_GROUPS_H
#define STOA_MODEL_TENSOR_GROUPS_H

#include <stdbool.h>

#include "model/graph.h"
#include "model/safetensors.h"

struct stoa_tensor_group {
    const char *prefix, *suffix; /* "optimizer.state." and ".exp_avg" */
    bool own;                    /* the model's own tensors; else those of the two arrays below */
    float *parameters;           /* as the model's */
    float *statistics;           /* the same; NULL: the group has none */
};

/* Make a whole file with `text` in its metadata, and with `sealed` its checksum; release with
 * stoa_buffer_free(). Errors: STOA_ERR_MEMORY, STOA_ERR_ARGUMENT (text that is not UTF-8). */
stoa_status stoa_groups_write(const stoa_model *model, const struct stoa_tensor_group *groups, size_t count,
                              const char *text, bool sealed, void **data, size_t *bytes);

/* Whether a file has every tensor of the groups, of its shape and as float32, and, with `whole`, no others.
 * Errors: STOA_ERR_FORMAT, STOA_ERR_SHAPE, STOA_ERR_MEMORY. */
stoa_status stoa_groups_check(const stoa_model *model, const struct stoa_safetensors *file,
                              const struct stoa_tensor_group *groups, size_t count, bool whole);

/* Copy the tensors of a file that was checked. Errors: STOA_ERR_MEMORY, and nothing is changed. */
stoa_status stoa_groups_read(stoa_model *model, const struct stoa_safetensors *file,
                             const struct stoa_tensor_group *groups, size_t count);

#endif
