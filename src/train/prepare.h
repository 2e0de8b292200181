/* SPDX-License-Identifier: MIT */
/* The next batch, augmented, made beside the training step. */
#ifndef STOA_TRAIN_PREPARE_H
#define STOA_TRAIN_PREPARE_H

#include "core/helper.h"
#include "data/augment.h"
#include "train/options.h"

struct stoa_preparer {
    stoa_context *context;
    const stoa_dataset *data;
    struct stoa_augment augment;
    struct stoa_augment_shape shape;
    struct stoa_helper *helper;
    uint64_t seed;
    size_t size; /* values of a sample */
    /* The batch: written by tasks between begin and finish. */
    float *images;
    int32_t *labels;
    float *fill, *scratch; /* a value a channel; two threads' */
    size_t scratch_floats;
    float *memory; /* of all floats */
    size_t bytes;
    /* What is being prepared. */
    size_t epoch;
    const size_t *index;
};

/* Allocate everything. Errors: STOA_ERR_ARGUMENT (the samples are no images), STOA_ERR_MEMORY. */
stoa_status stoa_preparer_open(stoa_context *context, const stoa_dataset *data,
                               const struct stoa_train_settings *settings, struct stoa_preparer *preparer);
/* What is under way ends first. Allowed where nothing was opened. */
void stoa_preparer_close(struct stoa_preparer *preparer);

/* Begin with the samples of numbers index[0] to index[samples - 1], at most a batch; they stay as they are
 * until stoa_preparer_finish(). */
void stoa_preparer_begin(struct stoa_preparer *preparer, size_t epoch, const size_t *index, size_t samples);
/* Images and labels are complete then. */
void stoa_preparer_finish(struct stoa_preparer *preparer);

#endif
