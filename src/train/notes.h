/* SPDX-License-Identifier: MIT */
/* What can be said before a training, through the context's log, a line each: a loss that does not fit the
 * last layer, classes without samples, samples in both parts, schedules longer than the training, values far
 * from 1. */
#ifndef STOA_TRAIN_NOTES_H
#define STOA_TRAIN_NOTES_H

#include "train/trainer.h"

/* Of model, options and data, before the first step. */
void stoa_notes_begin(const stoa_trainer *trainer);
/* Of the first `samples` samples, which stand in the plan's input as the network gets them. */
void stoa_notes_input(const stoa_trainer *trainer, size_t samples);

#endif
