/* SPDX-License-Identifier: MIT */
/** @file
 * Training: optimisers, schedules, the loop over epochs, and evaluation over a whole set. */
#ifndef STOA_TRAIN_H
#define STOA_TRAIN_H

#include "data.h"
#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STOA_LEAST_LEARNING_RATE 1e-30 /**< of `lr` in recipes and of --lr */
#define STOA_MOST_LEARNING_RATE 1e30   /**< the same */
#define STOA_MOST_BATCH 1000000        /**< of `batch` in recipes and of --batch */
#define STOA_MOST_EPOCHS 1000000       /**< of `epochs` in recipes and of --epochs */

/** Options of stoa_train() and stoa_trainer_create(). Strings are copied. Zero values mean the default;
 * numbers have the ranges that stoa_recipe_key_at() tells. */
typedef struct stoa_train_options {
    size_t epochs;         /**< 1 */
    size_t batch;          /**< 64 */
    uint64_t seed;         /**< shuffling, dropout and the validation split; taken as it is */
    float learning_rate;   /**< 1e-3; what a schedule's factors multiply; finite and above 0 */
    const char *optimizer; /**< "adam" (NULL), "sgd momentum=0.9", "adamw beta2=0.99 decay=1e-2", ... */
    const char *schedule;  /**< "constant" (NULL), "one_cycle warmup=0.3", "step every=5 per=epoch", ... */
    const char *loss;      /**< "softmax_cross_entropy" (NULL), "huber delta=2", ...; "none" for a trainer
                                whose caller has a loss of its own, see stoa_trainer_forward() */
    float clip_norm;  /**< largest Euclidean norm of all gradients together, as PyTorch's clip_grad_norm_;
                                0: none */
    float clip_value; /**< largest absolute value of a gradient, applied before clip_norm; 0: none */
    float average;    /**< decay d < 1 of an exponential moving average of parameters and running
                                statistics: a = d a + (1 - d) p after step t, with (1 + t) / (10 + t) in the
                                place of d while that is less (t from 0; the first step copies). Evaluation
                                and the model of the epoch callback are the average; 0: none */
    float validation; /**< share of the training set that is held out, drawn by the seed: rounded, at
                                least 1 sample; 0: none. Not used by a trainer */
    bool stratified;  /**< hold the same share of every class out; not with targets */
    size_t patience;  /**< stop after so many epochs without a better validation; 0: never */
    float min_delta;  /**< for patience an epoch must be better by more than this */
    bool keep_best;   /**< leave the model of the epoch with the best validation */
    /** What is better: the lower "loss" (NULL); the higher "accuracy" of classes or, as the share of samples
     * with all labels right, of several labels; the lower "rmse" of regression; the higher "f1" of several
     * labels. */
    const char *monitor;
    /** How training samples are changed, in a new way every epoch, that follows from the seed: "shift=2
     * rotate=10 scale=0.1 shear=5 elastic=1 flip=0.5 erase=0.5 noise=0.1"; NULL: not at all. Samples held out
     * stay as they are. Not used by a trainer. */
    const char *augment;
    /** Layers that stay as they are, running statistics included: "c1,c2", with a star all that begin so,
     * "c*"; see stoa_plan_options. Averages and clipping leave them out. NULL: none. */
    const char *freeze;
    /** What the learning rate of single layers is multiplied with, "c1=0.1 f*=2", the later of two counting;
     * decoupled weight decay follows it. NULL: 1 for all. */
    const char *lr_scale;
    bool summed;   /**< a step follows the gradient of the sum of a batch's losses, not of their mean */
    bool in_order; /**< every epoch visits the samples in the order of the data. Not used by a trainer */
    /** Batches whose gradients a step takes together, each sample with the same weight, as if they were one
     * batch; layers that look at a whole batch (batch norm) see each alone; an epoch's last step may have
     * fewer; 1. */
    size_t accumulate;
} stoa_train_options;

/** Result of stoa_evaluate(), and of the evaluations of a training. What does not go with the task of the
 * data is NAN. Means over targets or classes are not weighted; a share of nothing is 0, and R2 of targets
 * that are all equal is 1 where they are met, else 0. */
