/* SPDX-License-Identifier: MIT */
/* Figures of data with targets, gathered batch by batch: errors of regression, hits of labels. */
#ifndef STOA_TRAIN_METRICS_H
#define STOA_TRAIN_METRICS_H

#include <stoa/train.h>

#include "core/context.h"

/* What is gathered of one target. Errors are in its own units, sums of targets taken from the first one. */
struct stoa_target_sums {
    double squares, absolute;  /* of the errors */
    double shift, sum, spread; /* first target, sum of the distances from it, and of their squares */
    size_t positives, answered, hits;
};

struct stoa_metrics {
    stoa_context *context;
    stoa_task task;
    size_t targets, samples; /* samples so far */
    size_t right;            /* samples with all labels right */
    float threshold;         /* an output from here on says that a label is there */
    const float *scale;      /* of the data's targets, or NULL */
    struct stoa_target_sums *sums;
    float *scores;        /* (targets, room): outputs */
    unsigned char *there; /* the same: whether the label is */
    size_t room;
};

/* What an output must reach to say yes: 0 of a logit, 0.5 of a probability. */
float stoa_label_threshold(bool logits);

/* For `samples` samples of `data`, which has targets. Errors: STOA_ERR_MEMORY. */
stoa_status stoa_metrics_open(stoa_context *context, const stoa_dataset *data, bool logits, size_t samples,
                              struct stoa_metrics *metrics);
void stoa_metrics_close(struct stoa_metrics *metrics);

/* Add what the model gave for some samples, and their targets, as the data set gives them. */
void stoa_metrics_add(struct stoa_metrics *metrics, const float *output, const float *targets,
                      size_t samples);

/* Put the figures into `result`, and those of each target into `each`, which may be NULL. Errors:
 * STOA_ERR_MEMORY. */
stoa_status stoa_metrics_finish(struct stoa_metrics *metrics, stoa_target_figures *each,
                                stoa_evaluation *result);

/* Whether all labels of a sample are right. */
bool stoa_labels_are_right(const float *output, const float *targets, size_t count, float threshold);

#endif
