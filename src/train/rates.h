/* SPDX-License-Identifier: MIT */
/* What training options say of single layers: which are frozen, and what the learning rate of the others is
 * multiplied with. */
#ifndef STOA_TRAIN_RATES_H
#define STOA_TRAIN_RATES_H

#include <stoa/train.h>

#include "model/graph.h"

/* The factor of each layer's learning rate into `rate`, 0 for a frozen layer. Errors: STOA_ERR_ARGUMENT (a
 * name that no layer has, a factor that is none, nothing left to train), STOA_ERR_MEMORY. */
stoa_status stoa_rates_read(const stoa_model *model, struct stoa_error *error,
                            const stoa_train_options *options, float *rate);

/* Whether that can be read, and the layers that are not frozen learn from a full batch and from the last one
 * of an epoch with `rest` samples; either may be 0, not to be looked at. */
stoa_status stoa_rates_check(const stoa_model *model, struct stoa_error *error,
                             const stoa_train_options *options, size_t batch, size_t rest);

#endif
