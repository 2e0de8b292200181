/* SPDX-License-Identifier: MIT */
/* A trainer's inside, for the loop over epochs. Floor 7. */
#ifndef STOA_TRAIN_TRAINER_H
#define STOA_TRAIN_TRAINER_H

#include "model/plan.h"
#include "train/options.h"
#include "train/update.h"

struct stoa_trainer {
    stoa_context *context;
    stoa_model *model;
    stoa_plan *plan;
    struct stoa_train_settings settings;
    struct stoa_piece *pieces;
    double *sums; /* of squares, a piece */
    size_t piece_count;
    uint64_t step, total_steps;
    struct stoa_schedule_state schedule;
    float learning_rate;
    float *average_statistics;
    bool averaged; /* the averages stand in the model, and what is trained in their place */
};

/* The moving average of the parameters: the slot behind the optimiser's. */
static inline float *stoa_trainer_average(const struct stoa_trainer *trainer) {
    return stoa_plan_optimizer_slot(trainer->plan, trainer->settings.optimizer_slots);
}

/* A data set in batches: buffers for labels, or for one-hot vectors where the loss takes values. */
struct stoa_feeder {
    stoa_context *context;
    const stoa_dataset *data;
    size_t batch, classes;
    int32_t *labels;
    float *one_hot; /* NULL when the loss takes labels */
    size_t one_hot_bytes;
};

/* Whether the model takes the data's samples and gives a number a class. */
stoa_status stoa_feeder_check(stoa_context *context, const stoa_dataset *data, const stoa_model *model);
/* Check that, and allocate the buffers. */
stoa_status stoa_feeder_open(stoa_context *context, const stoa_dataset *data, const stoa_plan *plan,
                             struct stoa_feeder *feeder);
void stoa_feeder_close(struct stoa_feeder *feeder);
/* Put samples into the plan's input and give their targets; `index` as for stoa_dataset_read(). */
stoa_targets stoa_feeder_read(struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t first,
                              size_t samples);
/* Give the targets of samples whose labels are in the buffer. */
stoa_targets stoa_feeder_targets(struct stoa_feeder *feeder, size_t samples);
/* How many of the outputs have their largest value at the label. */
size_t stoa_feeder_correct(const struct stoa_feeder *feeder, const float *output, size_t samples);

/* Arrays of stoa_evaluate_classes(), zero at first; each may be NULL. */
struct stoa_class_counts {
    size_t *confusion, *ranks;
};

/* Accuracy and loss over `count` samples, with a plan that has a loss; `index` as for stoa_dataset_read().
 * `counts` may be NULL. */
stoa_status stoa_evaluate_with(struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t count,
                               const struct stoa_class_counts *counts, stoa_evaluation *result);

/* Seconds of a clock that only runs forward. */
double stoa_seconds(void);

#endif
