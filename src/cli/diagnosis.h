/* SPDX-License-Identifier: MIT */
/* A training that learns nothing or explodes: said once, with the layer where it shows and what to try. */
#ifndef STOA_CLI_DIAGNOSIS_H
#define STOA_CLI_DIAGNOSIS_H

#include <stoa/train.h>

struct cli_diagnosis {
    const stoa_model *model;
    stoa_trainer *trainer; /* of the training that goes on; NULL before it */
    const char *recipe;    /* its name, for advice */
    float learning_rate;   /* as asked for, before a schedule */
    bool clips, quiet;
    double chance_loss;     /* of an output that knows only how frequent the classes are; NAN: not known */
    double chance_accuracy; /* of the most frequent class alone; 1: nothing follows from an accuracy */
    double first_loss, least_loss;
    size_t steps;
    bool told;
};

/* Before a training: `recipe` is borrowed, and so is the rest during the training. */
void cli_diagnosis_open(struct cli_diagnosis *diagnosis, const stoa_model *model, const stoa_dataset *train,
                        const stoa_train_options *options, const char *recipe, bool quiet);
/* After every step and every epoch: says so, once, on stderr, when an epoch has learned nothing or its loss
 * has exploded. */
void cli_diagnosis_watch(struct cli_diagnosis *diagnosis, const stoa_progress *progress);
/* The training ended as its loss or its parameters became infinite: print the library's sentence, which says
 * where, and what to try. Returns CLI_FAILED. */
int cli_diagnosis_nonfinite(const struct cli_diagnosis *diagnosis, const stoa_context *context);

#endif
