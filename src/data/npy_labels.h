/* SPDX-License-Identifier: MIT */
/* Labels out of NumPy's arrays. */
#ifndef STOA_DATA_NPY_LABELS_H
#define STOA_DATA_NPY_LABELS_H

#include "data/npy.h"

/* Fill the labels of a store, whose memory is there, from an array `name` with its `values`: a whole number
 * a sample, of any type, a row a sample that is 1 at its class and 0 elsewhere, or a text a sample, as in a
 * table; or its targets, where the options' task takes those, see stoa_npy_take_targets(). Sets the store's
 * classes where they are 0, and their names where labels are texts. `samples` names what the labels belong
 * to. Errors: STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_npy_take_labels(struct stoa_store *store, const char *name, const struct stoa_npy *npy,
                                 const void *values, const char *samples, const stoa_data_options *options);

#endif
