/* SPDX-License-Identifier: MIT */
/* The input columns of a table as a fact of a model, "data.table": an array of JSON with an object a column:
 * "kind", of categories their "values", and what "fill"s missing fields. */
#ifndef STOA_TRAIN_TABLE_FACTS_H
#define STOA_TRAIN_TABLE_FACTS_H

#include "train/data_facts.h"

/* Read them into facts->source.options.fitted, whose names are those of its columns; none where the fact is
 * missing. Errors: STOA_ERR_FORMAT, STOA_ERR_MEMORY. */
stoa_status stoa_table_facts_read(struct stoa_data_facts *facts);
/* Write those of training data that are more than numbers without missing values. Errors: STOA_ERR_FORMAT (a
 * category that is no UTF-8), STOA_ERR_MEMORY. */
stoa_status stoa_table_facts_write(stoa_context *context, stoa_model *model, const stoa_dataset *train);

#endif