typedef struct stoa_evaluation {
    size_t samples;  /**< seen */
    size_t correct;  /**< whose largest output is their label's; of several labels, with all of them right */
    double accuracy; /**< correct / samples, in [0, 1] */
    double loss;     /**< mean */
    double seconds;  /**< it took */
    double rmse;     /**< regression: root of the mean squared error of a target, mean over the targets */
    double mae;      /**< regression: mean absolute error, the same */
    /** Regression: share of the variance that is explained, 1 - squared error / variance, the same. */
    double r2;
    double precision;       /**< multi-label: right ones among the labels that are given, over all targets */
    double recall;          /**< multi-label: labels that are given among those that are right, the same */
    double f1;              /**< multi-label: harmonic mean of both */
    double macro_precision; /**< multi-label: mean over the targets of their precision */
    double macro_recall;    /**< multi-label: the same of recall */
    double macro_f1;        /**< multi-label: the same of F1 */
    /** Multi-label: mean, over the targets that any sample has, of the mean precision over all thresholds,
     * weighted by the gain in recall. */
    double average_precision;
} stoa_evaluation;

/** Figures of one target, in its own units; what does not go with the task is NAN, or 0. */
typedef struct stoa_target_figures {
    double rmse;              /**< regression: root of the mean squared error */
    double mae;               /**< regression: mean absolute error */
    double r2;                /**< regression: share of the variance that is explained */
    size_t positives;         /**< multi-label: samples that have the label */
    size_t answered;          /**< multi-label: samples that are given it */
    size_t hits;              /**< multi-label: samples that are given it and have it */
    double precision;         /**< multi-label: hits / answered */
    double recall;            /**< multi-label: hits / positives */
    double f1;                /**< multi-label: harmonic mean of both */
    double average_precision; /**< multi-label: see stoa_evaluation; NAN without positives */
} stoa_target_figures;

/** What a progress callback is told. Rates are measured over training steps with data preparation, without
 * evaluation. */
typedef struct stoa_progress {
    bool epoch_done;        /**< false: a step is done; true: an epoch is done and evaluated */
    size_t epoch;           /**< this one, from 1 */
    size_t epochs;          /**< how many there will be */
    size_t step;            /**< steps done in this epoch */
    size_t steps;           /**< steps of an epoch */
    double train_loss;      /**< mean over the samples of this epoch so far */
    double step_loss;       /**< mean over the samples of the last step, before its update */
    double train_accuracy;  /**< the same, as the network was at each step, in [0, 1]; NAN of regression */
    double test_loss;       /**< with epoch_done and a test set; else NAN */
    double test_accuracy;   /**< the same, in [0, 1] */
    double validation_loss; /**< with epoch_done and a validation split; else NAN */
    double validation_accuracy; /**< the same, in [0, 1] */
    bool best;                  /**< with epoch_done: its validation is the best so far; with keep_best this
                                   is the model to save. True without a validation split */
    size_t best_epoch; /**< with epoch_done: the epoch of the best validation so far; this one without a
                                   validation split */
    bool last;         /**< with epoch_done: no epoch follows */
    double seconds;    /**< of training in this epoch so far */
    double images_per_second;   /**< over this epoch so far */
    double seconds_left;        /**< estimate for all remaining epochs */
    float learning_rate;        /**< of the last step */
    size_t threads;             /**< of the context */
    stoa_evaluation validation; /**< all figures with epoch_done and a validation split; else no samples */
    stoa_evaluation test;       /**< all figures with epoch_done and a test set; else no samples */
} stoa_progress;

/** A training in hand: a model's plan, the state of optimiser and schedule, and how far it has come. */
typedef struct stoa_trainer stoa_trainer;

/** Told of `progress`, which is valid during the call. Return true to stop: training ends after the step, a
 * checkpoint is told, and stoa_train() returns STOA_ERR_CANCELLED. */
typedef bool stoa_progress_fn(void *user, const stoa_progress *progress);

/** What stoa_train() calls, each on the caller's thread and in the caller's floating-point state. Each may be
 * NULL. A callback that is given the trainer may read and save it, but not step or release it. */
