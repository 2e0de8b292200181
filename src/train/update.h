/* SPDX-License-Identifier: MIT */
/* The update of all parameters: clipping, the optimiser's step, the moving average. */
#ifndef STOA_TRAIN_UPDATE_H
#define STOA_TRAIN_UPDATE_H

#include <stoa/train.h>

/* A range of the flat arrays whose parameters are treated alike: one task of a parallel loop. */
struct stoa_piece {
    size_t first, count;
    bool decays;
    float rate;           /* what the learning rate is multiplied with */
    size_t rows, columns; /* of a weight that is updated whole, see struct stoa_update; else 0 */
    float *work;
};

/* Cut the parameters into pieces and allocate what clipping and averaging need. Errors: those of
 * stoa_rates_read(). */
stoa_status stoa_update_open(stoa_trainer *trainer, const stoa_train_options *options);
void stoa_update_close(stoa_trainer *trainer);

/* Where a step takes several batches: join the gradients in the plan, of a batch of this weight, with those
 * of the batches that wait, of which it is the last; the plan holds what has come together. */
void stoa_update_join(stoa_trainer *trainer, double weight);

/* Put the averages in the place of what is trained, or back. */
void stoa_update_exchange(stoa_trainer *trainer);

/* One step with the gradients in the plan and the trainer's learning rate. */
void stoa_update_run(stoa_trainer *trainer);

#endif
