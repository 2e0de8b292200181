/* SPDX-License-Identifier: MIT */
/* Labels out of NumPy's arrays. */
#ifndef STOA_DATA_NPY_LABELS_H
#define STOA_DATA_NPY_LABELS_H

#include "data/npy.h"

/* Fill the labels of a store, whose memory is there, from an array `name` with its `values`: a whole number a
 * sample, of any type, or a row a sample that is 1 at its class and 0 elsewhere. Sets the store's classes
 * where they are 0. `samples` names what the labels belong to. Errors: STOA_ERR_FORMAT. */
stoa_status stoa_npy_take_labels(struct stoa_store *store, const char *name, const struct stoa_npy *npy,
                                 const void *values, const char *samples);

#endif