typedef struct stoa_train_callbacks {
    void *user; /**< handed to all of them */
    /** Before the first step: the place for stoa_trainer_load(), from where training goes on then. What it
     * returns other than STOA_OK ends the training with that status. */
    stoa_status (*start)(void *user, stoa_trainer *trainer);
    /** After every step, and after every epoch, whose model it is with the options `average`. */
    stoa_progress_fn *progress;
    /** Between the gradients of a step, which stoa_trainer_gradients() gives, and its update: they may be
     * changed, to clip them or to average them over machines. Return true to stop after the update. */
    bool (*gradients)(void *user, stoa_trainer *trainer);
    /** The moment to call stoa_trainer_save(): after every epoch, behind `progress`; after every
     * `checkpoint_steps` steps and `checkpoint_seconds` seconds; and when a callback stops the training.
     * Return true to stop. */
    bool (*checkpoint)(void *user, stoa_trainer *trainer, const stoa_progress *progress);
    size_t checkpoint_steps;   /**< between two checkpoints within an epoch; 0: none */
    double checkpoint_seconds; /**< the same in seconds of the clock; 0: none */
} stoa_train_callbacks;

/** Train a built and initialised model.
 *
 * Every epoch visits every sample that is not held out once in a new order that follows from the seed, or
 * with `in_order` in that of the data; the last partial batch is trained. A batch norm behind a dense layer
 * needs two samples in every batch, the last one of an epoch included: one value a channel has no deviation,
 * and nothing would be learned. With `average` the model holds the average while the callback hears of an
 * epoch, and afterwards. The test set decides nothing.
 *
 * A context with a log is told, in a line each, what is likely a mistake. Before the first step: a last layer
 * that the loss does not want (softmax before softmax_cross_entropy), classes without samples, samples that
 * are in both parts (looked for in data of up to 4 million numbers), fewer samples than a batch, a schedule
 * longer than the training, values far from 1 in the first batch. After an epoch: a loss that explodes or
 * rises, nothing learned, outputs that are all the same, layers whose units are all dead, and at the end a
 * test accuracy no better than that of the largest class. None of it changes what is computed.
 *
 * @param context  The model's, or another.
 * @param model  Built and initialised; changed.
 * @param train  What to learn from.
 * @param test  Evaluated after every epoch, nothing dropped; may be NULL.
 * @param options  Zeros for the defaults. Not kept.
 * @param callbacks  What is told, and what may interfere; NULL: nothing. Not kept.
 * Errors: STOA_ERR_ARGUMENT, STOA_ERR_SHAPE (data and model do not match), STOA_ERR_MEMORY,
 * STOA_ERR_NONFINITE (names epoch, step and layer), STOA_ERR_IO (data on disk changed or cannot be read any
 * more), STOA_ERR_CANCELLED. After NONFINITE, IO and CANCELLED the model holds the parameters of that moment;
 * save from the epoch callback to keep the last completed epoch.
 */
STOA_API STOA_MUST_CHECK stoa_status stoa_train(stoa_context *context, stoa_model *model,
                                                const stoa_dataset *train, const stoa_dataset *test,
                                                const stoa_train_options *options,
                                                const stoa_train_callbacks *callbacks);

/** Whether stoa_train() would begin with these, told before anything is computed or written: options, shapes
 * of data and model, the split, and batches that a layer can learn from.
 *
 * @param context  As for stoa_train().
 * @param model  As for stoa_train().
 * @param train  As for stoa_train().
 * @param test  As for stoa_train().
 * @param options  As for stoa_train().
 * Errors: STOA_ERR_ARGUMENT, STOA_ERR_SHAPE, STOA_ERR_MEMORY, with the sentence that stoa_train() would
 * give. */
STOA_API STOA_MUST_CHECK stoa_status stoa_train_check(stoa_context *context, const stoa_model *model,
                                                      const stoa_dataset *train, const stoa_dataset *test,
                                                      const stoa_train_options *options);

/** How many arrays of the parameters' size an optimiser keeps: stoa_plan_options.optimizer_slots.
 *
 * @param context  Receives the sentence of an error.
 * @param optimizer  As in stoa_train_options.
 * @param[out] slots  Set only on STOA_OK.
 * Errors: STOA_ERR_ARGUMENT (unknown, or bad options). */
STOA_API STOA_MUST_CHECK stoa_status stoa_optimizer_slots(stoa_context *context, const char *optimizer,
                                                          size_t *slots);

