/* SPDX-License-Identifier: MIT */
/* A model asked about samples: a batch at a time, with probabilities of the classes. */
#ifndef STOA_CLI_ANSWERS_H
#define STOA_CLI_ANSWERS_H

#include "cli/open.h"

struct cli_answers {
    const struct cli_subject *subject;
    stoa_plan *plan;
    size_t batch, classes;
    bool is_probability; /* the network ends in softmax */
    stoa_task task;      /* STOA_TASK_AUTO: classes */
    bool gives_logits;   /* of labels */
    float *restored; /* a batch of outputs in the targets' units; NULL: they are as the model gives them */
};

/* Plan the model for batches of at most `samples`. CLI_DONE, or another code with the sentence printed;
 * release with cli_answers_close() either way. */
int cli_answers_open(const struct cli_subject *subject, size_t samples, struct cli_answers *answers);
void cli_answers_close(struct cli_answers *answers);

/* Run the first `count` samples of stoa_plan_input(). `*output` is (count, classes) then, in the units of the
 * targets where those are numbers. */
int cli_answers_run(const struct cli_answers *answers, size_t count, const float **output);

/* Probabilities of the classes from one sample's output: softmax in double, unless the network ends in one;
 * of several labels that of each; of regression the numbers themselves.
 * False where the output is not finite. */
bool cli_answers_shares(const struct cli_answers *answers, const float *output, double *share);

#endif
