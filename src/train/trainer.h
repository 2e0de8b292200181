/* A trainer's inside, for the loop over epochs. Floor 7. */
#ifndef STOA_TRAIN_TRAINER_H
#define STOA_TRAIN_TRAINER_H

#include "model/plan.h"
#include "train/options.h"

/* Parameters that are treated alike, side by side in the flat arrays. */
struct stoa_segment {
    size_t first, count;
    bool decays;
};

struct stoa_trainer {
    stoa_context *context;
    stoa_model *model;
    stoa_plan *plan;
    struct stoa_train_settings settings;
    struct stoa_segment *segments;
    size_t segment_count;
    uint64_t step, total_steps;
    float learning_rate;
};

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
/* How many of the outputs have their largest value at the label. */
size_t stoa_feeder_correct(const struct stoa_feeder *feeder, const float *output, size_t samples);

/* Accuracy and loss over all of the feeder's data, with a plan that has a loss. */
stoa_status stoa_evaluate_with(struct stoa_feeder *feeder, stoa_plan *plan, stoa_evaluation *result);

/* Seconds of a clock that only runs forward. */
double stoa_seconds(void);

#endif