/** Make a trainer, for those who keep their own loop: a bound training plan and the state of optimiser and
 * schedule.
 *
 * @param context  Borrowed; must outlive the trainer.
 * @param model  Built and initialised. Borrowed; changed by every step.
 * @param options  As for stoa_train(). Not kept.
 * @param total_steps  For schedules: how many steps will be made in all `epochs` of the options together.
 * @param[out] trainer  Set only on STOA_OK; release with stoa_trainer_free().
 * Errors: STOA_ERR_ARGUMENT, STOA_ERR_SHAPE, STOA_ERR_MEMORY. */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_create(stoa_context *context, stoa_model *model,
                                                         const stoa_train_options *options,
                                                         size_t total_steps, stoa_trainer **trainer);
/** Release `trainer` and its plan; the model stays. NULL is allowed. */
STOA_API void stoa_trainer_free(stoa_trainer *trainer);
/** The plan of `trainer`: its input buffer takes the batch, and stoa_plan_get_gradient() gives the gradients
 * of the last step, as they were clipped. Borrowed. */
STOA_API stoa_plan *stoa_trainer_plan(stoa_trainer *trainer);
/** Forward, backward and update on the samples in the plan's input: stoa_trainer_backward() and
 * stoa_trainer_update().
 *
 * @param trainer  Whose.
 * @param samples  1 to the batch of the options.
 * @param targets  What the loss is measured against. Borrowed for the call.
 * @param[out] loss  Mean over the samples.
 * @param[out] output  (samples, output size), see stoa_plan_train(); may be NULL.
 * Steps beyond `total_steps` keep the schedule's last rate. Errors: those of stoa_plan_train(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_step(stoa_trainer *trainer, size_t samples,
                                                       stoa_targets targets, double *loss,
                                                       const float **output);
/** Only forward and backward: what is between this and stoa_trainer_update() may change the gradients. Called
 * up to `accumulate` times before an update, which then takes the mean of the gradients over all samples (or
 * their sum with `summed`). Parameters as of stoa_trainer_step(). Errors: those of stoa_plan_train(),
 * STOA_ERR_ARGUMENT (more often than that). */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_backward(stoa_trainer *trainer, size_t samples,
                                                           stoa_targets targets, double *loss,
                                                           const float **output);
/** The first half of stoa_trainer_backward() where the loss is the caller's: `trainer` was made with the loss
 * "none". All inputs and outputs lie in stoa_trainer_plan(): see stoa_plan_forward().
 *
 * @param trainer  Whose.
 * @param samples  1 to the batch of the options.
 * @param[out] output  The first output, (samples, output size), may be NULL.
 * Errors: STOA_ERR_ARGUMENT. */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_forward(stoa_trainer *trainer, size_t samples,
                                                          const float **output);
/** The second half: gradients of the parameters of `trainer` from those by the outputs, which the caller has
 * written to stoa_plan_activation_gradient() of its plan. stoa_trainer_update() follows. Errors: those of
 * stoa_plan_backward(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_backward_given(stoa_trainer *trainer);
/** Clip the gradients, step and average: what the options of `trainer` say. */
STOA_API void stoa_trainer_update(stoa_trainer *trainer);
/** All gradients of `trainer` in one array of `*count` floats, to be read or changed between
 * stoa_trainer_backward(), or the last of them, and stoa_trainer_update(). Their order is the engine's own,
 * the same for every trainer of such a model, with zeros between the tensors and for those of frozen layers;
 * for one tensor there is stoa_plan_get_gradient(). Borrowed. */
STOA_API float *stoa_trainer_gradients(stoa_trainer *trainer, size_t *count);
/** Tell `trainer`'s schedule that an epoch has ended with these mean losses; `validation_loss` may be NAN
 * where the schedule does not watch it. Needed by schedule plateau only. */
STOA_API void stoa_trainer_end_epoch(stoa_trainer *trainer, double training_loss, double validation_loss);
/** Put the moving averages into the model of `trainer` (`use` true), to evaluate or save them, or what is
 * trained (false); stoa_trainer_step() does the latter by itself. Nothing happens without the option
 * `average`. When the trainer is released the model keeps what it holds. */
STOA_API void stoa_trainer_use_average(stoa_trainer *trainer, bool use);

