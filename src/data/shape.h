/* SPDX-License-Identifier: MIT */
/* The shape of samples, and the order of values in them: as many values are not the same layout. */
#ifndef STOA_DATA_SHAPE_H
#define STOA_DATA_SHAPE_H

#include "data/dataset.h"

/* Give a store its shape, and the order in which its samples are read, from the sizes of one sample as it
 * lies: 1 (values), 2 (height, width) or 3, of which the options, or the shape in them, say which are height,
 * width and channels. `name` begins the sentence where that is not said. Errors: STOA_ERR_FORMAT. */
stoa_status stoa_store_arrange(struct stoa_store *store, const char *name, const size_t *size, size_t rank,
                               const stoa_data_options *options);

/* A store of pictures, pixel by pixel, for options whose shape is a row of as many values: colour comes plane
 * by plane then, as flatten gives it. */
void stoa_store_flatten(struct stoa_store *store, const stoa_data_options *options);

/* Whether the shape of the options is a row of `values`. */
bool stoa_wants_row(const stoa_data_options *options, size_t values);

#endif
