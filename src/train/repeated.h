/* SPDX-License-Identifier: MIT */
/* Samples that stand in the training and in the test part. */
#ifndef STOA_TRAIN_REPEATED_H
#define STOA_TRAIN_REPEATED_H

#include <stoa/data.h>

struct stoa_repeated {
    size_t trained, tested;
    size_t in_train; /* training samples that are another training sample too */
    size_t in_both;  /* test samples that are a training sample too */
};

/* Count them, by checksums of their values. False where the data are too large for that to cost nothing, or
 * without memory. */
bool stoa_repeated_count(const stoa_dataset *train, const stoa_dataset *test, struct stoa_repeated *found);

#endif
