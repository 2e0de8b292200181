/* SPDX-License-Identifier: MIT */
/* A training that learns nothing, explodes or has dead layers: said through the context's log, each once,
 * with the value found and what to try. Costs a sum a step, and one look at the gradients an epoch. */
#ifndef STOA_TRAIN_WATCH_H
#define STOA_TRAIN_WATCH_H

#include "train/trainer.h"

struct stoa_watch {
    const stoa_trainer *trainer; /* NULL: nobody watches */
    double chance_loss;     /* of an output that knows only how frequent the classes are; NAN: not known */
    double chance_accuracy; /* of the most frequent class alone; -1: nothing follows from an accuracy */
    double test_share;      /* of the test part's most frequent class; NAN: none */
    double first_loss, least_loss, last_loss;
    size_t last_samples;     /* of the last batch of an epoch */
    size_t steps, rises;     /* epochs in a row whose loss was higher than the one's before */
    bool failed, rose, dead; /* what has been said */
};

/* Before the first step; nobody watches where the context has no log. */
void stoa_watch_open(struct stoa_watch *watch, const stoa_trainer *trainer);
/* A step is done. */
void stoa_watch_step(struct stoa_watch *watch, double loss);
/* An epoch is done; `alike`: all samples of an evaluation have had the same outputs. */
void stoa_watch_epoch(struct stoa_watch *watch, const stoa_progress *progress, bool alike);

#endif
