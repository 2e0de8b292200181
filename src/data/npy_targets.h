/* SPDX-License-Identifier: MIT */
/* Targets out of NumPy's arrays. */
#ifndef STOA_DATA_NPY_TARGETS_H
#define STOA_DATA_NPY_TARGETS_H

#include "data/npy.h"

/* Give a store, whose samples are there, the targets of an array `name` with its `values`: one number a
 * sample, or a row of them, of any type, as `task` takes them. `samples` names what they belong to. Errors:
 * STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_npy_take_targets(struct stoa_store *store, const char *name, const struct stoa_npy *npy,
                                  const void *values, const char *samples, stoa_task task);

#endif
