/* SPDX-License-Identifier: MIT */
/* A trainer's inside, for the loop over epochs. */
#ifndef STOA_TRAIN_TRAINER_H
#define STOA_TRAIN_TRAINER_H

#include "model/plan.h"
#include "train/options.h"
#include "train/update.h"
#include "train/validation.h"

/* How far a training has come. What it does next follows from this, the parameters, the optimiser's arrays,
 * the averages and the best model on the one side, options and data on the other; src/train/state.c saves and
 * loads all of it. */
struct stoa_training_state {
    uint64_t steps;       /* updates that were made */
    uint64_t batches;     /* passes over a batch; they number dropout's masks */
    uint64_t epochs;      /* whole ones */
    uint64_t samples;     /* trained of the epoch that is not whole */
    uint64_t correct;     /* of those */
    double loss, weight;  /* sum of their losses, and what it is divided by for the mean */
    double learning_rate; /* of the last step */
    struct stoa_schedule_state schedule;
    struct stoa_best_state best;
};

enum { STOA_DATA_WORDS = 160 };

struct stoa_trainer {
    stoa_context *context;
    stoa_model *model;
    stoa_plan *plan;
    struct stoa_train_settings settings;
    struct stoa_fact *options; /* as text, "train.lr" and the like, to be compared with a state's */
    size_t option_count;
    struct stoa_training_state state;
    struct stoa_best best;
    float *rates; /* what the learning rate of a layer is multiplied with; 0: it is frozen */
    struct stoa_piece *pieces, *statistic_pieces; /* frozen layers are in none */
    double *sums;                                 /* of squares, a piece */
    float *work;                                  /* scratch of the weights that are updated whole */
    size_t work_bytes;
    size_t piece_count, statistic_piece_count;
    uint64_t total_steps;
    size_t waiting; /* batches whose gradients wait for the update */
    double weight;  /* of those batches together */
    float *average_statistics;
    bool averaged; /* the averages stand in the model, and what is trained in their place */
    const stoa_dataset *train, *test;   /* that stoa_train() was given; NULL: none, or not known */
    size_t epoch_samples, step_samples; /* trained in an epoch and in a step of stoa_train(); 0: not known */
    char train_words[STOA_DATA_WORDS], test_words[STOA_DATA_WORDS]; /* what they are; "": not found yet */
    char other_build[160];                                          /* see stoa_trainer_info */
};

/* Keep the options as text, and release them. Errors: STOA_ERR_ARGUMENT, STOA_ERR_MEMORY. */
stoa_status stoa_options_keep(stoa_trainer *trainer, const stoa_train_options *options);
void stoa_options_release(stoa_trainer *trainer);

/* The moving average of the parameters: the slot behind the optimiser's. */
static inline float *stoa_trainer_average(const struct stoa_trainer *trainer) {
    return stoa_plan_optimizer_slot(trainer->plan, trainer->settings.optimizer_slots);
}

/* The mean of the gradients that wait, where a step takes several batches: the slot behind that. */
static inline float *stoa_trainer_joined(const struct stoa_trainer *trainer) {
    const struct stoa_train_settings *s = &trainer->settings;
    return stoa_plan_optimizer_slot(trainer->plan, s->optimizer_slots + (s->options.average > 0 ? 1 : 0));
}

/* A data set in batches: buffers for labels, and for targets or one-hot vectors where the loss takes
 * values. */
struct stoa_feeder {
    stoa_context *context;
    const stoa_dataset *data;
    size_t batch, classes; /* or targets */
    int32_t *labels;
    float *values; /* NULL when the loss takes labels */
    size_t value_bytes;
    float threshold; /* of outputs, where samples have several labels */
    bool alike;      /* all samples of the last evaluation have had the same outputs */
};

/* Whether the model takes the data's samples and gives a number a class or a target. */
stoa_status stoa_feeder_check(stoa_context *context, const stoa_dataset *data, const stoa_model *model);
/* Whether a loss takes what the data have. Errors: STOA_ERR_ARGUMENT. */
struct stoa_op;
stoa_status stoa_feeder_check_loss(stoa_context *context, const stoa_dataset *data,
                                   const struct stoa_op *loss);
/* Check that, and allocate the buffers. */
stoa_status stoa_feeder_open(stoa_context *context, const stoa_dataset *data, const stoa_plan *plan,
                             struct stoa_feeder *feeder);
void stoa_feeder_close(struct stoa_feeder *feeder);
/* Put samples into the plan's input and give their targets; `index` as for stoa_dataset_read(). */
stoa_targets stoa_feeder_read(struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t first,
                              size_t samples);
/* Give the targets of samples whose labels are in the buffer; `index` as for stoa_dataset_read(). */
stoa_targets stoa_feeder_targets(struct stoa_feeder *feeder, const size_t *index, size_t first,
                                 size_t samples);
/* How many of the outputs have their largest value at the label, or all labels right; 0 of regression. */
size_t stoa_feeder_correct(const struct stoa_feeder *feeder, const float *output, size_t samples);

/* Arrays of stoa_evaluate_classes(), zero at first, and of stoa_evaluate_targets(); each may be NULL. */
struct stoa_class_counts {
    size_t *confusion, *ranks;
    stoa_target_figures *each;
};

/* Accuracy and loss over `count` samples, with a plan that has a loss; `index` as for stoa_dataset_read().
 * `counts` may be NULL. */
stoa_status stoa_evaluate_with(struct stoa_feeder *feeder, stoa_plan *plan, const size_t *index, size_t count,
                               const struct stoa_class_counts *counts, stoa_evaluation *result);

/* stoa_train(); without `watched` nothing is said of how it goes. */
stoa_status stoa_train_watched(stoa_context *context, stoa_model *model, const stoa_dataset *train,
                               const stoa_dataset *test, const stoa_train_options *options,
                               const stoa_train_callbacks *callbacks, bool watched);

#endif
