/* SPDX-License-Identifier: MIT */
/* What [data] of a recipe and the facts of a model can say of data: one row a key in keys.c. */
#ifndef STOA_DATA_KEYS_H
#define STOA_DATA_KEYS_H

#include <stoa/data.h>

#include "core/keys.h"

/* Where the samples are, how to read them, how to scale them. */
struct stoa_data_source {
    const char *set; /* NULL: not said */
    float mean, deviation;
    int normalize, weights, normalize_targets; /* 1: measured on the training data */
    stoa_data_options options;
};

/* What zeros in stoa_data_options mean. */
#define STOA_DEFAULT_TEST_SHARE 0.2
#define STOA_DEFAULT_DIGITS 12000

/* Members of struct stoa_data_source. */
extern const struct stoa_keys stoa_data_keys;

/* Whether a key is the mean or the deviation, which are not said where they are to be measured. */
bool stoa_data_is_scale(const struct stoa_key *key);

#endif
