/* SPDX-License-Identifier: MIT */
/* The update of all parameters: clipping, the optimiser's step, the moving average. Floor 7. */
#ifndef STOA_TRAIN_UPDATE_H
#define STOA_TRAIN_UPDATE_H

#include <stoa/train.h>

/* A range of the flat arrays whose parameters are treated alike: one task of a parallel loop. */
struct stoa_piece {
    size_t first, count;
    bool decays;
};

/* Cut the parameters into pieces and allocate what clipping and averaging need. False when memory is
 * short. */
bool stoa_update_open(stoa_trainer *trainer);
void stoa_update_close(stoa_trainer *trainer);

/* One step with the gradients in the plan and the trainer's learning rate. */
void stoa_update_run(stoa_trainer *trainer);

#endif
