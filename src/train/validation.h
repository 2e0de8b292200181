/* SPDX-License-Identifier: MIT */
/* Validation: samples held out of the training set, and what is decided by them. */
#ifndef STOA_TRAIN_VALIDATION_H
#define STOA_TRAIN_VALIDATION_H

#include "train/options.h"

/* Sample numbers of a training set: those that are trained, in their order, then those held out, in
 * theirs. */
struct stoa_split_order {
    size_t *index;
    size_t training, validation;
};

/* Follows from the set, the share and the seed. Errors: STOA_ERR_ARGUMENT (nothing is left on one side),
 * STOA_ERR_MEMORY. Release `index` with free(). */
stoa_status stoa_split_make(stoa_context *context, const stoa_dataset *data,
                            const struct stoa_train_settings *settings, struct stoa_split_order *split);

/* What is remembered between epochs. */
struct stoa_best_state {
    double value;     /* the best there was of what is monitored */
    double reference; /* the last that was better than its forerunner by more than min_delta */
    uint64_t epoch;   /* of the best; 0: none yet */
    uint64_t waited;  /* epochs since the reference */
};

/* How epochs are compared, and the parameters of the best where they are kept. */
struct stoa_best {
    enum stoa_monitor monitor;
    double min_delta;
    size_t patience; /* epochs */
    stoa_model *model;
    float *parameters, *statistics; /* NULL: not kept */
};

stoa_status stoa_best_open(stoa_context *context, stoa_model *model,
                           const struct stoa_train_settings *settings, struct stoa_best *best,
                           struct stoa_best_state *state);
void stoa_best_close(stoa_context *context, struct stoa_best *best);
/* Epoch `epoch` has been validated: whether it is the best so far. Its parameters are kept if asked for. */
bool stoa_best_observe(struct stoa_best *best, struct stoa_best_state *state, size_t epoch,
                       const stoa_evaluation *validation);
/* Whether patience is at its end. */
bool stoa_best_stops(const struct stoa_best *best, const struct stoa_best_state *state);
/* Put the best parameters back into the model, if they are kept. */
void stoa_best_restore(const struct stoa_best *best);

#endif