/** Save the whole state of `trainer`, from which training goes on as if it had not ended: a model file with
 * the parameters as they are trained, and beside them what the optimiser keeps ("optimizer.state.c1.weight.
 * exp_avg", names as PyTorch's), the moving average ("average.c1.weight") and the best model ("best.c1.
 * weight"); counts, schedule, options and the checksum of the file are in its metadata. stoa_model_load()
 * reads it as a model.
 *
 * @param trainer  Between two steps: in a callback of stoa_train(), or in a loop of one's own.
 * @param path  Written to a temporary name, synced and renamed: whole or not at all.
 * Equal states give equal bytes. Errors: STOA_ERR_IO, STOA_ERR_MEMORY, STOA_ERR_ARGUMENT (gradients wait for
 * their update). */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_save(stoa_trainer *trainer, const char *path);
/** Go on from a state that stoa_trainer_save() wrote.
 *
 * @param trainer  Made with the same model, options and, by stoa_train(), data; only `epochs` may differ, to
 *                 be not less than what has been trained. Its model's parameters are replaced.
 * @param path  The file.
 * In a callback `start` of stoa_train() the training goes on in the middle of the epoch where that is where
 * the state was saved. Errors, with `trainer` and model as they were: STOA_ERR_NOT_FOUND, STOA_ERR_IO,
 * STOA_ERR_MEMORY, STOA_ERR_FORMAT (not such a file, or a damaged one, of which any bit tells),
 * STOA_ERR_SHAPE (of another model), STOA_ERR_ARGUMENT (other options or data; the sentence names the first
 * that differs). */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_load(stoa_trainer *trainer, const char *path);
/** stoa_trainer_save() into memory: `*data` of `*bytes` bytes, set only on STOA_OK; release with
 * stoa_buffer_free(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_save_memory(stoa_trainer *trainer, void **data,
                                                              size_t *bytes);
/** stoa_trainer_load() from `data` of `bytes` bytes, borrowed for the call. */
STOA_API STOA_MUST_CHECK stoa_status stoa_trainer_load_memory(stoa_trainer *trainer, const void *data,
                                                              size_t bytes);

/** How far a trainer has come. */
typedef struct stoa_trainer_info {
    size_t parameters;   /**< that are trained: those of frozen layers are not counted */
    size_t steps;        /**< updates that were made */
    size_t epochs;       /**< whole epochs */
    size_t samples;      /**< trained of the epoch that is not whole */
    size_t best_epoch;   /**< of the best validation; 0: none yet, or no validation */
    float learning_rate; /**< of the last step */
    bool schedule_spans; /**< the schedule goes over all epochs: with another number of them the rate of
                            the next step is another */
    /** What differs between the engine that saved the state that was loaded and this one, so that not every
     * bit can be the same: "blas core ZEN, now HASWELL"; "" where nothing does. Belongs to the trainer. */
    const char *other_build;
} stoa_trainer_info;

/** Say in `*info` how far `trainer` has come. */
STOA_API void stoa_trainer_describe(const stoa_trainer *trainer, stoa_trainer_info *info);

/** What stoa_find_learning_rate() tries. Zeros mean the default. */
typedef struct stoa_rate_range {
    float lowest;  /**< of the first step; 1e-7 */
    float highest; /**< of the last step, should the loss not explode before; 10 */
    size_t steps;  /**< 20 to 1000000; 200, for batches below 32 up to 2000, so that 6400 samples are seen */
} stoa_rate_range;

/** One step of it. */
typedef struct stoa_rate_point {
    float learning_rate;  /**< of the step */
    double loss;          /**< of its batch, before the update */
    double smoothed_loss; /**< mean over the neighbours on both sides; in the callback over those before */
} stoa_rate_point;

/** What it finds. */
typedef struct stoa_rate_curve {
    stoa_rate_point *points; /**< in the order of the rates */
    size_t count;            /**< of them, at least 1 */
    bool exploded;           /**< the smoothed loss became four times its smallest value, or infinite */
    float suggestion;        /**< lowest_loss / 10; 0: none, as the loss fell by less than a twentieth */
    float lowest_loss; /**< rate of the smallest smoothed loss, or of the first below 1/50 of its start */
    float steepest;    /**< rate at which it falls fastest against the logarithm of the rate */
} stoa_rate_curve;

/** Told of `point`, which is valid during the call, with the `user` pointer given to
 * stoa_find_learning_rate(). Return true to stop: that call returns STOA_ERR_CANCELLED. */
