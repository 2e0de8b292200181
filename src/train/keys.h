/* SPDX-License-Identifier: MIT */
/* What [train] of a recipe and stoa_train_options can say: one row a key in keys.c. */
#ifndef STOA_TRAIN_KEYS_H
#define STOA_TRAIN_KEYS_H

#include "core/keys.h"

/* Members of stoa_train_options; texts are read into struct stoa_train_settings. */
extern const struct stoa_keys stoa_train_keys;

#endif