typedef bool stoa_rate_fn(void *user, const stoa_rate_point *point);

/** Try learning rates from low to high in one short training, a rate a step (Smith, "Cyclical Learning Rates
 * for Training Neural Networks", 2017).
 *
 * @param context  As for stoa_train().
 * @param model  Built and initialised; the same again when the call returns, whatever it returns.
 * @param data  What to learn from.
 * @param options  As for stoa_train(); learning_rate, schedule, epochs, average, patience and keep_best play
 *                 no part. Not kept.
 * @param range  Which rates; NULL for the defaults. Not kept.
 * @param told  Called after every step on the caller's thread; may be NULL.
 * @param user  Handed to `told`.
 * @param[out] curve  Set only on STOA_OK; release with stoa_rate_curve_free().
 * The same bits whatever the number of threads. Errors: those of stoa_train(), but a loss that becomes
 * infinite only ends the curve. */
STOA_API STOA_MUST_CHECK stoa_status stoa_find_learning_rate(stoa_context *context, stoa_model *model,
                                                             const stoa_dataset *data,
                                                             const stoa_train_options *options,
                                                             const stoa_rate_range *range, stoa_rate_fn *told,
                                                             void *user, stoa_rate_curve *curve);
/** Release what `curve` holds. Zeros are allowed. */
STOA_API void stoa_rate_curve_free(stoa_rate_curve *curve);

/** Mean loss over a whole data set, accuracy and what else goes with its task; nothing is dropped.
 *
 * @param context  The model's, or another.
 * @param model  Built.
 * @param data  What to measure with.
 * @param batch  Samples a run; 0: 256.
 * @param loss  NULL: softmax_cross_entropy. Data with targets need one that takes them. A label is given
 * where the output is at least 0 with bce_with_logits, else at least 0.5.
 * @param[out] result  Set only on STOA_OK.
 * Errors: STOA_ERR_SHAPE (data and model do not match), STOA_ERR_MEMORY, STOA_ERR_ARGUMENT,
 * STOA_ERR_NONFINITE (the sentence names the first layer with a non-finite output). */
STOA_API STOA_MUST_CHECK stoa_status stoa_evaluate(stoa_context *context, stoa_model *model,
                                                   const stoa_dataset *data, size_t batch, const char *loss,
                                                   stoa_evaluation *result);

/** stoa_evaluate(), and where the model is right and wrong.
 *
 * @param context  As for stoa_evaluate().
 * @param model  As for stoa_evaluate().
 * @param data  As for stoa_evaluate(); let it have C classes.
 * @param batch  As for stoa_evaluate().
 * @param loss  As for stoa_evaluate().
 * @param[out] confusion  (C, C): how many samples of class i (row) were taken for class j, [i * C + j]; may
 * be NULL.
 * @param[out] ranks  (C): [k] samples have k outputs above that of their label, so that the first k of them
 *                    together are the top-k hits; may be NULL. Of equal outputs that of the lower class
 *                    counts as larger, in both.
 * @param[out] result  Set only on STOA_OK, as the arrays.
 * Errors: those of stoa_evaluate(). */
STOA_API STOA_MUST_CHECK stoa_status stoa_evaluate_classes(stoa_context *context, stoa_model *model,
                                                           const stoa_dataset *data, size_t batch,
                                                           const char *loss, size_t *confusion, size_t *ranks,
                                                           stoa_evaluation *result);

/** stoa_evaluate() of data with targets, and the figures of each.
 *
 * @param context  As for stoa_evaluate().
 * @param model  As for stoa_evaluate().
 * @param data  As for stoa_evaluate(); one with targets.
 * @param batch  As for stoa_evaluate().
 * @param loss  As for stoa_evaluate().
 * @param[out] each  stoa_dataset_targets() of them.
 * @param[out] result  Set only on STOA_OK, as `each`.
 * Errors: those of stoa_evaluate(); STOA_ERR_ARGUMENT (data with classes). */
STOA_API STOA_MUST_CHECK stoa_status stoa_evaluate_targets(stoa_context *context, stoa_model *model,
                                                           const stoa_dataset *data, size_t batch,
                                                           const char *loss, stoa_target_figures *each,
                                                           stoa_evaluation *result);

#ifdef __cplusplus
}
#endif
#endif
